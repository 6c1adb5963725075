//! Pairs that nobody uses.

use std::time::Duration;

use super::link::{Faults, Link, Side};
use super::pair::Pair;
use super::{direct, seeds};
use crate::{AssociationConfig, AssociationEvent, EndReason, Keepalive};

const MIB: u64 = 1 << 20;
const SECOND: Duration = Duration::from_secs(1);
const MINUTE: Duration = Duration::from_secs(60);

// R8.17
#[test]
fn an_idle_pair_sends_a_keepalive_and_nothing_else() {
    let mut pair = Pair::new(1, vec![direct(Faults::none(10))]);
    pair.transfer(MIB, MINUTE);
    pair.run_for(MINUTE / 2);
    let (packets, wakeups) = (
        pair.network.traffic(Side::A).packets + pair.network.traffic(Side::B).packets,
        pair.wakeups,
    );
    pair.run_for(MINUTE);
    let packets =
        pair.network.traffic(Side::A).packets + pair.network.traffic(Side::B).packets - packets;
    assert!(
        (4..=6).contains(&packets),
        "a PING and its answer each 25 s: {packets}"
    );
    assert!(pair.wakeups - wakeups < 20, "{}", pair.wakeups - wakeups);
}

// R8.17
#[test]
fn a_pair_falls_asleep_and_the_next_use_wakes_it() {
    let mut pair = Pair::new(1, vec![direct(Faults::none(10))]);
    pair.transfer(MIB, MINUTE);
    pair.run_for(15 * MINUTE);
    assert_eq!(
        (
            pair.a.association.generation(),
            pair.b.association.generation()
        ),
        (None, None),
        "{:?} {:?}",
        pair.a.events,
        pair.b.events
    );
    let (sent, wakeups) = (pair.network.traffic(Side::A).packets, pair.wakeups);
    pair.run_for(60 * MINUTE);
    assert_eq!(
        (pair.network.traffic(Side::A).packets, pair.wakeups),
        (sent, wakeups),
        "asleep means nothing at all"
    );
    let took = pair.transfer(MIB, MINUTE);
    assert!(took < 3 * SECOND, "{took:?}");
    assert_eq!(
        pair.a
            .count(|event| matches!(event, AssociationEvent::Ended(_))),
        0
    );
}

// R8.17
#[test]
fn the_spare_is_kept_warm_beside_a_direct_path() {
    let mut pair = Pair::new(
        1,
        vec![direct(Faults::none(10)), Link::relayed(0, Faults::none(20))],
    );
    for side in [Side::A, Side::B] {
        let (now, route) = (pair.now, pair.network.links[1].route(side));
        pair.end(side).association.add_route(now, route);
    }
    pair.run_for(2 * SECOND);
    let spare = |pair: &Pair| {
        pair.a
            .association
            .paths()
            .find(|path| !path.route.is_direct())
            .unwrap()
    };
    let before = spare(&pair);
    assert!(before.validated);
    pair.run_for(5 * MINUTE);
    let after = spare(&pair);
    assert!(after.validated && after.sent > before.sent && after.received > before.received);
    assert!(after.sent - before.sent < 2000, "{after:?}");
}

// R9.20
#[test]
fn a_peer_that_is_gone_for_a_day_is_given_up() {
    let config = AssociationConfig {
        keepalive: Keepalive::Always,
        ..AssociationConfig::default()
    };
    let mut pair = Pair::with_config(1, vec![direct(Faults::none(10))], config);
    let id = pair.a.send_stream(MIB);
    pair.run_for(MINUTE);
    pair.a.send_stream(MIB);
    pair.network.links[0].cut(true);
    pair.run_for(23 * 60 * MINUTE);
    assert_eq!(pair.a.ended(), None);
    pair.run_for(2 * 60 * MINUTE);
    assert_eq!(pair.a.ended(), Some(&EndReason::TimedOut));
    assert_eq!(pair.a.association.poll_timeout(), None);
    assert!(
        pair.a
            .association
            .open(keyway_wire::StreamKind::Bytes, &"test".parse().unwrap())
            .is_err()
    );
    assert!(pair.a.delivered.contains(&id));
}

// T9 in small: a day of sparse use.
#[test]
fn sparse_use_for_a_day_works_and_keeps_nothing() {
    for seed in seeds(2) {
        let mut pair = Pair::new(
            seed,
            vec![direct(Faults {
                loss: 20,
                ..Faults::none(20)
            })],
        );
        for _ in 0..48 {
            pair.transfer(1000, MINUTE);
            let stall = pair.a.longest_stall.max(pair.b.longest_stall);
            assert!(stall < 10 * SECOND, "seed {seed}: {stall:?}");
            pair.run_for(30 * MINUTE);
        }
        assert!(pair.a.association.cids().count() < 32 && pair.a.association.paths().count() == 1);
    }
}

#[test]
fn an_association_takes_a_few_kib() {
    let size = size_of::<crate::Association>();
    assert!(size <= 2048, "{size}");
}
