use std::ops::Range;

use super::{PacketError, RELAY};
use crate::codec::{Reader, Truncated, Writer};
use crate::token::Token;

/// Octets before the packet inside.
pub const RELAY_HEADER_LEN: usize = 9;

/// Octets of the shortest relayed packet.
const LEN_MIN: usize = RELAY_HEADER_LEN + 1;

/// Header of a relayed packet (proto/PROTOCOL.md, section 5).
///
/// | octets | field | meaning                                                                     |
/// |--------|-------|-----------------------------------------------------------------------------|
/// | 0      | first | 5: relayed                                                                  |
/// | 1..9   | token | names the channel and the direction; the relay replaces it when it forwards |
/// | 9..    | inner | any other packet, unchanged: at least one octet, the first is not 5         |
///
/// ```
/// use keyway_wire::{RELAY_HEADER_LEN, RelayHeader, Token};
///
/// let header = RelayHeader { token: Token::new([7; 8]) };
/// let mut packet = [0; RELAY_HEADER_LEN + 1];
/// header.emit(&mut packet);
/// packet[RELAY_HEADER_LEN] = 8; // the first octet of the inner packet
/// assert_eq!(RelayHeader::parse(&packet), Ok(header));
/// ```
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct RelayHeader {
    /// Names the channel.
    pub token: Token,
}

impl RelayHeader {
    /// Where the token lies in the packet, for a relay that replaces it in place.
    pub const TOKEN: Range<usize> = 1..RELAY_HEADER_LEN;

    /// Reads the header of a relayed packet, which is the whole packet but the one inside.
    ///
    /// # Errors
    ///
    /// [`PacketError`] for another packet, and where nothing, or a relayed packet, is inside.
    pub fn parse(packet: &[u8]) -> Result<Self, PacketError> {
        let truncated = |Truncated { .. }| PacketError::Truncated {
            minimum: LEN_MIN,
            actual: packet.len(),
        };
        let mut reader = Reader::new(packet);
        let first = reader.octet().map_err(truncated)?;
        let token = Token::new(*reader.array().map_err(truncated)?);
        let inner = reader.octet().map_err(truncated)?;
        match (first, inner) {
            (RELAY, RELAY) => Err(PacketError::NestedRelay),
            (RELAY, _) => Ok(Self { token }),
            _ => Err(PacketError::Foreign { first }),
        }
    }

    /// Writes the header and returns its length, [`RELAY_HEADER_LEN`].
    ///
    /// # Panics
    ///
    /// If `out` is shorter than that.
    pub fn emit(&self, out: &mut [u8]) -> usize {
        Writer::new(out)
            .octet(RELAY)
            .bytes(self.token.as_bytes())
            .finish()
    }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;
    use crate::packet::Packet;

    const GOLDEN: [u8; 10] = [5, 1, 2, 3, 4, 5, 6, 7, 8, 0x0c];

    #[test]
    fn golden_bytes() {
        let expected = RelayHeader {
            token: Token::new([1, 2, 3, 4, 5, 6, 7, 8]),
        };
        assert_eq!(Packet::parse(&GOLDEN), Ok(Packet::Relay(expected)));
        let mut out = [0xa5; 10];
        assert_eq!(expected.emit(&mut out), RELAY_HEADER_LEN);
        assert_eq!(out[..9], GOLDEN[..9]);
        assert_eq!(out[9], 0xa5);
        assert_eq!(out[RelayHeader::TOKEN], *expected.token.as_bytes());
    }

    // P4, R5.6
    #[test]
    fn every_length_with_nothing_inside_is_refused() {
        for length in 1..GOLDEN.len() {
            let expected = PacketError::Truncated {
                minimum: 10,
                actual: length,
            };
            assert_eq!(Packet::parse(&GOLDEN[..length]), Err(expected));
        }
        assert!(RelayHeader::parse(&[]).is_err());
    }

    // R5.6
    #[test]
    fn nothing_is_relayed_twice() {
        let mut packet = GOLDEN;
        packet[9] = 5;
        assert_eq!(Packet::parse(&packet), Err(PacketError::NestedRelay));
    }

    #[test]
    fn another_packet_is_not_relayed() {
        let mut packet = GOLDEN;
        packet[0] = 4;
        assert_eq!(
            RelayHeader::parse(&packet),
            Err(PacketError::Foreign { first: 4 })
        );
    }

    proptest! {
        #[test]
        fn what_is_written_is_read_back(token: [u8; 8]) {
            let header = RelayHeader { token: Token::new(token) };
            let mut out = [0xa5; 10];
            prop_assert_eq!(header.emit(&mut out), RELAY_HEADER_LEN);
            prop_assert_eq!(Packet::parse(&out), Ok(Packet::Relay(header)));
        }
    }
}
