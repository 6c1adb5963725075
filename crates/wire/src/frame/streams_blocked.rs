use super::max_streams::{STREAMS_MAX, parse_count};
use super::{FrameError, kind};
use crate::codec::{Reader, Writer, varint_len};

/// STREAMS_BLOCKED: more streams would be opened if that was allowed. For diagnosis: streams are allowed as others end,
/// not because of this. RFC 9000, 19.14.
///
/// | octets | field | meaning                                       |
/// |--------|-------|-----------------------------------------------|
/// | 0      | kind  | 0x16                                          |
/// | varint | limit | the MAX_STREAMS that was reached, at most 2^61 |
///
/// ```
/// use keyway_wire::{Frame, Frames, StreamsBlockedFrame};
///
/// let frame = StreamsBlockedFrame { limit: 1_000 };
/// let octets = [0x16, 0x43, 0xe8];
/// assert_eq!(Frames::new(&octets).next(), Some(Ok(Frame::StreamsBlocked(frame))));
/// ```
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct StreamsBlockedFrame {
    /// The MAX_STREAMS that was reached, at most [`STREAMS_MAX`].
    pub limit: u64,
}

impl StreamsBlockedFrame {
    /// Octets of the largest.
    pub const LEN_MAX: usize = 1 + 8;

    pub(super) fn parse(reader: &mut Reader<'_>) -> Result<Self, FrameError> {
        Ok(Self {
            limit: parse_count(reader)?,
        })
    }

    /// Octets that [`StreamsBlockedFrame::emit`] writes.
    #[must_use]
    pub const fn len(&self) -> usize {
        1 + varint_len(self.limit)
    }

    /// Writes the frame and returns its length. A number above [`STREAMS_MAX`] is written as that.
    ///
    /// # Panics
    ///
    /// If `out` is shorter than [`StreamsBlockedFrame::len`].
    pub fn emit(&self, out: &mut [u8]) -> usize {
        Writer::new(out)
            .octet(kind::STREAMS_BLOCKED)
            .varint(self.limit.min(STREAMS_MAX))
            .finish()
    }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;
    use crate::frame::Frame;
    use crate::frame::testing::{assert_emits, assert_golden, assert_round_trip, refusal};

    const MOST: [u8; 9] = [0x16, 0xe0, 0, 0, 0, 0, 0, 0, 0];

    #[test]
    fn golden_bytes() {
        assert_golden(
            Frame::StreamsBlocked(StreamsBlockedFrame { limit: 1_000 }),
            &[0x16, 0x43, 0xe8],
        );
        assert_golden(
            Frame::StreamsBlocked(StreamsBlockedFrame { limit: STREAMS_MAX }),
            &MOST,
        );
    }

    // L6, R6.10
    #[test]
    fn more_streams_than_there_are_ids_are_refused_and_not_written() {
        let more = [0x16, 0xe0, 0, 0, 0, 0, 0, 0, 1];
        assert_eq!(
            refusal(&more),
            FrameError::TooManyStreams {
                count: STREAMS_MAX + 1
            }
        );
        assert_emits(
            Frame::StreamsBlocked(StreamsBlockedFrame { limit: u64::MAX }),
            &MOST,
        );
    }

    proptest! {
        #[test]
        fn what_is_written_is_read_back(limit in 0..=STREAMS_MAX) {
            assert_round_trip(Frame::StreamsBlocked(StreamsBlockedFrame { limit }));
        }
    }
}
