//! The responder's side.

use std::fmt;

use aws_lc_rs::digest::{self, SHA256};
use keyway_identity::NodeId;
use keyway_wire::{Cid, Init, MAC_LEN, RESP_LEN_MAX, Resp};
use rand_core::CryptoRng;

use crate::{
    error::HandshakeError,
    local::LocalIdentity,
    mac::Mac1Key,
    noise::Noise,
    payload::{INIT_PAYLOAD_LEN, InitPayload, RespPayload},
    session::Session,
};

/// An INIT that was read and not yet answered. Dropping it leaves nothing behind, and the sender learns nothing.
///
/// The initiator is who it says, or whoever has recorded one of its INITs: only the first authentic data packet of the
/// session shows which (Noise rev 34, 7.7). An attacker who has stolen *this* node's key can make INITs of anybody.
pub struct Incoming {
    payload: InitPayload,
    sender: Cid,
    noise: Noise,
}

/// Reads an INIT: version, `mac1`, Noise message 1, payload, and that the initiator's node id converts to the static key
/// that Noise proved. Two Diffie–Hellman computations and a check of the node id, once `mac1` verifies; of a peer that was
/// dialled, or answered, before: one, and no check.
///
/// # Errors
/// [`HandshakeError`]. Nobody is told.
pub fn read_init(local: &LocalIdentity, packet: &[u8]) -> Result<Incoming, HandshakeError> {
    let init = Init::parse(packet)?;
    if !local.mac1.verify(packet, init.mac1) {
        return Err(HandshakeError::WrongMac1);
    }
    let mut noise = Noise::responder(&local.static_key, &local.node_id());
    let mut payload = [0; INIT_PAYLOAD_LEN];
    let length = noise.read(init.noise, &mut payload)?;
    let known = noise.known_remote();
    let (payload, sender) = InitPayload::decode_from(&payload[..length], known.as_ref())?;
    // The one that is known has been through this.
    if known != Some(payload.initiator)
        && noise.remote_static() != Some(&payload.initiator.to_x25519())
    {
        return Err(HandshakeError::WrongInitiator);
    }
    if sender != init.sender {
        return Err(HandshakeError::WrongSender);
    }
    Ok(Incoming {
        payload,
        sender,
        noise,
    })
}

/// What tells one INIT from another before it is read: SHA-256 over everything before `mac1`. The same INIT has the same digest on
/// whatever path it comes and whatever cookie it carries. `None` where the packet is no INIT.
#[must_use]
pub fn digest(packet: &[u8]) -> Option<[u8; 32]> {
    Init::parse(packet).ok()?;
    let digest = digest::digest(&SHA256, &packet[..Init::MAC1.start]);
    digest.as_ref().try_into().ok()
}

impl Incoming {
    /// Who wants to shake hands.
    #[must_use]
    pub fn peer(&self) -> NodeId {
        self.payload.initiator
    }

    /// What it says.
    #[must_use]
    pub fn payload(&self) -> &InitPayload {
        &self.payload
    }

    /// The CID under which it receives.
    #[must_use]
    pub fn sender(&self) -> Cid {
        self.sender
    }

    /// Makes the RESP, at most [`RESP_LEN_MAX`] octets, and the session. `sender` is the CID under which this node receives;
    /// `rng` gives the ephemeral key. Two Diffie–Hellman computations.
    ///
    /// The initiator is remembered, so that its next handshake costs less: this is for those who are welcome.
    ///
    /// Nothing may be sealed with the session before it has opened a packet: until then the initiator may be a replay.
    ///
    /// # Errors
    /// [`HandshakeError::Payload`] if the payload is not one that a peer would accept.
    pub fn respond(
        mut self,
        sender: Cid,
        payload: &RespPayload,
        rng: &mut dyn CryptoRng,
    ) -> Result<(Vec<u8>, Session), HandshakeError> {
        self.noise.remember(self.payload.initiator);
        let mut packet = vec![0; RESP_LEN_MAX];
        let start = Resp::emit_header(sender, self.sender, &mut packet);
        let length = self
            .noise
            .write(&payload.encode(sender)?, rng, &mut packet[start..])?;
        packet.truncate(start + length + 2 * MAC_LEN);
        Mac1Key::of(&self.payload.initiator).finish(&mut packet);
        Ok((packet, self.noise.into_session()))
    }
}

impl fmt::Debug for Incoming {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Incoming")
            .field("payload", &self.payload)
            .field("sender", &self.sender)
            .finish_non_exhaustive()
    }
}
