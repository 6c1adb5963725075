use std::fmt;
use std::ops::RangeInclusive;
use std::time::Duration;

use super::{FrameError, kind};
use crate::cid::CidSequence;
use crate::codec::{Reader, Writer, varint_len};
use crate::packet::PACKET_NUMBER_MAX;

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
        let AckRanges {
            largest,
            first_range,
            count,
            ..
        } = self.ranges;
        let start = 1
            + varint_len(self.sequence.0.into())
            + varint_len(largest)
            + varint_len(micros(self.delay));
        let mut below = largest - first_range;
        let pairs = self.ranges.iter().skip(1).filter_map(|range| {
            let (gap, length) = pair(below, &range)?;
            below = *range.start();
            Some(varint_len(gap) + varint_len(length))
        });
        start + varint_len(count as u64) + varint_len(first_range) + pairs.sum::<usize>()
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
/// is none. Ranges end where they are not in that order, are empty, or exceed [`PACKET_NUMBER_MAX`].
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

/// How a range below one that begins at `below` is written: the numbers missing between them, and its own, each less
/// one. `None` where nothing is missing, so that the two should be one.
fn pair(below: u64, range: &RangeInclusive<u64>) -> Option<(u64, u64)> {
    let (end, start) = bounds(range)?;
    let gap = below.checked_sub(end)?.checked_sub(2)?;
    Some((gap, end - start))
}

/// Last and first number of a range that an ACK can hold.
fn bounds(range: &RangeInclusive<u64>) -> Option<(u64, u64)> {
    let (start, end) = (*range.start(), *range.end());
    (start <= end && end <= PACKET_NUMBER_MAX).then_some((end, start))
}

/// The packet numbers of an ACK: checked when it was parsed, decoded when they are iterated. There is at least one.
#[derive(Clone, Copy)]
pub struct AckRanges<'a> {
    largest: u64,
    first_range: u64,
    /// Ranges after the first.
    count: usize,
    /// `count` pairs of variable-length integers.
    pairs: &'a [u8],
}

impl<'a> AckRanges<'a> {
    fn parse(largest: u64, reader: &mut Reader<'a>) -> Result<Self, FrameError> {
        let count = reader.varint()?;
        let count = match usize::try_from(count) {
            Ok(count @ ..ACK_RANGES_MAX) => count,
            _ => return Err(FrameError::TooManyAckRanges { count }),
        };
        let first_range = reader.varint()?;
        let mut smallest = descend(largest, first_range)?;
        let start = reader.clone();
        for _ in 0..count {
            smallest = *next_range(smallest, reader)?.start();
        }
        Ok(Self {
            largest,
            first_range,
            count,
            pairs: reader.taken_since(&start),
        })
    }

    /// The largest packet number.
    #[must_use]
    pub const fn largest(&self) -> u64 {
        self.largest
    }

    /// How many ranges there are: 1 to [`ACK_RANGES_MAX`].
    #[must_use]
    pub const fn len(&self) -> usize {
        self.count + 1
    }

    /// The ranges, from the largest numbers down. No two touch.
    #[must_use]
    pub const fn iter(&self) -> AckRangesIter<'a> {
        // The first range was checked not to reach below 0.
        let first = self.largest.saturating_sub(self.first_range)..=self.largest;
        AckRangesIter {
            next: Some(first),
            reader: Reader::new(self.pairs),
        }
    }
}

impl<'a> IntoIterator for AckRanges<'a> {
    type Item = RangeInclusive<u64>;
    type IntoIter = AckRangesIter<'a>;

    fn into_iter(self) -> AckRangesIter<'a> {
        self.iter()
    }
}

/// Equal numbers are equal, in however many octets they were written.
impl PartialEq for AckRanges<'_> {
    fn eq(&self, other: &Self) -> bool {
        self.iter().eq(other.iter())
    }
}

impl Eq for AckRanges<'_> {}

impl fmt::Debug for AckRanges<'_> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_list().entries(self.iter()).finish()
    }
}

/// Ranges of [`AckRanges`], from the largest numbers down.
#[derive(Clone, Debug)]
pub struct AckRangesIter<'a> {
    next: Option<RangeInclusive<u64>>,
    reader: Reader<'a>,
}

impl Iterator for AckRangesIter<'_> {
    type Item = RangeInclusive<u64>;

    fn next(&mut self) -> Option<RangeInclusive<u64>> {
        let range = self.next.take()?;
        // All of them were read once already, so an error means the end.
        self.next = next_range(*range.start(), &mut self.reader).ok();
        Some(range)
    }
}

/// The range below one that begins at `smallest`.
fn next_range(smallest: u64, reader: &mut Reader<'_>) -> Result<RangeInclusive<u64>, FrameError> {
    let gap = reader.varint()?;
    // RFC 9000, 19.3.1: largest = previous_smallest - gap - 2.
    let largest = descend(smallest, gap + 2)?;
    Ok(descend(largest, reader.varint()?)?..=largest)
}

fn descend(below: u64, length: u64) -> Result<u64, FrameError> {
    below
        .checked_sub(length)
        .ok_or(FrameError::AckRangeUnderflow { below, length })
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;
    use crate::frame::testing::{assert_golden, assert_round_trip, refusal};
    use crate::frame::{Frame, Frames};

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

    // L6, L7
    #[test]
    fn ranges_that_reach_below_zero_are_refused() {
        let cases: [(&[u8], u64, u64); 4] = [
            (&[0x02, 0, 5, 0, 0, 6], 5, 6),
            (&[0x02, 0, 5, 0, 1, 0, 4, 0], 5, 6),
            (&[0x02, 0, 5, 0, 1, 0, 2, 2], 1, 2),
            (
                &[
                    0x02, 0, 5, 0, 1, 0, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0,
                ],
                5,
                (1 << 62) + 1,
            ),
        ];
        for (bytes, below, length) in cases {
            assert_eq!(
                refusal(bytes),
                FrameError::AckRangeUnderflow { below, length }
            );
        }
        assert_eq!(
            parse(&[0x02, 0, 5, 0, 1, 0, 2, 1]).ranges.iter().last(),
            Some(0..=1)
        );
    }

    #[test]
    fn more_ranges_than_allowed_are_refused() {
        for (count, encoded) in [(64, vec![0x40, 64]), ((1 << 62) - 1, vec![0xff; 8])] {
            let bytes = [&[0x02, 0, 0x80, 0, 0xff, 0xff, 0], &encoded[..], &[0; 300]].concat();
            assert_eq!(refusal(&bytes), FrameError::TooManyAckRanges { count });
        }
    }

    #[test]
    fn the_same_numbers_in_more_octets_are_equal() {
        let long = [
            0x02, 0x03, 0x40, 0x64, 0x44, 0xd2, 0x02, 0x0a, 0x40, 0x00, 0x00, 0x01, 0x40, 0x55,
        ];
        assert_eq!(parse(&long), parse(&GOLDEN));
        assert_round_trip(Frame::Ack(parse(&long)));
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
