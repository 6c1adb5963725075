use super::{FrameError, kind};
use crate::codec::{Reader, Writer, varint_len};

/// Streams that one side can open in the life of an association: every second id below 2^62.
pub const STREAMS_MAX: u64 = 1 << 61;

/// MAX_STREAMS: how many streams the receiver of this may open in all, ended ones included. A smaller number than before
/// changes nothing. RFC 9000, 19.11.
///
/// | octets | field | meaning                       |
/// |--------|-------|-------------------------------|
/// | 0      | kind  | 0x12                          |
/// | varint | max   | streams in all, at most 2^61  |
///
/// ```
/// use keyway_wire::{Frame, Frames, MaxStreamsFrame};
///
/// let frame = MaxStreamsFrame { max: 1_000 };
/// let octets = [0x12, 0x43, 0xe8];
/// assert_eq!(Frames::new(&octets).next(), Some(Ok(Frame::MaxStreams(frame))));
/// ```
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct MaxStreamsFrame {
    /// Streams in all, at most [`STREAMS_MAX`].
    pub max: u64,
}

impl MaxStreamsFrame {
    /// Octets of the largest.
    pub const LEN_MAX: usize = 1 + 8;

    pub(super) fn parse(reader: &mut Reader<'_>) -> Result<Self, FrameError> {
        Ok(Self {
            max: parse_count(reader)?,
        })
    }

    /// Octets that [`MaxStreamsFrame::emit`] writes.
    #[must_use]
    pub const fn len(&self) -> usize {
        1 + varint_len(self.max)
    }

    /// Writes the frame and returns its length. A number above [`STREAMS_MAX`] is written as that.
    ///
    /// # Panics
    ///
    /// If `out` is shorter than [`MaxStreamsFrame::len`].
    pub fn emit(&self, out: &mut [u8]) -> usize {
        Writer::new(out)
            .octet(kind::MAX_STREAMS)
            .varint(self.max.min(STREAMS_MAX))
            .finish()
    }
}

/// A number of streams.
pub(super) fn parse_count(reader: &mut Reader<'_>) -> Result<u64, FrameError> {
    match reader.varint()? {
        count @ ..=STREAMS_MAX => Ok(count),
        count => Err(FrameError::TooManyStreams { count }),
    }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;
    use crate::frame::Frame;
    use crate::frame::testing::{assert_emits, assert_golden, assert_round_trip, refusal};

    const MOST: [u8; 9] = [0x12, 0xe0, 0, 0, 0, 0, 0, 0, 0];

    #[test]
    fn golden_bytes() {
        assert_golden(
            Frame::MaxStreams(MaxStreamsFrame { max: 1_000 }),
            &[0x12, 0x43, 0xe8],
        );
        assert_golden(
            Frame::MaxStreams(MaxStreamsFrame { max: STREAMS_MAX }),
            &MOST,
        );
    }

    // L6, R6.10
    #[test]
    fn more_streams_than_there_are_ids_are_refused_and_not_written() {
        let more = [0x12, 0xe0, 0, 0, 0, 0, 0, 0, 1];
        assert_eq!(
            refusal(&more),
            FrameError::TooManyStreams {
                count: STREAMS_MAX + 1
            }
        );
        assert_emits(Frame::MaxStreams(MaxStreamsFrame { max: u64::MAX }), &MOST);
    }

    proptest! {
        #[test]
        fn what_is_written_is_read_back(max in 0..=STREAMS_MAX) {
            assert_round_trip(Frame::MaxStreams(MaxStreamsFrame { max }));
        }
    }
}
