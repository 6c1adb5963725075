//! What can go wrong, one small enum for each operation. Each becomes an [`io::Error`] by `?`, with the kind that fits best and
//! itself as the source.

use std::io;
use std::time::Duration;

use keyway_identity::NodeId;
use keyway_identity::key_file::KeyFileError;
use keyway_wire::ServiceNameError;

/// Why what two nodes share came to its end, for every stream and flow at once.
///
/// ```
/// use keyway::ConnectionError;
///
/// /// Whether the same peer is worth another connection, and how soon.
/// fn advice(lost: &ConnectionError) -> &'static str {
///     match lost {
///         ConnectionError::PeerRestarted => "at once",
///         ConnectionError::PeerClosed { .. } | ConnectionError::TimedOut { .. } => "in a while",
///         _ => "no",
///     }
/// }
/// # assert_eq!(advice(&ConnectionError::PeerRestarted), "at once");
/// ```
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[non_exhaustive]
pub enum ConnectionError {
    /// The peer closed its node, or the connection. What it wrote before has been read.
    #[error("the peer closed its node (code {code}{}{reason})", if reason.is_empty() { "" } else { ": " })]
    PeerClosed {
        /// The number that the peer gave: 0 is an orderly end.
        code: u64,
        /// Its words, at most 256 octets. Do not trust them.
        reason: String,
    },
    /// The peer broke the protocol, so this node hung up. Its software is broken, or hostile.
    #[error("the peer broke the protocol: {reason}")]
    Violation {
        /// What it did.
        reason: String,
    },
    /// The peer came back without its memory, so it knows nothing of this stream. Connect again.
    #[error("the peer restarted and lost its state: connect again")]
    PeerRestarted,
    /// Nothing that was sent arrived for longer than this stream's patience. Connect again, perhaps later.
    #[error("the peer has not answered for {}: it may be offline or cut off", Seconds(*patience))]
    TimedOut {
        /// The patience that ran out.
        patience: Duration,
    },
    /// The peer was silent for long, and this node needed its place for another peer. Connect again.
    #[error("the peer was silent for long, and another one took its place")]
    Displaced,
    /// This node [ended](crate::Node::disconnect) the connection.
    #[error("this node ended the connection")]
    Disconnected,
    /// This node was closed.
    #[error("this node is closed")]
    NodeClosed,
    /// The task that drives this node panicked. That is a bug in Keyway; the log has the message of the panic.
    #[error("this node's driver panicked: this is a bug, the log says where")]
    NodeFailed,
}

impl ConnectionError {
    pub(crate) fn kind(&self) -> io::ErrorKind {
        match self {
            Self::PeerClosed { .. } | Self::Disconnected | Self::NodeClosed => {
                io::ErrorKind::ConnectionAborted
            }
            Self::Violation { .. } => io::ErrorKind::InvalidData,
            Self::PeerRestarted => io::ErrorKind::ConnectionReset,
            Self::TimedOut { .. } | Self::Displaced => io::ErrorKind::TimedOut,
            Self::NodeFailed => io::ErrorKind::Other,
        }
    }
}

impl From<ConnectionError> for io::Error {
    fn from(error: ConnectionError) -> Self {
        Self::new(error.kind(), error)
    }
}

