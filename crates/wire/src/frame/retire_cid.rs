use super::{FrameError, kind};
use crate::cid::CidSequence;
use crate::codec::{Reader, Writer, varint_len};

/// RETIRE_CID: a CID of the receiver's that the sender will not use again. RFC 9000, 19.16.
///
/// | octets | field    | meaning                                  |
/// |--------|----------|------------------------------------------|
/// | 0      | kind     | 0x19                                     |
/// | varint | sequence | the CID's issue sequence, below 2^32     |
///
/// ```
/// use keyway_wire::{CidSequence, Frame, Frames, RetireCidFrame};
///
/// let frame = RetireCidFrame { sequence: CidSequence(64) };
/// let octets = [0x19, 0x40, 0x40];
/// assert_eq!(Frames::new(&octets).next(), Some(Ok(Frame::RetireCid(frame))));
/// ```
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct RetireCidFrame {
    /// The CID's issue sequence.
    pub sequence: CidSequence,
}

impl RetireCidFrame {
    /// Octets of the largest.
    pub const LEN_MAX: usize = 1 + 8;

    pub(super) fn parse(reader: &mut Reader<'_>) -> Result<Self, FrameError> {
        Ok(Self {
            sequence: reader.cid_sequence()?,
        })
    }

    /// Octets that [`RetireCidFrame::emit`] writes.
    #[must_use]
    pub const fn len(&self) -> usize {
        1 + varint_len(self.sequence.0 as u64)
    }

    /// Writes the frame and returns its length.
    ///
    /// # Panics
    ///
    /// If `out` is shorter than [`RetireCidFrame::len`].
    pub fn emit(&self, out: &mut [u8]) -> usize {
        Writer::new(out)
            .octet(kind::RETIRE_CID)
            .varint(self.sequence.0.into())
            .finish()
    }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;
    use crate::frame::Frame;
    use crate::frame::testing::{assert_golden, assert_round_trip, refusal};

    fn frame(sequence: u32) -> Frame<'static> {
        Frame::RetireCid(RetireCidFrame {
            sequence: CidSequence(sequence),
        })
    }

    #[test]
    fn golden_bytes() {
        assert_golden(frame(64), &[0x19, 0x40, 0x40]);
        assert_golden(
            frame(u32::MAX),
            &[0x19, 0xc0, 0, 0, 0, 0xff, 0xff, 0xff, 0xff],
        );
    }

    // L6, R6.11
    #[test]
    fn sequences_of_more_than_32_bits_are_refused() {
        let bytes = [0x19, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff];
        assert_eq!(
            refusal(&bytes),
            FrameError::CidSequenceTooLarge {
                value: (1 << 62) - 1
            }
        );
    }

    proptest! {
        #[test]
        fn what_is_written_is_read_back(sequence: u32) {
            assert_round_trip(frame(sequence));
        }
    }
}
