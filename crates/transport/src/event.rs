use std::borrow::Cow;
use std::net::{IpAddr, SocketAddr};
use std::time::Duration;

use keyway_wire::{Candidate, Cid, ServiceName, StreamId, StreamKind};

use crate::{PingId, Route};

/// What an association tells whoever drives it.
///
/// Events are coalesced and their number is bounded: whatever a peer does, the queue holds at most one entry per stream,
/// per path and per kind.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum AssociationEvent {
    /// An authentic packet proved that the peer holds the keys of a handshake. Said for each session: whoever answers an
    /// INIT has to know which ones are over, so as not to answer them again.
    Confirmed,
    /// The peer opened a stream.
    Opened {
        /// The stream.
        stream: StreamId,
        /// Octets or datagrams.
        kind: StreamKind,
        /// What the peer wants to reach.
        service: ServiceName,
    },
    /// There is something to read, be it the end; said once until a read finds nothing.
    Readable(StreamId),
    /// There is room again after a write was blocked.
    Writable(StreamId),
    /// The peer does not want what is written to the stream.
    Stopped {
        /// The stream.
        stream: StreamId,
        /// Why.
        code: u64,
    },
    /// Everything written to the stream, and its end, reached the peer.
    Delivered(StreamId),
    /// The peer grants more streams after an open was refused.
    StreamsAvailable,
    /// A datagram waits in this flow.
    DatagramReceived(StreamId),
    /// There is room again for datagrams after one was refused.
    DatagramsUnblocked,
    /// The association needs one more id for packets to it: answer with [`issue_cid`](crate::Association::issue_cid).
    CidWanted,
    /// No packet with this id is expected any more.
    CidRetired(Cid),
    /// New keys are needed: a rekey is due, or no path is left, or the session has ended, while somebody waits. Repeated
    /// every few seconds until [`install`](crate::Association::install).
    HandshakeWanted,
    /// The peer sees us at this address.
    Observed {
        /// The address that our packets come from.
        address: SocketAddr,
        /// The route on which the peer said so: it is the one whose packets were seen.
        route: Route,
    },
    /// The peer's addresses: they replace what it said before.
    Candidates(Vec<Candidate>),
    /// An authentic packet came from a route that is not known: the peer may be reachable there.
    ProbedFrom(Route),
    /// Packets go through both ways on this route.
    RouteValidated(Route),
    /// This route stopped answering, or never answered.
    RouteLost(Route),
    /// Data goes out on another route from here on.
    Selected {
        /// The route that carries data.
        route: Route,
        /// The one before, if there was one.
        previous: Option<Route>,
    },
    /// Data waits, and nothing was acknowledged for some seconds.
    Stalled,
    /// An acknowledgement came after [`Stalled`](Self::Stalled).
    Recovered,
    /// The answer to [`ping`](crate::Association::ping).
    Pong {
        /// Which.
        id: PingId,
        /// From the first sending to the answer.
        rtt: Duration,
        /// The route that the answered packet went by.
        route: Route,
    },
    /// The association is over, and every stream of it. Nothing follows.
    Ended(EndReason),
}

/// Why an association is over.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum EndReason {
    /// Closed from this side.
    Local,
    /// Closed from the other side.
    Peer {
        /// One of [`codes`](crate::codes), or the application's own.
        code: u64,
        /// Text for people; from the peer, so never to be trusted. At most 256 octets.
        reason: String,
    },
    /// This side closed because the peer broke the protocol.
    Violation {
        /// One of [`codes`](crate::codes).
        code: u64,
        /// What it did.
        reason: Cow<'static, str>,
    },
    /// The peer came back without its state.
    PeerRestarted,
    /// The peer was not heard of for as long as the configuration has patience.
    TimedOut,
    /// The peer was not heard of for long, and its place was needed for another one.
    Displaced,
}

/// Whether a path is kept open while nobody uses it.
#[derive(Copy, Clone, Eq, PartialEq, Hash, Debug, Default)]
pub enum Keepalive {
    /// As long as the association lives.
    Always,
    /// Until nothing was asked for in either direction for some minutes; the next use wakes the pair.
    #[default]
    WhileUsed,
}

/// The two random numbers that name an association, one from each side.
#[derive(Copy, Clone, Eq, PartialEq, Hash, Debug)]
pub struct Incarnations {
    /// Ours.
    pub local: u64,
    /// The peer's.
    pub remote: u64,
}

/// What is known about one path.
#[derive(Copy, Clone, PartialEq, Eq, Debug)]
pub struct PathInfo {
    /// Where packets go.
    pub route: Route,
    /// The local address that they leave from, where it is known.
    pub local: Option<IpAddr>,
    /// Whether packets were seen to go through both ways, and still do.
    pub validated: bool,
    /// Whether it carries data.
    pub selected: bool,
    /// Smoothed round-trip time, `None` before the first sample.
    pub rtt: Option<Duration>,
    /// Octets of UDP payload that fit through.
    pub mtu: usize,
    /// The congestion window, in octets.
    pub congestion_window: u64,
    /// Octets sent and not yet known to have arrived or to be lost.
    pub in_flight: u64,
    /// Octets of UDP payload sent.
    pub sent: u64,
    /// Octets of UDP payload received in authentic packets.
    pub received: u64,
}
