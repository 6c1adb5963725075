//! Connecting to a peer.

use std::io;
use std::time::Duration;

use keyway_identity::NodeId;
use keyway_wire::ServiceNameError;

use super::ConnectionError;
use super::seconds::Seconds;

/// Why there is no connection to a peer.
///
/// ```
/// use keyway::{ConnectError, Node};
///
/// # #[tokio::main]
/// # async fn main() -> Result<(), Box<dyn std::error::Error>> {
/// # let peer = keyway::SecretKey::from_bytes([7; 32]).node_id();
/// let node = Node::builder().bind_address("127.0.0.1:0".parse()?).bind().await?;
/// match node.connect(peer, "http").await {
///     Ok(stream) => println!("connected to {}", stream.peer()),
///     Err(ConnectError::TimedOut { .. }) => println!("offline, or it does not allow this node"),
///     Err(error @ ConnectError::NoRoute { .. }) => println!("{error}"), // here: neither server nor address
///     Err(error) => return Err(error.into()),
/// }
/// # Ok(())
/// # }
/// ```
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum ConnectError {
    /// The service's name is not one.
    #[error("service name: {0}")]
    Service(#[from] ServiceNameError),
    /// A host name among the peer's addresses could not be resolved, and there is no other way to the peer.
    #[error("cannot resolve {host}: {source}")]
    Resolve {
        /// The name.
        host: String,
        /// What the resolver said.
        source: io::Error,
    },
    /// Nothing says where the peer may be.
    #[error(
        "no way to {peer} is known: give the node a server, or the peer an address (`<id>@host:port`)"
    )]
    NoRoute {
        /// Who was to be reached.
        peer: NodeId,
    },
    /// A node does not dial itself.
    #[error("{peer} is this node itself")]
    Myself {
        /// The id that both have.
        peer: NodeId,
    },
    /// Nothing came back before the timeout. A peer that does not allow this node stays silent on purpose, so that a stranger
    /// cannot tell whether it exists.
    #[error(
        "no answer from {peer} within {}: it may be offline, not registered at the server, or not allow this node (peers that do \
         not allow a node stay silent)",
        Seconds(*timeout)
    )]
    TimedOut {
        /// Who was to be reached.
        peer: NodeId,
        /// The timeout that passed.
        timeout: Duration,
    },
    /// The node ended meanwhile.
    #[error(transparent)]
    Lost(#[from] ConnectionError),
}

impl From<ConnectError> for io::Error {
    fn from(error: ConnectError) -> Self {
        let kind = match &error {
            ConnectError::Service(_) | ConnectError::Myself { .. } => io::ErrorKind::InvalidInput,
            ConnectError::Resolve { source, .. } => source.kind(),
            ConnectError::NoRoute { .. } => io::ErrorKind::HostUnreachable,
            ConnectError::TimedOut { .. } => io::ErrorKind::TimedOut,
            ConnectError::Lost(lost) => lost.kind(),
        };
        Self::new(kind, error)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_missed_timeout_says_what_it_may_mean() {
        let peer = keyway_identity::SecretKey::from_bytes([1; 32]).node_id();
        let message = ConnectError::TimedOut {
            peer,
            timeout: Duration::from_secs(30),
        }
        .to_string();
        assert!(
            message.starts_with(&format!("no answer from {peer} within 30 s: ")),
            "{message}"
        );
        assert!(message.contains("stay silent"), "{message}");
    }
}
