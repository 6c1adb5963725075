use super::{
    COOKIE, HANDSHAKE, HANDSHAKE_START_LEN, PacketError, TAG_LEN, VERSION, check_handshake_start,
    check_len,
};
use crate::cid::Cid;
use crate::codec::{Reader, Truncated, Writer};

/// Octets of the nonce: AES-GCM's.
pub const COOKIE_NONCE_LEN: usize = 12;

/// Octets of a cookie before it is sealed.
pub const COOKIE_PLAIN_LEN: usize = 16;

/// Octets of a sealed cookie with its tag.
pub const COOKIE_SEALED_LEN: usize = COOKIE_PLAIN_LEN + TAG_LEN;

/// Octets of every COOKIE.
pub const COOKIE_LEN: usize = HANDSHAKE_START_LEN + Cid::LEN + COOKIE_NONCE_LEN + COOKIE_SEALED_LEN;

/// COOKIE: what a responder under load says instead of RESP (proto/PROTOCOL.md, section 5). Always [`COOKIE_LEN`] octets.
///
/// | octets | field    | meaning                                    |
/// |--------|----------|--------------------------------------------|
/// | 0      | first    | 4: handshake                               |
/// | 1      | kind     | 3: COOKIE                                  |
/// | 2      | version  | 1                                          |
/// | 3..10  | receiver | the `sender` of the INIT                   |
/// | 10..22 | nonce    | random                                     |
/// | 22..54 | sealed   | the cookie, 16 octets, and its tag of 16   |
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Cookie<'a> {
    /// The CID that the INIT named: it finds the handshake that this answers.
    pub receiver: Cid,
    /// What the cookie is sealed with, beside the key.
    pub nonce: &'a [u8; COOKIE_NONCE_LEN],
    /// The sealed cookie and its tag.
    pub sealed: &'a [u8; COOKIE_SEALED_LEN],
}

impl<'a> Cookie<'a> {
    /// Reads a COOKIE.
    ///
    /// # Errors
    ///
    /// [`PacketError`] for any other packet, version, or length.
    pub fn parse(packet: &'a [u8]) -> Result<Self, PacketError> {
        check_handshake_start(packet, COOKIE)?;
        check_len(packet, COOKIE_LEN, COOKIE_LEN)?;
        let truncated = |Truncated { .. }| PacketError::Truncated {
            minimum: COOKIE_LEN,
            actual: packet.len(),
        };
        let mut reader = Reader::new(packet);
        reader.bytes(HANDSHAKE_START_LEN).map_err(truncated)?;
        Ok(Self {
            receiver: Cid::new(*reader.array().map_err(truncated)?),
            nonce: reader.array().map_err(truncated)?,
            sealed: reader.array().map_err(truncated)?,
        })
    }

    /// Writes the packet and returns its length, [`COOKIE_LEN`].
    ///
    /// # Panics
    ///
    /// If `out` is shorter than that.
    pub fn emit(&self, out: &mut [u8]) -> usize {
        Writer::new(out)
            .bytes(&[HANDSHAKE, COOKIE, VERSION])
            .bytes(self.receiver.as_bytes())
            .bytes(self.nonce)
            .bytes(self.sealed)
            .finish()
    }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;
    use crate::packet::{INIT_LEN, Packet};

    fn golden() -> Vec<u8> {
        let mut packet = vec![4, 3, 1, 1, 2, 3, 4, 5, 6, 7];
        packet.extend([0x11; 12]);
        packet.extend([0x22; 32]);
        packet
    }

    #[test]
    fn golden_bytes() {
        let expected = Cookie {
            receiver: Cid::new([1, 2, 3, 4, 5, 6, 7]),
            nonce: &[0x11; 12],
            sealed: &[0x22; 32],
        };
        assert_eq!(Packet::parse(&golden()), Ok(Packet::Cookie(expected)));
        let mut out = [0xa5; COOKIE_LEN + 1];
        assert_eq!(expected.emit(&mut out), COOKIE_LEN);
        assert_eq!(out[..COOKIE_LEN], golden());
        assert_eq!(out[COOKIE_LEN], 0xa5);
    }

    // P4, R5.7
    #[test]
    fn every_other_length_is_refused() {
        let packet = golden();
        for length in 0..COOKIE_LEN {
            assert!(
                matches!(
                    Packet::parse(&packet[..length]),
                    Err(PacketError::Truncated { .. })
                ),
                "{length}"
            );
        }
        let longer = [&packet[..], &[0]].concat();
        let expected = PacketError::Oversized {
            maximum: COOKIE_LEN,
            actual: COOKIE_LEN + 1,
        };
        assert_eq!(Packet::parse(&longer), Err(expected));
    }

    // F4, R4.17
    #[test]
    fn a_cookie_is_far_smaller_than_what_asked_for_it() {
        const { assert!(COOKIE_LEN * 20 < INIT_LEN) };
        assert_eq!(golden().len(), COOKIE_LEN);
    }

    #[test]
    fn another_packet_is_not_a_cookie() {
        let mut packet = golden();
        packet[1] = 2;
        assert_eq!(
            Cookie::parse(&packet),
            Err(PacketError::UnknownHandshakeKind { kind: 2 })
        );
        packet[0] = 8;
        assert_eq!(
            Cookie::parse(&packet),
            Err(PacketError::Foreign { first: 8 })
        );
    }

    proptest! {
        #[test]
        fn what_is_written_is_read_back(receiver: [u8; 7], nonce: [u8; 12], sealed: [u8; 32]) {
            let cookie = Cookie { receiver: Cid::new(receiver), nonce: &nonce, sealed: &sealed };
            let mut out = [0xa5; COOKIE_LEN];
            prop_assert_eq!(cookie.emit(&mut out), COOKIE_LEN);
            prop_assert_eq!(Packet::parse(&out), Ok(Packet::Cookie(cookie)));
        }
    }
}
