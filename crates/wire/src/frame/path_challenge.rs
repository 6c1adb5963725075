use super::{FrameError, kind};
use crate::codec::{Reader, Writer};

/// PATH_CHALLENGE: 8 random octets, to be sent back on the path they came on. RFC 9000, 19.17.
///
/// | octets | field | meaning |
/// |--------|-------|---------|
/// | 0      | kind  | 0x1a    |
/// | 1..9   | data  | octets  |
///
/// ```
/// use keyway_wire::{Frame, Frames, PathChallengeFrame};
///
/// let frame = PathChallengeFrame { data: [1, 2, 3, 4, 5, 6, 7, 8] };
/// let octets = [0x1a, 1, 2, 3, 4, 5, 6, 7, 8];
/// assert_eq!(Frames::new(&octets).next(), Some(Ok(Frame::PathChallenge(frame))));
/// ```
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct PathChallengeFrame {
    /// The octets.
    pub data: [u8; 8],
}

impl PathChallengeFrame {
    /// Octets of the frame.
    pub const LEN: usize = 1 + 8;

    pub(super) fn parse(reader: &mut Reader<'_>) -> Result<Self, FrameError> {
        Ok(Self {
            data: *reader.array()?,
        })
    }

    /// Writes the frame and returns its length, [`PathChallengeFrame::LEN`].
    ///
    /// # Panics
    ///
    /// If `out` is shorter than that.
    pub fn emit(&self, out: &mut [u8]) -> usize {
        Writer::new(out)
            .octet(kind::PATH_CHALLENGE)
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
        let frame = PathChallengeFrame {
            data: [1, 2, 3, 4, 5, 6, 7, 8],
        };
        assert_golden(Frame::PathChallenge(frame), &[0x1a, 1, 2, 3, 4, 5, 6, 7, 8]);
    }

    proptest! {
        #[test]
        fn what_is_written_is_read_back(data: [u8; 8]) {
            assert_round_trip(Frame::PathChallenge(PathChallengeFrame { data }));
        }
    }
}
