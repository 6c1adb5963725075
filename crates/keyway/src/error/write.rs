//! Writing to a stream.

use std::io;

use super::ConnectionError;

/// Why a stream takes nothing more. The source of the [`io::Error`]s of writing.
///
/// ```
/// use keyway::{WriteError, codes};
///
/// let full = WriteError::Stopped { code: codes::OVERLOADED };
/// assert_eq!(full.to_string(), "the peer stopped reading (code 5)");
/// assert_eq!(std::io::Error::from(full).kind(), std::io::ErrorKind::BrokenPipe);
/// ```
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[non_exhaustive]
pub enum WriteError {
    /// The peer has no such service, or not for this node.
    #[error("the peer refused: it has no such service, or does not allow this node to use it")]
    Refused,
    /// The peer does not want any more.
    #[error("the peer stopped reading (code {code})")]
    Stopped {
        /// What it means is between the two applications.
        code: u64,
    },
    /// This side has finished or reset the stream before.
    #[error("the stream was shut down for writing before")]
    Finished,
    /// The whole association with the peer has ended.
    #[error(transparent)]
    Lost(#[from] ConnectionError),
}

impl From<WriteError> for io::Error {
    fn from(error: WriteError) -> Self {
        let kind = match &error {
            WriteError::Refused => io::ErrorKind::ConnectionRefused,
            WriteError::Stopped { .. } | WriteError::Finished => io::ErrorKind::BrokenPipe,
            WriteError::Lost(lost) => lost.kind(),
        };
        Self::new(kind, error)
    }
}
