//! Octets and datagrams get through, fairly, and wait where they should.
#![expect(
    clippy::wildcard_enum_match_arm,
    reason = "whatever a test does not wait for fails it"
)]

use std::collections::BTreeMap;

use keyway_wire::{Frame, Frames, StreamId, StreamKind};

use super::link::{EVEN, ODD, PACKET, Pair, octets};
use super::{OpenError, ReadError, SendDatagramError, StreamEvent, StreamLimits, WriteError};
use crate::streams::stream::Stream;

const BYTES: StreamKind = StreamKind::Bytes;
const DATAGRAMS: StreamKind = StreamKind::Datagrams;

fn pair() -> Pair {
    Pair::new(StreamLimits::default())
}

/// The same, where what is guaranteed is in nobody's way.
fn ample_pair() -> Pair {
    Pair::new(StreamLimits {
        guaranteed: 1 << 20,
        ..StreamLimits::default()
    })
}

/// The stream frames of a packet: which stream, how many octets.
fn pieces(octets: &[u8]) -> Vec<(StreamId, usize)> {
    Frames::new(octets)
        .filter_map(|frame| match frame.unwrap() {
            Frame::Stream(frame) => Some((frame.stream, frame.data.len())),
            _ => None,
        })
        .collect()
}

// R9.3
#[test]
fn a_stream_is_announced_even_if_nothing_is_written() {
    let mut pair = pair();
    let id = pair.sides[ODD]
        .open(BYTES, &"ssh".parse().unwrap())
        .unwrap();
    assert!(pair.sides[ODD].has_control());
    pair.settle();
    let opened = StreamEvent::Opened {
        stream: id,
        kind: BYTES,
        service: "ssh".parse().unwrap(),
    };
    assert_eq!(pair.events(EVEN), [opened]);
    assert!(pair.sides[ODD].is_drained());
}

// R9.3
#[test]
fn octets_written_before_the_announcement_went_out_follow_it_in_the_same_packet() {
    let mut pair = pair();
    let id = pair.sides[EVEN]
        .open(BYTES, &"ssh".parse().unwrap())
        .unwrap();
    pair.sides[EVEN].write(id, b"hello").unwrap();
    assert!(!pair.sides[EVEN].has_data());
    assert!(pair.transmit(EVEN, PACKET));
    assert!(!pair.transmit(EVEN, PACKET));
    pair.arrive(EVEN);
    assert_eq!(pair.events(ODD).len(), 2);
    assert_eq!(pair.read(ODD, id), (b"hello".to_vec(), ReadError::Blocked));
}

// R9.3
#[test]
fn octets_that_overtake_the_announcement_are_kept_for_it() {
    let mut pair = pair();
    let id = pair.sides[EVEN]
        .open(BYTES, &"ssh".parse().unwrap())
        .unwrap();
    assert!(pair.transmit(EVEN, PACKET));
    pair.sides[EVEN].write(id, b"hello").unwrap();
    assert!(pair.transmit(EVEN, PACKET));
    pair.deliver(EVEN, 1).unwrap();
    assert_eq!(pair.events(ODD), []);
    pair.deliver(EVEN, 0).unwrap();
    let opened = StreamEvent::Opened {
        stream: id,
        kind: BYTES,
        service: "ssh".parse().unwrap(),
    };
    assert_eq!(pair.events(ODD), [opened, StreamEvent::Readable(id)]);
    assert_eq!(pair.read(ODD, id).0, b"hello");
}

#[test]
fn readable_is_said_once_until_a_read_is_blocked() {
    let mut pair = pair();
    let id = pair.open(EVEN, BYTES);
    for _ in 0..3 {
        pair.sides[EVEN].write(id, b"ab").unwrap();
        pair.settle();
    }
    assert_eq!(pair.events(ODD), [StreamEvent::Readable(id)]);
    assert_eq!(pair.sides[ODD].read(id, &mut [0; 6]), Ok(6));
    pair.sides[EVEN].write(id, b"ab").unwrap();
    pair.settle();
    assert_eq!(pair.events(ODD), []);
    assert_eq!(pair.read(ODD, id), (b"ab".to_vec(), ReadError::Blocked));
    pair.sides[EVEN].write(id, b"ab").unwrap();
    pair.settle();
    assert_eq!(pair.events(ODD), [StreamEvent::Readable(id)]);
}

#[test]
fn a_read_without_room_takes_nothing() {
    let mut pair = pair();
    let id = pair.open(EVEN, BYTES);
    assert_eq!(pair.sides[ODD].read(id, &mut []), Err(ReadError::Blocked));
    pair.sides[EVEN].write(id, b"ab").unwrap();
    pair.settle();
    assert_eq!(pair.sides[ODD].read(id, &mut []), Ok(0));
    assert_eq!(pair.read(ODD, id).0, b"ab");
    assert_eq!(pair.sides[EVEN].write(id, &[]), Ok(0));
}

