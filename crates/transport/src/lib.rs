//! The association: paths, loss recovery, congestion control, streams and datagrams between two node ids.

mod association;
mod batch;
pub mod codes;
mod config;
mod event;
mod range_set;
mod route;
mod sent_frame;

pub use batch::{Batch, Ecn, Transmit};
pub use config::AssociationConfig;
pub use event::{AssociationEvent, EndReason, Incarnations, Keepalive, PathInfo, PingId};
pub use route::{Channel, Route};
