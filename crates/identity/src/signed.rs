//! Data that carries its author's signature.

use std::fmt;

use crate::{NodeId, SecretKey, Signature, SignatureError};

/// What can be signed by a node and read by others.
pub trait Signable: Sized {
    /// The label that keeps signatures over this type apart from all others.
    const CONTEXT: &'static str;

    /// The most octets that [`to_bytes`](Self::to_bytes) may give; longer ones are refused before they are parsed.
    const LEN_MAX: usize;

    /// Why octets are not a value of this type.
    type Error: std::error::Error + 'static;

    /// Who must have signed the value, as it says itself.
    fn signer(&self) -> NodeId;

    /// The octets that are signed and sent.
    fn to_bytes(&self) -> Vec<u8>;

    /// Reads a value from the octets that were signed. It sees them before the signature is checked, because they say
    /// who signed: it must bear anything.
    ///
    /// # Errors
    ///
    /// Whatever makes the octets no value of this type.
    fn from_bytes(bytes: &[u8]) -> Result<Self, Self::Error>;
}

/// A value together with the exact octets that its author signed.
///
/// Exists only with a signature that was made or verified here. The octets stay as they came, because encoding the
/// value again may give others (protobuf promises no canonical form), under which the signature does not verify.
///
/// ```
/// use keyway_identity::{NodeId, NodeIdError, SecretKey, Signable, Signed};
///
/// /// "I am here."
/// #[derive(Debug, PartialEq)]
/// struct Presence(NodeId);
///
/// impl Signable for Presence {
///     const CONTEXT: &'static str = "example presence v1";
///     const LEN_MAX: usize = 32;
///     type Error = NodeIdError;
///
///     fn signer(&self) -> NodeId {
///         self.0
///     }
///     fn to_bytes(&self) -> Vec<u8> {
///         self.0.as_bytes().to_vec()
///     }
///     fn from_bytes(bytes: &[u8]) -> Result<Self, NodeIdError> {
///         NodeId::from_bytes(bytes.try_into().unwrap_or_default()).map(Self)
///     }
/// }
///
/// let key = SecretKey::from_bytes([7; 32]);
/// let signed = Signed::sign(Presence(key.node_id()), &key).unwrap();
/// let heard = Signed::<Presence>::verify(signed.bytes(), signed.signature()).unwrap();
/// assert_eq!(heard.value(), signed.value());
/// ```
#[derive(Clone)]
pub struct Signed<T> {
    value: T,
    bytes: Box<[u8]>,
    signature: Signature,
}

impl<T: Signable> Signed<T> {
    /// Signs `value` with `key`.
    ///
    /// # Errors
    ///
    /// When the value names another signer than `key`, or is too long: readers would refuse it.
    pub fn sign(value: T, key: &SecretKey) -> Result<Self, SignError> {
        let (signer, owner) = (value.signer(), key.node_id());
        if signer != owner {
            return Err(SignError::OtherSigner { signer, key: owner });
        }
        let bytes = value.to_bytes();
        if bytes.len() > T::LEN_MAX {
            return Err(SignError::TooLong {
                maximum: T::LEN_MAX,
                actual: bytes.len(),
            });
        }
        let signature = key.sign(T::CONTEXT, &bytes);
        Ok(Self {
            value,
            bytes: bytes.into(),
            signature,
        })
    }

    /// Reads a value and checks that the signer that it names has signed exactly these octets.
    ///
    /// # Errors
    ///
    /// [`VerifyError`]: drop the value. Nothing in it can be believed, not even whom it names.
    pub fn verify(bytes: &[u8], signature: &Signature) -> Result<Self, VerifyError<T::Error>> {
        if bytes.len() > T::LEN_MAX {
            return Err(VerifyError::TooLong {
                maximum: T::LEN_MAX,
                actual: bytes.len(),
            });
        }
        let value = T::from_bytes(bytes).map_err(VerifyError::Malformed)?;
        value.signer().verify(T::CONTEXT, bytes, signature)?;
        Ok(Self {
            value,
            bytes: bytes.into(),
            signature: *signature,
        })
    }
}

impl<T> Signed<T> {
    /// What was signed.
    pub const fn value(&self) -> &T {
        &self.value
    }

    /// What was signed, without the proof.
    pub fn into_value(self) -> T {
        self.value
    }

    /// The octets that were signed, for passing them on.
    pub const fn bytes(&self) -> &[u8] {
        &self.bytes
    }

    /// The signature over [`bytes`](Self::bytes).
    pub const fn signature(&self) -> &Signature {
        &self.signature
    }
}

/// Equal when the signed octets are: a second signature of the same author over them adds nothing.
impl<T> PartialEq for Signed<T> {
    fn eq(&self, other: &Self) -> bool {
        self.bytes == other.bytes
    }
}

impl<T> Eq for Signed<T> {}

impl<T: fmt::Debug> fmt::Debug for Signed<T> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_tuple("Signed").field(&self.value).finish()
    }
}

/// Why a value was not signed. A mistake of the caller.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum SignError {
    /// The value says that somebody else signs it.
    #[error("value names {signer} as its signer, but the key is that of {key}")]
    OtherSigner {
        /// Whom the value names.
        signer: NodeId,
        /// Whose key was to sign.
        key: NodeId,
    },
    /// Readers would refuse it.
    #[error("value has {actual} octets, at most {maximum} can be signed")]
    TooLong {
        /// The most octets of this type.
        maximum: usize,
        /// Octets of this value.
        actual: usize,
    },
}

