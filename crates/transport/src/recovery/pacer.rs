//! Spreads packets over the round trip (RFC 9002, 7.7): a token bucket in octets.

use std::time::Duration;

use keyway_wire::Time;

/// One wake-up sends about as much as passes in this time, so that fast paths get full batches and slow ones small bursts.
const BURST_TIME: f64 = 0.001;

/// How long the bucket goes on gathering while nobody asks, beyond one wake-up's worth: the window is closed, or the machine is busy.
const LATE_TIME: f64 = 0.001;

/// How late the wake-up may be that the bucket asked for, without a loss of rate. Timers that count in milliseconds round twice: the
/// deadline up to the next one, and the time to sleep until then. At 50 Mbit/s, where one wake-up is worth a millisecond, two of
/// them late and not made up for would leave five sixths of the link.
const LATE_TIMER: f64 = 0.002;

/// Octets that one batch holds; a longer burst gains nothing.
const BATCH: f64 = 65_536.0;

/// Packets that a wake-up is worth at the slowest rate.
const QUANTUM_PACKETS: f64 = 2.0;

/// Packets that may leave at once when nothing is in flight: the initial window (RFC 9002, 7.2 and 7.7).
const IDLE_PACKETS: f64 = 10.0;

/// What the bucket is measured by at the moment.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Pace {
    /// Octets a second.
    pub(crate) rate: f64,
    /// Octets of a full packet.
    pub(crate) packet: f64,
}

impl Pace {
    /// Octets that must have gathered before an empty bucket opens again: a millisecond's worth up to a batch, and no
    /// less than two packets.
    pub(crate) fn quantum(self) -> f64 {
        (self.rate * BURST_TIME)
            .min(BATCH)
            .max(QUANTUM_PACKETS * self.packet)
    }

    /// Octets that the bucket gathers while packets are in flight, if the wake-up that it asked for came so many seconds late. Not the ten
    /// packets of an idle path: the window closes between acknowledgements, and ten packets with each of them overflow the
    /// shallow queues of slow paths.
    fn capacity(self, late: f64) -> f64 {
        self.quantum() + self.rate * late.clamp(LATE_TIME, LATE_TIMER)
    }

    /// Octets that an idle path may burst: ten packets, but of large ones no more than a batch, or two.
    fn idle_burst(self) -> f64 {
        (IDLE_PACKETS * self.packet).min(BATCH).max(self.quantum())
    }
}

/// Token bucket. It may go below zero, because probes after a timeout do not ask it.
#[derive(Debug)]
pub(crate) struct Pacer {
    tokens: f64,
    refilled_at: Time,
    opens_at: Option<Time>,
    /// How late the last wake-up was that the bucket asked for.
    late: Duration,
}

impl Pacer {
    /// An empty bucket.
    pub(crate) fn new(now: Time) -> Self {
        Self {
            tokens: 0.0,
            refilled_at: now,
            opens_at: None,
            late: Duration::ZERO,
        }
    }

    /// Octets that may leave now: 0, or at least a packet and at most a batch. After 0, [`opens_at`](Self::opens_at)
    /// says when to ask again. `idle` says that nothing is in flight.
    pub(crate) fn allowance(&mut self, now: Time, pace: Pace, idle: bool) -> f64 {
        self.opens_at.take_if(|at| *at <= now);
        self.refill(now, pace);
        if idle {
            self.tokens = self.tokens.max(pace.idle_burst());
            self.opens_at = None;
        }
        if self.opens_at.is_some() {
            return 0.0;
        }
        if self.tokens < pace.packet {
            let wait = Duration::from_secs_f64((pace.quantum() - self.tokens) / pace.rate);
            // Rounded up to the resolution of `Time`, or the bucket would still be short of the quantum at that time.
            self.opens_at = Some(now + wait + Duration::from_micros(1));
            return 0.0;
        }
        self.tokens.min(BATCH.max(pace.packet))
    }

    /// Takes the octets of a packet that left.
    pub(crate) fn on_sent(&mut self, size: u32) {
        self.tokens -= f64::from(size);
    }

    /// When the bucket opens again, if it turned a caller away.
    pub(crate) fn opens_at(&self) -> Option<Time> {
        self.opens_at
    }

    /// Forgets a time to open that has come, so that it is not waited for again. `awaited` says that it was waited for: how late
    /// that wake-up came is made up for.
    pub(crate) fn on_timeout(&mut self, now: Time, awaited: bool) {
        if let Some(at) = self.opens_at.take_if(|at| *at <= now)
            && awaited
        {
            self.late = now.saturating_since(at);
        }
    }

    fn refill(&mut self, now: Time, pace: Pace) {
        let elapsed = now.saturating_since(self.refilled_at);
        self.refilled_at = self.refilled_at.max(now);
        let capacity = pace.capacity(std::mem::take(&mut self.late).as_secs_f64());
        let gathered = (self.tokens + pace.rate * elapsed.as_secs_f64()).min(capacity);
        // What is left of the burst of an idle path is not taken back; what left unasked is owed, but not for ever.
        self.tokens = self.tokens.max(gathered).max(-capacity);
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
        while pacer.allowance(now, pace, false) >= pace.packet {
            pacer.on_sent(1_000);
            sent += 1_000.0;
        }
        sent
    }

