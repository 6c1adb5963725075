//! The application's handle of a node.

use std::io;
use std::net::SocketAddr;
use std::sync::Arc;
use std::time::Duration;

use futures_util::future::join_all;
use keyway_identity::NodeId;
use tokio::sync::oneshot;

use crate::builder::NodeBuilder;
use crate::command::{Command, Dial, Goal, Hopeless, Ticket};
use crate::datagrams::DatagramSocket;
use crate::error::{CloseError, ConnectError, ConnectionError, LookupError};
use crate::host_port::HostPort;
use crate::listener::ListenBuilder;
use crate::path::{PathInfo, Pong};
use crate::peer_addr::PeerAddr;
use crate::record::Record;
use crate::shared::{Claim, ServerCounts, Shared};
use crate::stream::Stream;

/// How long the resolver gets for the names among a peer's addresses. Other ways to the peer wait for it.
const RESOLVE_DEADLINE: Duration = Duration::from_secs(5);

/// A node: one keypair, reachable by its public key, and able to reach others by theirs.
///
/// This is a handle; clones are handles of the same node. One task drives it in the background, from [`bind`](NodeBuilder::bind)
/// until it is [closed](Self::close), or until the last handle, listener, stream and socket of it is dropped. In the latter case it
/// delivers what was written first, as long as the runtime lives.
///
/// ```
/// use keyway::{Allow, Node, PeerAddr};
/// use tokio::io::{AsyncReadExt, AsyncWriteExt};
///
/// # #[tokio::main]
/// # async fn main() -> Result<(), Box<dyn std::error::Error>> {
/// let bob = Node::builder().bind_address("127.0.0.1:0".parse()?).bind().await?;
/// let alice = Node::builder().bind_address("127.0.0.1:0".parse()?).bind().await?;
///
/// let mut listener = bob.listen("time").allow(Allow::only([alice.node_id()])).start()?;
/// let serving = tokio::spawn(async move {
///     let mut stream = listener.accept().await?;
///     stream.write_all(b"half past nine").await
/// });
///
/// // Without a server in common, an address has to be known. With one, `bob.node_id()` is enough.
/// let peer = PeerAddr::new(bob.node_id(), bob.local_addresses());
/// let mut answer = String::new();
/// alice.connect(peer, "time").await?.read_to_string(&mut answer).await?;
/// assert_eq!(answer, "half past nine");
/// # serving.await??;
/// # Ok(())
/// # }
/// ```
#[derive(Clone, Debug)]
pub struct Node {
    claim: Arc<Claim>,
}

impl Node {
    pub(crate) const fn new(claim: Arc<Claim>) -> Self {
        Self { claim }
    }

    /// Sets up a node, step by step.
    pub fn builder() -> NodeBuilder {
        NodeBuilder::new()
    }

    /// This node's address for life: what others need to reach it.
    #[must_use]
    pub fn node_id(&self) -> NodeId {
        self.shared().node_id
    }

    /// The addresses of this node's UDP sockets, with their real ports. An unspecified address stands for all of the machine.
    #[must_use]
    pub fn local_addresses(&self) -> Vec<SocketAddr> {
        self.shared().local.clone()
    }

    /// Offers a service. The next step says [whom it is for](ListenBuilder::allow): there is no default.
    ///
    /// A service is named by 1 to 64 of `a`-`z`, `0`-`9`, `.`, `_` and `-`, starting with a letter or a digit.
    pub fn listen(&self, service: &str) -> ListenBuilder {
        ListenBuilder::new(&self.claim, service)
    }

    /// Opens a stream to a service of a peer.
    ///
    /// Returns as soon as the peer has proven its key; whether it has such a service shows at the first read. Nodes that are
    /// connected already take no round trip.
    ///
    /// One call that shall wait for less than the node's others is put into [`tokio::time::timeout`].
    ///
    /// # Errors
    /// [`ConnectError`]. A peer that does not allow this node is as silent as one that is offline: both end at the
    /// [timeout](NodeBuilder::connect_timeout).
    ///
    /// # Cancel safety
    /// Safe: a call that was dropped dials no more. A stream that was opened at that very moment is finished in the background.
    pub async fn connect(
        &self,
        peer: impl Into<PeerAddr>,
        service: &str,
    ) -> Result<Stream, ConnectError> {
        let service = service.parse()?;
        let ends = self
            .dial(peer.into(), |reply| Goal::Stream { service, reply })
            .await?;
        Ok(Stream::new(ends, &self.claim))
    }

