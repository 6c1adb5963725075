//! How streams end: finished, reset, stopped, or with the association.

use keyway_wire::{Frame, Frames, StreamId, StreamKind};

use super::link::{EVEN, ODD, PACKET, Packet, Pair};
use super::{OpenError, ReadError, SendDatagramError, StreamEvent, StreamLimits, WriteError};
use crate::EndReason;

const BYTES: StreamKind = StreamKind::Bytes;
const DATAGRAMS: StreamKind = StreamKind::Datagrams;

/// Two sides and a stream that the even one opened.
fn stream() -> (Pair, StreamId) {
    let mut pair = Pair::new(StreamLimits::default());
    let id = pair.open(EVEN, BYTES);
    (pair, id)
}

fn finish_unread(pair: &mut Pair, id: StreamId, side: usize) {
    pair.sides[side].finish(id);
    pair.settle();
    assert_eq!(pair.read(1 - side, id).1, ReadError::Finished);
}

#[test]
fn octets_come_before_the_end() {
    let (mut pair, id) = stream();
    pair.sides[EVEN].write(id, b"bye").unwrap();
    pair.sides[EVEN].finish(id);
    assert_eq!(pair.sides[EVEN].write(id, b"!"), Err(WriteError::Finished));
    pair.settle();
    assert_eq!(pair.read(ODD, id), (b"bye".to_vec(), ReadError::Finished));
    assert_eq!(pair.read(ODD, id), (vec![], ReadError::Finished));
    assert_eq!(pair.events(EVEN), [StreamEvent::Delivered(id)]);
}

#[test]
fn an_end_without_octets_is_readable() {
    let (mut pair, id) = stream();
    pair.sides[EVEN].write(id, b"x").unwrap();
    pair.settle();
    assert_eq!(pair.read(ODD, id), (b"x".to_vec(), ReadError::Blocked));
    pair.events(ODD);
    pair.sides[EVEN].finish(id);
    pair.settle();
    assert_eq!(pair.events(ODD), [StreamEvent::Readable(id)]);
    assert_eq!(pair.read(ODD, id), (vec![], ReadError::Finished));
}

#[test]
fn the_other_direction_stays_open() {
    let (mut pair, id) = stream();
    finish_unread(&mut pair, id, EVEN);
    pair.sides[ODD].write(id, b"answer").unwrap();
    pair.settle();
    assert_eq!(pair.read(EVEN, id).0, b"answer");
    finish_unread(&mut pair, id, ODD);
    pair.assert_nothing_is_left();
    assert_eq!(pair.sides[EVEN].read(id, &mut [0]), Err(ReadError::Unknown));
    assert_eq!(pair.sides[EVEN].write(id, &[0]), Err(WriteError::Unknown));
}

#[test]
fn delivered_means_that_the_peer_has_the_octets_and_the_end() {
    let (mut pair, id) = stream();
    pair.sides[EVEN].write(id, &[0; 2000]).unwrap();
    while pair.transmit(EVEN, PACKET) {}
    pair.sides[EVEN].finish(id);
    assert!(pair.transmit(EVEN, PACKET));
    assert_eq!(pair.flight[EVEN].len(), 3);
    pair.ack(EVEN, 2);
    pair.ack(EVEN, 1);
    assert_eq!(pair.events(EVEN), []);
    assert!(!pair.sides[EVEN].is_drained());
    pair.ack(EVEN, 0);
    assert_eq!(pair.events(EVEN), [StreamEvent::Delivered(id)]);
    assert!(pair.sides[EVEN].is_drained());
}

#[test]
fn a_lost_end_is_sent_again_alone_or_with_lost_octets() {
    for lost in [vec![1], vec![1, 0], vec![0]] {
        let (mut pair, id) = stream();
        pair.sides[EVEN].write(id, b"bye").unwrap();
        assert!(pair.transmit(EVEN, PACKET));
        pair.sides[EVEN].finish(id);
        assert!(pair.transmit(EVEN, PACKET));
        for packet in lost {
            pair.lose(EVEN, packet);
        }
        pair.arrive(EVEN);
        pair.settle();
        assert_eq!(pair.read(ODD, id), (b"bye".to_vec(), ReadError::Finished));
        assert_eq!(pair.events(EVEN), [StreamEvent::Delivered(id)]);
    }
}

