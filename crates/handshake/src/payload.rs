//! What the two handshake messages say, and how it is put into octets.

use keyway_identity::NodeId;
use keyway_wire::{Cid, INIT_LEN, Init, MAC_LEN, RESP_LEN_MAX, Resp, Slot};
use prost::Message;

use crate::{
    error::PayloadError,
    generated::{HandshakeInit, HandshakeResponse},
    noise::{MESSAGE_1_OVERHEAD, MESSAGE_2_OVERHEAD},
    parameters::TransportParameters,
};

/// How many protocol versions a node can list.
pub const VERSIONS_MAX: usize = 16;

/// Octets of the payload of every INIT.
pub(crate) const INIT_PAYLOAD_LEN: usize = Init::NOISE_LEN - MESSAGE_1_OVERHEAD;

/// Octets of the longest payload of a RESP.
pub(crate) const RESP_PAYLOAD_LEN_MAX: usize =
    RESP_LEN_MAX - Resp::NOISE_START - 2 * MAC_LEN - MESSAGE_2_OVERHEAD;

/// Octets of the length before the protobuf.
const PREFIX_LEN: usize = 2;

// Whatever a node may say fits, with room for a delegation and a membership proof of 512 octets.
const _: () =
    assert!(INIT_LEN == 1_120 && INIT_PAYLOAD_LEN == 982 && RESP_PAYLOAD_LEN_MAX == 1_023);

/// What a dialler says first. Sealed to the responder, but not yet proof of anything: an INIT may be a replay.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct InitPayload {
    /// The dialler.
    pub initiator: NodeId,
    /// Protocol versions that it speaks: 1 to [`VERSIONS_MAX`]. The list is authentic, so it shows a downgrade.
    pub versions: Vec<u32>,
    /// Counts the starts of its identity.
    pub epoch: u64,
    /// Random name of its process.
    pub instance: u64,
    /// Grows with each INIT of this instance.
    pub counter: u64,
    /// Counts the sessions of the association, on its side.
    pub generation: u64,
    /// Its half of the association's name.
    pub incarnation: u64,
    /// The responder's half, if it remembers an association.
    pub remembered: Option<u64>,
    /// Session slot for packets to it.
    pub slot: Slot,
    /// What it accepts.
    pub parameters: TransportParameters,
}

/// What the responder answers. Authentic and fresh: it could be made only with the responder's key, and after INIT.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct RespPayload {
    /// Protocol versions that it speaks: 1 to [`VERSIONS_MAX`].
    pub versions: Vec<u32>,
    /// Counts the starts of its identity.
    pub epoch: u64,
    /// Random name of its process.
    pub instance: u64,
    /// Its half of the association's name.
    pub incarnation: u64,
    /// Session slot for packets to it.
    pub slot: Slot,
    /// What it accepts.
    pub parameters: TransportParameters,
}

impl InitPayload {
    /// The payload of message 1, with `cid` in it: length (two octets, big-endian), protobuf, zeros up to 982 octets.
    ///
    /// # Errors
    /// [`PayloadError`] if no peer would accept it.
    pub fn encode(&self, cid: Cid) -> Result<Vec<u8>, PayloadError> {
        check_versions(&self.versions)?;
        let mut octets = frame(&HandshakeInit {
            initiator: self.initiator.as_bytes().to_vec(),
            versions: self.versions.clone(),
            epoch: self.epoch,
            instance: self.instance,
            counter: self.counter,
            generation: self.generation,
            incarnation: self.incarnation,
            remembered: self.remembered,
            slot: slot_number(self.slot),
            cid: cid.as_bytes().to_vec(),
            parameters: Some(self.parameters.to_message()?),
        });
        octets.resize(INIT_PAYLOAD_LEN, 0);
        Ok(octets)
    }

    /// Reads a payload of message 1, and the CID that belongs into the packet's header. Memory and work are bounded by the
    /// octets given; what follows the protobuf is not looked at.
    ///
    /// # Errors
    /// [`PayloadError`] says what is missing or out of its bounds.
    pub fn decode(octets: &[u8]) -> Result<(Self, Cid), PayloadError> {
        Self::decode_from(octets, None)
    }

