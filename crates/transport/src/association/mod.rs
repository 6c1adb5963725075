//! What two node ids share.

mod issued_cids;
mod receive_space;
mod remote_cids;
mod replay;
mod violation;
