//! The sending half of a session.

use keyway_wire::{CidSequence, PACKET_NUMBER_MAX};

use super::{
    SealError,
    keys::{PhaseCipher, PhaseSecret},
    limits::PACKETS_PER_PHASE_MAX,
};

/// What one direction seals with.
pub(super) struct SendKeys {
    phase: u64,
    cipher: PhaseCipher,
    /// Secret of the phase to come. That of the current phase is forgotten at once: the cipher is all it is needed for.
    next: PhaseSecret,
    sealed: u64,
}

impl SendKeys {
    pub(super) fn new(secret: &PhaseSecret) -> Self {
        Self {
            phase: 0,
            cipher: secret.cipher(),
            next: secret.next(),
            sealed: 0,
        }
    }

    /// Whether there is anything to give back.
    #[cfg(test)]
    pub(super) fn is_expanded(&self) -> bool {
        self.cipher.is_expanded()
    }

    /// Gives back what the next packet can have again.
    pub(super) fn rest(&mut self) {
        self.cipher.rest();
    }

    /// Key phases since the handshake.
    pub(super) fn phase(&self) -> u64 {
        self.phase
    }

    /// Packets sealed in this phase.
    pub(super) fn sealed(&self) -> u64 {
        self.sealed
    }

    #[inline]
    pub(super) fn seal(
        &mut self,
        header: &[u8],
        sequence: CidSequence,
        number: u64,
        payload_and_tag: &mut [u8],
    ) -> Result<(), SealError> {
        if self.sealed >= PACKETS_PER_PHASE_MAX || number > PACKET_NUMBER_MAX {
            return Err(SealError::Exhausted);
        }
        self.cipher.seal(header, sequence, number, payload_and_tag);
        self.sealed += 1;
        Ok(())
    }

    pub(super) fn ratchet(&mut self) {
        self.cipher = self.next.cipher();
        self.next = self.next.next();
        self.phase += 1;
        self.sealed = 0;
    }

    /// As if `sealed` packets had been sealed in this phase: nobody waits for 2^24 of them.
    #[cfg(test)]
    pub(super) fn set_sealed(&mut self, sealed: u64) {
        self.sealed = sealed;
    }
}
