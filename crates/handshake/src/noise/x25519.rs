//! X25519 (RFC 7748) for snow, over aws-lc-rs.

use std::sync::Arc;

use aws_lc_rs::agreement::{PrivateKey, UnparsedPublicKey, X25519, agree};
use snow::types::{Dh, Random};
use subtle::ConstantTimeEq;
use zeroize::Zeroizing;

/// Octets of a private key, of a public key, and of what two of them agree on.
pub(crate) const X25519_LEN: usize = 32;

/// A private key, ready for use, and its public key. Computing the second is done once.
pub(crate) struct KeyPair {
    private: PrivateKey,
    public: [u8; X25519_LEN],
}

impl KeyPair {
    /// Any 32 octets are a private key; X25519 clamps them itself.
    pub(crate) fn new(private: &[u8; X25519_LEN]) -> Self {
        let private = PrivateKey::from_private_key(&X25519, private)
            .expect("any 32 octets are a private key");
        let computed = private
            .compute_public_key()
            .expect("every private key has a public key");
        let public = computed
            .as_ref()
            .try_into()
            .expect("a public key is 32 octets");
        Self { private, public }
    }

    /// What both sides compute, or an error for a public key that no honest peer has: an encoding that is not canonical, or a
    /// point of small order, with which the result would be zeros whatever the private key is (RFC 7748, 6.1).
    fn agree(&self, public: &[u8]) -> Result<Zeroizing<[u8; X25519_LEN]>, snow::Error> {
        let public = public.first_chunk::<X25519_LEN>().ok_or(snow::Error::Dh)?;
        if !is_canonical(public) {
            return Err(snow::Error::Dh);
        }
        let public = UnparsedPublicKey::new(&X25519, public);
        let shared = agree(&self.private, public, snow::Error::Dh, |shared| {
            let shared: [u8; X25519_LEN] = shared.try_into().map_err(|_| snow::Error::Dh)?;
            Ok(Zeroizing::new(shared))
        })?;
        // aws-lc refuses zeros too. snow does not, and the promise is too important to rest on one place.
        if bool::from(shared.ct_eq(&[0; X25519_LEN])) {
            return Err(snow::Error::Dh);
        }
        Ok(shared)
    }
}

/// Whether a u-coordinate is below 2^255 - 19. X25519 itself reduces others (RFC 7748, 5), which would give one key
/// several encodings. Public keys are public: this need not be constant-time.
fn is_canonical(public: &[u8; X25519_LEN]) -> bool {
    let [first, middle @ .., last] = public;
    let at_least_prime =
        *last == 0x7f && middle.iter().all(|octet| *octet == 0xff) && *first >= 0xed;
    *last < 0x80 && !at_least_prime
}

/// One of the two keys of a handshake, static or ephemeral.
///
/// snow makes both in the same way and then calls `set` on the one and `generate` on the other. The static key is there
/// from the start, as part of the resolver, and never passes through snow: what `set` is given is not looked at.
pub(super) struct HandshakeKey {
    static_key: Arc<KeyPair>,
    key: Option<Arc<KeyPair>>,
}

impl HandshakeKey {
    pub(super) fn new(static_key: Arc<KeyPair>) -> Self {
        Self {
            static_key,
            key: None,
        }
    }
}

impl Dh for HandshakeKey {
    fn name(&self) -> &'static str {
        "25519"
    }

    fn pub_len(&self) -> usize {
        X25519_LEN
    }

    fn priv_len(&self) -> usize {
        X25519_LEN
    }

    fn set(&mut self, _: &[u8]) {
        self.key = Some(Arc::clone(&self.static_key));
    }

    fn generate(&mut self, rng: &mut dyn Random) -> Result<(), snow::Error> {
        let mut private = Zeroizing::new([0; X25519_LEN]);
        rng.try_fill_bytes(private.as_mut())?;
        self.key = Some(Arc::new(KeyPair::new(&private)));
        Ok(())
    }

    fn pubkey(&self) -> &[u8] {
        self.key
            .as_ref()
            .map_or(&[0; X25519_LEN], |key| &key.public)
    }

    /// Nothing: a handshake has no use for it, and no private key leaves this type.
    fn privkey(&self) -> &[u8] {
        &[]
    }

    fn dh(&self, pubkey: &[u8], out: &mut [u8]) -> Result<(), snow::Error> {
        let key = self.key.as_ref().ok_or(snow::Error::Dh)?;
        let shared = key.agree(pubkey)?;
        let out = out.first_chunk_mut::<X25519_LEN>().ok_or(snow::Error::Dh)?;
        out.copy_from_slice(shared.as_ref());
        Ok(())
    }
}
