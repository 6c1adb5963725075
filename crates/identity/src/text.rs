//! The text form of a node id.
//!
//! In the manner of Tor's v3 onion names: base32 (RFC 4648, 6; lower case, without padding) of 35 octets, which are 56
//! characters and fit a DNS label.
//!
//! | octets | field   | meaning                                                  |
//! |--------|---------|----------------------------------------------------------|
//! | 0..32  | key     | the Ed25519 public key                                   |
//! | 32..34 | check   | CRC-16 over key and version (see [`crate::crc`]), big-endian |
//! | 34     | version | 1: every id of this version ends in `b`                  |

use std::fmt;

use crate::NodeIdError;
use crate::crc::crc16;

/// Characters in a node id.
pub(crate) const TEXT_LEN: usize = 56;

const KEY_LEN: usize = 32;
const BINARY_LEN: usize = 35;
const VERSION: u8 = 1;
const ALPHABET: &[u8; 32] = b"abcdefghijklmnopqrstuvwxyz234567";

/// Eight characters stand for five octets.
const GROUP_TEXT_LEN: usize = 8;
const GROUP_BINARY_LEN: usize = 5;

/// A node id in its text form, on the stack.
pub(crate) struct Text([u8; TEXT_LEN]);

impl Text {
    pub(crate) fn as_str(&self) -> &str {
        std::str::from_utf8(&self.0).expect("the alphabet is ASCII")
    }
}

pub(crate) fn encode(key: &[u8; KEY_LEN]) -> Text {
    let mut binary = [0; BINARY_LEN];
    binary[..KEY_LEN].copy_from_slice(key);
    binary[KEY_LEN..BINARY_LEN - 1].copy_from_slice(&crc16(&[key, &[VERSION]]).to_be_bytes());
    binary[BINARY_LEN - 1] = VERSION;
    encode_base32(&binary)
}

fn encode_base32(binary: &[u8; BINARY_LEN]) -> Text {
    let mut text = [0; TEXT_LEN];
    let groups = binary
        .chunks_exact(GROUP_BINARY_LEN)
        .zip(text.chunks_exact_mut(GROUP_TEXT_LEN));
    for (octets, characters) in groups {
        let bits = octets
            .iter()
            .fold(0u64, |bits, octet| bits << 8 | u64::from(*octet));
        for (place, character) in characters.iter_mut().rev().enumerate() {
            *character = ALPHABET[(bits >> (5 * place) & 0x1f) as usize];
        }
    }
    Text(text)
}

/// Reads the key from a text form and checks all of it but the key itself.
///
/// Upper case is read as lower case: nothing is lost by it, because case carries nothing, and some tools (and DNS)
/// change it. It is never written.
pub(crate) fn decode(text: &str) -> Result<[u8; KEY_LEN], ParseNodeIdError> {
    let binary = decode_base32(text)?;
    let (key, rest) = binary
        .split_first_chunk()
        .expect("35 octets are more than 32");
    let (check, version) = (u16::from_be_bytes([rest[0], rest[1]]), rest[2]);
    if crc16(&[key, &[version]]) != check {
        return Err(ParseNodeIdError::Checksum);
    }
    if version != VERSION {
        return Err(ParseNodeIdError::Version { version });
    }
    Ok(*key)
}

fn decode_base32(text: &str) -> Result<[u8; BINARY_LEN], ParseNodeIdError> {
    let characters = text.chars().count();
    if characters != TEXT_LEN {
        return Err(ParseNodeIdError::Length { actual: characters });
    }
    let mut values = [0; TEXT_LEN];
    for (index, (character, value)) in text.chars().zip(&mut values).enumerate() {
        *value = value_of(character).ok_or(ParseNodeIdError::Character {
            character,
            position: index + 1,
        })?;
    }
    let mut binary = [0; BINARY_LEN];
    let groups = values
        .chunks_exact(GROUP_TEXT_LEN)
        .zip(binary.chunks_exact_mut(GROUP_BINARY_LEN));
    for (values, octets) in groups {
        let bits = values
            .iter()
            .fold(0u64, |bits, value| bits << 5 | u64::from(*value));
        octets.copy_from_slice(&bits.to_be_bytes()[8 - GROUP_BINARY_LEN..]);
    }
    Ok(binary)
}

/// The five bits that a character stands for.
fn value_of(character: char) -> Option<u8> {
    let character = u8::try_from(character).ok()?;
    match character {
        b'a'..=b'z' => Some(character - b'a'),
        b'A'..=b'Z' => Some(character - b'A'),
        b'2'..=b'7' => Some(character - b'2' + 26),
        _ => None,
    }
}

/// Why a text is not a node id.
///
/// Found for certain are: one wrong character, two neighbours wrong or swapped, two characters swapped at any distance, three
/// neighbours rotated, and a lost or doubled character (by the length). Of other mistakes, one in 65,536 is missed.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum ParseNodeIdError {
    /// Not 56 characters long.
    Length {
        /// Characters in the text.
        actual: usize,
    },
    /// A character that no node id contains.
    Character {
        /// The first such character.
        character: char,
        /// Where it stands; the first character of the text has position 1.
        position: usize,
    },
    /// The check sum does not match: the text was mistyped or cut and pasted wrongly.
    Checksum,
    /// Correct, but in a form that a later Keyway made.
    Version {
        /// The version that the text names.
        version: u8,
    },
    /// Typed correctly, but not a key that a node can have.
    Key(NodeIdError),
}

impl fmt::Display for ParseNodeIdError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Length { actual } => {
                write!(f, "a node id has {TEXT_LEN} characters, this has {actual}")
            }
            Self::Character {
                character,
                position,
            } => {
                write!(f, "illegal character {character:?} at position {position}")?;
                f.write_str(lookalike(*character))
            }
            Self::Checksum => f.write_str("checksum is wrong: mistyped?"),
            Self::Version { version } => {
                write!(
                    f,
                    "node id of version {version}, this program knows version {VERSION}"
                )
            }
            Self::Key(error) => error.fmt(f),
        }
    }
}

impl std::error::Error for ParseNodeIdError {
    fn source(&self) -> Option<&(dyn std::error::Error + 'static)> {
        match self {
            Self::Key(error) => Some(error),
            Self::Length { .. }
            | Self::Character { .. }
            | Self::Checksum
            | Self::Version { .. } => None,
        }
    }
}

/// The digits that the alphabet leaves out are the ones that look like its letters.
fn lookalike(character: char) -> &'static str {
    match character {
        '0' => " (the letter 'o'?)",
        '1' => " (the letter 'l' or 'i'?)",
        '8' => " (the letter 'b'?)",
        _ => "",
    }
}
