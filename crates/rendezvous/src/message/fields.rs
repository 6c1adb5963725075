//! What more than one message holds, and how it is checked.

use keyway_identity::{NodeId, Signature};
use keyway_wire::{INIT_LEN, Token};

use super::ProtocolError;

/// Names a request in its answer. Chosen by the client, never zero.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct RequestId(pub u64);

/// Octets of the first packet that an offer hands over: those of an INIT.
pub const FIRST_PACKET_LEN_MAX: usize = INIT_LEN;

pub(super) fn node_id(bytes: &[u8]) -> Result<NodeId, ProtocolError> {
    let bytes = bytes.try_into().map_err(|_| ProtocolError::Malformed)?;
    NodeId::from_bytes(bytes).map_err(|_| ProtocolError::Malformed)
}

pub(super) fn signature(bytes: &[u8]) -> Result<Signature, ProtocolError> {
    Signature::try_from(bytes).map_err(|_| ProtocolError::Malformed)
}

pub(super) fn token(bytes: &[u8]) -> Result<Token, ProtocolError> {
    bytes
        .try_into()
        .map(Token::new)
        .map_err(|_| ProtocolError::Malformed)
}

pub(super) fn first_packet(bytes: Vec<u8>) -> Result<Vec<u8>, ProtocolError> {
    if bytes.len() > FIRST_PACKET_LEN_MAX {
        return Err(ProtocolError::Malformed);
    }
    Ok(bytes)
}
