//! What the application asks of the driver.

use std::net::SocketAddr;

use keyway_identity::NodeId;
use keyway_wire::ServiceName;
use tokio::sync::{mpsc, oneshot};

use crate::error::{CloseError, LookupError};
use crate::flow::FlowEnd;
use crate::listener::{IncomingFlow, IncomingStream};
use crate::path::{PathInfo, Pong};
use crate::pipe::Ends;
use crate::record::Record;

/// Names one request that can be given up.
#[derive(Copy, Clone, Eq, PartialEq, Ord, PartialOrd, Debug)]
pub(crate) struct Ticket(pub(crate) u64);

#[derive(Debug)]
pub(crate) enum Command {
    Listen {
        service: ServiceName,
        allow: keyway_node::Allow,
        backlog: Backlog,
    },
    Unlisten(ServiceName),
    Dial(Dial),
    Lookup {
        ticket: Ticket,
        peer: NodeId,
        reply: oneshot::Sender<Result<Record, LookupError>>,
    },
    /// Nobody waits for the answer any more.
    GiveUp(Ticket),
    Paths {
        peer: NodeId,
        reply: oneshot::Sender<Vec<PathInfo>>,
    },
    Disconnect {
        peer: NodeId,
        /// Dropped when the peer has heard of it, or had its time to.
        done: oneshot::Sender<()>,
    },
    AddServer {
        server: NodeId,
        addresses: Vec<SocketAddr>,
    },
    Close {
        reply: oneshot::Sender<Result<(), CloseError>>,
    },
    /// The last handle, stream and listener of this node is gone.
    Orphaned,
    /// What a bug in the driver would do.
    #[cfg(test)]
    Panic,
}

/// Where a listener's streams and flows wait until they are accepted.
#[derive(Debug)]
pub(crate) struct Backlog {
    pub(crate) streams: mpsc::Sender<IncomingStream>,
    pub(crate) flows: mpsc::Sender<IncomingFlow>,
}

/// Something that needs an association with a peer.
#[derive(Debug)]
pub(crate) struct Dial {
    pub(crate) ticket: Ticket,
    pub(crate) peer: NodeId,
    pub(crate) hints: Vec<SocketAddr>,
    pub(crate) goal: Goal,
}

/// What the association is for.
#[derive(Debug)]
pub(crate) enum Goal {
    Stream {
        service: ServiceName,
        reply: oneshot::Sender<Result<Ends, Hopeless>>,
    },
    Flow {
        service: ServiceName,
        reply: oneshot::Sender<Result<FlowEnd, Hopeless>>,
    },
    Ping {
        reply: oneshot::Sender<Result<Pong, Hopeless>>,
    },
}

/// Why waiting longer would not lead to an association.
#[derive(Copy, Clone, Debug)]
pub(crate) enum Hopeless {
    NoRoute,
    Myself,
}

impl Goal {
    /// Tells whoever waits that it is in vain.
    pub(crate) fn fail(self, reason: Hopeless) {
        // Nobody may be waiting any more, which is fine.
        match self {
            Self::Stream { reply, .. } => drop(reply.send(Err(reason))),
            Self::Flow { reply, .. } => drop(reply.send(Err(reason))),
            Self::Ping { reply } => drop(reply.send(Err(reason))),
        }
    }
}
