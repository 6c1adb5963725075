//! One direction of a bad way: packets and times in, packets and times out. No clock, no socket.

use std::cmp::Ordering;
use std::collections::BinaryHeap;
use std::time::Duration;

/// How a direction treats packets.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Conditions {
    /// Octets of UDP payload a second; as many as come if there is no number.
    pub(crate) rate: Option<f64>,
    /// Octets that may wait for their turn. What does not fit is lost.
    pub(crate) queue: f64,
    /// How long each packet is under way after its turn.
    pub(crate) delay: Duration,
    /// The probability that a packet is lost, from 0 to 1. It has had its turn then, as on a radio link.
    pub(crate) loss: f64,
    /// The probability that a packet is held back for as long again as `hold`, so that later ones overtake it.
    pub(crate) reorder: f64,
    /// For how long at most.
    pub(crate) hold: Duration,
}

/// Packets under way. Times are durations since some beginning.
#[derive(Debug)]
pub(crate) struct Channel<P> {
    conditions: Conditions,
    random: Random,
    /// When all that waits has had its turn, in seconds.
    busy_until: f64,
    flying: BinaryHeap<Flight<P>>,
    taken: u64,
}

#[derive(Debug)]
struct Flight<P> {
    lands: Duration,
    number: u64,
    packet: P,
}

impl<P> Channel<P> {
    /// An empty one, whose chance follows from `seed`.
    pub(crate) const fn new(conditions: Conditions, seed: u64) -> Self {
        Self {
            conditions,
            random: Random(seed),
            busy_until: 0.0,
            flying: BinaryHeap::new(),
            taken: 0,
        }
    }

    /// A packet of so many octets comes in.
    pub(crate) fn take(&mut self, now: Duration, octets: usize, packet: P) {
        let Some(leaves) = self.turn(now, octets) else {
            return;
        };
        if self.random.happens(self.conditions.loss) {
            return;
        }
        let mut lands = leaves + self.conditions.delay;
        if self.random.happens(self.conditions.reorder) {
            lands += self.conditions.hold.mul_f64(self.random.share());
        }
        self.taken += 1;
        self.flying.push(Flight {
            lands,
            number: self.taken,
            packet,
        });
    }

    /// When the next packet comes out.
    pub(crate) fn next_at(&self) -> Option<Duration> {
        self.flying.peek().map(|flight| flight.lands)
    }

    /// A packet that has come out by now.
    pub(crate) fn pop(&mut self, now: Duration) -> Option<P> {
        if self.next_at()? > now {
            return None;
        }
        self.flying.pop().map(|flight| flight.packet)
    }

    /// When a packet has had its turn; nothing if the queue is full.
    fn turn(&mut self, now: Duration, octets: usize) -> Option<Duration> {
        let Some(rate) = self.conditions.rate else {
            return Some(now);
        };
        // Lengths of packets are small numbers.
        let octets = octets as f64;
        let begins = now.as_secs_f64().max(self.busy_until);
        let waiting = (begins - now.as_secs_f64()) * rate;
        if waiting + octets > self.conditions.queue {
            return None;
        }
        self.busy_until = begins + octets / rate;
        Some(Duration::from_secs_f64(self.busy_until))
    }
}

// A binary heap gives the greatest first: that is the one that lands first, and was taken first of those.
impl<P> Ord for Flight<P> {
    fn cmp(&self, other: &Self) -> Ordering {
        (other.lands, other.number).cmp(&(self.lands, self.number))
    }
}

impl<P> PartialOrd for Flight<P> {
    fn partial_cmp(&self, other: &Self) -> Option<Ordering> {
        Some(self.cmp(other))
    }
}

impl<P> PartialEq for Flight<P> {
    fn eq(&self, other: &Self) -> bool {
        self.cmp(other).is_eq()
    }
}

impl<P> Eq for Flight<P> {}

/// SplitMix64 (Steele, Lea and Flood 2014).
#[derive(Debug)]
struct Random(u64);

impl Random {
    /// From 0 to 1, without 1.
    fn share(&mut self) -> f64 {
        self.0 = self.0.wrapping_add(0x9e37_79b9_7f4a_7c15);
        let mut word = self.0;
        word = (word ^ word >> 30).wrapping_mul(0xbf58_476d_1ce4_e5b9);
        word = (word ^ word >> 27).wrapping_mul(0x94d0_49bb_1331_11eb);
        // 53 bits are what such a number holds.
        ((word ^ word >> 31) >> 11) as f64 / (1_u64 << 53) as f64
    }

    fn happens(&mut self, probability: f64) -> bool {
        self.share() < probability
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const CLEAN: Conditions = Conditions {
        rate: None,
        queue: 0.0,
        delay: Duration::from_millis(10),
        loss: 0.0,
        reorder: 0.0,
        hold: Duration::from_millis(5),
    };

    /// Sends numbered packets of 1,000 octets, one a millisecond; gives when each came out, in order of that.
    fn pass(conditions: Conditions, count: u64) -> Vec<(Duration, u64)> {
        let mut channel = Channel::new(conditions, 7);
        for number in 0..count {
            channel.take(Duration::from_millis(number), 1_000, number);
        }
        let mut out = Vec::new();
        while let Some(at) = channel.next_at() {
            assert_eq!(
                channel.pop(at.saturating_sub(Duration::from_nanos(1))),
                None
            );
            out.extend(channel.pop(at).map(|number| (at, number)));
        }
        out
    }

    #[test]
    fn a_clean_way_delays_and_does_nothing_else() {
        let expected = (0..100).map(|number| (Duration::from_millis(number + 10), number));
        assert!(pass(CLEAN, 100).into_iter().eq(expected));
    }

    #[test]
    fn a_rate_spaces_packets_and_a_full_queue_drops() {
        // Half as many as come; five wait.
        let narrow = Conditions {
            rate: Some(500_000.0),
            queue: 5_000.0,
            ..CLEAN
        };
        let out = pass(narrow, 1_000);
        assert!((500..520).contains(&out.len()), "{}", out.len());
        let spaced =
            |pair: &[(Duration, u64)]| pair[1].0 - pair[0].0 >= Duration::from_micros(1_999);
        assert!(out.windows(2).all(spaced));
        let waited = |(at, number): &(Duration, u64)| *at - Duration::from_millis(*number);
        assert!(out.iter().map(waited).max() <= Some(Duration::from_millis(20)));
    }

    #[test]
    fn loss_and_reordering_take_their_share_and_the_same_each_time() {
        let bad = Conditions {
            loss: 0.03,
            reorder: 0.05,
            ..CLEAN
        };
        let out = pass(bad, 20_000);
        assert!((19_300..19_500).contains(&out.len()), "{}", out.len());
        let overtaken = out.windows(2).filter(|pair| pair[0].1 > pair[1].1).count();
        assert!((500..1_000).contains(&overtaken), "{overtaken}");
        assert_eq!(out, pass(bad, 20_000));
    }
}
