//! Spreads packets over the round trip (RFC 9002, 7.7): a token bucket in octets.

use std::time::Duration;

use keyway_wire::Time;

/// One wake-up sends about as much as passes in this time, so that fast paths get full batches and slow ones small bursts.
const BURST_TIME: f64 = 0.001;

/// Octets that one batch holds; a longer burst gains nothing.
const BATCH: f64 = 65_536.0;

/// Packets that a burst may have whatever the rate: the initial window of RFC 9002, 7.2.
const BURST_PACKETS: f64 = 10.0;

/// Packets that a wake-up is worth at the slowest rate.
const QUANTUM_PACKETS: f64 = 2.0;

/// What the bucket is measured by at the moment.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Pace {
    /// Octets a second.
    pub(crate) rate: f64,
    /// Octets of a full packet.
    pub(crate) packet: f64,
}

impl Pace {
    /// Octets that one call may hand out: a millisecond's worth up to a batch, and ten packets (but of large ones no
    /// more than a batch, or two).
    fn burst(self) -> f64 {
        let few_packets =
            (BURST_PACKETS * self.packet).min(BATCH.max(QUANTUM_PACKETS * self.packet));
        (self.rate * BURST_TIME).min(BATCH).max(few_packets)
    }

    /// Octets that the bucket holds. Above the rate at which a millisecond fills a batch it is a millisecond's worth: timers
    /// are no finer than that, and a bucket of one batch would hold such a path to a batch per timer.
    fn capacity(self) -> f64 {
        self.burst().max(self.rate * BURST_TIME)
    }

    /// Octets that must have gathered before an empty bucket opens again, so that batches fill.
    fn quantum(self) -> f64 {
        (self.rate * BURST_TIME)
            .min(BATCH)
            .max(QUANTUM_PACKETS * self.packet)
            .min(self.burst())
    }
}

/// Token bucket. It may go below zero, because probes after a timeout do not ask it.
#[derive(Debug)]
pub(crate) struct Pacer {
    tokens: f64,
    refilled_at: Time,
    opens_at: Option<Time>,
}

impl Pacer {
    /// A bucket that is full for whatever pace comes first.
    pub(crate) fn new(now: Time) -> Self {
        Self {
            tokens: f64::INFINITY,
            refilled_at: now,
            opens_at: None,
        }
    }

    /// Octets that may leave now: 0, or at least a packet and at most a burst. After 0, [`opens_at`](Self::opens_at)
    /// says when to ask again.
    pub(crate) fn allowance(&mut self, now: Time, pace: Pace) -> f64 {
        self.refill(now, pace);
        if self.opens_at.is_some_and(|at| now < at) {
            return 0.0;
        }
        self.opens_at = None;
        if self.tokens < pace.packet {
            let wait = Duration::from_secs_f64((pace.quantum() - self.tokens) / pace.rate);
            // Rounded up to the resolution of `Time`, or the bucket would still be short of the quantum at that time.
            self.opens_at = Some(now + wait + Duration::from_micros(1));
            return 0.0;
        }
        self.tokens.min(pace.burst())
    }

    /// Takes the octets of a packet that left.
    pub(crate) fn on_sent(&mut self, now: Time, pace: Pace, size: u32) {
        self.refill(now, pace);
        self.tokens = (self.tokens - f64::from(size)).max(-pace.capacity());
    }

    /// When the bucket opens again, if it turned a caller away.
    pub(crate) fn opens_at(&self) -> Option<Time> {
        self.opens_at
    }

    /// Forgets a time to open that has come, so that it is not waited for again.
    pub(crate) fn expire(&mut self, now: Time) {
        self.opens_at = self.opens_at.filter(|at| now < *at);
    }

