//! Frames about credit: when they go out, and that they arrive.

use keyway_wire::{
    DataBlockedFrame, Frame, Frames, MaxDataFrame, MaxStreamDataFrame, MaxStreamsFrame,
    StreamDataBlockedFrame, StreamKind, StreamsBlockedFrame,
};

use super::link::{EVEN, ODD, PACKET, Pair};
use super::{OpenError, StreamEvent, StreamLimits};

const BYTES: StreamKind = StreamKind::Bytes;

fn limits() -> StreamLimits {
    StreamLimits {
        stream_window_initial: 1000,
        stream_window_max: 1000,
        window_initial: 1500,
        window_max: 1500,
        streams_max: 2,
        ..StreamLimits::default()
    }
}

/// The frames that a side has in flight, without STREAM.
fn said(pair: &Pair, side: usize) -> Vec<Frame<'_>> {
    let packets = pair.flight[side].iter();
    packets
        .flat_map(|packet| Frames::new(&packet.octets))
        .map(|frame| frame.expect("well-formed"))
        .filter(|frame| !matches!(frame, Frame::Stream(_)))
        .collect()
}

#[test]
fn want_of_credit_is_told_once_and_again_if_that_is_lost() {
    let mut pair = Pair::new(limits());
    let [first, second] = [0; 2].map(|_| pair.open(EVEN, BYTES));
    pair.sides[EVEN].write(first, &[0; 1100]).unwrap();
    pair.sides[EVEN].write(second, &[0; 600]).unwrap();
    while pair.transmit(EVEN, PACKET) {}
    let of_all = Frame::DataBlocked(DataBlockedFrame { limit: 1500 });
    let of_one = Frame::StreamDataBlocked(StreamDataBlockedFrame {
        stream: first,
        limit: 1000,
    });
    assert_eq!(said(&pair, EVEN), [of_one, of_all]);
    while !pair.flight[EVEN].is_empty() {
        pair.lose(EVEN, 0);
    }
    while pair.transmit(EVEN, PACKET) {}
    assert_eq!(said(&pair, EVEN), [of_all, of_one]);
}

#[test]
fn want_of_streams_is_told_once_and_heard_of_when_one_may_be_opened() {
    let mut pair = Pair::new(limits());
    let [first, _] = [0; 2].map(|_| pair.open(EVEN, BYTES));
    for _ in 0..3 {
        let refused = pair.sides[EVEN].open(BYTES, &"test".parse().unwrap());
        assert_eq!(refused, Err(OpenError::LimitReached));
    }
    assert!(pair.transmit(EVEN, PACKET));
    let want = [Frame::StreamsBlocked(StreamsBlockedFrame { limit: 2 })];
    assert_eq!(said(&pair, EVEN), want);
    pair.lose(EVEN, 0);
    assert!(pair.transmit(EVEN, PACKET));
    assert_eq!(said(&pair, EVEN), want);
    assert!(!pair.transmit(EVEN, PACKET));
    for side in [EVEN, ODD] {
        pair.sides[side].reset(first, 0);
        pair.sides[side].stop(first, 0);
    }
    pair.settle();
    assert!(pair.events(EVEN).contains(&StreamEvent::StreamsAvailable));
    pair.open(EVEN, BYTES);
}

/// What the reader grants after everything was read, with `room` octets in the first packet, which gets lost if so told.
fn granted(room: usize, lost: bool) -> Vec<Vec<u8>> {
    let mut pair = Pair::new(limits());
    let ids = [0; 2].map(|_| pair.open(EVEN, BYTES));
    for id in ids {
        pair.sides[EVEN].write(id, &[0; 700]).unwrap();
    }
    pair.settle();
    for id in ids {
        pair.read(ODD, id);
    }
    if pair.transmit(ODD, room) && lost {
        pair.lose(ODD, 0);
    }
    while pair.transmit(ODD, PACKET) {}
    let packets = pair.flight[ODD].iter();
    packets.map(|packet| packet.octets.clone()).collect()
}

// RFC 9000, 13.3: with the credit of the day.
#[test]
fn credit_that_was_lost_or_did_not_fit_is_granted_again() {
    let all = granted(PACKET, false);
    assert_eq!(all.len(), 1);
    let frames: Vec<_> = Frames::new(&all[0]).map(Result::unwrap).collect();
    let [max_data, first, second] = frames[..] else {
        panic!("{frames:?}");
    };
    assert!(matches!(
        max_data,
        Frame::MaxData(MaxDataFrame { max: 2900 })
    ));
    for frame in [first, second] {
        assert!(matches!(
            frame,
            Frame::MaxStreamData(MaxStreamDataFrame { max: 1700, .. })
        ));
    }
    assert_eq!(granted(PACKET, true), all);
    for room in 0..all[0].len() {
        assert_eq!(granted(room, false).concat(), all[0], "{room}");
        assert_eq!(granted(room, true).concat().len(), all[0].len(), "{room}");
    }
}

#[test]
fn streams_that_are_over_are_granted_again_even_if_that_is_lost() {
    let mut pair = Pair::new(limits());
    for _ in 0..2 {
        let id = pair.open(EVEN, BYTES);
        for side in [EVEN, ODD] {
            pair.sides[side].reset(id, 0);
            pair.sides[side].stop(id, 0);
        }
        while pair.transmit(EVEN, PACKET) {}
        pair.arrive(EVEN);
    }
    while pair.transmit(ODD, PACKET) {}
    let granted = |max| [Frame::MaxStreams(MaxStreamsFrame { max })];
    assert!(
        !said(&pair, ODD).contains(&granted(4)[0]),
        "our resets are not acknowledged"
    );
    pair.arrive(ODD);
    for _ in 0..2 {
        assert!(pair.transmit(ODD, PACKET));
        assert_eq!(said(&pair, ODD), granted(4));
        pair.lose(ODD, 0);
    }
}
