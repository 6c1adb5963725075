//! Closing a node.

use std::io;
use std::time::Duration;

use super::ConnectionError;
use super::seconds::Seconds;

/// Why not everything was delivered when a node was closed.
///
/// ```
/// use keyway::{CloseError, Node};
///
/// # async fn run(node: Node) -> Result<(), CloseError> {
/// match node.close().await {
///     Err(CloseError::Undelivered { linger }) => {
///         println!("somebody has not read everything within {} s", linger.as_secs());
///         Ok(())
///     }
///     closed => closed,
/// }
/// # }
/// ```
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[non_exhaustive]
pub enum CloseError {
    /// The time to linger passed, and peers had not acknowledged all that was written.
    #[error("closed before everything was delivered: peers did not acknowledge within {}", Seconds(*linger))]
    Undelivered {
        /// The time that was waited.
        linger: Duration,
    },
    /// The node ended before.
    #[error(transparent)]
    Lost(#[from] ConnectionError),
}

impl From<CloseError> for io::Error {
    fn from(error: CloseError) -> Self {
        let kind = match &error {
            CloseError::Undelivered { .. } => io::ErrorKind::TimedOut,
            CloseError::Lost(lost) => lost.kind(),
        };
        Self::new(kind, error)
    }
}
