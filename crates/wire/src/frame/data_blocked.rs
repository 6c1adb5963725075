use super::{FrameError, kind};
use crate::codec::{Reader, Writer, varint_len};

/// DATA_BLOCKED: more would be sent if there was credit for all streams together. For diagnosis: credit is given as data
/// are read, not because of this. RFC 9000, 19.12.
///
/// | octets | field | meaning                       |
/// |--------|-------|-------------------------------|
/// | 0      | kind  | 0x14                          |
/// | varint | limit | the MAX_DATA that was reached |
///
/// ```
/// use keyway_wire::{DataBlockedFrame, Frame, Frames};
///
/// let frame = DataBlockedFrame { limit: 1 << 20 };
/// let octets = [0x14, 0x80, 0x10, 0x00, 0x00];
/// assert_eq!(Frames::new(&octets).next(), Some(Ok(Frame::DataBlocked(frame))));
/// ```
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct DataBlockedFrame {
    /// The MAX_DATA that was reached.
    pub limit: u64,
}

impl DataBlockedFrame {
    /// Octets of the largest.
    pub const LEN_MAX: usize = 1 + 8;

    pub(super) fn parse(reader: &mut Reader<'_>) -> Result<Self, FrameError> {
        Ok(Self {
            limit: reader.varint()?,
        })
    }

    /// Octets that [`DataBlockedFrame::emit`] writes.
    #[must_use]
    pub const fn len(&self) -> usize {
        1 + varint_len(self.limit)
    }

    /// Writes the frame and returns its length.
    ///
    /// # Panics
    ///
    /// If `out` is shorter than [`DataBlockedFrame::len`].
    pub fn emit(&self, out: &mut [u8]) -> usize {
        Writer::new(out)
            .octet(kind::DATA_BLOCKED)
            .varint(self.limit)
            .finish()
    }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;
    use crate::frame::Frame;
    use crate::frame::testing::{assert_golden, assert_round_trip};

    #[test]
    fn golden_bytes() {
        let frame = DataBlockedFrame { limit: 1 << 20 };
        assert_golden(Frame::DataBlocked(frame), &[0x14, 0x80, 0x10, 0x00, 0x00]);
    }

    // L6
    #[test]
    fn extreme_numbers_are_written_and_read() {
        for value in [0, (1 << 62) - 1] {
            assert_round_trip(Frame::DataBlocked(DataBlockedFrame { limit: value }));
        }
    }

    proptest! {
        #[test]
        fn what_is_written_is_read_back(limit in 0u64..1 << 62) {
            assert_round_trip(Frame::DataBlocked(DataBlockedFrame { limit }));
        }
    }
}
