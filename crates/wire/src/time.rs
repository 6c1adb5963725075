use std::ops::{Add, AddAssign, Sub};
use std::time::Duration;

/// A point in time, in microseconds since an arbitrary start.
///
/// The cores read no clock: whoever drives them says what time it is. Arithmetic saturates at both ends, so that no
/// number from the wire can overflow it, and a simulator may jump as far as it likes. Differences between two times are
/// meaningful only within one process.
///
/// ```
/// use std::time::Duration;
///
/// use keyway_wire::Time;
///
/// let start = Time::from_micros(1_000);
/// let later = start + Duration::from_millis(5);
/// assert_eq!(later.saturating_since(start), Duration::from_millis(5));
/// assert_eq!(start.saturating_since(later), Duration::ZERO);
/// ```
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct Time(u64);

impl Time {
    /// The arbitrary start.
    pub const ZERO: Self = Self(0);

    /// The time so many microseconds after the start.
    #[must_use]
    pub const fn from_micros(micros: u64) -> Self {
        Self(micros)
    }

    /// Microseconds since the start.
    #[must_use]
    pub const fn as_micros(self) -> u64 {
        self.0
    }

    /// How long after `earlier` this is; zero when `earlier` is later.
    #[must_use]
    pub const fn saturating_since(self, earlier: Self) -> Duration {
        Duration::from_micros(self.0.saturating_sub(earlier.0))
    }
}

/// A duration in whole microseconds, rounded down, the longest representable one where it is longer.
fn micros(duration: Duration) -> u64 {
    u64::try_from(duration.as_micros()).unwrap_or(u64::MAX)
}

impl Add<Duration> for Time {
    type Output = Self;

    fn add(self, duration: Duration) -> Self {
        Self(self.0.saturating_add(micros(duration)))
    }
}

impl AddAssign<Duration> for Time {
    fn add_assign(&mut self, duration: Duration) {
        *self = *self + duration;
    }
}

impl Sub<Duration> for Time {
    type Output = Self;

    fn sub(self, duration: Duration) -> Self {
        Self(self.0.saturating_sub(micros(duration)))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn adding_counts_in_microseconds() {
        let mut time = Time::ZERO + Duration::from_millis(3);
        time += Duration::from_nanos(1_999);
        assert_eq!(time.as_micros(), 3_001);
        assert_eq!((time - Duration::from_micros(1)).as_micros(), 3_000);
    }

    #[test]
    fn arithmetic_saturates_at_both_ends() {
        let last = Time::from_micros(u64::MAX);
        assert_eq!(last + Duration::from_micros(1), last);
        assert_eq!(Time::ZERO + Duration::MAX, last);
        assert_eq!(Time::from_micros(5) - Duration::from_micros(6), Time::ZERO);
        assert_eq!(last - Duration::MAX, Time::ZERO);
    }

    #[test]
    fn no_time_passes_since_a_later_time() {
        let (early, late) = (Time::from_micros(10), Time::from_micros(25));
        assert_eq!(late.saturating_since(early), Duration::from_micros(15));
        assert_eq!(early.saturating_since(late), Duration::ZERO);
        assert_eq!(
            Time::from_micros(u64::MAX).saturating_since(Time::ZERO),
            Duration::from_micros(u64::MAX)
        );
    }
}