/// Why a stream yields nothing more, though the peer did not finish it. The source of the [`io::Error`]s of reading.
///
/// ```
/// use std::io;
///
/// use keyway::ReadError;
///
/// let error = io::Error::from(ReadError::Refused); // what `read` gives
/// assert_eq!(error.kind(), io::ErrorKind::ConnectionRefused);
/// let cause = error.get_ref().and_then(|source| source.downcast_ref::<ReadError>());
/// assert_eq!(cause, Some(&ReadError::Refused));
/// ```
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[non_exhaustive]
pub enum ReadError {
    /// The peer has no such service, or not for this node.
    #[error("the peer refused: it has no such service, or does not allow this node to use it")]
    Refused,
    /// The peer gave up sending.
    #[error("the peer reset the stream (code {code})")]
    Reset {
        /// What it means is between the two applications.
        code: u64,
    },
    /// The whole association with the peer has ended.
    #[error(transparent)]
    Lost(#[from] ConnectionError),
}

impl From<ReadError> for io::Error {
    fn from(error: ReadError) -> Self {
        let kind = match &error {
            ReadError::Refused => io::ErrorKind::ConnectionRefused,
            ReadError::Reset { .. } => io::ErrorKind::ConnectionReset,
            ReadError::Lost(lost) => lost.kind(),
        };
        Self::new(kind, error)
    }
}

/// Why a stream takes nothing more. The source of the [`io::Error`]s of writing.
///
/// ```
/// use keyway::{WriteError, codes};
///
/// let full = WriteError::Stopped { code: codes::OVERLOADED };
/// assert_eq!(full.to_string(), "the peer stopped reading (code 5)");
/// assert_eq!(std::io::Error::from(full).kind(), std::io::ErrorKind::BrokenPipe);
/// ```
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[non_exhaustive]
pub enum WriteError {
    /// The peer has no such service, or not for this node.
    #[error("the peer refused: it has no such service, or does not allow this node to use it")]
    Refused,
    /// The peer does not want any more.
    #[error("the peer stopped reading (code {code})")]
    Stopped {
        /// What it means is between the two applications.
        code: u64,
    },
    /// This side has finished or reset the stream before.
    #[error("the stream was shut down for writing before")]
    Finished,
    /// The whole association with the peer has ended.
    #[error(transparent)]
    Lost(#[from] ConnectionError),
}

impl From<WriteError> for io::Error {
    fn from(error: WriteError) -> Self {
        let kind = match &error {
            WriteError::Refused => io::ErrorKind::ConnectionRefused,
            WriteError::Stopped { .. } | WriteError::Finished => io::ErrorKind::BrokenPipe,
            WriteError::Lost(lost) => lost.kind(),
        };
        Self::new(kind, error)
    }
}

/// Why a datagram could not be sent, or none can come any more.
///
/// ```
/// use keyway::{DatagramError, DatagramSocket};
///
/// # async fn run(socket: DatagramSocket, report: &[u8]) -> Result<(), DatagramError> {
/// match socket.send(report).await {
///     Err(DatagramError::TooLarge { max, .. }) => socket.send(&report[..max]).await,
///     sent => sent,
/// }
/// # }
/// ```
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[non_exhaustive]
pub enum DatagramError {
    /// Longer than the path takes. Send less; [`max_size`](crate::DatagramSocket::max_size) says how much.
    #[error("{size} octets do not fit: a datagram to this peer has at most {max}")]
    TooLarge {
        /// The length of what was to be sent.
        size: usize,
        /// What the path takes at the moment.
        max: usize,
    },
    /// The peer has no such service, or not for this node.
    #[error("the peer refused: it has no such service, or does not allow this node to use it")]
    Refused,
    /// The peer closed its socket.
    #[error("the peer closed its end")]
    Closed,
    /// The whole association with the peer has ended.
    #[error(transparent)]
    Lost(#[from] ConnectionError),
}

impl From<DatagramError> for io::Error {
    fn from(error: DatagramError) -> Self {
        let kind = match &error {
            DatagramError::TooLarge { .. } => io::ErrorKind::InvalidInput,
            DatagramError::Refused => io::ErrorKind::ConnectionRefused,
            DatagramError::Closed => io::ErrorKind::BrokenPipe,
            DatagramError::Lost(lost) => lost.kind(),
        };
        Self::new(kind, error)
    }
}

/// Why there is no connection to a peer.
///
/// ```
/// use keyway::{ConnectError, Node};
///
/// # #[tokio::main]
/// # async fn main() -> Result<(), Box<dyn std::error::Error>> {
/// # let peer = keyway::SecretKey::from_bytes([7; 32]).node_id();
/// let node = Node::builder().bind_address("127.0.0.1:0".parse()?).bind().await?;
/// match node.connect(peer, "http").await {
///     Ok(stream) => println!("connected to {}", stream.peer()),
///     Err(ConnectError::TimedOut { .. }) => println!("offline, or it does not allow this node"),
///     Err(error @ ConnectError::NoRoute { .. }) => println!("{error}"), // here: neither server nor address
///     Err(error) => return Err(error.into()),
/// }
/// # Ok(())
/// # }
/// ```
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum ConnectError {
    /// The service's name is not one.
    #[error("service name: {0}")]
    Service(#[from] ServiceNameError),
    /// A host name among the peer's addresses could not be resolved, and there is no other way to the peer.
    #[error("cannot resolve {host}: {source}")]
    Resolve {
        /// The name.
        host: String,
        /// What the resolver said.
        source: io::Error,
    },
    /// Nothing says where the peer may be.
    #[error(
        "no way to {peer} is known: give the node a server, or the peer an address (`<id>@host:port`)"
    )]
    NoRoute {
        /// Who was to be reached.
        peer: NodeId,
    },
    /// A node does not dial itself.
    #[error("{peer} is this node itself")]
    Myself {
        /// The id that both have.
        peer: NodeId,
    },
    /// Nothing came back before the timeout. A peer that does not allow this node stays silent on purpose, so that a stranger
    /// cannot tell whether it exists.
    #[error(
        "no answer from {peer} within {}: it may be offline, not registered at the server, or not allow this node (peers that do \
         not allow a node stay silent)",
        Seconds(*timeout)
    )]
    TimedOut {
        /// Who was to be reached.
        peer: NodeId,
        /// The timeout that passed.
        timeout: Duration,
    },
    /// The node ended meanwhile.
    #[error(transparent)]
    Lost(#[from] ConnectionError),
}

impl From<ConnectError> for io::Error {
    fn from(error: ConnectError) -> Self {
        let kind = match &error {
            ConnectError::Service(_) | ConnectError::Myself { .. } => io::ErrorKind::InvalidInput,
            ConnectError::Resolve { source, .. } => source.kind(),
            ConnectError::NoRoute { .. } => io::ErrorKind::HostUnreachable,
            ConnectError::TimedOut { .. } => io::ErrorKind::TimedOut,
            ConnectError::Lost(lost) => lost.kind(),
        };
        Self::new(kind, error)
    }
}

/// Why a record could not be looked up.
///
/// ```
/// use keyway::{LookupError, Node};
///
/// # #[tokio::main]
/// # async fn main() -> Result<(), Box<dyn std::error::Error>> {
/// # let peer = keyway::SecretKey::from_bytes([7; 32]).node_id();
/// let node = Node::builder().bind_address("127.0.0.1:0".parse()?).bind().await?;
/// assert_eq!(node.lookup(peer).await, Err(LookupError::NoServer));
/// # Ok(())
/// # }
/// ```
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[non_exhaustive]
pub enum LookupError {
    /// The server knows no living record of the peer: it is offline, or registered elsewhere.
    #[error(
        "no server of this node has a record of {peer}: it is offline, or registered at another server"
    )]
    NotFound {
        /// Who was asked for.
        peer: NodeId,
    },
    /// This node has no server to ask.
    #[error("this node has no server to ask: give it one when it is built")]
    NoServer,
    /// No server answered.
    #[error("no server answered within {}", Seconds(*timeout))]
    TimedOut {
        /// The timeout that passed.
        timeout: Duration,
    },
    /// The node ended meanwhile.
    #[error(transparent)]
    Lost(#[from] ConnectionError),
}

