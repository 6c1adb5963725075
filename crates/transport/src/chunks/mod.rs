//! Octets in pieces that change hands without being copied.

mod pool;

use std::cell::Cell;
use std::collections::VecDeque;
use std::fmt;

use bytes::{Buf, Bytes};

/// The largest piece that is allocated: what one batch carries. Larger ones would save nothing that can be measured, and
/// keep more memory alive for their last octet.
const CHUNK_MAX: usize = 65_536;

/// The smallest. Chosen because a request or an answer of a few lines fits, and a thousand of them are nothing.
const CHUNK_MIN: usize = 256;

/// Up to here a piece that is handed over is copied to the end of the last one, so that a writer of single octets costs
/// octets and not allocations. Above, copying costs more than keeping the piece.
const COPIED_MAX: usize = 1_024;

/// A queue of octets, each at its offset: written at the end, looked at anywhere, forgotten from the front.
///
/// ```
/// use keyway_transport::ChunkQueue;
///
/// let mut queue = ChunkQueue::default();
/// queue.write(b"hello ");
/// queue.push(bytes::Bytes::from_static(b"world"));
/// let mut out = [0; 5];
/// queue.copy_at(6, &mut out);
/// assert_eq!(&out, b"world");
/// queue.forget_below(3);
/// assert_eq!(queue.pop(2).as_deref(), Some(&b"lo"[..]));
/// assert_eq!((queue.start(), queue.end()), (5, 11));
/// ```
///
/// What is written lies in pieces of up to 64 KiB, allocated as they are needed and as large as what is usually written
/// between two calls that empty the queue. A piece is given back when its last octet is forgotten, so memory is what is
/// kept, one piece at each end, and 40 octets for each piece. An empty queue has none.
#[derive(Default)]
pub struct ChunkQueue {
    /// Complete pieces, by ascending offset and without gaps.
    chunks: VecDeque<Chunk>,
    /// What was written last; it lies behind all of `chunks`.
    tail: Vec<u8>,
    /// Offset of the first octet that is kept.
    start: u64,
    /// Offset of the first octet of `tail`.
    tail_start: u64,
    /// How large the next piece should be.
    expected: usize,
    /// Offset at which the queue was empty last.
    empty_at: u64,
    /// Pieces taken off the front so far.
    popped: u64,
    /// The piece, counted from the first there ever was, that was copied from last: the next copy mostly goes on there.
    cursor: Cell<u64>,
}

struct Chunk {
    start: u64,
    octets: Bytes,
}

impl Chunk {
    fn end(&self) -> u64 {
        self.start + self.octets.len() as u64
    }
}

impl ChunkQueue {
    /// An empty queue whose first octet will have this offset.
    #[must_use]
    pub fn starting_at(offset: u64) -> Self {
        Self {
            start: offset,
            tail_start: offset,
            empty_at: offset,
            ..Self::default()
        }
    }

    /// Offset of the first octet that is kept.
    #[must_use]
    pub fn start(&self) -> u64 {
        self.start
    }

    /// Offset behind the last octet.
    #[must_use]
    pub fn end(&self) -> u64 {
        self.tail_start + self.tail.len() as u64
    }

    /// Octets kept.
    #[must_use]
    pub fn len(&self) -> usize {
        usize::try_from(self.end() - self.start).unwrap_or(usize::MAX)
    }

    /// Whether nothing is kept.
    #[must_use]
    pub fn is_empty(&self) -> bool {
        self.end() == self.start
    }

    /// Copies `data` to the end.
    pub fn write(&mut self, mut data: &[u8]) {
        while !data.is_empty() {
            if self.tail.len() == self.tail.capacity() {
                self.begin_piece(data.len().min(CHUNK_MAX));
            }
            let room = self.tail.capacity() - self.tail.len();
            let (now, later) = data.split_at(data.len().min(room));
            self.tail.extend_from_slice(now);
            data = later;
        }
    }

    /// Copies `data` to the end, into one piece: whoever takes it out later gets it whole.
    pub fn write_whole(&mut self, data: &[u8]) {
        if self.tail.capacity() - self.tail.len() < data.len() {
            self.begin_piece(data.len());
        }
        self.tail.extend_from_slice(data);
    }

    /// Takes a piece over, to the end. A small one is copied.
    pub fn push(&mut self, octets: Bytes) {
        if octets.len() <= COPIED_MAX {
            return self.write(&octets);
        }
        self.take_over(octets);
    }

