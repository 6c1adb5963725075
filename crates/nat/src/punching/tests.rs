//! When probes go where, and that no peer can have more of them.

use keyway_wire::CandidateKind;
use proptest::prelude::*;

use super::*;

fn address(text: &str) -> SocketAddr {
    text.parse().unwrap()
}

fn host(text: &str) -> Candidate {
    Candidate {
        kind: CandidateKind::Host,
        address: address(text),
    }
}

fn hosts(count: u16) -> Vec<Candidate> {
    (0..count)
        .map(|port| host(&format!("192.0.2.7:{}", 1000 + port)))
        .collect()
}

const fn at(millis: u64) -> Time {
    Time::from_micros(millis * 1000)
}

/// Probes until `end`, with the time of each in milliseconds; jumps from one timeout to the next.
fn probes(punching: &mut Punching, start: Time, end: Time) -> Vec<(u64, SocketAddr)> {
    let mut sent = Vec::new();
    let mut now = start;
    loop {
        while let Some(address) = punching.poll_probe(now) {
            sent.push((now.as_micros() / 1000, address));
        }
        match punching.poll_timeout() {
            Some(next) if next < end => {
                assert!(next > now, "a timeout that does not move is a busy loop");
                now = next;
            }
            _ => return sent,
        }
    }
}

fn times(probes: &[(u64, SocketAddr)]) -> Vec<u64> {
    probes.iter().map(|(millis, _)| *millis).collect()
}

const ROUND: [u64; 12] = [
    0, 100, 200, 300, 500, 1500, 2500, 3500, 4500, 5500, 6500, 7500,
];

#[test]
fn a_round_follows_the_schedule_and_another_one_comes_each_minute() {
    let mut punching = Punching::new();
    punching.set_remote(at(0), &hosts(1));
    let sent = times(&probes(&mut punching, at(0), at(130_000)));
    let expected: Vec<u64> = [0, 60_000, 120_000]
        .into_iter()
        .flat_map(|start| ROUND.map(|it| start + it))
        .collect();
    assert_eq!(sent, expected);
}

#[test]
fn without_anything_to_probe_there_is_no_timer() {
    let mut punching = Punching::new();
    assert_eq!(punching.poll_timeout(), None);
    punching.set_local(at(0), &hosts(3));
    assert_eq!(punching.poll_timeout(), None);
    punching.set_remote(at(0), &hosts(3));
    assert_eq!(punching.poll_timeout(), Some(at(0)));
    punching.set_remote(at(0), &[]);
    assert_eq!(punching.poll_timeout(), None);
    assert_eq!(punching.poll_probe(at(500_000)), None);
}

#[test]
fn a_direct_path_ends_all_probing_until_it_is_lost() {
    let mut punching = Punching::new();
    punching.set_remote(at(0), &hosts(2));
    punching.poll_probe(at(0));
    punching.on_direct_path();
    assert_eq!(punching.poll_timeout(), None);
    punching.set_remote(at(10), &hosts(4));
    punching.on_probed_from(at(20), address("192.0.2.8:5"));
    punching.set_local(at(30), &hosts(1));
    punching.on_network_change(at(40));
    assert_eq!(punching.poll_probe(at(50)), None);
    assert_eq!(punching.poll_timeout(), None);
    punching.on_direct_lost(at(1000));
    let sent = probes(&mut punching, at(1000), at(1001));
    assert_eq!(sent.len(), 5, "all that were told meanwhile");
}

#[test]
fn candidates_that_come_later_begin_at_once_and_leave_the_others_alone() {
    let mut punching = Punching::new();
    punching.set_remote(at(0), &hosts(1));
    probes(&mut punching, at(0), at(2000));
    punching.set_remote(at(2000), &hosts(2));
    let sent = probes(&mut punching, at(2000), at(60_000));
    let of = |candidate: usize| {
        let address = hosts(2)[candidate].address;
        sent.iter()
            .filter(|(_, to)| *to == address)
            .map(|(millis, _)| *millis)
            .collect::<Vec<_>>()
    };
    assert_eq!(of(0), ROUND[6..]);
    assert_eq!(of(1), ROUND.map(|it| 2000 + it));
}

