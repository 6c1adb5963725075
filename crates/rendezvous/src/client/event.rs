//! What a client learns.

use keyway_identity::{NodeId, Signed};
use keyway_wire::Token;

use crate::message::RequestId;
use crate::record::Record;
use crate::wall::Wall;

/// Something that a server told, as far as it can be believed.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum ClientEvent {
    /// The record that was published is stored.
    Published {
        /// Of the record.
        epoch: u64,
        /// Of the record.
        sequence: u64,
    },
    /// The server has a newer record of this node, or one of another process with the same epoch. To be heard, publish
    /// with an epoch above this one; but look first whether another process runs under this identity.
    Stale {
        /// Of the record that is stored. Not authenticated: bound the jump.
        epoch: u64,
        /// Of the record that is stored.
        sequence: u64,
    },
    /// The record that was published is not stored.
    NotPublished {
        /// Why.
        reason: PublishFailure,
    },
    /// The newest record of the node that was asked for, verified.
    Record {
        /// The look-up that it answers.
        request: RequestId,
        /// The record.
        record: Box<Signed<Record>>,
    },
    /// The server has no record of the node. Another one may.
    NotFound {
        /// The look-up that it answers.
        request: RequestId,
        /// The node.
        node: NodeId,
    },
    /// A channel is open.
    Opened {
        /// The request that it answers.
        request: RequestId,
        /// Whom it leads to.
        peer: NodeId,
        /// This node's end: what stands in the relay packets of both directions here.
        token: Token,
    },
    /// A request came to nothing.
    Refused {
        /// The look-up or the request for a channel.
        request: RequestId,
        /// The node that it was about.
        peer: NodeId,
        /// Why.
        reason: Refusal,
    },
    /// Somebody opened a channel to this node, or sends another first packet through the one that is open. Whoever has
    /// no use for it closes it: an opener that was never answered does not learn of that.
    Offered {
        /// Who, as the server says; the handshake will prove it.
        peer: NodeId,
        /// This node's end.
        token: Token,
        /// An INIT, or nothing. Not authenticated.
        first_packet: Vec<u8>,
    },
    /// A channel is gone.
    ChannelClosed {
        /// This node's end of it.
        token: Token,
    },
}

/// Why a request came to nothing.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
pub enum Refusal {
    /// The peer is not registered at this server.
    #[error("the peer is not registered at this server")]
    Unavailable,
    /// This node, the peer or the relay has too many channels.
    #[error("too many relay channels are open")]
    TooManyChannels,
    /// This node closed the channel while the server answered. Ask again.
    #[error("the relay channel was closed while it was asked for")]
    JustClosed,
    /// Requests come too fast, for the server or for the peer. Try again in some seconds.
    #[error("the server is asked too often")]
    Busy,
    /// The server's answer was no record of that node, or not signed by it. The server is broken, or lies.
    #[error("the server's answer is not a valid record")]
    Invalid,
    /// The record is sound, but older than one that was seen. The server is behind, or lies.
    #[error("the server's answer is older than what was seen before")]
    WentBack,
    /// The record is sound, but does not hold at this time. The server is behind, or clocks differ.
    #[error("the server's answer has expired, or clocks differ")]
    OutOfTime,
    /// No answer came within [`REQUEST_TIMEOUT`](crate::REQUEST_TIMEOUT).
    #[error("the server did not answer")]
    TimedOut,
    /// There is no stream to the server, or it ended before the answer.
    #[error("the server is not connected")]
    Disconnected,
    /// Too many requests wait for their answers here.
    #[error("too many requests wait for the server")]
    TooManyRequests,
}

/// Why a record is not stored.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
pub enum PublishFailure {
    /// The server does not take it for a record of this node.
    #[error("the server refuses the record as invalid")]
    Invalid,
    /// By the server's clock, it has expired or is issued in the future. One of the clocks is wrong. Channels can be
    /// opened to this node all the same.
    #[error("the clocks of server and node differ too much")]
    Clock {
        /// What the server's clock shows.
        server_time: Wall,
    },
    /// The server has no room. Channels can be opened to this node all the same.
    #[error("the server has no room for the record")]
    Full,
    /// Records come too fast.
    #[error("records are published too often")]
    Busy,
}