/// Why a signed value from outside was refused. Its sender, or somebody between, is broken or lying.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum VerifyError<E: std::error::Error + 'static> {
    /// More octets than the type may have; they were not looked at.
    #[error("signed value has {actual} octets, more than {maximum}")]
    TooLong {
        /// The most octets of this type.
        maximum: usize,
        /// Octets that came.
        actual: usize,
    },
    /// The octets are no value of the type.
    #[error("signed value is malformed")]
    Malformed(#[source] E),
    /// The signer that the value names has not signed it.
    #[error(transparent)]
    Signature(#[from] SignatureError),
}

#[cfg(test)]
mod tests {
    use super::*;

    /// A value with two encodings: with and without a trailing zero octet.
    #[derive(Clone, Debug, PartialEq)]
    struct Note {
        author: NodeId,
        text: String,
    }

    #[derive(Debug, PartialEq, thiserror::Error)]
    #[error("not a note")]
    struct NotANote;

    impl Signable for Note {
        const CONTEXT: &'static str = "note";
        const LEN_MAX: usize = 64;
        type Error = NotANote;

        fn signer(&self) -> NodeId {
            self.author
        }

        fn to_bytes(&self) -> Vec<u8> {
            [self.author.as_bytes(), self.text.as_bytes()].concat()
        }

        fn from_bytes(bytes: &[u8]) -> Result<Self, NotANote> {
            let (author, text) = bytes.split_first_chunk().ok_or(NotANote)?;
            let author = NodeId::from_bytes(*author).map_err(|_| NotANote)?;
            let text = text.strip_suffix(&[0]).unwrap_or(text);
            let text = str::from_utf8(text).map_err(|_| NotANote)?.to_owned();
            Ok(Self { author, text })
        }
    }

    fn key() -> SecretKey {
        SecretKey::from_bytes([9; 32])
    }

    fn note(text: &str) -> Note {
        Note {
            author: key().node_id(),
            text: text.to_owned(),
        }
    }

    #[test]
    fn what_was_signed_is_read_back_with_its_octets() {
        let signed = Signed::sign(note("hello"), &key()).unwrap();
        let read = Signed::<Note>::verify(signed.bytes(), signed.signature()).unwrap();
        assert_eq!(read, signed);
        assert_eq!(read.into_value(), note("hello"));
    }

    // R3.5
    #[test]
    fn the_octets_stay_as_they_came_where_encoding_again_would_differ() {
        let mut bytes = note("hello").to_bytes();
        bytes.push(0);
        let signature = key().sign(Note::CONTEXT, &bytes);
        let read = Signed::<Note>::verify(&bytes, &signature).unwrap();
        assert_eq!(read.bytes(), bytes);
        assert_ne!(read.value().to_bytes(), bytes);
        assert!(Signed::<Note>::verify(&read.value().to_bytes(), &signature).is_err());
    }

    // V1
    #[test]
    fn every_flipped_bit_of_octets_or_signature_is_refused() {
        let signed = Signed::sign(note("hello"), &key()).unwrap();
        for bit in 0..signed.bytes().len() * 8 {
            let mut bytes = signed.bytes().to_vec();
            bytes[bit / 8] ^= 1 << (bit % 8);
            assert!(
                Signed::<Note>::verify(&bytes, signed.signature()).is_err(),
                "bit {bit}"
            );
        }
        for bit in 0..Signature::LEN * 8 {
            let mut bytes = *signed.signature().as_bytes();
            bytes[bit / 8] ^= 1 << (bit % 8);
            let flipped = Signature::from_bytes(bytes);
            assert!(
                Signed::<Note>::verify(signed.bytes(), &flipped).is_err(),
                "bit {bit}"
            );
        }
    }

    // V1
    #[test]
    fn a_value_that_names_another_signer_is_refused() {
        let other = SecretKey::from_bytes([8; 32]);
        let refused = Signed::sign(note("hello"), &other).unwrap_err();
        let expected = SignError::OtherSigner {
            signer: key().node_id(),
            key: other.node_id(),
        };
        assert_eq!(refused, expected);

        let bytes = note("hello").to_bytes();
        let forged = other.sign(Note::CONTEXT, &bytes);
        let refused = Signed::<Note>::verify(&bytes, &forged).unwrap_err();
        assert_eq!(refused, VerifyError::Signature(SignatureError));
    }

    #[test]
    fn a_signature_under_another_label_is_refused() {
        let bytes = note("hello").to_bytes();
        let signature = key().sign("letter", &bytes);
        assert!(Signed::<Note>::verify(&bytes, &signature).is_err());
    }

    #[test]
    fn too_many_octets_are_refused_on_both_sides() {
        let long = note(&"x".repeat(33));
        let bytes = long.to_bytes();
        let expected = SignError::TooLong {
            maximum: 64,
            actual: 65,
        };
        assert_eq!(Signed::sign(long, &key()).unwrap_err(), expected);
        let signature = key().sign(Note::CONTEXT, &bytes);
        let refused = Signed::<Note>::verify(&bytes, &signature).unwrap_err();
        assert_eq!(
            refused,
            VerifyError::TooLong {
                maximum: 64,
                actual: 65
            }
        );
        assert!(Signed::sign(note(&"x".repeat(32)), &key()).is_ok());
    }

    #[test]
    fn octets_that_are_no_value_are_refused_with_the_reason() {
        let signature = key().sign(Note::CONTEXT, b"short");
        let refused = Signed::<Note>::verify(b"short", &signature).unwrap_err();
        assert_eq!(refused, VerifyError::Malformed(NotANote));
    }
}
