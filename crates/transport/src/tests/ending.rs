//! How associations end.

use std::time::Duration;

use super::link::{Faults, Side};
use super::pair::Pair;
use super::{direct, seeds};
use crate::{AssociationEvent, EndReason, OpenError, ReadError, WriteError, codes};

const MIB: u64 = 1 << 20;
const SECOND: Duration = Duration::from_secs(1);

// M12, R9.18, R9.19
#[test]
fn a_close_tells_both_sides() {
    let mut unheard = 0;
    let seeds = seeds(100);
    let count = seeds.total();
    for seed in seeds {
        let mut pair = Pair::new(
            seed,
            vec![direct(Faults {
                loss: 100,
                ..Faults::none(20)
            })],
        );
        pair.transfer(10_000, 60 * SECOND);
        let now = pair.now;
        pair.a
            .association
            .close(now, codes::SHUTDOWN, "that is all");
        pair.run_until(SECOND, |pair| pair.b.ended().is_some());
        pair.run_until(10 * SECOND, |pair| pair.a.ended().is_some());
        assert_eq!(pair.a.ended(), Some(&EndReason::Local), "seed {seed}");
        assert_eq!(pair.a.association.poll_timeout(), None);
        match pair.b.ended() {
            Some(EndReason::Peer {
                code: codes::SHUTDOWN,
                reason,
            }) => assert_eq!(reason, "that is all"),
            None => unheard += 1,
            other => panic!("seed {seed}: {other:?}"),
        }
    }
    assert!(
        unheard * 100 <= count,
        "three tries against one loss in ten: {unheard}"
    );
}

#[test]
fn after_the_end_nothing_is_said_any_more() {
    let mut pair = Pair::new(2, vec![direct(Faults::none(20))]);
    pair.network.links[0].cut(true);
    pair.a.association.ping(pair.now);
    pair.run_for(SECOND);
    let association = &mut pair.a.association;
    association.end(EndReason::PeerRestarted);
    let said = std::iter::from_fn(|| association.poll_event()).last();
    assert_eq!(
        said,
        Some(AssociationEvent::Ended(EndReason::PeerRestarted))
    );
    // What was on its way has not been acknowledged, and will not be.
    for seconds in 0..60 {
        association.batch_done(pair.now + seconds * SECOND);
        assert_eq!(association.poll_event(), None, "after {seconds} s");
    }
}

#[test]
fn what_was_written_before_is_delivered_if_the_close_waits_for_it() {
    let mut pair = Pair::new(3, vec![direct(Faults::bad(20))]);
    let id = pair.a.send_stream(MIB);
    let drained = pair.run_until(60 * SECOND, |pair| {
        pair.a.association.is_drained() && !pair.a.has_sources()
    });
    assert!(drained, "{}", pair.describe());
    let now = pair.now;
    pair.a.association.close(now, codes::NONE, "");
    pair.run_until(5 * SECOND, |pair| {
        pair.a.ended().is_some() && pair.b.ended().is_some()
    });
    assert_eq!(pair.b.sinks[&id].read, MIB);
    assert!(pair.b.sinks[&id].finished);
}

// T5
#[test]
fn a_stream_that_is_cut_short_never_ends_cleanly() {
    for seed in seeds(5) {
        let mut pair = Pair::new(
            seed,
            vec![direct(Faults {
                rate: 1_000_000,
                queue: 50_000,
                ..Faults::none(20)
            })],
        );
        let id = pair.a.send_stream(MIB);
        pair.run_for(SECOND / 2);
        let now = pair.now;
        pair.a.association.close(now, 77, "enough");
        pair.run_until(5 * SECOND, |pair| pair.b.ended().is_some());
        let sink = &pair.b.sinks[&id];
        assert!(!sink.finished && sink.read < MIB);
        let reason = EndReason::Peer {
            code: 77,
            reason: "enough".to_owned(),
        };
        assert_eq!(sink.error, Some(ReadError::Ended(reason.clone())));
        assert_eq!(
            pair.b.association.write(id, b"more"),
            Err(WriteError::Ended(reason))
        );
        let service = "test".parse().unwrap();
        assert_eq!(
            pair.b
                .association
                .open(keyway_wire::StreamKind::Bytes, &service),
            Err(OpenError::Closed)
        );
    }
}

// R9.18
#[test]
fn a_peer_that_never_answers_is_not_waited_for() {
    let mut pair = Pair::new(3, vec![direct(Faults::none(20))]);
    pair.run_for(SECOND);
    pair.network.links[0].cut(true);
    let (now, before) = (pair.now, pair.network.traffic(Side::A).packets);
    pair.a.association.close(now, codes::NONE, "");
    let over = pair.run_until(SECOND, |pair| pair.a.ended().is_some());
    assert!(over && pair.b.ended().is_none());
    assert_eq!(
        pair.network.traffic(Side::A).packets - before,
        3,
        "now, after one timeout and after two"
    );
}

#[test]
fn without_a_session_a_close_is_the_end_at_once() {
    let mut pair = Pair::without_session(
        1,
        vec![direct(Faults::none(10))],
        crate::AssociationConfig::default(),
    );
    let now = pair.now;
    pair.a.association.close(now, codes::NONE, "");
    assert!(pair.a.association.is_ended());
    pair.settle();
    assert_eq!(pair.a.ended(), Some(&EndReason::Local));
}

#[test]
fn an_answer_to_a_handshake_that_nobody_confirms_is_given_up() {
    let mut pair = Pair::new(1, vec![direct(Faults::none(10))]);
    pair.network.links[0].cut(true);
    pair.run_for(11 * SECOND);
    assert_eq!(pair.b.ended(), Some(&EndReason::TimedOut));
    assert_eq!(
        pair.network.traffic(Side::B).packets,
        0,
        "a responder sends nothing before it has opened something"
    );
}
