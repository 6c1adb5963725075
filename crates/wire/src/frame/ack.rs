use std::ops::RangeInclusive;
use std::time::Duration;

use super::ack_ranges::{AckRanges, bounds, pair};
use super::{FrameError, kind};
use crate::cid::CidSequence;
use crate::codec::{Reader, Writer, varint_len};

/// Ranges that one ACK holds at most.
///
/// Chosen because 64 gaps within what is in flight mean a path that no list of gaps repairs, and because their count then
/// takes one octet.
pub const ACK_RANGES_MAX: usize = 64;

/// ACK: which packets of one number space arrived. RFC 9000, 19.3, with the number space named, and the delay in plain
/// microseconds.
///
/// | octets | field       | meaning                                                            |
/// |--------|-------------|--------------------------------------------------------------------|
/// | 0      | kind        | 0x02                                                               |
/// | varint | sequence    | issue sequence of the CID under which the packets arrived          |
/// | varint | largest     | largest packet number that arrived                                 |
/// | varint | delay       | microseconds that it waited before this was sent                   |
/// | varint | count       | ranges after the first, at most 63                                 |
/// | varint | first_range | numbers directly below `largest` that arrived as well              |
/// | count × |            |                                                                    |
/// | varint | gap         | numbers that are missing below the range before, less one          |
/// | varint | range       | numbers of the range below that gap, less one                      |
///
/// ```
/// use std::time::Duration;
///
/// use keyway_wire::{CidSequence, Frame, Frames, emit_ack};
///
/// let mut out = [0; 64];
/// let length = emit_ack(&mut out, CidSequence(3), Duration::from_micros(1_234), [90..=100, 88..=88]);
/// let Some(Ok(Frame::Ack(ack))) = Frames::new(&out[..length]).next() else { panic!() };
/// assert_eq!((ack.sequence, ack.ranges.largest()), (CidSequence(3), 100));
/// ```
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct AckFrame<'a> {
    /// Issue sequence of the CID under which the packets arrived: the receiver of this frame sent them there.
    pub sequence: CidSequence,
    /// How long the largest waited before this was sent, in whole microseconds.
    pub delay: Duration,
    /// The packet numbers.
    pub ranges: AckRanges<'a>,
}

impl<'a> AckFrame<'a> {
    /// Octets of the largest.
    pub const LEN_MAX: usize = 1 + 8 + 8 + 8 + 1 + 8 + (ACK_RANGES_MAX - 1) * 16;

    pub(super) fn parse(reader: &mut Reader<'a>) -> Result<Self, FrameError> {
        let sequence = reader.cid_sequence()?;
        let largest = reader.varint()?;
        let delay = Duration::from_micros(reader.varint()?);
        Ok(Self {
            sequence,
            delay,
            ranges: AckRanges::parse(largest, reader)?,
        })
    }

    /// Octets that [`AckFrame::emit`] writes.
    #[must_use]
    pub fn len(&self) -> usize {
        let start = 1
            + varint_len(self.sequence.0.into())
            + varint_len(self.ranges.largest())
            + varint_len(micros(self.delay));
        start + self.ranges.encoded_len()
    }

    /// Writes the frame and returns its length. [`emit_ack`] writes one from ranges that were not parsed.
    ///
    /// # Panics
    ///
    /// If `out` is shorter than [`AckFrame::len`].
    pub fn emit(&self, out: &mut [u8]) -> usize {
        let len = self.len();
        assert!(
            out.len() >= len,
            "an ACK of {len} octets does not fit into {}",
            out.len()
        );
        emit_ack(out, self.sequence, self.delay, self.ranges)
    }
}

fn micros(delay: Duration) -> u64 {
    u64::try_from(delay.as_micros()).unwrap_or(u64::MAX)
}

