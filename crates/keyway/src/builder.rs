//! Setting up a node.

use std::net::SocketAddr;
use std::path::PathBuf;
use std::sync::Arc;
use std::time::Duration;

use keyway_identity::SecretKey;
use keyway_node::{Config, Limits};
use tokio::sync::watch;

use crate::clock::Clock;
use crate::driver::Driver;
use crate::error::BindError;
use crate::home::Home;
use crate::identity::{self, Key};
use crate::node::Node;
use crate::peer_addr::ServerAddr;
use crate::servers;
use crate::shared::{Claim, ServerCounts, Settings, Shared};
use crate::sockets::{self, BindPlan};

/// What the connect timeout is without a word: long enough for a peer that a push has to wake, short enough for a person.
const CONNECT_TIMEOUT: Duration = Duration::from_secs(30);
/// What patience is without a word: a change of network, a restart of a router, a short tunnel.
const PATIENCE: Duration = Duration::from_secs(300);
/// Above the interval of keepalives (25 s), so that a peer whose pair is awake is never asked.
const SILENCE_MAX: Duration = Duration::from_secs(30);
/// How long a closing node waits for acknowledgements without a word.
const LINGER: Duration = Duration::from_secs(30);

/// What every path carries (RFC 9000, 14).
const UDP_PAYLOAD_MIN: u32 = 1_200;

/// The steps to a node. All of them are optional: without any, the node has a fresh identity and no server, and is bound to some
/// port of all addresses.
///
/// ```no_run
/// # async fn run() -> Result<(), Box<dyn std::error::Error>> {
/// use keyway::{Node, ServerAddr};
///
/// let server: ServerAddr = std::env::var("KEYWAY_SERVER")?.parse()?;
/// let node = Node::builder().key_file("agent.key").server(server).bind().await?;
/// println!("reachable as {}", node.node_id());
/// # Ok(())
/// # }
/// ```
#[derive(Debug)]
#[must_use = "there is no node before `bind`"]
pub struct NodeBuilder {
    key: Key,
    servers: Vec<ServerAddr>,
    bind: BindPlan,
    settings: Settings,
    /// Not inside, so that the builder stays small: it may hold a key, and where it is moved as a whole it leaves copies of it on
    /// the stack.
    limits: Box<Limits>,
    serve_rendezvous: bool,
    udp_payload_max: Option<u32>,
    own_thread: bool,
}

impl NodeBuilder {
    pub(crate) fn new() -> Self {
        let settings = Settings {
            connect_timeout: CONNECT_TIMEOUT,
            patience: PATIENCE,
            linger: LINGER,
            silence_max: SILENCE_MAX,
            spin: std::thread::available_parallelism().is_ok_and(|cores| cores.get() > 1),
        };
        Self {
            key: Key::Ephemeral,
            servers: Vec::new(),
            bind: BindPlan::Port(0),
            settings,
            limits: Box::default(),
            serve_rendezvous: false,
            udp_payload_max: None,
            own_thread: false,
        }
    }

    /// The identity in this file. If there is no such file, it is made with a fresh key, readable to its owner alone; a
    /// file that cannot be read is never replaced.
    pub fn key_file(mut self, path: impl Into<PathBuf>) -> Self {
        self.key = Key::File(path.into());
        self
    }

    /// This identity. At most one node may have it at a time.
    ///
    /// ```
    /// # fn main() -> Result<(), Box<dyn std::error::Error>> {
    /// use keyway::{Node, SecretKey};
    ///
    /// # let document = SecretKey::from_bytes([7; 32]).to_pem();
    /// // From wherever secrets are kept: the PEM document of a key file.
    /// let builder = Node::builder().secret_key(SecretKey::from_pem(&document)?);
    /// # Ok(())
    /// # }
    /// ```
    pub fn secret_key(mut self, key: SecretKey) -> Self {
        self.key = Key::Secret(key);
        self
    }

    /// A server to meet others at. More than one may be given: the node keeps connected to all of them.
    pub fn server(mut self, server: ServerAddr) -> Self {
        self.servers.push(server);
        self
    }

    /// Binds this port, of all addresses of both families.
    pub fn bind_port(mut self, port: u16) -> Self {
        self.bind = BindPlan::Port(port);
        self
    }

    /// Binds this address. More than one may be given; then the node uses these and no other.
    pub fn bind_address(mut self, address: SocketAddr) -> Self {
        match &mut self.bind {
            BindPlan::Addresses(addresses) => addresses.push(address),
            BindPlan::Port(_) => self.bind = BindPlan::Addresses(vec![address]),
        }
        self
    }

    /// How long [`Node::connect`] and its like wait for a peer to answer: 30 s without a word.
    pub fn connect_timeout(mut self, timeout: Duration) -> Self {
        self.settings.connect_timeout = timeout;
        self
    }

