use std::fmt;
use std::str::FromStr;

/// Octets of the longest service name.
///
/// Chosen because it holds any DNS label, and keeps an OPEN frame far below the smallest packet.
pub const SERVICE_NAME_LEN_MAX: usize = 64;

/// What a stream is for: `http`, `ssh`, `model-7b`.
///
/// 1 to 64 of `a`-`z`, `0`-`9`, `.`, `_` and `-`; the first is a letter or a digit. There is no other spelling of the
/// same name, so names are compared octet by octet.
///
/// ```
/// use keyway_wire::{ServiceName, ServiceNameError};
///
/// let name: ServiceName = "model-7b".parse().unwrap();
/// assert_eq!(name.as_str(), "model-7b");
/// assert_eq!("".parse::<ServiceName>(), Err(ServiceNameError::Empty));
/// ```
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct ServiceName(Box<str>);

impl ServiceName {
    /// The name.
    #[must_use]
    pub fn as_str(&self) -> &str {
        &self.0
    }
}

/// Checks a name from the wire or from a user.
pub(crate) fn check(name: &[u8]) -> Result<&str, ServiceNameError> {
    if name.len() > SERVICE_NAME_LEN_MAX {
        return Err(ServiceNameError::TooLong { length: name.len() });
    }
    if let Some((position, octet)) = name
        .iter()
        .copied()
        .enumerate()
        .find(|(_, octet)| !is_allowed(*octet))
    {
        return Err(ServiceNameError::Octet { position, octet });
    }
    match name.first() {
        None => Err(ServiceNameError::Empty),
        Some(first) if !first.is_ascii_alphanumeric() => {
            Err(ServiceNameError::First { octet: *first })
        }
        // Every octet is ASCII by now, so this cannot fail; it is the way to a `str` without unsafe code.
        Some(_) => std::str::from_utf8(name).map_err(|_| ServiceNameError::Empty),
    }
}

const fn is_allowed(octet: u8) -> bool {
    matches!(octet, b'a'..=b'z' | b'0'..=b'9' | b'.' | b'_' | b'-')
}

impl FromStr for ServiceName {
    type Err = ServiceNameError;

    fn from_str(name: &str) -> Result<Self, ServiceNameError> {
        check(name.as_bytes()).map(|name| Self(name.into()))
    }
}

impl AsRef<str> for ServiceName {
    fn as_ref(&self) -> &str {
        &self.0
    }
}

impl fmt::Display for ServiceName {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.pad(&self.0)
    }
}

/// Why something is not a service name.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
#[non_exhaustive]
pub enum ServiceNameError {
    /// There is nothing.
    #[error("a service name has at least one character")]
    Empty,
    /// Longer than [`SERVICE_NAME_LEN_MAX`].
    #[error("a service name of {length} octets is longer than {SERVICE_NAME_LEN_MAX}")]
    TooLong {
        /// Octets of the name.
        length: usize,
    },
    /// An octet that no service name contains.
    #[error(
        "a service name consists of a-z, 0-9, '.', '_' and '-', and '{}' at position {} is none of them",
        octet.escape_ascii(),
        position + 1
    )]
    Octet {
        /// Octets before it.
        position: usize,
        /// The octet.
        octet: u8,
    },
    /// The first is neither a letter nor a digit.
    #[error("a service name begins with a letter or a digit, not with '{}'", octet.escape_ascii())]
    First {
        /// The first octet.
        octet: u8,
    },
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn names_of_services_are_accepted() {
        for name in [
            "http",
            "ssh",
            "model-7b",
            "a",
            "0",
            "a.b_c-d",
            &"x".repeat(64),
        ] {
            assert_eq!(name.parse::<ServiceName>().unwrap().as_str(), name);
        }
    }

    #[test]
    fn a_name_is_padded_as_text_is() {
        assert_eq!(
            format!("{:>6}|", "ssh".parse::<ServiceName>().unwrap()),
            "   ssh|"
        );
    }

    #[test]
    fn anything_else_is_refused_with_the_reason() {
        use ServiceNameError::{Empty, First, Octet, TooLong};
        assert_eq!("".parse::<ServiceName>(), Err(Empty));
        assert_eq!(
            "x".repeat(65).parse::<ServiceName>(),
            Err(TooLong { length: 65 })
        );
        assert_eq!(
            "Http".parse::<ServiceName>(),
            Err(Octet {
                position: 0,
                octet: b'H'
            })
        );
        assert_eq!(
            "a b".parse::<ServiceName>(),
            Err(Octet {
                position: 1,
                octet: b' '
            })
        );
        assert_eq!(
            "ä".parse::<ServiceName>(),
            Err(Octet {
                position: 0,
                octet: 0xc3
            })
        );
        for first in [b'.', b'_', b'-'] {
            let name = format!("{}x", char::from(first));
            assert_eq!(name.parse::<ServiceName>(), Err(First { octet: first }));
        }
    }
}
