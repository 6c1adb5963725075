//! The time of day, as two machines have to agree on it.

use std::time::Duration;

/// Wall-clock time: seconds since 1970-01-01 00:00 UTC.
///
/// Used for the lifetime of records only. It may jump in both directions, and clocks of two machines differ; deadlines
/// of this machine alone are [`keyway_wire::Time`].
///
/// ```
/// use std::time::Duration;
///
/// use keyway_rendezvous::Wall;
///
/// let issued = Wall(1_800_000_000);
/// let expiry = issued.saturating_add(Duration::from_secs(300));
/// assert_eq!(expiry.saturating_since(issued), Duration::from_secs(300));
/// ```
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct Wall(pub u64);

impl Wall {
    /// This much later, in whole seconds; at the end of time, no later.
    #[must_use]
    pub const fn saturating_add(self, duration: Duration) -> Self {
        Self(self.0.saturating_add(duration.as_secs()))
    }

    /// How much later this is than `earlier`; zero if it is not.
    pub const fn saturating_since(self, earlier: Self) -> Duration {
        Duration::from_secs(self.0.saturating_sub(earlier.0))
    }
}
