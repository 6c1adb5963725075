//! The end of what two nodes share: the one error that is inside most others.

use std::io;
use std::time::Duration;

use super::seconds::Seconds;

/// Why what two nodes share came to its end, for every stream and flow at once.
///
/// ```
/// use keyway::ConnectionError;
///
/// /// Whether the same peer is worth another connection, and how soon.
/// fn advice(lost: &ConnectionError) -> &'static str {
///     match lost {
///         ConnectionError::PeerRestarted => "at once",
///         ConnectionError::PeerClosed { .. } | ConnectionError::TimedOut { .. } => "in a while",
///         _ => "no",
///     }
/// }
/// # assert_eq!(advice(&ConnectionError::PeerRestarted), "at once");
/// ```
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[non_exhaustive]
pub enum ConnectionError {
    /// The peer closed its node, or the connection. What it wrote before has been read.
    #[error("the peer closed its node (code {code}{}{reason})", if reason.is_empty() { "" } else { ": " })]
    PeerClosed {
        /// The number that the peer gave: 0 is an orderly end.
        code: u64,
        /// Its words, at most 256 octets. Do not trust them.
        reason: String,
    },
    /// The peer broke the protocol, so this node hung up. Its software is broken, or hostile.
    #[error("the peer broke the protocol: {reason}")]
    Violation {
        /// What it did.
        reason: String,
    },
    /// The peer came back without its memory, so it knows nothing of this stream. Connect again.
    #[error("the peer restarted and lost its state: connect again")]
    PeerRestarted,
    /// Nothing that was sent arrived for longer than this stream's patience. Connect again, perhaps later.
    #[error("the peer has not answered for {}: it may be offline or cut off", Seconds(*patience))]
    TimedOut {
        /// The patience that ran out.
        patience: Duration,
    },
    /// The peer was silent for long, and this node needed its place for another peer. Connect again.
    #[error("the peer was silent for long, and another one took its place")]
    Displaced,
    /// This node [ended](crate::Node::disconnect) the connection.
    #[error("this node ended the connection")]
    Disconnected,
    /// This node was closed.
    #[error("this node is closed")]
    NodeClosed,
    /// The task that drives this node panicked. That is a bug in Keyway; the log has the message of the panic.
    #[error("this node's driver panicked: this is a bug, the log says where")]
    NodeFailed,
}

impl ConnectionError {
    pub(super) fn kind(&self) -> io::ErrorKind {
        match self {
            Self::PeerClosed { .. } | Self::Disconnected | Self::NodeClosed => {
                io::ErrorKind::ConnectionAborted
            }
            Self::Violation { .. } => io::ErrorKind::InvalidData,
            Self::PeerRestarted => io::ErrorKind::ConnectionReset,
            Self::TimedOut { .. } | Self::Displaced => io::ErrorKind::TimedOut,
            Self::NodeFailed => io::ErrorKind::Other,
        }
    }
}

impl From<ConnectionError> for io::Error {
    fn from(error: ConnectionError) -> Self {
        Self::new(error.kind(), error)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_words_of_a_closing_peer_are_shown_where_there_are_any() {
        let silent = ConnectionError::PeerClosed {
            code: 0,
            reason: String::new(),
        };
        assert_eq!(silent.to_string(), "the peer closed its node (code 0)");
        let talking = ConnectionError::PeerClosed {
            code: 7,
            reason: "restart".into(),
        };
        assert_eq!(
            talking.to_string(),
            "the peer closed its node (code 7: restart)"
        );
    }
}
