//! Memory for the octets of one direction of a stream.

use std::fmt;
use std::ops::Range;

/// Smallest allocation. Chosen because a request or an answer of a few lines fits, and a thousand of them are nothing.
const CAPACITY_MIN: usize = 256;

/// Rings up to here go back as soon as they are empty: allocating this little costs less than keeping it for every
/// stream that is idle.
const KEPT_WHEN_EMPTY_MIN: usize = 4096;

/// Octets at their offsets in the stream, modulo a capacity that is a power of two.
///
/// The ring does not know which octets mean something: its owner does, and reserves before it writes. It allocates
/// nothing before the first octet, and at most twice the widest window that was reserved.
#[derive(Default)]
pub(super) struct Ring {
    storage: Box<[u8]>,
    /// Widest window reserved since the ring was last empty.
    peak: usize,
}

impl Ring {
    /// Makes room for all of `window` at once. What is stored at `kept`, a part of it, stays.
    pub(super) fn reserve(&mut self, window: Range<u64>, kept: Range<u64>) {
        debug_assert!(kept.is_empty() || window.start <= kept.start && kept.end <= window.end);
        let width =
            usize::try_from(window.end - window.start).expect("windows are bounded by memory");
        self.peak = self.peak.max(width);
        if width <= self.storage.len() {
            return;
        }
        let capacity = capacity_for(width);
        let mut grown = Self {
            storage: vec![0; capacity].into_boxed_slice(),
            peak: self.peak,
        };
        let mut rest = kept;
        while !rest.is_empty() {
            let piece = self.slice(rest.clone());
            grown.write(rest.start, piece);
            rest.start += piece.len() as u64;
        }
        *self = grown;
    }

    /// Stores `data` from `offset` on, within what is reserved.
    pub(super) fn write(&mut self, offset: u64, data: &[u8]) {
        let start = self.position(offset);
        let (head, tail) = data.split_at(data.len().min(self.storage.len() - start));
        self.storage[start..start + head.len()].copy_from_slice(head);
        self.storage[..tail.len()].copy_from_slice(tail);
    }

    /// What is stored at `range`, or as much of its start as lies in one piece. Empty only where `range` is.
    pub(super) fn slice(&self, range: Range<u64>) -> &[u8] {
        let start = self.position(range.start);
        let wanted = usize::try_from(range.end - range.start).expect("at most what is reserved");
        &self.storage[start..start + wanted.min(self.storage.len() - start)]
    }

    /// To be told whenever nothing stored means anything: memory that lies far above what was needed since the last time
    /// is given back. A stream that moves much in every round keeps its ring; one that once did gives it back.
    pub(super) fn emptied(&mut self) {
        if self.storage.len() <= KEPT_WHEN_EMPTY_MIN || self.peak <= self.storage.len() / 4 {
            self.release();
        }
        self.peak = 0;
    }

    /// Gives all memory back.
    pub(super) fn release(&mut self) {
        *self = Self::default();
    }

    /// Octets that are allocated once a window of that width was reserved.
    pub(super) fn capacity_for(&self, width: u64) -> usize {
        let width = usize::try_from(width).unwrap_or(usize::MAX / 2);
        capacity_for(width).max(self.storage.len())
    }

    /// Octets allocated.
    pub(super) fn capacity(&self) -> usize {
        self.storage.len()
    }

    #[expect(
        clippy::cast_possible_truncation,
        reason = "the capacity is a power of two, so only low bits count"
    )]
    fn position(&self, offset: u64) -> usize {
        // Nothing is allocated as long as only empty ranges are asked for: their place is 0.
        offset as usize & self.storage.len().saturating_sub(1)
    }
}

fn capacity_for(width: usize) -> usize {
    width.next_power_of_two().max(CAPACITY_MIN)
}

/// Without the octets: they are the application's, and no log's.
impl fmt::Debug for Ring {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Ring")
            .field("capacity", &self.storage.len())
            .field("peak", &self.peak)
            .finish()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn pattern(range: Range<u64>) -> Vec<u8> {
        range.map(|offset| (offset % 251) as u8).collect()
    }

    fn read(ring: &Ring, range: Range<u64>) -> Vec<u8> {
        let head = ring.slice(range.clone());
        let tail = ring.slice(range.start + head.len() as u64..range.end);
        [head, tail].concat()
    }

    #[test]
    fn an_untouched_ring_allocates_nothing() {
        let mut ring = Ring::default();
        ring.reserve(7..7, 7..7);
        assert_eq!(ring.capacity(), 0);
        assert!(ring.slice(7..7).is_empty());
        assert!(read(&ring, 7..7).is_empty());
    }

    #[test]
    fn growing_keeps_what_is_stored_wherever_it_wraps() {
        for start in [0, 200, 255, (1 << 62) - 700] {
            let mut ring = Ring::default();
            ring.reserve(start..start + 256, start..start);
            ring.write(start, &pattern(start..start + 256));
            assert_eq!(ring.capacity(), 256);
            ring.reserve(start..start + 600, start..start + 256);
            assert_eq!(ring.capacity(), 1024);
            ring.write(start + 256, &pattern(start + 256..start + 600));
            assert_eq!(read(&ring, start..start + 600), pattern(start..start + 600));
        }
    }

    #[test]
    fn a_slice_ends_where_the_ring_wraps() {
        let mut ring = Ring::default();
        ring.reserve(200..300, 200..200);
        ring.write(200, &pattern(200..300));
        assert_eq!(ring.slice(200..300), pattern(200..256));
        assert_eq!(ring.slice(256..300), pattern(256..300));
    }

    #[test]
    fn debugging_shows_no_octets() {
        let mut ring = Ring::default();
        ring.reserve(0..256, 0..0);
        ring.write(0, &[173; 256]);
        assert_eq!(format!("{ring:?}"), "Ring { capacity: 256, peak: 256 }");
    }

    #[test]
    fn small_rings_and_rings_far_too_large_go_back_when_empty() {
        let mut ring = Ring::default();
        ring.reserve(0..4096, 0..0);
        ring.emptied();
        assert_eq!(ring.capacity(), 0);

        ring.reserve(0..65_536, 0..0);
        ring.emptied();
        assert_eq!(ring.capacity(), 65_536, "much was needed just before");
        ring.reserve(70_000..70_000 + 16_385, 0..0);
        ring.emptied();
        assert_eq!(ring.capacity(), 65_536, "more than a quarter was needed");
        ring.reserve(90_000..90_000 + 16_384, 0..0);
        ring.emptied();
        assert_eq!(ring.capacity(), 0);
    }
}