impl From<LookupError> for io::Error {
    fn from(error: LookupError) -> Self {
        let kind = match &error {
            LookupError::NotFound { .. } => io::ErrorKind::NotFound,
            LookupError::NoServer => io::ErrorKind::InvalidInput,
            LookupError::TimedOut { .. } => io::ErrorKind::TimedOut,
            LookupError::Lost(lost) => lost.kind(),
        };
        Self::new(kind, error)
    }
}

/// Why a node could not be set up.
///
/// ```
/// use keyway::{BindError, Node};
///
/// # #[tokio::main]
/// # async fn main() -> Result<(), Box<dyn std::error::Error>> {
/// let taken = std::net::UdpSocket::bind("127.0.0.1:0")?.local_addr()?;
/// let first = Node::builder().bind_address(taken).bind().await?;
/// match Node::builder().bind_address(taken).bind().await {
///     Err(BindError::Socket { address, .. }) => assert_eq!(address, taken),
///     other => panic!("{other:?}"),
/// }
/// # Ok(())
/// # }
/// ```
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum BindError {
    /// The key file could not be used.
    #[error(transparent)]
    KeyFile(#[from] KeyFileError),
    /// No socket at this address.
    #[error("cannot bind UDP {address}: {source}")]
    Socket {
        /// The address that was asked for.
        address: std::net::SocketAddr,
        /// What the system said.
        source: io::Error,
    },
    /// The system gave no randomness.
    #[error("the system gave no randomness: {0}")]
    Randomness(io::Error),
}

impl From<BindError> for io::Error {
    fn from(error: BindError) -> Self {
        let kind = match &error {
            BindError::KeyFile(_) => io::ErrorKind::InvalidInput,
            BindError::Socket { source, .. } | BindError::Randomness(source) => source.kind(),
        };
        Self::new(kind, error)
    }
}

/// Why a service could not be offered.
///
/// ```
/// use keyway::{Allow, ListenError, Node};
///
/// # #[tokio::main]
/// # async fn main() -> Result<(), Box<dyn std::error::Error>> {
/// # let node = Node::builder().bind_address("127.0.0.1:0".parse()?).bind().await?;
/// let echo = node.listen("echo").allow(Allow::any()).start()?;
/// let again = node.listen("echo").allow(Allow::any()).start();
/// assert_eq!(again.unwrap_err(), ListenError::InUse { service: "echo".to_owned() });
/// # Ok(())
/// # }
/// ```
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[non_exhaustive]
pub enum ListenError {
    /// The service's name is not one.
    #[error("service name: {0}")]
    Service(#[from] ServiceNameError),
    /// Somebody listens already. Drop the other listener first.
    #[error("this node already listens on `{service}`")]
    InUse {
        /// The name that is taken.
        service: String,
    },
    /// The node ended before.
    #[error(transparent)]
    Lost(#[from] ConnectionError),
}

impl From<ListenError> for io::Error {
    fn from(error: ListenError) -> Self {
        let kind = match &error {
            ListenError::Service(_) => io::ErrorKind::InvalidInput,
            ListenError::InUse { .. } => io::ErrorKind::AddrInUse,
            ListenError::Lost(lost) => lost.kind(),
        };
        Self::new(kind, error)
    }
}

/// Why not everything was delivered when a node was closed.
///
/// ```
/// use keyway::{CloseError, Node};
///
/// # async fn run(node: Node) -> Result<(), CloseError> {
/// match node.close().await {
///     Err(CloseError::Undelivered { linger }) => {
///         println!("somebody has not read everything within {} s", linger.as_secs());
///         Ok(())
///     }
///     closed => closed,
/// }
/// # }
/// ```
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[non_exhaustive]
pub enum CloseError {
    /// The time to linger passed, and peers had not acknowledged all that was written.
    #[error("closed before everything was delivered: peers did not acknowledge within {}", Seconds(*linger))]
    Undelivered {
        /// The time that was waited.
        linger: Duration,
    },
    /// The node ended before.
    #[error(transparent)]
    Lost(#[from] ConnectionError),
}

impl From<CloseError> for io::Error {
    fn from(error: CloseError) -> Self {
        let kind = match &error {
            CloseError::Undelivered { .. } => io::ErrorKind::TimedOut,
            CloseError::Lost(lost) => lost.kind(),
        };
        Self::new(kind, error)
    }
}

/// A duration as people say it: whole seconds where it has them.
struct Seconds(Duration);

impl std::fmt::Display for Seconds {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        if self.0.subsec_millis() == 0 {
            write!(f, "{} s", self.0.as_secs())
        } else {
            write!(f, "{} ms", self.0.as_millis())
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_missed_timeout_says_what_it_may_mean() {
        let peer = keyway_identity::SecretKey::from_bytes([1; 32]).node_id();
        let message = ConnectError::TimedOut {
            peer,
            timeout: Duration::from_secs(30),
        }
        .to_string();
        assert!(
            message.starts_with(&format!("no answer from {peer} within 30 s: ")),
            "{message}"
        );
        assert!(message.contains("stay silent"), "{message}");
    }

    #[test]
    fn a_duration_below_a_second_is_told_in_milliseconds() {
        assert_eq!(Seconds(Duration::from_millis(1500)).to_string(), "1500 ms");
        assert_eq!(Seconds(Duration::from_secs(2)).to_string(), "2 s");
    }

    #[test]
    fn an_io_error_carries_its_kind_and_its_source() {
        let error = io::Error::from(ReadError::Refused);
        assert_eq!(error.kind(), io::ErrorKind::ConnectionRefused);
        let source = error
            .get_ref()
            .and_then(|source| source.downcast_ref::<ReadError>());
        assert_eq!(source, Some(&ReadError::Refused));
        let error = io::Error::from(WriteError::Lost(ConnectionError::TimedOut {
            patience: Duration::from_secs(300),
        }));
        assert_eq!(error.kind(), io::ErrorKind::TimedOut);
    }

    #[test]
    fn every_error_is_an_io_error_of_the_kind_that_fits() {
        use io::ErrorKind::{AddrInUse, InvalidInput, NotFound, PermissionDenied, TimedOut};
        let peer = keyway_identity::SecretKey::from_bytes([1; 32]).node_id();
        let second = Duration::from_secs(1);
        let socket = BindError::Socket {
            address: ([127, 0, 0, 1], 53).into(),
            source: PermissionDenied.into(),
        };
        let in_use = ListenError::InUse {
            service: "echo".to_owned(),
        };
        let kinds = [
            (io::Error::from(socket).kind(), PermissionDenied),
            (io::Error::from(in_use).kind(), AddrInUse),
            (
                io::Error::from(LookupError::NotFound { peer }).kind(),
                NotFound,
            ),
            (io::Error::from(LookupError::NoServer).kind(), InvalidInput),
            (
                io::Error::from(CloseError::Undelivered { linger: second }).kind(),
                TimedOut,
            ),
        ];
        for (kind, expected) in kinds {
            assert_eq!(kind, expected);
        }
    }

    #[test]
    fn the_words_of_a_closing_peer_are_shown_where_there_are_any() {
        let silent = ConnectionError::PeerClosed {
            code: 0,
            reason: String::new(),
        };
        assert_eq!(silent.to_string(), "the peer closed its node (code 0)");
        let talking = ConnectionError::PeerClosed {
            code: 7,
            reason: "restart".into(),
        };
        assert_eq!(
            talking.to_string(),
            "the peer closed its node (code 7: restart)"
        );
    }
}
