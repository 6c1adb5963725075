//! Paths come, move, die and come back; streams do not notice.

use std::time::Duration;

use keyway_wire::{Frame, Frames, StreamId};

use super::link::{Delivery, Faults, Link, Side};
use super::pair::{Pair, is_selected};
use super::{address, direct, seeds};
use crate::{AssociationConfig, AssociationEvent, Batch, Route};

const MIB: u64 = 1 << 20;
const SECOND: Duration = Duration::from_secs(1);

/// A relayed link in use, and a direct one of which neither side knows.
fn relayed_first(faults: Faults) -> Vec<Link> {
    let relay = Faults {
        delay: faults.delay * 2,
        ..faults
    };
    vec![Link::relayed(0, relay), direct(faults)]
}

/// Both sides use the direct link and keep the relayed one in reserve.
fn direct_with_spare(seed: u64, faults: Faults) -> Pair {
    let mut links = relayed_first(faults);
    links.swap(0, 1);
    let mut pair = Pair::new(seed, links);
    for side in [Side::A, Side::B] {
        let (now, route) = (pair.now, pair.network.links[1].route(side));
        pair.end(side).association.add_route(now, route);
    }
    let settled = pair.run_until(5 * SECOND, |pair| {
        [&pair.a, &pair.b].iter().all(|end| {
            end.association
                .paths()
                .filter(|path| path.validated)
                .count()
                == 2
        })
    });
    assert!(settled, "{}", pair.describe());
    assert!(pair.a.selected().unwrap().is_direct() && pair.b.selected().unwrap().is_direct());
    pair
}

/// The longest time without octets while both sides receive, from `start` on until the streams are over.
fn finish(pair: &mut Pair, streams: (StreamId, StreamId), octets: u64) -> Duration {
    let done = pair.run_until(600 * SECOND, |pair| {
        pair.has_arrived(streams.0, streams.1, octets)
    });
    assert!(done, "{}", pair.describe());
    pair.a.longest_stall.max(pair.b.longest_stall)
}

// M5, R8.14
#[test]
fn a_transfer_moves_from_the_relay_to_a_direct_path() {
    for seed in seeds(10) {
        let faults = Faults {
            rate: 2_000_000,
            queue: 200_000,
            ..Faults::none(10)
        };
        let mut pair = Pair::new(seed, relayed_first(faults));
        let octets = 8 * MIB;
        let streams = pair.start_transfer(octets);
        pair.run_for(SECOND);
        assert!(!pair.a.selected().unwrap().is_direct());
        let opened = pair.now;
        let (to_b, to_a) = (pair.network.links[1].at_a, pair.network.links[1].at_b);
        pair.a.association.probe(opened, to_b);
        pair.b.association.probe(opened, to_a);
        let stall = finish(&mut pair, streams, octets);
        assert!(stall < Duration::from_millis(250), "seed {seed}: {stall:?}");
        for end in [&pair.a, &pair.b] {
            assert!(end.selected().unwrap().is_direct());
            let selected = end.last(is_selected).unwrap();
            assert!(selected.saturating_since(opened) < SECOND, "seed {seed}");
            assert_eq!(end.errors, [], "seed {seed}");
        }
    }
}

// M6, R8.15
#[test]
fn a_transfer_moves_to_the_relay_when_the_direct_path_dies() {
    for seed in seeds(10) {
        let mut pair = direct_with_spare(
            seed,
            Faults {
                rate: 2_000_000,
                queue: 200_000,
                ..Faults::none(20)
            },
        );
        let octets = 8 * MIB;
        let streams = pair.start_transfer(octets);
        pair.run_for(SECOND);
        pair.network.links[0].cut(true);
        let stall = finish(&mut pair, streams, octets);
        assert!(
            stall < Duration::from_millis(1500),
            "seed {seed}: {stall:?}"
        );
        assert_eq!(
            pair.a
                .count(|event| *event == AssociationEvent::RouteLost(pair.network.links[0].at_a)),
            1
        );
    }
}

