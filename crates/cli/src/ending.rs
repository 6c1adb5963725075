//! How a command that carries connections ends: it takes no new ones, and those that are there carry over what was written.

use std::sync::atomic::{AtomicU64, Ordering};
use std::time::Duration;

use tokio::sync::watch;

/// How long connections get to carry over what was written. Together with what closing a node may take it stays below 5 s:
/// whoever sends SIGTERM sends SIGKILL before long.
const GRACE: Duration = Duration::from_millis(1500);

/// A connection on which nothing moved for this long has carried over what was written: sockets of one machine, and a path that
/// works, take less.
const QUIET: Duration = Duration::from_millis(200);

/// Tells connections that the command ends, and waits for them.
#[derive(Debug)]
pub(crate) struct Ending {
    ends: watch::Sender<bool>,
}

/// What a connection holds while the end of the command has to wait for it.
#[derive(Clone, Debug)]
pub(crate) struct Hold {
    ends: watch::Receiver<bool>,
}

impl Ending {
    pub(crate) fn new() -> Self {
        Self {
            ends: watch::Sender::new(false),
        }
    }

    pub(crate) fn hold(&self) -> Hold {
        Hold {
            ends: self.ends.subscribe(),
        }
    }

    /// Tells everybody, and waits until nobody holds on any more, or has held on for long enough.
    pub(crate) async fn end(self) {
        self.ends.send_replace(true);
        if tokio::time::timeout(GRACE, self.ends.closed())
            .await
            .is_err()
        {
            tracing::debug!("ending before every connection is done");
        }
    }
}

impl Hold {
    /// Waits until the command ends.
    pub(crate) async fn ended(&mut self) {
        // An error means that whoever would tell is gone: that is the end, too.
        let _ = self.ends.wait_for(|ends| *ends).await;
    }

    /// Holds on until the command ends and the connection, whose octets `moved` counts, has come to rest.
    pub(crate) async fn until_quiet(mut self, moved: &AtomicU64) {
        self.ended().await;
        let mut before = moved.load(Ordering::Relaxed);
        loop {
            tokio::time::sleep(QUIET).await;
            let so_far = moved.load(Ordering::Relaxed);
            if so_far == before {
                return;
            }
            before = so_far;
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[tokio::test(start_paused = true)]
    async fn the_end_waits_for_what_moves_and_not_for_what_rests() {
        let (ending, moved) = (Ending::new(), AtomicU64::new(0));
        let hold = ending.hold();
        let start = tokio::time::Instant::now();
        let moving = async {
            for _ in 0..5 {
                tokio::time::sleep(QUIET / 2).await;
                moved.fetch_add(1, Ordering::Relaxed);
            }
        };
        tokio::join!(ending.end(), hold.until_quiet(&moved), moving);
        let took = start.elapsed();
        assert!(took > QUIET * 5 / 2 && took < GRACE, "{took:?}");
    }

    #[tokio::test(start_paused = true)]
    async fn the_end_does_not_wait_for_ever() {
        let ending = Ending::new();
        let _hold = ending.hold();
        let start = tokio::time::Instant::now();
        ending.end().await;
        assert_eq!(start.elapsed(), GRACE);
    }

    #[tokio::test]
    async fn without_connections_the_end_comes_at_once() {
        let ending = Ending::new();
        drop(ending.hold());
        ending.end().await;
    }
}
