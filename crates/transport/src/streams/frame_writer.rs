//! Frames into the rest of a packet.

use std::ops::Range;

use keyway_wire::{DatagramFrame, Frame, StreamFrame, StreamId};

use super::send::SendStream;
use crate::sent_frame::{SentFrame, SentFrames};

/// Fewer octets of a stream than this are not worth a frame, unless there are no more: the header takes up to 25.
const PIECE_MIN: usize = 64;

/// Writes frames one after the other and notes what has to be remembered of them.
pub(super) struct FrameWriter<'a> {
    out: &'a mut [u8],
    written: usize,
    sent: &'a mut SentFrames,
}

impl<'a> FrameWriter<'a> {
    pub(super) fn new(out: &'a mut [u8], sent: &'a mut SentFrames) -> Self {
        Self {
            out,
            written: 0,
            sent,
        }
    }

    /// Octets written.
    pub(super) fn written(&self) -> usize {
        self.written
    }

    /// Octets of all that may be written.
    pub(super) fn len(&self) -> usize {
        self.out.len()
    }

    fn room(&self) -> usize {
        self.out.len() - self.written
    }

    /// Writes a frame and notes it; whether it fits.
    pub(super) fn put(&mut self, frame: &Frame<'_>, note: SentFrame) -> bool {
        let fits = frame.len() <= self.room();
        if fits {
            self.written += frame.emit(&mut self.out[self.written..]);
            self.sent.push(note);
        }
        fits
    }

    /// Writes a datagram; whether it fits. Nobody remembers it.
    pub(super) fn put_datagram(&mut self, flow: StreamId, data: &[u8]) -> bool {
        let frame = DatagramFrame { flow, data };
        let rest = &mut self.out[self.written..];
        if frame.len_to_end() == rest.len() {
            self.written += frame.emit_to_end(rest);
        } else if frame.len() <= rest.len() {
            self.written += frame.emit(rest);
        } else {
            return false;
        }
        true
    }

    /// Writes a STREAM frame with as much of `range` as fits, copied straight from the buffer, and notes it. Returns how
    /// much that is; `None` if no frame is worth the room that is left.
    pub(super) fn put_stream(
        &mut self,
        id: StreamId,
        send: &SendStream,
        range: Range<u64>,
    ) -> Option<Range<u64>> {
        let wanted = usize::try_from(range.end - range.start).unwrap_or(usize::MAX);
        let (count, length) = self.fit(id, range.start, wanted)?;
        let end = range.start + count as u64;
        let fin = send.ends_at(end);
        let rest = &mut self.out[self.written..];
        let header = StreamFrame::emit_header(id, range.start, fin, length, rest);
        send.read(range.start, &mut rest[header..header + count]);
        self.written += header + count;
        let len = u32::try_from(count).expect("a packet is shorter than 64 KiB");
        self.sent.push(SentFrame::Stream {
            stream: id,
            offset: range.start,
            len,
            fin,
        });
        Some(range.start..end)
    }

    /// How many of the `wanted` octets fit, and the length to write: none if they fill the packet to its last octet.
    fn fit(&self, id: StreamId, offset: u64, wanted: usize) -> Option<(usize, Option<usize>)> {
        let to_end = self
            .room()
            .checked_sub(StreamFrame::header_len(id, offset, None))?;
        if wanted >= to_end {
            return (to_end >= wanted.min(PIECE_MIN)).then_some((to_end, None));
        }
        // The length takes up to four octets, which may just be missing: then the last of the octets go separately.
        let header = StreamFrame::header_len(id, offset, Some(wanted));
        let count = wanted.min(self.room().checked_sub(header)?);
        (count >= wanted.min(PIECE_MIN)).then_some((count, Some(count)))
    }
}

#[cfg(test)]
#[expect(
    clippy::cast_possible_truncation,
    reason = "numbers of tests are small"
)]
mod tests {
    use keyway_wire::{Frames, MaxDataFrame};

    use super::super::limits::StreamLimits;
    use super::*;

    const ID: StreamId = match StreamId::new(4) {
        Some(id) => id,
        None => unreachable!(),
    };

    fn stream_with(octets: usize) -> SendStream {
        let limits = StreamLimits::default();
        let mut send = SendStream::new(1 << 20, &limits);
        assert_eq!(send.write(&vec![7; octets], u64::MAX, &limits), Ok(octets));
        send.finish();
        send
    }

    /// Writes the stream into `room` octets; the frame's length and whether it said so.
    fn put(octets: usize, room: usize) -> Option<(usize, bool)> {
        let (mut out, mut sent) = (vec![0xa5; room], SentFrames::new());
        let mut writer = FrameWriter::new(&mut out, &mut sent);
        let range = writer.put_stream(ID, &stream_with(octets), 0..octets as u64);
        let written = writer.written();
        let Some(range) = range else {
            assert_eq!((written, sent.len()), (0, 0));
            return None;
        };
        let Some(Ok(Frame::Stream(frame))) = Frames::new(&out[..written]).next() else {
            panic!("not a stream frame");
        };
        let len = range.end as usize;
        assert_eq!((frame.offset, frame.data), (0, &vec![7; len][..]));
        assert_eq!(frame.fin, len == octets);
        assert_eq!(
            sent[0],
            SentFrame::Stream {
                stream: ID,
                offset: 0,
                len: len as u32,
                fin: frame.fin
            }
        );
        Some((len, written < room))
    }

    #[test]
    fn a_frame_that_fills_the_packet_needs_no_length() {
        assert_eq!(put(1000, 500), Some((497, false)));
        assert_eq!(put(497, 500), Some((497, false)));
    }

    #[test]
    fn a_frame_that_does_not_says_its_length() {
        assert_eq!(put(400, 500), Some((400, true)));
        assert_eq!(put(495, 500), Some((495, false)));
        assert_eq!(put(0, 500), Some((0, true)));
    }

    #[test]
    fn octets_for_which_the_length_leaves_no_room_go_separately() {
        assert_eq!(put(496, 500), Some((495, false)));
    }

    #[test]
    fn no_frame_is_written_for_a_few_octets_of_many() {
        assert_eq!(put(1000, 66), None);
        assert_eq!(put(1000, 67), Some((64, false)));
        assert_eq!(put(10, 13), Some((10, false)));
        assert_eq!(put(10, 12), None);
        assert_eq!(put(10, 2), None);
        assert_eq!(put(0, 3), Some((0, false)));
        assert_eq!(put(0, 2), None);
    }

    #[test]
    fn what_does_not_fit_leaves_no_trace() {
        let (mut out, mut sent) = ([0xa5; 4], SentFrames::new());
        let mut writer = FrameWriter::new(&mut out, &mut sent);
        let frame = Frame::MaxData(MaxDataFrame { max: 1 << 40 });
        assert!(!writer.put(&frame, SentFrame::MaxData));
        assert!(!writer.put_datagram(ID, &[1, 2, 3]));
        assert!(writer.put_datagram(ID, &[1, 2]));
        assert_eq!(writer.written(), 4);
        assert_eq!(out, [0x30, 4, 1, 2]);
        assert!(sent.is_empty());
    }
}
