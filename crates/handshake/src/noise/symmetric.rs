//! AES-256-GCM and SHA-256 for snow, over aws-lc-rs.

use aws_lc_rs::{
    aead::{AES_256_GCM, Aad, LessSafeKey, Nonce, UnboundKey},
    digest::{Context, SHA256, SHA256_OUTPUT_LEN},
};
use keyway_wire::TAG_LEN;
use snow::types::{Cipher, Hash};
use zeroize::Zeroizing;

use crate::session::KEY_LEN;

/// `AESGCM` of the Noise specification (rev 34, 12.4).
///
/// Most keys of a handshake are replaced before they are used, and the others are used once, so a key is expanded
/// where it is used.
pub(super) struct AesGcm {
    key: Zeroizing<[u8; KEY_LEN]>,
}

impl AesGcm {
    pub(super) fn new() -> Self {
        Self {
            key: Zeroizing::new([0; KEY_LEN]),
        }
    }

    fn cipher(&self) -> LessSafeKey {
        LessSafeKey::new(
            UnboundKey::new(&AES_256_GCM, self.key.as_ref())
                .expect("the key has the cipher's length"),
        )
    }
}

/// Four zero octets, then the counter, big-endian.
fn nonce(counter: u64) -> Nonce {
    let mut nonce = [0; 12];
    nonce[4..].copy_from_slice(&counter.to_be_bytes());
    Nonce::assume_unique_for_key(nonce)
}

impl Cipher for AesGcm {
    fn name(&self) -> &'static str {
        "AESGCM"
    }

    fn set(&mut self, key: &[u8; KEY_LEN]) {
        self.key.copy_from_slice(key);
    }

    /// # Panics
    /// If `out` has no room for plaintext and tag. Our buffers are as long as the longest packet.
    fn encrypt(&self, counter: u64, authtext: &[u8], plaintext: &[u8], out: &mut [u8]) -> usize {
        let (text, rest) = out.split_at_mut(plaintext.len());
        text.copy_from_slice(plaintext);
        let tag = self
            .cipher()
            .seal_in_place_separate_tag(nonce(counter), Aad::from(authtext), text)
            .expect("AES-GCM seals anything below 2^36 octets");
        rest[..TAG_LEN].copy_from_slice(tag.as_ref());
        plaintext.len() + TAG_LEN
    }

    fn decrypt(
        &self,
        counter: u64,
        authtext: &[u8],
        ciphertext: &[u8],
        out: &mut [u8],
    ) -> Result<usize, snow::Error> {
        let (text, tag) = ciphertext
            .split_last_chunk::<TAG_LEN>()
            .ok_or(snow::Error::Decrypt)?;
        let out = out.get_mut(..text.len()).ok_or(snow::Error::Decrypt)?;
        self.cipher()
            .open_separate_gather(nonce(counter), Aad::from(authtext), text, tag, out)
            .map_err(|_| {
                out.fill(0);
                snow::Error::Decrypt
            })?;
        Ok(text.len())
    }
}

/// `SHA256` of the Noise specification (rev 34, 12.5).
pub(super) struct Sha256 {
    context: Context,
}

impl Sha256 {
    pub(super) fn new() -> Self {
        Self {
            context: Context::new(&SHA256),
        }
    }
}

impl Hash for Sha256 {
    fn name(&self) -> &'static str {
        "SHA256"
    }

    fn block_len(&self) -> usize {
        64
    }

    fn hash_len(&self) -> usize {
        SHA256_OUTPUT_LEN
    }

    fn reset(&mut self) {
        self.context = Context::new(&SHA256);
    }

    fn input(&mut self, data: &[u8]) {
        self.context.update(data);
    }

    fn result(&mut self, out: &mut [u8]) {
        let context = std::mem::replace(&mut self.context, Context::new(&SHA256));
        out[..SHA256_OUTPUT_LEN].copy_from_slice(context.finish().as_ref());
    }
}