/// Writes an ACK and returns its length.
///
/// `ranges` are the packet numbers that arrived, from the largest down, at least one missing number between two of them.
/// As many as fit into `out` are written, at most [`ACK_RANGES_MAX`]; 0 is returned where not even the first fits or there
/// is none. Ranges end where they are not in that order, are empty, or exceed [`crate::PACKET_NUMBER_MAX`].
pub fn emit_ack(
    out: &mut [u8],
    sequence: CidSequence,
    delay: Duration,
    ranges: impl IntoIterator<Item = RangeInclusive<u64>>,
) -> usize {
    let mut ranges = ranges.into_iter().take(ACK_RANGES_MAX);
    let Some((largest, mut below)) = ranges.next().and_then(|first| bounds(&first)) else {
        return 0;
    };
    let (sequence, delay, first_range) = (sequence.0.into(), micros(delay), largest - below);
    let count_at = 1 + varint_len(sequence) + varint_len(largest) + varint_len(delay);
    if out.len() < count_at + 1 + varint_len(first_range) {
        return 0;
    }
    let mut writer = Writer::new(out);
    writer
        .octet(kind::ACK)
        .varint(sequence)
        .varint(largest)
        .varint(delay)
        .octet(0)
        .varint(first_range);
    let mut count = 0;
    for range in ranges {
        let Some((gap, length)) = pair(below, &range) else {
            break;
        };
        if writer.remaining() < varint_len(gap) + varint_len(length) {
            break;
        }
        writer.varint(gap).varint(length);
        below = *range.start();
        count += 1;
    }
    // The count takes one octet, since it is below 64.
    writer.overwrite(count_at, count).finish()
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;
    use crate::frame::testing::{assert_golden, assert_round_trip};
    use crate::frame::{Frame, Frames};
    use crate::packet::PACKET_NUMBER_MAX;

    const GOLDEN: [u8; 13] = [
        0x02, // ACK
        0x03, // CID sequence 3
        0x40, 0x64, // largest 100
        0x44, 0xd2, // 1234 microseconds
        0x02, // two more ranges
        0x0a, // 90..=100
        0x00, 0x00, // 88
        0x01, 0x40, 0x55, // 0..=85
    ];

    fn parse(bytes: &[u8]) -> AckFrame<'_> {
        match Frames::new(bytes).next() {
            Some(Ok(Frame::Ack(frame))) => frame,
            other => panic!("{other:?}"),
        }
    }

    fn emit(room: usize, ranges: &[RangeInclusive<u64>]) -> Vec<u8> {
        let mut out = vec![0xa5; room];
        let len = emit_ack(
            &mut out,
            CidSequence(3),
            Duration::from_micros(1_234),
            ranges.iter().cloned(),
        );
        assert!(out[len..].iter().all(|octet| *octet == 0xa5));
        out.truncate(len);
        out
    }

    #[test]
    fn golden_bytes() {
        let frame = parse(&GOLDEN);
        assert_eq!(frame.sequence, CidSequence(3));
        assert_eq!(frame.delay, Duration::from_micros(1_234));
        assert_eq!(frame.ranges.largest(), 100);
        assert_eq!(frame.ranges.len(), 3);
        assert_eq!(
            frame.ranges.iter().collect::<Vec<_>>(),
            [90..=100, 88..=88, 0..=85]
        );
        assert_golden(Frame::Ack(frame), &GOLDEN);
        assert_eq!(emit(20, &[90..=100, 88..=88, 0..=85]), GOLDEN);
    }

    #[test]
    fn ranges_that_do_not_fit_are_left_out_from_the_end() {
        let ranges = [90..=100, 88..=88, 0..=85];
        for (room, kept) in [(7, 0), (8, 1), (9, 1), (10, 2), (12, 2), (13, 3), (40, 3)] {
            let bytes = emit(room, &ranges);
            if kept == 0 {
                assert!(bytes.is_empty(), "{room}");
            } else {
                assert_eq!(
                    parse(&bytes).ranges.iter().collect::<Vec<_>>(),
                    ranges[..kept],
                    "{room}"
                );
            }
        }
    }

    #[test]
    fn at_most_64_ranges_are_written() {
        let ranges: Vec<_> = (0..100u64)
            .rev()
            .map(|index| index * 2..=index * 2)
            .collect();
        assert_eq!(
            parse(&emit(1_200, &ranges))
                .ranges
                .iter()
                .collect::<Vec<_>>(),
            ranges[..64]
        );
    }

    #[test]
    fn the_largest_is_no_longer_than_announced() {
        let step = PACKET_NUMBER_MAX / 130;
        let ranges: Vec<_> = (0..64)
            .map(|index| PACKET_NUMBER_MAX - index * 2 * step)
            .map(|end| end - step..=end)
            .collect();
        let mut out = [0; AckFrame::LEN_MAX];
        let len = emit_ack(
            &mut out,
            CidSequence(u32::MAX),
            Duration::MAX,
            ranges.iter().cloned(),
        );
        assert_eq!(len, AckFrame::LEN_MAX);
        assert_eq!(parse(&out).ranges.iter().collect::<Vec<_>>(), ranges);
        assert_eq!(parse(&out).delay, Duration::from_micros((1 << 62) - 1));
    }

    // L6
    #[test]
    fn ranges_that_are_out_of_order_end_the_frame() {
        #[expect(
            clippy::reversed_empty_ranges,
            reason = "an empty range is what is tested"
        )]
        let empty = 5..=4;
        for wrong in [89..=95, 70..=89, 100..=200, empty, u64::MAX..=u64::MAX] {
            let bytes = emit(40, &[90..=100, wrong.clone(), 0..=1]);
            assert_eq!(
                parse(&bytes).ranges.iter().collect::<Vec<_>>(),
                [90..=100],
                "{wrong:?}"
            );
        }
    }

    // L6
    #[test]
    fn without_a_first_range_nothing_is_written() {
        assert!(emit(40, &[]).is_empty());
        #[expect(
            clippy::reversed_empty_ranges,
            reason = "an empty range is what is tested"
        )]
        let empty = 5..=4;
        for wrong in [
            empty,
            PACKET_NUMBER_MAX..=PACKET_NUMBER_MAX + 1,
            0..=u64::MAX,
        ] {
            assert!(emit(40, &[wrong]).is_empty());
        }
        let all = emit(40, &[0..=PACKET_NUMBER_MAX]);
        assert_eq!(
            parse(&all).ranges.iter().collect::<Vec<_>>(),
            [0..=PACKET_NUMBER_MAX]
        );
    }

    /// Descending ranges that do not touch, from distances between their ends.
    fn ranges(distances: &[(u64, u64)]) -> Vec<RangeInclusive<u64>> {
        let mut below = PACKET_NUMBER_MAX + 2;
        distances
            .iter()
            .map(|(gap, length)| {
                let end = below - 2 - gap;
                below = end - length;
                below..=end
            })
            .collect()
    }

    proptest! {
        #[test]
        fn what_is_written_is_read_back(
            sequence: u32, delay in 0u64..1 << 62,
            distances in proptest::collection::vec((0u64..1 << 54, 0u64..1 << 54), 1..=64),
        ) {
            let expected = ranges(&distances);
            let mut out = [0xa5; AckFrame::LEN_MAX];
            let (sequence, delay) = (CidSequence(sequence), Duration::from_micros(delay));
            let len = emit_ack(&mut out, sequence, delay, expected.iter().cloned());
            let frame = parse(&out[..len]);
            prop_assert_eq!((frame.sequence, frame.delay), (sequence, delay));
            prop_assert_eq!(frame.ranges.iter().collect::<Vec<_>>(), expected);
            assert_round_trip(Frame::Ack(frame));
        }

        // L6
        #[test]
        fn whatever_is_to_be_written_is_readable(
            bounds in proptest::collection::vec((any::<u64>(), any::<u64>()), 0..10), room in 0usize..80,
        ) {
            let mut out = vec![0; room];
            let ranges = bounds.iter().map(|(start, end)| *start..=*end);
            let len = emit_ack(&mut out, CidSequence(0), Duration::ZERO, ranges);
            if len > 0 {
                assert_round_trip(Frame::Ack(parse(&out[..len])));
            }
        }
    }
}
