//! Puts received octets in order.

use bytes::Bytes;
use keyway_wire::planted::{Fault, planted};

use super::receive_memory::Room;
use super::ring::Ring;
use crate::ChunkQueue;
use crate::range_set::RangeSet;

/// What a piece beyond a gap takes beside its octets: its range, in a list that may be half empty.
const GAP_COST: usize = 32;

/// Octets received and not yet read.
///
/// What comes in order, which is nearly everything, is copied once, to the end of what can be read, and handed to the reader
/// as it lies there. What comes early waits in a ring and is copied once more. Memory is what is readable, twice the span
/// from there to the highest octet received, both bounded by flow control, and 16 octets a gap, which `gaps_max` bounds.
#[derive(Debug, Default)]
pub(super) struct Assembler {
    /// What can be read. Everything below was read, and what follows is missing.
    ready: ChunkQueue,
    early: Ring,
    /// What is there beyond a gap.
    beyond: RangeSet,
}

/// Taking this piece would have left more gaps than allowed. Nothing changed.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct TooManyGaps;

impl Assembler {
    /// An empty assembler of a stream that begins at `offset`.
    #[cfg(test)]
    fn starting_at(offset: u64) -> Self {
        Self {
            ready: ChunkQueue::starting_at(offset),
            ..Self::default()
        }
    }

    /// Offset of the first octet that was not read.
    pub(super) fn read_end(&self) -> u64 {
        self.ready.start()
    }

    /// Octets that can be read at once.
    pub(super) fn readable(&self) -> u64 {
        self.ready.end() - self.ready.start()
    }

    /// Whether all octets below `offset` are there, or were read.
    pub(super) fn has_all_below(&self, offset: u64) -> bool {
        self.ready.end() >= offset
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
        room: Room,
    ) -> Result<(), TooManyGaps> {
        let end = offset + data.len() as u64;
        let next = self.ready.end();
        if end <= next {
            return Ok(());
        }
        if let Some(known) = next.checked_sub(offset) {
            let new = usize::try_from(known).map_or(&[][..], |known| &data[known..]);
            match room {
                Room::Ample => self.ready.write(new),
                Room::Exact => self.ready.write_exactly(new),
            }
            self.take_what_was_early();
            return Ok(());
        }
        let highest = self.highest();
        let range = offset..end;
        let new = self.beyond.try_insert(range.clone(), gaps_max);
        if new.ok_or(TooManyGaps)? > 0 {
            self.early.reserve(next..highest.max(end), next..highest);
            self.early.write(offset, data);
        }
        Ok(())
    }

    /// What [`insert`](Self::insert) of so many octets would allocate beside them: for what waits beyond a gap, which cannot be helped,
    /// and for octets that may follow.
    #[inline]
    pub(super) fn cost(&self, offset: u64, octets: usize) -> (u64, u64) {
        let next = self.ready.end();
        if offset <= next {
            return (0, self.ready.next_piece(octets) as u64);
        }
        let highest = self.highest().max(offset + octets as u64);
        let grown = self.early.capacity_for(highest - next) as u64;
        let grown = grown.saturating_sub(self.early.capacity() as u64);
        (grown + GAP_COST as u64, 0)
    }

    /// Octets allocated, or kept alive, with the room that what is early will take once it is in order.
    #[inline]
    pub(super) fn footprint(&self) -> u64 {
        let early = self.highest() - self.ready.end();
        let gaps = self.beyond.range_count() * GAP_COST;
        (self.ready.footprint() + self.early.capacity() + gaps) as u64 + early
    }

    /// Moves octets in order to `out` and returns how many.
    pub(super) fn read(&mut self, out: &mut [u8]) -> usize {
        if planted(Fault::DeliverTwice) {
            let count = self.ready.len().min(out.len());
            self.ready.copy_at(self.read_end(), &mut out[..count]);
            let again = u64::from(count > 1);
            self.ready
                .forget_below(self.read_end() + count as u64 - again);
            return count;
        }
        self.ready.read(out)
    }

    /// Takes out what can be read, as it lies there: at most `max` octets, and `None` if there are none.
    pub(super) fn read_chunk(&mut self, max: usize) -> Option<Bytes> {
        self.ready.pop(max)
    }

    /// Forgets what was received and not read.
    pub(super) fn discard(&mut self) {
        self.ready.clear();
        self.early.release();
        self.beyond.clear();
    }

    /// Gives memory back if nothing is kept.
    pub(super) fn trim(&mut self) {
        if self.beyond.is_empty() {
            self.early.release();
        }
    }

    /// Octets allocated.
    #[cfg(test)]
    pub(super) fn memory(&self) -> usize {
        self.ready.memory() + self.early.capacity()
    }

    fn highest(&self) -> u64 {
        self.beyond
            .last()
            .map_or(self.ready.end(), |range| range.end)
    }