    /// An idle path whose burst has left.
    fn drained(pace: Pace) -> Pacer {
        let mut pacer = Pacer::new(after(0));
        pacer.allowance(after(0), pace, true);
        drain(&mut pacer, after(0), pace);
        pacer
    }

    #[test]
    fn an_idle_path_may_burst_ten_packets() {
        // RFC 9002, 7.7: bursts no longer than the initial window.
        let mut pacer = Pacer::new(after(0));
        assert_eq!(pacer.allowance(after(0), SLOW, true), 10_000.0);
        assert_eq!(drain(&mut pacer, after(0), SLOW), 10_000.0);
        assert_eq!(pacer.allowance(after(0), SLOW, false), 0.0);
    }

    #[test]
    fn a_single_allowance_is_a_batch_at_most() {
        let mut pacer = Pacer::new(after(0));
        assert_eq!(pacer.allowance(after(1_000_000), FAST, false), BATCH);
        let sent = drain(&mut pacer, after(1_000_000), FAST);
        assert_eq!(sent, 1_065_000.0, "a batch and what a late timer missed");
    }

    #[test]
    fn the_bucket_fills_at_the_rate() {
        let mut pacer = drained(SLOW);
        let (mut sent, mut now) = (0.0, after(0));
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
    fn wake_ups_two_milliseconds_late_do_not_slow_it_down() {
        let pace = Pace {
            rate: 5e6,
            packet: 1_000.0,
        };
        let mut pacer = drained(pace);
        let (mut sent, mut now) = (0.0, after(0));
        while now < after(10_000_000) {
            now = pacer.opens_at().expect("closed after draining") + Duration::from_micros(1_999);
            pacer.on_timeout(now, true);
            sent += drain(&mut pacer, now, pace);
        }
        assert!(
            sent >= 49e6,
            "{sent} octets in ten seconds at 5,000,000 a second"
        );
    }

    #[test]
    fn a_closed_bucket_opens_for_more_than_one_packet() {
        let mut pacer = drained(SLOW);
        let opens = pacer.opens_at().unwrap();
        assert_eq!(
            pacer.allowance(opens - Duration::from_micros(2), SLOW, false),
            0.0
        );
        assert!(pacer.allowance(opens, SLOW, false) >= 2_000.0);
        assert_eq!(pacer.opens_at(), None);
    }

    #[test]
    fn waiting_for_the_window_saves_no_more_than_a_few_packets() {
        let mut pacer = drained(SLOW);
        assert_eq!(drain(&mut pacer, after(3_600_000_000), SLOW), 2_000.0);
    }

    #[test]
    fn only_its_own_wake_up_may_be_so_late() {
        let pace = Pace {
            rate: 5e6,
            packet: 1_000.0,
        };
        let mut pacer = drained(pace);
        let opens = pacer.opens_at().unwrap();
        // The window was closed: an acknowledgement came, or another timer was due.
        for noticed in [false, true] {
            let mut pacer = drained(pace);
            let now = opens + Duration::from_millis(50);
            if noticed {
                pacer.on_timeout(now, false);
            }
            assert_eq!(
                drain(&mut pacer, now, pace),
                10_000.0,
                "two milliseconds' worth"
            );
        }
        let now = opens + Duration::from_millis(50);
        pacer.on_timeout(now, true);
        assert_eq!(drain(&mut pacer, now, pace), 15_000.0, "three");
    }

    #[test]
    fn a_time_to_open_that_has_come_is_forgotten() {
        let mut pacer = drained(SLOW);
        let opens = pacer.opens_at().unwrap();
        pacer.on_timeout(opens - Duration::from_micros(1), true);
        assert_eq!(pacer.opens_at(), Some(opens));
        pacer.on_timeout(opens, true);
        assert_eq!(pacer.opens_at(), None);
    }

    #[test]
    fn what_left_unasked_is_paid_back_later() {
        let mut pacer = drained(SLOW);
        pacer.on_sent(2_000);
        let mut now = after(0);
        while pacer.allowance(now, SLOW, false) == 0.0 {
            now = pacer.opens_at().unwrap();
        }
        assert!(
            now >= after(40_000),
            "2,000 owed and 2,000 to gather at 100,000 a second: {now:?}"
        );
    }

    #[test]
    fn the_burst_of_an_idle_path_is_a_batch_of_large_packets_or_two_of_the_largest() {
        let large = Pace {
            rate: 1e6,
            packet: 8_900.0,
        };
        assert_eq!(Pacer::new(after(0)).allowance(after(0), large, true), BATCH);
        let largest = Pace {
            rate: 1e6,
            packet: 65_507.0,
        };
        let mut pacer = Pacer::new(after(0));
        for _ in 0..2 {
            assert!(pacer.allowance(after(0), largest, true) >= 65_507.0);
            pacer.on_sent(65_507);
        }
    }
}
