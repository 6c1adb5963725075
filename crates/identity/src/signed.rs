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
/// Exists only with a signature that was made or verified here. The octets stay as they came, because
/// encoding the value again may give others (protobuf promises no canonical form), under which the signature does not verify.
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
