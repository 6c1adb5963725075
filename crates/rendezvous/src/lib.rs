//! Signed records, look-up and relay channels: the client half and the server half, without I/O.
//!
//! A node that others shall find publishes a [`Record`] at its servers, signed by itself: that it is there, what it
//! speaks, where it can be met. Whoever wants to reach it asks one of these servers for a relay channel, and hands its
//! first handshake packet over with that request. Addresses are in none of this: the nodes tell them each other once
//! they are connected.
//!
//! Both halves speak protobuf (`proto/rendezvous.proto`) on one stream of the service [`SERVICE`], inside the
//! association between the node and its server, which has authenticated both.
//!
//! ```text
//!   node A                server                  node B
//!     |                     |  <--- Publish ------- |
//!     |                     |  ---- Published ----> |
//!     |  ---- Open(B) ----> |                       |
//!     |  <--- Opened(a) --- |  ---- Offered(A, b) > |
//!     |  == relay a ======> |  == relay b ========> |
//! ```
//!
//! The loop is the same for [`ClientHalf`] and [`ServerHalf`]: octets and events of the stream in, `handle_timeout`
//! when `poll_timeout` says so, and after each call `poll_output` (and `poll_event`) until there is no more.
//!
//! ```
//! use std::time::Duration;
//!
//! use keyway_identity::{SecretKey, Signed};
//! use keyway_rendezvous::{
//!     ClientEvent, ClientHalf, ClientId, Limits, Record, SeenRecords, ServerHalf, ServerOutput, Wall,
//! };
//! use keyway_wire::Time;
//!
//! # fn main() -> Result<(), Box<dyn std::error::Error>> {
//! let (now, wall) = (Time::ZERO, Wall(1_800_000_000));
//! let key = SecretKey::from_bytes([7; 32]);
//! let record = Record {
//!     node: key.node_id(),
//!     versions: vec![1],
//!     epoch: wall.0,
//!     instance: 0x6b65_7977,
//!     sequence: 1,
//!     servers: Vec::new(),
//!     issued: wall,
//!     expiry: wall.saturating_add(Duration::from_secs(300)),
//! };
//!
//! let mut server = ServerHalf::new([1; 32], Limits::default()); // in earnest, a random seed
//! // Whom the association has authenticated, and where it comes from.
//! server.connected(now, ClientId(1), key.node_id(), Some([192, 0, 2, 1].into()));
//! let mut client = ClientHalf::new();
//! client.connected();
//! client.publish(&Signed::sign(record, &key)?);
//! client.lookup(now, key.node_id());
//!
//! let mut seen = SeenRecords::new(SeenRecords::NODES_MAX);
//! while let Some(octets) = client.poll_output() {
//!     server.handle_bytes(now, wall, ClientId(1), &octets)?;
//!     while let Some(ServerOutput::Send { bytes, .. }) = server.poll_output() {
//!         client.handle_bytes(wall, &mut seen, &bytes)?;
//!     }
//! }
//! let mut events = std::iter::from_fn(|| client.poll_event());
//! assert!(matches!(events.next(), Some(ClientEvent::Published { sequence: 1, .. })));
//! assert!(matches!(events.next(), Some(ClientEvent::Record { .. }))); // its signature was checked
//! # Ok(())
//! # }
//! ```
//!
//! # What a server can do
//!
//! Delay and withhold. It cannot make up a record, nor show an older one than a reader has seen ([`SeenRecords`]), nor
//! read or alter what it relays. And a client can make it send nothing anywhere but to another client: no message has
//! an address in it.
//!
//! # What is left to others
//!
//! When to publish and what epoch to take; whom to serve; on which path a client is; the forwarding of the packets
//! themselves, for which [`RelayTable::route`] gives the target.

mod client;
mod edition;
mod framing;
#[expect(
    unnameable_types,
    reason = "the code is generated, and its types stay in this crate"
)]
mod generated;
mod limits;
mod message;
mod prefix;
mod rate;
mod record;
mod registry;
mod relay;
mod seen;
mod server;
#[cfg(test)]
mod vectors;
mod wall;

pub use client::{ClientEvent, ClientHalf, PublishFailure, REQUEST_TIMEOUT, Refusal};
pub use edition::{EPOCH_JUMP_MAX, Edition, Succession};
pub use framing::MESSAGE_LEN_MAX;
pub use limits::Limits;
pub use message::{FIRST_PACKET_LEN_MAX, ProtocolError, RequestId};
pub use rate::Rate;
pub use record::{
    CLOCK_SKEW_MAX, OutOfTime, RECORD_LIFETIME_MAX, RECORD_SERVERS_MAX, RECORD_VERSIONS_MAX,
    Record, RecordError,
};
pub use registry::{Inserted, Registry, RegistryError};
pub use relay::{ClientId, Forward, RelayTable, UNANSWERED_FOR};
pub use seen::{SeenRecords, WentBack};
pub use server::{ServerHalf, ServerOutput};
pub use wall::Wall;

use keyway_wire::ServiceName;

/// The name of the service under which a server answers on its associations.
pub const SERVICE: &str = "rendezvous";

/// [`SERVICE`], as the name of a stream's service.
///
/// # Panics
///
/// Never: the name is a valid one.
pub fn service_name() -> ServiceName {
    SERVICE
        .parse()
        .expect("the name has the characters that names may have")
}