// T5
#[test]
fn what_is_cut_off_never_looks_like_a_clean_end() {
    let (mut pair, id) = stream();
    pair.sides[EVEN].write(id, &[0; 3000]).unwrap();
    pair.sides[EVEN].finish(id);
    while pair.transmit(EVEN, PACKET) {}
    let last = pair.flight[EVEN].len() - 1;
    for packet in [0, last] {
        pair.deliver(EVEN, packet).unwrap();
    }
    let (data, error) = pair.read(ODD, id);
    assert!(!data.is_empty() && data.len() < 3000);
    assert_eq!(error, ReadError::Blocked);
    pair.end(ODD);
    assert_eq!(
        pair.read(ODD, id),
        (vec![], ReadError::Ended(EndReason::TimedOut))
    );
}

// R9.7
#[test]
fn a_reset_takes_what_was_not_read_away() {
    let (mut pair, id) = stream();
    pair.sides[EVEN].write(id, &[0; 3000]).unwrap();
    pair.settle();
    pair.sides[EVEN].reset(id, 7);
    assert_eq!(pair.sides[EVEN].write(id, b"!"), Err(WriteError::Finished));
    pair.events(ODD);
    pair.settle();
    assert_eq!(pair.sides[ODD].table.get(id).unwrap().receive.memory(), 0);
    assert_eq!(pair.read(ODD, id), (vec![], ReadError::Reset(7)));
    assert_eq!(pair.read(ODD, id), (vec![], ReadError::Reset(7)));
    finish_unread(&mut pair, id, ODD);
    pair.assert_nothing_is_left();
}

#[test]
fn a_reset_wakes_a_reader_that_waits() {
    let (mut pair, id) = stream();
    assert_eq!(pair.read(ODD, id), (vec![], ReadError::Blocked));
    pair.sides[EVEN].reset(id, 7);
    pair.settle();
    assert_eq!(pair.events(ODD), [StreamEvent::Readable(id)]);
}

// RFC 9000, 3.2: "an endpoint MAY ignore a RESET_STREAM" once it has all data.
#[test]
fn a_reset_after_everything_arrived_changes_nothing() {
    let (mut pair, id) = stream();
    pair.sides[EVEN].write(id, b"bye").unwrap();
    pair.sides[EVEN].finish(id);
    assert!(pair.transmit(EVEN, PACKET));
    pair.deliver(EVEN, 0).unwrap();
    pair.sides[EVEN].reset(id, 7);
    pair.settle();
    assert_eq!(pair.read(ODD, id), (b"bye".to_vec(), ReadError::Finished));
    finish_unread(&mut pair, id, ODD);
    pair.assert_nothing_is_left();
}

#[test]
fn a_reset_gives_unsent_octets_and_credit_back() {
    let limits = StreamLimits {
        window_initial: 2000,
        window_max: 2000,
        ..StreamLimits::default()
    };
    let mut pair = Pair::new(limits);
    let [first, second] = [0; 2].map(|_| pair.open(EVEN, BYTES));
    pair.sides[EVEN].write(first, &[0; 9000]).unwrap();
    pair.sides[EVEN].write(second, &[1; 10]).unwrap();
    pair.settle();
    assert_eq!(
        pair.read(ODD, second).0.len(),
        0,
        "the first took all credit"
    );
    pair.sides[EVEN].reset(first, 7);
    assert_eq!(pair.sides[EVEN].send_memory.used(), 10);
    pair.settle();
    assert_eq!(pair.read(ODD, second).0.len(), 10);
}

