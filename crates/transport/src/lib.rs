//! The association: paths, loss recovery, congestion control, streams and datagrams between two node ids.
//!
//! An [`Association`] is everything that two nodes share. It lives for hours to months; the sessions (keys) that it seals
//! with live for minutes, and the paths that its packets take for as long as they work. Streams and datagrams belong to
//! the association alone: a new address, a move from a relay to a direct path and back, new keys, a night of sleep are
//! nothing that whoever reads and writes would notice. One rule makes all of these the same: **frames are retransmitted,
//! packets never**. What was lost goes out again on whatever path and under whatever keys are current.
//!
//! # The loop
//!
//! It is driven with five calls, and reads no clock, opens no socket and draws no randomness of its own:
//!
//! ```
//! use keyway_transport::{Association, Batch, Route};
//! use keyway_wire::Time;
//!
//! /// One turn: packets that came (each without its relay header), then whatever that leads to.
//! fn turn(association: &mut Association, now: Time, came: &mut [(Route, Vec<u8>)], batch: &mut Batch) -> Option<Time> {
//!     for (route, packet) in came {
//!         // A packet that is dropped has changed nothing; count it.
//!         let _dropped = association.handle_data(now, *route, None, None, packet);
//!     }
//!     association.batch_done(now);
//!     association.handle_timeout(now); // a no-op when nothing is due
//!     while let Some(transmit) = association.poll_transmit(now, batch) {
//!         let _packets = batch.bytes().chunks(transmit.segment_size); // one call with segmentation offload
//!     }
//!     while let Some(event) = association.poll_event() {
//!         println!("{event:?}"); // CidWanted, HandshakeWanted and the like want an answer
//!     }
//!     association.poll_timeout() // when to come again, if nothing else happens
//! }
//! ```
//!
//! After any other call that changes something (a write, a read, a route that was added), `poll_transmit`, `poll_event` and
//! `poll_timeout` are worth asking again; `poll_timeout` says a time that has come as long as something can be sent.
//!
//! # A path's life
//!
//! ```text
//!            probe, add_route                        answered
//!  unknown ──────────────────> validating ─────────────────────────> live <──┐
//!     │                            │                                  │      │ answered again
//!     │ the peer's first packet    │ no answer: RouteLost             │      │
//!     └──────> provisional ────────┘          three timeouts unanswered: RouteLost
//!              (3x limit)   ───> live                                 └──> dead ──> forgotten
//! ```
//!
//! One path carries data: a live one, a direct one if there is, and of several the fastest. Acknowledgements go back where
//! packets came from.
//!
//! # What is left to others
//!
//! Handshakes (somebody makes the [`Session`](keyway_handshake::Session)s that are [installed](Association::install)), who
//! may talk to whom, the directory from ids to associations, relay headers of packets that arrive, sockets, and which
//! routes are worth trying.
//!
//! # What a peer can do
//!
//! Whoever has no keys changes nothing: not one bit but a count of failures. A peer that has keys gets bounded memory
//! ([`AssociationConfig`] says how much), bounded work for each of its packets, and is closed when it says what no honest
//! peer says ([`EndReason::Violation`]).

mod association;
mod batch;
mod chunks;
pub mod codes;
mod config;
mod datagram_buffer;
mod event;
mod memory;
mod mtu;
mod range_set;
mod recovery;
mod route;
mod sent_frame;
mod streams;
#[cfg(test)]
mod tests;

pub use association::{Association, ReceiveError};
pub use batch::{Batch, Ecn, Transmit};
pub use chunks::ChunkQueue;
pub use config::AssociationConfig;
pub use datagram_buffer::DatagramBuffer;
pub use event::{AssociationEvent, EndReason, Incarnations, Keepalive, PathInfo};
pub use memory::{MemoryBudget, MemoryShare};
pub use route::{Channel, Route};
pub use sent_frame::PingId;
pub use streams::{OpenError, ReadError, SendDatagramError, StreamLimits, WriteError};