#[test]
fn a_candidate_that_the_peer_withdraws_is_not_probed_any_more() {
    let mut punching = Punching::new();
    punching.set_remote(at(0), &hosts(2));
    probes(&mut punching, at(0), at(50));
    punching.set_remote(at(50), &hosts(1));
    let sent = probes(&mut punching, at(50), at(60_000));
    assert!(sent.iter().all(|(_, to)| *to == hosts(1)[0].address));
    assert_eq!(sent.len(), 11);
}

#[test]
fn where_the_peer_was_seen_is_probed_first() {
    let mut punching = Punching::new();
    punching.set_remote(at(0), &hosts(3));
    punching.on_probed_from(at(0), address("192.0.2.8:5"));
    assert_eq!(punching.poll_probe(at(0)), Some(address("192.0.2.8:5")));
    // And stays when the peer tells a new list.
    punching.set_remote(at(0), &[]);
    assert_eq!(punching.poll_probe(at(100)), Some(address("192.0.2.8:5")));
}

#[test]
fn a_candidate_from_which_the_peer_sends_is_hurried_when_it_has_become_slow() {
    let mut punching = Punching::new();
    let candidate = hosts(1)[0].address;
    punching.set_remote(at(0), &hosts(1));
    punching.poll_probe(at(0));
    punching.on_probed_from(at(10), candidate);
    assert_eq!(
        punching.poll_probe(at(10)),
        None,
        "the next one is due soon anyway"
    );
    probes(&mut punching, at(10), at(2000));
    punching.on_probed_from(at(2000), candidate);
    assert_eq!(punching.poll_probe(at(2000)), Some(candidate));
}

#[test]
fn of_the_addresses_where_the_peer_was_seen_the_newest_four_are_kept() {
    let mut punching = Punching::new();
    for port in 1..=10 {
        punching.on_probed_from(at(0), address(&format!("192.0.2.8:{port}")));
    }
    let ports: Vec<u16> = probes(&mut punching, at(0), at(1))
        .iter()
        .map(|(_, to)| to.port())
        .collect();
    assert_eq!(ports, [7, 8, 9, 10]);
}

#[test]
fn families_that_we_do_not_have_are_skipped() {
    let mut punching = Punching::new();
    let both = [host("192.0.2.7:1"), host("[2001:db8::1]:1")];
    punching.set_local(at(0), &[host("10.0.0.1:5")]);
    punching.set_remote(at(0), &both);
    let sent = probes(&mut punching, at(0), at(130_000));
    assert_eq!(sent.len(), 36);
    assert!(sent.iter().all(|(_, to)| to.is_ipv4()));
    punching.set_local(at(130_000), &[host("[2001:db8::2]:5")]);
    let sent = probes(&mut punching, at(130_000), at(130_001));
    assert_eq!(sent, [(130_000, both[1].address)]);
}

#[test]
fn our_own_change_of_network_begins_a_round() {
    let mut punching = Punching::new();
    punching.set_remote(at(0), &hosts(1));
    probes(&mut punching, at(0), at(30_000));
    punching.set_local(at(30_000), &[host("10.0.0.1:5")]);
    let sent = times(&probes(&mut punching, at(30_000), at(60_000)));
    assert_eq!(sent, ROUND.map(|it| 30_000 + it));
    punching.set_local(at(60_000), &[host("10.0.0.1:5")]);
    assert_eq!(
        punching.poll_probe(at(60_000)),
        None,
        "the same again is no change"
    );
    punching.on_network_change(at(60_000));
    assert!(punching.poll_probe(at(60_000)).is_some());
}

