//! A bounded queue of octets.

/// The size that a ring gets at its first octet: interactive streams never need more.
const FIRST_CAPACITY: usize = 4 * 1024;

/// Octets in the order in which they came, at most `limit` of them.
///
/// Costs nothing while it was never used, then doubles on demand up to its limit, and keeps what it has until it is
/// dropped: a bulk transfer fills and empties it thousands of times a second.
#[derive(Debug)]
pub(crate) struct Ring {
    storage: Vec<u8>,
    start: usize,
    len: usize,
    limit: usize,
}

impl Ring {
    pub(crate) const fn new(limit: usize) -> Self {
        Self {
            storage: Vec::new(),
            start: 0,
            len: 0,
            limit,
        }
    }

    pub(crate) const fn len(&self) -> usize {
        self.len
    }

    pub(crate) const fn is_empty(&self) -> bool {
        self.len == 0
    }

    /// How many octets may still come.
    pub(crate) const fn room(&self) -> usize {
        self.limit - self.len
    }

    /// Takes as much of `data` as there is room for, and says how much that was.
    pub(crate) fn write(&mut self, data: &[u8]) -> usize {
        let mut taken = 0;
        // Twice at most: up to the end of the storage, then from its beginning.
        while taken < data.len() {
            let rest = &data[taken..];
            let spare = self.spare(rest.len());
            if spare.is_empty() {
                break;
            }
            let count = spare.len().min(rest.len());
            spare[..count].copy_from_slice(&rest[..count]);
            self.commit(count);
            taken += count;
        }
        taken
    }

    /// The oldest octets, as many as lie in one piece. Empty only if the ring is.
    pub(crate) fn front(&self) -> &[u8] {
        let end = (self.start + self.len).min(self.storage.len());
        &self.storage[self.start..end]
    }

    /// Forgets the `count` oldest octets; `count` is at most [`len`](Self::len).
    pub(crate) fn consume(&mut self, count: usize) {
        debug_assert!(
            count <= self.len,
            "cannot forget {count} of {} octets",
            self.len
        );
        self.len -= count;
        self.start += count;
        if self.start >= self.storage.len() {
            self.start -= self.storage.len();
        }
        if self.is_empty() {
            // From the beginning again: what comes next lies in one piece.
            self.start = 0;
        }
    }

    /// A piece of free storage, grown where that helps to take `wanted` octets. Empty only if there is no room.
    ///
    /// What is written there counts once [`commit`](Self::commit) says so.
    pub(crate) fn spare(&mut self, wanted: usize) -> &mut [u8] {
        self.grow(wanted.min(self.room()));
        let capacity = self.storage.len();
        let end = self.start + self.len;
        if end < capacity {
            &mut self.storage[end..]
        } else {
            &mut self.storage[end - capacity..self.start]
        }
    }

    /// Appends the first `count` octets of what [`spare`](Self::spare) gave.
    pub(crate) fn commit(&mut self, count: usize) {
        self.len += count;
        debug_assert!(
            self.len <= self.storage.len(),
            "more octets than there is storage"
        );
    }

    /// Copies the octets from `offset` on into `out`, which is at most as long as what is there.
    pub(crate) fn peek(&self, offset: usize, out: &mut [u8]) {
        debug_assert!(offset + out.len() <= self.len, "cannot look beyond the end");
        let (first, wrapped) = self.pieces();
        let from_first = first.len().saturating_sub(offset).min(out.len());
        let (head, tail) = out.split_at_mut(from_first);
        if !head.is_empty() {
            head.copy_from_slice(&first[offset..offset + from_first]);
        }
        let offset = (offset + from_first).saturating_sub(first.len());
        tail.copy_from_slice(&wrapped[offset..offset + tail.len()]);
    }

    /// Forgets everything and gives the memory back.
    pub(crate) fn clear(&mut self) {
        *self = Self::new(self.limit);
    }

    /// All octets, in the two pieces in which they lie.
    fn pieces(&self) -> (&[u8], &[u8]) {
        let first = self.front();
        (first, &self.storage[..self.len - first.len()])
    }

