//! How long a stream waits for a peer that acknowledges nothing.

use std::sync::atomic::{AtomicU64, Ordering};
use std::time::Duration;

/// A duration that the application sets and the driver reads, in microseconds.
#[derive(Debug)]
pub(crate) struct Patience(AtomicU64);

impl Patience {
    pub(crate) fn new(duration: Duration) -> Self {
        Self(AtomicU64::new(micros(duration)))
    }

    pub(crate) fn get(&self) -> Duration {
        Duration::from_micros(self.0.load(Ordering::Relaxed))
    }

    pub(crate) fn set(&self, duration: Duration) {
        self.0.store(micros(duration), Ordering::Relaxed);
    }
}

/// Half a million years and more are all the same.
fn micros(duration: Duration) -> u64 {
    u64::try_from(duration.as_micros()).unwrap_or(u64::MAX)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn it_is_what_was_set_last() {
        let patience = Patience::new(Duration::from_secs(300));
        patience.set(Duration::from_millis(1));
        assert_eq!(patience.get(), Duration::from_millis(1));
        patience.set(Duration::MAX);
        assert_eq!(patience.get(), Duration::from_micros(u64::MAX));
    }
}
