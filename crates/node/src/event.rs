//! What a node tells its driver.

use std::net::SocketAddr;
use std::time::Duration;

use keyway_identity::NodeId;
use keyway_rendezvous::Record;
use keyway_transport::{EndReason, PingId};
use keyway_wire::{ServiceName, StreamKind};

use crate::keys::{AssociationKey, ConnectId, LookupId, StreamKey};

/// Something that the application, or its operator, wants to know.
#[derive(Clone, Eq, PartialEq, Debug)]
pub enum Event {
    /// The peer of this [`connect`](crate::Node::connect) proved its key; streams may be opened.
    Connected {
        /// The call.
        id: ConnectId,
        /// The association, new or already there.
        association: AssociationKey,
        /// The other node.
        peer: NodeId,
    },
    /// This [`connect`](crate::Node::connect) cannot come to an end, however long one waits.
    ConnectFailed {
        /// The call.
        id: ConnectId,
        /// Why.
        reason: ConnectFailure,
    },
    /// A peer opened a stream, or a flow of datagrams, to a service that it may use.
    Incoming {
        /// The stream.
        stream: StreamKey,
        /// Who opened it.
        peer: NodeId,
        /// Bytes or datagrams.
        kind: StreamKind,
        /// The service that it is for.
        service: ServiceName,
    },
    /// Bytes, the end, or a reset can be read. Comes once until a read is blocked again.
    Readable(StreamKey),
    /// A blocked write may go on.
    Writable(StreamKey),
    /// The peer does not want the rest of what is written here.
    Stopped {
        /// The stream.
        stream: StreamKey,
        /// The peer's reason, from [`codes`](crate::codes) or the application's own.
        code: u64,
    },
    /// Everything written, and the end, has arrived at the peer.
    Delivered(StreamKey),
    /// A refused [`open`](crate::Node::open) may be tried again.
    StreamsAvailable(AssociationKey),
    /// A datagram waits in this flow.
    DatagramReceived(StreamKey),
    /// Room for more datagrams.
    DatagramsUnblocked(AssociationKey),
    /// The association is over, with all its streams. What had arrived stays readable for a while.
    Ended {
        /// The association.
        association: AssociationKey,
        /// The other node.
        peer: NodeId,
        /// Why it ended.
        reason: EndReason,
    },
    /// Packets go another way from here on.
    PathSelected {
        /// The association.
        association: AssociationKey,
        /// The other node.
        peer: NodeId,
        /// The path in use.
        path: PathKind,
    },
    /// Data has waited for five seconds without any acknowledgement.
    Stalled(AssociationKey),
    /// The stall is over.
    Recovered(AssociationKey),
    /// The answer to a [`ping`](crate::Node::ping).
    Pong {
        /// The ping.
        id: PingId,
        /// The association.
        association: AssociationKey,
        /// From sending to the answer.
        rtt: Duration,
        /// The path that it took.
        path: PathKind,
    },
    /// The answer to a [`lookup`](crate::Node::lookup).
    Record {
        /// The call.
        id: LookupId,
        /// The newest record that a server gave, its signature checked.
        record: Box<Record>,
    },
    /// No server knows this node.
    RecordNotFound {
        /// The call.
        id: LookupId,
    },
    /// A server proved its key; it can be asked.
    ServerConnected(NodeId),
    /// A server accepted this node's record: peers can find it there.
    Registered(NodeId),
    /// The association with a server ended; it is dialled again.
    ServerLost(NodeId),
}

/// Why a connection attempt is hopeless.
#[derive(Copy, Clone, Eq, PartialEq, Debug, thiserror::Error)]
pub enum ConnectFailure {
    /// Neither an address hint nor a server: there is nothing to send to.
    #[error("no way to reach the peer: give an address hint or a server")]
    NoRoute,
    /// The peer's id is our own.
    #[error("the peer's id is this node's own")]
    Myself,
}

/// How packets reach a peer.
#[derive(Copy, Clone, Eq, PartialEq, Debug)]
pub enum PathKind {
    /// From socket to socket.
    Direct {
        /// The peer's address as seen from here.
        remote: SocketAddr,
    },
    /// Through a relay, sealed end to end.
    Relay {
        /// The server that relays.
        server: NodeId,
        /// The server's address.
        remote: Option<SocketAddr>,
    },
}
