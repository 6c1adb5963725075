use super::{FrameError, kind};
use crate::codec::{Reader, Writer, prefixed_len, varint_len};
use crate::stream_id::StreamId;
use crate::varint::VarInt;

/// STREAM: octets of a stream, and where in it they belong. RFC 9000, 19.8; the offset is always there.
///
/// | octets | field  | meaning                                                              |
/// |--------|--------|----------------------------------------------------------------------|
/// | 0      | kind   | 0x08, + 1: the stream ends with these data, + 2: the length is there |
/// | varint | stream | the stream                                                           |
/// | varint | offset | octets of the stream before these                                    |
/// | varint | length | octets of data; without it, they run to the end of the packet        |
/// | length | data   | no octet of them lies at or above offset 2^62 - 1                    |
///
/// ```
/// use keyway_wire::{Frame, Frames, StreamFrame, StreamId};
///
/// let frame = StreamFrame { stream: StreamId::new(4).unwrap(), offset: 64, fin: false, data: b"abc" };
/// let octets = [0x0a, 0x04, 0x40, 0x40, 0x03, b'a', b'b', b'c'];
/// assert_eq!(Frames::new(&octets).next(), Some(Ok(Frame::Stream(frame))));
/// ```
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct StreamFrame<'a> {
    /// The stream.
    pub stream: StreamId,
    /// Octets of the stream before these.
    pub offset: u64,
    /// Whether the stream ends with these data.
    pub fin: bool,
    /// The octets; there may be none.
    pub data: &'a [u8],
}

impl<'a> StreamFrame<'a> {
    /// Octets of the largest, without its data.
    pub const OVERHEAD_MAX: usize = 1 + 8 + 8 + 8;

    #[inline]
    pub(super) fn parse(first: u8, reader: &mut Reader<'a>) -> Result<Self, FrameError> {
        let stream = reader.stream()?;
        let offset = reader.varint()?;
        let data = if first & kind::STREAM_LEN == 0 {
            reader.take_rest()
        } else {
            reader.prefixed()?
        };
        if offset + data.len() as u64 > VarInt::MAX.value() {
            return Err(FrameError::OffsetTooLarge {
                offset,
                length: data.len(),
            });
        }
        Ok(Self {
            stream,
            offset,
            fin: first & kind::STREAM_FIN != 0,
            data,
        })
    }

    /// Octets that [`StreamFrame::emit`] writes.
    #[must_use]
    pub const fn len(&self) -> usize {
        self.len_to_end() - self.data.len() + prefixed_len(self.data.len())
    }

    /// Octets that [`StreamFrame::emit_to_end`] writes.
    #[must_use]
    pub const fn len_to_end(&self) -> usize {
        Self::header_len(self.stream, self.offset, None) + self.data.len()
    }

    /// Writes the frame with its length and returns how many octets that took.
    ///
    /// # Panics
    ///
    /// If `out` is shorter than [`StreamFrame::len`].
    #[inline]
    pub fn emit(&self, out: &mut [u8]) -> usize {
        self.emit_as(Some(self.data.len()), out)
    }

    /// Writes the frame without its length, as the last of a packet, and returns how many octets that took.
    ///
    /// # Panics
    ///
    /// If `out` is shorter than [`StreamFrame::len_to_end`].
    #[inline]
    pub fn emit_to_end(&self, out: &mut [u8]) -> usize {
        self.emit_as(None, out)
    }

    fn emit_as(&self, length: Option<usize>, out: &mut [u8]) -> usize {
        let mut writer = Writer::new(out);
        write_header(self.stream, self.offset, self.fin, length, &mut writer);
        writer.bytes(self.data).finish()
    }

    /// Octets that [`StreamFrame::emit_header`] writes.
    #[inline]
    #[must_use]
    pub const fn header_len(stream: StreamId, offset: u64, length: Option<usize>) -> usize {
        let length = match length {
            Some(length) => varint_len(length as u64),
            None => 0,
        };
        1 + varint_len(stream.value()) + varint_len(offset) + length
    }

    /// Writes all but the data and returns how many octets that took, for who copies the data behind it from more than
    /// one place. With no `length`, the data run to the end of the packet.
    ///
    /// # Panics
    ///
    /// If `out` is shorter than [`StreamFrame::header_len`].
    #[inline]
    pub fn emit_header(
        stream: StreamId,
        offset: u64,
        fin: bool,
        length: Option<usize>,
        out: &mut [u8],
    ) -> usize {
        let mut writer = Writer::new(out);
        write_header(stream, offset, fin, length, &mut writer);
        writer.finish()
    }
}