#[test]
fn a_lone_path_that_is_doubted_wakes_nobody_all_the_time() {
    for seed in seeds(6) {
        let mut pair = Pair::new(seed, vec![direct(Faults::none(1))]);
        pair.transfer(20_000, 60 * SECOND);
        pair.run_for(SECOND);
        pair.network.links[0].cut(true);
        pair.start_transfer(20_000);
        let (cut, before) = (pair.now, pair.wakeups);
        let lost = |pair: &Pair| {
            let ends = [&pair.a, &pair.b];
            let times =
                ends.map(|end| end.last(|event| matches!(event, AssociationEvent::RouteLost(_))));
            times
                .into_iter()
                .flatten()
                .max()
                .filter(|_| times.iter().all(Option::is_some))
        };
        assert!(pair.run_until(10 * SECOND, |pair| lost(pair).is_some()));
        let patience = lost(&pair).unwrap().saturating_since(cut);
        let about_three = 3 * SECOND..4 * SECOND;
        assert!(about_three.contains(&patience), "seed {seed}: {patience:?}");
        // At each end three checks, the last one, the probes of recovery, and little else.
        let wakeups = pair.wakeups - before;
        assert!(wakeups <= 40, "seed {seed}: {wakeups}");
    }
}

// F5, R8.9, R8.10
#[test]
fn the_answer_to_a_copied_challenge_counts_with_the_probes_that_follow() {
    for seed in seeds(6) {
        let mut pair = Pair::new(seed, vec![direct(Faults::none(20))]);
        pair.transfer(20_000, 60 * SECOND);
        pair.run_for(SECOND);
        let forged = Route::Direct {
            remote: address(66, 666),
        };
        let challenge = [[0x1a, 1, 2, 3, 4, 5, 6, 7, 8].as_slice(), &[0; 1159]].concat();
        assert!(matches!(
            Frames::new(&challenge).next(),
            Some(Ok(Frame::PathChallenge(_)))
        ));
        let now = pair.now;
        let mut packet = pair.a.association.seal_frames(now, &challenge);
        let (came, b) = (packet.len(), &mut pair.b.association);
        b.handle_data(now, forged, None, None, &mut packet).unwrap();
        let before = pair.network.traffic(Side::B).astray;
        // A node looks for the peer wherever authentic packets come from.
        for _ in 0..8 {
            let now = pair.now;
            pair.b.association.probe_back(now, forged);
            pair.run_for(SECOND / 4);
        }
        let sent = pair.network.traffic(Side::B).astray - before;
        assert!((1..=3 * came as u64).contains(&(sent as u64)), "{sent}");
    }
}

// M1, M6, R8.15
#[test]
fn who_only_listens_leaves_a_dead_path_that_the_peer_has_left() {
    for seed in seeds(6) {
        let mut pair = direct_with_spare(seed, Faults::none(20));
        pair.run_for(3 * SECOND);
        let (direct, relayed) = (pair.network.links[0].at_b, pair.network.links[1].at_b);
        let (mut now, mut batch) = (pair.now, Batch::new());
        // From here on nothing reaches A, and what it says comes by the relay. B has nothing on its way that it could miss,
        // but for acknowledgements, and those go where packets come from.
        for _ in 0..15 {
            let mut packet = pair.a.association.seal_frames(now, &[1]);
            let b = &mut pair.b.association;
            b.handle_data(now, relayed, None, None, &mut packet)
                .unwrap();
            b.batch_done(now);
            while b.poll_transmit(now, &mut batch).is_some() {}
            let next = now + SECOND / 5;
            while let Some(due) = b.poll_timeout().filter(|due| *due < next) {
                now = now.max(due);
                b.handle_timeout(now);
                while b.poll_transmit(now, &mut batch).is_some() {}
            }
            now = next;
        }
        let b = &pair.b.association;
        assert_eq!(b.selected_route(), Some(relayed), "seed {seed}");
        assert!(
            b.paths()
                .any(|path| path.route == direct && !path.validated)
        );
    }
}

// M7, R8.15
#[test]
fn a_path_that_is_dead_in_one_direction_is_left() {
    for seed in seeds(6) {
        for from_a in [true, false] {
            let mut pair = direct_with_spare(
                seed,
                Faults {
                    rate: 2_000_000,
                    queue: 200_000,
                    ..Faults::none(20)
                },
            );
            let octets = 8 * MIB;
            let streams = pair.start_transfer(octets);
            pair.run_for(SECOND);
            pair.network.links[0].cut_from_a = from_a;
            pair.network.links[0].cut_from_b = !from_a;
            let stall = finish(&mut pair, streams, octets);
            assert!(stall < 3 * SECOND, "seed {seed}: {stall:?}");
        }
    }
}

