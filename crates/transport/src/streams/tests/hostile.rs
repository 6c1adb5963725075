//! A peer that holds an allowed key and does what it likes.

use keyway_wire::{
    DataBlockedFrame, DatagramFrame, Frame, MaxDataFrame, MaxStreamDataFrame, MaxStreamsFrame,
    OpenFrame, ResetFrame, STREAMS_MAX, StopFrame, StreamDataBlockedFrame, StreamFrame, StreamId,
    StreamKind, StreamsBlockedFrame,
};
use proptest::prelude::*;

use super::link::on_frame;
use super::{ReadError, StreamEvent, StreamLimits};
use crate::memory::{MemoryBudget, MemoryShare};
use crate::streams::{Accepted, PeerLimits, StreamViolation, Streams};

const LAST: u64 = (1 << 62) - 1;

fn limits() -> StreamLimits {
    StreamLimits {
        streams_guaranteed: 10,
        stream_window_initial: 1000,
        stream_window_max: 1000,
        window_initial: 1500,
        window_max: 1500,
        streams_max: 10,
        gaps_max: 4,
        datagram_queue_max: 10_000,
        ..StreamLimits::default()
    }
}

/// A victim that opens even streams, of which it opened one.
fn victim() -> Streams {
    let peer = PeerLimits {
        max_data: 1000,
        max_stream_data: 1000,
        max_streams: 10,
        max_datagram: 1000,
    };
    let share = MemoryShare::new(&MemoryBudget::new(1 << 30));
    let mut streams = Streams::new(true, &limits(), &peer, &share);
    streams
        .open(StreamKind::Bytes, &"test".parse().unwrap())
        .unwrap();
    streams
}

fn id(value: u64) -> StreamId {
    StreamId::new(value).unwrap()
}

fn data(stream: u64, offset: u64, data: &[u8], fin: bool) -> Frame<'_> {
    Frame::Stream(StreamFrame {
        stream: id(stream),
        offset,
        fin,
        data,
    })
}

fn open(stream: u64) -> Frame<'static> {
    Frame::Open(OpenFrame {
        stream: id(stream),
        kind: StreamKind::Bytes,
        service: "test",
    })
}

fn reset(stream: u64, final_size: u64) -> Frame<'static> {
    Frame::Reset(ResetFrame {
        stream: id(stream),
        code: 5,
        final_size,
    })
}

/// Every kind of frame that is about a stream.
fn about(stream: u64) -> [Frame<'static>; 6] {
    let stream = id(stream);
    [
        data(stream.value(), 0, b"x", false),
        reset(stream.value(), 0),
        Frame::Stop(StopFrame { stream, code: 5 }),
        Frame::MaxStreamData(MaxStreamDataFrame { stream, max: 5 }),
        Frame::StreamDataBlocked(StreamDataBlockedFrame { stream, limit: 5 }),
        Frame::Datagram(DatagramFrame {
            flow: stream,
            data: b"x",
        }),
    ]
}

fn violation(streams: &mut Streams, frame: &Frame<'_>) -> StreamViolation {
    on_frame(streams, frame).expect_err("a violation")
}

// R9.2
#[test]
fn streams_beyond_the_limit_are_a_violation() {
    for stream in [21, LAST] {
        for frame in about(stream).into_iter().chain([open(stream)]) {
            let expected = StreamViolation::StreamLimit {
                stream: id(stream),
                granted: 10,
            };
            assert_eq!(violation(&mut victim(), &frame), expected);
        }
    }
    assert_eq!(on_frame(&mut victim(), &open(19)), Ok(Accepted::Yes));
}

// R9.2
#[test]
fn frames_for_streams_of_ours_that_do_not_exist_are_a_violation() {
    for stream in [2, LAST - 1] {
        for frame in about(stream) {
            assert_eq!(
                violation(&mut victim(), &frame),
                StreamViolation::NotOpened { stream: id(stream) }
            );
        }
    }
    for stream in [0, 2] {
        let frame = open(stream);
        assert_eq!(
            violation(&mut victim(), &frame),
            StreamViolation::NotTheirs { stream: id(stream) }
        );
    }
}

