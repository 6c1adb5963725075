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

mod error;

use crate::crc::crc16;

pub use error::ParseNodeIdError;

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
    check_characters(text)?;
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

/// Names the one mistake that explains the text best.
///
/// Where a whole id has something pasted behind it or in its midst, that is the news, and the length only its
/// consequence. A text that is no id at all is told by its length rather than by the first character that offends.
fn check_characters(text: &str) -> Result<(), ParseNodeIdError> {
    let actual = text.chars().count();
    let legal = |character: &char| value_of(*character).is_some();
    let Some((index, character)) = text.chars().enumerate().find(|(_, c)| !legal(c)) else {
        return match actual {
            TEXT_LEN => Ok(()),
            _ => Err(ParseNodeIdError::Length { actual }),
        };
    };
    if index == TEXT_LEN {
        return Err(ParseNodeIdError::Followed { character });
    }
    if actual == TEXT_LEN || text.chars().filter(legal).count() == TEXT_LEN {
        return Err(ParseNodeIdError::Character {
            character,
            position: index + 1,
        });
    }
    Err(ParseNodeIdError::Length { actual })
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

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;
    use crate::{NodeId, NodeIdError, SecretKey};

    /// The check sum is affine over GF(2): whether a mistake is found depends on which bits it flips, not on the key. A
    /// few keys suffice, if their characters together give the mistakes something to swap.
    fn samples() -> Vec<String> {
        (0..8)
            .map(|seed| SecretKey::from_bytes([seed; 32]).node_id().to_string())
            .collect()
    }

    fn assert_found(correct: &str, mistaken: &[u8]) {
        let text = std::str::from_utf8(mistaken).unwrap();
        if text != correct {
            assert_eq!(
                text.parse::<NodeId>(),
                Err(ParseNodeIdError::Checksum),
                "{correct} as {text}"
            );
        }
    }

    /// The public key of RFC 8032, 7.1, test 1; the text form was computed by another implementation of base32 and CRC.
    #[test]
    fn the_text_form_of_a_known_key_comes_out() {
        let id = NodeId::from_bytes([
            0xd7, 0x5a, 0x98, 0x01, 0x82, 0xb1, 0x0a, 0xb7, 0xd5, 0x4b, 0xfe, 0xd3, 0xc9, 0x64,
            0x07, 0x3a, //
            0x0e, 0xe1, 0x72, 0xf3, 0xda, 0xa6, 0x23, 0x25, 0xaf, 0x02, 0x1a, 0x68, 0xf7, 0x07,
            0x51, 0x1a,
        ]);
        let text = "25njqamcweflpvkl73j4szahhihoc4xt3ktcgjnpaingr5yhkenfwdab";
        assert_eq!(id.unwrap().to_string(), text);
        assert_eq!(text.parse(), Ok(id.unwrap()));
    }

    // R3.4
    #[test]
    fn every_single_wrong_character_is_found() {
        for correct in samples() {
            for position in 0..TEXT_LEN {
                for character in ALPHABET {
                    let mut mistaken = correct.clone().into_bytes();
                    mistaken[position] = *character;
                    assert_found(&correct, &mistaken);
                }
            }
        }
    }

    // R3.4
    #[test]
    fn every_swap_of_two_characters_is_found_at_any_distance() {
        for correct in samples() {
            for first in 0..TEXT_LEN {
                for second in first + 1..TEXT_LEN {
                    let mut mistaken = correct.clone().into_bytes();
                    mistaken.swap(first, second);
                    assert_found(&correct, &mistaken);
                }
            }
        }
    }

    #[test]
    fn every_pair_of_wrong_neighbours_is_found() {
        let correct = &samples()[0];
        for position in 0..TEXT_LEN - 1 {
            for pair in 0..ALPHABET.len() * ALPHABET.len() {
                let mut mistaken = correct.clone().into_bytes();
                mistaken[position] = ALPHABET[pair % ALPHABET.len()];
                mistaken[position + 1] = ALPHABET[pair / ALPHABET.len()];
                assert_found(correct, &mistaken);
            }
        }
    }

    #[test]
    fn every_rotation_of_three_neighbours_is_found() {
        for correct in samples() {
            for position in 0..TEXT_LEN - 2 {
                for distance in 1..3 {
                    let mut mistaken = correct.clone().into_bytes();
                    mistaken[position..position + 3].rotate_left(distance);
                    assert_found(&correct, &mistaken);
                }
            }
        }
    }

    /// As above, but for all keys at once: no difference that such a mistake can make is itself a code word.
    #[test]
    fn no_key_exists_for_which_a_swap_or_a_wrong_character_would_be_missed() {
        for flips in 1..32 {
            let syndromes: Vec<u16> = (0..TEXT_LEN)
                .map(|position| syndrome(position, flips))
                .collect();
            for (first, syndrome) in syndromes.iter().enumerate() {
                assert_ne!(*syndrome, 0, "character {first}, bits {flips:05b}");
                let swapped = syndromes[first + 1..]
                    .iter()
                    .position(|other| other == syndrome);
                assert_eq!(
                    swapped, None,
                    "a swap with character {first}, bits {flips:05b}"
                );
            }
        }
    }

    /// What flipping bits of one character changes in the comparison of the check sums.
    fn syndrome(position: usize, flips: u8) -> u16 {
        let mut text = [b'a'; TEXT_LEN];
        text[position] = ALPHABET[usize::from(flips)];
        let binary = decode_base32(std::str::from_utf8(&text).unwrap()).unwrap();
        let expected = |binary: &[u8]| crc16(&[&binary[..32], &binary[34..]]);
        let check = u16::from_be_bytes([binary[32], binary[33]]);
        expected(&binary) ^ check ^ expected(&[0; BINARY_LEN])
    }

    // R3.3
    #[test]
    fn upper_case_is_read_and_lower_case_is_written() {
        let text = &samples()[1];
        let id: NodeId = text.to_uppercase().parse().unwrap();
        assert_eq!(id.to_string(), *text);
    }

    // R3.4
    #[test]
    fn every_other_length_is_refused_with_what_it_is() {
        let text = samples()[0].repeat(2);
        for length in (0..=2 * TEXT_LEN).filter(|length| *length != TEXT_LEN) {
            let refused = text[..length].parse::<NodeId>();
            assert_eq!(refused, Err(ParseNodeIdError::Length { actual: length }));
        }
    }

    #[test]
    fn a_text_that_is_no_id_is_told_by_its_length() {
        let refused = "relay.example.org:4433".parse::<NodeId>();
        assert_eq!(refused, Err(ParseNodeIdError::Length { actual: 22 }));
    }

    // R3.4
    #[test]
    fn a_later_version_is_named_rather_than_called_a_mistake() {
        let mut binary = [0; BINARY_LEN];
        binary[..32].copy_from_slice(SecretKey::from_bytes([7; 32]).node_id().as_bytes());
        binary[34] = 2;
        let check = crc16(&[&binary[..32], &binary[34..]]);
        binary[32..34].copy_from_slice(&check.to_be_bytes());
        let refused = encode_base32(&binary).as_str().parse::<NodeId>();
        assert_eq!(refused, Err(ParseNodeIdError::Version { version: 2 }));
    }

    // A2, R3.1
    #[test]
    fn a_well_typed_text_of_a_weak_key_is_refused() {
        let mut identity = [0; 32];
        identity[0] = 1;
        let refused = encode(&identity).as_str().parse::<NodeId>();
        assert_eq!(refused, Err(ParseNodeIdError::Key(NodeIdError::SmallOrder)));
    }

    proptest! {
        #[test]
        fn every_id_survives_its_text_form(seed: [u8; 32]) {
            let id = SecretKey::from_bytes(seed).node_id();
            let text = id.to_string();
            prop_assert_eq!(text.len(), TEXT_LEN);
            prop_assert!(text.ends_with('b'));
            prop_assert_eq!(text.parse(), Ok(id));
        }

        #[test]
        fn base32_is_that_of_rfc_4648(binary: [u8; BINARY_LEN]) {
            let text = encode_base32(&binary);
            prop_assert_eq!(text.as_str(), reference_base32(&binary));
            prop_assert_eq!(decode_base32(text.as_str()), Ok(binary));
        }

        #[test]
        fn any_text_is_refused_or_is_the_text_form_of_what_it_gives(text in ".{0,60}|[a-zA-Z2-7]{56}") {
            if let Ok(id) = text.parse::<NodeId>() {
                prop_assert_eq!(id.to_string(), text.to_ascii_lowercase());
            }
        }
    }

    /// Bit by bit, as the RFC describes it.
    fn reference_base32(binary: &[u8]) -> String {
        let bits: Vec<u8> = binary
            .iter()
            .flat_map(|octet| (0..8).rev().map(move |bit| octet >> bit & 1))
            .collect();
        let value = |bits: &[u8]| {
            bits.iter()
                .fold(0, |value, bit| value << 1 | usize::from(*bit))
        };
        bits.chunks(5)
            .map(|bits| char::from(ALPHABET[value(bits)]))
            .collect()
    }
}