// R8.16
#[test]
fn a_dead_path_that_comes_back_is_used_again() {
    let mut pair = direct_with_spare(3, Faults::none(20));
    pair.network.links[0].cut(true);
    pair.transfer(MIB, 60 * SECOND);
    assert!(!pair.a.selected().unwrap().is_direct());
    pair.network.links[0].cut(false);
    let back = pair.run_until(40 * SECOND, |pair| {
        pair.a.selected().unwrap().is_direct() && pair.b.selected().unwrap().is_direct()
    });
    assert!(back, "{}", pair.describe());
    pair.transfer(MIB, 60 * SECOND);
}

// T3
#[test]
fn short_blackouts_of_the_only_path_end_nothing() {
    for seed in seeds(4) {
        let mut pair = Pair::new(
            seed,
            vec![direct(Faults {
                rate: 500_000,
                queue: 100_000,
                ..Faults::bad(15)
            })],
        );
        let octets = 4 * MIB;
        let streams = pair.start_transfer(octets);
        for round in 0..200 {
            let cut = round % 2 == 1;
            pair.network.links[0].cut(cut);
            let time = if cut { 2 * SECOND } else { 5 * SECOND };
            if pair.run_until(time, |pair| pair.has_arrived(streams.0, streams.1, octets)) {
                break;
            }
        }
        assert!(
            pair.has_arrived(streams.0, streams.1, octets),
            "seed {seed}: {}",
            pair.describe()
        );
        let stall = pair.a.longest_stall.max(pair.b.longest_stall);
        assert!(stall < 6 * SECOND, "seed {seed}: {stall:?}");
    }
}

#[test]
fn a_long_outage_is_noticed_and_survived() {
    let mut pair = Pair::new(5, vec![direct(Faults::none(15))]);
    let streams = pair.start_transfer(64 * MIB);
    pair.run_for(Duration::from_millis(300));
    pair.network.links[0].cut(true);
    pair.run_for(3600 * SECOND);
    for end in [&pair.a, &pair.b] {
        assert_eq!(end.count(|event| *event == AssociationEvent::Stalled), 1);
        assert!(end.count(|event| *event == AssociationEvent::HandshakeWanted) >= 1);
        assert_eq!(end.selected(), None);
        assert_eq!(end.ended(), None);
    }
    // The sessions have ended; handshakes find the way back.
    pair.network.links[0].cut(false);
    let restored = pair.now;
    pair.a.restart_stall_clock(restored);
    pair.b.restart_stall_clock(restored);
    let stall = finish(&mut pair, streams, 64 * MIB);
    assert!(stall < 5 * SECOND, "{stall:?}");
    for end in [&pair.a, &pair.b] {
        assert_eq!(end.count(|event| *event == AssociationEvent::Recovered), 1);
    }
}

// M1, R8.12, at the end that has no NAT in front of it.
#[test]
fn a_nat_that_rebinds_costs_a_round_trip_or_two() {
    for seed in seeds(10) {
        let mut pair = Pair::new(
            seed,
            vec![direct(Faults {
                rate: 2_000_000,
                queue: 200_000,
                ..Faults::none(15)
            })],
        );
        let octets = 10_000_000;
        let streams = pair.start_transfer(octets);
        for port in 4101..4104 {
            pair.run_for(SECOND);
            pair.network.links[0].at_b = Route::Direct {
                remote: address(1, port),
            };
        }
        let stall = finish(&mut pair, streams, octets);
        assert!(stall < Duration::from_millis(200), "seed {seed}: {stall:?}");
        assert_eq!(
            pair.b.selected(),
            Some(Route::Direct {
                remote: address(1, 4103)
            })
        );
        assert_eq!(
            pair.b.association.paths().count(),
            1,
            "the path has moved, there is no other"
        );
        assert_eq!(
            pair.a
                .count(|event| matches!(event, AssociationEvent::RouteLost(_))),
            0
        );
    }
}

// M2, R8.12
#[test]
fn a_side_that_moves_to_another_address_is_followed() {
    let mut pair = Pair::new(
        1,
        vec![direct(Faults {
            rate: 2_000_000,
            queue: 200_000,
            ..Faults::none(15)
        })],
    );
    let octets = 8 * MIB;
    let streams = pair.start_transfer(octets);
    pair.run_for(SECOND);
    pair.network.links[0].at_b = Route::Direct {
        remote: address(77, 9),
    };
    pair.run_for(SECOND);
    pair.network.links[0].at_b = Route::Direct {
        remote: "[2001:db8::5]:4100".parse().unwrap(),
    };
    let stall = finish(&mut pair, streams, octets);
    assert!(stall < SECOND, "{stall:?}");
}

