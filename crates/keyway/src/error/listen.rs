//! Offering a service.

use std::io;

use keyway_wire::ServiceNameError;

use super::ConnectionError;

/// Why a service could not be offered.
///
/// ```
/// use keyway::{Allow, ListenError, Node};
///
/// # #[tokio::main]
/// # async fn main() -> Result<(), Box<dyn std::error::Error>> {
/// # let node = Node::builder().bind_address("127.0.0.1:0".parse()?).bind().await?;
/// let echo = node.listen("echo").allow(Allow::any()).start()?;
/// let again = node.listen("echo").allow(Allow::any()).start();
/// assert_eq!(again.unwrap_err(), ListenError::InUse { service: "echo".to_owned() });
/// # Ok(())
/// # }
/// ```
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[non_exhaustive]
pub enum ListenError {
    /// The service's name is not one.
    #[error("service name: {0}")]
    Service(#[from] ServiceNameError),
    /// Somebody listens already. Drop the other listener first.
    #[error("this node already listens on `{service}`")]
    InUse {
        /// The name that is taken.
        service: String,
    },
    /// The node ended before.
    #[error(transparent)]
    Lost(#[from] ConnectionError),
}

impl From<ListenError> for io::Error {
    fn from(error: ListenError) -> Self {
        let kind = match &error {
            ListenError::Service(_) => io::ErrorKind::InvalidInput,
            ListenError::InUse { .. } => io::ErrorKind::AddrInUse,
            ListenError::Lost(lost) => lost.kind(),
        };
        Self::new(kind, error)
    }
}