    /// Opens a flow of datagrams to a service of a peer.
    ///
    /// # Errors
    /// As [`connect`](Self::connect).
    ///
    /// # Cancel safety
    /// As [`connect`](Self::connect).
    pub async fn datagrams(
        &self,
        peer: impl Into<PeerAddr>,
        service: &str,
    ) -> Result<DatagramSocket, ConnectError> {
        let service = service.parse()?;
        let end = self
            .dial(peer.into(), |reply| Goal::Flow { service, reply })
            .await?;
        Ok(DatagramSocket::new(end, &self.claim))
    }

    /// Measures one round trip to a peer, connecting first where that is necessary. A lost packet is sent again, and
    /// lengthens the time.
    ///
    /// # Errors
    /// As [`connect`](Self::connect); the timeout is the same and covers both.
    ///
    /// # Cancel safety
    /// Safe.
    pub async fn ping(&self, peer: impl Into<PeerAddr>) -> Result<Pong, ConnectError> {
        self.dial(peer.into(), |reply| Goal::Ping { reply }).await
    }

    /// Asks this node's servers for the record of a peer.
    ///
    /// # Errors
    /// [`LookupError`]: nobody knows the peer, there is nobody to ask, or nobody answers within the
    /// [timeout](NodeBuilder::connect_timeout).
    ///
    /// # Cancel safety
    /// Safe.
    pub async fn lookup(&self, peer: NodeId) -> Result<Record, LookupError> {
        let timeout = self.shared().settings.connect_timeout;
        let ticket = self.shared().ticket();
        let (reply, answer) = oneshot::channel();
        self.shared().send(Command::Lookup {
            ticket,
            peer,
            reply,
        })?;
        let asked = Asked::new(self.shared(), ticket);
        match tokio::time::timeout(timeout, answer).await {
            Ok(Ok(answer)) => {
                asked.answered();
                answer
            }
            Ok(Err(_)) => Err(self.shared().why_ended().into()),
            Err(_) => Err(LookupError::TimedOut { timeout }),
        }
    }

    /// The paths to a peer at this moment; none where there is no connection.
    pub async fn paths(&self, peer: NodeId) -> Vec<PathInfo> {
        let (reply, answer) = oneshot::channel();
        if self.shared().send(Command::Paths { peer, reply }).is_err() {
            return Vec::new();
        }
        answer.await.unwrap_or_default()
    }

    /// Waits until this node is connected to at least one of its servers. For ever, if it has none.
    ///
    /// # Errors
    /// The node has ended.
    ///
    /// # Cancel safety
    /// Safe.
    pub async fn online(&self) -> Result<(), ConnectionError> {
        self.servers(|counts| counts.connected > 0).await
    }

    /// Waits until at least one server lists this node, so that peers which share the server can find it. A node is listed while
    /// it [listens](Self::listen) on something.
    ///
    /// # Errors
    /// The node has ended.
    ///
    /// # Cancel safety
    /// Safe.
    pub async fn registered(&self) -> Result<(), ConnectionError> {
        self.servers(|counts| counts.registered > 0).await
    }

    /// Ends the connection with a peer: all its streams and flows, in both directions. Without a connection, nothing happens.
    ///
    /// What was written and has not arrived may be lost: who needs it [finishes](crate::SendHalf) its streams and reads to their end first.
    /// The call returns when the peer has heard of it, or had its time to. Either side may connect again, at once.
    ///
    /// Connections that are not used cost next to nothing, so that this is seldom called for: by who knows that it is done with a peer.
    ///
    /// # Cancel safety
    /// Safe: the connection ends in the background.
    pub async fn disconnect(&self, peer: NodeId) {
        let (done, ended) = oneshot::channel();
        if self
            .shared()
            .send(Command::Disconnect { peer, done })
            .is_ok()
        {
            // Nothing is ever sent: the other end is dropped.
            let _ = ended.await;
        }
    }

    /// Ends the node, after everything that was written has been delivered.
    ///
    /// Nothing new is accepted from here on: streams that are still held yield what has arrived, and refuse to write. What they and
    /// others wrote before is sent, and the call returns when the peers have acknowledged it and have been told goodbye.
    ///
    /// # Errors
    /// [`CloseError::Undelivered`] when a peer did not acknowledge in [time](NodeBuilder::linger). The node is closed then, too.
    /// Closing it again is no error.
    ///
    /// # Cancel safety
    /// Safe: a call that was dropped leaves the node closing in the background.
    pub async fn close(&self) -> Result<(), CloseError> {
        let (reply, answer) = oneshot::channel();
        let closed = match self.shared().send(Command::Close { reply }) {
            Ok(()) => answer
                .await
                .unwrap_or_else(|_| Err(self.shared().why_ended().into())),
            Err(lost) => Err(lost.into()),
        };
        // Whoever comes second finds everything done.
        if self.shared().is_closed() && closed == Err(ConnectionError::NodeClosed.into()) {
            Ok(())
        } else {
            closed
        }
    }

