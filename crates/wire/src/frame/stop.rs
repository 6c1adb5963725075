use super::{FrameError, kind};
use crate::codec::{Reader, Writer, varint_len};
use crate::stream_id::StreamId;

/// STOP: the receiver of a stream wants no more of it. The sender answers with RESET and the same code. RFC 9000, 19.5
/// (STOP_SENDING).
///
/// | octets | field  | meaning                         |
/// |--------|--------|---------------------------------|
/// | 0      | kind   | 0x05                            |
/// | varint | stream | the stream                      |
/// | varint | code   | why, in the application's terms |
///
/// ```
/// use keyway_wire::{Frame, Frames, StopFrame, StreamId};
///
/// let frame = StopFrame { stream: StreamId::new(5).unwrap(), code: 64 };
/// let octets = [0x05, 0x05, 0x40, 0x40];
/// assert_eq!(Frames::new(&octets).next(), Some(Ok(Frame::Stop(frame))));
/// ```
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct StopFrame {
    /// The stream.
    pub stream: StreamId,
    /// Why, in the application's terms.
    pub code: u64,
}

impl StopFrame {
    /// Octets of the largest.
    pub const LEN_MAX: usize = 1 + 8 + 8;

    pub(super) fn parse(reader: &mut Reader<'_>) -> Result<Self, FrameError> {
        Ok(Self {
            stream: reader.stream()?,
            code: reader.varint()?,
        })
    }

    /// Octets that [`StopFrame::emit`] writes.
    #[must_use]
    pub const fn len(&self) -> usize {
        1 + varint_len(self.stream.value()) + varint_len(self.code)
    }

    /// Writes the frame and returns its length.
    ///
    /// # Panics
    ///
    /// If `out` is shorter than [`StopFrame::len`].
    pub fn emit(&self, out: &mut [u8]) -> usize {
        Writer::new(out)
            .octet(kind::STOP)
            .varint(self.stream.value())
            .varint(self.code)
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
        let frame = StopFrame {
            stream: StreamId::new(5).unwrap(),
            code: 64,
        };
        assert_golden(Frame::Stop(frame), &[0x05, 0x05, 0x40, 0x40]);
    }

    // L6
    #[test]
    fn extreme_numbers_are_written_and_read() {
        for value in [0, (1 << 62) - 1] {
            assert_round_trip(Frame::Stop(StopFrame {
                stream: StreamId::new(value).unwrap(),
                code: value,
            }));
        }
    }

    proptest! {
        #[test]
        fn what_is_written_is_read_back(stream in 0u64..1 << 62, code in 0u64..1 << 62) {
            assert_round_trip(Frame::Stop(StopFrame { stream: StreamId::new(stream).unwrap(), code }));
        }
    }
}
