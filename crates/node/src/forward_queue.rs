//! Packets of others that wait for the socket: bounded in octets and age, and fair between those who send them.

use std::collections::{BTreeMap, BTreeSet, VecDeque};
use std::net::SocketAddr;

use keyway_rendezvous::ClientId;
use keyway_wire::Time;

use crate::limits::Limits;

/// Octets that each sender may send in its turn: one batch of the greatest length.
const QUANTUM: usize = 64 * 1024;

/// Octets that a batch costs beside its own: without them, the smallest packets would take many times what they count for.
const OVERHEAD: usize = 128;

/// Datagrams of equal length, the last one perhaps shorter, on their way from one client to another.
#[derive(Debug)]
pub(crate) struct Forward {
    pub(crate) to: SocketAddr,
    pub(crate) bytes: Vec<u8>,
    pub(crate) segment_size: usize,
}

impl Forward {
    fn cost(&self) -> usize {
        self.bytes.len() + OVERHEAD
    }
}

/// What one client has sent that waits.
#[derive(Debug, Default)]
struct Lane {
    queue: VecDeque<(Time, Forward)>,
    cost: usize,
    /// Octets that it may still send in this turn (deficit round robin, Shreedhar and Varghese 1996).
    credit: usize,
}

/// A lane for each client that has something waiting.
#[derive(Debug, Default)]
pub(crate) struct ForwardQueue {
    lanes: BTreeMap<ClientId, Lane>,
    /// Every lane once, in the order of turns.
    turns: VecDeque<ClientId>,
    /// Every lane by what it holds, so that the fullest is found where there is no room.
    by_cost: BTreeSet<(usize, ClientId)>,
    cost: usize,
}

impl ForwardQueue {
    pub(crate) fn is_empty(&self) -> bool {
        self.lanes.is_empty()
    }

    /// Batches that wait.
    pub(crate) fn len(&self) -> usize {
        self.lanes.values().map(|lane| lane.queue.len()).sum()
    }

    /// Adds a batch of this client. Where its share is used up, what comes last is dropped, as on any congested link; where there
    /// is no room for all, the one who holds most loses its oldest.
    pub(crate) fn push(&mut self, now: Time, limits: &Limits, from: ClientId, forward: Forward) {
        let cost = forward.cost();
        self.drop_stale(now, limits, from);
        let held = self.lanes.get(&from).map_or(0, |lane| lane.cost);
        if held + cost > limits.relay_queue_per_client_max || cost > limits.relay_queue_max {
            return;
        }
        while self.cost + cost > limits.relay_queue_max {
            match self.by_cost.last().copied() {
                Some((most, fullest)) if most > held => drop(self.take(fullest)),
                _ => return,
            }
        }
        if !self.lanes.contains_key(&from) {
            self.turns.push_back(from);
        }
        let lane = self.lanes.entry(from).or_default();
        lane.queue.push_back((now, forward));
        self.set_cost(from, held, held + cost);
    }

    /// The next batch to send. What waited for too long is dropped.
    pub(crate) fn pop(&mut self, now: Time, limits: &Limits) -> Option<Forward> {
        loop {
            let from = self.turns.front().copied()?;
            self.drop_stale(now, limits, from);
            let Some(lane) = self.lanes.get_mut(&from) else {
                // All that it had was stale.
                continue;
            };
            let len = lane.queue.front().map_or(0, |(_, next)| next.bytes.len());
            if lane.credit < len {
                // Its turn is over; in the next one it may send as much again.
                lane.credit += QUANTUM;
                self.turns.rotate_left(1);
                continue;
            }
            lane.credit -= len;
            return self.take(from);
        }
    }

    fn drop_stale(&mut self, now: Time, limits: &Limits, from: ClientId) {
        let is_stale = |lane: &Lane| {
            let since = lane.queue.front().map(|(since, _)| *since);
            since.is_some_and(|since| now.saturating_since(since) > limits.relay_queue_time_max)
        };
        while self.lanes.get(&from).is_some_and(is_stale) {
            self.take(from);
        }
    }

    /// Takes the oldest batch of a lane. One that is empty is gone.
    fn take(&mut self, from: ClientId) -> Option<Forward> {
        let lane = self.lanes.get_mut(&from)?;
        let (_, forward) = lane.queue.pop_front()?;
        let held = lane.cost;
        self.set_cost(from, held, held - forward.cost());
        Some(forward)
    }