    /// As [`decode`](Self::decode), of a sender that may be this one, whose node id needs no check.
    pub(crate) fn decode_from(
        octets: &[u8],
        known: Option<&NodeId>,
    ) -> Result<(Self, Cid), PayloadError> {
        let message: HandshakeInit = unframe(octets)?;
        check_versions(&message.versions)?;
        let initiator: [u8; NodeId::LEN] =
            message
                .initiator
                .as_slice()
                .try_into()
                .map_err(|_| PayloadError::NodeIdLength {
                    length: message.initiator.len(),
                })?;
        let payload = Self {
            initiator: match known {
                Some(known) if *known.as_bytes() == initiator => *known,
                Some(_) | None => NodeId::from_bytes(initiator)?,
            },
            versions: message.versions,
            epoch: message.epoch,
            instance: message.instance,
            counter: message.counter,
            generation: message.generation,
            incarnation: message.incarnation,
            remembered: message.remembered,
            slot: parse_slot(message.slot)?,
            parameters: TransportParameters::from_message(message.parameters)?,
        };
        Ok((payload, parse_cid(&message.cid)?))
    }
}

impl RespPayload {
    /// The payload of message 2, with `cid` in it: length (two octets, big-endian) and protobuf.
    ///
    /// # Errors
    /// [`PayloadError`] if no peer would accept it.
    pub fn encode(&self, cid: Cid) -> Result<Vec<u8>, PayloadError> {
        check_versions(&self.versions)?;
        Ok(frame(&HandshakeResponse {
            versions: self.versions.clone(),
            epoch: self.epoch,
            instance: self.instance,
            incarnation: self.incarnation,
            slot: slot_number(self.slot),
            cid: cid.as_bytes().to_vec(),
            parameters: Some(self.parameters.to_message()?),
        }))
    }

    /// Reads a payload of message 2, and the responder's CID. Memory and work are bounded by the octets given.
    ///
    /// # Errors
    /// [`PayloadError`] says what is missing or out of its bounds.
    pub fn decode(octets: &[u8]) -> Result<(Self, Cid), PayloadError> {
        let message: HandshakeResponse = unframe(octets)?;
        check_versions(&message.versions)?;
        let payload = Self {
            versions: message.versions,
            epoch: message.epoch,
            instance: message.instance,
            incarnation: message.incarnation,
            slot: parse_slot(message.slot)?,
            parameters: TransportParameters::from_message(message.parameters)?,
        };
        Ok((payload, parse_cid(&message.cid)?))
    }
}

/// Length, big-endian, and protobuf.
fn frame(message: &impl Message) -> Vec<u8> {
    let protobuf = message.encode_to_vec();
    let length =
        u16::try_from(protobuf.len()).expect("all fields together are a few hundred octets");
    [&length.to_be_bytes(), protobuf.as_slice()].concat()
}

/// The protobuf in front of the padding. The padding itself is authentic, and what a later version puts there is its affair.
fn unframe<M: Message + Default>(octets: &[u8]) -> Result<M, PayloadError> {
    let (length, rest) = octets
        .split_first_chunk::<PREFIX_LEN>()
        .ok_or(PayloadError::Truncated)?;
    let length = usize::from(u16::from_be_bytes(*length));
    let protobuf = rest.get(..length).ok_or(PayloadError::Truncated)?;
    M::decode(protobuf).map_err(|_| PayloadError::Protobuf)
}

fn check_versions(versions: &[u32]) -> Result<(), PayloadError> {
    match versions.len() {
        1..=VERSIONS_MAX => Ok(()),
        count => Err(PayloadError::Versions { count }),
    }
}

fn slot_number(slot: Slot) -> u32 {
    u32::try_from(slot.index()).expect("a slot is below four")
}

fn parse_slot(slot: u32) -> Result<Slot, PayloadError> {
    u8::try_from(slot)
        .ok()
        .and_then(Slot::new)
        .ok_or(PayloadError::Slot { slot })
}

fn parse_cid(octets: &[u8]) -> Result<Cid, PayloadError> {
    let cid = octets.try_into().map_err(|_| PayloadError::CidLength {
        length: octets.len(),
    })?;
    Ok(Cid::new(cid))
}
