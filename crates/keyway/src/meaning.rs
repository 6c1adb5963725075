//! What the node's answers mean to the application.

use bytes::Bytes;
use keyway_node::{self as node, EndReason};

use crate::codes::UNKNOWN_SERVICE;
use crate::error::{ConnectionError, DatagramError, ReadError, WriteError};

/// What reading from the node gave.
#[derive(Debug)]
pub(crate) enum Read {
    Octets(Bytes),
    /// Nothing yet; an event will tell.
    Later,
    End,
    Failed(ReadError),
}

pub(crate) fn read(result: Result<Bytes, node::ReadError>) -> Read {
    match result {
        Ok(octets) => Read::Octets(octets),
        Err(node::ReadError::Blocked) => Read::Later,
        Err(node::ReadError::Finished) => Read::End,
        Err(node::ReadError::Reset(code)) => Read::Failed(reset(code)),
        Err(node::ReadError::Ended(reason)) => Read::Failed(ReadError::Lost(lost(reason))),
        // The node has forgotten the stream, which it does when both directions are over.
        Err(node::ReadError::Unknown) => Read::Failed(ReadError::Lost(ConnectionError::NodeClosed)),
    }
}

/// What a failed writing means; `None` where the stream is only blocked.
pub(crate) fn write_error(error: node::WriteError) -> Option<WriteError> {
    match error {
        node::WriteError::Blocked => None,
        node::WriteError::Stopped(code) => Some(stopped(code)),
        node::WriteError::Finished => Some(WriteError::Finished),
        node::WriteError::Ended(reason) => Some(WriteError::Lost(lost(reason))),
        node::WriteError::Unknown => Some(WriteError::Lost(ConnectionError::NodeClosed)),
    }
}

pub(crate) fn stopped(code: u64) -> WriteError {
    if code == UNKNOWN_SERVICE {
        WriteError::Refused
    } else {
        WriteError::Stopped { code }
    }
}

fn reset(code: u64) -> ReadError {
    if code == UNKNOWN_SERVICE {
        ReadError::Refused
    } else {
        ReadError::Reset { code }
    }
}

/// What a datagram that the node does not take means for its flow; `None` where it is only for later. Size is not asked for here.
pub(crate) fn flow_send_error(error: &node::SendDatagramError) -> Option<DatagramError> {
    use node::SendDatagramError as Refused;
    match error {
        Refused::QueueFull | Refused::TooLarge { .. } => None,
        Refused::Stopped(UNKNOWN_SERVICE) => Some(DatagramError::Refused),
        Refused::Stopped(_) | Refused::Finished | Refused::Unknown | Refused::WrongKind => {
            Some(DatagramError::Closed)
        }
        Refused::Ended(reason) => Some(DatagramError::Lost(lost(reason.clone()))),
    }
}

/// What the end of a stream means to the datagram flow that it carries.
pub(crate) fn flow_error(error: ReadError) -> DatagramError {
    match error {
        ReadError::Refused => DatagramError::Refused,
        ReadError::Reset { .. } => DatagramError::Closed,
        ReadError::Lost(lost) => DatagramError::Lost(lost),
    }
}

pub(crate) fn lost(reason: EndReason) -> ConnectionError {
    match reason {
        EndReason::Local => ConnectionError::Disconnected,
        EndReason::Peer { code, reason } => ConnectionError::PeerClosed {
            code,
            reason: printable(&reason),
        },
        EndReason::Violation { reason, .. } => ConnectionError::Violation {
            reason: reason.into_owned(),
        },
        EndReason::PeerRestarted => ConnectionError::PeerRestarted,
        EndReason::Displaced => ConnectionError::Displaced,
        EndReason::TimedOut => ConnectionError::TimedOut {
            patience: PARKED_MAX,
        },
    }
}

/// For how long an association is kept without a word from the peer.
const PARKED_MAX: std::time::Duration = std::time::Duration::from_secs(24 * 3600);

/// The peer's words, fit for a terminal: control characters could move its cursor or change its colours.
fn printable(words: &str) -> String {
    words
        .chars()
        .map(|character| {
            if character.is_control() {
                ' '
            } else {
                character
            }
        })
        .collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_unknown_service_is_a_refusal_both_ways() {
        assert_eq!(stopped(UNKNOWN_SERVICE), WriteError::Refused);
        assert_eq!(reset(UNKNOWN_SERVICE), ReadError::Refused);
        assert_eq!(stopped(77), WriteError::Stopped { code: 77 });
        assert_eq!(reset(77), ReadError::Reset { code: 77 });
    }

    #[test]
    fn the_words_of_a_peer_cannot_steer_a_terminal() {
        let ConnectionError::PeerClosed { reason, .. } = lost(EndReason::Peer {
            code: 1,
            reason: "a\u{1b}[2Jb\n".into(),
        }) else {
            panic!("another end");
        };
        assert_eq!(reason, "a [2Jb ");
    }
}
