//! Many streams, slow readers, and datagrams, end to end.

use std::time::Duration;

use keyway_wire::{StreamId, StreamKind};

use super::link::{Faults, Side};
use super::pair::Pair;
use super::{direct, seeds};
use crate::{AssociationEvent, OpenError, ReadError, SendDatagramError, WriteError};

const MIB: u64 = 1 << 20;
const SECOND: Duration = Duration::from_secs(1);

// T4
#[test]
fn two_thousand_small_streams_arrive_within_the_limit_for_open_ones() {
    for seed in seeds(2) {
        let mut pair = Pair::new(seed, vec![direct(Faults::bad(15))]);
        let mut opened = Vec::new();
        let service = "test".parse().unwrap();
        while opened.len() < 2000 {
            match pair.a.association.open(StreamKind::Bytes, &service) {
                Ok(id) => {
                    pair.a.answer_stream(id, 32);
                    opened.push(id);
                }
                Err(OpenError::LimitReached) => {
                    assert!(opened.len() >= 8);
                    pair.run_for(Duration::from_millis(20));
                    close_finished(&mut pair);
                }
                Err(OpenError::Closed) => panic!("{}", pair.describe()),
            }
        }
        let arrived = pair.run_until(60 * SECOND, |pair| {
            close_finished(pair);
            opened.iter().all(|id| {
                pair.b
                    .sinks
                    .get(id)
                    .is_some_and(|sink| sink.finished && sink.read == 32)
            })
        });
        assert!(arrived, "seed {seed}");
    }
}

/// B answers each stream that has ended with an end of its own.
fn close_finished(pair: &mut Pair) {
    let finished: Vec<StreamId> = pair
        .b
        .sinks
        .iter()
        .filter(|(_, sink)| sink.finished)
        .map(|(id, _)| *id)
        .collect();
    finished
        .into_iter()
        .for_each(|id| pair.b.association.finish(id));
    let now = pair.now;
    pair.a.react(now);
}

// L1
#[test]
fn a_reader_that_stalls_holds_up_nobody_else() {
    let mut pair = Pair::new(1, vec![direct(Faults::none(10))]);
    let stalled = pair.a.send_stream(8 * MIB);
    pair.b.unread.push(stalled);
    pair.run_for(SECOND);
    let before = pair.network.traffic(Side::A).octets;
    assert!(before < 2 * MIB, "no more than the window: {before}");
    let took = pair.transfer(8 * MIB, 60 * SECOND);
    assert!(took < 5 * SECOND, "{took:?}");
    pair.run_for(60 * SECOND);
    assert_eq!(
        pair.a.count(|event| *event == AssociationEvent::Stalled),
        0,
        "want of credit is no stall"
    );
    let now = pair.now;
    pair.b.resume_reading(now);
    let arrived = pair.run_until(60 * SECOND, |pair| pair.b.sinks[&stalled].finished);
    assert!(arrived && pair.b.sinks[&stalled].read == 8 * MIB);
}

// L8
#[test]
fn a_writer_is_held_back_while_nothing_is_acknowledged() {
    let mut pair = Pair::new(1, vec![direct(Faults::none(10))]);
    pair.run_for(SECOND);
    pair.network.links[0].cut_from_b = true;
    pair.b.careless = true;
    let id = pair
        .a
        .association
        .open(StreamKind::Bytes, &"test".parse().unwrap())
        .unwrap();
    let mut written = 0;
    let error = loop {
        match pair.a.association.write(id, &[7; 65_536]) {
            Ok(count) => written += count as u64,
            Err(error) => break error,
        }
    };
    assert_eq!(error, WriteError::Blocked);
    assert!(written <= 16 * MIB, "{written}");
    pair.run_for(10 * SECOND);
    assert_eq!(pair.a.count(|event| *event == AssociationEvent::Stalled), 1);
}

#[test]
fn stop_and_reset_reach_the_other_side() {
    for seed in seeds(10) {
        let mut pair = Pair::new(seed, vec![direct(Faults::bad(15))]);
        let id = pair.a.send_stream(4 * MIB);
        pair.run_until(10 * SECOND, |pair| {
            pair.b.sinks.get(&id).is_some_and(|sink| sink.read > 1000)
        });
        pair.b.association.stop(id, 70_001);
        let stopped = pair.run_until(10 * SECOND, |pair| pair.a.stopped.contains(&(id, 70_001)));
        assert!(stopped, "seed {seed}");
        let other = pair.b.send_stream(4 * MIB);
        pair.run_until(10 * SECOND, |pair| {
            pair.a
                .sinks
                .get(&other)
                .is_some_and(|sink| sink.read > 1000)
        });
        pair.b.association.reset(other, 70_002);
        let reset = pair.run_until(10 * SECOND, |pair| pair.a.sinks[&other].error.is_some());
        assert!(reset, "seed {seed}");
        assert_eq!(pair.a.sinks[&other].error, Some(ReadError::Reset(70_002)));
    }
}

