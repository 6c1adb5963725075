//! The association: paths, loss recovery, congestion control, streams and datagrams between two node ids.

mod range_set;
mod sent_frame;

pub use sent_frame::PingId;
