use super::{FrameError, kind};
use crate::codec::{Reader, Writer, varint_len};
use crate::stream_id::StreamId;

/// STREAM_DATA_BLOCKED: more would be sent if there was credit for one stream. For diagnosis: credit is given as data are
/// read, not because of this. RFC 9000, 19.13.
///
/// | octets | field  | meaning                              |
/// |--------|--------|--------------------------------------|
/// | 0      | kind   | 0x15                                 |
/// | varint | stream | the stream                           |
/// | varint | limit  | the MAX_STREAM_DATA that was reached |
///
/// ```
/// use keyway_wire::{Frame, Frames, StreamDataBlockedFrame, StreamId};
///
/// let frame = StreamDataBlockedFrame { stream: StreamId::new(7).unwrap(), limit: 1 << 20 };
/// let octets = [0x15, 0x07, 0x80, 0x10, 0x00, 0x00];
/// assert_eq!(Frames::new(&octets).next(), Some(Ok(Frame::StreamDataBlocked(frame))));
/// ```
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct StreamDataBlockedFrame {
    /// The stream.
    pub stream: StreamId,
    /// The MAX_STREAM_DATA that was reached.
    pub limit: u64,
}

impl StreamDataBlockedFrame {
    /// Octets of the largest.
    pub const LEN_MAX: usize = 1 + 8 + 8;

    pub(super) fn parse(reader: &mut Reader<'_>) -> Result<Self, FrameError> {
        Ok(Self {
            stream: reader.stream()?,
            limit: reader.varint()?,
        })
    }

    /// Octets that [`StreamDataBlockedFrame::emit`] writes.
    #[must_use]
    pub const fn len(&self) -> usize {
        1 + varint_len(self.stream.value()) + varint_len(self.limit)
    }

    /// Writes the frame and returns its length.
    ///
    /// # Panics
    ///
    /// If `out` is shorter than [`StreamDataBlockedFrame::len`].
    pub fn emit(&self, out: &mut [u8]) -> usize {
        Writer::new(out)
            .octet(kind::STREAM_DATA_BLOCKED)
            .varint(self.stream.value())
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
        let frame = StreamDataBlockedFrame {
            stream: StreamId::new(7).unwrap(),
            limit: 1 << 20,
        };
        assert_golden(
            Frame::StreamDataBlocked(frame),
            &[0x15, 0x07, 0x80, 0x10, 0x00, 0x00],
        );
    }

    // L6
    #[test]
    fn extreme_numbers_are_written_and_read() {
        for value in [0, (1 << 62) - 1] {
            assert_round_trip(Frame::StreamDataBlocked(StreamDataBlockedFrame {
                stream: StreamId::new(value).unwrap(),
                limit: value,
            }));
        }
    }

    proptest! {
        #[test]
        fn what_is_written_is_read_back(stream in 0u64..1 << 62, limit in 0u64..1 << 62) {
            assert_round_trip(Frame::StreamDataBlocked(StreamDataBlockedFrame { stream: StreamId::new(stream).unwrap(), limit }));
        }
    }
}
