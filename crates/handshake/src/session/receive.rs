//! The receiving half of a session: the current key phase and its neighbours.

use keyway_wire::{CidSequence, PACKET_NUMBER_MAX, TAG_LEN};

use super::keys::{PhaseCipher, PhaseSecret};

/// What one direction opens with.
pub(super) struct ReceiveKeys {
    phase: u64,
    current: PhaseCipher,
    /// Secret of the phase after the current one.
    next_secret: PhaseSecret,
    /// Its cipher, derived when the first packet claims to be of that phase: most sessions end in phase 0.
    next: Option<Box<PhaseCipher>>,
    previous: Option<Box<Previous>>,
}

/// The phase before the current one, kept for packets that were overtaken.
struct Previous {
    cipher: PhaseCipher,
    /// Holds a sealed packet while this phase is tried, because a cipher that fails ruins what it was given. Grows to the
    /// longest packet that needed it and goes with the phase.
    copy: Vec<u8>,
}

/// A packet opened, and with which key.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum OpenedWith {
    /// The key of a phase that the receiver has seen before.
    Known,
    /// The key of the next phase, which is the current one from here on.
    Next,
}

impl ReceiveKeys {
    pub(super) fn new(secret: &PhaseSecret) -> Self {
        Self {
            phase: 0,
            current: secret.cipher(),
            next_secret: secret.next(),
            next: None,
            previous: None,
        }
    }

    /// Key phases since the handshake.
    pub(super) fn phase(&self) -> u64 {
        self.phase
    }

    /// Opens `sealed` in place with the key that the header's phase bit can mean. `None` if none fits: the keys are as
    /// before, `sealed` may hold anything.
    pub(super) fn open(
        &mut self,
        phase: bool,
        header: &[u8],
        sequence: CidSequence,
        number: u64,
        sealed: &mut [u8],
    ) -> Option<OpenedWith> {
        // No honest peer seals larger numbers; refusing them here means that no receiver has to count past the last.
        if sealed.len() < TAG_LEN || number > PACKET_NUMBER_MAX {
            return None;
        }
        if phase == parity(self.phase) {
            let opened = self.current.open(header, sequence, number, sealed);
            return opened.then_some(OpenedWith::Known);
        }
        // Previous and next phase share the other value of the bit, and numbers of different CIDs have no order that
        // could tell them apart, so the tag decides.
        if let Some(previous) = &mut self.previous {
            previous.copy.clear();
            previous.copy.extend_from_slice(sealed);
            if previous.cipher.open(header, sequence, number, sealed) {
                return Some(OpenedWith::Known);
            }
            sealed.copy_from_slice(&previous.copy);
        }
        let next = self
            .next
            .get_or_insert_with(|| Box::new(self.next_secret.cipher()));
        if !next.open(header, sequence, number, sealed) {
            return None;
        }
        self.advance();
        Some(OpenedWith::Next)
    }

    /// Drops the key of the previous phase, if it is still there.
    pub(super) fn forget_previous(&mut self) {
        self.previous = None;
    }

    /// Whether there is anything to give back.
    #[cfg(test)]
    pub(super) fn is_expanded(&self) -> bool {
        let previous = self.previous.as_ref();
        self.current.is_expanded()
            || self.next.is_some()
            || previous.is_some_and(|previous| previous.cipher.is_expanded())
    }

    /// Gives back what the next packet can have again.
    pub(super) fn rest(&mut self) {
        self.current.rest();
        self.next = None;
        if let Some(previous) = &mut self.previous {
            previous.cipher.rest();
            previous.copy = Vec::new();
        }
    }

    fn advance(&mut self) {
        let next = self
            .next
            .take()
            .map_or_else(|| self.next_secret.cipher(), |next| *next);
        let cipher = std::mem::replace(&mut self.current, next);
        self.previous = Some(Box::new(Previous {
            cipher,
            copy: Vec::new(),
        }));
        self.next_secret = self.next_secret.next();
        self.phase += 1;
    }

    /// What the current, the next and, where it is kept, the previous phase make of one and the same packet.
    #[cfg(test)]
    pub(super) fn fingerprint(&mut self) -> Vec<[u8; TAG_LEN]> {
        let mut next = self.next_secret.cipher();
        let previous = self.previous.as_mut().map(|previous| &mut previous.cipher);
        [&mut self.current, &mut next]
            .into_iter()
            .chain(previous)
            .map(|cipher| {
                let mut tag = [0; TAG_LEN];
                cipher.seal(b"", CidSequence(0), 0, &mut tag);
                tag
            })
            .collect()
    }
}

/// The header's phase bit: the lowest bit of the count.
pub(super) fn parity(phase: u64) -> bool {
    phase & 1 == 1
}