/// Whoever acts only on events must get everything through, however small windows, buffers and memory are.
#[test]
fn nobody_waits_for_ever_for_room() {
    let limits = StreamLimits {
        stream_window_initial: 700,
        stream_window_max: 1400,
        window_initial: 1000,
        window_max: 2000,
        send_buffer_initial: 900,
        send_buffer_max: 3000,
        send_buffers_max: 2500,
        ..StreamLimits::default()
    };
    let mut pair = Pair::new(limits);
    let mut writers: BTreeMap<_, u64> = (0..8).map(|_| (pair.open(EVEN, BYTES), 0)).collect();
    let mut readers: BTreeMap<_, u64> = writers.clone();
    let (mut may_write, mut may_read): (Vec<_>, Vec<StreamId>) =
        (writers.keys().copied().collect(), Vec::new());
    const TOTAL: u64 = 10_000;
    while readers.values().any(|read| *read < TOTAL) {
        assert!(
            !may_write.is_empty() || !may_read.is_empty(),
            "nobody is woken, and something is missing"
        );
        for id in std::mem::take(&mut may_write) {
            let written = writers.get_mut(&id).unwrap();
            while *written < TOTAL {
                let data = octets(
                    id,
                    EVEN,
                    *written,
                    usize::try_from(TOTAL - *written).unwrap().min(330),
                );
                match pair.sides[EVEN].write(id, &data) {
                    Ok(count) => *written += count as u64,
                    Err(error) => {
                        assert_eq!(error, WriteError::Blocked);
                        break;
                    }
                }
            }
        }
        for id in std::mem::take(&mut may_read) {
            let (data, error) = pair.read(ODD, id);
            let read = readers.get_mut(&id).unwrap();
            assert_eq!(
                (&data, error),
                (&octets(id, EVEN, *read, data.len()), ReadError::Blocked)
            );
            *read += data.len() as u64;
        }
        pair.settle();
        may_write.extend(pair.events(EVEN).into_iter().map(|event| match event {
            StreamEvent::Writable(id) => id,
            event => panic!("{event:?}"),
        }));
        may_read.extend(pair.events(ODD).into_iter().map(|event| match event {
            StreamEvent::Readable(id) => id,
            event => panic!("{event:?}"),
        }));
    }
}

// L8: the peer never acknowledges.
#[test]
fn what_is_not_acknowledged_is_bounded() {
    let limits = StreamLimits {
        send_buffer_initial: 1000,
        send_buffer_max: 4000,
        ..StreamLimits::default()
    };
    let mut pair = Pair::new(limits);
    let id = pair.open(EVEN, BYTES);
    let mut written = 0;
    for _ in 0..10 {
        while let Ok(count) = pair.sides[EVEN].write(id, &[1; 300]) {
            written += count;
        }
        while pair.transmit(EVEN, 600) {}
    }
    assert_eq!(written, 4000, "doubled as long as all of it was in flight");
    assert_eq!(pair.sides[EVEN].write(id, &[1]), Err(WriteError::Blocked));
    pair.events(EVEN);
    pair.deliver(EVEN, 0).unwrap();
    pair.ack(EVEN, 0);
    assert_eq!(
        pair.events(EVEN),
        [],
        "woken for a quarter of the buffer, not for less"
    );
    pair.settle();
    assert_eq!(pair.events(EVEN), [StreamEvent::Writable(id)]);
}

// L1
#[test]
fn a_stream_that_is_not_read_holds_no_other_back() {
    let limits = StreamLimits {
        window_max: 64 << 20,
        ..StreamLimits::default()
    };
    let mut pair = Pair::new(limits);
    let stalled: Vec<_> = (0..3).map(|_| pair.open(EVEN, BYTES)).collect();
    let live = pair.open(EVEN, BYTES);
    for id in &stalled {
        while pair.sides[EVEN].write(*id, &[0; 65_536]).is_ok() {
            pair.settle();
        }
    }
    for _ in 0..10 {
        assert_eq!(pair.sides[EVEN].write(live, &[1; 300_000]), Ok(300_000));
        pair.settle();
        assert_eq!(pair.read(ODD, live).0.len(), 300_000);
    }
    let unread =
        pair.sides[ODD].receive_credit.received() - pair.sides[ODD].receive_credit.consumed();
    assert_eq!(
        unread,
        3 << 20,
        "each stalled stream is held to its own window"
    );
    let (mut writable, mut read) = (true, 0);
    while std::mem::take(&mut writable) {
        read += pair.read(ODD, stalled[0]).0.len();
        pair.settle();
        writable = pair
            .events(EVEN)
            .contains(&StreamEvent::Writable(stalled[0]));
    }
    assert!(read > 1 << 20);
}

