//! Sending and receiving datagrams.

use std::io;

use super::ConnectionError;

/// Why a datagram could not be sent, or none can come any more.
///
/// ```
/// use keyway::{DatagramError, DatagramSocket};
///
/// # async fn run(socket: DatagramSocket, report: &[u8]) -> Result<(), DatagramError> {
/// match socket.send(report).await {
///     Err(DatagramError::TooLarge { max, .. }) => socket.send(&report[..max]).await,
///     sent => sent,
/// }
/// # }
/// ```
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[non_exhaustive]
pub enum DatagramError {
    /// Longer than the path takes. Send less; [`max_size`](crate::DatagramSocket::max_size) says how much.
    #[error("{size} octets do not fit: a datagram to this peer has at most {max}")]
    TooLarge {
        /// The length of what was to be sent.
        size: usize,
        /// What the path takes at the moment.
        max: usize,
    },
    /// The peer has no such service, or not for this node.
    #[error("the peer refused: it has no such service, or does not allow this node to use it")]
    Refused,
    /// The peer closed its socket.
    #[error("the peer closed its end")]
    Closed,
    /// The whole association with the peer has ended.
    #[error(transparent)]
    Lost(#[from] ConnectionError),
}

impl From<DatagramError> for io::Error {
    fn from(error: DatagramError) -> Self {
        let kind = match &error {
            DatagramError::TooLarge { .. } => io::ErrorKind::InvalidInput,
            DatagramError::Refused => io::ErrorKind::ConnectionRefused,
            DatagramError::Closed => io::ErrorKind::BrokenPipe,
            DatagramError::Lost(lost) => lost.kind(),
        };
        Self::new(kind, error)
    }
}
