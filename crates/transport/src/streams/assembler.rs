//! Puts received octets in order.

use std::ops::Range;

use keyway_wire::planted::{Fault, planted};

use super::ring::Ring;
use crate::range_set::RangeSet;

/// Octets received and not yet read.
///
/// Each octet is copied once, into the ring at its offset. Memory is at most twice the span from the first unread octet
/// to the highest received one, which flow control bounds, and 16 octets a gap, which `gaps_max` bounds.
#[derive(Debug, Default)]
pub(super) struct Assembler {
    ring: Ring,
    /// Everything below was read.
    read: u64,
    /// What is there, from `read` on.
    received: RangeSet,
}

/// Taking this piece would have left more gaps than allowed. Nothing changed.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct TooManyGaps;

impl Assembler {
    /// An empty assembler of a stream that begins at `offset`.
    #[cfg(test)]
    fn starting_at(offset: u64) -> Self {
        Self {
            read: offset,
            ..Self::default()
        }
    }

    /// Offset of the first octet that was not read.
    pub(super) fn read_end(&self) -> u64 {
        self.read
    }

    /// Octets that can be read at once.
    pub(super) fn readable(&self) -> u64 {
        let prefix = self
            .received
            .first()
            .filter(|range| range.start == self.read);
        prefix.map_or(0, |range| range.end - range.start)
    }

    /// Whether all octets below `offset` are there, or were read.
    pub(super) fn has_all_below(&self, offset: u64) -> bool {
        self.read + self.readable() >= offset
    }

    /// Takes `data` that belongs at `offset`: octets that are there already, or were read, do no harm.
    ///
    /// # Errors
    ///
    /// [`TooManyGaps`]: more than `gaps_max` separate pieces. A piece that begins where reading goes on is always taken, so
    /// that a sender who repeats its oldest octets gets through.
    pub(super) fn insert(
        &mut self,
        offset: u64,
        data: &[u8],
        gaps_max: usize,
    ) -> Result<(), TooManyGaps> {
        let end = offset + data.len() as u64;
        let range = offset.max(self.read)..end;
        if range.is_empty() {
            return Ok(());
        }
        let highest = self.highest();
        let new = if range.start == self.read {
            self.received.insert(range.clone())
        } else {
            self.received
                .try_insert(range.clone(), gaps_max)
                .ok_or(TooManyGaps)?
        };
        if new > 0 {
            self.store(range, highest, data);
        }
        Ok(())
    }

    /// Moves octets in order to `out` and returns how many.
    pub(super) fn read(&mut self, out: &mut [u8]) -> usize {
        let count = usize::try_from(self.readable())
            .unwrap_or(usize::MAX)
            .min(out.len());
        self.ring.read(self.read, &mut out[..count]);
        let again = u64::from(count > 1 && planted(Fault::DeliverTwice));
        self.read += count as u64 - again;
        self.received.remove_below(self.read);
        if count > 0 && self.received.is_empty() {
            self.ring.emptied();
        }
        count
    }

    /// Forgets what was received and not read.
    pub(super) fn discard(&mut self) {
        self.ring.release();
        self.received.clear();
    }

    /// Gives memory back if nothing is kept.
    pub(super) fn trim(&mut self) {
        if self.received.is_empty() {
            self.ring.release();
        }
    }

    /// Octets allocated.
    #[cfg(test)]
    pub(super) fn memory(&self) -> usize {
        self.ring.capacity()
    }

    fn highest(&self) -> u64 {
        self.received.last().map_or(self.read, |range| range.end)
    }

    /// Copies the part of `data` (which ends where `range` does) that was not read yet.
    fn store(&mut self, range: Range<u64>, highest: u64, data: &[u8]) {
        self.ring
            .reserve(self.read..highest.max(range.end), self.read..highest);
        let unread = usize::try_from(range.end - range.start)
            .map_or(data.len(), |length| length.min(data.len()));
        self.ring.write(range.start, &data[data.len() - unread..]);
    }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    const GAPS_MAX: usize = 1024;

    fn octet(offset: u64) -> u8 {
        (offset % 253) as u8
    }

    fn piece(range: Range<u64>) -> Vec<u8> {
        range.map(octet).collect()
    }

    fn read_all(assembler: &mut Assembler) -> Vec<u8> {
        let mut out = vec![0; usize::try_from(assembler.readable()).unwrap()];
        assert_eq!(assembler.read(&mut out), out.len());
        out
    }