    /// Takes over all that another queue holds, to the end. What lies in one piece there does so here.
    pub fn append(&mut self, other: &mut Self) {
        while let Some(octets) = other.pop(usize::MAX) {
            if octets.len() <= COPIED_MAX {
                self.write_whole(&octets);
            } else {
                self.take_over(octets);
            }
        }
    }

    fn take_over(&mut self, octets: Bytes) {
        if 2 * self.tail.len() < self.tail.capacity() {
            // Little octets between large pieces must not keep the memory of large pieces each.
            self.split_tail();
        } else {
            self.seal_tail();
        }
        let start = self.tail_start;
        self.tail_start += octets.len() as u64;
        self.chunks.push_back(Chunk { start, octets });
    }

    /// Takes the first piece out, or its first `max` octets; `None` if there is nothing, or no octet is asked for.
    pub fn pop(&mut self, max: usize) -> Option<Bytes> {
        if max == 0 {
            return None;
        }
        if self.chunks.is_empty() {
            self.seal_tail();
        }
        let chunk = self.chunks.front_mut()?;
        let octets = if chunk.octets.len() <= max {
            self.popped += 1;
            self.chunks.pop_front()?.octets
        } else {
            chunk.start += max as u64;
            chunk.octets.split_to(max)
        };
        self.start += octets.len() as u64;
        if self.is_empty() {
            self.clear();
        }
        Some(octets)
    }

    /// Puts back what [`pop`](Self::pop) gave last, or the end of it.
    pub fn unpop(&mut self, octets: Bytes) {
        if octets.is_empty() {
            return;
        }
        self.start = self.start.saturating_sub(octets.len() as u64);
        let start = self.start;
        self.popped = self.popped.saturating_sub(1);
        self.chunks.push_front(Chunk { start, octets });
    }

    /// The first octets, as many as lie in one piece. Empty only if the queue is.
    #[must_use]
    pub fn front(&self) -> &[u8] {
        self.chunks
            .front()
            .map_or(&self.tail, |chunk| &chunk.octets)
    }

    /// Forgets the first `count` octets, or all of them if they are fewer.
    pub fn forget(&mut self, count: usize) {
        self.forget_below(self.end().min(self.start + count as u64));
    }

    /// Copies what is kept from `offset` on into all of `out`. Nothing is copied of what is not kept.
    pub fn copy_at(&self, offset: u64, out: &mut [u8]) {
        debug_assert!(self.start <= offset && offset + out.len() as u64 <= self.end());
        let mut rest = out;
        let mut at = offset;
        let complete = self.chunks.range(self.index_of(offset)..);
        let complete = complete.map(|chunk| (chunk.start, &chunk.octets[..]));
        for (start, octets) in complete.chain([(self.tail_start, &self.tail[..])]) {
            if rest.is_empty() {
                return;
            }
            let Some(here) = at
                .checked_sub(start)
                .and_then(|skip| octets.get(usize::try_from(skip).ok()?..))
            else {
                return;
            };
            let count = here.len().min(rest.len());
            let (now, later) = rest.split_at_mut(count);
            now.copy_from_slice(&here[..count]);
            at += count as u64;
            rest = later;
        }
    }

    /// Index of the complete piece that holds `offset`; the number of pieces if the tail does.
    fn index_of(&self, offset: u64) -> usize {
        let holds = |index: &usize| {
            let chunk = self.chunks.get(*index);
            chunk.is_some_and(|chunk| chunk.start <= offset && offset < chunk.end())
        };
        let last = usize::try_from(self.cursor.get().saturating_sub(self.popped)).unwrap_or(0);
        let index = [last, last + 1].into_iter().find(holds);
        let index =
            index.unwrap_or_else(|| self.chunks.partition_point(|chunk| chunk.end() <= offset));
        self.cursor.set(self.popped + index as u64);
        index
    }

    /// Moves octets from the front into `out` and returns how many.
    pub fn read(&mut self, out: &mut [u8]) -> usize {
        let count = self.len().min(out.len());
        self.copy_at(self.start, &mut out[..count]);
        self.forget_below(self.start + count as u64);
        count
    }

