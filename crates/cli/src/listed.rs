//! Several values in one word, as variables of the environment have them.

use std::fmt::Display;
use std::str::FromStr;

use keyway::ServerAddr;

use crate::admission::Admission;

/// One or more of the same kind.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct Listed<T>(pub(crate) Vec<T>);

impl FromStr for Listed<ServerAddr> {
    type Err = String;

    /// Commas separate the addresses of one server, so only white space can separate servers.
    fn from_str(text: &str) -> Result<Self, String> {
        list(text, text.split_whitespace())
    }
}

impl FromStr for Listed<Admission> {
    type Err = String;

    fn from_str(text: &str) -> Result<Self, String> {
        let words = text.split(|character: char| character == ',' || character.is_whitespace());
        list(text, words.filter(|word| !word.is_empty()))
    }
}

/// What is wrong is said with the word that is wrong, where there are several.
fn list<'a, T: FromStr<Err: Display>>(
    text: &str,
    words: impl Iterator<Item = &'a str>,
) -> Result<Listed<T>, String> {
    let parsed = words.map(|word| {
        word.parse().map_err(|error| {
            if word == text.trim() {
                format!("{error}")
            } else {
                format!("`{word}`: {error}")
            }
        })
    });
    let parsed: Vec<T> = parsed.collect::<Result<_, _>>()?;
    if parsed.is_empty() {
        return Err("nothing is given".to_owned());
    }
    Ok(Listed(parsed))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn lists_may_have_more_space_than_they_need() {
        let id = keyway::SecretKey::from_bytes([1; 32]).node_id();
        let allow: Listed<Admission> = format!(" {id}, any\n,").parse().unwrap();
        assert_eq!(allow.0, [Admission::Node(id), Admission::Any]);
        let servers = format!("{id}@192.0.2.1:1,192.0.2.2:1  {id}@192.0.2.3:1\n");
        let servers: Listed<ServerAddr> = servers.parse().unwrap();
        assert_eq!(servers.0.len(), 2);
        assert!(" , ".parse::<Listed<Admission>>().is_err());
    }

    #[test]
    fn in_a_list_the_wrong_word_is_named() {
        let message = "any,nobody".parse::<Listed<Admission>>().unwrap_err();
        assert!(message.starts_with("`nobody`: "), "{message}");
    }
}
