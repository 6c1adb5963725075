//! Memory that the send buffers of all streams share.

use std::collections::BTreeSet;
use std::sync::Arc;

use keyway_wire::StreamId;

use super::limits::StreamLimits;
use crate::memory::{Loan, MemoryShare};

/// Less than this is not worth borrowing.
const BORROWED_MIN: u64 = 1024;

/// Octets kept in all send buffers together, and who waits for some to become free.
#[derive(Debug)]
pub(super) struct SendMemory {
    max: u64,
    used: u64,
    /// What those octets allocate.
    loan: Loan,
    waiting: BTreeSet<StreamId>,
}

impl SendMemory {
    pub(super) fn new(limits: &StreamLimits, share: &Arc<MemoryShare>) -> Self {
        Self {
            max: limits.send_buffers_max,
            used: 0,
            loan: Loan::new(share, limits.send_floor()),
            waiting: BTreeSet::new(),
        }
    }

    /// Octets of `wanted` that a stream that keeps `buffered` may add: as much as is free beyond what it has, so that streams whose
    /// peers do not read leave room for the others. (The same rule as for datagrams, and for the same reason.)
    pub(super) fn left_for(&mut self, buffered: u64, wanted: usize) -> u64 {
        let left = self.max.saturating_sub(self.used).saturating_sub(buffered);
        let wanted = left.min(wanted as u64);
        let secured = self.loan.secure_up_to(wanted, BORROWED_MIN);
        if secured == wanted {
            return wanted;
        }
        secured.saturating_sub(buffered)
    }

    pub(super) fn take(&mut self, octets: usize) {
        self.used += octets as u64;
    }

    pub(super) fn give_back(&mut self, octets: u64) {
        self.used -= octets;
    }

    /// Sees to it that a piece of that size may be allocated beside octets that are written. Whether it may.
    pub(super) fn affords(&mut self, octets: usize, piece: usize) -> bool {
        piece == 0 || self.loan.secure((octets + piece) as u64)
    }

    /// What a stream allocates has changed.
    #[inline]
    pub(super) fn count(&mut self, before: u64, after: u64) {
        match after.checked_sub(before) {
            Some(more) => self.loan.use_secured(more),
            None => self.loan.give_back(before - after),
        }
        // The rest of a piece is copied where that gives memory back later, which takes some more until then.
        self.loan.secure(0);
    }

    /// Gives back what is left over.
    pub(super) fn rest(&mut self) {
        self.loan.rest();
    }

    /// A stream waits for memory.
    pub(super) fn wait(&mut self, id: StreamId) {
        self.waiting.insert(id);
    }

    /// Those that waited, once a quarter is free: waking them for less would be for nothing.
    pub(super) fn take_woken(&mut self) -> BTreeSet<StreamId> {
        if self.used > self.max / 4 * 3 {
            BTreeSet::new()
        } else {
            std::mem::take(&mut self.waiting)
        }
    }

    /// Octets kept.
    #[cfg(test)]
    pub(super) fn used(&self) -> u64 {
        self.used
    }

    /// Octets allocated.
    #[cfg(test)]
    pub(super) fn allocated(&self) -> u64 {
        self.loan.used()
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::memory::MemoryBudget;

    fn memory(max: u64, node: u64) -> SendMemory {
        let limits = StreamLimits {
            send_buffers_max: max,
            guaranteed: 40,
            ..StreamLimits::default()
        };
        SendMemory::new(&limits, &MemoryShare::new(&MemoryBudget::new(node)))
    }

    fn take(memory: &mut SendMemory, octets: u64) {
        let before = memory.allocated();
        assert_eq!(memory.left_for(0, octets.try_into().unwrap()), octets);
        memory.take(usize::try_from(octets).unwrap());
        memory.count(before, before + octets);
    }

    fn give(memory: &mut SendMemory, octets: u64) {
        let before = memory.allocated();
        memory.give_back(octets);
        memory.count(before, before - octets);
    }

    #[test]
    fn a_stream_may_take_what_is_free_beyond_what_it_has() {
        let mut memory = memory(100, 1 << 20);
        assert_eq!(memory.left_for(0, 1_000), 100);
        take(&mut memory, 30);
        assert_eq!(memory.left_for(30, 1_000), 40);
        take(&mut memory, 40);
        assert_eq!(memory.left_for(70, 1_000), 0);
        assert_eq!(memory.left_for(0, 1_000), 30);
    }

    #[test]
    fn where_the_node_has_no_memory_left_the_floor_is_shared_in_the_same_way() {
        let mut memory = memory(100, 0);
        assert_eq!(memory.left_for(0, 1_000), 20);
        take(&mut memory, 10);
        assert_eq!(memory.left_for(10, 1_000), 0);
        assert_eq!(memory.left_for(0, 1_000), 10);
        assert!(!memory.affords(5, 64));
        assert!(memory.affords(5, 0));
    }

    #[test]
    fn those_who_wait_are_woken_when_a_quarter_is_free() {
        let id = StreamId::new(4).unwrap();
        let mut memory = memory(100, 1 << 20);
        take(&mut memory, 100);
        memory.wait(id);
        memory.wait(id);
        give(&mut memory, 24);
        assert!(memory.take_woken().is_empty());
        give(&mut memory, 1);
        assert_eq!(memory.take_woken(), BTreeSet::from([id]));
        assert!(memory.take_woken().is_empty());
        assert_eq!(memory.used(), 75);
    }
}