// R9.10
#[test]
fn octets_beyond_the_credit_are_a_violation() {
    let beyond = |offset, end| StreamViolation::StreamFlowControl {
        stream: id(offset),
        end,
        granted: 1000,
    };
    assert_eq!(
        violation(&mut victim(), &data(1, 999, b"ab", false)),
        beyond(1, 1001)
    );
    assert_eq!(
        violation(&mut victim(), &data(1, LAST, b"", true)),
        beyond(1, LAST)
    );
    assert_eq!(
        violation(&mut victim(), &data(1, LAST - 1, b"x", false)),
        beyond(1, LAST)
    );
    assert_eq!(violation(&mut victim(), &reset(1, LAST)), beyond(1, LAST));

    let mut streams = victim();
    on_frame(&mut streams, &data(1, 999, b"x", false)).unwrap();
    on_frame(&mut streams, &data(3, 499, b"x", false)).unwrap();
    let expected = StreamViolation::FlowControl {
        stream: id(3),
        added: 1,
        left: 0,
    };
    assert_eq!(
        violation(&mut streams, &data(3, 500, b"x", false)),
        expected
    );
    assert_eq!(violation(&mut streams, &reset(3, 501)), expected);
    on_frame(&mut streams, &data(3, 0, b"x", false)).unwrap();
}

// RFC 9000, 4.5, R9.5
#[test]
fn an_end_that_moves_is_a_violation() {
    let moved = |known, claimed| StreamViolation::FinalSize {
        stream: id(1),
        known,
        claimed,
    };
    let mut streams = victim();
    on_frame(&mut streams, &data(1, 0, b"abc", false)).unwrap();
    assert_eq!(
        violation(&mut streams, &data(1, 0, b"ab", true)),
        moved(3, 2)
    );
    assert_eq!(violation(&mut streams, &reset(1, 2)), moved(3, 2));
    on_frame(&mut streams, &data(1, 4, b"e", true)).unwrap();
    assert_eq!(
        violation(&mut streams, &data(1, 4, b"ef", false)),
        moved(5, 6)
    );
    assert_eq!(violation(&mut streams, &data(1, 0, b"", true)), moved(5, 0));
    assert_eq!(violation(&mut streams, &reset(1, 6)), moved(5, 6));
    on_frame(&mut streams, &reset(1, 5)).unwrap();
    assert_eq!(
        violation(&mut streams, &data(1, 5, b"f", false)),
        moved(5, 6)
    );
}

#[test]
fn datagrams_on_a_stream_of_octets_are_a_violation() {
    let datagram = |stream| {
        Frame::Datagram(DatagramFrame {
            flow: id(stream),
            data: b"x",
        })
    };
    assert_eq!(
        violation(&mut victim(), &datagram(0)),
        StreamViolation::NoFlow { stream: id(0) }
    );
    let mut streams = victim();
    on_frame(&mut streams, &datagram(1)).unwrap();
    assert_eq!(
        violation(&mut streams, &open(1)),
        StreamViolation::NoFlow { stream: id(1) }
    );
}

// L6
#[test]
fn extreme_grants_are_taken_as_they_are() {
    let mut streams = victim();
    for max in [LAST, 0, 1, LAST] {
        on_frame(&mut streams, &Frame::MaxData(MaxDataFrame { max })).unwrap();
        on_frame(
            &mut streams,
            &Frame::MaxStreamData(MaxStreamDataFrame { stream: id(0), max }),
        )
        .unwrap();
        on_frame(
            &mut streams,
            &Frame::MaxStreams(MaxStreamsFrame {
                max: max.min(STREAMS_MAX),
            }),
        )
        .unwrap();
        on_frame(
            &mut streams,
            &Frame::DataBlocked(DataBlockedFrame { limit: max }),
        )
        .unwrap();
        on_frame(
            &mut streams,
            &Frame::StreamsBlocked(StreamsBlockedFrame { limit: max }),
        )
        .unwrap();
    }
    assert_eq!(streams.send_credit.available(), LAST);
    assert_eq!(streams.write(id(0), &[0; 5000]), Ok(5000));
    on_frame(
        &mut streams,
        &Frame::Stop(StopFrame {
            stream: id(0),
            code: LAST,
        }),
    )
    .unwrap();
    assert_eq!(
        streams.poll_event(),
        Some(StreamEvent::Stopped {
            stream: id(0),
            code: LAST
        })
    );
}

