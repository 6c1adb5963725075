//! The initiator's side.

use std::fmt;

use keyway_identity::NodeId;
use keyway_wire::{Cid, Cookie, INIT_LEN, Init, MAC_LEN, Resp};
use rand_core::CryptoRng;

use crate::{
    cookie::{CookieKey, ReceivedCookie},
    error::{HandshakeError, PayloadError},
    local::LocalIdentity,
    mac::Mac1Key,
    noise::Noise,
    payload::{InitPayload, RESP_PAYLOAD_LEN_MAX, RespPayload},
    session::Session,
};

/// One pending INIT, until its RESP comes or the caller gives up.
///
/// INIT is the same at each retry and on each path, so that the responder recognizes it.
pub struct Dial {
    packet: Box<[u8; INIT_LEN]>,
    remote: NodeId,
    sender: Cid,
    mac1: Mac1Key,
    /// `None` after an authentic RESP.
    noise: Option<Noise>,
}

impl Dial {
    /// Makes the INIT for `remote`. `sender` is the CID under which RESP and the first packets shall come; `rng` gives the
    /// ephemeral key. Two Diffie–Hellman computations, or one if the peer was dialled, or answered, before.
    ///
    /// # Errors
    /// [`HandshakeError::Payload`] if the payload is not one that a peer would accept, or names another initiator than
    /// `local`.
    pub fn new(
        local: &LocalIdentity,
        remote: &NodeId,
        sender: Cid,
        payload: &InitPayload,
        rng: &mut dyn CryptoRng,
    ) -> Result<Self, HandshakeError> {
        if payload.initiator != local.node_id() {
            return Err(PayloadError::NotLocal.into());
        }
        let mut packet = Box::new([0; INIT_LEN]);
        Init::emit_header(sender, packet.as_mut());
        let mut noise = Noise::initiator(&local.static_key, remote);
        noise.write(&payload.encode(sender)?, rng, &mut packet[Init::NOISE])?;
        noise.remember(*remote);
        Mac1Key::of(remote).finish(packet.as_mut());
        Ok(Self {
            packet,
            remote: *remote,
            sender,
            mac1: local.mac1.clone(),
            noise: Some(noise),
        })
    }

    /// The INIT, [`INIT_LEN`] octets.
    #[must_use]
    pub fn packet(&self) -> &[u8] {
        self.packet.as_ref()
    }

    /// The same INIT, with `mac2` by this cookie.
    #[must_use]
    pub fn packet_with(&self, cookie: &ReceivedCookie) -> [u8; INIT_LEN] {
        let mut packet = *self.packet;
        cookie.finish(&mut packet);
        packet
    }

    /// Reads a COOKIE: the responder is under load, and wants to see `mac2`.
    ///
    /// # Errors
    /// Packets that are not authentic, or answer another INIT, and any after RESP. Nothing changes by any of them.
    pub fn read_cookie(&self, packet: &[u8]) -> Result<ReceivedCookie, HandshakeError> {
        let cookie = Cookie::parse(packet)?;
        if cookie.receiver != self.sender {
            return Err(HandshakeError::WrongReceiver);
        }
        if self.noise.is_none() {
            return Err(HandshakeError::Finished);
        }
        CookieKey::of(&self.remote).open(&cookie, self.own_mac1())
    }

    fn own_mac1(&self) -> &[u8; MAC_LEN] {
        self.packet[Init::MAC1]
            .first_chunk()
            .expect("the range has the length of a MAC")
    }

    /// Reads the RESP: what it says, the CID under which the responder receives, and the session, which may be used at once.
    ///
    /// The CID is the one in the sealed payload. A copy in the packet's header is not authentic and not looked at.
    ///
    /// # Errors
    /// Packets that are not authentic change nothing: the true RESP is still accepted after any number of them, and each
    /// costs at most one HMAC and two Diffie–Hellman computations, and those only if it names `sender`. After an
    /// authentic RESP, and also one whose payload is invalid, all others are [`HandshakeError::Finished`].
    pub fn read_response(
        &mut self,
        packet: &[u8],
    ) -> Result<(RespPayload, Cid, Session), HandshakeError> {
        let response = Resp::parse(packet)?;
        if response.receiver != self.sender {
            return Err(HandshakeError::WrongReceiver);
        }
        let noise = self.noise.as_mut().ok_or(HandshakeError::Finished)?;
        if !self.mac1.verify(packet, response.mac1) {
            return Err(HandshakeError::WrongMac1);
        }
        let mut payload = [0; RESP_PAYLOAD_LEN_MAX];
        let length = noise.read(response.noise, &mut payload)?;
        let noise = self.noise.take().ok_or(HandshakeError::Finished)?;
        let (payload, cid) = RespPayload::decode(&payload[..length])?;
        Ok((payload, cid, noise.into_session()))
    }
}

impl fmt::Debug for Dial {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Dial")
            .field("sender", &self.sender)
            .field("finished", &self.noise.is_none())
            .finish_non_exhaustive()
    }
}
