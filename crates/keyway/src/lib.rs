//! Programs reach each other by public key: authenticated, encrypted streams that survive changes of address.
//!
//! A program makes a [`Node`] with a keypair; the public key, its [`NodeId`], is its address for life: on a laptop, in a
//! container, behind any NAT. It [listens](Node::listen) on named services, for those whom it [allows](Allow), and
//! [connects](Node::connect) to services of others by their ids. A [`Stream`] reads and writes as a TCP connection does, and a
//! [`DatagramSocket`] sends and receives as a UDP socket does.
//!
//! ```no_run
//! use keyway::{Allow, Node, NodeId, ServerAddr};
//!
//! # async fn run(server: ServerAddr, friend: NodeId, peer: NodeId) -> Result<(), Box<dyn std::error::Error>> {
//! let node = Node::builder().key_file("agent.key").server(server).bind().await?;
//!
//! let mut echo = node.listen("echo").allow(Allow::only([friend])).start()?; // nobody else may even shake hands
//! let incoming = echo.accept().await?;
//!
//! let stream = node.connect(peer, "echo").await?; // AsyncRead + AsyncWrite
//! let socket = node.datagrams(peer, "telemetry").await?; // unreliable, unordered
//!
//! node.close().await?; // delivers what was written
//! # Ok(())
//! # }
//! ```
//!
//! # How nodes find each other
//!
//! Through a server that both are given: it lists who is there, and relays sealed packets until the two have found a direct path,
//! usually within a second. A server is itself a node ([`NodeBuilder::serve_rendezvous`]). Two nodes that
//! know each other's addresses need none: see [`PeerAddr`].
//!
//! # Logs
//!
//! Events go to [`tracing`](https://docs.rs/tracing). What others can cause again and again is told at `debug` and `trace`; a
//! subscriber that keeps those levels bounds their rate, or lets strangers fill its disk.
//!
//! # What this crate is
//!
//! The tokio side of Keyway: sockets, clock, tasks and buffers. What a node decides is decided in `keyway-node`, which does no
//! I/O and runs in a simulator as well. One task drives a node; the application meets it at bounded buffers, so that backpressure
//! goes from the reader at one end to the writer at the other.
//!
//! All nodes of this crate belong to the tokio runtime in which they were [bound](NodeBuilder::bind), and end with it.

mod allow;
mod builder;
mod clock;
pub mod codes;
mod command;
mod datagrams;
mod driver;
mod error;
mod flow;
mod home;
mod host_port;
mod identity;
mod inbox;
mod interfaces;
mod listener;
mod lock;
mod meaning;
mod node;
mod path;
mod patience;
mod peer_addr;
mod pipe;
mod record;
mod servers;
mod shared;
mod sockets;
mod stream;
#[cfg(test)]
mod tests;

/// The code in the papers compiles.
#[cfg(doctest)]
mod papers {
    #[doc = include_str!("../../../README.md")]
    mod readme {}
    #[doc = include_str!("../../../docs/library.md")]
    mod library {}
}

pub use allow::Allow;
pub use builder::NodeBuilder;
pub use bytes::Bytes;
pub use datagrams::DatagramSocket;
pub use error::{
    BindError, CloseError, ConnectError, ConnectionError, DatagramError, ListenError, LookupError,
    ReadError, WriteError,
};
pub use host_port::HostPortError;
pub use identity::key_file_id;
pub use keyway_identity::key_file::{KeyFileCause, KeyFileError};
pub use keyway_identity::{NodeId, ParseNodeIdError, PemError, SecretKey};
pub use keyway_node::{Limits, Rate, RendezvousLimits};
pub use keyway_wire::{ServiceName, ServiceNameError};
pub use listener::{AllowedListenBuilder, Incoming, ListenBuilder, Listener};
pub use node::Node;
pub use path::{PathInfo, Pong, Route};
pub use peer_addr::{ParseAddrError, PeerAddr, ServerAddr};
pub use record::Record;
pub use stream::{RecvHalf, SendHalf, Stream};
