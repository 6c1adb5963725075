//! The one place that reads a clock.
#![expect(
    clippy::disallowed_methods,
    reason = "the cores take time as an argument, and somebody has to read it: this file, for all of them"
)]

use std::time::{Duration, Instant, SystemTime, UNIX_EPOCH};

use keyway_node::Wall;
use keyway_wire::Time;

/// Turns the system's clocks into the times of the cores. One for each node, so that its times start near zero.
#[derive(Copy, Clone, Debug)]
pub(crate) struct Clock {
    start: Instant,
}

impl Clock {
    pub(crate) fn new() -> Self {
        Self {
            start: Instant::now(),
        }
    }

    /// The monotonic time. Read once for each round of the driver, so that everything in a round agrees.
    pub(crate) fn now(&self) -> Time {
        Time::ZERO + self.start.elapsed()
    }

    /// When `time` is, for a timer.
    pub(crate) fn instant(&self, time: Time) -> tokio::time::Instant {
        let since_start = time.saturating_since(Time::ZERO);
        // A time beyond what the system can represent is never: far enough is the same.
        let instant = self
            .start
            .checked_add(since_start)
            .unwrap_or_else(|| self.start + NEVER);
        tokio::time::Instant::from_std(instant)
    }

    /// The wall-clock time. A clock before 1970 reads as 1970: records made then are refused by others as expired.
    pub(crate) fn wall() -> Wall {
        let since_epoch = SystemTime::now()
            .duration_since(UNIX_EPOCH)
            .unwrap_or_default();
        Wall(since_epoch.as_secs())
    }
}

/// As far ahead as a timer needs to be set: the time that tokio itself calls far in the future.
const NEVER: Duration = Duration::from_secs(86_400 * 365 * 30);

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn time_goes_on() {
        let clock = Clock::new();
        let before = clock.now();
        while clock.now() == before {
            std::hint::spin_loop();
        }
        assert!(clock.now() > before);
    }

    #[test]
    fn a_time_becomes_the_instant_that_reads_as_it() {
        let clock = Clock::new();
        let second = clock.instant(Time::from_micros(1_000_000));
        assert_eq!(second.into_std() - clock.start, Duration::from_secs(1));
    }

    #[test]
    fn the_last_time_is_a_valid_instant() {
        let clock = Clock::new();
        assert!(clock.instant(Time::from_micros(u64::MAX)).into_std() > clock.start + NEVER / 2);
    }

    #[test]
    fn the_wall_clock_is_past_the_year_2020() {
        assert!(Clock::wall() > Wall(1_577_836_800));
    }
}
