//! Setting up a node.

use std::io;
use std::net::SocketAddr;

use keyway_identity::key_file::KeyFileError;

/// Why a node could not be set up.
///
/// ```
/// use keyway::{BindError, Node};
///
/// # #[tokio::main]
/// # async fn main() -> Result<(), Box<dyn std::error::Error>> {
/// let taken = std::net::UdpSocket::bind("127.0.0.1:0")?.local_addr()?;
/// let first = Node::builder().bind_address(taken).bind().await?;
/// match Node::builder().bind_address(taken).bind().await {
///     Err(BindError::Socket { address, .. }) => assert_eq!(address, taken),
///     other => panic!("{other:?}"),
/// }
/// # Ok(())
/// # }
/// ```
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum BindError {
    /// The key file could not be used.
    #[error(transparent)]
    KeyFile(#[from] KeyFileError),
    /// No socket at this address.
    #[error("cannot bind UDP {address}: {source}")]
    Socket {
        /// The address that was asked for.
        address: SocketAddr,
        /// What the system said.
        source: io::Error,
    },
    /// The system gave no randomness.
    #[error("the system gave no randomness: {0}")]
    Randomness(io::Error),
    /// No thread of its own for the node.
    #[error("cannot start a thread for the node: {0}")]
    Thread(io::Error),
}

impl From<BindError> for io::Error {
    fn from(error: BindError) -> Self {
        let kind = match &error {
            BindError::KeyFile(_) => io::ErrorKind::InvalidInput,
            BindError::Socket { source, .. }
            | BindError::Randomness(source)
            | BindError::Thread(source) => source.kind(),
        };
        Self::new(kind, error)
    }
}
