//! The public key as a name.

use std::fmt;
use std::str::FromStr;

use curve25519_dalek::Scalar;
use curve25519_dalek::edwards::{CompressedEdwardsY, EdwardsPoint};
use ed25519_dalek::VerifyingKey;

use crate::signature::{Signature, SignatureError, signed_message};
use crate::text::{self, ParseNodeIdError};

/// The address of a node: its Ed25519 public key (RFC 8032), always canonical and of prime order.
///
/// Printed and parsed in its text form of 56 characters, which finds typing mistakes (see [`ParseNodeIdError`]).
/// Ordered by the octets of the key, which both sides of an association use to break ties.
///
/// ```
/// use keyway_identity::{NodeId, SecretKey};
///
/// let id = SecretKey::from_bytes([7; 32]).node_id();
/// let text = id.to_string();
/// assert_eq!(text.len(), NodeId::TEXT_LEN);
/// assert_eq!(text.to_uppercase().parse(), Ok(id)); // the case does not matter
/// assert!(text.replacen(&text[..1], "9", 1).parse::<NodeId>().is_err());
/// ```
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct NodeId([u8; NodeId::LEN]);

impl NodeId {
    /// Octets in a node id.
    pub const LEN: usize = 32;

    /// Characters in the text form of a node id.
    pub const TEXT_LEN: usize = text::TEXT_LEN;

    /// Takes a public key from elsewhere: a message, a record, a file.
    ///
    /// Costs about one scalar multiplication, for the check of the order, in a time that depends on the key, which is public.
    /// Without that check, one secret key would have eight public keys that verify its signatures and convert to keys that
    /// agree on the same Diffie–Hellman result.
    ///
    /// # Errors
    ///
    /// Refuses whatever is not the one canonical encoding (RFC 8032, 5.1.3) of a point of prime order.
    pub fn from_bytes(bytes: [u8; NodeId::LEN]) -> Result<Self, NodeIdError> {
        let point = CompressedEdwardsY(bytes)
            .decompress()
            .ok_or(NodeIdError::NotOnCurve)?;
        let small_order = point.is_small_order();
        // Where x is 0, which is so at two points of small order, the sign has to be 0 too; the inversion that shows it is
        // dear, and needed nowhere else.
        if !is_reduced(&bytes) || (small_order && point.compress().to_bytes() != bytes) {
            return Err(NodeIdError::NotCanonical);
        }
        if small_order {
            return Err(NodeIdError::SmallOrder);
        }
        if !is_torsion_free(&point) {
            return Err(NodeIdError::MixedOrder);
        }
        Ok(Self(bytes))
    }

    /// Takes the public half of a secret key, which is valid by the way it is made.
    pub(crate) fn from_verifying_key(key: &VerifyingKey) -> Self {
        Self(key.to_bytes())
    }

    /// The public key, as RFC 8032 encodes it.
    pub const fn as_bytes(&self) -> &[u8; NodeId::LEN] {
        &self.0
    }

    /// The X25519 form (RFC 7748, 4.1) of this key: the Noise static key of its owner.
    ///
    /// Two ids that differ only in the sign of x share it. State must be keyed by the id, never by this.
    pub fn to_x25519(&self) -> [u8; 32] {
        self.point().to_montgomery().to_bytes()
    }

    /// Checks that the owner of this id signed `message` under the label `context`.
    ///
    /// # Errors
    ///
    /// [`SignatureError`] when they did not: drop what came with the signature.
    pub fn verify(
        &self,
        context: &'static str,
        message: &[u8],
        signature: &Signature,
    ) -> Result<(), SignatureError> {
        let signature = ed25519_dalek::Signature::from_bytes(signature.as_bytes());
        VerifyingKey::from(self.point())
            .verify_strict(&signed_message(context, message), &signature)
            .map_err(|_| SignatureError)
    }

    fn point(&self) -> EdwardsPoint {
        CompressedEdwardsY(self.0)
            .decompress()
            .expect("every way to make a node id checks that it is on the curve")
    }
}

/// Whether the y-coordinate of an encoding is below 2^255 - 19 (RFC 8032, 5.1.3).
fn is_reduced(bytes: &[u8; NodeId::LEN]) -> bool {
    let [first, middle @ .., last] = bytes;
    let at_least_prime =
        last & 0x7f == 0x7f && middle.iter().all(|octet| *octet == 0xff) && *first >= 0xed;
    !at_least_prime
}

/// Whether a point has no component of small order: that is so if the order of the base point, less one, takes it to its
/// negative. In variable time, since nobody's secret is involved, which is a fifth faster than the library's own check.
fn is_torsion_free(point: &EdwardsPoint) -> bool {
    let product =
        EdwardsPoint::vartime_double_scalar_mul_basepoint(&-Scalar::ONE, point, &Scalar::ZERO);
    product == -point
}

impl fmt::Display for NodeId {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.pad(text::encode(&self.0).as_str())
    }
}

impl fmt::Debug for NodeId {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "NodeId({self})")
    }
}

impl FromStr for NodeId {
    type Err = ParseNodeIdError;