    /// Waits until this node has ended, however it ended, and says why: [`ConnectionError::NodeClosed`] in order, [`ConnectionError::NodeFailed`] by a
    /// bug. For programs that only serve, and would otherwise wait for peers that can never come.
    ///
    /// # Cancel safety
    /// Safe.
    pub async fn ended(&self) -> ConnectionError {
        match self.servers(|_| false).await {
            // No count of servers is enough, so the only way out is the end.
            Ok(()) => self.shared().why_ended(),
            Err(lost) => lost,
        }
    }

    pub(crate) fn shared(&self) -> &Arc<Shared> {
        &self.claim.shared
    }

    async fn servers(
        &self,
        enough: impl FnMut(&ServerCounts) -> bool,
    ) -> Result<(), ConnectionError> {
        let mut servers = self.shared().servers.clone();
        let found = servers.wait_for(enough).await.map(drop);
        found.map_err(|_| self.shared().why_ended())
    }

    async fn dial<T>(
        &self,
        peer: PeerAddr,
        goal: impl FnOnce(Reply<T>) -> Goal,
    ) -> Result<T, ConnectError> {
        let timeout = self.shared().settings.connect_timeout;
        match tokio::time::timeout(timeout, self.attempt(&peer, goal)).await {
            Ok(outcome) => outcome,
            Err(_) => Err(ConnectError::TimedOut {
                peer: peer.node_id(),
                timeout,
            }),
        }
    }

    async fn attempt<T>(
        &self,
        peer: &PeerAddr,
        goal: impl FnOnce(Reply<T>) -> Goal,
    ) -> Result<T, ConnectError> {
        let (hints, unresolved) = resolve(peer.hints()).await;
        let ticket = self.shared().ticket();
        let (reply, answer) = oneshot::channel();
        let dial = Dial {
            ticket,
            peer: peer.node_id(),
            hints,
            goal: goal(reply),
        };
        self.shared().send(Command::Dial(dial))?;
        let asked = Asked::new(self.shared(), ticket);
        let answer = answer.await.map_err(|_| self.shared().why_ended())?;
        asked.answered();
        answer.map_err(|reason| match (reason, unresolved) {
            (Hopeless::NoRoute, Some((host, source))) => ConnectError::Resolve { host, source },
            (Hopeless::NoRoute, None) => ConnectError::NoRoute {
                peer: peer.node_id(),
            },
            (Hopeless::Myself, _) => ConnectError::Myself {
                peer: peer.node_id(),
            },
        })
    }
}

type Reply<T> = oneshot::Sender<Result<T, Hopeless>>;

/// All addresses that the hints stand for, and one name that could not be resolved, if there is one.
async fn resolve(hints: &[HostPort]) -> (Vec<SocketAddr>, Option<(String, io::Error)>) {
    let resolved = join_all(
        hints
            .iter()
            .map(|hint| tokio::time::timeout(RESOLVE_DEADLINE, hint.resolve())),
    )
    .await;
    let (mut addresses, mut unresolved) = (Vec::new(), None);
    for (hint, outcome) in hints.iter().zip(resolved) {
        match outcome.unwrap_or_else(|_| Err(io::ErrorKind::TimedOut.into())) {
            Ok(found) => addresses.extend(found),
            Err(error) => unresolved = Some((hint.to_string(), error)),
        }
    }
    (addresses, unresolved)
}

/// A request whose answer is waited for. Dropped before the answer came, it tells the driver not to bother.
struct Asked<'a> {
    shared: &'a Shared,
    ticket: Option<Ticket>,
}

impl<'a> Asked<'a> {
    const fn new(shared: &'a Shared, ticket: Ticket) -> Self {
        Self {
            shared,
            ticket: Some(ticket),
        }
    }

    fn answered(mut self) {
        self.ticket = None;
    }
}

impl Drop for Asked<'_> {
    fn drop(&mut self) {
        if let Some(ticket) = self.ticket {
            // An ended driver does not bother anyway.
            let _ = self.shared.send(Command::GiveUp(ticket));
        }
    }
}
