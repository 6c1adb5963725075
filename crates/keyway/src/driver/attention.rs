//! Which peers to ask for a sign of life, and when.
//!
//! A stream whose peer owes nothing, since all that was sent has been acknowledged, hears nothing of a peer that dies. The node's
//! own keepalive shows that after half a minute; a stream with less patience than that has its peer asked more often.

use std::collections::BTreeMap;
use std::time::Duration;

use keyway_node::AssociationKey;
use keyway_wire::Time;

/// Patience from which on the node's own keepalive (25 s) is soon enough: it adds a quarter at most, as the questions do.
const LONG: Duration = Duration::from_secs(100);
/// Questions in the time of one patience: a peer that dies just after an answer is given up a quarter late.
const QUESTIONS: u32 = 4;
/// Less counts as this: before, a stall is not told from loss.
const PATIENCE_MIN: Duration = Duration::from_secs(5);

/// The associations with a stream or a flow of little patience, and when their peers are asked next.
#[derive(Debug)]
pub(super) struct Attention<Key = AssociationKey> {
    due: BTreeMap<Key, Time>,
}

impl<Key> Default for Attention<Key> {
    fn default() -> Self {
        Self {
            due: BTreeMap::new(),
        }
    }
}

impl<Key: Copy + Ord> Attention<Key> {
    /// Something of this association has so much patience.
    pub(super) fn consider(&mut self, now: Time, association: Key, patience: Duration) {
        if patience < LONG {
            let due = now + patience.max(PATIENCE_MIN) / QUESTIONS;
            let known = self.due.entry(association).or_insert(due);
            *known = due.min(*known);
        }
    }

    /// When to ask next.
    pub(super) fn next(&self) -> Option<Time> {
        self.due.values().min().copied()
    }

    /// An association whose peer is to be asked now. It is forgotten until it is [considered](Self::consider) again.
    pub(super) fn take_due(&mut self, now: Time) -> Option<Key> {
        let mut due = self.due.iter().filter(|(_, due)| **due <= now);
        let association = *due.next()?.0;
        self.due.remove(&association);
        Some(association)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const ONE: u8 = 1;
    const OTHER: u8 = 2;

    fn at(milliseconds: u64) -> Time {
        Time::from_micros(milliseconds * 1000)
    }

    #[test]
    fn the_least_patience_decides_and_much_of_it_asks_nothing() {
        let mut attention = Attention::default();
        attention.consider(at(0), ONE, Duration::from_secs(300));
        assert_eq!(attention.next(), None);
        attention.consider(at(0), ONE, Duration::from_secs(40));
        attention.consider(at(0), ONE, Duration::from_secs(10));
        attention.consider(at(1000), ONE, Duration::from_secs(40));
        assert_eq!(attention.next(), Some(at(2500)));
    }

    #[test]
    fn who_is_asked_is_not_asked_again_before_it_is_considered() {
        let mut attention = Attention::default();
        attention.consider(at(0), ONE, Duration::ZERO);
        attention.consider(at(0), OTHER, Duration::from_secs(20));
        assert_eq!(attention.take_due(at(1249)), None);
        assert_eq!(attention.take_due(at(1250)), Some(ONE));
        assert_eq!(attention.take_due(at(1250)), None);
        assert_eq!(attention.next(), Some(at(5000)));
    }
}
