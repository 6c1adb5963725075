use std::fmt;
use std::ops::RangeInclusive;

use super::FrameError;
use super::ack::ACK_RANGES_MAX;
use crate::codec::{Reader, varint_len};
use crate::packet::PACKET_NUMBER_MAX;

/// The packet numbers of an ACK: checked when it was parsed, decoded when they are iterated. There is at least one.
///
/// ```
/// use keyway_wire::{Frame, Frames};
///
/// // Sequence 3, largest 100, delay 0, one more range; 90 to 100, a gap, 88 alone.
/// let Some(Ok(Frame::Ack(ack))) = Frames::new(&[0x02, 3, 0x40, 100, 0, 1, 10, 0, 0]).next() else { panic!() };
/// assert_eq!(ack.ranges.iter().collect::<Vec<_>>(), [90..=100, 88..=88]);
/// ```
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
    pub(super) fn parse(largest: u64, reader: &mut Reader<'a>) -> Result<Self, FrameError> {
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

    /// Octets of all but the largest: the count and the lengths, each as short as it can be.
    pub(super) fn encoded_len(&self) -> usize {
        let mut below = self.largest - self.first_range;
        let pairs = self.iter().skip(1).filter_map(|range| {
            let (gap, length) = pair(below, &range)?;
            below = *range.start();
            Some(varint_len(gap) + varint_len(length))
        });
        varint_len(self.count as u64) + varint_len(self.first_range) + pairs.sum::<usize>()
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

    #[inline]
    fn next(&mut self) -> Option<RangeInclusive<u64>> {
        let range = self.next.take()?;
        // All of them were read once already, so an error means the end.
        self.next = next_range(*range.start(), &mut self.reader).ok();
        Some(range)
    }
}

/// The range below one that begins at `smallest`.
#[inline]
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

/// How a range below one that begins at `below` is written: the numbers missing between them, and its own, each less
/// one. `None` where nothing is missing, so that the two should be one.
pub(super) fn pair(below: u64, range: &RangeInclusive<u64>) -> Option<(u64, u64)> {
    let (end, start) = bounds(range)?;
    let gap = below.checked_sub(end)?.checked_sub(2)?;
    Some((gap, end - start))
}

/// Last and first number of a range that an ACK can hold.
pub(super) fn bounds(range: &RangeInclusive<u64>) -> Option<(u64, u64)> {
    let (start, end) = (*range.start(), *range.end());
    (start <= end && end <= PACKET_NUMBER_MAX).then_some((end, start))
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::frame::testing::{assert_round_trip, refusal};
    use crate::frame::{AckFrame, Frame, Frames};

    fn parse(bytes: &[u8]) -> AckFrame<'_> {
        match Frames::new(bytes).next() {
            Some(Ok(Frame::Ack(frame))) => frame,
            other => panic!("{other:?}"),
        }
    }

    // L6, L7, R6.6
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

    // R6.4, R6.6
    #[test]
    fn more_ranges_than_allowed_are_refused() {
        for (count, encoded) in [(64, vec![0x40, 64]), ((1 << 62) - 1, vec![0xff; 8])] {
            let bytes = [&[0x02, 0, 0x80, 0, 0xff, 0xff, 0], &encoded[..], &[0; 300]].concat();
            assert_eq!(refusal(&bytes), FrameError::TooManyAckRanges { count });
        }
    }

    #[test]
    fn the_same_numbers_in_more_octets_are_equal() {
        let short = [
            0x02, 0x03, 0x40, 0x64, 0x44, 0xd2, 0x02, 0x0a, 0x00, 0x00, 0x01, 0x40, 0x55,
        ];
        let long = [
            0x02, 0x03, 0x40, 0x64, 0x44, 0xd2, 0x02, 0x0a, 0x40, 0x00, 0x00, 0x01, 0x40, 0x55,
        ];
        assert_eq!(parse(&long), parse(&short));
        assert_round_trip(Frame::Ack(parse(&long)));
    }
}
