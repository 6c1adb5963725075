//! How packets reach a peer, for people to see.

use std::fmt;
use std::net::SocketAddr;
use std::time::Duration;

use keyway_identity::NodeId;
use keyway_node::PathKind;

/// The way that packets go to a peer.
///
/// ```no_run
/// # async fn run(node: keyway::Node, peer: keyway::NodeId) -> Result<(), keyway::ConnectError> {
/// use keyway::Route;
///
/// match node.ping(peer).await?.route {
///     Route::Direct { remote } => println!("directly to {remote}"),
///     Route::Relay { server, .. } => println!("through {server}"),
///     _ => println!("another way"),
/// }
/// # Ok(())
/// # }
/// ```
#[derive(Copy, Clone, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub enum Route {
    /// From socket to socket.
    Direct {
        /// The peer's address as seen from here.
        remote: SocketAddr,
    },
    /// Through a relay, which sees sealed packets only.
    Relay {
        /// The server that relays.
        server: NodeId,
        /// Where the server is, if it is connected at the moment.
        remote: Option<SocketAddr>,
    },
}

impl Route {
    /// Whether no relay is in between.
    #[must_use]
    pub const fn is_direct(&self) -> bool {
        matches!(self, Self::Direct { .. })
    }

    pub(crate) const fn from_kind(kind: PathKind) -> Self {
        match kind {
            PathKind::Direct { remote } => Self::Direct { remote },
            PathKind::Relay { server, remote } => Self::Relay { server, remote },
        }
    }
}

impl fmt::Display for Route {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Direct { remote } => write!(f, "direct to {remote}"),
            Self::Relay {
                server,
                remote: Some(remote),
            } => write!(f, "through relay {server} at {remote}"),
            Self::Relay {
                server,
                remote: None,
            } => write!(f, "through relay {server}"),
        }
    }
}

/// One path to a peer, as [`Node::paths`](crate::Node::paths) found it.
///
/// ```no_run
/// # async fn run(node: keyway::Node, peer: keyway::NodeId) {
/// for path in node.paths(peer).await {
///     let standing = if path.selected { "in use" } else { "spare" };
///     println!("{standing}: {}, {:?}, packets of {} octets", path.route, path.rtt, path.mtu);
/// }
/// # }
/// ```
#[derive(Copy, Clone, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub struct PathInfo {
    /// Where it goes.
    pub route: Route,
    /// Whether data goes this way at the moment.
    pub selected: bool,
    /// Whether packets were seen to pass both ways, and still do.
    pub validated: bool,
    /// Smoothed round-trip time, once it was measured.
    pub rtt: Option<Duration>,
    /// The largest UDP payload that is known to fit, in octets.
    pub mtu: usize,
    /// Octets of UDP payload sent this way.
    pub sent: u64,
    /// Octets of UDP payload received this way, in authentic packets.
    pub received: u64,
}

impl PathInfo {
    pub(crate) const fn new(kind: PathKind, info: &keyway_node::PathInfo) -> Self {
        Self {
            route: Route::from_kind(kind),
            selected: info.selected,
            validated: info.validated,
            rtt: info.rtt,
            mtu: info.mtu,
            sent: info.sent,
            received: info.received,
        }
    }
}

/// One measured round trip.
///
/// ```
/// # use keyway::{Allow, Node, PeerAddr};
/// # #[tokio::main]
/// # async fn main() -> Result<(), Box<dyn std::error::Error>> {
/// # let bob = Node::builder().bind_address("127.0.0.1:0".parse()?).bind().await?;
/// # let alice = Node::builder().bind_address("127.0.0.1:0".parse()?).bind().await?;
/// # let _listener = bob.listen("any").allow(Allow::only([alice.node_id()])).start()?;
/// # let peer = PeerAddr::new(bob.node_id(), bob.local_addresses());
/// let pong = alice.ping(peer).await?;
/// println!("{} ms, {}", pong.rtt.as_millis(), pong.route);
/// assert!(pong.route.is_direct());
/// # Ok(())
/// # }
/// ```
#[derive(Copy, Clone, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub struct Pong {
    /// From the first sending to the answer, through both nodes.
    pub rtt: Duration,
    /// The way that it took.
    pub route: Route,
}
