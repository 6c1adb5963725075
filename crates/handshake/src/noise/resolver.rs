//! What snow is given instead of its own cryptography and randomness.

use std::sync::{Arc, Mutex};

use rand_core::CryptoRng;
use snow::{
    params::{CipherChoice, DHChoice, HashChoice},
    resolvers::CryptoResolver,
    types::{Cipher, Dh, Hash, Random},
};
use zeroize::Zeroizing;

use super::{
    static_key::StaticKey,
    symmetric::{AesGcm, Sha256},
    x25519::{Agreements, HandshakeKey, X25519_LEN},
};

/// `25519`, `AESGCM` and `SHA256` for one handshake of the owner of `static_key`.
pub(super) struct Resolver {
    pub(super) static_key: Arc<StaticKey>,
    pub(super) ephemeral: EphemeralSecret,
    pub(super) agreements: Agreements,
}

impl CryptoResolver for Resolver {
    fn resolve_rng(&self) -> Option<Box<dyn Random>> {
        Some(Box::new(self.ephemeral.clone()))
    }

    fn resolve_dh(&self, choice: &DHChoice) -> Option<Box<dyn Dh>> {
        matches!(choice, DHChoice::Curve25519).then(|| {
            let key = HandshakeKey::new(Arc::clone(&self.static_key), self.agreements.clone());
            Box::new(key) as Box<dyn Dh>
        })
    }

    fn resolve_hash(&self, choice: &HashChoice) -> Option<Box<dyn Hash>> {
        matches!(choice, HashChoice::SHA256).then(|| Box::new(Sha256::new()) as Box<dyn Hash>)
    }

    fn resolve_cipher(&self, choice: &CipherChoice) -> Option<Box<dyn Cipher>> {
        matches!(choice, CipherChoice::AESGCM).then(|| Box::new(AesGcm::new()) as Box<dyn Cipher>)
    }
}

/// All the randomness of one handshake: the private ephemeral key, drawn from the caller's generator at the moment when a
/// message is written, and taken by snow in the same call. It is used once; a second draw is an error.
#[derive(Clone, Default)]
pub(super) struct EphemeralSecret(Arc<Mutex<Option<Zeroizing<[u8; X25519_LEN]>>>>);

impl EphemeralSecret {
    /// Draws the secret.
    pub(super) fn draw(&self, rng: &mut dyn CryptoRng) {
        let mut secret = Zeroizing::new([0; X25519_LEN]);
        rng.fill_bytes(secret.as_mut());
        if let Ok(mut place) = self.0.lock() {
            *place = Some(secret);
        }
    }
}

impl Random for EphemeralSecret {
    fn try_fill_bytes(&mut self, dest: &mut [u8]) -> Result<(), snow::Error> {
        let mut place = self.0.lock().map_err(|_| snow::Error::Rng)?;
        let secret = place
            .take()
            .filter(|secret| secret.len() == dest.len())
            .ok_or(snow::Error::Rng)?;
        dest.copy_from_slice(secret.as_ref());
        Ok(())
    }
}