// L3, R9.13
#[test]
fn too_many_gaps_are_dropped_and_change_nothing() {
    let mut streams = victim();
    for piece in 0..4 {
        assert_eq!(
            on_frame(&mut streams, &data(1, piece * 10 + 1, b"x", false)),
            Ok(Accepted::Yes)
        );
    }
    let received = streams.receive_credit.received();
    assert_eq!(
        on_frame(&mut streams, &data(1, 500, b"x", true)),
        Ok(Accepted::Dropped)
    );
    assert_eq!(streams.receive_credit.received(), received);
    assert_eq!(
        on_frame(&mut streams, &data(1, 0, b"x", false)),
        Ok(Accepted::Yes)
    );
    on_frame(&mut streams, &open(1)).unwrap();
    assert_eq!(streams.read(id(1), &mut [0; 9]), Ok(2));
    assert_eq!(
        on_frame(&mut streams, &data(1, 600, b"x", true)),
        Ok(Accepted::Yes),
        "there is one gap fewer, and the end was not noted"
    );
}

// L4
#[test]
fn only_streams_that_a_frame_came_for_take_memory() {
    let mut streams = victim();
    on_frame(&mut streams, &open(19)).unwrap();
    on_frame(&mut streams, &open(19)).unwrap();
    assert_eq!(streams.table.len(), 2);
    on_frame(&mut streams, &open(5)).unwrap();
    assert_eq!(streams.table.len(), 3);
}

// L5
#[test]
fn frames_that_say_nothing_make_no_state_and_wake_nobody() {
    let mut streams = victim();
    for round in 0..100_000u64 {
        let stream = 1 + 2 * (round % 10);
        on_frame(&mut streams, &data(stream, 0, b"", false)).unwrap();
        let blocked = StreamDataBlockedFrame {
            stream: id(stream),
            limit: round,
        };
        on_frame(&mut streams, &Frame::StreamDataBlocked(blocked)).unwrap();
        let credit = MaxStreamDataFrame {
            stream: id(stream),
            max: round % 1000,
        };
        on_frame(&mut streams, &Frame::MaxStreamData(credit)).unwrap();
        on_frame(
            &mut streams,
            &Frame::MaxData(MaxDataFrame { max: round % 1000 }),
        )
        .unwrap();
        on_frame(
            &mut streams,
            &Frame::DataBlocked(DataBlockedFrame { limit: round }),
        )
        .unwrap();
    }
    assert_eq!(streams.table.len(), 1);
    assert_eq!(streams.poll_event(), None);
    on_frame(&mut streams, &open(1)).unwrap();
    assert!(matches!(
        streams.poll_event(),
        Some(StreamEvent::Opened { .. })
    ));
    for offset in 0..1000 {
        on_frame(&mut streams, &data(1, offset, b"", false)).unwrap();
        on_frame(&mut streams, &open(1)).unwrap();
    }
    assert_eq!(streams.poll_event(), None);
    assert_eq!(streams.read(id(1), &mut [0]), Err(ReadError::Blocked));
}

// L5
#[test]
fn opening_and_resetting_without_end_is_held_by_the_limit() {
    let mut streams = victim();
    let mut index = 0;
    let refused = loop {
        let stream = 2 * index + 1;
        if let Err(violation) = on_frame(&mut streams, &open(stream)) {
            break violation;
        }
        on_frame(&mut streams, &reset(stream, 0)).unwrap();
        on_frame(
            &mut streams,
            &Frame::Stop(StopFrame {
                stream: id(stream),
                code: 0,
            }),
        )
        .unwrap();
        index += 1;
    };
    assert_eq!(
        refused,
        StreamViolation::StreamLimit {
            stream: id(21),
            granted: 10
        }
    );
    assert_eq!(streams.events.len(), 30);
}

// R9.9
#[test]
fn frames_for_streams_that_are_over_are_ignored() {
    let mut streams = victim();
    on_frame(&mut streams, &open(1)).unwrap();
    on_frame(&mut streams, &data(1, 0, b"abc", true)).unwrap();
    assert_eq!(streams.read(id(1), &mut [0; 9]), Ok(3));
    assert_eq!(streams.read(id(1), &mut [0; 9]), Err(ReadError::Finished));
    streams.reset(id(1), 0);
    streams.on_acked(&crate::sent_frame::SentFrame::Reset(id(1)));
    assert_eq!(streams.table.len(), 1);
    while streams.poll_event().is_some() {}
    for frame in about(1)
        .into_iter()
        .chain([open(1), data(1, 0, b"abc", true), reset(1, 3)])
    {
        assert_eq!(on_frame(&mut streams, &frame), Ok(Accepted::Yes));
    }
    assert_eq!(streams.table.len(), 1);
    assert_eq!(streams.poll_event(), None);
}

