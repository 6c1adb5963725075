use std::ops::Range;

use super::{
    HANDSHAKE, HANDSHAKE_START_LEN, INIT, MAC_LEN, PacketError, VERSION, check_handshake_start,
    check_len,
};
use crate::cid::Cid;
use crate::codec::{Reader, Truncated, Writer};

/// Octets of every INIT. The first message is padded to it, so that no answer is larger than what asked for it, and a
/// path that carries INIT carries at least this much.
pub const INIT_LEN: usize = 1_120;

/// INIT: the first message of a handshake (proto/PROTOCOL.md, section 5). Always [`INIT_LEN`] octets.
///
/// | octets     | field   | meaning                                                       |
/// |------------|---------|---------------------------------------------------------------|
/// | 0          | first   | 4: handshake                                                  |
/// | 1          | kind    | 1: INIT                                                       |
/// | 2          | version | 1                                                             |
/// | 3..10      | sender  | CID under which the sender receives, sequence 0 or one in use |
/// | 10..1088   | noise   | Noise message 1; padding is inside its payload                |
/// | 1088..1104 | mac1    | over all octets before it                                     |
/// | 1104..1120 | mac2    | over all octets before it, by a cookie; zeros without one     |
///
/// ```
/// use keyway_wire::{INIT_LEN, Init};
///
/// let mut packet = [0; INIT_LEN];
/// packet[..3].copy_from_slice(&[4, 1, 1]); // handshake, INIT, version 1
/// assert_eq!(Init::parse(&packet).unwrap().noise.len(), 1_078);
/// assert!(Init::parse(&packet[1..]).is_err());
/// ```
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Init<'a> {
    /// The CID under which the sender receives.
    pub sender: Cid,
    /// Noise message 1: [`Init::NOISE_LEN`] octets.
    pub noise: &'a [u8],
    /// Shows that the sender knows the receiver's node id.
    pub mac1: &'a [u8; MAC_LEN],
    /// Zeros from who has no cookie.
    pub mac2: &'a [u8; MAC_LEN],
}

impl<'a> Init<'a> {
    /// Where the Noise message lies in the packet.
    pub const NOISE: Range<usize> = HANDSHAKE_START_LEN + Cid::LEN..INIT_LEN - 2 * MAC_LEN;
    /// Octets of the Noise message.
    pub const NOISE_LEN: usize = Self::NOISE.end - Self::NOISE.start;
    /// Where `mac1` lies in the packet; it covers all octets before it.
    pub const MAC1: Range<usize> = Self::NOISE.end..Self::NOISE.end + MAC_LEN;
    /// Where `mac2` lies in the packet; it covers all octets before it.
    pub const MAC2: Range<usize> = Self::MAC1.end..INIT_LEN;

    /// Reads an INIT.
    ///
    /// # Errors
    ///
    /// [`PacketError`] for any other packet, version, or length.
    pub fn parse(packet: &'a [u8]) -> Result<Self, PacketError> {
        check_handshake_start(packet, INIT)?;
        check_len(packet, INIT_LEN, INIT_LEN)?;
        let truncated = |Truncated { .. }| PacketError::Truncated {
            minimum: INIT_LEN,
            actual: packet.len(),
        };
        let mut reader = Reader::new(packet);
        reader.bytes(HANDSHAKE_START_LEN).map_err(truncated)?;
        Ok(Self {
            sender: Cid::new(*reader.array().map_err(truncated)?),
            noise: reader.bytes(Self::NOISE_LEN).map_err(truncated)?,
            mac1: reader.array().map_err(truncated)?,
            mac2: reader.array().map_err(truncated)?,
        })
    }

    /// Writes the packet and returns its length, [`INIT_LEN`].
    ///
    /// # Panics
    ///
    /// If `out` is shorter than that, or `noise` is not of [`Init::NOISE_LEN`] octets.
    pub fn emit(&self, out: &mut [u8]) -> usize {
        assert_eq!(self.noise.len(), Self::NOISE_LEN, "an INIT has one length");
        let mut writer = Writer::new(out);
        write_header(self.sender, &mut writer);
        writer
            .bytes(self.noise)
            .bytes(self.mac1)
            .bytes(self.mac2)
            .finish()
    }

    /// Writes what comes before the Noise message and returns its length, so that the message can be written in place at
    /// [`Init::NOISE`] and `mac1` be computed over the packet.
    ///
    /// # Panics
    ///
    /// If `out` is shorter than that.
    pub fn emit_header(sender: Cid, out: &mut [u8]) -> usize {
        let mut writer = Writer::new(out);
        write_header(sender, &mut writer);
        writer.finish()
    }
}

fn write_header(sender: Cid, writer: &mut Writer<'_>) {
    writer
        .bytes(&[HANDSHAKE, INIT, VERSION])
        .bytes(sender.as_bytes());
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::packet::Packet;

    const SENDER: Cid = Cid::new([1, 2, 3, 4, 5, 6, 7]);

    fn golden() -> Vec<u8> {
        let mut packet = vec![4, 1, 1, 1, 2, 3, 4, 5, 6, 7];
        packet.extend([0x11; 1_078]);
        packet.extend([0x22; 16]);
        packet.extend([0x33; 16]);
        packet
    }

    #[test]
    fn golden_bytes() {
        let expected = Init {
            sender: SENDER,
            noise: &[0x11; 1_078],
            mac1: &[0x22; 16],
            mac2: &[0x33; 16],
        };
        assert_eq!(Packet::parse(&golden()), Ok(Packet::Init(expected)));
        let mut out = [0xa5; INIT_LEN + 1];
        assert_eq!(expected.emit(&mut out), INIT_LEN);
        assert_eq!(out[..INIT_LEN], golden());
        assert_eq!(out[INIT_LEN], 0xa5);
    }

    #[test]
    fn the_named_ranges_are_where_the_fields_are() {
        let packet = golden();
        assert!(packet[Init::NOISE].iter().all(|octet| *octet == 0x11));
        assert_eq!(packet[Init::MAC1], [0x22; 16]);
        assert_eq!(packet[Init::MAC2], [0x33; 16]);
        let mut out = [0xa5; 11];
        assert_eq!(Init::emit_header(SENDER, &mut out), Init::NOISE.start);
        assert_eq!(out[..10], packet[..10]);
        assert_eq!(out[10], 0xa5);
    }

    // P4, R5.3
    #[test]
    fn every_other_length_is_refused() {
        let packet = golden();
        for length in 3..INIT_LEN {
            let expected = PacketError::Truncated {
                minimum: INIT_LEN,
                actual: length,
            };
            assert_eq!(Packet::parse(&packet[..length]), Err(expected));
        }
        for length in 0..3 {
            assert!(Init::parse(&packet[..length]).is_err());
        }
        let longer = [&packet[..], &[0]].concat();
        let expected = PacketError::Oversized {
            maximum: INIT_LEN,
            actual: INIT_LEN + 1,
        };
        assert_eq!(Packet::parse(&longer), Err(expected));
    }

    #[test]
    fn another_packet_is_not_an_init() {
        let mut packet = golden();
        packet[1] = 2;
        assert_eq!(
            Init::parse(&packet),
            Err(PacketError::UnknownHandshakeKind { kind: 2 })
        );
        packet[0] = 8;
        assert_eq!(Init::parse(&packet), Err(PacketError::Foreign { first: 8 }));
    }
}
