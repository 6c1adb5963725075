use std::net::SocketAddr;

use super::{FrameError, kind};
use crate::address;
use crate::codec::{Reader, Writer, varint_len};

/// OBSERVED_ADDRESS: where the receiver's packets come from, as the sender sees it.
///
/// | octets  | field    | meaning                                                                 |
/// |---------|----------|-------------------------------------------------------------------------|
/// | 0       | kind     | 0x20                                                                    |
/// | varint  | sequence | grows with each observation: the highest is the newest                  |
/// | 1       | family   | 4 or 6                                                                  |
/// | 4 or 16 | ip       | not unspecified, not IPv4 inside IPv6                                   |
/// | 2       | port     | not 0                                                                   |
///
/// ```
/// use keyway_wire::{Frame, Frames, ObservedAddressFrame};
///
/// let frame = ObservedAddressFrame { sequence: 3, address: "192.0.2.7:4100".parse().unwrap() };
/// let octets = [0x20, 0x03, 4, 192, 0, 2, 7, 0x10, 0x04];
/// assert_eq!(Frames::new(&octets).next(), Some(Ok(Frame::ObservedAddress(frame))));
/// ```
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct ObservedAddressFrame {
    /// Grows with each observation: the highest is the newest.
    pub sequence: u64,
    /// The address, canonical (see [`crate::canonical_address`]).
    pub address: SocketAddr,
}

impl ObservedAddressFrame {
    /// Octets of the largest.
    pub const LEN_MAX: usize = 1 + 8 + 1 + 16 + 2;

    pub(super) fn parse(reader: &mut Reader<'_>) -> Result<Self, FrameError> {
        Ok(Self {
            sequence: reader.varint()?,
            address: address::read(reader)?,
        })
    }

    /// Octets that [`ObservedAddressFrame::emit`] writes.
    #[must_use]
    pub fn len(&self) -> usize {
        1 + varint_len(self.sequence) + address::len(self.address)
    }

    /// Writes the frame and returns its length. An address that is not canonical is written as it is (but IPv4 inside
    /// IPv6 as IPv4), and refused by the receiver.
    ///
    /// # Panics
    ///
    /// If `out` is shorter than [`ObservedAddressFrame::len`].
    pub fn emit(&self, out: &mut [u8]) -> usize {
        let mut writer = Writer::new(out);
        writer.octet(kind::OBSERVED_ADDRESS).varint(self.sequence);
        address::write(&mut writer, self.address);
        writer.finish()
    }
}

#[cfg(test)]
mod tests {
    use std::net::IpAddr;

    use proptest::prelude::*;

    use super::*;
    use crate::address::AddressError;
    use crate::frame::Frame;
    use crate::frame::testing::{assert_golden, assert_round_trip, refusal};

    fn frame(sequence: u64, address: &str) -> Frame<'static> {
        Frame::ObservedAddress(ObservedAddressFrame {
            sequence,
            address: address.parse().unwrap(),
        })
    }

    #[test]
    fn golden_bytes() {
        assert_golden(
            frame(3, "192.0.2.7:4100"),
            &[0x20, 0x03, 4, 192, 0, 2, 7, 0x10, 0x04],
        );
        let v6 = [
            0x20, 0x40, 0x40, 6, 0x20, 0x01, 0x0d, 0xb8, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 1, 0xff,
            0xff,
        ];
        assert_golden(frame(64, "[2001:db8::1]:65535"), &v6);
    }

    // R6.12
    #[test]
    fn what_is_no_address_is_refused() {
        let refused = |address: &[u8]| refusal(&[&[0x20, 0x03], address].concat());
        assert_eq!(
            refused(&[5, 1]),
            FrameError::Address(AddressError::UnknownFamily { family: 5 })
        );
        assert_eq!(
            refused(&[4, 0, 0, 0, 0, 1, 1]),
            FrameError::Address(AddressError::Unspecified)
        );
        assert_eq!(
            refused(&[4, 192, 0, 2, 7, 0, 0]),
            FrameError::Address(AddressError::PortZero)
        );
    }

    proptest! {
        #[test]
        fn what_is_written_is_read_back(sequence in 0u64..1 << 62, ip: IpAddr, port in 1u16..) {
            prop_assume!(!ip.is_unspecified() && ip.to_canonical() == ip);
            let address = SocketAddr::new(ip, port);
            assert_round_trip(Frame::ObservedAddress(ObservedAddressFrame { sequence, address }));
        }
    }
}