fn extreme() -> impl Strategy<Value = u64> {
    prop_oneof![
        0u64..20,
        990u64..1010,
        prop::sample::select(vec![
            1 << 31,
            1 << 32,
            (1 << 32) - 1,
            1 << 61,
            LAST - 1,
            LAST
        ]),
    ]
}

fn any_frame() -> impl Strategy<Value = Frame<'static>> {
    let stream = || prop_oneof![9 => 0u64..24, 1 => extreme()].prop_map(id);
    let octets = (0usize..600).prop_map(|len| &[7u8; 600][..len]);
    let octets = octets.boxed();
    prop_oneof![
        6 => (stream(), extreme(), any::<bool>(), octets.clone()).prop_map(|(stream, offset, fin, data)| {
            let offset = offset.min(LAST - data.len() as u64);
            Frame::Stream(StreamFrame { stream, offset, fin, data })
        }),
        2 => (stream(), any::<bool>()).prop_map(|(stream, bytes)| {
            let kind = if bytes { StreamKind::Bytes } else { StreamKind::Datagrams };
            Frame::Open(OpenFrame { stream, kind, service: "test" })
        }),
        1 => (stream(), extreme()).prop_map(|(stream, size)| reset(stream.value(), size)),
        1 => (stream(), extreme()).prop_map(|(stream, code)| Frame::Stop(StopFrame { stream, code })),
        1 => (stream(), extreme()).prop_map(|(stream, max)| Frame::MaxStreamData(MaxStreamDataFrame { stream, max })),
        1 => extreme().prop_map(|max| Frame::MaxData(MaxDataFrame { max })),
        1 => extreme().prop_map(|max| Frame::MaxStreams(MaxStreamsFrame { max: max.min(STREAMS_MAX) })),
        1 => (stream(), octets).prop_map(|(flow, data)| Frame::Datagram(DatagramFrame { flow, data })),
    ]
}

/// What the victim's application does, and its packets.
#[derive(Clone, Debug)]
enum Act {
    Frame(Frame<'static>),
    Read(u64),
    Write(u64),
    End(u64, u8),
    Send,
    Outcome(bool),
}

fn any_act() -> impl Strategy<Value = Act> {
    let stream = || 0u64..24;
    prop_oneof![
        6 => any_frame().prop_map(Act::Frame),
        2 => stream().prop_map(Act::Read),
        1 => stream().prop_map(Act::Write),
        1 => (stream(), any::<u8>()).prop_map(|(stream, how)| Act::End(stream, how)),
        2 => Just(Act::Send),
        2 => any::<bool>().prop_map(Act::Outcome),
    ]
}

proptest! {
    // L6: whatever comes, nothing overflows or panics, and memory stays bounded.
    #[test]
    fn no_sequence_of_frames_does_harm(acts in prop::collection::vec(any_act(), 0..300)) {
        let mut streams = victim();
        streams.set_packet_room(1200);
        let mut flight = Vec::new();
        for act in acts {
            match act {
                // A real association would end with the first violation.
                Act::Frame(frame) => drop(on_frame(&mut streams, &frame)),
                Act::Read(stream) => {
                    let _ = streams.read(id(stream), &mut [0; 300]);
                    streams.recv_datagram(id(stream));
                }
                Act::Write(stream) => {
                    let _ = streams.write(id(stream), &[1; 400]);
                    let _ = streams.send_datagram(id(stream), &[1; 400]);
                }
                Act::End(stream, how) => match how % 3 {
                    0 => streams.finish(id(stream)),
                    1 => streams.reset(id(stream), 3),
                    _ => streams.stop(id(stream), 4),
                },
                Act::Send => {
                    let mut out = [0; 1200];
                    let mut sent = Default::default();
                    let now = Default::default();
                    let control = streams.write_control(now, super::link::RTT, &mut out, &mut sent);
                    streams.write_data(&mut out[control..], &mut sent);
                    flight.extend(sent);
                }
                Act::Outcome(acked) => {
                    for frame in flight.drain(..flight.len() / 2) {
                        if acked { streams.on_acked(&frame) } else { streams.on_lost(&frame) }
                    }
                }
            }
            prop_assert!(streams.table.len() <= 11);
            let unread = streams.receive_credit.received() - streams.receive_credit.consumed();
            prop_assert!(unread <= 1500);
            prop_assert!(streams.send_credit.used() <= LAST);
            while streams.poll_event().is_some() {}
        }
    }
}