// M3, R8.12: copies of A's packets reach B first, from an address that is not A's.
#[test]
fn copies_from_a_forged_source_do_not_take_the_path_over() {
    for seed in seeds(10) {
        let mut pair = Pair::new(
            seed,
            vec![direct(Faults {
                rate: 2_000_000,
                queue: 200_000,
                ..Faults::none(15)
            })],
        );
        let forged = Route::Direct {
            remote: address(66, 666),
        };
        let octets = 4 * MIB;
        let streams = pair.start_transfer(octets);
        for _ in 0..40 {
            pair.network.recording = Some(Vec::new());
            pair.run_for(Duration::from_millis(20));
            // The latest packet from A that is still under way is overtaken by its copy.
            let (at, latest) = pair
                .network
                .latest_to(Side::B)
                .expect("there is always one");
            let early = at - Duration::from_millis(1);
            pair.network.deliver(
                early.max(pair.now + Duration::from_micros(1)),
                Delivery {
                    route: forged,
                    ..latest
                },
            );
        }
        let stall = finish(&mut pair, streams, octets);
        assert!(stall < Duration::from_millis(500), "seed {seed}: {stall:?}");
        assert_ne!(pair.b.selected(), Some(forged));
        assert_eq!(pair.b.count(|event| matches!(event, AssociationEvent::Selected { route, .. } if *route == forged)), 0);
        let copied = 40 * 1452;
        assert!(
            pair.network.traffic(Side::B).astray <= 3 * copied,
            "{:?}",
            pair.network.traffic(Side::B)
        );
        assert!(
            pair.b
                .count(|event| *event == AssociationEvent::ProbedFrom(forged))
                > 0
        );
    }
}

// M8, R8.24
#[test]
fn packets_grow_to_what_the_path_carries_and_shrink_when_it_carries_less() {
    let mut pair = Pair::new(2, vec![direct(Faults::none(10))]);
    pair.transfer(MIB, 60 * SECOND);
    assert_eq!(pair.a.association.paths().next().unwrap().mtu, 1452);
    let octets = 8 * MIB;
    let streams = pair.start_transfer(octets);
    pair.run_for(Duration::from_millis(100));
    pair.network.links[0].faults.mtu = 1280;
    let stall = finish(&mut pair, streams, octets);
    assert!(stall < 5 * SECOND, "{stall:?}");
    assert_eq!(pair.a.association.paths().next().unwrap().mtu, 1200);
}

// R8.24
#[test]
fn packets_grow_to_jumbo_frames_and_to_what_loopback_carries() {
    for (mtu, found) in [(9_000, 8_952), (65_535, 65_487), (1_400, 1_372)] {
        let faults = Faults {
            mtu,
            ..Faults::none(1)
        };
        let mut pair = Pair::new(2, vec![direct(faults)]);
        // Each try that fails takes a probe timeout.
        for _ in 0..20 {
            pair.transfer(4 * MIB, 60 * SECOND);
        }
        assert_eq!(pair.a.association.paths().next().unwrap().mtu, found);
    }
}

#[test]
fn packets_that_this_machine_refuses_are_small_from_then_on() {
    let mut pair = Pair::new(
        3,
        vec![direct(Faults {
            mtu: 65_535,
            ..Faults::none(1)
        })],
    );
    pair.transfer(8 * MIB, 60 * SECOND);
    pair.network.links[0].faults.mtu = 1452;
    let path = pair.a.association.paths().next().unwrap();
    assert_eq!(path.mtu, 65_487);
    let now = pair.now;
    pair.a
        .association
        .packets_refused(now, &path.route, path.mtu);
    let mtu = |pair: &Pair| pair.a.association.paths().next().unwrap().mtu;
    assert_eq!(mtu(&pair), 1200);
    pair.transfer(MIB, 60 * SECOND);
    assert_eq!(mtu(&pair), 1452);
}

#[test]
fn a_path_for_small_packets_only_is_used_with_small_packets() {
    let mut pair = Pair::new(
        2,
        vec![direct(Faults {
            mtu: 1200,
            ..Faults::none(10)
        })],
    );
    pair.transfer(4 * MIB, 60 * SECOND);
    assert_eq!(pair.a.association.paths().next().unwrap().mtu, 1200);
}

#[test]
fn a_path_too_narrow_for_full_packets_is_not_validated() {
    let mut pair = Pair::new(2, relayed_first(Faults::none(10)));
    pair.network.links[1].faults.mtu = 1199;
    let (now, route) = (pair.now, pair.network.links[1].at_a);
    pair.a.association.add_route(now, route);
    pair.transfer(MIB, 60 * SECOND);
    assert!(!pair.a.selected().unwrap().is_direct());
}

