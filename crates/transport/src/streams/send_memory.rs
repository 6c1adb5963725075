//! Memory that the send buffers of all streams share.

use std::collections::BTreeSet;

use keyway_wire::StreamId;

/// Octets kept in all send buffers together, and who waits for some to become free.
#[derive(Debug)]
pub(super) struct SendMemory {
    max: u64,
    used: u64,
    waiting: BTreeSet<StreamId>,
}

impl SendMemory {
    pub(super) fn new(max: u64) -> Self {
        Self {
            max,
            used: 0,
            waiting: BTreeSet::new(),
        }
    }

    /// Octets that a stream that keeps `buffered` may add: as much as is free beyond what it has, so that streams whose
    /// peers do not read leave room for the others. (The same rule as for datagrams, and for the same reason.)
    pub(super) fn left_for(&self, buffered: u64) -> u64 {
        self.max.saturating_sub(self.used).saturating_sub(buffered)
    }

    pub(super) fn take(&mut self, octets: usize) {
        self.used += octets as u64;
    }

    pub(super) fn give_back(&mut self, octets: u64) {
        self.used -= octets;
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
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_stream_may_take_what_is_free_beyond_what_it_has() {
        let mut memory = SendMemory::new(100);
        assert_eq!(memory.left_for(0), 100);
        memory.take(30);
        assert_eq!(memory.left_for(30), 40);
        memory.take(40);
        assert_eq!(memory.left_for(70), 0);
        assert_eq!(memory.left_for(0), 30);
    }

    #[test]
    fn those_who_wait_are_woken_when_a_quarter_is_free() {
        let id = StreamId::new(4).unwrap();
        let mut memory = SendMemory::new(100);
        memory.take(100);
        memory.wait(id);
        memory.wait(id);
        memory.give_back(24);
        assert!(memory.take_woken().is_empty());
        memory.give_back(1);
        assert_eq!(memory.take_woken(), BTreeSet::from([id]));
        assert!(memory.take_woken().is_empty());
        assert_eq!(memory.used(), 75);
    }
}