// L9, R8.13
#[test]
fn ten_thousand_candidates_get_a_hundred_probes() {
    let mut punching = Punching::new();
    punching.set_remote(at(0), &hosts(10_000));
    let sent = probes(&mut punching, at(0), at(60_000));
    assert_eq!(sent.len(), 100);
    let mut addresses: Vec<_> = sent.iter().map(|(_, to)| *to).collect();
    addresses.sort_unstable();
    addresses.dedup();
    assert_eq!(
        addresses.len(),
        CANDIDATES_MAX,
        "and all that are kept have their share"
    );
}

#[derive(Clone, Debug)]
enum Step {
    Told(u16, u16),
    Seen(u16),
    Direct,
    Lost,
    Pass(u64),
}

fn step() -> impl Strategy<Value = Step> {
    prop_oneof![
        4 => (0u16..100, 0u16..40).prop_map(|(first, count)| Step::Told(first, count)),
        4 => (0u16..100).prop_map(Step::Seen),
        1 => Just(Step::Direct),
        2 => Just(Step::Lost),
        6 => prop_oneof![0u64..50, 0u64..2000, 0u64..70_000].prop_map(Step::Pass),
    ]
}

proptest! {
    // L9, R8.13: whatever a peer does.
    #[test]
    fn no_peer_gets_more_probes_than_the_budget(steps in proptest::collection::vec(step(), 0..200)) {
        let mut punching = Punching::new();
        let (mut now, mut sent) = (0, Vec::new());
        for step in steps {
            match step {
                Step::Told(first, count) => {
                    let list: Vec<_> = hosts(140)[usize::from(first)..].to_vec();
                    punching.set_remote(at(now), &list[..list.len().min(usize::from(count))]);
                }
                Step::Seen(port) => punching.on_probed_from(at(now), hosts(100)[usize::from(port)].address),
                Step::Direct => punching.on_direct_path(),
                Step::Lost => punching.on_direct_lost(at(now)),
                Step::Pass(millis) => {
                    sent.extend(times(&probes(&mut punching, at(now), at(now + millis + 1))));
                    now += millis;
                }
            }
            prop_assert!(punching.targets.len() <= CANDIDATES_MAX + SEEN_MAX);
            prop_assert!(punching.recent.len() <= PROBES_PER_SECOND);
        }
        for window in sent.windows(PROBES_PER_SECOND + 1) {
            prop_assert!(window[PROBES_PER_SECOND] - window[0] >= 1000);
        }
        // A window of 60 s meets at most two rounds.
        for window in sent.windows(2 * PROBES_PER_ROUND as usize + 1) {
            prop_assert!(window[2 * PROBES_PER_ROUND as usize] - window[0] >= 60_000);
        }
    }

    #[test]
    fn our_own_changes_cannot_be_abused_for_more_than_ten_probes_a_second(
        pauses in proptest::collection::vec(0u64..3000, 1..200),
    ) {
        let mut punching = Punching::new();
        punching.set_remote(at(0), &hosts(32));
        let (mut now, mut sent) = (0, Vec::new());
        for (index, pause) in pauses.into_iter().enumerate() {
            punching.set_local(at(now), &hosts(1 + u16::try_from(index % 2).unwrap()));
            sent.extend(times(&probes(&mut punching, at(now), at(now + pause + 1))));
            now += pause;
        }
        for window in sent.windows(2 * PROBES_PER_ROUND as usize + 1) {
            prop_assert!(window[2 * PROBES_PER_ROUND as usize] - window[0] >= 10_000);
        }
    }
}

#[test]
fn a_new_association_is_probed_for_although_the_one_before_was_direct_within_the_same_budget() {
    let mut punching = Punching::new();
    punching.set_remote(at(0), &hosts(9));
    let before = probes(&mut punching, at(0), at(5_000)).len();
    punching.on_direct_path();
    punching.on_new_association();
    punching.set_remote(at(6_000), &hosts(9));
    let after = probes(&mut punching, at(6_000), at(50_000)).len();
    assert!(before > 0 && after > 0);
    assert!(before + after <= 100, "{before} and {after}");
}
