use super::PacketError;
use crate::cid::Cid;
use crate::codec::{Reader, Truncated, Writer};
use crate::slot::Slot;
use crate::varint::VarInt;

/// Octets before what is sealed.
pub const DATA_HEADER_LEN: usize = 16;

/// Octets of the tag that AES-256-GCM puts behind what it seals.
pub const TAG_LEN: usize = 16;

/// The largest packet number. An ACK names packet numbers in variable-length integers, which end there (RFC 9000, 12.3,
/// has the same limit).
pub const PACKET_NUMBER_MAX: u64 = VarInt::MAX.value();

/// Octets of a data packet that holds no frame.
const LEN_MIN: usize = DATA_HEADER_LEN + TAG_LEN;

/// First octet of a data packet with slot 0 and phase 0.
const DATA: u8 = 8;

/// Header of a data packet (proto/PROTOCOL.md, section 5). Integers are big-endian.
///
/// | octets | field  | meaning                                                                        |
/// |--------|--------|--------------------------------------------------------------------------------|
/// | 0      | kind   | 8 + 2 × session slot (0..=3) + key phase (0 or 1)                              |
/// | 1..8   | cid    | issued by the receiver; names its number space                                 |
/// | 8..16  | number | never repeats under one CID; at most 2^62 - 1                                  |
/// | 16..   | sealed | frames, then the tag of 16 octets; the 16 octets before are authenticated data |
///
/// ```
/// use keyway_wire::{Cid, DATA_HEADER_LEN, DataHeader, Slot, TAG_LEN};
///
/// let header = DataHeader { slot: Slot::ALL[1], phase: false, cid: Cid::new([0, 1, 2, 3, 4, 5, 6]), number: 7 };
/// let mut packet = [0; DATA_HEADER_LEN + 1 + TAG_LEN];
/// header.emit(&mut packet);
/// assert_eq!(DataHeader::parse(&packet), Ok(header));
/// ```
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct DataHeader {
    /// The session whose keys seal the packet; the receiver assigned the slot.
    pub slot: Slot,
    /// The lowest bit of the key phase.
    pub phase: bool,
    /// Under which the receiver receives.
    pub cid: Cid,
    /// The packet's number under this CID, at most [`PACKET_NUMBER_MAX`].
    pub number: u64,
}

impl DataHeader {
    /// Reads the header of a data packet, which is the whole packet but what is sealed.
    ///
    /// # Errors
    ///
    /// [`PacketError`] for another packet, one that has no room for a tag, or a number above [`PACKET_NUMBER_MAX`].
    #[inline]
    pub fn parse(packet: &[u8]) -> Result<Self, PacketError> {
        let truncated = |Truncated { .. }| PacketError::Truncated {
            minimum: LEN_MIN,
            actual: packet.len(),
        };
        let mut reader = Reader::new(packet);
        let first = reader.octet().map_err(truncated)?;
        let cid = Cid::new(*reader.array().map_err(truncated)?);
        let number = u64::from_be_bytes(*reader.array().map_err(truncated)?);
        reader.bytes(TAG_LEN).map_err(truncated)?;
        if first & !0b111 != DATA {
            return Err(PacketError::Foreign { first });
        }
        if number > PACKET_NUMBER_MAX {
            return Err(PacketError::NumberTooLarge { number });
        }
        Ok(Self {
            slot: Slot::from_low_bits(first >> 1),
            phase: first & 1 != 0,
            cid,
            number,
        })
    }

    /// Writes the header and returns its length, [`DATA_HEADER_LEN`]. A number above [`PACKET_NUMBER_MAX`] makes a packet
    /// that nobody accepts.
    ///
    /// # Panics
    ///
    /// If `out` is shorter than that.
    #[inline]
    pub fn emit(&self, out: &mut [u8]) -> usize {
        let first = DATA | (self.slot.octet() << 1) | u8::from(self.phase);
        Writer::new(out)
            .octet(first)
            .bytes(self.cid.as_bytes())
            .bytes(&self.number.to_be_bytes())
            .finish()
    }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;
    use crate::packet::Packet;

    const CID: Cid = Cid::new([1, 2, 3, 4, 5, 6, 7]);
    const GOLDEN: [u8; 32] = [
        13, // slot 2, phase 1
        1, 2, 3, 4, 5, 6, 7, // CID
        0x3f, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xfe, // number
        0x77, 0x77, 0x77, 0x77, 0x77, 0x77, 0x77, 0x77, 0x77, 0x77, 0x77, 0x77, 0x77, 0x77, 0x77,
        0x77, // tag
    ];

    #[test]
    fn golden_bytes() {
        let expected = DataHeader {
            slot: Slot::ALL[2],
            phase: true,
            cid: CID,
            number: (1 << 62) - 2,
        };
        assert_eq!(Packet::parse(&GOLDEN), Ok(Packet::Data(expected)));
        let mut out = [0xa5; 17];
        assert_eq!(expected.emit(&mut out), DATA_HEADER_LEN);
        assert_eq!(out[..16], GOLDEN[..16]);
        assert_eq!(out[16], 0xa5);
    }

    // P4, R5.4
    #[test]
    fn every_length_without_room_for_a_tag_is_refused() {
        for length in 1..GOLDEN.len() {
            let expected = PacketError::Truncated {
                minimum: 32,
                actual: length,
            };
            assert_eq!(Packet::parse(&GOLDEN[..length]), Err(expected));
        }
        assert!(DataHeader::parse(&[]).is_err());
    }

    // L6, R5.4
    #[test]
    fn numbers_that_no_ack_could_name_are_refused() {
        for number in [1 << 62, 1 << 63, u64::MAX] {
            let mut packet = GOLDEN;
            packet[8..16].copy_from_slice(&u64::to_be_bytes(number));
            assert_eq!(
                Packet::parse(&packet),
                Err(PacketError::NumberTooLarge { number })
            );
        }
    }

    #[test]
    fn the_first_octet_carries_slot_and_phase() {
        for (first, slot, phase) in (8u8..)
            .zip(0u8..8)
            .map(|(first, bits)| (first, bits >> 1, bits & 1))
        {
            let mut packet = GOLDEN;
            packet[0] = first;
            let header = DataHeader::parse(&packet).unwrap();
            assert_eq!(
                (header.slot, header.phase),
                (Slot::new(slot).unwrap(), phase == 1),
                "{first}"
            );
        }
    }

    #[test]
    fn another_packet_is_not_data() {
        for first in [0, 4, 5, 7, 16, 0x88, 0xff] {
            let mut packet = GOLDEN;
            packet[0] = first;
            assert_eq!(
                DataHeader::parse(&packet),
                Err(PacketError::Foreign { first })
            );
        }
    }

    proptest! {
        #[test]
        fn what_is_written_is_read_back(slot in 0u8..4, phase: bool, cid: [u8; 7], number in 0..=PACKET_NUMBER_MAX) {
            let header = DataHeader { slot: Slot::new(slot).unwrap(), phase, cid: Cid::new(cid), number };
            let mut out = [0xa5; 32];
            prop_assert_eq!(header.emit(&mut out), DATA_HEADER_LEN);
            prop_assert_eq!(Packet::parse(&out), Ok(Packet::Data(header)));
        }
    }
}