#[test]
fn a_stream_reset_before_it_was_announced_is_opened_and_reset() {
    let mut pair = Pair::new(StreamLimits::default());
    let id = pair.open_unsettled(EVEN);
    pair.sides[EVEN].reset(id, 7);
    pair.sides[EVEN].stop(id, 8);
    pair.settle();
    let opened = StreamEvent::Opened {
        stream: id,
        kind: BYTES,
        service: "test".parse().unwrap(),
    };
    let stopped = StreamEvent::Stopped {
        stream: id,
        code: 8,
    };
    assert_eq!(
        pair.events(ODD),
        [opened, StreamEvent::Readable(id), stopped]
    );
    assert_eq!(pair.read(ODD, id).1, ReadError::Reset(7));
    pair.assert_nothing_is_left();
}

#[test]
fn ends_that_overtake_the_announcement_are_told_after_it() {
    let mut pair = Pair::new(StreamLimits::default());
    let id = pair.open_unsettled(EVEN);
    assert!(pair.transmit(EVEN, PACKET));
    pair.sides[EVEN].reset(id, 7);
    pair.sides[EVEN].stop(id, 8);
    assert!(pair.transmit(EVEN, PACKET));
    pair.deliver(EVEN, 1).unwrap();
    assert_eq!(pair.events(ODD), []);
    pair.deliver(EVEN, 0).unwrap();
    let opened = StreamEvent::Opened {
        stream: id,
        kind: BYTES,
        service: "test".parse().unwrap(),
    };
    let stopped = StreamEvent::Stopped {
        stream: id,
        code: 8,
    };
    assert_eq!(
        pair.events(ODD),
        [opened, StreamEvent::Readable(id), stopped]
    );
}

// RFC 9000, 3.5, R9.8
#[test]
fn a_stop_is_answered_with_a_reset_of_the_same_code() {
    let (mut pair, id) = stream();
    pair.sides[EVEN].write(id, &[0; 3000]).unwrap();
    pair.settle();
    pair.sides[ODD].stop(id, 9);
    assert_eq!(pair.sides[ODD].read(id, &mut [0]), Err(ReadError::Unknown));
    assert!(pair.transmit(ODD, PACKET));
    pair.arrive(ODD);
    assert_eq!(
        pair.events(EVEN),
        [StreamEvent::Stopped {
            stream: id,
            code: 9
        }]
    );
    assert_eq!(
        pair.sides[EVEN].write(id, b"!"),
        Err(WriteError::Stopped(9))
    );
    let reset = pair.sides[EVEN].table.get(id).unwrap().send.reset_due();
    assert_eq!(reset, Some((9, 3000)));
    pair.settle();
    finish_unread(&mut pair, id, ODD);
    pair.assert_nothing_is_left();
}

// R9.8
#[test]
fn a_stop_after_everything_arrived_ends_the_reading_at_once() {
    let (mut pair, id) = stream();
    pair.sides[EVEN].write(id, b"bye").unwrap();
    pair.sides[EVEN].finish(id);
    pair.settle();
    pair.events(EVEN);
    pair.sides[ODD].stop(id, 9);
    pair.sides[ODD].finish(id);
    pair.settle();
    assert_eq!(
        pair.events(EVEN),
        [StreamEvent::Readable(id)],
        "not stopped: it was delivered"
    );
    assert_eq!(pair.read(EVEN, id).1, ReadError::Finished);
    pair.assert_nothing_is_left();
}

#[test]
fn what_comes_after_a_stop_is_thrown_away_and_credited() {
    let (mut pair, id) = stream();
    pair.sides[EVEN].write(id, &[0; 3000]).unwrap();
    while pair.transmit(EVEN, PACKET) {}
    pair.deliver(EVEN, 0).unwrap();
    assert_eq!(pair.events(ODD), [StreamEvent::Readable(id)]);
    pair.sides[ODD].stop(id, 9);
    for packet in 1..3 {
        pair.deliver(EVEN, packet).unwrap();
    }
    let credit = &pair.sides[ODD].receive_credit;
    assert_eq!((credit.received(), credit.consumed()), (3000, 3000));
    assert_eq!(pair.sides[ODD].table.get(id).unwrap().receive.memory(), 0);
    assert_eq!(pair.events(ODD), []);
}