    /// How long a stream waits while the peer acknowledges nothing of what was sent: 5 minutes without a word.
    /// [`Stream::set_patience`](crate::Stream::set_patience) changes it for one stream.
    pub fn patience(mut self, patience: Duration) -> Self {
        self.settings.patience = patience;
        self
    }

    /// How long [`Node::close`], and a node that nobody holds any more, wait for acknowledgements: 30 s without a word.
    pub fn linger(mut self, linger: Duration) -> Self {
        self.settings.linger = linger;
        self
    }

    /// Whether the node, having asked something of a peer nearby, looks out for the answer for up to 50 us before it sleeps. That
    /// halves round trips within a machine or a rack, for the time of a core; where answers come later, it hardly ever looks. Without
    /// a word it does so where this process has more than one core.
    pub fn spin(mut self, spin: bool) -> Self {
        self.settings.spin = spin;
        self
    }

    /// Whether the node runs on a thread of its own, instead of in a task of the runtime that it is bound in: not without a word.
    ///
    /// Say so where tasks of the application may compute or block for long: the node goes on to answer peers, who would count it as
    /// gone otherwise. It costs a thread, and what passes between the node and the application passes between two threads:
    /// some microseconds each way, unless both have work all the time.
    pub fn own_thread(mut self, own_thread: bool) -> Self {
        self.own_thread = own_thread;
        self
    }

    /// The largest UDP payload that this node sends and takes, in octets: 65,487 without a word. Each path finds out how much of that it
    /// carries: 1,452 over most of the internet, more with jumbo frames and within a machine. Below 1,200 counts as 1,200.
    pub fn udp_payload_max(mut self, octets: u32) -> Self {
        self.udp_payload_max = Some(octets.max(UDP_PAYLOAD_MIN));
        self
    }

    /// Octets of memory that streams and datagrams may take, with all peers together: 4 GiB without a word, and 64 KiB more for each
    /// peer whatever this says. The same as [`Limits::memory_max`], which says what that means; what is called last counts.
    pub fn memory_max(mut self, octets: u64) -> Self {
        self.limits.memory_max = octets;
        self
    }

    /// What others may cost the node: handshakes, memory, probes, associations, and what a server keeps for its clients. The defaults are
    /// safe for a small machine; each field of [`Limits`] says what it bounds and why.
    ///
    /// ```
    /// use keyway::{Limits, Node, Rate};
    ///
    /// let limits = Limits {
    ///     // A gateway behind which a thousand nodes come back at once.
    ///     handshakes_per_source: Rate::new(200, 50),
    ///     ..Limits::default()
    /// };
    /// let builder = Node::builder().limits(limits);
    /// # let _ = builder;
    /// ```
    pub fn limits(mut self, limits: Limits) -> Self {
        *self.limits = limits;
        self
    }

    /// For tests, which have no half minute.
    #[cfg(test)]
    pub(crate) fn silence_max(mut self, silence: Duration) -> Self {
        self.settings.silence_max = silence;
        self
    }

    /// Makes the node a server: it lists other nodes, answers who looks for them, and relays sealed packets between those that
    /// cannot reach each other directly. Whoever knows its id and address may use it.
    pub const fn serve_rendezvous(mut self) -> Self {
        self.serve_rendezvous = true;
        self
    }

    /// Binds the sockets and starts the node, within the current tokio runtime. Servers are connected to in the background;
    /// [`Node::online`] waits for them.
    ///
    /// # Errors
    /// [`BindError`]: the key file, a socket, or randomness cannot be had.
    ///
    /// # Panics
    /// Outside of a tokio runtime with I/O and time enabled.
    pub async fn bind(self) -> Result<Node, BindError> {
        Home::new(self.own_thread)?.settle(|| self.build())
    }

    /// The node and what drives it, within the runtime that will do so.
    fn build(self) -> Result<(Driver, Node), BindError> {
        let secret = self.key.obtain()?;
        let node_id = secret.node_id();
        let sockets = sockets::bind(&self.bind)
            .map_err(|(address, source)| BindError::Socket { address, source })?;
        let local = sockets
            .bound()
            .into_iter()
            .map(|(_, address)| address)
            .collect();
        let mut config = Config {
            server: self.serve_rendezvous,
            limits: *self.limits,
            ..Config::default()
        };
        if let Some(octets) = self.udp_payload_max {
            Arc::make_mut(&mut config.association).udp_payload_max = octets;
        }
        let clock = Clock::new();
        let node = keyway_node::Node::new(
            clock.now(),
            Clock::wall(),
            secret,
            identity::random()?,
            config.clone(),
        );
        let (counts, servers) = watch::channel(ServerCounts::default());
        let shared = Shared::new(node_id, local, self.settings, servers);
        let resolving = servers::keep_resolving(self.servers, &shared);
        let driver = Driver::new(
            clock,
            node,
            &config,
            sockets,
            Arc::clone(&shared),
            counts,
            resolving,
        );
        Ok((driver, Node::new(Arc::new(Claim { shared }))))
    }
}
