//! Clock readings, and what many of them say.

use std::time::{Duration, Instant};

use crate::report::Figures;

/// Reads the clock.
#[must_use]
#[expect(
    clippy::disallowed_methods,
    reason = "a benchmark measures time; this is the one place that reads the clock"
)]
pub fn now() -> Instant {
    Instant::now()
}

/// How long something took, many times.
#[derive(Default)]
pub struct Timings(Vec<Duration>);

impl Timings {
    /// One more.
    pub fn push(&mut self, took: Duration) {
        self.0.push(took);
    }

    /// How many there are.
    #[must_use]
    pub fn count(&self) -> usize {
        self.0.len()
    }

    /// All of them together, in seconds.
    #[must_use]
    pub fn total(&self) -> f64 {
        self.0.iter().sum::<Duration>().as_secs_f64()
    }

    /// The time that this share of all did not exceed, in seconds: the nearest rank, an observed value. Zero if there is none.
    #[must_use]
    pub fn percentile(&mut self, percent: usize) -> f64 {
        self.0.sort_unstable();
        let rank = (self.0.len() * percent).div_ceil(100).max(1);
        self.0.get(rank - 1).map_or(0.0, Duration::as_secs_f64)
    }

    /// The figures of round trips.
    #[must_use]
    pub fn round_trips(mut self) -> Figures {
        Figures::from([
            ("p50_us", self.percentile(50) * 1e6),
            ("p99_us", self.percentile(99) * 1e6),
        ])
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn timings(seconds: impl IntoIterator<Item = u64>) -> Timings {
        Timings(seconds.into_iter().map(Duration::from_secs).collect())
    }

    #[test]
    fn percentiles_are_observed_values_whatever_the_order() {
        let mut timings = timings((1..=100).rev());
        assert_eq!(timings.percentile(50), 50.0);
        assert_eq!(timings.percentile(99), 99.0);
        assert_eq!(timings.percentile(100), 100.0);
    }

    #[test]
    fn few_observations_are_enough_for_a_percentile() {
        assert_eq!(timings([7]).percentile(50), 7.0);
        assert_eq!(timings([7]).percentile(99), 7.0);
        assert_eq!(timings([1, 9, 2]).percentile(50), 2.0);
        assert_eq!(timings([]).percentile(50), 0.0);
    }

    #[test]
    fn the_total_is_the_sum() {
        assert_eq!(timings([1, 2, 3]).total(), 6.0);
        assert_eq!(timings([1, 2, 3]).count(), 3);
    }
}