#[test]
fn a_blocked_writer_learns_that_it_was_stopped() {
    let limits = StreamLimits {
        stream_window_initial: 100,
        send_buffer_initial: 200,
        ..StreamLimits::default()
    };
    let mut pair = Pair::new(limits);
    let id = pair.open(EVEN, BYTES);
    while pair.sides[EVEN].write(id, &[0; 100]).is_ok() {
        pair.settle();
    }
    pair.events(EVEN);
    pair.sides[ODD].stop(id, 9);
    pair.settle();
    assert_eq!(
        pair.events(EVEN),
        [StreamEvent::Stopped {
            stream: id,
            code: 9
        }]
    );
}

#[test]
fn both_sides_giving_up_at_once_leaves_nothing() {
    let (mut pair, id) = stream();
    for side in [EVEN, ODD] {
        pair.sides[side].write(id, &[0; 3000]).unwrap();
        pair.transmit(side, PACKET);
        pair.sides[side].stop(id, 1);
        pair.sides[side].reset(id, 2);
        pair.sides[side].reset(id, 3);
    }
    pair.settle();
    pair.assert_nothing_is_left();
}

#[test]
fn finishing_twice_or_after_the_end_changes_nothing() {
    let (mut pair, id) = stream();
    pair.sides[EVEN].finish(id);
    pair.sides[EVEN].finish(id);
    pair.settle();
    pair.sides[EVEN].finish(id);
    pair.sides[EVEN].reset(id, 7);
    pair.settle();
    assert_eq!(pair.read(ODD, id).1, ReadError::Finished);
    finish_unread(&mut pair, id, ODD);
    for ended in [id, StreamId::new(1 << 40).unwrap()] {
        pair.sides[EVEN].finish(ended);
        pair.sides[EVEN].reset(ended, 7);
        pair.sides[EVEN].stop(ended, 7);
    }
    pair.assert_nothing_is_left();
}

// R9.3, R9.9
#[test]
fn an_announcement_must_arrive_before_a_stream_is_forgotten() {
    let mut pair = Pair::new(StreamLimits::default());
    let id = pair.open_unsettled(EVEN);
    assert!(pair.transmit(EVEN, PACKET));
    pair.sides[EVEN].reset(id, 7);
    pair.sides[EVEN].stop(id, 7);
    assert!(pair.transmit(EVEN, PACKET));
    pair.deliver(EVEN, 1).unwrap();
    pair.ack(EVEN, 1);
    assert!(pair.transmit(ODD, PACKET));
    pair.arrive(ODD);
    assert!(!pair.sides[EVEN].is_unused());
    pair.lose(EVEN, 0);
    pair.settle();
    assert!(pair.sides[EVEN].is_unused());
    assert_eq!(pair.read(ODD, id).1, ReadError::Reset(7));
    pair.assert_nothing_is_left();
}

// R9.14
#[test]
fn datagrams_go_out_before_the_end_of_their_flow() {
    let mut pair = Pair::new(StreamLimits::default());
    let id = pair.open(EVEN, DATAGRAMS);
    for _ in 0..10 {
        pair.sides[EVEN].send_datagram(id, &[1; 1000]).unwrap();
    }
    pair.sides[EVEN].finish(id);
    assert_eq!(
        pair.sides[EVEN].send_datagram(id, &[1]),
        Err(SendDatagramError::Finished)
    );
    while pair.transmit(EVEN, PACKET) {}
    let has_end = |packet: &Packet| {
        Frames::new(&packet.octets).any(|frame| matches!(frame, Ok(Frame::Stream(_))))
    };
    let ends: Vec<_> = pair.flight[EVEN].iter().map(has_end).collect();
    assert_eq!(ends.iter().position(|end| *end), Some(ends.len() - 1));
    pair.settle();
    assert_eq!(
        std::iter::from_fn(|| pair.sides[ODD].recv_datagram(id)).count(),
        10
    );
    assert_eq!(pair.read(ODD, id).1, ReadError::Finished);
    finish_unread(&mut pair, id, ODD);
    pair.assert_nothing_is_left();
}

