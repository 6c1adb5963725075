//! Reading from a stream.

use std::io;

use super::ConnectionError;

/// Why a stream yields nothing more, though the peer did not finish it. The source of the [`io::Error`]s of reading.
///
/// ```
/// use std::io;
///
/// use keyway::ReadError;
///
/// let error = io::Error::from(ReadError::Refused); // what `read` gives
/// assert_eq!(error.kind(), io::ErrorKind::ConnectionRefused);
/// let cause = error.get_ref().and_then(|source| source.downcast_ref::<ReadError>());
/// assert_eq!(cause, Some(&ReadError::Refused));
/// ```
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[non_exhaustive]
pub enum ReadError {
    /// The peer has no such service, or not for this node.
    #[error("the peer refused: it has no such service, or does not allow this node to use it")]
    Refused,
    /// The peer gave up sending.
    #[error("the peer reset the stream (code {code})")]
    Reset {
        /// What it means is between the two applications.
        code: u64,
    },
    /// The whole association with the peer has ended.
    #[error(transparent)]
    Lost(#[from] ConnectionError),
}

impl From<ReadError> for io::Error {
    fn from(error: ReadError) -> Self {
        let kind = match &error {
            ReadError::Refused => io::ErrorKind::ConnectionRefused,
            ReadError::Reset { .. } => io::ErrorKind::ConnectionReset,
            ReadError::Lost(lost) => lost.kind(),
        };
        Self::new(kind, error)
    }
}
