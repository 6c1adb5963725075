use super::{FrameError, kind};
use crate::codec::{Reader, Writer, varint_len};
use crate::stream_id::StreamId;

/// RESET: the sender of a stream gives it up: nothing of it is sent again. The receiver drops what it has not delivered
/// and tells the application the code. RFC 9000, 19.4.
///
/// | octets | field      | meaning                                       |
/// |--------|------------|-----------------------------------------------|
/// | 0      | kind       | 0x04                                          |
/// | varint | stream     | the stream                                    |
/// | varint | code       | why, in the application's terms               |
/// | varint | final_size | octets that were sent of it, for flow control |
///
/// ```
/// use keyway_wire::{Frame, Frames, ResetFrame, StreamId};
///
/// let frame = ResetFrame { stream: StreamId::new(5).unwrap(), code: 64, final_size: 65_536 };
/// let octets = [0x04, 0x05, 0x40, 0x40, 0x80, 0x01, 0x00, 0x00];
/// assert_eq!(Frames::new(&octets).next(), Some(Ok(Frame::Reset(frame))));
/// ```
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct ResetFrame {
    /// The stream.
    pub stream: StreamId,
    /// Why, in the application's terms.
    pub code: u64,
    /// Octets that were sent of it, for flow control.
    pub final_size: u64,
}

impl ResetFrame {
    /// Octets of the largest.
    pub const LEN_MAX: usize = 1 + 8 + 8 + 8;

    pub(super) fn parse(reader: &mut Reader<'_>) -> Result<Self, FrameError> {
        Ok(Self {
            stream: reader.stream()?,
            code: reader.varint()?,
            final_size: reader.varint()?,
        })
    }

    /// Octets that [`ResetFrame::emit`] writes.
    #[must_use]
    pub const fn len(&self) -> usize {
        1 + varint_len(self.stream.value()) + varint_len(self.code) + varint_len(self.final_size)
    }

    /// Writes the frame and returns its length.
    ///
    /// # Panics
    ///
    /// If `out` is shorter than [`ResetFrame::len`].
    pub fn emit(&self, out: &mut [u8]) -> usize {
        Writer::new(out)
            .octet(kind::RESET)
            .varint(self.stream.value())
            .varint(self.code)
            .varint(self.final_size)
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
        let frame = ResetFrame {
            stream: StreamId::new(5).unwrap(),
            code: 64,
            final_size: 65_536,
        };
        assert_golden(
            Frame::Reset(frame),
            &[0x04, 0x05, 0x40, 0x40, 0x80, 0x01, 0x00, 0x00],
        );
    }

    // L6
    #[test]
    fn extreme_numbers_are_written_and_read() {
        for value in [0, (1 << 62) - 1] {
            assert_round_trip(Frame::Reset(ResetFrame {
                stream: StreamId::new(value).unwrap(),
                code: value,
                final_size: value,
            }));
        }
    }

    proptest! {
        #[test]
        fn what_is_written_is_read_back(stream in 0u64..1 << 62, code in 0u64..1 << 62, final_size in 0u64..1 << 62) {
            assert_round_trip(Frame::Reset(ResetFrame { stream: StreamId::new(stream).unwrap(), code, final_size }));
        }
    }
}