fn write_header(
    stream: StreamId,
    offset: u64,
    fin: bool,
    length: Option<usize>,
    writer: &mut Writer<'_>,
) {
    let fin = if fin { kind::STREAM_FIN } else { 0 };
    let with_length = if length.is_some() {
        kind::STREAM_LEN
    } else {
        0
    };
    writer
        .octet(kind::STREAM | with_length | fin)
        .varint(stream.value())
        .varint(offset);
    if let Some(length) = length {
        writer.varint(length as u64);
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

    const LAST: u64 = (1 << 62) - 1;

    fn frame(offset: u64, fin: bool, data: &[u8]) -> StreamFrame<'_> {
        StreamFrame {
            stream: StreamId::new(4).unwrap(),
            offset,
            fin,
            data,
        }
    }

    #[test]
    fn golden_bytes() {
        assert_golden(
            Frame::Stream(frame(64, false, b"abc")),
            &[0x0a, 0x04, 0x40, 0x40, 0x03, b'a', b'b', b'c'],
        );
        assert_golden(
            Frame::Stream(frame(0, true, b"")),
            &[0x0b, 0x04, 0x00, 0x00],
        );
    }

    #[test]
    fn golden_bytes_to_the_end_of_the_packet() {
        let cases: [(StreamFrame<'_>, &[u8]); 2] = [
            (
                frame(64, false, b"abc"),
                &[0x08, 0x04, 0x40, 0x40, b'a', b'b', b'c'],
            ),
            (frame(64, true, b""), &[0x09, 0x04, 0x40, 0x40]),
        ];
        for (frame, bytes) in cases {
            assert_eq!(
                Frames::new(bytes).collect::<Vec<_>>(),
                [Ok(Frame::Stream(frame))]
            );
            let mut out = [0xa5; 10];
            assert_eq!(frame.emit_to_end(&mut out), bytes.len());
            assert_eq!(frame.len_to_end(), bytes.len());
            assert_eq!(out[..bytes.len()], *bytes);
            assert_eq!(out[bytes.len()], 0xa5);
            assert_refused_when_shorter(&bytes[..4]);
        }
    }

    // L6, R6.9; RFC 9000, 19.8: "the largest offset delivered on a stream ... cannot exceed 2^62-1".
    #[test]
    fn data_that_end_above_the_largest_offset_are_refused() {
        assert_round_trip(Frame::Stream(frame(LAST, true, b"")));
        assert_round_trip(Frame::Stream(frame(LAST - 3, true, b"abc")));
        for first in [0x08, 0x0a] {
            let mut bytes = vec![first, 0x04, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff];
            if first == 0x0a {
                bytes.push(1);
            }
            bytes.push(b'a');
            assert_eq!(
                refusal(&bytes),
                FrameError::OffsetTooLarge {
                    offset: LAST,
                    length: 1
                }
            );
        }
    }

    // L6, L10
    #[test]
    fn an_extreme_length_is_refused() {
        let bytes = [
            0x0a, 0x04, 0x00, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, b'a',
        ];
        assert!(matches!(
            refusal(&bytes),
            FrameError::Truncated { remaining: 1, .. }
        ));
    }

    #[test]
    fn the_largest_header_is_as_long_as_announced() {
        let stream = StreamId::new(LAST).unwrap();
        assert_eq!(
            StreamFrame::header_len(stream, LAST, Some(usize::MAX)),
            StreamFrame::OVERHEAD_MAX
        );
    }

    proptest! {
        #[test]
        fn what_is_written_is_read_back(
            stream in 0u64..1 << 62, offset in 0u64..(1 << 62) - 200, fin: bool,
            data in proptest::collection::vec(any::<u8>(), 0..200),
        ) {
            let frame = StreamFrame { stream: StreamId::new(stream).unwrap(), offset, fin, data: &data };
            assert_round_trip(Frame::Stream(frame));
            let mut out = vec![0xa5; frame.len_to_end()];
            prop_assert_eq!(frame.emit_to_end(&mut out), out.len());
            prop_assert_eq!(Frames::new(&out).next(), Some(Ok(Frame::Stream(frame))));
        }
    }
}