// R8.15
#[test]
fn a_removed_route_is_left_at_once() {
    let mut pair = direct_with_spare(
        4,
        Faults {
            rate: 2_000_000,
            queue: 200_000,
            ..Faults::none(15)
        },
    );
    let streams = pair.start_transfer(4 * MIB);
    pair.run_for(SECOND / 2);
    for side in [Side::A, Side::B] {
        let (now, route) = (pair.now, pair.network.links[0].route(side));
        pair.network.links[0].cut(true);
        pair.end(side).association.remove_route(now, route);
        assert!(!pair.end(side).selected().unwrap().is_direct());
    }
    // What had arrived and was not acknowledged yet is sent again first.
    let stall = finish(&mut pair, streams, 4 * MIB);
    assert!(stall < SECOND / 2, "{stall:?}");
}

#[test]
fn each_side_learns_the_address_that_it_is_seen_at() {
    let mut pair = direct_with_spare(4, Faults::bad(10));
    pair.run_for(2 * SECOND);
    let observed = |event: &AssociationEvent, expected| matches!(event, AssociationEvent::Observed { address, .. } if *address == expected);
    assert_eq!(pair.a.count(|event| observed(event, address(1, 4100))), 1);
    assert_eq!(pair.b.count(|event| observed(event, address(2, 4200))), 1);
    pair.network.links[0].at_b = Route::Direct {
        remote: address(1, 5000),
    };
    pair.transfer(MIB, 60 * SECOND);
    pair.run_for(2 * SECOND);
    assert_eq!(pair.a.count(|event| observed(event, address(1, 5000))), 1);
}

#[test]
fn no_more_paths_are_kept_than_the_limit() {
    let mut links = vec![direct(Faults::none(5))];
    links.extend(
        (3..60).map(|host| Link::direct(address(host, 1), address(host, 2), Faults::none(5))),
    );
    let mut pair = Pair::new(9, links);
    pair.run_for(SECOND);
    for index in 1..pair.network.links.len() {
        let (now, route) = (pair.now, pair.network.links[index].at_a);
        pair.a.association.add_route(now, route);
        pair.run_for(Duration::from_millis(50));
    }
    pair.run_for(5 * SECOND);
    assert_eq!(pair.a.association.paths().count(), 8);
    assert!(pair.b.association.cids().count() <= 32 + 32);
    assert_eq!((pair.a.ended(), pair.b.ended()), (None, None));
    pair.transfer(MIB, 60 * SECOND);
}

// F5, R8.10
#[test]
fn an_address_that_did_not_answer_gets_at_most_three_times_what_came() {
    let mut pair = Pair::new(1, vec![direct(Faults::none(15))]);
    pair.run_for(SECOND);
    pair.b.send_stream(4 * MIB);
    let forged = Route::Direct {
        remote: address(66, 666),
    };
    let before = pair.network.traffic(Side::B).astray;
    // A real packet of A's is diverted: it arrives from elsewhere only, again and again, and nobody answers there.
    let mut diverted = 0;
    for _ in 0..50 {
        pair.run_for(Duration::from_millis(5));
        if let Some((at, latest)) = pair.network.take_latest_to(Side::B) {
            diverted += latest.packet.len() as u64;
            pair.network.deliver(
                at,
                Delivery {
                    route: forged,
                    ..latest
                },
            );
        }
    }
    pair.run_for(10 * SECOND);
    let astray = pair.network.traffic(Side::B).astray - before;
    assert!(
        astray > 0 && astray <= 3 * diverted,
        "{astray} for {diverted}"
    );
    assert_ne!(pair.b.selected(), Some(forged));
}

/// A handshake whose INIT came over both links, so that RESP went to both.
fn answered_on_both(faults: Faults) -> Pair {
    let mut links = relayed_first(faults);
    links.swap(0, 1);
    let mut pair = Pair::without_session(1, links, AssociationConfig::default());
    let routes = [pair.network.links[0].at_b, pair.network.links[1].at_b];
    pair.shake(1, &routes);
    pair
}

// F5, R8.8
#[test]
fn a_responder_that_is_not_sure_of_the_address_answers_at_once_and_asks() {
    let mut pair = answered_on_both(Faults::none(20));
    let start = pair.now;
    let (from_a, from_b) = pair.start_transfer(2000);
    let done = pair.run_until(SECOND, |pair| pair.has_arrived(from_a, from_b, 2000));
    assert!(done, "{}", pair.describe());
    assert_eq!(
        pair.now.saturating_since(start),
        Duration::from_millis(40),
        "no round trip is lost"
    );
    pair.run_for(SECOND);
    let validated = pair
        .b
        .association
        .paths()
        .filter(|path| path.validated)
        .count();
    assert_eq!(validated, 2, "and the relay is at hand as well");
    assert!(pair.b.selected().unwrap().is_direct());
}

