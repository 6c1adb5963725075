use std::fmt;

use crate::codec::{Reader, Truncated};

/// A variable-length integer (RFC 9000, 16): below 2^62, in 1, 2, 4 or 8 octets.
///
/// The two most significant bits of the first octet say which; the rest is the number, big-endian. Longer encodings than
/// needed are read, the shortest is written.
///
/// ```
/// use keyway_wire::VarInt;
///
/// let mut out = [0; 8];
/// let length = VarInt::saturating(64).emit(&mut out);
/// assert_eq!(out[..length], [0x40, 0x40]);
/// assert_eq!(VarInt::parse(&out), Some((VarInt::saturating(64), 2)));
/// ```
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct VarInt(u64);

impl VarInt {
    /// The largest: 2^62 - 1.
    pub const MAX: Self = Self((1 << 62) - 1);

    /// `value`, or [`VarInt::MAX`] where it is larger.
    #[inline]
    #[must_use]
    pub const fn saturating(value: u64) -> Self {
        if value > Self::MAX.0 {
            Self::MAX
        } else {
            Self(value)
        }
    }

    /// The number.
    #[inline]
    #[must_use]
    pub const fn value(self) -> u64 {
        self.0
    }

    /// Octets of the shortest encoding: 1, 2, 4 or 8.
    #[inline]
    #[must_use]
    #[expect(clippy::len_without_is_empty, reason = "no number encodes to nothing")]
    pub const fn len(self) -> usize {
        1 << self.exponent()
    }

    /// Reads one from the start of `bytes`; the number and the octets that it took, or `None` where there are too few.
    #[must_use]
    pub fn parse(bytes: &[u8]) -> Option<(Self, usize)> {
        let mut reader = Reader::new(bytes);
        let value = Self::read(&mut reader).ok()?;
        Some((value, bytes.len() - reader.remaining()))
    }

    /// Writes the shortest encoding to the start of `out` and returns its length.
    ///
    /// # Panics
    ///
    /// If `out` is shorter than [`VarInt::len`].
    #[expect(
        clippy::indexing_slicing,
        reason = "the caller has promised enough room"
    )]
    #[inline]
    pub fn emit(self, out: &mut [u8]) -> usize {
        let len = self.len();
        // The exponent goes into the top two bits of the first octet that is written.
        let prefixed = self.0 | (self.exponent() << (8 * len - 2));
        out[..len].copy_from_slice(&prefixed.to_be_bytes()[8 - len..]);
        len
    }

    #[inline]
    pub(crate) fn read(reader: &mut Reader<'_>) -> Result<Self, Truncated> {
        let first = reader.octet()?;
        let following = (1usize << (first >> 6)) - 1;
        let start = u64::from(first & 0x3f);
        let rest = reader.bytes(following)?;
        Ok(Self(rest.iter().fold(start, |value, octet| {
            (value << 8) | u64::from(*octet)
        })))
    }

    /// Binary logarithm of the length.
    const fn exponent(self) -> u64 {
        match self.0 {
            0..0x40 => 0,
            0x40..0x4000 => 1,
            0x4000..0x4000_0000 => 2,
            _ => 3,
        }
    }
}

impl From<u32> for VarInt {
    fn from(value: u32) -> Self {
        Self(value.into())
    }
}

impl From<VarInt> for u64 {
    fn from(value: VarInt) -> Self {
        value.0
    }
}

impl TryFrom<u64> for VarInt {
    type Error = VarIntTooLarge;

    fn try_from(value: u64) -> Result<Self, VarIntTooLarge> {
        if value > Self::MAX.0 {
            Err(VarIntTooLarge { value })
        } else {
            Ok(Self(value))
        }
    }
}

impl fmt::Display for VarInt {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        self.0.fmt(f)
    }
}

/// A number of 2^62 or more, which no variable-length integer holds.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
#[error("{value} needs more than the 62 bits of a variable-length integer")]
pub struct VarIntTooLarge {
    /// The number.
    pub value: u64,
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    /// RFC 9000, A.1, and both ends of every length.
    const GOLDEN: [(u64, &[u8]); 12] = [
        (
            151_288_809_941_952_652,
            &[0xc2, 0x19, 0x7c, 0x5e, 0xff, 0x14, 0xe8, 0x8c],
        ),
        (494_878_333, &[0x9d, 0x7f, 0x3e, 0x7d]),
        (15_293, &[0x7b, 0xbd]),
        (37, &[0x25]),
        (0, &[0x00]),
        (63, &[0x3f]),
        (64, &[0x40, 0x40]),
        (16_383, &[0x7f, 0xff]),
        (16_384, &[0x80, 0x00, 0x40, 0x00]),
        ((1 << 30) - 1, &[0xbf, 0xff, 0xff, 0xff]),
        (1 << 30, &[0xc0, 0x00, 0x00, 0x00, 0x40, 0x00, 0x00, 0x00]),
        ((1 << 62) - 1, &[0xff; 8]),
    ];

    #[test]
    fn golden_bytes() {
        for (value, bytes) in GOLDEN {
            let varint = VarInt::try_from(value).unwrap();
            assert_eq!(VarInt::parse(bytes), Some((varint, bytes.len())), "{value}");
            let mut out = [0xa5; 9];
            assert_eq!(varint.emit(&mut out), bytes.len());
            assert_eq!(varint.len(), bytes.len());
            assert_eq!(&out[..bytes.len()], bytes);
            assert!(out[bytes.len()..].iter().all(|octet| *octet == 0xa5));
        }
    }

    // R6.3
    #[test]
    fn a_longer_encoding_than_needed_is_read() {
        // RFC 9000, A.1: 0x4025 is 37 too.
        assert_eq!(VarInt::parse(&[0x40, 0x25]), Some((VarInt::from(37u32), 2)));
    }

    #[test]
    fn every_shorter_length_is_refused() {
        for (_, bytes) in GOLDEN {
            for length in 0..bytes.len() {
                assert_eq!(VarInt::parse(&bytes[..length]), None);
            }
        }
    }

    #[test]
    fn larger_numbers_are_refused_or_saturate() {
        for value in [1 << 62, u64::MAX] {
            assert_eq!(VarInt::try_from(value), Err(VarIntTooLarge { value }));
            assert_eq!(VarInt::saturating(value), VarInt::MAX);
        }
        assert_eq!(VarInt::saturating(7).value(), 7);
    }

    proptest! {
        #[test]
        fn what_is_written_is_read_back(value in 0u64..1 << 62) {
            let varint = VarInt::try_from(value).unwrap();
            let mut out = [0; 8];
            let len = varint.emit(&mut out);
            prop_assert_eq!(VarInt::parse(&out), Some((varint, len)));
        }
    }
}