    /// Moves what is beyond a gap that has closed.
    fn take_what_was_early(&mut self) {
        while let Some(range) = self.beyond.first()
            && range.start <= self.ready.end()
        {
            let mut rest = self.ready.end().min(range.end)..range.end;
            while !rest.is_empty() {
                let piece = self.early.slice(rest.clone());
                self.ready.write_exactly(piece);
                rest.start += piece.len() as u64;
            }
            self.beyond.pop_first();
            if self.beyond.is_empty() {
                self.early.emptied();
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use std::ops::Range;

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
        assembler
            .insert(5, &piece(5..10), GAPS_MAX, Room::Ample)
            .unwrap();
        assert_eq!(assembler.readable(), 0);
        assert!(!assembler.has_all_below(10));
        assembler
            .insert(0, &piece(0..5), GAPS_MAX, Room::Ample)
            .unwrap();
        assert!(assembler.has_all_below(10));
        assert!(!assembler.has_all_below(11));
        assert_eq!(read_all(&mut assembler), piece(0..10));
        assert_eq!(assembler.memory(), 0);
    }

    // R9.6
    #[test]
    fn octets_are_read_once_however_often_they_come() {
        let mut assembler = Assembler::default();
        assembler
            .insert(0, &piece(0..10), GAPS_MAX, Room::Ample)
            .unwrap();
        let mut out = [0; 4];
        assert_eq!(assembler.read(&mut out), 4);
        assembler
            .insert(0, &piece(0..10), GAPS_MAX, Room::Ample)
            .unwrap();
        assembler
            .insert(2, &piece(2..14), GAPS_MAX, Room::Ample)
            .unwrap();
        assembler
            .insert(0, &piece(0..4), GAPS_MAX, Room::Ample)
            .unwrap();
        assert_eq!(read_all(&mut assembler), piece(4..14));
        assert_eq!(assembler.readable(), 0);
    }

    // L3, R9.13: 1-octet pieces with holes between them.
    #[test]
    fn a_flood_of_gaps_is_refused_and_the_oldest_piece_still_taken() {
        let mut assembler = Assembler::default();
        for index in 0..1_000u64 {
            let taken = assembler.insert(index * 2 + 1, &[1], 16, Room::Ample);
            assert_eq!(taken.is_ok(), index < 16);
        }
        assert_eq!(assembler.beyond.range_count(), 16);
        assert!(assembler.memory() <= 256);
        assembler.insert(2, &[2], 16, Room::Ample).unwrap();
        assembler.insert(0, &[0], 16, Room::Ample).unwrap();
        assert_eq!(assembler.readable(), 4);
    }

    #[test]
    fn a_refused_piece_changes_nothing() {
        let mut assembler = Assembler::default();
        assembler.insert(1, &[1], 1, Room::Ample).unwrap();
        assert_eq!(
            assembler.insert(1 << 40, &[9; 500], 1, Room::Ample),
            Err(TooManyGaps)
        );
        assert_eq!(assembler.memory(), 256);
        assembler.insert(0, &[0], 1, Room::Ample).unwrap();
        assert_eq!(read_all(&mut assembler), [0, 1]);
    }

    #[test]
    fn an_empty_piece_leaves_no_trace() {
        let mut assembler = Assembler::default();
        for offset in [0, 7, 1 << 40] {
            assembler.insert(offset, &[], 0, Room::Ample).unwrap();
        }
        assert_eq!((assembler.readable(), assembler.memory()), (0, 0));
    }

    #[derive(Clone, Debug)]
    enum Step {
        Insert { ahead: u64, len: u64 },
        Again { back: u64, len: u64 },
        Read(usize),
        ReadChunk(usize),
        Trim,
    }

    fn any_step() -> impl Strategy<Value = Step> {
        prop_oneof![
            4 => (0u64..600, 0u64..300).prop_map(|(ahead, len)| Step::Insert { ahead, len }),
            1 => (0u64..600, 0u64..900).prop_map(|(back, len)| Step::Again { back, len }),
            2 => (0usize..500).prop_map(Step::Read),
            1 => (0usize..500).prop_map(Step::ReadChunk),
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
                        let _ = assembler.insert(range.start, &piece(range), 4, Room::Ample);
                    }
                    Step::Again { back, len } => {
                        let range = at.saturating_sub(back)..at.saturating_sub(back) + len;
                        let _ = assembler.insert(range.start, &piece(range), 4, Room::Ample);
                    }
                    Step::Read(most) => {
                        let mut out = vec![0; most];
                        let count = assembler.read(&mut out);
                        prop_assert_eq!(&out[..count], piece(at..at + count as u64));
                        prop_assert_eq!(assembler.read_end(), at + count as u64);
                    }
                    Step::ReadChunk(most) => {
                        let chunk = assembler.read_chunk(most).unwrap_or_default();
                        prop_assert_eq!(&chunk[..], piece(at..at + chunk.len() as u64));
                        prop_assert_eq!(assembler.read_end(), at + chunk.len() as u64);
                    }
                    Step::Trim => assembler.trim(),
                }
                prop_assert!(assembler.beyond.range_count() <= 5);
                prop_assert!(assembler.memory() as u64 <= 2 * (assembler.highest() - assembler.read_end()) + 65_536);
            }
            let at = assembler.read_end();
            assembler.insert(at, &piece(at..at + 2_000), 0, Room::Ample).unwrap();
            prop_assert_eq!(read_all(&mut assembler), piece(at..at + 2_000));
        }
    }
}