    fn set_cost(&mut self, from: ClientId, before: usize, after: usize) {
        self.by_cost.remove(&(before, from));
        self.cost = self.cost - before + after;
        if after == 0 {
            self.lanes.remove(&from);
            if self.turns.front() == Some(&from) {
                self.turns.pop_front();
            } else {
                self.turns.retain(|turn| *turn != from);
            }
        } else {
            self.by_cost.insert((after, from));
            if let Some(lane) = self.lanes.get_mut(&from) {
                lane.cost = after;
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use std::time::Duration;

    use proptest::prelude::*;

    use super::*;

    const GREEDY: ClientId = ClientId(1);
    const MODEST: ClientId = ClientId(2);

    fn at(millis: u64) -> Time {
        Time::from_micros(millis * 1000)
    }

    fn batch(len: usize) -> Forward {
        Forward {
            to: ([192, 0, 2, 1], 4100).into(),
            bytes: vec![0; len],
            segment_size: 1200,
        }
    }

    /// Whose batches come out, told by their length.
    fn lengths(queue: &mut ForwardQueue, now: Time) -> Vec<usize> {
        let popped = std::iter::from_fn(|| queue.pop(now, &Limits::default()));
        popped.map(|it| it.bytes.len()).collect()
    }

    // R8, R10.9
    #[test]
    fn a_greedy_sender_fills_its_own_share_and_delays_others_by_one_batch() {
        let (mut queue, limits) = (ForwardQueue::default(), Limits::default());
        for _ in 0..1000 {
            queue.push(at(0), &limits, GREEDY, batch(60_000));
        }
        assert!(queue.cost <= limits.relay_queue_per_client_max);
        queue.push(at(0), &limits, MODEST, batch(100));
        let order = lengths(&mut queue, at(1));
        assert_eq!(order, [60_000, 100, 60_000]);
        assert!(queue.is_empty() && queue.turns.is_empty() && queue.by_cost.is_empty());
    }

    #[test]
    fn senders_share_by_octets_whatever_the_size_of_their_packets() {
        let (mut queue, limits) = (ForwardQueue::default(), Limits::default());
        for _ in 0..2 {
            queue.push(at(0), &limits, GREEDY, batch(64_000));
        }
        for _ in 0..90 {
            queue.push(at(0), &limits, MODEST, batch(1200));
        }
        // While both have something, neither is ahead by more than a turn or two.
        let (mut large, mut small) = (0_usize, 0_usize);
        for len in lengths(&mut queue, at(1)).into_iter().take(80) {
            match len {
                64_000 => large += len,
                _ => small += len,
            }
            if large < 128_000 {
                assert!(large.abs_diff(small) <= 2 * QUANTUM, "{large} and {small}");
            }
        }
    }

    // R10.9
    #[test]
    fn what_waited_for_too_long_is_dropped() {
        let (mut queue, limits) = (ForwardQueue::default(), Limits::default());
        queue.push(at(0), &limits, GREEDY, batch(1));
        queue.push(at(200), &limits, GREEDY, batch(2));
        queue.push(at(0), &limits, MODEST, batch(3));
        assert_eq!(lengths(&mut queue, at(251)), [2]);
        assert_eq!((queue.cost, queue.len()), (0, 0));
        // And a full lane makes room by itself, even if nobody sends.
        for _ in 0..10 {
            queue.push(at(300), &limits, GREEDY, batch(60_000));
        }
        queue.push(at(600), &limits, GREEDY, batch(7));
        assert_eq!(lengths(&mut queue, at(600)), [7]);
    }

    #[test]
    fn where_there_is_no_room_who_holds_most_loses_it() {
        let limits = Limits {
            relay_queue_max: 10_000,
            relay_queue_per_client_max: 9_000,
            ..Limits::default()
        };
        let mut queue = ForwardQueue::default();
        for _ in 0..20 {
            queue.push(at(0), &limits, GREEDY, batch(900));
        }
        for _ in 0..3 {
            queue.push(at(0), &limits, MODEST, batch(800));
        }
        let order = lengths(&mut queue, at(0));
        assert_eq!(order.iter().filter(|len| **len == 800).count(), 3);
        assert!(order.iter().filter(|len| **len == 900).count() >= 6);
    }

    #[test]
    fn the_smallest_packets_count_for_what_they_cost() {
        let (mut queue, limits) = (ForwardQueue::default(), Limits::default());
        for _ in 0..100_000 {
            queue.push(at(0), &limits, GREEDY, batch(10));
        }
        assert!(queue.len() <= limits.relay_queue_per_client_max / OVERHEAD);
    }

    proptest! {
        #[test]
        fn the_books_are_right(
            steps in proptest::collection::vec((0_u64..4, 0_usize..70_000, 0_u64..100, any::<bool>()), 1..200),
        ) {
            let limits = Limits { relay_queue_max: 200_000, ..Limits::default() };
            let (mut queue, mut now) = (ForwardQueue::default(), at(0));
            for (client, len, pause, pops) in steps {
                now += Duration::from_millis(pause);
                match pops {
                    true => drop(queue.pop(now, &limits)),
                    false => queue.push(now, &limits, ClientId(client), batch(len)),
                }
                let costs = queue.lanes.values().map(|lane| lane.cost);
                prop_assert_eq!(queue.cost, costs.sum::<usize>());
                prop_assert!(queue.cost <= limits.relay_queue_max);
                prop_assert!(queue.lanes.values().all(|lane| lane.cost <= limits.relay_queue_per_client_max));
                prop_assert_eq!(queue.turns.len(), queue.lanes.len());
                prop_assert_eq!(queue.by_cost.len(), queue.lanes.len());
            }
            while queue.pop(now, &limits).is_some() {}
            prop_assert!(queue.is_empty() && queue.cost == 0 && queue.turns.is_empty());
        }
    }
}
