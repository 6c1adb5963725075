use super::{FrameError, kind};
use crate::codec::{Reader, Writer, prefixed_len, varint_len};

/// Octets of the longest reason.
///
/// Chosen because it holds a sentence and leaves room beside it in the smallest packet.
pub const CLOSE_REASON_LEN_MAX: usize = 256;

/// CLOSE: the end of the association. RFC 9000, 19.19, in one kind.
///
/// | octets | field  | meaning                                    |
/// |--------|--------|--------------------------------------------|
/// | 0      | kind   | 0x38                                       |
/// | varint | code   | why                                        |
/// | varint | length | octets of the reason, at most 256          |
/// | length | reason | the same in words, UTF-8, for people       |
///
/// ```
/// use keyway_wire::{CloseFrame, Frame, Frames};
///
/// let frame = CloseFrame { code: 64, reason: "bye" };
/// let octets = [0x38, 0x40, 0x40, 0x03, b'b', b'y', b'e'];
/// assert_eq!(Frames::new(&octets).next(), Some(Ok(Frame::Close(frame))));
/// ```
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct CloseFrame<'a> {
    /// Why.
    pub code: u64,
    /// The same in words, at most [`CLOSE_REASON_LEN_MAX`] octets. They come from the peer: print them as such, and
    /// escaped.
    pub reason: &'a str,
}

impl<'a> CloseFrame<'a> {
    /// Octets of the largest.
    pub const LEN_MAX: usize = 1 + 8 + prefixed_len(CLOSE_REASON_LEN_MAX);

    pub(super) fn parse(reader: &mut Reader<'a>) -> Result<Self, FrameError> {
        let code = reader.varint()?;
        let reason = reader.prefixed()?;
        if reason.len() > CLOSE_REASON_LEN_MAX {
            return Err(FrameError::ReasonTooLong {
                length: reason.len(),
            });
        }
        let reason = std::str::from_utf8(reason).map_err(|error| FrameError::ReasonNotText {
            valid: error.valid_up_to(),
        })?;
        Ok(Self { code, reason })
    }

    /// Octets that [`CloseFrame::emit`] writes.
    #[must_use]
    pub fn len(&self) -> usize {
        1 + varint_len(self.code) + prefixed_len(self.cut_reason().len())
    }

    /// Writes the frame and returns its length. A longer reason than [`CLOSE_REASON_LEN_MAX`] is cut before the character
    /// that does not fit.
    ///
    /// # Panics
    ///
    /// If `out` is shorter than [`CloseFrame::len`].
    pub fn emit(&self, out: &mut [u8]) -> usize {
        Writer::new(out)
            .octet(kind::CLOSE)
            .varint(self.code)
            .prefixed(self.cut_reason().as_bytes())
            .finish()
    }

    fn cut_reason(&self) -> &'a str {
        &self.reason[..self.reason.floor_char_boundary(CLOSE_REASON_LEN_MAX)]
    }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;
    use crate::frame::testing::{assert_golden, assert_round_trip, refusal};
    use crate::frame::{Frame, Frames};

    #[test]
    fn golden_bytes() {
        assert_golden(
            Frame::Close(CloseFrame {
                code: 64,
                reason: "bye",
            }),
            &[0x38, 0x40, 0x40, 0x03, b'b', b'y', b'e'],
        );
        assert_golden(
            Frame::Close(CloseFrame {
                code: 0,
                reason: "",
            }),
            &[0x38, 0x00, 0x00],
        );
    }

    #[test]
    fn the_largest_is_as_long_as_announced() {
        let reason = "x".repeat(256);
        let frame = CloseFrame {
            code: (1 << 62) - 1,
            reason: &reason,
        };
        assert_eq!(frame.len(), CloseFrame::LEN_MAX);
        assert_round_trip(Frame::Close(frame));
    }

    // R6.14
    #[test]
    fn a_reason_that_is_too_long_or_no_text_is_refused() {
        let long = [&[0x38, 0x00, 0x41, 0x01][..], &[b'x'; 257]].concat();
        assert_eq!(refusal(&long), FrameError::ReasonTooLong { length: 257 });
        assert_eq!(
            refusal(&[0x38, 0x00, 0x02, b'a', 0xff]),
            FrameError::ReasonNotText { valid: 1 }
        );
    }

    #[test]
    fn a_longer_reason_is_cut_between_characters() {
        let reason = "ä".repeat(128) + "ä";
        let shifted = format!("x{reason}");
        for (reason, kept) in [(&reason, 256), (&shifted, 255)] {
            let frame = CloseFrame { code: 0, reason };
            let mut out = [0; 300];
            let len = frame.emit(&mut out);
            assert_eq!(len, frame.len());
            let Some(Ok(Frame::Close(read))) = Frames::new(&out[..len]).next() else {
                panic!("refused")
            };
            assert_eq!(read.reason, &reason[..kept]);
        }
    }

    proptest! {
        #[test]
        fn what_is_written_is_read_back(code in 0u64..1 << 62, reason in "\\PC{0,64}") {
            prop_assume!(reason.len() <= 256);
            assert_round_trip(Frame::Close(CloseFrame { code, reason: &reason }));
        }
    }
}
