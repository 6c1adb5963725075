//! Why a handshake packet was refused.

use keyway_identity::NodeIdError;
use keyway_wire::PacketError;

/// Why a handshake packet was not accepted, or not made. Nothing is sent in answer and no state has changed, except where
/// a variant says so.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
pub enum HandshakeError {
    /// Not an INIT, or not a RESP, of this version: sent by a stranger, or by a peer that speaks another version.
    #[error("not the handshake packet that is expected: {0}")]
    Packet(#[from] PacketError),
    /// RESP answers another INIT than this one.
    #[error("the response answers another handshake")]
    WrongReceiver,
    /// `mac1` does not verify: meant for another node, or damaged. No Diffie–Hellman was computed.
    #[error("the packet is not addressed to this node")]
    WrongMac1,
    /// Noise refused the message: damaged, forged, or made for another node id. Count it; do not log the content.
    #[error("the message is not authentic")]
    Unauthenticated,
    /// A public key in the message is a point of small order, or not in its canonical encoding. No honest peer sends one.
    #[error("the message holds a weak public key")]
    WeakKey,
    /// The initiator named a node id that does not belong to the static key that it proved.
    #[error("the initiator's node id is not that of its key")]
    WrongInitiator,
    /// The sender CID in the packet's header is not the one in the sealed payload: somebody changed it on the way.
    #[error("the packet's header was changed on its way")]
    WrongSender,
    /// What an authentic message says, or what should be said, is not valid. From a peer: it is broken, and a
    /// [`Dial`](crate::Dial) that it answered so is over.
    #[error("invalid handshake payload: {0}")]
    Payload(#[from] PayloadError),
    /// This handshake has had its answer already.
    #[error("the handshake is over")]
    Finished,
}

/// What is wrong with the payload of a handshake message.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
pub enum PayloadError {
    /// It is shorter than it says.
    #[error("shorter than it says")]
    Truncated,
    /// It is not protobuf, or not the right message.
    #[error("not the protobuf message that belongs here")]
    Protobuf,
    /// The initiator's node id is not 32 octets.
    #[error("a node id of {length} octets")]
    NodeIdLength {
        /// Octets that there are.
        length: usize,
    },
    /// The initiator's node id is not a valid key.
    #[error("the node id is invalid: {0}")]
    NodeId(#[from] NodeIdError),
    /// The caller wants to speak in the name of another node id than its own.
    #[error("the initiator's node id is not the local one")]
    NotLocal,
    /// No versions, or more than [`VERSIONS_MAX`](crate::VERSIONS_MAX).
    #[error("{count} protocol versions")]
    Versions {
        /// How many there are.
        count: usize,
    },
    /// There are four session slots.
    #[error("session slot {slot}")]
    Slot {
        /// The number given.
        slot: u32,
    },
    /// The CID is not 7 octets.
    #[error("a CID of {length} octets")]
    CidLength {
        /// Octets that there are.
        length: usize,
    },
    /// The transport parameters are missing.
    #[error("no transport parameters")]
    NoParameters,
    /// A transport parameter is outside its bounds (see [`TransportParameters`](crate::TransportParameters)).
    #[error("transport parameter {name} is {value}")]
    Parameter {
        /// Its name.
        name: &'static str,
        /// Its value, in the unit of the wire.
        value: u64,
    },
}
