//! What is going to happen, in the order of time.

use std::cmp::Ordering;
use std::collections::BinaryHeap;

use keyway_wire::Time;

/// Events by time; those of the same time in the order in which they were added, so that a seed replays.
#[derive(Debug)]
pub struct EventQueue<T> {
    heap: BinaryHeap<Entry<T>>,
    added: u64,
}

#[derive(Debug)]
struct Entry<T> {
    time: Time,
    number: u64,
    event: T,
}

impl<T> Default for EventQueue<T> {
    fn default() -> Self {
        Self {
            heap: BinaryHeap::new(),
            added: 0,
        }
    }
}

impl<T> EventQueue<T> {
    /// Lets `event` happen at `time`.
    pub fn add(&mut self, time: Time, event: T) {
        let number = self.added;
        self.added += 1;
        self.heap.push(Entry {
            time,
            number,
            event,
        });
    }

    /// When the next event happens.
    #[must_use]
    pub fn next_time(&self) -> Option<Time> {
        self.heap.peek().map(|entry| entry.time)
    }

    /// The next event, if it happens no later than `now`.
    pub fn pop_due(&mut self, now: Time) -> Option<T> {
        if self.next_time()? > now {
            return None;
        }
        self.heap.pop().map(|entry| entry.event)
    }

    /// The next event, if it happens no later than `now` and is wanted.
    pub fn pop_due_if(&mut self, now: Time, wanted: impl FnOnce(&T) -> bool) -> Option<T> {
        let next = self.heap.peek()?;
        if next.time > now || !wanted(&next.event) {
            return None;
        }
        self.pop_due(now)
    }
}

// A binary heap gives the greatest entry first: the greatest is the one that happens next.
impl<T> Ord for Entry<T> {
    fn cmp(&self, other: &Self) -> Ordering {
        (other.time, other.number).cmp(&(self.time, self.number))
    }
}

impl<T> PartialOrd for Entry<T> {
    fn partial_cmp(&self, other: &Self) -> Option<Ordering> {
        Some(self.cmp(other))
    }
}

impl<T> PartialEq for Entry<T> {
    fn eq(&self, other: &Self) -> bool {
        self.number == other.number
    }
}

impl<T> Eq for Entry<T> {}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn events_come_by_time_and_then_by_age() {
        let mut queue = EventQueue::default();
        for (micros, event) in [(5, 'c'), (1, 'a'), (5, 'd'), (2, 'b')] {
            queue.add(Time::from_micros(micros), event);
        }
        let late = Time::from_micros(9);
        let order: String = std::iter::from_fn(|| queue.pop_due(late)).collect();
        assert_eq!(order, "abcd");
        assert_eq!(queue.next_time(), None);
    }

    #[test]
    fn an_event_that_is_not_wanted_stays_the_next() {
        let mut queue = EventQueue::default();
        queue.add(Time::ZERO, 'a');
        assert_eq!(queue.pop_due_if(Time::ZERO, |event| *event == 'b'), None);
        assert_eq!(
            queue.pop_due_if(Time::ZERO, |event| *event == 'a'),
            Some('a')
        );
        assert_eq!(queue.pop_due_if(Time::ZERO, |_| true), None);
    }

    #[test]
    fn nothing_happens_before_its_time() {
        let mut queue = EventQueue::default();
        queue.add(Time::from_micros(5), 'a');
        assert_eq!(queue.pop_due(Time::from_micros(4)), None);
        assert_eq!(queue.next_time(), Some(Time::from_micros(5)));
        assert_eq!(queue.pop_due(Time::from_micros(5)), Some('a'));
    }
}
