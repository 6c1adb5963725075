use super::{
    HANDSHAKE, HANDSHAKE_START_LEN, INIT_LEN, MAC_LEN, PacketError, RESP, VERSION,
    check_handshake_start, check_len,
};
use crate::cid::Cid;
use crate::codec::{Reader, Truncated, Writer};

/// Octets of the largest RESP: an answer is never larger than the INIT that asked for it.
pub const RESP_LEN_MAX: usize = INIT_LEN;

/// Octets of the smallest RESP: a Noise message 2 is an ephemeral key of 32 octets and a payload with its tag of 16.
pub const RESP_LEN_MIN: usize = Resp::NOISE_START + 32 + 16 + 2 * MAC_LEN;

/// RESP: the answer to an INIT (proto/PROTOCOL.md, section 5). At most [`RESP_LEN_MAX`] octets.
///
/// | octets        | field    | meaning                                                       |
/// |---------------|----------|---------------------------------------------------------------|
/// | 0             | first    | 4: handshake                                                  |
/// | 1             | kind     | 2: RESP                                                       |
/// | 2             | version  | 1                                                             |
/// | 3..10         | sender   | CID under which the sender receives, sequence 0 or one in use |
/// | 10..17        | receiver | the `sender` of the INIT                                      |
/// | 17..end-32    | noise    | Noise message 2                                               |
/// | end-32..end-16 | mac1    | over all octets before it                                     |
/// | end-16..end   | mac2     | zeros; ignored                                                |
///
/// ```
/// use keyway_wire::{RESP_LEN_MIN, Resp};
///
/// let mut packet = [0; RESP_LEN_MIN];
/// packet[..3].copy_from_slice(&[4, 2, 1]); // handshake, RESP, version 1
/// assert_eq!(Resp::parse(&packet).unwrap().len(), RESP_LEN_MIN);
/// ```
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Resp<'a> {
    /// The CID under which the sender receives.
    pub sender: Cid,
    /// The CID that the INIT named: it finds the handshake that this answers.
    pub receiver: Cid,
    /// Noise message 2, at least 48 octets.
    pub noise: &'a [u8],
    /// Shows that the sender knows the receiver's node id.
    pub mac1: &'a [u8; MAC_LEN],
    /// Zeros: a RESP needs no cookie.
    pub mac2: &'a [u8; MAC_LEN],
}

impl<'a> Resp<'a> {
    /// Where the Noise message begins in the packet; it ends two MACs before the end.
    pub const NOISE_START: usize = HANDSHAKE_START_LEN + 2 * Cid::LEN;

    /// Reads a RESP.
    ///
    /// # Errors
    ///
    /// [`PacketError`] for any other packet, version, or a length that no RESP has.
    pub fn parse(packet: &'a [u8]) -> Result<Self, PacketError> {
        check_handshake_start(packet, RESP)?;
        check_len(packet, RESP_LEN_MIN, RESP_LEN_MAX)?;
        let truncated = |Truncated { .. }| PacketError::Truncated {
            minimum: RESP_LEN_MIN,
            actual: packet.len(),
        };
        let mut reader = Reader::new(packet);
        reader.bytes(HANDSHAKE_START_LEN).map_err(truncated)?;
        Ok(Self {
            sender: Cid::new(*reader.array().map_err(truncated)?),
            receiver: Cid::new(*reader.array().map_err(truncated)?),
            noise: reader
                .bytes(reader.remaining().saturating_sub(2 * MAC_LEN))
                .map_err(truncated)?,
            mac1: reader.array().map_err(truncated)?,
            mac2: reader.array().map_err(truncated)?,
        })
    }

    /// Octets of the packet.
    #[must_use]
    #[expect(clippy::len_without_is_empty, reason = "no packet is empty")]
    pub const fn len(&self) -> usize {
        Self::NOISE_START + self.noise.len() + 2 * MAC_LEN
    }

