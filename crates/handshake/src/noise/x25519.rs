//! X25519 (RFC 7748) for snow, over aws-lc-rs.

use std::sync::{Arc, Mutex};

use aws_lc_rs::agreement::{PrivateKey, UnparsedPublicKey, X25519, agree};
use snow::types::{Dh, Random};
use subtle::ConstantTimeEq;
use zeroize::Zeroizing;

use super::static_key::{Shared, StaticKey};

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

    /// The public half.
    pub(super) fn public(&self) -> &[u8; X25519_LEN] {
        &self.public
    }

    /// What both sides compute, or an error for a public key that no honest peer has: an encoding that is not canonical, or a
    /// point of small order, with which the result would be zeros whatever the private key is (RFC 7748, 6.1).
    pub(super) fn agree(&self, public: &[u8]) -> Result<Shared, snow::Error> {
        let public = public.first_chunk::<X25519_LEN>().ok_or(snow::Error::Dh)?;
        if !is_canonical(public) {
            return Err(snow::Error::Dh);
        }
        let public = UnparsedPublicKey::new(&X25519, public);
        let shared = agree(&self.private, public, snow::Error::Dh, |shared| {
            let agreed = shared.first_chunk::<X25519_LEN>().ok_or(snow::Error::Dh)?;
            let mut shared: Shared = Box::default();
            shared.copy_from_slice(agreed);
            Ok(shared)
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

/// What the static key agreed on within one handshake, and with whose key: the other side's static one, and its ephemeral one.
/// The first may be kept, and the second is wiped; snow does not say which is which.
#[derive(Clone, Default)]
pub(super) struct Agreements(Arc<Mutex<Vec<Agreement>>>);

type Agreement = ([u8; X25519_LEN], Shared);

impl Agreements {
    fn note(&self, public: &[u8], shared: &Shared) {
        if let Ok(mut list) = self.0.lock()
            && let Some(public) = public.first_chunk::<X25519_LEN>()
        {
            list.push((*public, shared.clone()));
        }
    }

    /// What was agreed on with this key, if it was. Everything else is wiped.
    pub(super) fn take(&self, public: &[u8]) -> Option<Agreement> {
        let all = std::mem::take(&mut *self.0.lock().ok()?);
        all.into_iter().find(|(other, _)| other == public)
    }
}

/// One of the two keys of a handshake, static or ephemeral.
///
/// snow makes both in the same way and then calls `set` on the one and `generate` on the other. The static key is there
/// from the start, as part of the resolver, and never passes through snow: what `set` is given is not looked at.
pub(super) struct HandshakeKey {
    static_key: Arc<StaticKey>,
    agreements: Agreements,
    key: Key,
}

enum Key {
    Unset,
    Static,
    Ephemeral(KeyPair),
}

impl HandshakeKey {
    pub(super) fn new(static_key: Arc<StaticKey>, agreements: Agreements) -> Self {
        Self {
            static_key,
            agreements,
            key: Key::Unset,
        }
    }

    fn agree(&self, public: &[u8]) -> Result<Shared, snow::Error> {
        match &self.key {
            Key::Unset => Err(snow::Error::Dh),
            Key::Ephemeral(pair) => pair.agree(public),
            Key::Static => {
                let shared = self.static_key.agree(public)?;
                self.agreements.note(public, &shared);
                Ok(shared)
            }
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
        self.key = Key::Static;
    }

    fn generate(&mut self, rng: &mut dyn Random) -> Result<(), snow::Error> {
        let mut private = Zeroizing::new([0; X25519_LEN]);
        rng.try_fill_bytes(private.as_mut())?;
        self.key = Key::Ephemeral(KeyPair::new(&private));
        Ok(())
    }

    fn pubkey(&self) -> &[u8] {
        match &self.key {
            Key::Unset => &[0; X25519_LEN],
            Key::Static => self.static_key.pair.public(),
            Key::Ephemeral(pair) => pair.public(),
        }
    }

    /// Nothing: a handshake has no use for it, and no private key leaves this type.
    fn privkey(&self) -> &[u8] {
        &[]
    }

    fn dh(&self, pubkey: &[u8], out: &mut [u8]) -> Result<(), snow::Error> {
        let shared = self.agree(pubkey)?;
        let out = out.first_chunk_mut::<X25519_LEN>().ok_or(snow::Error::Dh)?;
        out.copy_from_slice(shared.as_slice());
        Ok(())
    }
}

#[cfg(test)]
pub(crate) mod tests {
    use data_encoding::HEXLOWER;

    use super::*;

    /// The points of small order, on the curve and on its twist, in canonical encoding: u = 0, 1, -1, and the two of order 8.
    pub(crate) const SMALL_ORDER: [&str; 5] = [
        "0000000000000000000000000000000000000000000000000000000000000000",
        "0100000000000000000000000000000000000000000000000000000000000000",
        "ecffffffffffffffffffffffffffffffffffffffffffffffffffffffffffff7f",
        "e0eb7a7c3b41b8ae1656e3faf19fc46ada098deb9c32b1fd866205165f49b800",
        "5f9c95bca3508c24b1d0b1559c83ef5b04445cc4581c8e86d8224eddd09f1157",
    ];

    /// A second encoding of u = 9, the base point: 2^255 - 10.
    pub(crate) const NOT_CANONICAL: &str =
        "f6ffffffffffffffffffffffffffffffffffffffffffffffffffffffffffff7f";

    #[test]
    fn scalar_multiplication_is_that_of_rfc_7748() {
        // The first vector of RFC 7748, 5.2.
        let key = KeyPair::new(&hex(
            "a546e36bf0527c9d3b16154b82465edd62144c0ac1fc5a18506a2244ba449ac4",
        ));
        let point = hex("e6db6867583030db3594c1a424b15f7c726624ec26b3353b10a903a6d0ab1c4c");
        let expected = hex("c3da55379de9c6908e94ea4df28d084f32eccf03491c71f754b4075577a28552");
        assert_eq!(**key.agree(&point).unwrap(), expected);
    }

    #[test]
    fn both_sides_agree() {
        let (one, other) = (KeyPair::new(&[1; 32]), KeyPair::new(&[2; 32]));
        assert_eq!(
            one.agree(&other.public).unwrap(),
            other.agree(&one.public).unwrap()
        );
    }

    // A2, R4.1
    #[test]
    fn points_of_small_order_are_refused() {
        let key = KeyPair::new(&[1; 32]);
        for point in SMALL_ORDER {
            assert_eq!(key.agree(&hex(point)), Err(snow::Error::Dh), "{point}");
        }
    }

    // A2, R4.1
    #[test]
    fn encodings_that_are_not_canonical_are_refused() {
        let key = KeyPair::new(&[1; 32]);
        // 2^255 - 19 up to 2^255 - 1: second encodings of 0 to 18.
        for low in 0xed..=0xff {
            let mut point = [0xff; 32];
            (point[0], point[31]) = (low, 0x7f);
            assert_eq!(key.agree(&point), Err(snow::Error::Dh), "{low:x}");
        }
        // And everything with the high bit.
        let mut point = KeyPair::new(&[2; 32]).public;
        assert!(key.agree(&point).is_ok());
        point[31] |= 0x80;
        assert_eq!(key.agree(&point), Err(snow::Error::Dh));
    }

    #[test]
    fn the_largest_canonical_encodings_are_not_mistaken_for_others() {
        let mut point = [0xff; 32];
        (point[0], point[31]) = (0xec, 0x7f);
        assert!(is_canonical(&point));
        (point[0], point[30]) = (0xff, 0xfe);
        assert!(is_canonical(&point));
        (point[0], point[30], point[31]) = (0xff, 0xff, 0x7e);
        assert!(is_canonical(&point));
    }

    #[test]
    fn lengths_other_than_32_are_refused() {
        let key = KeyPair::new(&[1; 32]);
        assert_eq!(key.agree(&[9; 31]), Err(snow::Error::Dh));
        assert_eq!(key.agree(&[]), Err(snow::Error::Dh));
    }

    pub(crate) fn hex(text: &str) -> [u8; X25519_LEN] {
        HEXLOWER
            .decode(text.as_bytes())
            .unwrap()
            .try_into()
            .unwrap()
    }
}