// T6
#[test]
fn datagrams_arrive_whole_at_most_once_and_leave_streams_alone() {
    for seed in seeds(5) {
        let mut pair = Pair::new(
            seed,
            vec![direct(Faults {
                loss: 50,
                duplicate: 50,
                ..Faults::none(10)
            })],
        );
        pair.run_for(SECOND);
        let streams = pair.start_transfer(MIB / 4);
        let flow = pair
            .a
            .association
            .open(StreamKind::Datagrams, &"test".parse().unwrap())
            .unwrap();
        let max = pair.a.association.max_datagram();
        assert!(max > 1100, "{max}");
        assert_eq!(
            pair.a.association.send_datagram(flow, &vec![0; max + 1]),
            Err(SendDatagramError::TooLarge { max })
        );
        // None of them is too large after a black hole, which three lost packets in a row look like.
        let datagram = |index: u32| {
            let mut datagram = vec![0x5a; 4 + (index as usize * 37) % 1_100];
            datagram[..4].copy_from_slice(&index.to_be_bytes());
            datagram
        };
        for index in 0..1000 {
            while pair
                .a
                .association
                .send_datagram(flow, &datagram(index))
                .is_err()
            {
                pair.run_for(Duration::from_millis(50));
            }
            pair.run_for(Duration::from_millis(2));
        }
        let done = pair.run_until(60 * SECOND, |pair| {
            pair.has_arrived(streams.0, streams.1, MIB / 4)
        });
        assert!(done, "seed {seed}");
        pair.run_for(10 * SECOND);
        let mut seen = std::collections::BTreeSet::new();
        for (_, received) in &pair.b.datagrams {
            let index = u32::from_be_bytes(received[..4].try_into().unwrap());
            assert_eq!(*received, datagram(index));
            assert!(seen.insert(index), "seed {seed}: {index} came twice");
        }
        // One in twenty is lost.
        assert!(
            seen.len() > 900 && seen.len() < 1000,
            "seed {seed}: {}",
            seen.len()
        );
    }
}

#[test]
fn datagrams_of_one_size_share_batches() {
    let mut pair = Pair::new(1, vec![direct(Faults::none(10))]);
    pair.transfer(4 * MIB, 60 * SECOND);
    let flow = pair
        .a
        .association
        .open(StreamKind::Datagrams, &"test".parse().unwrap())
        .unwrap();
    pair.run_for(SECOND);
    let before = pair.network.traffic(Side::A);
    for _ in 0..100 {
        pair.a.association.send_datagram(flow, &[1; 1200]).unwrap();
    }
    pair.run_for(SECOND);
    let after = pair.network.traffic(Side::A);
    assert_eq!(pair.b.datagrams.len(), 100);
    let (packets, batches) = (
        after.packets - before.packets,
        after.batches - before.batches,
    );
    assert!(packets >= 100 && batches <= 25, "{packets} in {batches}");
}

#[test]
fn a_ping_is_answered_in_a_round_trip_and_in_spite_of_loss() {
    for seed in seeds(10) {
        let mut pair = Pair::new(
            seed,
            vec![direct(Faults {
                loss: 200,
                ..Faults::none(25)
            })],
        );
        pair.run_for(SECOND);
        let now = pair.now;
        let ids = [pair.a.association.ping(now), pair.b.association.ping(now)];
        pair.run_for(20 * SECOND);
        for (end, id) in [(&pair.a, ids[0]), (&pair.b, ids[1])] {
            let pongs: Vec<_> = end
                .events
                .iter()
                .filter_map(|(_, event)| match event {
                    AssociationEvent::Pong {
                        id: answered, rtt, ..
                    } if *answered == id => Some(*rtt),
                    _ => None,
                })
                .collect();
            assert!(
                pongs.len() == 1 && pongs[0] >= Duration::from_millis(50),
                "seed {seed}: {pongs:?}"
            );
        }
    }
}

#[test]
fn candidates_reach_the_peer_and_the_newest_list_wins() {
    use keyway_wire::{Candidate, CandidateKind};
    for seed in seeds(10) {
        let mut pair = Pair::new(
            seed,
            vec![direct(Faults {
                loss: 300,
                ..Faults::none(25)
            })],
        );
        let list = |port| {
            vec![Candidate {
                kind: CandidateKind::Reflexive,
                address: super::address(9, port),
            }]
        };
        for port in 1..10 {
            pair.a.association.set_candidates(&list(port));
            pair.run_for(Duration::from_millis(15));
        }
        pair.run_for(20 * SECOND);
        let received: Vec<_> = pair
            .b
            .events
            .iter()
            .filter_map(|(_, event)| match event {
                AssociationEvent::Candidates(list) => Some(list.clone()),
                _ => None,
            })
            .collect();
        assert_eq!(received.last(), Some(&list(9)), "seed {seed}");
    }
}
