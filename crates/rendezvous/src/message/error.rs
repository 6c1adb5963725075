//! What ends the conversation of a client and a server.

/// The other side does not keep to the protocol. Close the association: its stream cannot be followed any further.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
pub enum ProtocolError {
    /// A message is longer than any may be.
    #[error("message of {length} octets is longer than any may be")]
    TooLong {
        /// The length that was announced.
        length: usize,
    },
    /// A message is not protobuf, or a field of it is not what it has to be.
    #[error("message is malformed")]
    Malformed,
    /// A client goes on asking much faster than it may, although it is told so.
    #[error("requests come faster than they may")]
    Flood,
}