    fn from_str(text: &str) -> Result<Self, Self::Err> {
        let key = text::decode(text)?;
        Self::from_bytes(key).map_err(ParseNodeIdError::Key)
    }
}

/// Why 32 octets are not a node id. Whoever sent them is broken or hostile; drop the message.
///
/// ```
/// use keyway_identity::{NodeId, NodeIdError};
///
/// let mut neutral = [0; 32]; // the neutral element of the group
/// neutral[0] = 1;
/// assert_eq!(NodeId::from_bytes(neutral), Err(NodeIdError::SmallOrder));
/// ```
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
#[non_exhaustive]
pub enum NodeIdError {
    /// No point of the curve has this encoding.
    #[error("key is not a point of the curve")]
    NotOnCurve,
    /// A second encoding of a point: the same node would have two ids.
    #[error("key is not in its canonical encoding")]
    NotCanonical,
    /// One of the eight points of small order: anybody can sign for it and knows all results of its Diffie–Hellman.
    #[error("key is a point of small order")]
    SmallOrder,
    /// A valid key plus a point of small order: the same secret key would have several ids.
    #[error("key is not a point of prime order")]
    MixedOrder,
}

#[cfg(test)]
mod tests {
    use curve25519_dalek::constants::{ED25519_BASEPOINT_POINT, EIGHT_TORSION};
    use proptest::prelude::*;

    use super::*;
    use crate::SecretKey;

    /// 2^255 - 19, little-endian.
    fn field_prime() -> [u8; 32] {
        let mut prime = [0xff; 32];
        prime[0] = 0xed;
        prime[31] = 0x7f;
        prime
    }

    // A2, R3.1
    #[test]
    fn every_point_of_small_order_is_refused() {
        for point in EIGHT_TORSION {
            let refused = NodeId::from_bytes(point.compress().to_bytes());
            assert_eq!(refused, Err(NodeIdError::SmallOrder));
        }
    }

    // A2, R3.1
    #[test]
    fn every_encoding_with_y_not_below_the_prime_is_refused() {
        for above in 0..19 {
            for sign in [0x00, 0x80] {
                let mut bytes = field_prime();
                bytes[0] += above;
                bytes[31] |= sign;
                let refused = NodeId::from_bytes(bytes);
                let expected = [Err(NodeIdError::NotCanonical), Err(NodeIdError::NotOnCurve)];
                assert!(expected.contains(&refused), "{bytes:02x?}: {refused:?}");
            }
        }
    }

    // A2, R3.1
    #[test]
    fn a_sign_bit_on_x_zero_is_refused() {
        let mut one = [0; 32];
        one[0] = 1;
        let mut minus_one = field_prime();
        minus_one[0] -= 1;
        for mut bytes in [one, minus_one] {
            assert_eq!(NodeId::from_bytes(bytes), Err(NodeIdError::SmallOrder));
            bytes[31] |= 0x80;
            assert_eq!(NodeId::from_bytes(bytes), Err(NodeIdError::NotCanonical));
        }
    }

    // A2, R3.1
    #[test]
    fn a_valid_key_plus_any_point_of_small_order_is_refused() {
        let key = SecretKey::from_bytes([3; 32]).node_id().point();
        for torsion in EIGHT_TORSION.into_iter().skip(1) {
            let refused = NodeId::from_bytes((key + torsion).compress().to_bytes());
            assert_eq!(refused, Err(NodeIdError::MixedOrder));
        }
        assert!(NodeId::from_bytes((key + EIGHT_TORSION[0]).compress().to_bytes()).is_ok());
    }

    #[test]
    fn the_base_point_is_accepted_and_keeps_its_octets() {
        let bytes = ED25519_BASEPOINT_POINT.compress().to_bytes();
        assert_eq!(*NodeId::from_bytes(bytes).unwrap().as_bytes(), bytes);
    }

    // R3.1
    #[test]
    fn octets_that_are_no_point_are_refused() {
        let mut bytes = [0; 32];
        bytes[0] = 2;
        assert_eq!(NodeId::from_bytes(bytes), Err(NodeIdError::NotOnCurve));
    }

    #[test]
    fn display_honours_width_and_debug_shows_the_text_form() {
        let id = SecretKey::from_bytes([3; 32]).node_id();
        assert_eq!(format!("{id:.8}"), id.to_string()[..8]);
        assert_eq!(format!("{id:?}"), format!("NodeId({id})"));
    }

    proptest! {
        #[test]
        fn public_keys_of_secret_keys_are_always_valid(seed: [u8; 32]) {
            let id = SecretKey::from_bytes(seed).node_id();
            prop_assert_eq!(NodeId::from_bytes(*id.as_bytes()), Ok(id));
        }

        #[test]
        fn whatever_is_accepted_keeps_its_octets_and_can_be_used(bytes: [u8; 32]) {
            if let Ok(id) = NodeId::from_bytes(bytes) {
                prop_assert_eq!(*id.as_bytes(), bytes);
                prop_assert_ne!(id.to_x25519(), [0; 32]);
                prop_assert!(id.verify("t", b"m", &Signature::from_bytes([0; 64])).is_err());
            }
        }
    }
}
