//! The Keyway node without I/O: everything that a node decides.
//!
//! A [`Node`] owns a keypair and speaks with other nodes by their public keys. It opens no socket, reads no clock, starts no
//! task and draws randomness only from the seed that it was given; a driver brings packets and time in, and carries packets and
//! events out. The `keyway` crate is the driver over tokio, `keyway-sim` the one with a virtual world.
//!
//! # The loop
//!
//! After **every** call that takes `&mut self`:
//!
//! 1. [`Node::poll_transmit`] until `None`, sending each batch;
//! 2. [`Node::poll_event`] until `None`;
//! 3. [`Node::poll_timeout`], and call [`Node::handle_timeout`] by then.
//!
//! ```
//! use std::net::SocketAddr;
//!
//! use keyway_identity::SecretKey;
//! use keyway_node::{Allow, Arrival, Batch, Config, Event, Node, SocketId, Wall};
//! use keyway_wire::Time;
//!
//! /// A network that carries everything at once, to whoever has the address.
//! fn carry(now: Time, nodes: &mut [(SocketAddr, Node)]) {
//!     let mut batch = Batch::new();
//!     let mut moved = true;
//!     while moved {
//!         moved = false;
//!         for index in 0..nodes.len() {
//!             while let Some(transmit) = nodes[index].1.poll_transmit(now, &mut batch) {
//!                 moved = true;
//!                 let arrival = Arrival { socket: SocketId(0), remote: nodes[index].0, local: None, ecn: None };
//!                 if let Some((_, receiver)) = nodes.iter_mut().find(|(address, _)| *address == transmit.remote) {
//!                     receiver.handle_batch(now, arrival, &mut batch.bytes().to_vec(), transmit.segment_size);
//!                 }
//!             }
//!         }
//!     }
//! }
//!
//! let now = Time::from_micros(1_000_000);
//! let mut nodes = [1, 2].map(|number| {
//!     let address = SocketAddr::from(([192, 0, 2, number], 4100));
//!     let secret = SecretKey::from_bytes([number; 32]); // in earnest, this and the seed are random
//!     let mut node = Node::new(now, Wall(1_800_000_000), secret, [number; 32], Config::default());
//!     node.set_sockets(now, &[(SocketId(0), address)], &[address.ip()]);
//!     (address, node)
//! });
//! let (alice, bob) = (nodes[0].1.node_id(), nodes[1].1.node_id());
//! let at_bob = nodes[1].0;
//! nodes[1].1.listen(now, "echo".parse().unwrap(), Allow::Only([alice].into()));
//! nodes[0].1.connect(now, bob, &[at_bob]);
//! carry(now, &mut nodes);
//!
//! let mut events = std::iter::from_fn(|| nodes[0].1.poll_event());
//! assert!(events.any(|event| matches!(event, Event::Connected { peer, .. } if peer == bob)));
//! ```
//!
//! # Inside
//!
//! One `Control` decides about peers (handshakes, records, relay channels, direct paths, policy). A `Worker` owns associations
//! (`keyway-transport`), finds them by connection id, keeps their timers and lets them send in turn.
//!
//! # Logs
//!
//! `tracing` is told at `info` and above what this node does, which nobody else can make it do more than about once a second. What
//! others do (they connect, break the protocol, send what cannot be read) is `debug` or `trace`, and as frequent as they like.
//!
//! # Not here
//!
//! Sockets, clocks, name resolution, deadlines of calls, and buffers that an application reads and writes at its own pace.

mod answers;
mod census;
mod config;
mod control;
mod cookies;
mod defence;
mod dial;
mod directory;
mod event;
mod forward_queue;
mod io;
mod keys;
mod limits;
mod node;
mod peer;
mod policy;
mod probe_budget;
mod timers;
mod worker;

pub use census::Census;
pub use config::Config;
pub use event::{ConnectFailure, Event, PathKind};
pub use io::{Arrival, SocketId, Transmit};
pub use keys::{AssociationKey, ConnectId, LookupId, StreamKey};
pub use limits::Limits;
pub use node::Node;
pub use policy::Allow;

pub use keyway_rendezvous::{Limits as RendezvousLimits, Rate, Record, Wall};
pub use keyway_transport::{
    AssociationConfig, Batch, ChunkQueue, DatagramBuffer, Ecn, EndReason, MemoryShare, OpenError,
    PathInfo, PingId, ReadError, SendDatagramError, WriteError, codes,
};