#[test]
fn streams_that_have_much_to_send_take_turns() {
    let mut pair = ample_pair();
    let ids: Vec<_> = (0..5).map(|_| pair.open(EVEN, BYTES)).collect();
    for id in &ids {
        pair.sides[EVEN].write(*id, &[0; 200_000]).unwrap();
    }
    let late = pair.open_unsettled(EVEN);
    for _ in 0..20 {
        assert!(pair.transmit(EVEN, PACKET));
    }
    pair.sides[EVEN].write(late, b"urgent").unwrap();
    let mut sent: BTreeMap<StreamId, usize> = BTreeMap::new();
    while !sent.contains_key(&late) {
        assert!(pair.transmit(EVEN, PACKET));
        for (id, octets) in pieces(&pair.flight[EVEN].last().unwrap().octets) {
            *sent.entry(id).or_default() += octets;
        }
    }
    assert_eq!(sent[&late], 6);
    assert!(ids.iter().all(|id| sent[id] <= 2 * 4096), "{sent:?}");
}

#[test]
fn what_was_lost_goes_first() {
    let mut pair = pair();
    let [first, second] = [0; 2].map(|_| pair.open(EVEN, BYTES));
    pair.sides[EVEN].write(first, &[0; 3000]).unwrap();
    while pair.transmit(EVEN, PACKET) {}
    pair.sides[EVEN].write(second, &[0; 3000]).unwrap();
    pair.lose(EVEN, 0);
    assert!(pair.transmit(EVEN, PACKET));
    let ids: Vec<_> = pieces(&pair.flight[EVEN].last().unwrap().octets)
        .into_iter()
        .map(|(id, _)| id)
        .collect();
    assert_eq!(ids[0], first);
}

// T4
#[test]
fn thousands_of_short_streams_follow_each_other() {
    let mut pair = pair();
    let (mut opened, mut finished, mut waits) = (0, 0, false);
    while finished < 2_500 {
        while opened < 2_500 && !waits {
            match pair.sides[EVEN].open(BYTES, &"echo".parse().unwrap()) {
                Ok(id) => {
                    opened += 1;
                    assert_eq!(pair.sides[EVEN].write(id, &octets(id, EVEN, 0, 32)), Ok(32));
                    pair.sides[EVEN].finish(id);
                }
                Err(error) => {
                    assert_eq!(error, OpenError::LimitReached);
                    waits = true;
                }
            }
        }
        pair.settle();
        for event in pair.events(ODD) {
            if let StreamEvent::Readable(id) = event {
                assert_eq!(
                    pair.read(ODD, id),
                    (octets(id, EVEN, 0, 32), ReadError::Finished)
                );
                pair.sides[ODD].finish(id);
            }
        }
        for event in pair.events(EVEN) {
            match event {
                StreamEvent::Readable(id) => {
                    assert_eq!(pair.read(EVEN, id), (vec![], ReadError::Finished));
                    finished += 1;
                }
                StreamEvent::StreamsAvailable => waits = false,
                StreamEvent::Delivered(_) => {}
                event => panic!("{event:?}"),
            }
        }
        assert!(pair.sides[EVEN].table.len() <= 1_000);
    }
    pair.settle();
    pair.assert_nothing_is_left();
}

#[test]
fn an_idle_stream_holds_no_buffer() {
    assert!(size_of::<Stream>() <= 640, "{}", size_of::<Stream>());
    let mut pair = pair();
    let id = pair.open(EVEN, BYTES);
    for side in [EVEN, ODD] {
        pair.sides[side].write(id, &[1; 100_000]).unwrap();
        pair.settle();
        assert_eq!(pair.read(1 - side, id).0.len(), 100_000);
    }
    for streams in &mut pair.sides {
        streams.rest();
        let stream = streams.table.get(id).unwrap();
        assert_eq!((stream.send.memory(), stream.receive.memory()), (0, 0));
    }
}

#[test]
fn a_window_grows_for_a_fast_reader_and_not_for_a_slow_one() {
    for (delay, grows) in [(0, true), (200, false)] {
        let mut pair = pair();
        let id = pair.open(EVEN, BYTES);
        for _ in 0..12 {
            while pair.sides[EVEN].write(id, &[0; 65_536]).is_ok() {
                pair.settle();
            }
            pair.now += std::time::Duration::from_millis(delay);
            pair.read(ODD, id);
            pair.settle();
        }
        let window = pair.sides[ODD].table.get(id).unwrap().receive.window();
        assert_eq!(window > 1 << 20, grows, "{window}");
        assert!(window <= 16 << 20);
    }
}

