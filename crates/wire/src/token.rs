use std::fmt;

/// Names one direction of a relay channel at the relay: 8 random octets that the relay gave out.
///
/// Whoever shows it may send along that channel and nowhere else, so it is not printed.
///
/// ```
/// use keyway_wire::Token;
///
/// let token = Token::new([1, 2, 3, 4, 5, 6, 7, 8]);
/// assert!(!format!("{token:?}").contains('7')); // whoever knows it can use the channel
/// ```
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct Token([u8; Self::LEN]);

impl Token {
    /// Octets of a token.
    pub const LEN: usize = 8;

    /// The token of these octets.
    #[must_use]
    pub const fn new(octets: [u8; Self::LEN]) -> Self {
        Self(octets)
    }

    /// The octets, as on the wire.
    #[must_use]
    pub const fn as_bytes(&self) -> &[u8; Self::LEN] {
        &self.0
    }
}

impl fmt::Debug for Token {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("Token(..)")
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_token_is_not_printed() {
        let token = Token::new([0x5a; 8]);
        assert_eq!(token.as_bytes(), &[0x5a; 8]);
        assert_eq!(format!("{token:?}"), "Token(..)");
    }
}
