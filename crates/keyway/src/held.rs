//! Memory of a buffer between application and driver, counted with that of its association.

use std::sync::Arc;

use keyway_node::MemoryShare;

/// Octets that one direction of a stream may hold without asking: they are part of what the node counts for each stream.
const FLOOR: usize = 1024;

/// Octets are asked for, and given back, by so many: a call of an application rarely asks at all.
const GRAIN: usize = 16 * 1024;

/// What a buffer has taken of its association's share.
#[derive(Debug)]
pub(crate) struct Held {
    /// Nothing where the association is gone: such a buffer is about to learn that.
    share: Option<Arc<MemoryShare>>,
    octets: usize,
}

impl Held {
    pub(crate) fn new(share: Option<Arc<MemoryShare>>) -> Self {
        Self { share, octets: 0 }
    }

    /// Sees to it that a buffer of so many octets is counted. False where there is no memory for it.
    pub(crate) fn cover(&mut self, footprint: usize) -> bool {
        let Some((share, missing)) = self.missing(footprint) else {
            return true;
        };
        let taken = [missing.next_multiple_of(GRAIN), missing]
            .into_iter()
            .find(|octets| share.take(*octets as u64));
        self.octets += taken.unwrap_or(0);
        taken.is_some()
    }

    /// The same for octets that the association itself held a moment ago: as many as there are.
    pub(crate) fn take_over(&mut self, footprint: usize) {
        let taken = self.missing(footprint).and_then(|(share, missing)| {
            let mut parts = std::iter::successors(Some(missing), |some| Some(some / 2));
            parts.find(|some| share.take_over(*some as u64))
        });
        self.octets += taken.unwrap_or(0);
    }

    /// How many of `wanted` octets can be added to a buffer of so many.
    pub(crate) fn cover_some(&mut self, footprint: usize, wanted: usize) -> usize {
        let mut some = wanted;
        while some > GRAIN {
            if self.cover(footprint + some) {
                return some;
            }
            some /= 2;
        }
        if self.cover(footprint + some) {
            some
        } else {
            some.min((FLOOR + self.octets).saturating_sub(footprint))
        }
    }

    /// The buffer has shrunk to so many octets: what is left over goes back, if it is much or the buffer is empty.
    pub(crate) fn settle(&mut self, footprint: usize) {
        let needed = footprint.saturating_sub(FLOOR);
        let surplus = self.octets.saturating_sub(needed);
        if surplus >= 2 * GRAIN || footprint == 0 && surplus > 0 {
            self.octets -= surplus;
            if let Some(share) = &self.share {
                share.give_back(surplus as u64);
            }
        }
    }

    fn missing(&self, footprint: usize) -> Option<(&MemoryShare, usize)> {
        let missing = footprint.checked_sub(FLOOR + self.octets)?;
        let share = self.share.as_deref().filter(|_| missing > 0)?;
        Some((share, missing))
    }
}

impl Drop for Held {
    fn drop(&mut self) {
        self.settle(0);
    }
}
