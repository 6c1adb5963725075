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

/// What the first line of a document begins with (RFC 7468, 2), and what ends it.
const BEGIN: &str = "-----BEGIN ";
const DASHES: &str = "-----";

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
    not_empty_nor_several(text)?;
    let label = der_pem::decode_label(text.as_bytes()).map_err(|_| PemError::NotPem)?;
    if label != LABEL {
        return Err(PemError::Label {
            found: label.chars().take(40).collect(),
        });
    }
    // With all the room at once, so that the key does not move and leave copies behind.
    let mut buffer = Zeroizing::new(vec![0; text.len()]);
    let (_, der) = der_pem::decode(text.as_bytes(), &mut buffer).map_err(|_| PemError::Base64)?;
    let info = PrivateKeyInfoRef::from_der(der).map_err(|_| PemError::Structure)?;
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

/// Reads a document that lost its line breaks, or its first and last line.
pub(crate) fn decode_variable(text: &str) -> Result<SecretKey, PemError> {
    // Of the text as it came: which of two documents is left after that is for nobody to guess.
    not_empty_nor_several(text)?;
    decode(&reflow(text))
}

fn not_empty_nor_several(text: &str) -> Result<(), PemError> {
    if text.trim().is_empty() {
        return Err(PemError::Empty);
    }
    match text.matches(BEGIN).count() {
        0 | 1 => Ok(()),
        _ => Err(PemError::Several),
    }
}

