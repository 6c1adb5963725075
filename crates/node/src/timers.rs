//! Deadlines by key, the earliest first.

use std::collections::{BTreeMap, BTreeSet};

use keyway_wire::Time;

/// At most one deadline for each key. All operations are O(log n).
#[derive(Debug)]
pub(crate) struct Timers<K> {
    due: BTreeSet<(Time, K)>,
    at: BTreeMap<K, Time>,
}

impl<K> Default for Timers<K> {
    fn default() -> Self {
        Self {
            due: BTreeSet::new(),
            at: BTreeMap::new(),
        }
    }
}

impl<K: Copy + Ord> Timers<K> {
    /// Replaces the deadline of `key`; `None` takes it away.
    pub(crate) fn set(&mut self, key: K, deadline: Option<Time>) {
        let previous = match deadline {
            Some(at) => self.at.insert(key, at),
            None => self.at.remove(&key),
        };
        if previous == deadline {
            return;
        }
        if let Some(previous) = previous {
            self.due.remove(&(previous, key));
        }
        if let Some(deadline) = deadline {
            self.due.insert((deadline, key));
        }
    }

    pub(crate) fn len(&self) -> usize {
        self.at.len()
    }

    pub(crate) fn next(&self) -> Option<Time> {
        self.due.first().map(|(time, _)| *time)
    }

    /// Takes one key whose deadline has come.
    pub(crate) fn pop_due(&mut self, now: Time) -> Option<K> {
        let (time, key) = *self.due.first()?;
        if time > now {
            return None;
        }
        self.set(key, None);
        Some(key)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn at(micros: u64) -> Time {
        Time::from_micros(micros)
    }

    #[test]
    fn the_earliest_deadline_comes_first_and_once() {
        let mut timers = Timers::default();
        timers.set('b', Some(at(20)));
        timers.set('a', Some(at(10)));
        assert_eq!(timers.next(), Some(at(10)));
        assert_eq!(timers.pop_due(at(9)), None);
        assert_eq!(timers.pop_due(at(30)), Some('a'));
        assert_eq!(timers.pop_due(at(30)), Some('b'));
        assert_eq!(timers.pop_due(at(30)), None);
        assert_eq!(timers.next(), None);
    }

    #[test]
    fn a_new_deadline_replaces_the_old_one() {
        let mut timers = Timers::default();
        timers.set('a', Some(at(10)));
        timers.set('a', Some(at(50)));
        assert_eq!(timers.pop_due(at(40)), None);
        assert_eq!(timers.next(), Some(at(50)));
        timers.set('a', Some(at(1)));
        timers.set('a', None);
        assert_eq!(timers.next(), None);
    }
}