    #[test]
    fn an_octet_is_readable_when_all_before_it_are_there() {
        let mut assembler = Assembler::default();
        assembler.insert(5, &piece(5..10), GAPS_MAX).unwrap();
        assert_eq!(assembler.readable(), 0);
        assert!(!assembler.has_all_below(10));
        assembler.insert(0, &piece(0..5), GAPS_MAX).unwrap();
        assert!(assembler.has_all_below(10));
        assert!(!assembler.has_all_below(11));
        assert_eq!(read_all(&mut assembler), piece(0..10));
        assert_eq!(assembler.memory(), 0);
    }

    // R9.6
    #[test]
    fn octets_are_read_once_however_often_they_come() {
        let mut assembler = Assembler::default();
        assembler.insert(0, &piece(0..10), GAPS_MAX).unwrap();
        let mut out = [0; 4];
        assert_eq!(assembler.read(&mut out), 4);
        assembler.insert(0, &piece(0..10), GAPS_MAX).unwrap();
        assembler.insert(2, &piece(2..14), GAPS_MAX).unwrap();
        assembler.insert(0, &piece(0..4), GAPS_MAX).unwrap();
        assert_eq!(read_all(&mut assembler), piece(4..14));
        assert_eq!(assembler.readable(), 0);
    }

    // L3, R9.13: 1-octet pieces with holes between them.
    #[test]
    fn a_flood_of_gaps_is_refused_and_the_oldest_piece_still_taken() {
        let mut assembler = Assembler::default();
        for index in 0..1_000u64 {
            let taken = assembler.insert(index * 2 + 1, &[1], 16);
            assert_eq!(taken.is_ok(), index < 16);
        }
        assert_eq!(assembler.received.range_count(), 16);
        assert!(assembler.memory() <= 256);
        assembler.insert(2, &[2], 16).unwrap();
        assembler.insert(0, &[0], 16).unwrap();
        assert_eq!(assembler.readable(), 4);
    }

    #[test]
    fn a_refused_piece_changes_nothing() {
        let mut assembler = Assembler::default();
        assembler.insert(1, &[1], 1).unwrap();
        assert_eq!(assembler.insert(1 << 40, &[9; 500], 1), Err(TooManyGaps));
        assert_eq!(assembler.memory(), 256);
        assembler.insert(0, &[0], 1).unwrap();
        assert_eq!(read_all(&mut assembler), [0, 1]);
    }

    #[test]
    fn an_empty_piece_leaves_no_trace() {
        let mut assembler = Assembler::default();
        for offset in [0, 7, 1 << 40] {
            assembler.insert(offset, &[], 0).unwrap();
        }
        assert_eq!((assembler.readable(), assembler.memory()), (0, 0));
    }

    #[derive(Clone, Debug)]
    enum Step {
        Insert { ahead: u64, len: u64 },
        Again { back: u64, len: u64 },
        Read(usize),
        Trim,
    }

    fn any_step() -> impl Strategy<Value = Step> {
        prop_oneof![
            4 => (0u64..600, 0u64..300).prop_map(|(ahead, len)| Step::Insert { ahead, len }),
            1 => (0u64..600, 0u64..900).prop_map(|(back, len)| Step::Again { back, len }),
            2 => (0usize..500).prop_map(Step::Read),
            1 => Just(Step::Trim),
        ]
    }

    proptest! {
        // R9.6
        #[test]
        fn what_is_read_is_what_was_written_in_order_once(
            start in prop_oneof![Just(0), 1_000u64..2_000, Just((1 << 62) - 1_000_000)],
            steps in prop::collection::vec(any_step(), 0..200),
        ) {
            let mut assembler = Assembler::starting_at(start);
            for step in steps {
                let at = assembler.read_end();
                match step {
                    Step::Insert { ahead, len } => {
                        let range = at + ahead..at + ahead + len;
                        let _ = assembler.insert(range.start, &piece(range), 4);
                    }
                    Step::Again { back, len } => {
                        let range = at.saturating_sub(back)..at.saturating_sub(back) + len;
                        let _ = assembler.insert(range.start, &piece(range), 4);
                    }
                    Step::Read(most) => {
                        let mut out = vec![0; most];
                        let count = assembler.read(&mut out);
                        prop_assert_eq!(&out[..count], piece(at..at + count as u64));
                        prop_assert_eq!(assembler.read_end(), at + count as u64);
                    }
                    Step::Trim => assembler.trim(),
                }
                prop_assert!(assembler.received.range_count() <= 5);
                prop_assert!(assembler.memory() as u64 <= 2 * (assembler.highest() - assembler.read).max(2048));
            }
            let at = assembler.read_end();
            assembler.insert(at, &piece(at..at + 2_000), 0).unwrap();
            prop_assert_eq!(read_all(&mut assembler), piece(at..at + 2_000));
        }
    }
}
