//! How often somebody may do something.

use std::time::Duration;

use keyway_wire::Time;

/// How often something may happen: `per_second` in the long run, and `burst` at once after a pause. Nothing happens at all where
/// one of the two is 0; more than a million in a second is no limit.
#[derive(Copy, Clone, Eq, PartialEq, Debug)]
pub struct Rate {
    /// Events in a second, in the long run.
    pub per_second: u32,
    /// Events at once.
    pub burst: u32,
}

impl Rate {
    /// So many in a second, and as a burst so many.
    #[must_use]
    pub const fn new(per_second: u32, burst: u32) -> Self {
        Self { per_second, burst }
    }

    /// From one event to the next in the long run.
    #[must_use]
    pub fn interval(self) -> Duration {
        Duration::from_micros(1_000_000 / u64::from(self.per_second.max(1)))
    }

    /// From an empty bucket to a full one.
    #[must_use]
    pub fn fills_within(self) -> Duration {
        self.interval().saturating_mul(self.burst)
    }

    /// Takes one of a bucket that is full at `full_at`, if there is one.
    ///
    /// One time is all that a bucket needs (the generic cell rate algorithm, ITU-T I.371): the later it is full, the
    /// emptier it is.
    pub fn take(self, now: Time, full_at: &mut Time) -> bool {
        let start = (*full_at).max(now);
        let room = self.interval().saturating_mul(self.burst.saturating_sub(1));
        let passes = self.per_second > 0 && self.burst > 0;
        if !passes || start.saturating_since(now) > room {
            return false;
        }
        *full_at = start + self.interval();
        true
    }

    /// When a bucket that is full at `full_at` has one to take.
    #[must_use]
    pub fn ready_at(self, full_at: Time) -> Time {
        full_at - self.interval().saturating_mul(self.burst.saturating_sub(1))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn at(millis: u64) -> Time {
        Time::from_micros(millis * 1000)
    }

    #[test]
    fn a_burst_passes_and_then_the_steady_rate() {
        let (rate, mut full_at) = (Rate::new(20, 5), Time::ZERO);
        let mut passed = |millis, tries| {
            (0..tries)
                .filter(|_| rate.take(at(millis), &mut full_at))
                .count()
        };
        assert_eq!(passed(1000, 100), 5);
        assert_eq!(passed(1049, 100), 0);
        assert_eq!(passed(1050, 100), 1);
        assert_eq!(passed(1150, 100), 2);
        assert_eq!(passed(60_000, 100), 5);
    }

    #[test]
    fn a_bucket_is_ready_when_it_says_so() {
        let (rate, mut full_at) = (Rate::new(10, 3), Time::ZERO);
        while rate.take(at(1000), &mut full_at) {}
        let ready = rate.ready_at(full_at);
        assert!(!rate.take(ready - Duration::from_micros(1), &mut full_at));
        assert!(rate.take(ready, &mut full_at));
    }

    #[test]
    fn a_rate_of_nothing_lets_nothing_pass_and_a_boundless_one_everything() {
        let mut full_at = Time::ZERO;
        for rate in [Rate::new(0, 5), Rate::new(5, 0), Rate::new(0, 0)] {
            assert!(!rate.take(at(1), &mut full_at));
        }
        let boundless = Rate::new(u32::MAX, 1);
        assert!((0..10_000).all(|_| boundless.take(at(1), &mut full_at)));
    }

    // L6
    #[test]
    fn the_ends_of_time_and_of_numbers_do_no_harm() {
        for (per_second, burst) in [(1, u32::MAX), (u32::MAX, u32::MAX), (1, 1)] {
            let rate = Rate::new(per_second, burst);
            let mut full_at = Time::ZERO;
            assert!(rate.take(Time::from_micros(u64::MAX), &mut full_at));
            assert!(rate.ready_at(full_at) <= full_at);
        }
    }
}
