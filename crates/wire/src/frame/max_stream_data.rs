use super::{FrameError, kind};
use crate::codec::{Reader, Writer, varint_len};
use crate::stream_id::StreamId;

/// MAX_STREAM_DATA: how many octets the receiver of this may send on one stream. They count from offset 0; a smaller
/// number than before changes nothing. RFC 9000, 19.10.
///
/// | octets | field  | meaning       |
/// |--------|--------|---------------|
/// | 0      | kind   | 0x11          |
/// | varint | stream | the stream    |
/// | varint | max    | octets in all |
///
/// ```
/// use keyway_wire::{Frame, Frames, MaxStreamDataFrame, StreamId};
///
/// let frame = MaxStreamDataFrame { stream: StreamId::new(7).unwrap(), max: 1 << 20 };
/// let octets = [0x11, 0x07, 0x80, 0x10, 0x00, 0x00];
/// assert_eq!(Frames::new(&octets).next(), Some(Ok(Frame::MaxStreamData(frame))));
/// ```
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct MaxStreamDataFrame {
    /// The stream.
    pub stream: StreamId,
    /// Octets in all.
    pub max: u64,
}

impl MaxStreamDataFrame {
    /// Octets of the largest.
    pub const LEN_MAX: usize = 1 + 8 + 8;

    pub(super) fn parse(reader: &mut Reader<'_>) -> Result<Self, FrameError> {
        Ok(Self {
            stream: reader.stream()?,
            max: reader.varint()?,
        })
    }

    /// Octets that [`MaxStreamDataFrame::emit`] writes.
    #[must_use]
    pub const fn len(&self) -> usize {
        1 + varint_len(self.stream.value()) + varint_len(self.max)
    }

    /// Writes the frame and returns its length.
    ///
    /// # Panics
    ///
    /// If `out` is shorter than [`MaxStreamDataFrame::len`].
    pub fn emit(&self, out: &mut [u8]) -> usize {
        Writer::new(out)
            .octet(kind::MAX_STREAM_DATA)
            .varint(self.stream.value())
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
        let frame = MaxStreamDataFrame {
            stream: StreamId::new(7).unwrap(),
            max: 1 << 20,
        };
        assert_golden(
            Frame::MaxStreamData(frame),
            &[0x11, 0x07, 0x80, 0x10, 0x00, 0x00],
        );
    }

    // L6
    #[test]
    fn extreme_numbers_are_written_and_read() {
        for value in [0, (1 << 62) - 1] {
            assert_round_trip(Frame::MaxStreamData(MaxStreamDataFrame {
                stream: StreamId::new(value).unwrap(),
                max: value,
            }));
        }
    }

    proptest! {
        #[test]
        fn what_is_written_is_read_back(stream in 0u64..1 << 62, max in 0u64..1 << 62) {
            assert_round_trip(Frame::MaxStreamData(MaxStreamDataFrame { stream: StreamId::new(stream).unwrap(), max }));
        }
    }
}