/// Gives such a document the usual form back. What is no document comes back in some form that [`decode`] refuses.
fn reflow(text: &str) -> Zeroizing<String> {
    let (label, rest) = match text.split_once(BEGIN) {
        Some((_, document)) => document.split_once(DASHES).unwrap_or((document, "")),
        None if text.contains(DASHES) => return Zeroizing::new(text.to_owned()),
        None => (LABEL, text),
    };
    let body = rest.split_once(DASHES).map_or(rest, |(body, _)| body);
    // With room for everything, so that the text does not move and leave copies behind.
    let mut document = Zeroizing::new(String::with_capacity(2 * text.len() + 2 * label.len() + 64));
    for part in [BEGIN, label, DASHES] {
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
///
/// ```
/// use keyway_identity::{PemError, SecretKey};
///
/// assert_eq!(SecretKey::from_pem("hunter2").unwrap_err(), PemError::NotPem);
/// ```
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[non_exhaustive]
pub enum PemError {
    /// There is nothing, or white space alone.
    #[error("empty")]
    Empty,
    /// No PEM document: no `-----BEGIN …-----` line, or no matching end.
    #[error("not a PEM document (it should begin with -----BEGIN PRIVATE KEY-----)")]
    NotPem,
    /// More than one PEM document: which of them is the key is not for us to guess.
    #[error("more than one PEM document, where one key is to be")]
    Several,
    /// A PEM document of something else.
    #[error("PEM document of another kind: {found}, not PRIVATE KEY")]
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

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    /// Made by `openssl genpkey -algorithm ed25519` (OpenSSL 3.0): PKCS#8 version 1, without the public key.
    const OPENSSL: &str = "-----BEGIN PRIVATE KEY-----
MC4CAQAwBQYDK2VwBCIEIAScass9a6WIbAKXCm6fELh+kaCYybafc39A0f7WzYNT
-----END PRIVATE KEY-----
";
    /// What `openssl pkey -text` says is the public key of [`OPENSSL`].
    const OPENSSL_PUBLIC: [u8; 32] = [
        0xfe, 0xfd, 0xb7, 0x00, 0xbe, 0xf2, 0xc5, 0x17, 0x8b, 0x3a, 0x6f, 0xfd, 0x5d, 0x2e, 0x0a,
        0x5b, //
        0xbb, 0xe7, 0x6f, 0xce, 0xf4, 0xc0, 0x59, 0x7e, 0xb0, 0xe1, 0xa7, 0x0b, 0xb4, 0x7b, 0x79,
        0x86,
    ];

    /// RFC 8410, 10.3, second example: version 2, with an attribute and the public key.
    const RFC_8410: &str = "-----BEGIN PRIVATE KEY-----
MHICAQEwBQYDK2VwBCIEINTuctv5E1hK1bbY8fdp+K06/nwoy/HU++CXqI9EdVhC
oB8wHQYKKoZIhvcNAQkJFDEPDA1DdXJkbGUgQ2hhaXJzgSEAGb9ECWmEzf6FQbrB
Z9w7lshQhqowtrbLDFw4rXAxZuE=
-----END PRIVATE KEY-----
";

    /// From `openssl genpkey -algorithm x25519`.
    const X25519: &str = "-----BEGIN PRIVATE KEY-----
MC4CAQAwBQYDK2VuBCIEIBA9GZuRWpiQDu0ypE3x3lnkxS2UihbEsJcWLH6dnWJH
-----END PRIVATE KEY-----
";

    fn key() -> SecretKey {
        SecretKey::from_bytes([7; 32])
    }

    #[test]
    fn what_openssl_makes_is_read() {
        assert_eq!(
            *decode(OPENSSL).unwrap().node_id().as_bytes(),
            OPENSSL_PUBLIC
        );
    }

    #[test]
    fn the_example_of_rfc_8410_with_attributes_is_read() {
        assert_eq!(
            decode(RFC_8410).unwrap().node_id().as_bytes()[..4],
            [0x19, 0xbf, 0x44, 0x09]
        );
    }

    #[test]
    fn what_is_written_names_version_2_and_the_public_key() {
        let document = encode(&key());
        let (label, der) = der_pem::decode_vec(document.as_bytes()).unwrap();
        assert_eq!(label, "PRIVATE KEY");
        assert_eq!(der[..5], [0x30, 0x51, 0x02, 0x01, 0x01]);
        assert_eq!(der[der.len() - 32..], *key().node_id().as_bytes());
    }

    // K1
    #[test]
    fn a_public_key_of_another_private_key_is_refused() {
        let (_, mut der) = der_pem::decode_vec(encode(&key()).as_bytes()).unwrap();
        let public = der.len() - 32;
        der[public..].copy_from_slice(SecretKey::from_bytes([8; 32]).node_id().as_bytes());
        let document = der_pem::encode_string(LABEL, LineEnding::LF, &der).unwrap();
        assert_eq!(decode(&document), Err(PemError::PublicKeyMismatch));
    }

    // K1
    #[test]
    fn every_truncation_is_refused() {
        let document = encode(&key());
        let whole = document.trim_end().len();
        for length in 0..whole {
            assert!(decode(&document[..length]).is_err(), "{length} characters");
        }
        assert_eq!(
            decode(&document[..whole]),
            Ok(key()),
            "only the last line break may go"
        );
    }

    // K1
    #[test]
    fn every_flipped_bit_is_refused_or_harmless() {
        let document = encode(&key());
        let mut harmless = 0;
        for bit in 0..document.len() * 8 {
            let mut octets = document.as_bytes().to_vec();
            octets[bit / 8] ^= 1 << (bit % 8);
            let Ok(text) = std::str::from_utf8(&octets) else {
                continue;
            };
            if let Ok(read) = decode(text) {
                assert_eq!(read, key(), "bit {bit} made another identity");
                harmless += 1;
            }
        }
        assert!(
            harmless <= 8,
            "{harmless} flips passed; only the last line break has no meaning"
        );
    }

    #[test]
    fn other_documents_are_named() {
        assert_eq!(
            decode(X25519),
            Err(PemError::Algorithm {
                oid: "1.3.101.110".to_owned()
            })
        );
        let public = OPENSSL.replace("PRIVATE", "PUBLIC");
        assert_eq!(
            decode(&public),
            Err(PemError::Label {
                found: "PUBLIC KEY".to_owned()
            })
        );
        let encrypted = OPENSSL.replace("PRIVATE", "ENCRYPTED PRIVATE");
        let expected = PemError::Label {
            found: "ENCRYPTED PRIVATE KEY".to_owned(),
        };
        assert_eq!(decode(&encrypted), Err(expected));
        for other in ["hello", "-----BEGIN PRIVATE KEY-----"] {
            assert_eq!(decode(other), Err(PemError::NotPem), "{other:?}");
        }
        for nothing in ["", " \n"] {
            assert_eq!(decode(nothing), Err(PemError::Empty), "{nothing:?}");
        }
    }

    #[test]
    fn of_two_documents_none_is_chosen() {
        let (one, other) = (encode(&key()), encode(&SecretKey::from_bytes([8; 32])));
        for text in [
            format!("{}{}", *one, *other),
            format!("{}{}", *one, OPENSSL.replace("PRIVATE", "PUBLIC")),
            format!("no line break before it{}{}", *one, *other),
            format!("{}\\n{}", *one, *other),
        ] {
            assert_eq!(decode(&text), Err(PemError::Several));
            assert_eq!(decode_variable(&text), Err(PemError::Several));
        }
        let without_begin = format!("-----PRIVATE KEY-----MC4C\n{}", *one);
        assert_eq!(decode_variable(&without_begin), decode(&without_begin));
    }

    #[test]
    fn carriage_returns_and_text_before_the_document_are_fine() {
        assert_eq!(decode(&encode(&key()).replace('\n', "\r\n")), Ok(key()));
        assert_eq!(
            decode(&format!("the key of host 7\n{}", *encode(&key()))),
            Ok(key())
        );
    }

    #[test]
    fn a_variable_may_have_lost_its_line_breaks() {
        let document = encode(&key());
        let body = document
            .lines()
            .filter(|line| !line.starts_with('-'))
            .collect::<String>();
        for variable in [
            document.to_string(),
            document.replace('\n', "\\n"),
            document.replace('\n', "\\r\\n"),
            document.replace('\n', "\r\n"),
            document.replace('\n', " "),
            document.replace('\n', ""),
            format!("\"{}\"", document.trim_end()),
            body.clone(),
            format!("  {body}\n"),
        ] {
            assert_eq!(SecretKey::from_variable(&variable), Ok(key()), "{variable}");
        }
        let openssl = OPENSSL.replace('\n', "\\n");
        assert_eq!(
            *SecretKey::from_variable(&openssl)
                .unwrap()
                .node_id()
                .as_bytes(),
            OPENSSL_PUBLIC
        );
    }

    #[test]
    fn a_damaged_or_foreign_variable_is_refused_with_the_same_reasons() {
        let public = OPENSSL.replace("PRIVATE", "PUBLIC").replace('\n', " ");
        let expected = Err(PemError::Label {
            found: "PUBLIC KEY".to_owned(),
        });
        assert_eq!(SecretKey::from_variable(&public), expected);
        assert_eq!(SecretKey::from_variable("MC4C*"), Err(PemError::Base64));
        assert_eq!(SecretKey::from_variable("MC4C"), Err(PemError::Structure));
        let body = encode(&key()).lines().nth(1).unwrap().to_owned();
        for length in 0..body.len() {
            assert!(
                SecretKey::from_variable(&body[..length]).is_err(),
                "{length} characters"
            );
        }
    }

    proptest! {
        #[test]
        fn every_key_survives_its_document(seed: [u8; 32]) {
            let key = SecretKey::from_bytes(seed);
            prop_assert_eq!(decode(&encode(&key)), Ok(key));
        }

        #[test]
        fn no_text_makes_the_parsers_panic(text in "(-----(BEGIN|END) PRIVATE KEY-----|[A-Za-z0-9+/=\\\\n -]{0,40}|.{0,5}){0,6}") {
            let _ = decode(&text);
            let _ = SecretKey::from_variable(&text);
        }
    }
}
