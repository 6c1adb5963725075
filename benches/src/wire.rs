//! What does it cost to read and to write packets and frames, beside sealing and sending them?
//!
//! Unit: time for one packet (or one frame), also as octets per second. Of the 260 ns that a packet of 1,452 octets may
//! cost beside its cipher and its system call, when the sender is to reach 70 % of what both allow, headers and frames
//! should take less than a tenth.

use std::hint::black_box;
use std::time::Duration;

use keyway_wire::{
    AckFrame, Cid, CidSequence, DATA_HEADER_LEN, DataHeader, Frame, Frames, Packet, Slot,
    StreamFrame, StreamId, TAG_LEN, emit_ack,
};

use crate::{Amount, Meter};

/// Octets of the packets that most paths of the internet carry.
const PACKET_LEN: usize = 1_452;

fn header() -> DataHeader {
    let cid = Cid::new([0, 1, 2, 3, 4, 5, 6]);
    DataHeader {
        slot: Slot::ALL[1],
        phase: true,
        cid,
        number: 123_456_789,
    }
}

/// Bulk transfer: a packet full of one stream.
pub(crate) fn bulk(meter: &mut impl Meter) {
    let data = [0x5a; PACKET_LEN];
    let mut packet = [0; PACKET_LEN];
    let stream = StreamId::new(4).unwrap_or_else(|| unreachable!("4 is below 2^62"));
    let offset = 123_456_789;
    let room =
        PACKET_LEN - DATA_HEADER_LEN - TAG_LEN - StreamFrame::header_len(stream, offset, None);
    let frame = StreamFrame {
        stream,
        offset,
        fin: false,
        data: &data[..room],
    };
    let emit = |packet: &mut [u8]| {
        let start = black_box(header()).emit(packet);
        start + black_box(frame).emit_to_end(&mut packet[start..])
    };
    assert_eq!(emit(&mut packet), PACKET_LEN - TAG_LEN);
    let amount = Amount::Octets(PACKET_LEN);
    meter.measure("wire/bulk/parse", amount, || {
        let header = Packet::parse(black_box(&packet));
        let frames = Frames::new(black_box(&packet[DATA_HEADER_LEN..PACKET_LEN - TAG_LEN]));
        (header, frames.last())
    });
    meter.measure("wire/bulk/emit", amount, || emit(black_box(&mut packet)));
}

/// Many small messages: a packet of 30 frames.
pub(crate) fn small_frames(meter: &mut impl Meter) {
    const FRAMES: u32 = 30;
    let frames: Vec<_> = (0..FRAMES)
        .filter_map(|index| StreamId::new(index.into()))
        .map(|stream| {
            Frame::Stream(StreamFrame {
                stream,
                offset: 70_000,
                fin: true,
                data: &[0x5a; 32],
            })
        })
        .collect();
    let mut payload = [0; PACKET_LEN];
    let emit = |payload: &mut [u8]| {
        frames.iter().fold(0, |written, frame| {
            written + frame.emit(&mut payload[written..])
        })
    };
    let len = emit(&mut payload);
    assert_eq!(
        Frames::new(&payload[..len]).filter_map(Result::ok).count(),
        frames.len()
    );
    let amount = Amount::Items(frames.len());
    meter.measure("wire/small frames/parse", amount, || {
        Frames::new(black_box(&payload[..len]))
            .filter_map(Result::ok)
            .map(|frame| frame.len())
            .sum::<usize>()
    });
    meter.measure("wire/small frames/emit", amount, || {
        emit(black_box(&mut payload))
    });
}

/// ACKs: one range, as on a clean path, and 64, the most that there may be.
pub(crate) fn acks(meter: &mut impl Meter) {
    for count in [1, 64] {
        let ranges = (0..count as u64)
            .map(|index| 5_000_000 - index * 100)
            .map(|end| end - 90..=end);
        let emit = |out: &mut [u8]| {
            emit_ack(
                out,
                CidSequence(7),
                Duration::from_micros(900),
                black_box(ranges.clone()),
            )
        };
        let mut payload = [0; AckFrame::LEN_MAX];
        let len = emit(&mut payload);
        let amount = Amount::Items(count);
        let parse = format!("wire/ack/parse and iterate, ranges {count}");
        meter.measure(&parse, amount, || {
            match Frames::new(black_box(&payload[..len])).next() {
                Some(Ok(Frame::Ack(ack))) => ack
                    .ranges
                    .iter()
                    .map(|range| range.end() - range.start())
                    .sum::<u64>(),
                other => unreachable!("{other:?} instead of the ACK that was written"),
            }
        });
        meter.measure(&format!("wire/ack/emit, ranges {count}"), amount, || {
            emit(black_box(&mut payload))
        });
    }
}