// T6, R9.15
#[test]
fn datagrams_arrive_whole_and_are_not_sent_again() {
    let mut pair = pair();
    let id = pair.open(EVEN, DATAGRAMS);
    for index in 0u8..10 {
        pair.sides[EVEN]
            .send_datagram(id, &vec![index; usize::from(index) * 100])
            .unwrap();
    }
    while pair.transmit(EVEN, PACKET) {}
    assert!(pair.flight[EVEN].len() > 3);
    pair.lose(EVEN, 1);
    assert!(!pair.transmit(EVEN, PACKET), "a lost datagram is lost");
    pair.arrive(EVEN);
    assert_eq!(pair.events(ODD), [StreamEvent::DatagramReceived(id)]);
    let received: Vec<_> = std::iter::from_fn(|| pair.sides[ODD].recv_datagram(id)).collect();
    assert!(received.len() < 10);
    assert!(received.iter().all(|data| {
        data.iter()
            .all(|octet| usize::from(*octet) * 100 == data.len())
    }));
    assert!(received.is_sorted());
    pair.sides[EVEN].send_datagram(id, b"more").unwrap();
    pair.settle();
    assert_eq!(pair.events(ODD), [StreamEvent::DatagramReceived(id)]);
}

// T6, R9.16
#[test]
fn a_datagram_that_fits_no_packet_is_refused_with_what_would_fit() {
    let mut pair = pair();
    let (flow, stream) = (pair.open(EVEN, DATAGRAMS), pair.open(EVEN, BYTES));
    let max = pair.sides[EVEN].max_datagram();
    assert_eq!(max, PACKET - 11);
    let too_large = vec![0; max + 1];
    assert_eq!(
        pair.sides[EVEN].send_datagram(flow, &too_large),
        Err(SendDatagramError::TooLarge { max })
    );
    assert_eq!(
        pair.sides[EVEN].send_datagram(stream, b"x"),
        Err(SendDatagramError::WrongKind)
    );
    assert_eq!(
        pair.sides[EVEN].send_datagram(StreamId::new(98).unwrap(), b"x"),
        Err(SendDatagramError::Unknown)
    );
    pair.sides[EVEN]
        .send_datagram(flow, &too_large[..max])
        .unwrap();
    pair.settle();
    assert_eq!(pair.sides[ODD].recv_datagram(flow).unwrap().len(), max);
}

#[test]
fn a_datagram_that_the_path_became_too_small_for_is_lost_and_blocks_no_other() {
    let mut pair = pair();
    let id = pair.open(EVEN, DATAGRAMS);
    pair.sides[EVEN].send_datagram(id, &[1; 1000]).unwrap();
    pair.sides[EVEN].send_datagram(id, &[2; 500]).unwrap();
    pair.sides[EVEN].set_packet_room(600);
    while pair.transmit(EVEN, 600) {}
    pair.arrive(EVEN);
    assert_eq!(pair.sides[ODD].recv_datagram(id), Some(vec![2; 500].into()));
    assert!(pair.sides[EVEN].is_drained());
}

#[test]
fn a_full_queue_of_datagrams_says_when_there_is_room() {
    let limits = StreamLimits {
        datagram_queue_max: 20_000,
        ..StreamLimits::default()
    };
    let mut pair = Pair::new(limits);
    let id = pair.open(EVEN, DATAGRAMS);
    while pair.sides[EVEN].send_datagram(id, &[0; 936]).is_ok() {}
    assert_eq!(
        pair.sides[EVEN].send_datagram(id, &[0; 936]),
        Err(SendDatagramError::QueueFull)
    );
    pair.settle();
    assert_eq!(pair.events(EVEN), [StreamEvent::DatagramsUnblocked]);
    pair.sides[EVEN].send_datagram(id, &[0; 936]).unwrap();
}

#[test]
fn datagrams_and_streams_share_the_packets() {
    let mut pair = pair();
    let (flow, stream) = (pair.open(EVEN, DATAGRAMS), pair.open(EVEN, BYTES));
    pair.sides[EVEN].write(stream, &[0; 500_000]).unwrap();
    for _ in 0..100 {
        pair.sides[EVEN].send_datagram(flow, &[0; 1000]).unwrap();
    }
    for _ in 0..20 {
        assert!(pair.transmit(EVEN, PACKET));
    }
    let with_datagram = pair.flight[EVEN].iter().filter(|packet| {
        Frames::new(&packet.octets).any(|frame| matches!(frame, Ok(Frame::Datagram(_))))
    });
    assert_eq!(with_datagram.count(), 10);
}

#[test]
fn packets_are_filled_to_the_last_octet() {
    let mut pair = ample_pair();
    let id = pair.open(EVEN, BYTES);
    pair.sides[EVEN].write(id, &[0; 500_000]).unwrap();
    for room in (100..1400).step_by(3) {
        assert!(pair.transmit(EVEN, room));
        assert_eq!(pair.flight[EVEN].last().unwrap().octets.len(), room);
    }
}
