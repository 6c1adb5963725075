//! Why a run is no good.

use std::fmt;

use keyway_wire::Time;

/// Something happened that must not, or did not happen in time.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Failure {
    time: Time,
    message: String,
}

impl Failure {
    /// Something panicked, and nobody knows when.
    #[must_use]
    pub fn panicked() -> Self {
        Self::new(Time::ZERO, "it panicked")
    }

    /// A failure noticed at `time`.
    #[must_use]
    pub fn new(time: Time, message: impl Into<String>) -> Self {
        Self {
            time,
            message: message.into(),
        }
    }
}

impl fmt::Display for Failure {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        let seconds = self.time.saturating_since(Time::ZERO).as_secs_f64();
        write!(formatter, "at {seconds:.6} s: {}", self.message)
    }
}

impl std::error::Error for Failure {}
