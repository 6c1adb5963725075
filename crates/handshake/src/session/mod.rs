//! The record layer: what becomes of a finished handshake.

mod keys;
mod limits;
mod receive;
mod send;
#[cfg(test)]
mod tests;

use std::fmt;

use keyway_wire::{CidSequence, TAG_LEN};
use zeroize::Zeroize;

pub(crate) use self::keys::KEY_LEN;
pub use self::limits::{FAILED_OPENS, Limits, PACKETS_PER_PHASE, PACKETS_PER_PHASE_MAX};
use self::{
    keys::PhaseSecret,
    receive::{OpenedWith, ReceiveKeys, parity},
    send::SendKeys,
};

/// Which side of a handshake this node was.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum Role {
    /// It sent INIT.
    Initiator,
    /// It answered with RESP.
    Responder,
}

/// The keys of one Noise handshake: both directions, with their key phases.
///
/// Packets are AES-256-GCM under the key of their phase. The whole header is associated data, and the nonce is
/// (CID sequence ‖ packet number, 4 + 8 octets big-endian) XORed with the phase's IV, so one `(sequence, number)` must
/// never be sealed twice in a session: the caller counts, and never goes back.
///
/// A direction moves from phase to phase by a one-way step ([`Session::ratchet`]); the receiver follows the phase bit in the
/// header, and only when a packet proves that the sender did move. Replay windows and lifetimes belong to the caller.
///
/// Neither `seal` nor `open` allocates but for the first packet of a phase and the first after [`Session::rest`]; the one other
/// exception is named at [`Session::forget_previous_phase`].
/// Keys are wiped when they are dropped, and `Debug` shows none.
pub struct Session {
    role: Role,
    hash: [u8; 32],
    limits: Limits,
    send: SendKeys,
    receive: ReceiveKeys,
    failed_opens: u64,
}

/// A packet that was authentic.
#[derive(Debug, PartialEq, Eq)]
pub struct Opened<'a> {
    /// What the peer sealed: the front of the buffer that was given, without the tag.
    pub payload: &'a mut [u8],
    /// The peer moved to its next key phase with this packet, and so did the receiving keys. Some three PTO later the
    /// caller calls [`Session::forget_previous_phase`].
    pub ratcheted: bool,
}

/// Why a packet was not sealed. The buffer is as it was.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
pub enum SealError {
    /// The phase has sealed [`PACKETS_PER_PHASE_MAX`] packets, or the packet number is above
    /// [`PACKET_NUMBER_MAX`](keyway_wire::PACKET_NUMBER_MAX).
    /// Ratchet, or use another CID, or make a new handshake.
    #[error("this key, or its packet numbers, are used up")]
    Exhausted,
}

/// Why a packet was not opened. Its buffer has been wiped, nothing is sent, and the keys are as before.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
pub enum OpenError {
    /// The tag did not verify: damaged, forged, or of a session or phase that is gone. Drop it.
    #[error("the packet is not authentic")]
    Unauthenticated,
    /// So many packets failed to open ([`Limits::failed_opens`]) that this session opens none any more. Make a new
    /// handshake.
    #[error("too many packets failed to open under this session")]
    Retired,
}

impl Session {
    /// A session from keys that somebody else has agreed on: for tests, vectors and fuzzers of the layers above.
    ///
    /// `split` is (initiator to responder, responder to initiator), as Noise's `Split()` returns it.
    ///
    /// This is dangerous because nothing is checked: the same keys given twice repeat nonces, and whoever knows them can
    /// read and forge everything. A [`Dial`](crate::Dial) or an [`Incoming`](crate::Incoming) makes sessions that are safe.
    #[must_use]
    pub fn dangerous_from_split(
        role: Role,
        hash: [u8; 32],
        mut split: ([u8; KEY_LEN], [u8; KEY_LEN]),
    ) -> Self {
        let initiator = PhaseSecret::new(&split.0);
        let responder = PhaseSecret::new(&split.1);
        split.0.zeroize();
        split.1.zeroize();
        let (send, receive) = match role {
            Role::Initiator => (&initiator, &responder),
            Role::Responder => (&responder, &initiator),
        };
        Self {
            role,
            hash,
            limits: Limits::default(),
            send: SendKeys::new(send),
            receive: ReceiveKeys::new(receive),
            failed_opens: 0,
        }
    }

    /// The handshake hash (Noise rev 34, 11.2): the same at both ends and at no other handshake. Of two sessions made at
    /// the same time, both sides use the one whose hash is smaller. Not secret.
    #[must_use]
    pub fn hash(&self) -> &[u8; 32] {
        &self.hash
    }

