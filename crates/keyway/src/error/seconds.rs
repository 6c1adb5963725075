//! How messages tell a timeout.

use std::fmt;
use std::time::Duration;

/// A duration as people say it: whole seconds where it has them.
pub(super) struct Seconds(pub(super) Duration);

impl fmt::Display for Seconds {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        if self.0.subsec_millis() == 0 {
            write!(f, "{} s", self.0.as_secs())
        } else {
            write!(f, "{} ms", self.0.as_millis())
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_duration_below_a_second_is_told_in_milliseconds() {
        assert_eq!(Seconds(Duration::from_millis(1500)).to_string(), "1500 ms");
        assert_eq!(Seconds(Duration::from_secs(2)).to_string(), "2 s");
    }
}
