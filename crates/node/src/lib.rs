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
//! # Inside
//!
//! One `Control` decides about peers (handshakes, records, relay channels, direct paths, policy). A `Worker` owns associations
//! (`keyway-transport`), finds them by connection id, keeps their timers and lets them send in turn.
//!
//! # Not here
//!
//! Sockets, clocks, name resolution, deadlines of calls, and buffers that an application reads and writes at its own pace.

mod answers;
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

pub use config::Config;
pub use event::{ConnectFailure, Event, PathKind};
pub use io::{Arrival, SocketId, Transmit};
pub use keys::{AssociationKey, ConnectId, LookupId, StreamKey};
pub use limits::Limits;
pub use node::Node;
pub use policy::Allow;

pub use keyway_rendezvous::{Limits as RendezvousLimits, Rate, Record, Wall};
pub use keyway_transport::{
    AssociationConfig, Batch, Ecn, EndReason, OpenError, PathInfo, PingId, ReadError,
    SendDatagramError, WriteError, codes,
};
