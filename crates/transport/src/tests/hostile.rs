//! Packets that nobody honest sends: replays, forgeries, and what an allowed peer can do with its keys.

use std::time::Duration;

use keyway_wire::{
    Candidate, CandidateKind, Cid, CidSequence, Frame, MaxDataFrame, MaxStreamDataFrame,
    NewCidFrame, PathChallengeFrame, PathResponseFrame, RetireCidFrame, StreamFrame, StreamId,
    VarInt, emit_ack, emit_candidates,
};
use proptest::prelude::*;

use super::link::{Delivery, Faults, Link, Side};
use super::pair::Pair;
use super::{address, direct, seeds};
use crate::{EndReason, ReceiveError, Route, codes};

const SECOND: Duration = Duration::from_secs(1);

/// A pair that has exchanged something of everything.
fn settled(seed: u64) -> Pair {
    let mut pair = Pair::new(seed, vec![direct(Faults::none(10))]);
    pair.transfer(20_000, 60 * SECOND);
    pair.run_for(2 * SECOND);
    pair
}

/// Gives B a packet, and says what it made of it.
fn give(pair: &mut Pair, route: Route, packet: &[u8]) -> Result<(), ReceiveError> {
    let now = pair.now;
    pair.b
        .association
        .handle_data(now, route, None, None, &mut packet.to_vec())
}

/// Gives B an authentic packet of these frames.
fn say(pair: &mut Pair, frames: &[u8]) {
    let (now, route) = (pair.now, pair.network.links[0].at_b);
    let packet = pair.a.association.seal_frames(now, frames);
    assert_eq!(give(pair, route, &packet), Ok(()));
    pair.b.association.batch_done(now);
}

fn emitted(frame: &Frame<'_>) -> Vec<u8> {
    let mut out = vec![0; frame.len()];
    frame.emit(&mut out);
    out
}

/// The code that B closes with, if it does.
fn closed_with(pair: &mut Pair) -> Option<u64> {
    pair.run_for(SECOND);
    match pair.b.ended()? {
        EndReason::Violation { code, .. } => Some(*code),
        other => panic!("{other:?}"),
    }
}

// P1, R7, R1.1, R7.3
#[test]
fn a_packet_that_comes_again_changes_nothing_wherever_and_whenever() {
    for seed in seeds(3) {
        let mut pair = Pair::new(
            seed,
            vec![direct(Faults::none(10)), Link::relayed(0, Faults::none(20))],
        );
        pair.network.recording = Some(Vec::new());
        pair.transfer(100_000, 60 * SECOND);
        for side in [Side::A, Side::B] {
            let (now, route) = (pair.now, pair.network.links[1].route(side));
            pair.end(side).association.add_route(now, route);
        }
        pair.a.association.ping(pair.now);
        pair.run_for(SECOND);
        let recorded = pair.network.recording.take().unwrap();
        let (relayed, elsewhere) = (
            pair.network.links[1].at_b,
            Route::Direct {
                remote: address(66, 6),
            },
        );
        for rekeyed in [false, true] {
            if rekeyed {
                let now = pair.now;
                pair.a.dial(now);
                pair.run_for(30 * SECOND);
                assert_eq!(pair.b.association.generation(), Some(2));
            }
            let before = (
                pair.a.association.fingerprint(),
                pair.b.association.fingerprint(),
            );
            let mut repeated = 0;
            for delivery in recorded.iter().filter(|delivery| delivery.packet[0] >= 8) {
                for route in [delivery.route, relayed, elsewhere] {
                    let now = pair.now;
                    let association = &mut pair.end(delivery.to).association;
                    let result = association.handle_data(
                        now,
                        route,
                        None,
                        None,
                        &mut delivery.packet.clone(),
                    );
                    assert!(
                        matches!(result, Err(ReceiveError::Replayed { .. })),
                        "{result:?}"
                    );
                    repeated += 1;
                }
            }
            assert!(repeated > 300, "{repeated}");
            assert_eq!(
                (
                    pair.a.association.fingerprint(),
                    pair.b.association.fingerprint()
                ),
                before
            );
        }
    }
}

