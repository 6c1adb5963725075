//! Keys change under the streams.

use std::time::Duration;

use keyway_handshake::Limits;

use super::link::{Faults, Link, Side};
use super::pair::Pair;
use super::{direct, seeds};
use crate::{AssociationConfig, AssociationEvent, Keepalive};

const MIB: u64 = 1 << 20;
const SECOND: Duration = Duration::from_secs(1);

fn generations(pair: &Pair) -> (Option<u64>, Option<u64>) {
    (
        pair.a.association.generation(),
        pair.b.association.generation(),
    )
}

// T7, H5, R4.23, R4.24: handshakes from both sides, at the same time or nearly, while octets flow.
#[test]
fn handshakes_that_race_each_other_disturb_no_transfer() {
    for seed in seeds(20) {
        let mut pair = Pair::new(
            seed,
            vec![direct(Faults {
                rate: 3_000_000,
                queue: 100_000,
                ..Faults::bad(10)
            })],
        );
        let octets = 2 * MIB;
        let streams = pair.start_transfer(octets);
        for round in 0..20 {
            let apart = Duration::from_micros(pair.a.random() % 30_000);
            let (first, second) = if round % 2 == 0 {
                (Side::A, Side::B)
            } else {
                (Side::B, Side::A)
            };
            let now = pair.now;
            pair.end(first).dial(now);
            pair.run_for(apart);
            let now = pair.now;
            pair.end(second).dial(now);
            if pair.run_until(SECOND, |pair| {
                pair.has_arrived(streams.0, streams.1, octets)
            }) {
                break;
            }
        }
        let done = pair.run_until(300 * SECOND, |pair| {
            pair.has_arrived(streams.0, streams.1, octets)
        });
        assert!(done, "seed {seed}: {}", pair.describe());
        pair.run_for(20 * SECOND);
        let (a, b) = generations(&pair);
        assert!(a == b && a > Some(1), "seed {seed}: {a:?} {b:?}");
        let stall = pair.a.longest_stall.max(pair.b.longest_stall);
        assert!(stall < 5 * SECOND, "seed {seed}: {stall:?}");
    }
}

// T7, R7.4, R7.6: the key phase ends after a few hundred packets instead of millions.
#[test]
fn key_phases_change_under_a_transfer() {
    for seed in seeds(6) {
        let session = Limits {
            packets_per_phase: 200,
            ..Limits::default()
        };
        let config = AssociationConfig {
            session,
            ..AssociationConfig::default()
        };
        let link = direct(Faults {
            rate: 3_000_000,
            queue: 100_000,
            ..Faults::bad(10)
        });
        let mut pair = Pair::with_config(seed, vec![link], config);
        pair.transfer(4 * MIB, 600 * SECOND);
        for side in [Side::A, Side::B] {
            let ratchets = pair.end(side).association.keys_before();
            assert!(ratchets >= 5, "seed {seed}: {ratchets}");
        }
        let stall = pair.a.longest_stall.max(pair.b.longest_stall);
        assert!(stall < 5 * SECOND, "seed {seed}: {stall:?}");
    }
}

#[test]
fn a_session_is_renewed_in_time_while_it_is_used() {
    let config = AssociationConfig {
        keepalive: Keepalive::Always,
        ..AssociationConfig::default()
    };
    let mut pair = Pair::with_config(1, vec![direct(Faults::bad(10))], config);
    pair.transfer(MIB / 10, 60 * SECOND);
    pair.run_for(3600 * SECOND);
    // The initiator asks at 120 s, so the responder never has to.
    let (a, b) = generations(&pair);
    assert_eq!(a, b);
    assert!(a >= Some(25) && a <= Some(31), "{a:?}");
    assert_eq!(
        pair.b
            .count(|event| *event == AssociationEvent::HandshakeWanted),
        0
    );
    assert_eq!(pair.a.count(|event| *event == AssociationEvent::Stalled), 0);
    pair.transfer(MIB, 60 * SECOND);
}

#[test]
fn the_responder_renews_the_session_if_the_initiator_does_not() {
    let config = AssociationConfig {
        keepalive: Keepalive::Always,
        ..AssociationConfig::default()
    };
    let mut pair = Pair::with_config(1, vec![direct(Faults::none(10))], config);
    pair.a.deaf = true;
    pair.run_for(149 * SECOND);
    assert_eq!(generations(&pair), (Some(1), Some(1)));
    pair.run_for(2 * SECOND);
    assert_eq!(generations(&pair), (Some(2), Some(2)));
    assert!(
        pair.a
            .count(|event| *event == AssociationEvent::HandshakeWanted)
            >= 1
    );
    pair.transfer(MIB, 60 * SECOND);
}

// R7.9
#[test]
fn a_session_that_is_not_renewed_seals_nothing_after_its_time() {
    let mut pair = Pair::new(1, vec![direct(Faults::none(10))]);
    (pair.a.deaf, pair.b.deaf) = (true, true);
    pair.transfer(MIB, 60 * SECOND);
    pair.run_for(200 * SECOND);
    let before = (pair.network.traffic(Side::A), pair.network.traffic(Side::B));
    pair.a.send_stream(MIB);
    pair.run_for(60 * SECOND);
    assert_eq!(
        (pair.network.traffic(Side::A), pair.network.traffic(Side::B)),
        before
    );
    // Somebody waits; keys are asked for again and again, and with them everything goes on.
    assert!(
        pair.a
            .count(|event| *event == AssociationEvent::HandshakeWanted)
            >= 10
    );
    assert_eq!(pair.a.count(|event| *event == AssociationEvent::Stalled), 1);
    pair.a.deaf = false;
    pair.run_for(20 * SECOND);
    assert_eq!(pair.b.sinks.values().map(|sink| sink.read).max(), Some(MIB));
}

// R4.24
#[test]
fn packets_of_the_old_session_still_open_when_the_new_one_is_there() {
    let mut pair = Pair::new(
        1,
        vec![Link::relayed(0, Faults::none(200)), direct(Faults::none(5))],
    );
    pair.run_for(2 * SECOND);
    let octets = MIB;
    let streams = pair.start_transfer(octets);
    pair.run_for(SECOND);
    // The handshake overtakes the data on a faster way.
    let route = pair.network.links[1].at_a;
    pair.a.routes = vec![route];
    let now = pair.now;
    pair.a.dial(now);
    let done = pair.run_until(60 * SECOND, |pair| {
        pair.has_arrived(streams.0, streams.1, octets)
    });
    assert!(done, "{}", pair.describe());
    assert_eq!(generations(&pair), (Some(2), Some(2)));
    assert_eq!(
        (pair.a.errors.as_slice(), pair.b.errors.as_slice()),
        ([].as_slice(), [].as_slice())
    );
}
