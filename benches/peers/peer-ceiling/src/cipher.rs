//! AES-256-GCM, in place.

use anyhow::{Result, anyhow};
use aws_lc_rs::aead::{AES_256_GCM, Aad, LessSafeKey, NONCE_LEN, Nonce, UnboundKey};

/// A packet's number, and what else a header would have: in the clear, and authenticated.
pub(crate) const HEADER: usize = 16;
/// What authenticates it.
pub(crate) const TAG: usize = 16;

/// One key, known to both ends: it is the speed that is measured here, not who is there.
pub(crate) struct Cipher(LessSafeKey);

impl Cipher {
    pub(crate) fn new() -> Result<Self> {
        let key = UnboundKey::new(&AES_256_GCM, &[7; 32]).map_err(|_| anyhow!("no AES-256-GCM"))?;
        Ok(Self(LessSafeKey::new(key)))
    }

    /// Writes the number, and seals what stands between header and tag.
    pub(crate) fn seal(&self, number: u64, packet: &mut [u8]) -> Result<()> {
        let (header, rest) = split(packet)?;
        header[8..].copy_from_slice(&number.to_be_bytes());
        let body_len = rest.len() - TAG;
        let (body, tag) = rest.split_at_mut(body_len);
        let made = self
            .0
            .seal_in_place_separate_tag(nonce(number), Aad::from(header), body)
            .map_err(|_| anyhow!("cannot seal"))?;
        tag.copy_from_slice(made.as_ref());
        Ok(())
    }

    /// Opens what was sealed, and gives its number.
    pub(crate) fn open(&self, packet: &mut [u8]) -> Result<u64> {
        let (header, rest) = split(packet)?;
        let mut number = [0; 8];
        number.copy_from_slice(&header[8..]);
        let number = u64::from_be_bytes(number);
        self.0
            .open_in_place(nonce(number), Aad::from(header), rest)
            .map_err(|_| anyhow!("a packet that does not open"))?;
        Ok(number)
    }
}

fn split(packet: &mut [u8]) -> Result<(&mut [u8; HEADER], &mut [u8])> {
    packet
        .split_first_chunk_mut::<HEADER>()
        .filter(|(_, rest)| rest.len() >= TAG)
        .ok_or_else(|| anyhow!("a packet that is too short"))
}

fn nonce(number: u64) -> Nonce {
    let mut octets = [0; NONCE_LEN];
    octets[NONCE_LEN - 8..].copy_from_slice(&number.to_be_bytes());
    Nonce::assume_unique_for_key(octets)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_is_sealed_opens_unless_it_was_changed() {
        let cipher = Cipher::new().unwrap();
        let mut packet = [5; 100];
        cipher.seal(42, &mut packet).unwrap();
        assert_ne!(packet[HEADER..100 - TAG], [5; 100 - HEADER - TAG]);
        let mut changed = packet;
        changed[0] ^= 1;
        assert!(cipher.open(&mut changed).is_err());
        assert_eq!(cipher.open(&mut packet).unwrap(), 42);
        assert_eq!(packet[HEADER..100 - TAG], [5; 100 - HEADER - TAG]);
        assert!(cipher.open(&mut [0; HEADER + TAG - 1]).is_err());
    }
}
