//! Why nobody answers: a server that is not there, one end's key at both, a peer that is away or does not allow this node.

use std::time::Duration;

use keyway::{ConnectError, ConnectionError, LookupError, Node, NodeId, PeerAddr, ServerAddr};

use crate::arguments::NodeOptions;
use crate::exit::Failure;
use crate::output;

/// How long servers get to answer before it is said that none has: several times what the slowest path takes.
const NOTICE: Duration = Duration::from_secs(5);

/// How long to ask servers about a peer that has not answered. Those that are there answer within a round trip.
const ASKING_MAX: Duration = Duration::from_secs(2);

/// What is left to try where no server answers.
const CHECK_SERVERS: &str = "check the address, that UDP gets through, and the id, which `keyway server` prints after `ready`";

/// A node with the servers that it was given, able to say why somebody cannot be reached.
#[derive(Clone, Debug)]
pub(crate) struct Reach {
    node: Node,
    servers: Vec<ServerAddr>,
    /// Whom the peer's --allow has to name.
    name: String,
}

impl Reach {
    /// Refuses keys that are at both ends, and goes on to say where no server answers.
    pub(crate) fn new<'a>(
        node: &Node,
        options: &NodeOptions,
        peers: impl IntoIterator<Item = &'a PeerAddr>,
    ) -> Result<Self, Failure> {
        let reach = Self {
            node: node.clone(),
            servers: options.servers().cloned().collect(),
            name: if options.identity.is_ephemeral() {
                "this node, which needs a --key FILE for that".to_owned()
            } else {
                node.node_id().to_string()
            },
        };
        let servers = reach.servers.iter().map(ServerAddr::node_id);
        let mut others = servers.chain(peers.into_iter().map(PeerAddr::node_id));
        if let Some(me) = others.find(|id| *id == node.node_id()) {
            return Err(Failure::one_key_for_two(me));
        }
        if !reach.servers.is_empty() {
            tokio::spawn(reach.clone().tell_of_silent_servers());
        }
        Ok(reach)
    }

    /// Says once that no server answers, and once that one does after all.
    async fn tell_of_silent_servers(self) {
        if tokio::time::timeout(NOTICE, self.node.online())
            .await
            .is_ok()
        {
            return;
        }
        output::note(format_args!(
            "no server has answered yet ({}), trying on: {CHECK_SERVERS}",
            self.list()
        ));
        if self.node.online().await.is_ok() {
            output::note("a server has answered");
        }
    }

    /// Why there is no connection, as far as the servers know.
    pub(crate) async fn explain(&self, error: ConnectError) -> Failure {
        let ConnectError::TimedOut { peer, timeout } = error else {
            return error.into();
        };
        if !self.servers.is_empty() && !self.is_online().await {
            return self.no_server(timeout);
        }
        Failure::unreachable(format_args!(
            "no answer from {peer} within {}: {}",
            Span(timeout),
            self.why_silent(peer).await
        ))
    }

    /// Why a peer may be silent. What a server knows of it tells the two common reasons apart.
    pub(crate) async fn why_silent(&self, peer: NodeId) -> String {
        if self.servers.is_empty() {
            return format!(
                "its address may be wrong, its program may not run, or it does not allow this node (peers that do not allow a node stay \
                 silent): its --allow must name {}",
                self.name
            );
        }
        match tokio::time::timeout(ASKING_MAX, self.node.lookup(peer)).await {
            Ok(Ok(_)) => format!(
                "the server lists it, so it does not allow this node (peers that do not allow a node stay silent), or has gone a moment ago: its \
                 --allow must name {}",
                self.name
            ),
            Ok(Err(LookupError::NotFound { .. })) => {
                "the server does not list it, so it is offline, or uses another server: is `keyway expose` running there, with this --server?"
                    .to_owned()
            }
            Ok(Err(_)) | Err(_) => {
                "it may be offline, not registered at the server, or not allow this node (peers that do not allow a node stay silent)".to_owned()
            }
        }
    }

    /// Why a record could not be had.
    pub(crate) fn explain_lookup(&self, error: LookupError) -> Failure {
        match error {
            LookupError::TimedOut { timeout } => self.no_server(timeout),
            other @ (LookupError::NotFound { .. }
            | LookupError::NoServer
            | LookupError::Lost(_)
            | _) => other.into(),
        }
    }

    /// Waits until the node has ended by itself, which only a bug makes it do while a command runs.
    pub(crate) async fn node_failed(&self) -> Failure {
        let lost: ConnectionError = self.node.ended().await;
        lost.into()
    }

    fn no_server(&self, timeout: Duration) -> Failure {
        Failure::unreachable(format_args!(
            "no server answered within {} ({}): {CHECK_SERVERS}",
            Span(timeout),
            self.list()
        ))
    }

    /// Whether a server answers at this moment.
    async fn is_online(&self) -> bool {
        tokio::time::timeout(Duration::ZERO, self.node.online())
            .await
            .is_ok_and(|online| online.is_ok())
    }

    fn list(&self) -> String {
        let servers: Vec<_> = self.servers.iter().map(ToString::to_string).collect();
        servers.join(" ")
    }
}

/// A span of time in seconds, with a fraction where there is one.
struct Span(Duration);

impl std::fmt::Display for Span {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        write!(f, "{} s", self.0.as_secs_f64())
    }
}
