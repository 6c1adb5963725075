//! The key schedule of one direction, from the handshake's split to the cipher of each key phase.
//!
//! | from             | label               | octets | is                                      |
//! |------------------|---------------------|--------|-----------------------------------------|
//! | Noise's split    | -                   | 32     | secret of phase 0, one for each way     |
//! | secret of phase n | `keyway v1 key`    | 32     | AES-256-GCM key of phase n              |
//! | secret of phase n | `keyway v1 iv`     | 12     | what the nonces of phase n are XORed with |
//! | secret of phase n | `keyway v1 phase`  | 32     | secret of phase n + 1                   |
//!
//! Each step is HKDF-Expand with SHA-256 (RFC 5869, 2.3), the label being its whole `info`. The shape is that of
//! RFC 9001, 5.1 and 6.1. Extract is left out because the split is uniformly random already.

use aws_lc_rs::{
    aead::{AES_256_GCM, Aad, LessSafeKey, NONCE_LEN, Nonce, UnboundKey},
    hkdf::{HKDF_SHA256, KeyType, Prk},
};
use keyway_wire::{CidSequence, TAG_LEN};
use zeroize::Zeroizing;

/// Octets of an AES-256 key, and of every secret here.
pub(crate) const KEY_LEN: usize = 32;

/// A secret from which the cipher of one phase and all later secrets follow, and no earlier one.
pub(super) struct PhaseSecret(Zeroizing<[u8; KEY_LEN]>);

impl PhaseSecret {
    /// The secret of phase 0: one half of Noise's split (Noise rev 34, 5.2).
    pub(super) fn new(split: &[u8; KEY_LEN]) -> Self {
        Self(Zeroizing::new(*split))
    }

    /// The cipher of this phase.
    pub(super) fn cipher(&self) -> PhaseCipher {
        let mut key: Box<Zeroizing<[u8; KEY_LEN]>> = Box::default();
        key.copy_from_slice(&*Zeroizing::new(self.expand::<KEY_LEN>(b"keyway v1 key")));
        PhaseCipher {
            key,
            iv: self.expand(b"keyway v1 iv"),
            expanded: None,
        }
    }

    /// The secret of the phase after this one. There is no way back.
    pub(super) fn next(&self) -> Self {
        Self(Zeroizing::new(self.expand(b"keyway v1 phase")))
    }

    fn expand<const LENGTH: usize>(&self, label: &[u8]) -> [u8; LENGTH] {
        let mut output = [0; LENGTH];
        Prk::new_less_safe(HKDF_SHA256, self.0.as_ref())
            .expand(&[label], OutputLength(LENGTH))
            .and_then(|material| material.fill(&mut output))
            .expect("HKDF-SHA256 yields up to 8,160 octets");
        output
    }
}

/// How much HKDF is asked for, in octets.
struct OutputLength(usize);

impl KeyType for OutputLength {
    fn len(&self) -> usize {
        self.0
    }
}

/// AES-256-GCM under the key of one phase and one direction.
///
/// The key schedule and the tables of GHASH take 600 octets, and a fraction of a microsecond to make from the key. So they are
/// made for the first packet, and kept until [`rest`](Self::rest): as long as packets come and go, sealing and opening
/// allocate nothing.
pub(super) struct PhaseCipher {
    /// It stays where it is while the cipher moves from phase to phase, so that wiping it wipes all there is.
    key: Box<Zeroizing<[u8; KEY_LEN]>>,
    iv: [u8; NONCE_LEN],
    expanded: Option<LessSafeKey>,
}

impl PhaseCipher {
    /// Encrypts all but the last [`TAG_LEN`] octets of `payload_and_tag` where they are and writes the tag there.
    ///
    /// # Panics
    /// If there is no room for the tag.
    #[inline]
    pub(super) fn seal(
        &mut self,
        header: &[u8],
        sequence: CidSequence,
        number: u64,
        payload_and_tag: &mut [u8],
    ) {
        let nonce = self.nonce(sequence, number);
        let (payload, room) = payload_and_tag
            .split_last_chunk_mut::<TAG_LEN>()
            .expect("the caller leaves room for the tag");
        let tag = self
            .expanded()
            .seal_in_place_separate_tag(nonce, Aad::from(header), payload)
            .expect("AES-GCM seals anything below 2^36 octets");
        room.copy_from_slice(tag.as_ref());
    }

    /// Decrypts `sealed`, which ends in its tag, where it is. False if the tag does not verify or is not there;
    /// `sealed` may then hold anything.
    #[inline]
    pub(super) fn open(
        &mut self,
        header: &[u8],
        sequence: CidSequence,
        number: u64,
        sealed: &mut [u8],
    ) -> bool {
        let nonce = self.nonce(sequence, number);
        self.expanded()
            .open_in_place(nonce, Aad::from(header), sealed)
            .is_ok()
    }

    /// Whether there is anything to give back.
    #[cfg(test)]
    pub(super) fn is_expanded(&self) -> bool {
        self.expanded.is_some()
    }

    /// Gives back what the next packet can have again from the key. It is wiped.
    pub(super) fn rest(&mut self) {
        self.expanded = None;
    }

    #[inline]
    fn expanded(&mut self) -> &LessSafeKey {
        self.expanded.get_or_insert_with(|| {
            let key = UnboundKey::new(&AES_256_GCM, self.key.as_slice());
            LessSafeKey::new(key.expect("the key has the cipher's length"))
        })
    }

    /// (sequence ‖ number) XOR IV, in the manner of RFC 9001, 5.3: unique because numbers never repeat under one
    /// sequence and sequences are never reused.
    fn nonce(&self, sequence: CidSequence, number: u64) -> Nonce {
        let mut nonce = self.iv;
        let counter = sequence
            .0
            .to_be_bytes()
            .into_iter()
            .chain(number.to_be_bytes());
        for (octet, counted) in nonce.iter_mut().zip(counter) {
            *octet ^= counted;
        }
        Nonce::assume_unique_for_key(nonce)
    }
}