// P3, P4, P5, R1.2, R7.2, R7.3
#[test]
fn a_forged_packet_leaves_no_trace() {
    let mut pair = settled(1);
    let (now, route) = (pair.now, pair.network.links[0].at_b);
    let honest = pair.a.association.seal_frames(now, &[1, 1, 1, 1]);
    let before = pair.b.association.fingerprint();
    for length in 0..honest.len() {
        assert!(
            give(&mut pair, route, &honest[..length]).is_err(),
            "cut to {length}"
        );
    }
    for bit in 0..honest.len() * 8 {
        let mut packet = honest.clone();
        packet[bit / 8] ^= 1 << (bit % 8);
        assert!(give(&mut pair, route, &packet).is_err(), "bit {bit}");
    }
    for number in [
        0,
        1,
        5,
        1 << 31,
        1 << 32,
        (1 << 62) - 1,
        1 << 62,
        1 << 63,
        u64::MAX,
    ] {
        let mut packet = honest.clone();
        packet[8..16].copy_from_slice(&number.to_be_bytes());
        if packet != honest {
            assert!(give(&mut pair, route, &packet).is_err(), "number {number}");
        }
    }
    let mut longer = honest.clone();
    longer.push(0);
    assert!(give(&mut pair, route, &longer).is_err());
    let after = pair.b.association.fingerprint();
    let differs = after
        .bytes()
        .zip(before.bytes())
        .position(|(after, before)| after != before);
    assert_eq!(
        differs.map(|at| (&after[at - 60..at + 60], &before[at - 60..at + 60])),
        None
    );
    assert_eq!(
        give(&mut pair, route, &honest),
        Ok(()),
        "the honest one is still welcome"
    );
    assert_ne!(pair.b.association.fingerprint(), before);
}

// P7, R7.2
#[test]
fn what_fails_to_open_is_wiped() {
    let mut pair = settled(1);
    let (now, route) = (pair.now, pair.network.links[0].at_b);
    let mut packet = pair.a.association.seal_frames(now, &[1; 100]);
    packet[20] ^= 1;
    assert!(
        pair.b
            .association
            .handle_data(now, route, None, None, &mut packet)
            .is_err()
    );
    assert!(packet[16..].iter().all(|octet| *octet == 0));
}

// L7, R6.7
#[test]
fn an_acknowledgement_of_what_was_never_sent_closes_at_once() {
    for (sequence, largest) in [
        (0, 5_000),
        (0, (1 << 62) - 1),
        (1, 9),
        (5, 0),
        (77, 0),
        (u32::MAX, 3),
    ] {
        let mut pair = settled(2);
        let mut out = [0; 64];
        let len = emit_ack(
            &mut out,
            CidSequence(sequence),
            Duration::ZERO,
            [largest..=largest],
        );
        say(&mut pair, &out[..len]);
        assert_eq!(
            closed_with(&mut pair),
            Some(codes::OPTIMISTIC_ACK),
            "{sequence} {largest}"
        );
        assert!(matches!(
            pair.a.ended(),
            Some(EndReason::Peer {
                code: codes::OPTIMISTIC_ACK,
                ..
            })
        ));
    }
}

#[test]
fn an_acknowledgement_of_everything_ever_sent_is_honest() {
    let mut pair = settled(2);
    let mut out = [0; 64];
    let len = emit_ack(&mut out, CidSequence(0), Duration::MAX, [0..=0]);
    say(&mut pair, &out[..len]);
    assert_eq!(closed_with(&mut pair), None);
}

// L5, CVE-2023-49295, R8.10
#[test]
fn a_flood_of_challenges_gets_few_answers_and_no_memory() {
    let mut pair = settled(3);
    let (now, kept) = (pair.now, pair.b.association.kept());
    let before = pair.network.traffic(Side::B).packets;
    let challenges: Vec<u8> = (0..100)
        .flat_map(|index| {
            emitted(&Frame::PathChallenge(PathChallengeFrame {
                data: [index; 8],
            }))
        })
        .collect();
    for port in 1..100 {
        let packet = pair.a.association.seal_frames(now, &challenges);
        assert_eq!(
            give(
                &mut pair,
                Route::Direct {
                    remote: address(66, port)
                },
                &packet
            ),
            Ok(())
        );
    }
    pair.settle();
    let answers = pair.network.traffic(Side::B).packets - before;
    assert!(answers <= 4, "{answers}");
    assert_eq!(pair.b.association.kept(), kept);
    assert_eq!(pair.b.ended(), None);
    for _ in 0..200 {
        if pair.b.association.is_ended() {
            break;
        }
        say(&mut pair, &challenges);
    }
    assert_eq!(closed_with(&mut pair), Some(codes::NO_PROGRESS));
}