// F5, R8.8, R8.10
#[test]
fn a_responder_that_is_not_sure_of_the_address_sends_no_more_than_three_times_what_came() {
    let mut pair = answered_on_both(Faults::none(20));
    pair.b.send_stream(MIB);
    // The first packet comes from an address where nobody is, and nothing else comes.
    pair.settle();
    let forged = Route::Direct {
        remote: address(66, 6),
    };
    let (at, first) = pair.network.take_latest_to(Side::B).unwrap();
    let size = first.packet.len() as u64;
    pair.network
        .links
        .iter_mut()
        .for_each(|link| link.cut(true));
    pair.network.links[0].at_b = forged;
    pair.network.links[0].cut_from_a = false;
    pair.network.deliver(
        at,
        Delivery {
            route: forged,
            ..first
        },
    );
    pair.run_until(SECOND, |pair| pair.b.association.is_confirmed());
    pair.network.links[0].cut(true);
    pair.run_for(10 * SECOND);
    let sent = pair.network.traffic_to(Side::B, forged);
    assert!(sent > 0 && sent <= 3 * size, "{sent} for {size}");
}

// M10
#[test]
fn whoever_slept_through_many_checks_of_a_path_makes_one_and_not_all_of_them_at_once() {
    let mut pair = Pair::new(1, vec![direct(Faults::none(10))]);
    pair.start_transfer(MIB);
    pair.run_for(Duration::from_millis(100));
    // In the middle of a flight, the machine is suspended for less than it takes to give the path up.
    let asleep = pair.now + 2 * SECOND;
    let association = &mut pair.a.association;
    let mut wakes = 0;
    let mut batch = crate::Batch::new();
    while association.poll_timeout().is_some_and(|at| at <= asleep) {
        association.handle_timeout(asleep);
        while association.poll_transmit(asleep, &mut batch).is_some() {}
        wakes += 1;
        assert!(wakes <= 4, "woken again and again");
    }
    assert!(wakes > 0);
}

// F5
#[test]
fn copies_of_an_init_from_elsewhere_bring_that_address_no_more_than_what_they_allow() {
    let mut pair = Pair::new(1, vec![direct(Faults::none(10))]);
    pair.transfer(1000, 10 * SECOND);
    let forged = Route::Direct {
        remote: address(99, 1),
    };
    // The INIT came from its sender, and a copy of it from somebody else; both were answered.
    let own = pair.network.links[0].at_b;
    pair.shake(2, &[own, forged]);
    pair.start_transfer(MIB);
    pair.run_for(60 * SECOND);
    let to_forged = pair.network.traffic_to(Side::B, forged);
    assert!(to_forged > 0, "it might be a way to the peer");
    assert!(
        to_forged <= 2 * keyway_wire::INIT_LEN as u64,
        "{to_forged} octets"
    );
}

// F5, M3
#[test]
fn where_packets_seemed_to_come_from_gets_three_times_their_octets_at_most() {
    let mut pair = Pair::new(1, vec![direct(Faults::none(10))]);
    pair.transfer(1000, 10 * SECOND);
    let forged = Route::Direct {
        remote: address(99, 1),
    };
    // Nothing came from there: there is nothing to send back.
    pair.b.association.probe_back(pair.now, forged);
    pair.run_for(SECOND);
    assert_eq!(pair.network.traffic_to(Side::B, forged), 0);
    // A packet of A's is copied, and the copy is first.
    let now = pair.now;
    pair.a.association.ping(now);
    let mut batch = crate::Batch::new();
    assert!(pair.a.association.poll_transmit(now, &mut batch).is_some());
    let mut copy = batch.bytes().to_vec();
    let octets = copy.len();
    let taken = pair
        .b
        .association
        .handle_data(now, forged, None, None, &mut copy);
    assert_eq!(taken, Ok(()));
    pair.b.association.batch_done(now);
    for _ in 0..12 {
        pair.b.association.probe_back(pair.now, forged);
        pair.run_for(Duration::from_millis(700));
    }
    let sent = pair.network.traffic_to(Side::B, forged);
    assert!(sent <= 3 * octets as u64, "{sent} octets for {octets}");
}
