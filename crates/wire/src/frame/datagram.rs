use super::{FrameError, kind};
use crate::codec::{Reader, Writer, prefixed_len, varint_len};
use crate::stream_id::StreamId;

/// DATAGRAM: a message of a flow, which is not sent again when it is lost. RFC 9221, 4, with a flow added.
///
/// | octets | field  | meaning                                                          |
/// |--------|--------|------------------------------------------------------------------|
/// | 0      | kind   | 0x30, + 1: the length is there                                   |
/// | varint | flow   | the stream of kind datagrams that announced the flow             |
/// | varint | length | octets of the message; without it, it runs to the end of the packet |
/// | length | data   | the message                                                      |
///
/// ```
/// use keyway_wire::{DatagramFrame, Frame, Frames, StreamId};
///
/// let frame = DatagramFrame { flow: StreamId::new(64).unwrap(), data: b"abc" };
/// let octets = [0x31, 0x40, 0x40, 0x03, b'a', b'b', b'c'];
/// assert_eq!(Frames::new(&octets).next(), Some(Ok(Frame::Datagram(frame))));
/// ```
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct DatagramFrame<'a> {
    /// The stream of kind [`crate::StreamKind::Datagrams`] that announced the flow.
    pub flow: StreamId,
    /// The message; it may be empty.
    pub data: &'a [u8],
}

impl<'a> DatagramFrame<'a> {
    /// Octets of the largest, without its message.
    pub const OVERHEAD_MAX: usize = 1 + 8 + 8;

    pub(super) fn parse(first: u8, reader: &mut Reader<'a>) -> Result<Self, FrameError> {
        let flow = reader.stream()?;
        let data = if first & kind::DATAGRAM_LEN == 0 {
            reader.take_rest()
        } else {
            reader.prefixed()?
        };
        Ok(Self { flow, data })
    }

    /// Octets that [`DatagramFrame::emit`] writes.
    #[must_use]
    pub const fn len(&self) -> usize {
        1 + varint_len(self.flow.value()) + prefixed_len(self.data.len())
    }

    /// Octets that [`DatagramFrame::emit_to_end`] writes.
    #[must_use]
    pub const fn len_to_end(&self) -> usize {
        1 + varint_len(self.flow.value()) + self.data.len()
    }

    /// Writes the frame with its length and returns how many octets that took.
    ///
    /// # Panics
    ///
    /// If `out` is shorter than [`DatagramFrame::len`].
    pub fn emit(&self, out: &mut [u8]) -> usize {
        let mut writer = Writer::new(out);
        writer
            .octet(kind::DATAGRAM | kind::DATAGRAM_LEN)
            .varint(self.flow.value())
            .prefixed(self.data)
            .finish()
    }

    /// Writes the frame without its length, as the last of a packet, and returns how many octets that took.
    ///
    /// # Panics
    ///
    /// If `out` is shorter than [`DatagramFrame::len_to_end`].
    pub fn emit_to_end(&self, out: &mut [u8]) -> usize {
        Writer::new(out)
            .octet(kind::DATAGRAM)
            .varint(self.flow.value())
            .bytes(self.data)
            .finish()
    }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;
    use crate::frame::testing::{
        assert_golden, assert_refused_when_shorter, assert_round_trip, refusal,
    };
    use crate::frame::{Frame, Frames};

    fn frame(data: &[u8]) -> DatagramFrame<'_> {
        DatagramFrame {
            flow: StreamId::new(64).unwrap(),
            data,
        }
    }

    #[test]
    fn golden_bytes() {
        assert_golden(
            Frame::Datagram(frame(b"abc")),
            &[0x31, 0x40, 0x40, 0x03, b'a', b'b', b'c'],
        );
        assert_golden(Frame::Datagram(frame(b"")), &[0x31, 0x40, 0x40, 0x00]);
    }

    #[test]
    fn golden_bytes_to_the_end_of_the_packet() {
        let bytes = [0x30, 0x40, 0x40, b'a', b'b', b'c'];
        assert_eq!(
            Frames::new(&bytes).collect::<Vec<_>>(),
            [Ok(Frame::Datagram(frame(b"abc")))]
        );
        let mut out = [0xa5; 7];
        assert_eq!(frame(b"abc").emit_to_end(&mut out), bytes.len());
        assert_eq!(frame(b"abc").len_to_end(), bytes.len());
        assert_eq!(out, [0x30, 0x40, 0x40, b'a', b'b', b'c', 0xa5]);
        assert_refused_when_shorter(&bytes[..3]);
    }

    // L6, L10
    #[test]
    fn an_extreme_length_is_refused() {
        let bytes = [
            0x31, 0x04, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, b'a',
        ];
        assert!(matches!(
            refusal(&bytes),
            FrameError::Truncated { remaining: 1, .. }
        ));
    }

    proptest! {
        #[test]
        fn what_is_written_is_read_back(
            flow in 0u64..1 << 62, data in proptest::collection::vec(any::<u8>(), 0..200),
        ) {
            let frame = DatagramFrame { flow: StreamId::new(flow).unwrap(), data: &data };
            assert_round_trip(Frame::Datagram(frame));
            let mut out = vec![0xa5; frame.len_to_end()];
            prop_assert_eq!(frame.emit_to_end(&mut out), out.len());
            prop_assert_eq!(Frames::new(&out).next(), Some(Ok(Frame::Datagram(frame))));
        }
    }
}
