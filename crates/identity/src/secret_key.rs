//! The secret half of a node's identity.

use std::fmt;

use ed25519_dalek::{Signer, SigningKey};
use rand_core::CryptoRng;
use subtle::ConstantTimeEq;
use zeroize::Zeroizing;

use crate::NodeId;
use crate::pem::{self, PemError};
use crate::signature::{Signature, signed_message};

/// The Ed25519 secret key of a node (RFC 8032). Whoever has it is that node.
///
/// Wiped when dropped, compared in constant time, and not shown by `Debug`. It lies on the heap, so that moving
/// the value leaves no copies behind. It is not `Clone`: share it by reference.
///
/// ```
/// use keyway_identity::SecretKey;
/// use rand_core::SeedableRng;
///
/// let mut rng = rand_chacha::ChaCha20Rng::seed_from_u64(1); // in earnest, seeded by the system
/// let key = SecretKey::generate(&mut rng);
/// let same = SecretKey::from_pem(&key.to_pem()).unwrap();
/// assert_eq!(same.node_id(), key.node_id());
/// assert_eq!(format!("{key:?}"), "SecretKey(..)");
/// ```
pub struct SecretKey(Box<SigningKey>);

impl SecretKey {
    /// Octets in the seed that is the secret key.
    pub const LEN: usize = 32;

    /// Makes a new identity from 32 octets of `rng`.
    pub fn generate(rng: &mut dyn CryptoRng) -> Self {
        let mut seed = Zeroizing::new([0; Self::LEN]);
        rng.fill_bytes(seed.as_mut());
        Self::from_seed(&seed)
    }

    /// The identity of a seed, which is what RFC 8032 calls the private key. Every seed is valid.
    pub fn from_bytes(seed: [u8; Self::LEN]) -> Self {
        Self::from_seed(&Zeroizing::new(seed))
    }

    pub(crate) fn from_seed(seed: &[u8; Self::LEN]) -> Self {
        Self(Box::new(SigningKey::from_bytes(seed)))
    }

    pub(crate) fn seed(&self) -> &[u8; Self::LEN] {
        self.0.as_bytes()
    }

    /// Reads a PKCS#8 PEM document, of version 1 (as `openssl genpkey -algorithm ed25519` makes) or version 2 with the
    /// public key (RFC 5958).
    ///
    /// # Errors
    ///
    /// [`PemError`] says what else it is, or that it is damaged.
    pub fn from_pem(text: &str) -> Result<Self, PemError> {
        pem::decode(text)
    }

    /// Reads what somebody put into an environment variable: the document of [`from_pem`](Self::from_pem), whole or its
    /// base64 body alone, where line breaks may have become spaces, the two characters `\n`, or nothing.
    ///
    /// # Errors
    ///
    /// As [`from_pem`](Self::from_pem).
    pub fn from_variable(text: &str) -> Result<Self, PemError> {
        pem::decode_variable(text)
    }

    /// The key as PKCS#8 PEM, version 2 with the public key (RFC 5958), so that later damage is noticed.
    pub fn to_pem(&self) -> Zeroizing<String> {
        pem::encode(self)
    }

    /// The public half: what others know this node by.
    pub fn node_id(&self) -> NodeId {
        NodeId::from_verifying_key(&self.0.verifying_key())
    }

    /// Signs `message` under the label `context`, which keeps a signature made for one purpose from serving another.
    ///
    /// Signed are the six octets `keyway`, the octet 1 (the version of this arrangement), the length of the label in
    /// eight octets (big-endian), the label, and the message.
    pub fn sign(&self, context: &'static str, message: &[u8]) -> Signature {
        let signature = self.0.sign(&signed_message(context, message));
        Signature::from_bytes(signature.to_bytes())
    }

    /// The X25519 form of this key (RFC 7748, 5): the Noise static private key of the node, already clamped.
    pub fn to_x25519(&self) -> Zeroizing<[u8; 32]> {
        let unclamped = Zeroizing::new(self.0.to_scalar_bytes());
        Zeroizing::new(curve25519_dalek::scalar::clamp_integer(*unclamped))
    }
}

impl ConstantTimeEq for SecretKey {
    fn ct_eq(&self, other: &Self) -> subtle::Choice {
        self.seed().ct_eq(other.seed())
    }
}

impl PartialEq for SecretKey {
    fn eq(&self, other: &Self) -> bool {
        self.ct_eq(other).into()
    }
}

impl Eq for SecretKey {}

impl fmt::Debug for SecretKey {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("SecretKey(..)")
    }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;
    use rand_chacha::ChaCha20Rng;
    use rand_core::SeedableRng;

    use super::*;

    fn hex32(text: &str) -> [u8; 32] {
        let octets = (0..64)
            .step_by(2)
            .map(|i| u8::from_str_radix(&text[i..i + 2], 16).unwrap());
        octets.collect::<Vec<_>>().try_into().unwrap()
    }

    #[test]
    fn the_public_key_of_rfc_8032_test_1_comes_out() {
        let key = SecretKey::from_bytes(hex32(
            "9d61b19deffd5a60ba844af492ec2cc44449c5697b326919703bac031cae7f60",
        ));
        let public = hex32("d75a980182b10ab7d54bfed3c964073a0ee172f3daa62325af021a68f707511a");
        assert_eq!(*key.node_id().as_bytes(), public);
    }

    #[test]
    fn two_draws_from_one_generator_are_two_identities() {
        let mut rng = ChaCha20Rng::seed_from_u64(1);
        assert_ne!(SecretKey::generate(&mut rng), SecretKey::generate(&mut rng));
    }

    #[test]
    fn debug_shows_nothing_of_the_key() {
        assert_eq!(
            format!("{:?}", SecretKey::from_bytes([7; 32])),
            "SecretKey(..)"
        );
    }

    #[test]
    fn keys_that_differ_in_one_bit_are_not_equal() {
        let mut other = [7; 32];
        other[31] ^= 1;
        assert_eq!(
            SecretKey::from_bytes([7; 32]),
            SecretKey::from_bytes([7; 32])
        );
        assert_ne!(SecretKey::from_bytes([7; 32]), SecretKey::from_bytes(other));
    }

    proptest! {
        #[test]
        fn both_halves_convert_to_one_x25519_keypair(seed: [u8; 32]) {
            let key = SecretKey::from_bytes(seed);
            let private = key.to_x25519();
            let public = curve25519_dalek::MontgomeryPoint::mul_base_clamped(*private);
            prop_assert_eq!(public.to_bytes(), key.node_id().to_x25519());
            prop_assert_eq!(private[0] & 0b111, 0);
            prop_assert_eq!(private[31] & 0b1100_0000, 0b0100_0000);
        }
    }
}