    /// Which side of the handshake this was.
    #[must_use]
    pub fn role(&self) -> Role {
        self.role
    }

    /// Replaces the limits. They apply from the next packet on.
    pub fn set_limits(&mut self, limits: Limits) {
        self.limits = limits;
    }

    /// Encrypts one packet's payload in place.
    ///
    /// `header` is everything before the payload, authenticated as it is. `payload_and_tag` is the plaintext followed by
    /// [`TAG_LEN`] octets of room. The phase bit in `header` must be [`Session::send_phase`].
    ///
    /// # Errors
    /// [`SealError::Exhausted`], with the buffer unchanged.
    ///
    /// # Panics
    /// If `payload_and_tag` is shorter than [`TAG_LEN`].
    pub fn seal(
        &mut self,
        header: &[u8],
        sequence: CidSequence,
        number: u64,
        payload_and_tag: &mut [u8],
    ) -> Result<(), SealError> {
        self.send.seal(header, sequence, number, payload_and_tag)
    }

    /// The key phase bit for the header of the next packet that is sealed.
    #[must_use]
    pub fn send_phase(&self) -> bool {
        parity(self.send.phase())
    }

    /// Packets sealed in the current phase.
    #[must_use]
    pub fn sealed_in_phase(&self) -> u64 {
        self.send.sealed()
    }

    /// Whether the current phase has sealed [`Limits::packets_per_phase`] packets, so that [`Session::ratchet`] is due.
    #[must_use]
    pub fn ratchet_due(&self) -> bool {
        self.send.sealed() >= self.limits.packets_per_phase
    }

    /// Moves the sending direction to its next key phase. The key before it is gone.
    ///
    /// The receiver can tell only neighbouring phases apart. The caller therefore makes sure that a packet of the current
    /// phase was acknowledged, and that three PTO of the slowest path have passed since the last ratchet, so that nothing
    /// of the phase before is still on its way (RFC 9001, 6.1 and 6.5).
    pub fn ratchet(&mut self) {
        self.send.ratchet();
    }

    /// Decrypts one packet in place. `phase` is the phase bit of its header, `header` everything before `sealed`,
    /// which ends in the tag.
    ///
    /// A packet of the other phase bit is tried with the previous phase, while that is kept, and then with the next one.
    ///
    /// # Errors
    /// [`OpenError`]. The buffer is then zeros: what a failed tag left behind reaches nobody. Nothing but the count of failed
    /// opens has changed.
    pub fn open<'a>(
        &mut self,
        phase: bool,
        header: &[u8],
        sequence: CidSequence,
        number: u64,
        sealed: &'a mut [u8],
    ) -> Result<Opened<'a>, OpenError> {
        if self.failed_opens >= self.limits.failed_opens {
            sealed.fill(0);
            return Err(OpenError::Retired);
        }
        let Some(with) = self.receive.open(phase, header, sequence, number, sealed) else {
            sealed.fill(0);
            self.failed_opens = self.failed_opens.saturating_add(1);
            return Err(OpenError::Unauthenticated);
        };
        let length = sealed.len() - TAG_LEN;
        Ok(Opened {
            payload: &mut sealed[..length],
            ratcheted: with == OpenedWith::Next,
        })
    }

    /// Drops the receiving key of the phase before the current one. The caller does so three PTO after a packet that
    /// [`Opened::ratcheted`]; what still arrives under the old key is lost then, and its frames are sent again.
    ///
    /// Until then, and only then, a packet of the other phase is copied before it is opened, into a buffer that is
    /// allocated once and goes with the key.
    pub fn forget_previous_phase(&mut self) {
        self.receive.forget_previous();
    }

    /// Gives back what can be made again from the keys in a fraction of a microsecond, some 600 octets for each direction: for
    /// a session that is not used for a while. The next packet of each direction makes it anew.
    pub fn rest(&mut self) {
        self.send.rest();
        self.receive.rest();
    }

    /// Whether [`Session::rest`] would give nothing back.
    #[cfg(test)]
    fn is_at_rest(&self) -> bool {
        !self.send.is_expanded() && !self.receive.is_expanded()
    }
}

impl fmt::Debug for Session {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Session")
            .field("role", &self.role)
            .field("limits", &self.limits)
            .field("send_phase", &self.send.phase())
            .field("sealed_in_phase", &self.send.sealed())
            .field("receive_phase", &self.receive.phase())
            .field("failed_opens", &self.failed_opens)
            .finish_non_exhaustive()
    }
}
