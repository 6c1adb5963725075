use super::{FrameError, kind};
use crate::cid::{Cid, CidSequence};
use crate::codec::{Reader, Writer, varint_len};

/// NEW_CID: another CID under which the sender receives. RFC 9000, 19.15, without a reset token: nothing unauthenticated
/// ends anything here.
///
/// | octets | field           | meaning                                                            |
/// |--------|-----------------|--------------------------------------------------------------------|
/// | 0      | kind            | 0x18                                                               |
/// | varint | sequence        | its issue sequence, below 2^32                                     |
/// | varint | retire_prior_to | CIDs with a lower sequence are to be retired; at most `sequence`   |
/// | 7      | cid             | the CID                                                            |
///
/// ```
/// use keyway_wire::{Cid, CidSequence, Frame, Frames, NewCidFrame};
///
/// let frame = NewCidFrame { sequence: CidSequence(64), retire_prior_to: CidSequence(2), cid: Cid::new([1, 2, 3, 4, 5, 6, 7]) };
/// let octets = [0x18, 0x40, 0x40, 0x02, 1, 2, 3, 4, 5, 6, 7];
/// assert_eq!(Frames::new(&octets).next(), Some(Ok(Frame::NewCid(frame))));
/// ```
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct NewCidFrame {
    /// Its issue sequence.
    pub sequence: CidSequence,
    /// CIDs with a lower sequence are to be retired; at most `sequence`.
    pub retire_prior_to: CidSequence,
    /// The CID.
    pub cid: Cid,
}

impl NewCidFrame {
    /// Octets of the largest.
    pub const LEN_MAX: usize = 1 + 8 + 8 + Cid::LEN;

    pub(super) fn parse(reader: &mut Reader<'_>) -> Result<Self, FrameError> {
        let sequence = reader.cid_sequence()?;
        let retire_prior_to = reader.cid_sequence()?;
        let cid = Cid::new(*reader.array()?);
        if retire_prior_to > sequence {
            let (sequence, retire_prior_to) = (sequence.0, retire_prior_to.0);
            return Err(FrameError::RetiresItself {
                sequence,
                retire_prior_to,
            });
        }
        Ok(Self {
            sequence,
            retire_prior_to,
            cid,
        })
    }

    /// Octets that [`NewCidFrame::emit`] writes.
    #[must_use]
    pub const fn len(&self) -> usize {
        1 + varint_len(self.sequence.0 as u64)
            + varint_len(self.retire_prior_to.0 as u64)
            + Cid::LEN
    }

    /// Writes the frame and returns its length.
    ///
    /// # Panics
    ///
    /// If `out` is shorter than [`NewCidFrame::len`].
    pub fn emit(&self, out: &mut [u8]) -> usize {
        let mut writer = Writer::new(out);
        writer
            .octet(kind::NEW_CID)
            .varint(self.sequence.0.into())
            .varint(self.retire_prior_to.0.into());
        writer.bytes(self.cid.as_bytes()).finish()
    }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;
    use crate::frame::Frame;
    use crate::frame::testing::{assert_golden, assert_round_trip, refusal};

    const CID: Cid = Cid::new([1, 2, 3, 4, 5, 6, 7]);

    fn frame(sequence: u32, retire_prior_to: u32) -> Frame<'static> {
        Frame::NewCid(NewCidFrame {
            sequence: CidSequence(sequence),
            retire_prior_to: CidSequence(retire_prior_to),
            cid: CID,
        })
    }

    #[test]
    fn golden_bytes() {
        assert_golden(frame(64, 2), &[0x18, 0x40, 0x40, 0x02, 1, 2, 3, 4, 5, 6, 7]);
    }

    // L6, R6.11
    #[test]
    fn sequences_of_more_than_32_bits_are_refused() {
        assert_round_trip(frame(u32::MAX, u32::MAX));
        let above = [0xc0, 0, 0, 1, 0, 0, 0, 0];
        for bytes in [
            [&[0x18][..], &above, &[0], CID.as_bytes()].concat(),
            [&[0x18, 0][..], &above].concat(),
        ] {
            assert_eq!(
                refusal(&bytes),
                FrameError::CidSequenceTooLarge { value: 1 << 32 }
            );
        }
    }

    // R6.11
    #[test]
    fn a_cid_that_retires_itself_is_refused() {
        let bytes = [0x18, 0x02, 0x03, 1, 2, 3, 4, 5, 6, 7];
        assert_eq!(
            refusal(&bytes),
            FrameError::RetiresItself {
                sequence: 2,
                retire_prior_to: 3
            }
        );
        assert_round_trip(frame(3, 3));
    }

    proptest! {
        #[test]
        fn what_is_written_is_read_back(sequence: u32, below: u32) {
            assert_round_trip(frame(sequence, sequence.min(below)));
        }
    }
}