    fn grow(&mut self, wanted: usize) {
        let needed = self.len + wanted;
        if needed <= self.storage.len() {
            return;
        }
        let capacity = needed
            .next_power_of_two()
            .max(FIRST_CAPACITY)
            .min(self.limit);
        let mut storage = Vec::with_capacity(capacity);
        let (first, wrapped) = self.pieces();
        storage.extend_from_slice(first);
        storage.extend_from_slice(wrapped);
        storage.resize(capacity, 0);
        self.storage = storage;
        self.start = 0;
    }
}

#[cfg(test)]
mod tests {
    use std::collections::VecDeque;

    use proptest::prelude::*;

    use super::*;

    #[test]
    fn an_unused_ring_has_no_storage() {
        let ring = Ring::new(1 << 20);
        assert_eq!(ring.storage.capacity(), 0);
        assert_eq!(ring.room(), 1 << 20);
        assert!(ring.front().is_empty());
    }

    #[test]
    fn a_few_octets_cost_the_first_capacity_only() {
        let mut ring = Ring::new(1 << 20);
        assert_eq!(ring.write(b"hello"), 5);
        assert_eq!(ring.storage.len(), FIRST_CAPACITY);
    }

    #[test]
    fn a_full_ring_takes_nothing_more() {
        let mut ring = Ring::new(10);
        assert_eq!(ring.write(b"0123456789ab"), 10);
        assert_eq!(ring.write(b"x"), 0);
        assert!(ring.spare(1).is_empty());
        assert_eq!(ring.room(), 0);
    }

    #[test]
    fn clearing_gives_the_memory_back() {
        let mut ring = Ring::new(1 << 20);
        ring.write(&[7; 100_000]);
        ring.clear();
        assert!(ring.is_empty());
        assert_eq!(ring.storage.capacity(), 0);
        assert_eq!(ring.room(), 1 << 20);
    }

    #[derive(Clone, Debug)]
    enum Step {
        Write(usize),
        Read(usize),
        Fill(usize),
        Consume(usize),
    }

    fn step() -> impl Strategy<Value = Step> {
        prop_oneof![
            (0..9000_usize).prop_map(Step::Write),
            (0..9000_usize).prop_map(Step::Read),
            (1..9000_usize).prop_map(Step::Fill),
            (0..9000_usize).prop_map(Step::Consume),
        ]
    }

    proptest! {
        #[test]
        fn it_behaves_as_an_unbounded_queue_with_a_limit(
            steps in prop::collection::vec(step(), 1..80),
            limit in 1..20_000_usize,
        ) {
            let mut ring = Ring::new(limit);
            let mut model: VecDeque<u8> = VecDeque::new();
            let mut next = 0_u8;
            let mut fresh = |count: usize| -> Vec<u8> {
                (0..count).map(|_| { next = next.wrapping_add(1); next }).collect()
            };
            for step in steps {
                match step {
                    Step::Write(count) => {
                        let data = fresh(count);
                        let taken = ring.write(&data);
                        prop_assert_eq!(taken, count.min(limit - model.len()));
                        model.extend(&data[..taken]);
                    }
                    Step::Read(count) => {
                        // Across the wrap, as a queue of records is read.
                        let mut out = vec![0; count.min(model.len())];
                        ring.peek(0, &mut out);
                        ring.consume(out.len());
                        let expected: Vec<u8> = model.drain(..out.len()).collect();
                        prop_assert_eq!(out, expected);
                    }
                    Step::Fill(count) => {
                        let spare = ring.spare(count);
                        prop_assert_eq!(spare.is_empty(), model.len() == limit);
                        let count = count.min(spare.len());
                        let data = fresh(count);
                        spare[..count].copy_from_slice(&data);
                        ring.commit(count);
                        model.extend(&data);
                    }
                    Step::Consume(count) => {
                        let count = count.min(ring.front().len());
                        let expected: Vec<u8> = model.drain(..count).collect();
                        prop_assert_eq!(&ring.front()[..count], &expected[..]);
                        ring.consume(count);
                    }
                }
                let mut all = vec![0; model.len()];
                ring.peek(0, &mut all);
                prop_assert!(all.iter().eq(&model));
                let mut end = vec![0; model.len().min(7)];
                ring.peek(model.len() - end.len(), &mut end);
                prop_assert!(end.iter().eq(model.range(model.len() - end.len()..)));
                prop_assert_eq!(ring.len(), model.len());
                prop_assert_eq!(ring.room(), limit - model.len());
                prop_assert!(ring.storage.len() <= limit.max(FIRST_CAPACITY));
            }
        }
    }
}
