//! Paths die, in both directions or in one, for a while or for good; streams go on elsewhere, or when the path is back.

use std::time::Duration;

use super::link::{Faults, Side};
use super::pair::Pair;
use super::paths::{MIB, SECOND, direct_with_spare, finish};
use super::{direct, seeds};
use crate::{AssociationEvent, Batch};

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

// M6, R8.15
#[test]
fn who_was_asked_for_keys_by_another_way_than_the_one_in_use_finds_out_whether_that_is_dead() {
    for seed in seeds(6) {
        let mut pair = direct_with_spare(seed, Faults::none(20));
        // Until the spare path has been used: at its first use B would issue another id, and miss the answer to that.
        pair.run_for(30 * SECOND);
        pair.transfer(1000, 10 * SECOND);
        // Until everything is acknowledged. What happens within a second leaves no time for the path in use to seem quiet.
        pair.run_for(SECOND / 10);
        let (direct, relayed) = (pair.network.links[0].at_b, pair.network.links[1].at_b);
        pair.network.links[0].cut(true);
        pair.a.routes = vec![pair.network.links[1].at_a];
        let confirmed = pair.b.count(|event| *event == AssociationEvent::Confirmed);
        pair.a.dial(pair.now);
        let rekeyed = pair.run_until(SECOND / 2, |pair| {
            pair.b.count(|event| *event == AssociationEvent::Confirmed) > confirmed
        });
        assert!(rekeyed, "seed {seed}: {}", pair.describe());
        assert_eq!(pair.b.selected(), Some(direct), "seed {seed}");
        // Nothing of A's comes after this, by any way.
        pair.network.links[1].cut_from_a = true;
        pair.run_for(2 * SECOND);
        assert_eq!(pair.b.selected(), Some(relayed), "seed {seed}");
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
