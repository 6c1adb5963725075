//! Paths come and move, and carry larger packets or smaller ones; streams do not notice.

use std::time::Duration;

use keyway_wire::StreamId;

use super::link::{Faults, Link, Side};
use super::pair::{Pair, is_selected};
use super::{address, direct, seeds};
use crate::{AssociationEvent, Route};

pub(super) const MIB: u64 = 1 << 20;
pub(super) const SECOND: Duration = Duration::from_secs(1);

/// A relayed link in use, and a direct one of which neither side knows.
pub(super) fn relayed_first(faults: Faults) -> Vec<Link> {
    let relay = Faults {
        delay: faults.delay * 2,
        ..faults
    };
    vec![Link::relayed(0, relay), direct(faults)]
}

/// Both sides use the direct link and keep the relayed one in reserve.
pub(super) fn direct_with_spare(seed: u64, faults: Faults) -> Pair {
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
pub(super) fn finish(pair: &mut Pair, streams: (StreamId, StreamId), octets: u64) -> Duration {
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

// M5
#[test]
fn a_challenge_that_overtakes_the_ids_for_its_answer_is_answered_when_they_come() {
    let mut pair = Pair::new(1, relayed_first(Faults::none(20)));
    pair.a.send_stream(1_000);
    let is_confirmed = |event: &AssociationEvent| matches!(event, AssociationEvent::Confirmed);
    let confirmed = pair.run_until(SECOND, |pair| pair.b.count(is_confirmed) > 0);
    assert!(confirmed, "{}", pair.describe());
    // The ids that B gives out go over the relay, which takes twice as long as the direct way.
    let (probed, to_a) = (pair.now, pair.network.links[1].at_b);
    pair.b.association.probe(probed, to_a);
    pair.run_for(Duration::from_millis(40 + 20 + 5));
    assert_eq!(pair.b.selected(), Some(to_a), "{}", pair.describe());
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

// M8, R8.24
#[test]
fn packets_grow_to_what_the_path_carries_and_shrink_when_it_carries_less() {
    let mut pair = Pair::new(2, vec![direct(Faults::none(10))]);
    pair.transfer(MIB, 60 * SECOND);
    assert_eq!(pair.a.association.paths().next().unwrap().mtu, 1452);
    let octets = 32 * MIB;
    let streams = pair.start_transfer(octets);
    pair.run_for(Duration::from_millis(100));
    let sent = pair.a.association.paths().next().unwrap().sent;
    assert!(sent < octets / 2, "all of it left before the path changed");
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
