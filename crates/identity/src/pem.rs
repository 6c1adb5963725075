//! Secret keys as PKCS#8 PEM documents.

use pkcs8::der::asn1::{BitStringRef, OctetStringRef};
use pkcs8::der::{Decode, Encode, pem as der_pem};
use pkcs8::{AlgorithmIdentifierRef, LineEnding, ObjectIdentifier, PrivateKeyInfoRef};
use zeroize::Zeroizing;

use crate::SecretKey;

/// id-Ed25519 (RFC 8410, 3).
const ED25519: ObjectIdentifier = ObjectIdentifier::new_unwrap("1.3.101.112");

/// RFC 7468, 10.
const LABEL: &str = "PRIVATE KEY";

/// Characters in a line of base64 (RFC 7468, 2).
const LINE_LEN: usize = 64;

/// The private key inside the PrivateKey field is an OCTET STRING of its own (RFC 8410, 7): tag, length, seed.
const NESTED_LEN: usize = 2 + SecretKey::LEN;
const NESTED_HEADER: [u8; 2] = [0x04, 0x20];

pub(crate) fn encode(key: &SecretKey) -> Zeroizing<String> {
    let mut nested = Zeroizing::new([0; NESTED_LEN]);
    nested[..2].copy_from_slice(&NESTED_HEADER);
    nested[2..].copy_from_slice(key.seed());
    let public = key.node_id();
    let info = PrivateKeyInfoRef {
        algorithm: AlgorithmIdentifierRef {
            oid: ED25519,
            parameters: None,
        },
        private_key: OctetStringRef::new(nested.as_slice()).expect("34 octets fit an OCTET STRING"),
        public_key: Some(
            BitStringRef::from_bytes(public.as_bytes()).expect("32 octets fit a BIT STRING"),
        ),
    };
    let der = Zeroizing::new(
        info.to_der()
            .expect("every field has a fixed, short length"),
    );
    let text = der_pem::encode_string(LABEL, LineEnding::LF, &der).expect("the label is legal");
    Zeroizing::new(text)
}

pub(crate) fn decode(text: &str) -> Result<SecretKey, PemError> {
    let label = der_pem::decode_label(text.as_bytes()).map_err(|_| PemError::NotPem)?;
    if label != LABEL {
        return Err(PemError::Label {
            found: label.chars().take(40).collect(),
        });
    }
    let (_, der) = der_pem::decode_vec(text.as_bytes()).map_err(|_| PemError::Base64)?;
    let der = Zeroizing::new(der);
    let info = PrivateKeyInfoRef::from_der(&der).map_err(|_| PemError::Structure)?;
    if info.algorithm.oid != ED25519 {
        return Err(PemError::Algorithm {
            oid: info.algorithm.oid.to_string(),
        });
    }
    if info.algorithm.parameters.is_some() {
        return Err(PemError::Structure);
    }
    let key = SecretKey::from_seed(seed(info.private_key.as_bytes())?);
    match info.public_key {
        None => Ok(key),
        Some(public) if public.as_bytes() == Some(key.node_id().as_bytes()) => Ok(key),
        Some(_) => Err(PemError::PublicKeyMismatch),
    }
}

fn seed(nested: &[u8]) -> Result<&[u8; SecretKey::LEN], PemError> {
    let seed = nested
        .strip_prefix(&NESTED_HEADER)
        .ok_or(PemError::Structure)?;
    seed.try_into().map_err(|_| PemError::Structure)
}

/// Gives a document that lost its line breaks, or its first and last line, the usual form back. What is not such a document
/// comes back in some form that [`decode`] refuses.
pub(crate) fn reflow(text: &str) -> Zeroizing<String> {
    let mut parts = text.split("-----");
    let (label, body) = match (parts.next(), parts.next(), parts.next()) {
        (Some(body), None, None) => (LABEL, body),
        (Some(_), Some(begin), Some(body)) => (begin.trim_start_matches("BEGIN").trim(), body),
        _ => return Zeroizing::new(text.to_owned()),
    };
    // With room for everything, so that the text does not move and leave copies behind.
    let mut document = Zeroizing::new(String::with_capacity(2 * text.len() + 2 * label.len() + 64));
    for part in ["-----BEGIN ", label, "-----"] {
        document.push_str(part);
    }
    let characters = body
        .split("\\n")
        .flat_map(|part| part.split("\\r"))
        .flat_map(str::chars);
    for (index, character) in characters.filter(|c| !c.is_whitespace()).enumerate() {
        if index % LINE_LEN == 0 {
            document.push('\n');
        }
        document.push(character);
    }
    for part in ["\n-----END ", label, "-----\n"] {
        document.push_str(part);
    }
    document
}

/// Why a text is not the secret key of a node. The text itself is never part of the message.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum PemError {
    /// No PEM document: no `-----BEGIN …-----` line, or no matching end.
    #[error("not a PEM document (it should begin with -----BEGIN PRIVATE KEY-----)")]
    NotPem,
    /// A PEM document of something else.
    #[error("PEM document holds a {found}, not a PRIVATE KEY")]
    Label {
        /// What the document says it is; the first 40 characters of that.
        found: String,
    },
    /// The base64 body is damaged.
    #[error("base64 text is damaged")]
    Base64,
    /// The decoded octets are not a PKCS#8 key (RFC 5958).
    #[error("not a PKCS#8 private key, or damaged")]
    Structure,
    /// A key for another algorithm.
    #[error("key is for the algorithm {oid}, not for Ed25519 (1.3.101.112)")]
    Algorithm {
        /// The algorithm's object identifier, in dotted form.
        oid: String,
    },
    /// The document holds a public key that does not belong to its private key: one of them is damaged.
    #[error("public key does not belong to the private key: the document is damaged")]
    PublicKeyMismatch,
}
