//! Signatures that say what they are for.

use std::fmt;

/// An Ed25519 signature over a context label and a message. Any 64 octets may stand here; only verification tells.
///
/// ```
/// use keyway_identity::SecretKey;
///
/// let key = SecretKey::from_bytes([7; 32]);
/// let signature = key.sign("example greeting v1", b"hello");
/// assert!(key.node_id().verify("example greeting v1", b"hello", &signature).is_ok());
/// assert!(key.node_id().verify("example farewell v1", b"hello", &signature).is_err());
/// ```
#[derive(Clone, Copy, PartialEq, Eq)]
pub struct Signature([u8; Signature::LEN]);

impl Signature {
    /// Octets in a signature.
    pub const LEN: usize = 64;

    /// Takes a signature from a message, without checking anything.
    pub const fn from_bytes(bytes: [u8; Signature::LEN]) -> Self {
        Self(bytes)
    }

    /// The signature, as RFC 8032 encodes it: R, then S.
    pub const fn as_bytes(&self) -> &[u8; Signature::LEN] {
        &self.0
    }
}

impl TryFrom<&[u8]> for Signature {
    type Error = SignatureError;

    /// Refuses what has not 64 octets, with the error of a signature that does not verify: to a reader it is the same.
    fn try_from(bytes: &[u8]) -> Result<Self, Self::Error> {
        bytes.try_into().map(Self).map_err(|_| SignatureError)
    }
}

impl fmt::Debug for Signature {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("Signature(")?;
        self.0
            .iter()
            .try_for_each(|octet| write!(f, "{octet:02x}"))?;
        f.write_str(")")
    }
}

/// The signature is not one of this key over these octets under this label. No reason is given, because none can be
/// trusted.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
#[error("signature does not verify")]
pub struct SignatureError;

/// First in everything that an identity signs, so that no signature of a Keyway key means anything elsewhere.
const DOMAIN: &[u8] = b"keyway";

/// Version of the arrangement of [`signed_message`].
const ARRANGEMENT: u8 = 1;

/// What is really signed: domain, version, length of the label (eight octets, big-endian), label, message.
///
/// The length makes the arrangement injective: no other pair of label and message gives the same octets.
pub(crate) fn signed_message(context: &str, message: &[u8]) -> Vec<u8> {
    let length = (context.len() as u64).to_be_bytes();
    [DOMAIN, &[ARRANGEMENT], &length, context.as_bytes(), message].concat()
}

#[cfg(test)]
mod tests {
    use curve25519_dalek::Scalar;
    use proptest::prelude::*;

    use super::*;
    use crate::SecretKey;

    fn key() -> SecretKey {
        SecretKey::from_bytes([5; 32])
    }

    #[test]
    fn the_signed_octets_have_the_documented_arrangement() {
        assert_eq!(
            signed_message("ab", b"xyz"),
            b"keyway\x01\0\0\0\0\0\0\0\x02abxyz"
        );
    }

    #[test]
    fn a_signature_verifies_for_its_key_label_and_message() {
        let signature = key().sign("record", b"hello");
        assert_eq!(
            key().node_id().verify("record", b"hello", &signature),
            Ok(())
        );
    }

    #[test]
    fn a_signature_for_one_purpose_does_not_serve_another() {
        let signature = key().sign("record", b"hello");
        let id = key().node_id();
        assert_eq!(
            id.verify("membership", b"hello", &signature),
            Err(SignatureError)
        );
        assert_eq!(
            id.verify("recordh", b"ello", &signature),
            Err(SignatureError)
        );
        assert_eq!(
            id.verify("", b"recordhello", &signature),
            Err(SignatureError)
        );
    }

    #[test]
    fn another_key_does_not_verify() {
        let signature = key().sign("record", b"hello");
        let other = SecretKey::from_bytes([6; 32]).node_id();
        assert_eq!(
            other.verify("record", b"hello", &signature),
            Err(SignatureError)
        );
    }

    // A5, R3.5: a second form of a signature must not pass for a new one.
    #[test]
    fn adding_the_group_order_to_s_does_not_make_a_second_signature() {
        let mut bytes = *key().sign("record", b"hello").as_bytes();
        // The group order l is (l - 1) + 1.
        let mut order = (-Scalar::ONE).to_bytes();
        order[0] += 1;
        let mut carry = 0;
        for (octet, added) in bytes[32..].iter_mut().zip(order) {
            let sum = u16::from(*octet) + u16::from(added) + carry;
            *octet = sum.to_le_bytes()[0];
            carry = sum >> 8;
        }
        let second = Signature::from_bytes(bytes);
        assert_eq!(
            key().node_id().verify("record", b"hello", &second),
            Err(SignatureError)
        );
    }

    #[test]
    fn a_signature_of_another_length_is_refused() {
        assert!(Signature::try_from([0; 63].as_slice()).is_err());
        assert!(Signature::try_from([0; 65].as_slice()).is_err());
        assert!(Signature::try_from([0; 64].as_slice()).is_ok());
    }

    proptest! {
        // R3.5
        #[test]
        fn any_flipped_bit_of_a_signature_is_found(bit in 0usize..512) {
            let mut bytes = *key().sign("record", b"hello").as_bytes();
            bytes[bit / 8] ^= 1 << (bit % 8);
            let flipped = Signature::from_bytes(bytes);
            prop_assert!(key().node_id().verify("record", b"hello", &flipped).is_err());
        }
    }
}