// L5
#[test]
fn floods_of_frames_that_change_nothing_have_an_end() {
    let stream = StreamId::new(4_000).unwrap();
    let mut candidates = vec![0; 1200];
    let list: Vec<_> = (1..32)
        .map(|port| Candidate {
            kind: CandidateKind::Host,
            address: address(66, port),
        })
        .collect();
    let len = emit_candidates(&mut candidates, 1, &list);
    candidates.truncate(len);
    let floods = [
        emitted(&Frame::MaxData(MaxDataFrame { max: 1 })),
        emitted(&Frame::MaxStreamData(MaxStreamDataFrame {
            stream: StreamId::new(0).unwrap(),
            max: 1,
        })),
        emitted(&Frame::PathResponse(PathResponseFrame { data: [9; 8] })),
        emitted(&Frame::RetireCid(RetireCidFrame {
            sequence: CidSequence(0),
        })),
        emitted(&Frame::NewCid(NewCidFrame {
            sequence: CidSequence(0),
            retire_prior_to: CidSequence(0),
            cid: Cid::new([0xaa; 7]),
        })),
        candidates,
    ];
    for flood in floods {
        let mut pair = settled(4);
        let kept = pair.b.association.kept();
        let many = flood.repeat(1100 / flood.len());
        let mut packets = 0;
        while pair.b.association.poll_timeout().is_some()
            && !pair.b.association.is_closing()
            && packets < 100_000
        {
            say(&mut pair, &many);
            packets += 1;
            assert!(pair.b.association.kept() <= kept + 16);
        }
        assert_eq!(
            closed_with(&mut pair),
            Some(codes::NO_PROGRESS),
            "{flood:?}"
        );
    }
    // Empty octets of a stream that is not worth opening for them.
    let mut pair = settled(4);
    let empty = emitted(&Frame::Stream(StreamFrame {
        stream,
        offset: 0,
        fin: false,
        data: &[],
    }));
    say(&mut pair, &empty);
    assert_eq!(
        closed_with(&mut pair),
        Some(codes::FLOW_CONTROL),
        "beyond the streams that were granted"
    );
}

// CVE-2024-22189, R8.2
#[test]
fn floods_of_ids_close_the_association() {
    let mut pair = settled(5);
    let frames = |sequence: u32| {
        emitted(&Frame::NewCid(NewCidFrame {
            sequence: CidSequence(sequence),
            retire_prior_to: CidSequence(0),
            cid: Cid::new([7; 7]),
        }))
    };
    (9..100).for_each(|sequence| say(&mut pair, &frames(sequence)));
    assert_eq!(closed_with(&mut pair), Some(codes::CID_LIMIT));
    let mut pair = settled(5);
    for sequence in 0..1000 {
        if pair.b.association.is_closing() {
            break;
        }
        say(
            &mut pair,
            &emitted(&Frame::RetireCid(RetireCidFrame {
                sequence: CidSequence(sequence),
            })),
        );
        let now = pair.now;
        pair.b.react(now);
    }
    assert_eq!(closed_with(&mut pair), Some(codes::CID_LIMIT));
}

#[test]
fn an_honest_change_of_every_id_goes_well() {
    let mut pair = settled(5);
    let request = Frame::NewCid(NewCidFrame {
        sequence: CidSequence(9),
        retire_prior_to: CidSequence(9),
        cid: Cid::new([0, 0xaa, 0xc1, 0, 0, 0, 9]),
    });
    pair.a
        .association
        .issue_cid(Cid::new([0, 0xaa, 0xc1, 0, 0, 0, 9]));
    say(&mut pair, &emitted(&request));
    pair.transfer(100_000, 60 * SECOND);
    pair.run_for(20 * SECOND);
    assert_eq!((pair.a.ended(), pair.b.ended()), (None, None));
    assert!(
        !pair
            .a
            .association
            .cids()
            .any(|cid| cid == Cid::new([0, 0xaa, 0xc1, 0, 0, 0, 0])),
        "the first one is retired"
    );
}

