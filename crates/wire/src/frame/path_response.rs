use super::{FrameError, kind};
use crate::codec::{Reader, Writer};

/// PATH_RESPONSE: the octets of a PATH_CHALLENGE, sent back on the path it came on. RFC 9000, 19.18.
///
/// | octets | field | meaning |
/// |--------|-------|---------|
/// | 0      | kind  | 0x1b    |
/// | 1..9   | data  | octets  |
///
/// ```
/// use keyway_wire::{Frame, Frames, PathResponseFrame};
///
/// let frame = PathResponseFrame { data: [1, 2, 3, 4, 5, 6, 7, 8] };
/// let octets = [0x1b, 1, 2, 3, 4, 5, 6, 7, 8];
/// assert_eq!(Frames::new(&octets).next(), Some(Ok(Frame::PathResponse(frame))));
/// ```
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct PathResponseFrame {
    /// The octets.
    pub data: [u8; 8],
}

impl PathResponseFrame {
    /// Octets of the frame.
    pub const LEN: usize = 1 + 8;

    pub(super) fn parse(reader: &mut Reader<'_>) -> Result<Self, FrameError> {
        Ok(Self {
            data: *reader.array()?,
        })
    }

    /// Writes the frame and returns its length, [`PathResponseFrame::LEN`].
    ///
    /// # Panics
    ///
    /// If `out` is shorter than that.
    pub fn emit(&self, out: &mut [u8]) -> usize {
        Writer::new(out)
            .octet(kind::PATH_RESPONSE)
            .bytes(&self.data)
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
        let frame = PathResponseFrame {
            data: [1, 2, 3, 4, 5, 6, 7, 8],
        };
        assert_golden(Frame::PathResponse(frame), &[0x1b, 1, 2, 3, 4, 5, 6, 7, 8]);
    }

    proptest! {
        #[test]
        fn what_is_written_is_read_back(data: [u8; 8]) {
            assert_round_trip(Frame::PathResponse(PathResponseFrame { data }));
        }
    }
}
