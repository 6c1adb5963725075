use super::{Frame, FrameError, kind};
use crate::codec::Reader;

/// The frames of an opened packet, in order.
///
/// PADDING is skipped. After an error there is nothing more: where the next frame would begin is unknown.
///
/// ```
/// use keyway_wire::{Frame, FrameError, Frames};
///
/// let mut frames = Frames::new(&[0x00, 0x01, 0x10]); // PADDING, PING, and a MAX_DATA that is cut off
/// assert_eq!(frames.next(), Some(Ok(Frame::Ping)));
/// assert!(matches!(frames.next(), Some(Err(FrameError::Truncated { .. }))));
/// assert_eq!(frames.next(), None);
/// ```
#[derive(Clone, Debug)]
pub struct Frames<'a> {
    reader: Reader<'a>,
}

impl<'a> Frames<'a> {
    /// Reads `payload`, which an authentic packet held, without its tag.
    #[must_use]
    pub const fn new(payload: &'a [u8]) -> Self {
        Self {
            reader: Reader::new(payload),
        }
    }
}

impl<'a> Iterator for Frames<'a> {
    type Item = Result<Frame<'a>, FrameError>;

    #[inline]
    fn next(&mut self) -> Option<Self::Item> {
        let first = loop {
            match self.reader.octet() {
                Ok(kind::PADDING) => {}
                Ok(first) => break first,
                Err(_) => return None,
            }
        };
        let frame = Frame::parse(first, &mut self.reader);
        if frame.is_err() {
            self.reader = Reader::new(&[]);
        }
        Some(frame)
    }
}

impl std::iter::FusedIterator for Frames<'_> {}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;
    use crate::frame::MaxDataFrame;

    #[test]
    fn frames_come_in_order_and_padding_is_skipped() {
        let payload = [0, 0, 0x01, 0, 0x10, 0x05, 0x01, 0, 0, 0];
        let frames: Vec<_> = Frames::new(&payload).map(Result::unwrap).collect();
        assert_eq!(
            frames,
            [
                Frame::Ping,
                Frame::MaxData(MaxDataFrame { max: 5 }),
                Frame::Ping
            ]
        );
    }

    #[test]
    fn an_empty_payload_holds_nothing() {
        assert_eq!(Frames::new(&[]).next(), None);
        assert_eq!(Frames::new(&[0; 1_200]).next(), None);
    }

    #[test]
    fn after_an_error_there_is_nothing() {
        let mut frames = Frames::new(&[0x01, 0x3f, 0x01, 0x01]);
        assert_eq!(frames.next(), Some(Ok(Frame::Ping)));
        assert_eq!(
            frames.next(),
            Some(Err(FrameError::UnknownKind { kind: 0x3f }))
        );
        assert_eq!(frames.next(), None);
        assert_eq!(frames.next(), None);
    }

    // R6.2, R6.3
    // RFC 9000, 12.4: a kind in more octets than needed is no kind.
    #[test]
    fn kinds_that_are_not_listed_are_refused() {
        let listed = [
            0x00, 0x01, 0x02, 0x04, 0x05, 0x06, 0x08, 0x09, 0x0a, 0x0b, 0x10, 0x11, 0x12, 0x14,
            0x15, 0x16, 0x18, 0x19, 0x1a, 0x1b, 0x20, 0x21, 0x30, 0x31, 0x38,
        ];
        for kind in (0..=255).filter(|kind| !listed.contains(kind)) {
            let payload = [kind; 64];
            assert_eq!(
                Frames::new(&payload).next(),
                Some(Err(FrameError::UnknownKind { kind }))
            );
        }
    }

    proptest! {
        // P4, L6
        #[test]
        fn no_octets_panic(payload in proptest::collection::vec(any::<u8>(), 0..200)) {
            for frame in Frames::new(&payload) {
                let _ = frame;
            }
        }
    }
}
