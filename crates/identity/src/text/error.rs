//! What is wrong with a text that is no node id, in words that say what to do about it.

use std::fmt;

use super::{TEXT_LEN, VERSION};
use crate::NodeIdError;

/// Why a text is not a node id.
///
/// Found for certain are: one wrong character, two neighbours wrong or swapped, two characters swapped at any distance,
/// three neighbours rotated, and a lost or doubled character (by the length). Of other mistakes, one in 65,536 is
/// missed.
///
/// ```
/// use keyway_identity::{NodeId, ParseNodeIdError};
///
/// let error = "key".parse::<NodeId>().unwrap_err();
/// assert_eq!(error, ParseNodeIdError::Length { actual: 3 });
/// ```
#[derive(Clone, Debug, PartialEq, Eq)]
#[non_exhaustive]
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
    /// Something follows the 56 characters of an id: an address, a service, white space.
    Followed {
        /// What follows first.
        character: char,
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
                write!(
                    f,
                    "a node id has {TEXT_LEN} characters, this has {actual}: copy it whole"
                )
            }
            Self::Character {
                character,
                position,
            } => {
                write!(f, "illegal character {character:?} at position {position}")?;
                f.write_str(lookalike(*character))
            }
            Self::Followed { character } => {
                write!(
                    f,
                    "a node id ends after {TEXT_LEN} characters, and here {character:?} follows"
                )?;
                f.write_str(follower(*character))
            }
            Self::Checksum => f.write_str("checksum is wrong: mistyped? copy it again"),
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
            | Self::Followed { .. }
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
        white if white.is_whitespace() => " (white space: remove it)",
        _ => "",
    }
}

/// What people write behind an id, where the id alone is wanted.
fn follower(character: char) -> &'static str {
    match character {
        '@' => " (leave the address out)",
        '/' => " (leave the service out)",
        white if white.is_whitespace() => " (white space: remove it)",
        _ => "",
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::{NodeId, SecretKey};

    fn sample() -> String {
        SecretKey::from_bytes([0; 32]).node_id().to_string()
    }

    // R3.4
    #[test]
    fn an_illegal_character_is_named_with_its_position() {
        for (illegal, message) in [
            (
                '1',
                "illegal character '1' at position 17 (the letter 'l' or 'i'?)",
            ),
            (
                '0',
                "illegal character '0' at position 17 (the letter 'o'?)",
            ),
            ('é', "illegal character 'é' at position 17"),
            (
                '\n',
                "illegal character '\\n' at position 17 (white space: remove it)",
            ),
            ('\u{212a}', "illegal character '\u{212a}' at position 17"),
        ] {
            let mut characters: Vec<char> = sample().chars().collect();
            characters[16] = illegal;
            let error = characters
                .iter()
                .collect::<String>()
                .parse::<NodeId>()
                .unwrap_err();
            assert_eq!(error.to_string(), message);
        }
    }

    #[test]
    fn what_is_pasted_beside_or_into_a_whole_id_is_named() {
        let id = &sample();
        let message = |text: String| text.parse::<NodeId>().unwrap_err().to_string();
        let followed = |rest: &str, message_ends: &str| {
            let message = message(format!("{id}{rest}"));
            assert!(message.starts_with("a node id ends after 56 characters"));
            assert!(message.ends_with(message_ends), "{message}");
        };
        followed(
            "@192.0.2.7:4100",
            "here '@' follows (leave the address out)",
        );
        followed("/http", "here '/' follows (leave the service out)");
        followed(" ", "here ' ' follows (white space: remove it)");
        followed("\r\n", "here '\\r' follows (white space: remove it)");
        followed(".", "here '.' follows");
        assert_eq!(
            message(format!("\t{id}")),
            "illegal character '\\t' at position 1 (white space: remove it)"
        );
        assert_eq!(
            message(format!("{}\n{}", &id[..28], &id[28..])),
            "illegal character '\\n' at position 29 (white space: remove it)"
        );
    }

    #[test]
    fn a_wrong_length_is_told_beside_the_right_one() {
        let error = ParseNodeIdError::Length { actual: 55 }.to_string();
        assert_eq!(
            error,
            "a node id has 56 characters, this has 55: copy it whole"
        );
    }
}