    fn refill(&mut self, now: Time, pace: Pace) {
        let elapsed = now.saturating_since(self.refilled_at);
        self.refilled_at = self.refilled_at.max(now);
        self.tokens = (self.tokens + pace.rate * elapsed.as_secs_f64()).min(pace.capacity());
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const SLOW: Pace = Pace {
        rate: 100_000.0,
        packet: 1_000.0,
    };
    const FAST: Pace = Pace {
        rate: 1e9,
        packet: 1_000.0,
    };

    fn after(micros: u64) -> Time {
        Time::from_micros(1_000_000 + micros)
    }

    /// Sends whole packets as long as the bucket lets it, and returns how many octets left.
    fn drain(pacer: &mut Pacer, now: Time, pace: Pace) -> f64 {
        let mut sent = 0.0;
        while pacer.allowance(now, pace) >= pace.packet {
            pacer.on_sent(now, pace, 1_000);
            sent += 1_000.0;
        }
        sent
    }

    #[test]
    fn a_burst_is_ten_packets_on_a_slow_path() {
        // RFC 9002, 7.7: bursts no longer than the initial window.
        let mut pacer = Pacer::new(after(0));
        assert_eq!(drain(&mut pacer, after(0), SLOW), 10_000.0);
        assert_eq!(pacer.allowance(after(0), SLOW), 0.0);
    }

    #[test]
    fn a_single_allowance_is_a_batch_at_most_on_a_fast_path() {
        let mut pacer = Pacer::new(after(0));
        assert_eq!(pacer.allowance(after(0), FAST), BATCH);
        assert_eq!(
            drain(&mut pacer, after(0), FAST),
            1_000_000.0,
            "a millisecond's worth in all"
        );
    }

    #[test]
    fn the_bucket_fills_at_the_rate() {
        let mut pacer = Pacer::new(after(0));
        let mut sent = drain(&mut pacer, after(0), SLOW) - 10_000.0;
        let mut now = after(0);
        while now < after(10_000_000) {
            now = pacer.opens_at().expect("closed after draining");
            sent += drain(&mut pacer, now, SLOW);
        }
        assert!(
            (990_000.0..=1_010_000.0).contains(&sent),
            "{sent} octets in ten seconds at 100,000 a second"
        );
    }

    #[test]
    fn a_closed_bucket_opens_for_more_than_one_packet() {
        let mut pacer = Pacer::new(after(0));
        drain(&mut pacer, after(0), SLOW);
        let opens = pacer.opens_at().unwrap();
        assert_eq!(pacer.allowance(opens - Duration::from_micros(2), SLOW), 0.0);
        assert!(pacer.allowance(opens, SLOW) >= 2_000.0);
        assert_eq!(pacer.opens_at(), None);
    }

    #[test]
    fn idling_saves_no_more_than_a_burst() {
        let mut pacer = Pacer::new(after(0));
        drain(&mut pacer, after(0), SLOW);
        assert_eq!(drain(&mut pacer, after(3_600_000_000), SLOW), 10_000.0);
    }

    #[test]
    fn a_time_to_open_that_has_come_is_forgotten() {
        let mut pacer = Pacer::new(after(0));
        drain(&mut pacer, after(0), SLOW);
        let opens = pacer.opens_at().unwrap();
        pacer.expire(opens - Duration::from_micros(1));
        assert_eq!(pacer.opens_at(), Some(opens));
        pacer.expire(opens);
        assert_eq!(pacer.opens_at(), None);
    }

    #[test]
    fn what_left_unasked_is_paid_back_later() {
        let mut pacer = Pacer::new(after(0));
        drain(&mut pacer, after(0), SLOW);
        pacer.on_sent(after(0), SLOW, 5_000);
        assert_eq!(pacer.allowance(after(0), SLOW), 0.0);
        let opens = pacer.opens_at().unwrap();
        assert!(
            opens >= after(60_000),
            "5,000 owed and 2,000 to gather at 100,000 a second"
        );
    }

    #[test]
    fn a_burst_of_the_largest_packets_is_two_of_them() {
        let jumbo = Pace {
            rate: 1e6,
            packet: 65_507.0,
        };
        let mut pacer = Pacer::new(after(0));
        assert_eq!(pacer.allowance(after(0), jumbo), 131_014.0);
    }
}
