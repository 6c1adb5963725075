//! Looking up a record.

use std::io;
use std::time::Duration;

use keyway_identity::NodeId;

use super::ConnectionError;
use super::seconds::Seconds;

/// Why a record could not be looked up.
///
/// ```
/// use keyway::{LookupError, Node};
///
/// # #[tokio::main]
/// # async fn main() -> Result<(), Box<dyn std::error::Error>> {
/// # let peer = keyway::SecretKey::from_bytes([7; 32]).node_id();
/// let node = Node::builder().bind_address("127.0.0.1:0".parse()?).bind().await?;
/// assert_eq!(node.lookup(peer).await, Err(LookupError::NoServer));
/// # Ok(())
/// # }
/// ```
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[non_exhaustive]
pub enum LookupError {
    /// The server knows no living record of the peer: it is offline, or registered elsewhere.
    #[error(
        "no server of this node has a record of {peer}: it is offline, or registered at another server"
    )]
    NotFound {
        /// Who was asked for.
        peer: NodeId,
    },
    /// This node has no server to ask.
    #[error("this node has no server to ask: give it one when it is built")]
    NoServer,
    /// No server answered.
    #[error("no server answered within {}", Seconds(*timeout))]
    TimedOut {
        /// The timeout that passed.
        timeout: Duration,
    },
    /// The node ended meanwhile.
    #[error(transparent)]
    Lost(#[from] ConnectionError),
}

impl From<LookupError> for io::Error {
    fn from(error: LookupError) -> Self {
        let kind = match &error {
            LookupError::NotFound { .. } => io::ErrorKind::NotFound,
            LookupError::NoServer => io::ErrorKind::InvalidInput,
            LookupError::TimedOut { .. } => io::ErrorKind::TimedOut,
            LookupError::Lost(lost) => lost.kind(),
        };
        Self::new(kind, error)
    }
}