    /// Writes the packet and returns its length.
    ///
    /// # Panics
    ///
    /// If `out` is shorter than [`Resp::len`].
    pub fn emit(&self, out: &mut [u8]) -> usize {
        let mut writer = Writer::new(out);
        write_header(self.sender, self.receiver, &mut writer);
        writer
            .bytes(self.noise)
            .bytes(self.mac1)
            .bytes(self.mac2)
            .finish()
    }

    /// Writes what comes before the Noise message and returns its length, so that the message can be written in place at
    /// [`Resp::NOISE_START`] and `mac1` be computed over the packet.
    ///
    /// # Panics
    ///
    /// If `out` is shorter than that.
    pub fn emit_header(sender: Cid, receiver: Cid, out: &mut [u8]) -> usize {
        let mut writer = Writer::new(out);
        write_header(sender, receiver, &mut writer);
        writer.finish()
    }
}

fn write_header(sender: Cid, receiver: Cid, writer: &mut Writer<'_>) {
    writer
        .bytes(&[HANDSHAKE, RESP, VERSION])
        .bytes(sender.as_bytes())
        .bytes(receiver.as_bytes());
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;
    use crate::packet::Packet;

    const SENDER: Cid = Cid::new([1, 2, 3, 4, 5, 6, 7]);
    const RECEIVER: Cid = Cid::new([8, 9, 10, 11, 12, 13, 14]);

    fn golden() -> Vec<u8> {
        let mut packet = vec![4, 2, 1, 1, 2, 3, 4, 5, 6, 7, 8, 9, 10, 11, 12, 13, 14];
        packet.extend([0x11; 48]);
        packet.extend([0x22; 16]);
        packet.extend([0x33; 16]);
        packet
    }

    #[test]
    fn golden_bytes() {
        let expected = Resp {
            sender: SENDER,
            receiver: RECEIVER,
            noise: &[0x11; 48],
            mac1: &[0x22; 16],
            mac2: &[0x33; 16],
        };
        assert_eq!(Packet::parse(&golden()), Ok(Packet::Resp(expected)));
        let mut out = [0xa5; 98];
        assert_eq!(expected.emit(&mut out), RESP_LEN_MIN);
        assert_eq!(expected.len(), RESP_LEN_MIN);
        assert_eq!(out[..97], golden());
        assert_eq!(out[97], 0xa5);
    }

    // P4, R5.3
    #[test]
    fn every_shorter_length_is_refused() {
        let packet = golden();
        for length in 0..packet.len() {
            assert!(
                matches!(
                    Packet::parse(&packet[..length]),
                    Err(PacketError::Truncated { .. })
                ),
                "{length}"
            );
        }
    }

    // F4, R4.17, R5.3
    #[test]
    fn a_response_larger_than_what_asked_for_it_is_refused() {
        let mut packet = golden();
        packet.resize(RESP_LEN_MAX, 0);
        assert!(Packet::parse(&packet).is_ok());
        packet.push(0);
        let expected = PacketError::Oversized {
            maximum: RESP_LEN_MAX,
            actual: RESP_LEN_MAX + 1,
        };
        assert_eq!(Packet::parse(&packet), Err(expected));
    }

    proptest! {
        #[test]
        fn what_is_written_is_read_back(
            sender: [u8; 7], receiver: [u8; 7], mac1: [u8; 16], mac2: [u8; 16],
            noise in proptest::collection::vec(any::<u8>(), 48..=RESP_LEN_MAX - 49),
        ) {
            let resp = Resp {
                sender: Cid::new(sender), receiver: Cid::new(receiver), noise: &noise, mac1: &mac1, mac2: &mac2,
            };
            let mut out = [0xa5; RESP_LEN_MAX];
            let len = resp.emit(&mut out);
            prop_assert_eq!(len, resp.len());
            prop_assert_eq!(Packet::parse(&out[..len]), Ok(Packet::Resp(resp)));
        }
    }
}