    /// Forgets what lies below `offset`, which is at most [`end`](Self::end).
    pub fn forget_below(&mut self, offset: u64) {
        debug_assert!(offset <= self.end(), "nothing was written up to there");
        if offset >= self.end() {
            return self.clear();
        }
        if offset > self.tail_start {
            self.seal_tail();
        }
        self.start = self.start.max(offset);
        while let Some(chunk) = self.chunks.front_mut() {
            let gone = usize::try_from(self.start - chunk.start).unwrap_or(usize::MAX);
            if gone < chunk.octets.len() {
                chunk.octets.advance(gone);
                chunk.start = self.start;
                return;
            }
            self.popped += 1;
            self.chunks.pop_front();
        }
    }

    /// Forgets everything. Offsets go on behind it.
    pub fn clear(&mut self) {
        // A queue that was long once has no use for the room of its pieces.
        let held = usize::try_from(self.end() - self.empty_at).unwrap_or(usize::MAX);
        let end = self.end();
        pool::give_back(std::mem::take(&mut self.tail));
        *self = Self {
            expected: held.max(self.expected / 2).min(CHUNK_MAX),
            ..Self::starting_at(end)
        };
    }

    /// Octets allocated, as far as that is known of pieces that were handed over.
    #[cfg(test)]
    pub(crate) fn memory(&self) -> usize {
        let complete = self.chunks.iter().map(|chunk| chunk.octets.len());
        complete.sum::<usize>() + self.tail.capacity()
    }

    /// Ends the piece that is written to with a copy of what is in it, and keeps its memory for what comes.
    fn split_tail(&mut self) {
        if self.tail.is_empty() {
            return;
        }
        let start = self.tail_start;
        self.tail_start += self.tail.len() as u64;
        let octets = Bytes::copy_from_slice(&self.tail);
        self.chunks.push_back(Chunk { start, octets });
        self.tail.clear();
    }

    /// Begins a new piece, since the last one has no room for the next `wanted` octets.
    fn begin_piece(&mut self, wanted: usize) {
        self.expected = (2 * self.tail.len()).clamp(self.expected, CHUNK_MAX);
        self.seal_tail();
        let size = wanted.max(self.expected).next_power_of_two();
        self.tail = if size == CHUNK_MAX {
            pool::take()
        } else {
            Vec::with_capacity(size.max(CHUNK_MIN))
        };
    }

    /// Ends the piece that is written to.
    fn seal_tail(&mut self) {
        if self.tail.is_empty() {
            return;
        }
        let octets = pool::share(std::mem::take(&mut self.tail));
        let used = octets.len();
        let start = self.tail_start;
        self.tail_start += used as u64;
        self.chunks.push_back(Chunk { start, octets });
    }
}

