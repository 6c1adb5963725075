//! The messages of both directions, checked: what the protobuf types of `generated` can hold, but a message may not,
//! ends here.

mod error;
mod fields;
mod to_client;
mod to_server;

pub use error::ProtocolError;
pub use fields::{FIRST_PACKET_LEN_MAX, RequestId};
pub(crate) use to_client::ToClient;
pub(crate) use to_server::ToServer;
