//! How long a path takes: the round-trip estimator of RFC 9002, 5.

use std::time::Duration;

use keyway_wire::Time;

/// Resolution that timers are assumed to have (RFC 9002, 6.1.2, `kGranularity`).
pub(crate) const GRANULARITY: Duration = Duration::from_millis(1);

/// Round-trip times of one path: the last sample, its smoothed mean, its variation and its minimum.
#[derive(Clone, Debug)]
pub(crate) struct Rtt {
    latest: Duration,
    smoothed: Duration,
    variation: Duration,
    min: Duration,
    first_sample_at: Option<Time>,
    /// The next sample becomes the minimum whatever it is (RFC 9002, 5.2).
    restart_min: bool,
}

impl Rtt {
    /// An estimator without a sample, which assumes `initial` (RFC 9002, 6.2.2).
    pub(crate) fn new(initial: Duration) -> Self {
        Self {
            latest: initial,
            smoothed: initial,
            variation: initial / 2,
            min: initial,
            first_sample_at: None,
            restart_min: true,
        }
    }

    /// Takes a sample: `sample` is the time between sending and acknowledgement, of which the peer held the packet back
    /// for `ack_delay`, already limited to what it may (RFC 9002, 5.3). Returns the sample less that delay.
    pub(crate) fn update(&mut self, now: Time, sample: Duration, ack_delay: Duration) -> Duration {
        // Below the resolution of `Time` there is no zero: rates are divided by this.
        let sample = sample.max(Duration::from_micros(1));
        self.latest = sample;
        self.min = if self.restart_min {
            sample
        } else {
            self.min.min(sample)
        };
        self.restart_min = false;
        // The minimum ignores the peer's delay, so that no lie lowers it, and the subtraction goes only down to it.
        let adjusted = if sample >= self.min + ack_delay {
            sample - ack_delay
        } else {
            sample
        };
        if self.first_sample_at.is_none() {
            self.first_sample_at = Some(now);
            self.smoothed = adjusted;
            self.variation = adjusted / 2;
        } else {
            self.variation = (self.variation * 3 + self.smoothed.abs_diff(adjusted)) / 4;
            self.smoothed = (self.smoothed * 7 + adjusted) / 8;
        }
        adjusted
    }

    /// Lets the next sample replace the minimum: after persistent congestion the route may be another (RFC 9002, 5.2).
    pub(crate) fn restart_min(&mut self) {
        self.restart_min = true;
    }

    /// The last sample, with the peer's delay; the initial value before the first.
    #[cfg(test)]
    pub(crate) fn latest(&self) -> Duration {
        self.latest
    }

    /// Mean, exponentially weighted by 1/8, without the peer's delay.
    pub(crate) fn smoothed(&self) -> Duration {
        self.smoothed
    }

    /// Mean deviation, exponentially weighted by 1/4.
    #[cfg(test)]
    pub(crate) fn variation(&self) -> Duration {
        self.variation
    }

    /// Smallest sample since the first, or since persistent congestion.
    pub(crate) fn min(&self) -> Duration {
        self.min
    }

    /// When the first sample came; `None` while the estimate is the initial guess.
    pub(crate) fn first_sample_at(&self) -> Option<Time> {
        self.first_sample_at
    }

    /// Probe timeout without backoff (RFC 9002, 6.2.1).
    pub(crate) fn pto_base(&self, max_ack_delay: Duration) -> Duration {
        self.smoothed + (self.variation * 4).max(GRANULARITY) + max_ack_delay
    }

    /// How long after a packet was sent it counts as lost, once a later one is acknowledged: 9/8 of the round trip
    /// (RFC 9002, 6.1.2).
    pub(crate) fn loss_delay(&self) -> Duration {
        (self.smoothed.max(self.latest) * 9 / 8).max(GRANULARITY)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const MS: Duration = Duration::from_millis(1);

    #[test]
    fn the_first_sample_sets_mean_and_half_of_it_as_variation() {
        // RFC 9002, 5.3.
        let mut rtt = Rtt::new(333 * MS);
        assert_eq!((rtt.smoothed(), rtt.first_sample_at()), (333 * MS, None));
        rtt.update(Time::from_micros(5), 100 * MS, Duration::ZERO);
        assert_eq!(
            (rtt.smoothed(), rtt.variation(), rtt.min()),
            (100 * MS, 50 * MS, 100 * MS)
        );
        assert_eq!(rtt.first_sample_at(), Some(Time::from_micros(5)));
    }

    #[test]
    fn later_samples_move_the_mean_by_an_eighth_and_the_variation_by_a_quarter() {
        // RFC 9002, 5.3.
        let mut rtt = Rtt::new(333 * MS);
        rtt.update(Time::ZERO, 100 * MS, Duration::ZERO);
        rtt.update(Time::ZERO, 180 * MS, Duration::ZERO);
        assert_eq!(rtt.smoothed(), 110 * MS);
        assert_eq!(rtt.variation(), Duration::from_micros(57_500));
        assert_eq!((rtt.latest(), rtt.min()), (180 * MS, 100 * MS));
    }

    #[test]
    fn the_delay_of_the_peer_is_subtracted_only_down_to_the_minimum() {
        // RFC 9002, 5.3: a peer that overstates its delay must not make the path look shorter than it ever was.
        let mut rtt = Rtt::new(333 * MS);
        rtt.update(Time::ZERO, 100 * MS, Duration::ZERO);
        assert_eq!(rtt.update(Time::ZERO, 120 * MS, 10 * MS), 110 * MS);
        assert_eq!(rtt.update(Time::ZERO, 105 * MS, 10 * MS), 105 * MS);
    }

    #[test]
    fn the_minimum_ignores_the_delay_and_restarts_after_persistent_congestion() {
        // RFC 9002, 5.2.
        let mut rtt = Rtt::new(333 * MS);
        rtt.update(Time::ZERO, 50 * MS, 20 * MS);
        assert_eq!(rtt.min(), 50 * MS);
        rtt.restart_min();
        rtt.update(Time::ZERO, 90 * MS, Duration::ZERO);
        assert_eq!(rtt.min(), 90 * MS);
    }

    #[test]
    fn the_probe_timeout_is_mean_plus_four_variations_plus_the_delay_of_the_peer() {
        // RFC 9002, 6.2.1.
        let mut rtt = Rtt::new(333 * MS);
        rtt.update(Time::ZERO, 100 * MS, Duration::ZERO);
        assert_eq!(rtt.pto_base(25 * MS), 325 * MS);
        // The variation counts for at least the resolution of timers.
        for _ in 0..100 {
            rtt.update(Time::ZERO, 100 * MS, Duration::ZERO);
        }
        assert_eq!(rtt.pto_base(25 * MS), 126 * MS);
    }

    #[test]
    fn the_loss_delay_is_nine_eighths_of_the_longer_estimate_and_at_least_a_millisecond() {
        // RFC 9002, 6.1.2.
        let mut rtt = Rtt::new(333 * MS);
        rtt.update(Time::ZERO, 80 * MS, Duration::ZERO);
        assert_eq!(rtt.loss_delay(), 90 * MS);
        rtt.update(Time::ZERO, 160 * MS, Duration::ZERO);
        assert_eq!(rtt.loss_delay(), 180 * MS);
        let mut short = Rtt::new(333 * MS);
        short.update(Time::ZERO, Duration::ZERO, Duration::ZERO);
        assert_eq!(short.loss_delay(), MS);
        assert!(short.smoothed() > Duration::ZERO);
    }
}
