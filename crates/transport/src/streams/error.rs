//! What can go wrong with a stream: for the application, and between the peers.

use keyway_wire::StreamId;

use crate::EndReason;

/// Why no stream was opened.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
pub enum OpenError {
    /// The peer allows no more streams. Wait for the event `StreamsAvailable`.
    #[error("the peer allows no more streams at the moment")]
    LimitReached,
    /// The association has ended.
    #[error("the association has ended")]
    Closed,
}

/// Why nothing was written.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum WriteError {
    /// There is no room. Wait for the event `Writable`.
    #[error("no room before the peer has received more")]
    Blocked,
    /// The peer does not want what is written. What it has not received is gone.
    #[error("stopped by the peer with code {0}")]
    Stopped(u64),
    /// This side finished or reset the stream before.
    #[error("written after the end of the stream")]
    Finished,
    /// There is no such stream, or it is over in both directions.
    #[error("no such stream")]
    Unknown,
    /// The association has ended.
    #[error("the association has ended")]
    Ended(EndReason),
}

/// Why nothing was read.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum ReadError {
    /// There is nothing yet. Wait for the event `Readable`.
    #[error("nothing to read yet")]
    Blocked,
    /// Everything that the peer wrote was read. This is the only clean end: an association that ends, whatever the
    /// reason, is another error.
    #[error("the stream is finished")]
    Finished,
    /// The peer gave the stream up. What was not read by then is gone.
    #[error("reset by the peer with code {0}")]
    Reset(u64),
    /// There is no such stream, or it is over in both directions, or this side stopped it.
    #[error("no such stream")]
    Unknown,
    /// The association has ended, and all was read that had arrived in order.
    #[error("the association has ended")]
    Ended(EndReason),
}

/// Why a datagram was not taken.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum SendDatagramError {
    /// It does not fit into a packet of the path in use, or the peer does not take datagrams of that length.
    #[error("a datagram has at most {max} octets at the moment")]
    TooLarge {
        /// Octets that fit; 0 if the peer takes none at all.
        max: usize,
    },
    /// As much waits as may. Wait for the event `DatagramsUnblocked`, or let it be lost.
    #[error("too many datagrams wait to be sent")]
    QueueFull,
    /// The stream was not opened for datagrams.
    #[error("the stream carries octets, not datagrams")]
    WrongKind,
    /// The peer stopped the flow.
    #[error("stopped by the peer with code {0}")]
    Stopped(u64),
    /// This side finished or reset the flow before.
    #[error("sent after the end of the flow")]
    Finished,
    /// There is no such flow, or it is over in both directions.
    #[error("no such flow")]
    Unknown,
    /// The association has ended.
    #[error("the association has ended")]
    Ended(EndReason),
}

/// Why nothing more can be sent on a stream.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum SendingOver {
    /// The peer stopped it.
    Stopped(u64),
    /// This side finished or reset it.
    Finished,
}

impl From<SendingOver> for WriteError {
    fn from(over: SendingOver) -> Self {
        match over {
            SendingOver::Stopped(code) => Self::Stopped(code),
            SendingOver::Finished => Self::Finished,
        }
    }
}

impl From<SendingOver> for SendDatagramError {
    fn from(over: SendingOver) -> Self {
        match over {
            SendingOver::Stopped(code) => Self::Stopped(code),
            SendingOver::Finished => Self::Finished,
        }
    }
}

/// The peer did what no honest peer does: the association is to be closed.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
pub(crate) enum StreamViolation {
    /// More octets than we granted on one stream (RFC 9000, 4.1).
    #[error("{stream} goes up to {end}, beyond the {granted} octets granted")]
    StreamFlowControl {
        /// The stream.
        stream: StreamId,
        /// Where its octets would end.
        end: u64,
        /// What we granted.
        granted: u64,
    },
    /// More octets than we granted on all streams together (RFC 9000, 4.1).
    #[error("{stream} adds {added} octets where {left} were left of those granted for all streams")]
    FlowControl {
        /// The stream that went beyond.
        stream: StreamId,
        /// Octets that it would have added.
        added: u64,
        /// Octets that were left.
        left: u64,
    },
    /// The end of a stream moved, or octets lie behind it (RFC 9000, 4.5).
    #[error("{stream} was to end at {known}, and then at {claimed}")]
    FinalSize {
        /// The stream.
        stream: StreamId,
        /// The end that was known, or that of what was received.
        known: u64,
        /// What the frame said.
        claimed: u64,
    },
    /// More streams than we granted (RFC 9000, 4.6).
    #[error("{stream} is beyond the {granted} streams granted")]
    StreamLimit {
        /// The stream.
        stream: StreamId,
        /// How many we granted.
        granted: u64,
    },
    /// A frame for a stream of ours that we never opened (RFC 9000, 19.8).
    #[error("{stream} is ours and was never opened")]
    NotOpened {
        /// The stream.
        stream: StreamId,
    },
    /// OPEN for a stream that only we can open.
    #[error("{stream} is not the peer's to open")]
    NotTheirs {
        /// The stream.
        stream: StreamId,
    },
    /// DATAGRAM on a stream of octets.
    #[error("{stream} carries octets, not datagrams")]
    NoFlow {
        /// The stream.
        stream: StreamId,
    },
}
