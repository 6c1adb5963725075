//! The association: paths, loss recovery, congestion control, streams and datagrams between two node ids.

mod association;
mod batch;
pub mod codes;
mod config;
mod event;
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
pub use config::AssociationConfig;
pub use event::{AssociationEvent, EndReason, Incarnations, Keepalive, PathInfo};
pub use route::{Channel, Route};
pub use sent_frame::PingId;
pub use streams::{OpenError, ReadError, SendDatagramError, StreamLimits, WriteError};
