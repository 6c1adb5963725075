use super::{FrameError, kind};
use crate::codec::{Reader, Writer, varint_len};

/// MAX_DATA: how many octets the receiver of this may send on all streams together. They count from the beginning of the
/// association; a smaller number than before changes nothing. RFC 9000, 19.9.
///
/// | octets | field | meaning       |
/// |--------|-------|---------------|
/// | 0      | kind  | 0x10          |
/// | varint | max   | octets in all |
///
/// ```
/// use keyway_wire::{Frame, Frames, MaxDataFrame};
///
/// let frame = MaxDataFrame { max: 1 << 20 };
/// let octets = [0x10, 0x80, 0x10, 0x00, 0x00];
/// assert_eq!(Frames::new(&octets).next(), Some(Ok(Frame::MaxData(frame))));
/// ```
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct MaxDataFrame {
    /// Octets in all.
    pub max: u64,
}

impl MaxDataFrame {
    /// Octets of the largest.
    pub const LEN_MAX: usize = 1 + 8;

    pub(super) fn parse(reader: &mut Reader<'_>) -> Result<Self, FrameError> {
        Ok(Self {
            max: reader.varint()?,
        })
    }

    /// Octets that [`MaxDataFrame::emit`] writes.
    #[must_use]
    pub const fn len(&self) -> usize {
        1 + varint_len(self.max)
    }

    /// Writes the frame and returns its length.
    ///
    /// # Panics
    ///
    /// If `out` is shorter than [`MaxDataFrame::len`].
    pub fn emit(&self, out: &mut [u8]) -> usize {
        Writer::new(out)
            .octet(kind::MAX_DATA)
            .varint(self.max)
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
        let frame = MaxDataFrame { max: 1 << 20 };
        assert_golden(Frame::MaxData(frame), &[0x10, 0x80, 0x10, 0x00, 0x00]);
    }

    // L6
    #[test]
    fn extreme_numbers_are_written_and_read() {
        for value in [0, (1 << 62) - 1] {
            assert_round_trip(Frame::MaxData(MaxDataFrame { max: value }));
        }
    }

    proptest! {
        #[test]
        fn what_is_written_is_read_back(max in 0u64..1 << 62) {
            assert_round_trip(Frame::MaxData(MaxDataFrame { max }));
        }
    }
}
