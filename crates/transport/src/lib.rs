//! The association: paths, loss recovery, congestion control, streams and datagrams between two node ids.

#![expect(dead_code, reason = "the association drives these")]

mod range_set;
mod sent_frame;
mod streams;

pub use sent_frame::PingId;
pub use streams::{OpenError, ReadError, SendDatagramError, StreamLimits, WriteError};

/// Why an association is over.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum EndReason {
    /// Closed from this side.
    Local,
    /// The peer was not heard of for too long.
    TimedOut,
}