/// Without the octets: they are the application's, and no log's.
impl fmt::Debug for ChunkQueue {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("ChunkQueue")
            .field("start", &self.start)
            .field("end", &self.end())
            .field("chunks", &self.chunks.len())
            .finish_non_exhaustive()
    }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    #[test]
    fn an_empty_queue_has_no_memory() {
        let mut queue = ChunkQueue::default();
        assert_eq!((queue.memory(), queue.pop(10)), (0, None));
        queue.write(&[7; 100_000]);
        queue.forget_below(100_000);
        assert_eq!((queue.memory(), queue.chunks.capacity()), (0, 0));
    }

    #[test]
    fn a_large_piece_is_handed_on_as_it_is() {
        let mut queue = ChunkQueue::default();
        let piece = Bytes::from(vec![7; 5_000]);
        queue.push(piece.clone());
        assert_eq!(queue.pop(usize::MAX).unwrap().as_ptr(), piece.as_ptr());
    }

    #[test]
    fn a_writer_of_single_octets_costs_octets() {
        let mut queue = ChunkQueue::default();
        for _ in 0..10_000 {
            queue.push(Bytes::from_static(b"x"));
        }
        assert!(queue.chunks.len() < 10, "{queue:?}");
        assert!(queue.memory() <= 3 * 10_000);
    }

    #[test]
    fn octets_between_large_pieces_cost_little() {
        let mut queue = ChunkQueue::default();
        queue.write(&[7; 100_000]);
        queue.forget_below(queue.end());
        for _ in 0..200 {
            queue.push(Bytes::from_static(b"x"));
            queue.push(Bytes::from(vec![7; COPIED_MAX + 1]));
        }
        assert!(
            queue.memory() <= queue.len() + CHUNK_MAX,
            "{}",
            queue.memory()
        );
        let mut all = vec![0; queue.len()];
        queue.copy_at(queue.start(), &mut all);
        assert_eq!(all.iter().filter(|octet| **octet == b'x').count(), 200);
    }

    #[test]
    fn pieces_become_as_large_as_what_is_written_at_once() {
        let mut queue = ChunkQueue::default();
        for _ in 0..8 {
            for _ in 0..45 {
                queue.write(&[7; 1_400]);
            }
            queue.forget_below(queue.end());
        }
        queue.write(&[7; 1_400]);
        assert_eq!(queue.memory(), CHUNK_MAX);
        for _ in 0..16 {
            queue.forget_below(queue.end());
            queue.write(&[7; 10]);
        }
        assert_eq!(queue.memory(), CHUNK_MIN, "and small again");
    }

    #[test]
    fn debugging_shows_no_octets() {
        let mut queue = ChunkQueue::default();
        queue.write(&[173; 3]);
        let shown = format!("{queue:?}");
        assert_eq!(shown, "ChunkQueue { start: 0, end: 3, chunks: 0, .. }");
    }

    #[derive(Clone, Debug)]
    enum Step {
        Write(usize),
        Push(usize),
        Pop(usize),
        PopAndPutBack(usize, prop::sample::Index),
        Read(usize),
        Forget(prop::sample::Index),
        Clear,
    }

    fn step() -> impl Strategy<Value = Step> {
        prop_oneof![
            4 => (0..3_000_usize).prop_map(Step::Write),
            4 => (0..3_000_usize).prop_map(Step::Push),
            2 => (0..4_000_usize).prop_map(Step::Pop),
            1 => (1..4_000_usize, any::<prop::sample::Index>()).prop_map(|(max, kept)| Step::PopAndPutBack(max, kept)),
            2 => (0..4_000_usize).prop_map(Step::Read),
            2 => any::<prop::sample::Index>().prop_map(Step::Forget),
            1 => Just(Step::Clear),
        ]
    }

    fn octets(range: std::ops::Range<u64>) -> Vec<u8> {
        range.map(|offset| (offset % 251) as u8).collect()
    }

    proptest! {
        #[test]
        fn every_octet_stays_at_its_offset_until_it_is_forgotten(
            first in prop_oneof![Just(0), Just((1_u64 << 62) - 1_000_000)],
            steps in prop::collection::vec(step(), 1..80),
        ) {
            let mut queue = ChunkQueue::starting_at(first);
            for step in steps {
                let (start, end) = (queue.start(), queue.end());
                match step {
                    Step::Write(count) => queue.write(&octets(end..end + count as u64)),
                    Step::Push(count) => queue.push(octets(end..end + count as u64).into()),
                    Step::Pop(max) => {
                        let piece = queue.pop(max).unwrap_or_default();
                        prop_assert!(piece.len() <= max);
                        prop_assert_eq!(&piece[..], octets(start..start + piece.len() as u64));
                        prop_assert!(!piece.is_empty() || max == 0 || start == end);
                    }
                    Step::PopAndPutBack(max, kept) => {
                        if let Some(mut piece) = queue.pop(max) {
                            piece.advance(kept.index(piece.len() + 1));
                            queue.unpop(piece);
                        }
                    }
                    Step::Read(most) => {
                        let mut out = vec![0; most];
                        let count = queue.read(&mut out);
                        prop_assert_eq!(count as u64, (most as u64).min(end - start));
                        prop_assert_eq!(&out[..count], octets(start..start + count as u64));
                    }
                    Step::Forget(place) => {
                        let offset = start + place.index(queue.len() + 1) as u64;
                        queue.forget_below(offset);
                        prop_assert_eq!((queue.start(), queue.end()), (offset, end));
                    }
                    Step::Clear => {
                        queue.clear();
                        prop_assert_eq!((queue.start(), queue.end()), (end, end));
                    }
                }
                let mut all = vec![0; queue.len()];
                queue.copy_at(queue.start(), &mut all);
                prop_assert_eq!(all, octets(queue.start()..queue.end()));
                let middle = queue.start() + queue.len() as u64 / 2;
                let mut half = vec![0; queue.len() - queue.len() / 2];
                queue.copy_at(middle, &mut half);
                prop_assert_eq!(half, octets(middle..queue.end()));
                prop_assert!(!queue.is_empty() || queue.memory() == 0);
                prop_assert!(queue.memory() <= 4 * queue.len() + CHUNK_MAX);
            }
        }
    }
}
