//! What has become of frames that were sent.

use std::ops::Range;

use keyway_wire::StreamId;

use super::schedule::Queue;
use super::stream::Stream;
use super::{StreamEvent, Streams};
use crate::sent_frame::SentFrame;

impl Streams {
    /// The peer has a frame. Frames of others than streams are ignored, as are those of streams that are over.
    pub(crate) fn on_acked(&mut self, frame: &SentFrame) {
        if self.ended.is_some() {
            return;
        }
        match *frame {
            SentFrame::Stream {
                stream,
                offset,
                len,
                fin,
            } => {
                self.on_stream_acked(stream, offset..offset + u64::from(len), fin);
            }
            SentFrame::Open(id) => {
                if let Some(stream) = self.table.get(id) {
                    stream.announcement = None;
                    self.reap(id);
                }
            }
            SentFrame::Reset(id) => {
                if let Some(stream) = self.table.get(id) {
                    stream.send.on_reset_acked();
                    self.reap(id);
                }
            }
            SentFrame::Stop(id) => {
                if let Some(stream) = self.table.get(id) {
                    stream.receive.on_stop_acked();
                }
            }
            SentFrame::MaxData
            | SentFrame::MaxStreamData(_)
            | SentFrame::MaxStreams
            | SentFrame::DataBlocked
            | SentFrame::StreamDataBlocked(_)
            | SentFrame::StreamsBlocked
            | SentFrame::Ack { .. }
            | SentFrame::NewCid(_)
            | SentFrame::RetireCid(_)
            | SentFrame::Candidates(_)
            | SentFrame::ObservedAddress(_)
            | SentFrame::Ping(_) => {}
        }
    }

    /// A frame was lost, or is to be repeated for a probe: it goes out again as far as it still means something. Frames of
    /// others than streams are ignored, as are those of streams that are over.
    pub(crate) fn on_lost(&mut self, frame: &SentFrame) {
        if self.ended.is_some() {
            return;
        }
        match *frame {
            SentFrame::Stream {
                stream,
                offset,
                len,
                fin,
            } => {
                self.on_stream_lost(stream, offset..offset + u64::from(len), fin);
            }
            SentFrame::Open(id) => self.on_control_lost(id, |stream| {
                stream
                    .announcement
                    .as_mut()
                    .is_some_and(|open| open.delivery.on_lost())
            }),
            SentFrame::Reset(id) => self.on_control_lost(id, |stream| stream.send.on_reset_lost()),
            SentFrame::Stop(id) => self.on_control_lost(id, |stream| stream.receive.on_stop_lost()),
            SentFrame::MaxStreamData(id) => {
                self.on_control_lost(id, |stream| stream.receive.on_credit_lost());
            }
            SentFrame::StreamDataBlocked(id) => {
                self.on_control_lost(id, |stream| stream.send.credit().on_blocked_lost());
            }
            SentFrame::MaxData => self.receive_credit.on_lost(),
            SentFrame::MaxStreams => self.table.peer.on_lost(),
            SentFrame::DataBlocked => {
                self.send_credit.on_blocked_lost();
            }
            SentFrame::StreamsBlocked => self.table.local.on_blocked_lost(),
            SentFrame::Ack { .. }
            | SentFrame::NewCid(_)
            | SentFrame::RetireCid(_)
            | SentFrame::Candidates(_)
            | SentFrame::ObservedAddress(_)
            | SentFrame::Ping(_) => {}
        }
    }

    fn on_stream_acked(&mut self, id: StreamId, range: Range<u64>, fin: bool) {
        let Some(stream) = self.table.get(id) else {
            return;
        };
        let was_delivered = stream.send.is_delivered();
        let freed = stream.send.on_acked(range, fin);
        let counts = stream.send.recount();
        if stream.send.wakes_writer(&self.limits) {
            self.events.push_back(StreamEvent::Writable(id));
        }
        if stream.send.is_delivered() && !was_delivered {
            self.events.push_back(StreamEvent::Delivered(id));
            self.reap(id);
        }
        self.free_send_memory(freed, counts);
    }

    fn on_stream_lost(&mut self, id: StreamId, range: Range<u64>, fin: bool) {
        let Some(stream) = self.table.get(id) else {
            return;
        };
        stream.send.on_lost(range, fin);
        if stream.send.next_lost().is_some() {
            self.schedule.enqueue(Queue::Lost, id, &mut stream.standing);
        }
        if fin {
            // It may be that only the end was lost: then it goes out alone.
            self.schedule
                .enqueue(Queue::Ready, id, &mut stream.standing);
        }
    }

    /// `lose` says whether the frame is to be sent again.
    fn on_control_lost(&mut self, id: StreamId, lose: impl FnOnce(&mut Stream) -> bool) {
        if let Some(stream) = self.table.get(id)
            && lose(stream)
        {
            self.schedule
                .enqueue(Queue::Control, id, &mut stream.standing);
        }
    }
}