// L6
#[test]
fn extreme_numbers_close_or_are_ignored_and_never_panic() {
    let extremes = [0, 1, (1 << 31) - 1, 1 << 31, 1 << 32, (1 << 62) - 1];
    for a in extremes {
        for b in extremes {
            let id = |value| StreamId::new(value).unwrap();
            let frames = [
                Frame::MaxData(MaxDataFrame { max: a }),
                Frame::MaxStreamData(MaxStreamDataFrame {
                    stream: id(a),
                    max: b,
                }),
                Frame::Stream(StreamFrame {
                    stream: id(a),
                    offset: b,
                    fin: true,
                    data: &[1],
                }),
                Frame::Stream(StreamFrame {
                    stream: id(0),
                    offset: b,
                    fin: false,
                    data: &[1, 2, 3],
                }),
            ];
            for frame in frames {
                let mut pair = settled(6);
                pair.b.careless = true;
                say(&mut pair, &emitted(&frame));
                pair.run_for(SECOND);
            }
        }
    }
    let mut pair = settled(6);
    let (now, route) = (pair.now, pair.network.links[0].at_b);
    let packet = pair
        .a
        .association
        .seal_frames_as(now, VarInt::MAX.value(), &[1]);
    assert_eq!(
        give(&mut pair, route, &packet),
        Ok(()),
        "the last number that an ACK can name"
    );
    assert_eq!(pair.b.ended(), None);
}

// R6.5
#[test]
fn a_packet_without_frames_is_a_violation_and_padding_is_a_frame() {
    let mut pair = settled(7);
    say(&mut pair, &[0; 10]);
    assert_eq!(closed_with(&mut pair), None);
    say(&mut pair, &[]);
    assert_eq!(closed_with(&mut pair), Some(codes::MALFORMED));
}

// P6, R9.20
#[test]
fn nobody_without_the_keys_ends_an_association() {
    let mut pair = settled(8);
    let mut forged = Delivery {
        to: Side::B,
        route: pair.network.links[0].at_b,
        packet: vec![8; 60],
    };
    for index in 0..2000 {
        forged.packet[0] = 8 + (index % 8) as u8;
        forged.packet[8..16].copy_from_slice(&pair.a.random().to_be_bytes());
        let now = pair.now;
        pair.network
            .deliver(now + Duration::from_micros(index + 1), forged.clone());
    }
    pair.transfer(100_000, 60 * SECOND);
    assert_eq!(pair.b.ended(), None);
}

proptest! {
    #![proptest_config(ProptestConfig { cases: 200, ..ProptestConfig::default() })]

    // Authentic rubbish: whatever the frames are, nothing panics, nothing spins, and the pair ends or goes on.
    #[test]
    fn no_frames_bring_an_association_out_of_step(
        packets in prop::collection::vec(prop::collection::vec(any_frame(), 1..6), 1..12),
    ) {
        let mut pair = settled(9);
        pair.b.careless = true;
        for frames in packets {
            if pair.a.association.is_closing() || pair.b.association.is_closing() {
                break;
            }
            let (now, route) = (pair.now, pair.network.links[0].at_b);
            let packet = pair.a.association.seal_frames(now, &frames.concat());
            prop_assert!(give(&mut pair, route, &packet).is_ok());
            pair.run_for(Duration::from_millis(30));
        }
        pair.run_for(20 * SECOND);
    }
}

fn any_frame() -> impl Strategy<Value = Vec<u8>> {
    let number = prop_oneof![
        0u64..40,
        Just(1 << 20),
        Just((1 << 62) - 1),
        0u64..(1 << 62)
    ];
    let varint = number.prop_map(|value| {
        // The longest form is as good as any.
        (value | 0xc000_0000_0000_0000).to_be_bytes().to_vec()
    });
    let kinds = prop_oneof![
        Just(vec![1]),
        prop::sample::select(vec![
            0x02u8, 0x04, 0x05, 0x06, 0x08, 0x09, 0x0a, 0x0b, 0x10, 0x11, 0x12, 0x14, 0x15, 0x16,
            0x18, 0x19, 0x1a, 0x1b, 0x20, 0x21, 0x30, 0x31, 0x38,
        ])
        .prop_map(|kind| vec![kind]),
    ];
    (
        kinds,
        prop::collection::vec(varint, 0..5),
        prop::collection::vec(any::<u8>(), 0..20),
    )
        .prop_map(|(kind, numbers, rest)| [kind, numbers.concat(), rest].concat())
}