// R9.14, R9.17
#[test]
fn a_stopped_flow_drops_what_waits_and_what_comes() {
    let mut pair = Pair::new(StreamLimits::default());
    let id = pair.open(EVEN, DATAGRAMS);
    pair.sides[EVEN].send_datagram(id, &[1; 1000]).unwrap();
    pair.settle();
    pair.sides[EVEN].send_datagram(id, &[1; 1000]).unwrap();
    assert!(pair.transmit(EVEN, PACKET));
    pair.sides[EVEN].send_datagram(id, &[1; 1000]).unwrap();
    pair.sides[ODD].stop(id, 9);
    pair.deliver(EVEN, 0).unwrap();
    assert_eq!(pair.sides[ODD].recv_datagram(id), None);
    assert!(pair.transmit(ODD, PACKET));
    pair.arrive(ODD);
    assert!(pair.sides[EVEN].outgoing_datagrams.is_unused());
    assert_eq!(
        pair.sides[EVEN].send_datagram(id, &[1]),
        Err(SendDatagramError::Stopped(9))
    );
    pair.settle();
    finish_unread(&mut pair, id, ODD);
    pair.assert_nothing_is_left();
}

#[test]
fn with_the_association_everything_ends_but_what_arrived_stays_readable() {
    let limits = StreamLimits {
        send_buffer_initial: 100,
        send_buffer_max: 100,
        ..StreamLimits::default()
    };
    let mut pair = Pair::new(limits);
    let [partly, finished, reset, idle] = [0; 4].map(|_| pair.open(EVEN, BYTES));
    let flow = pair.open(EVEN, DATAGRAMS);
    for id in [partly, finished, reset] {
        pair.sides[EVEN].write(id, b"some").unwrap();
        pair.sides[ODD].write(id, &[0; 100]).unwrap();
    }
    assert_eq!(
        pair.sides[ODD].write(partly, &[0]),
        Err(WriteError::Blocked)
    );
    pair.sides[EVEN].send_datagram(flow, b"message").unwrap();
    pair.sides[EVEN].finish(finished);
    pair.sides[EVEN].reset(reset, 7);
    while pair.transmit(EVEN, PACKET) {}
    pair.arrive(EVEN);
    pair.events(ODD);
    pair.end(ODD);
    pair.end(ODD);

    let ended = EndReason::TimedOut;
    let events = pair.events(ODD);
    assert_eq!(events.len(), 3, "{events:?}");
    for event in [
        StreamEvent::Readable(idle),
        StreamEvent::Readable(flow),
        StreamEvent::Writable(partly),
    ] {
        assert!(events.contains(&event));
    }
    assert_eq!(
        pair.read(ODD, partly),
        (b"some".to_vec(), ReadError::Ended(ended.clone()))
    );
    assert_eq!(
        pair.read(ODD, finished),
        (b"some".to_vec(), ReadError::Finished)
    );
    assert_eq!(pair.read(ODD, reset), (vec![], ReadError::Reset(7)));
    assert_eq!(
        pair.read(ODD, idle),
        (vec![], ReadError::Ended(ended.clone()))
    );
    assert_eq!(
        pair.sides[ODD].recv_datagram(flow),
        Some(b"message"[..].into())
    );
    assert_eq!(
        pair.sides[ODD].write(idle, b"x"),
        Err(WriteError::Ended(ended.clone()))
    );
    assert_eq!(
        pair.sides[ODD].send_datagram(flow, b"x"),
        Err(SendDatagramError::Ended(ended))
    );
    assert_eq!(
        pair.sides[ODD].open(BYTES, &"test".parse().unwrap()),
        Err(OpenError::Closed)
    );
    pair.sides[ODD].finish(idle);
    pair.sides[ODD].reset(idle, 1);
    pair.sides[ODD].stop(idle, 1);
    assert!(!pair.transmit(ODD, PACKET));
    assert_eq!(pair.sides[ODD].send_memory.used(), 0);
    assert_eq!(pair.events(ODD), []);
}
