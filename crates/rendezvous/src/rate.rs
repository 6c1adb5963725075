//! How fast somebody may ask.

use std::time::Duration;

use keyway_wire::Time;

/// A bucket of tokens that fills at a steady rate. Counts in microseconds of filling, so that no fraction is lost.
#[derive(Debug)]
pub(crate) struct Bucket {
    /// Filling that one token costs, in microseconds.
    cost: u64,
    /// Filling that the bucket holds when full.
    capacity: u64,
    filled: u64,
    updated: Time,
}

impl Bucket {
    /// Full, with `burst` tokens; one more every `interval`.
    pub(crate) const fn new(now: Time, interval: Duration, burst: u32) -> Self {
        let cost = (interval.as_secs() * 1_000_000) + interval.subsec_micros() as u64;
        let capacity = cost * burst as u64;
        Self {
            cost,
            capacity,
            filled: capacity,
            updated: now,
        }
    }

    /// Takes a token, if there is one.
    pub(crate) fn take(&mut self, now: Time) -> bool {
        let passed = now.saturating_since(self.updated).as_micros();
        let passed = u64::try_from(passed).unwrap_or(u64::MAX);
        self.updated = self.updated.max(now);
        self.filled = self.filled.saturating_add(passed).min(self.capacity);
        let enough = self.filled >= self.cost;
        if enough {
            self.filled -= self.cost;
        }
        enough
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const INTERVAL: Duration = Duration::from_millis(20);

    fn at(millis: u64) -> Time {
        Time::from_micros(millis * 1000)
    }

    #[test]
    fn a_burst_passes_and_then_the_steady_rate() {
        let mut bucket = Bucket::new(at(0), INTERVAL, 100);
        let passed = |bucket: &mut Bucket, millis, tries| {
            (0..tries).filter(|_| bucket.take(at(millis))).count()
        };
        assert_eq!(passed(&mut bucket, 0, 1000), 100);
        assert_eq!(passed(&mut bucket, 19, 1000), 0);
        assert_eq!(passed(&mut bucket, 20, 1000), 1);
        assert_eq!(passed(&mut bucket, 1020, 1000), 50);
        assert_eq!(passed(&mut bucket, 1_000_000, 1000), 100);
    }

    #[test]
    fn asking_often_does_not_slow_the_filling() {
        let mut bucket = Bucket::new(at(0), INTERVAL, 1);
        assert!(bucket.take(at(0)));
        let passed = (1..=1000).filter(|millis| bucket.take(at(*millis))).count();
        assert_eq!(passed, 50);
    }

    #[test]
    fn time_that_goes_back_or_jumps_gives_no_more_than_a_burst() {
        let mut bucket = Bucket::new(at(100), INTERVAL, 2);
        assert!(bucket.take(at(0)) && bucket.take(at(0)) && !bucket.take(at(50)));
        let end = Time::from_micros(u64::MAX);
        assert!(bucket.take(end) && bucket.take(end) && !bucket.take(end));
    }
}
