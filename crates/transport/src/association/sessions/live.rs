use std::time::Duration;

use keyway_handshake::{OpenError, Opened, SealError, Session};
use keyway_wire::{CidSequence, DataHeader, Slot, Time};

use super::KeyTag;

/// A session, and what time does to it.
pub(crate) struct LiveSession {
    pub(super) session: Session,
    pub(super) generation: u64,
    /// What the peer calls it: the slot in the headers that we write.
    pub(super) remote_slot: Slot,
    pub(super) installed: Time,
    /// When the peer was last sent what it needs to confirm the session.
    pub(super) answered: Time,
    /// A responder seals nothing until the first packet has proved that the peer holds the keys too.
    pub(super) confirmed: bool,
    /// When the first packet opened.
    pub(super) proven: Option<Time>,
    pub(super) last_opened: Time,
    pub(super) tag: KeyTag,
    /// When a packet of the sealing key's phase was first acknowledged.
    pub(super) phase_acked: Option<Time>,
    pub(super) ratcheted_by_peer: Option<Time>,
    /// Whether a packet was sealed or opened since [`rest`](Self::rest).
    pub(super) awake: bool,
}

impl LiveSession {
    /// The slot and the key phase that the next packet's header names.
    pub(crate) fn header_bits(&self) -> (Slot, bool) {
        (self.remote_slot, self.session.send_phase())
    }

    pub(crate) fn tag(&self) -> KeyTag {
        self.tag
    }

    /// Seals one packet in place: `payload_and_tag` ends in room for the tag.
    pub(crate) fn seal(
        &mut self,
        header: &[u8],
        sequence: CidSequence,
        number: u64,
        payload_and_tag: &mut [u8],
    ) -> Result<(), SealError> {
        self.awake = true;
        self.session.seal(header, sequence, number, payload_and_tag)
    }

    /// Opens one packet in place.
    pub(super) fn open<'a>(
        &mut self,
        header: &DataHeader,
        sequence: CidSequence,
        header_octets: &[u8],
        sealed: &'a mut [u8],
    ) -> Result<Opened<'a>, OpenError> {
        let opened =
            self.session
                .open(header.phase, header_octets, sequence, header.number, sealed);
        if opened.is_ok() {
            self.awake = true;
        } else if !self.awake {
            // Whoever sends what does not open makes nobody keep anything.
            self.session.rest();
        }
        opened
    }

    /// Gives back what the next packet can have again.
    pub(super) fn rest(&mut self) {
        self.awake = false;
        self.session.rest();
    }

    /// When the next key phase may begin, if it is due: a packet of this phase was acknowledged, so the peer follows, and
    /// three PTO later nothing of the phase before is on its way (RFC 9001, 6.1 and 6.5).
    pub(super) fn ratchet_at(&self, linger: Duration) -> Option<Time> {
        if !self.session.ratchet_due() {
            return None;
        }
        self.phase_acked.map(|acked| acked + linger)
    }

    pub(super) fn ratchet(&mut self, tag: KeyTag) {
        self.session.ratchet();
        self.tag = tag;
        self.phase_acked = None;
    }

    pub(super) fn forget_previous_phase(&mut self, now: Time, linger: Duration) {
        if self
            .ratcheted_by_peer
            .is_some_and(|since| since + linger <= now)
        {
            self.ratcheted_by_peer = None;
            self.session.forget_previous_phase();
        }
    }
}
