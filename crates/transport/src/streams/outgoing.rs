//! Frames to send.

use std::ops::Range;
use std::time::Duration;

use keyway_wire::{
    DataBlockedFrame, Frame, MaxDataFrame, MaxStreamDataFrame, MaxStreamsFrame, OpenFrame,
    ResetFrame, StopFrame, StreamDataBlockedFrame, StreamId, StreamsBlockedFrame, Time,
};

use super::delivery::Delivery;
use super::frame_writer::FrameWriter;
use super::schedule::Queue;
use super::send::Next;
use super::stream::Stream;
use super::{StreamEvent, Streams};
use crate::sent_frame::{SentFrame, SentFrames};

impl Streams {
    /// Writes what is to be said about streams into the rest of a packet, before anything is said on them: OPEN, RESET,
    /// STOP, credit, and the want of it. Notes what it wrote in `sent` and returns how many octets that took. `rtt` is that
    /// of the path in use: windows are tuned by it.
    pub(crate) fn write_control(
        &mut self,
        now: Time,
        rtt: Duration,
        out: &mut [u8],
        sent: &mut SentFrames,
    ) -> usize {
        let mut writer = FrameWriter::new(out, sent);
        if self.ended.is_none() && self.write_association(now, rtt, &mut writer) {
            self.write_about_streams(now, rtt, &mut writer);
        }
        writer.written()
    }

    /// Writes octets of streams and datagrams into the rest of a packet: what was lost first, then the streams and flows
    /// in turn. Notes in `sent` what is sent again if it is lost, and returns how many octets it wrote: with any, the
    /// packet asks for an acknowledgement, though it may carry only a datagram, of which nothing is noted.
    pub(crate) fn write_data(&mut self, out: &mut [u8], sent: &mut SentFrames) -> usize {
        let mut writer = FrameWriter::new(out, sent);
        if self.ended.is_some() || !self.write_lost(&mut writer) {
            return writer.written();
        }
        for queue in self.schedule.next_order() {
            match queue {
                Queue::Flows => self.write_datagrams(&mut writer),
                Queue::Ready | Queue::Lost | Queue::Control => self.write_new(&mut writer),
            }
        }
        writer.written()
    }

    /// Whether all of it fits. Granting twice is harmless, so what does not fit is simply granted again.
    fn write_association(
        &mut self,
        now: Time,
        rtt: Duration,
        writer: &mut FrameWriter<'_>,
    ) -> bool {
        if self.receive_credit.is_due() {
            let max = self.receive_credit.grant(now, rtt);
            if !writer.put(&Frame::MaxData(MaxDataFrame { max }), SentFrame::MaxData) {
                self.receive_credit.on_lost();
                return false;
            }
        }
        if self.table.peer.is_due() {
            let max = self.table.peer.grant();
            if !writer.put(
                &Frame::MaxStreams(MaxStreamsFrame { max }),
                SentFrame::MaxStreams,
            ) {
                self.table.peer.on_lost();
                return false;
            }
        }
        if let Some(limit) = self.send_credit.blocked_at() {
            if !writer.put(
                &Frame::DataBlocked(DataBlockedFrame { limit }),
                SentFrame::DataBlocked,
            ) {
                return false;
            }
            self.send_credit.on_blocked_sent();
        }
        if let Some(limit) = self.table.local.blocked_at() {
            if !writer.put(
                &Frame::StreamsBlocked(StreamsBlockedFrame { limit }),
                SentFrame::StreamsBlocked,
            ) {
                return false;
            }
            self.table.local.on_blocked_sent();
        }
        true
    }

    fn write_about_streams(&mut self, now: Time, rtt: Duration, writer: &mut FrameWriter<'_>) {
        while let Some(id) = self.schedule.first(Queue::Control) {
            let Some(stream) = self.table.get(id) else {
                self.schedule.dequeue(Queue::Control, None);
                continue;
            };
            let fits = stream.write_announcement(id, writer)
                && stream.write_ends(id, writer)
                && stream.write_credit(id, now, rtt, writer);
            if stream.may_send() {
                // The OPEN may have gone out just now, and held these back before.
                if stream.send.next_new(u64::MAX) != Next::Nothing {
                    self.schedule
                        .enqueue(Queue::Ready, id, &mut stream.standing);
                }
                if stream.has_datagrams() {
                    self.schedule
                        .enqueue(Queue::Flows, id, &mut stream.standing);
                }
            }
            if !fits {
                return;
            }
            self.schedule
                .dequeue(Queue::Control, Some(&mut stream.standing));
        }
    }

    /// Whether nothing that was lost is left to send.
    fn write_lost(&mut self, writer: &mut FrameWriter<'_>) -> bool {
        while let Some(id) = self.schedule.first(Queue::Lost) {
            let Some(stream) = self.table.get(id) else {
                self.schedule.dequeue(Queue::Lost, None);
                continue;
            };
            let Some(range) = stream.send.next_lost() else {
                self.schedule
                    .dequeue(Queue::Lost, Some(&mut stream.standing));
                continue;
            };
            let Some(written) = writer.put_stream(id, &stream.send, range) else {
                return false;
            };
            stream.send.on_sent(written);
        }
        true
    }

    /// Flows take turns by the datagram. One that does not fit into what is left waits for a packet that begins with it.
    fn write_datagrams(&mut self, writer: &mut FrameWriter<'_>) {
        let max = self.max_datagram();
        while let Some(id) = self.schedule.first(Queue::Flows) {
            let Some(stream) = self.table.get(id) else {
                self.schedule.dequeue(Queue::Flows, None);
                continue;
            };
            let Some(data) = stream.flow.as_ref().and_then(|flow| flow.outgoing.front()) else {
                self.schedule
                    .dequeue(Queue::Flows, Some(&mut stream.standing));
                // The end of the flow may have waited for them.
                self.schedule
                    .enqueue(Queue::Ready, id, &mut stream.standing);
                continue;
            };
            // One that is too long by now would block all others for ever.
            if data.len() <= max && !writer.put_datagram(id, data) {
                break;
            }
            if let Some(flow) = &mut stream.flow {
                flow.outgoing.discard(&mut self.outgoing_datagrams);
            }
            self.schedule.rotate(Queue::Flows);
        }
        if self.datagram_sender_waits && self.outgoing_datagrams.is_half_free() {
            self.datagram_sender_waits = false;
            self.events.push_back(StreamEvent::DatagramsUnblocked);
        }
    }

    /// Streams take turns by the quantum.
    fn write_new(&mut self, writer: &mut FrameWriter<'_>) {
        while let Some((id, mut range)) = self.next_new() {
            let turn = self.schedule.turn(writer.len()) as u64;
            range.end = range.end.min(range.start.saturating_add(turn));
            let Some(stream) = self.table.get(id) else {
                return;
            };
            let Some(written) = writer.put_stream(id, &stream.send, range) else {
                return;
            };
            let octets = stream.send.on_sent(written);
            self.send_credit.spend(octets);
            self.schedule
                .spend_turn(usize::try_from(octets).unwrap_or(usize::MAX));
            if stream.send.wakes_writer(&self.limits) {
                self.events.push_back(StreamEvent::Writable(id));
            }
        }
    }

    /// The stream whose turn it is, and what it could send. Those before it that cannot leave the queue.
    fn next_new(&mut self) -> Option<(StreamId, Range<u64>)> {
        loop {
            let id = self.schedule.first(Queue::Ready)?;
            let Some(stream) = self.table.get(id) else {
                self.schedule.dequeue(Queue::Ready, None);
                continue;
            };
            let next = stream.send.next_new(self.send_credit.available());
            match next {
                // The end of a flow waits for its datagrams.
                Next::Octets(range) if !range.is_empty() || !stream.has_datagrams() => {
                    return Some((id, range));
                }
                Next::Blocked => {
                    self.schedule.block();
                    self.send_credit.want();
                    continue;
                }
                Next::StreamBlocked if stream.send.credit().want() => {
                    self.schedule
                        .enqueue(Queue::Control, id, &mut stream.standing);
                }
                Next::Octets(_) | Next::StreamBlocked | Next::Nothing => {}
            }
            self.schedule
                .dequeue(Queue::Ready, Some(&mut stream.standing));
        }
    }
}

/// Each writes what is due and returns whether all of that fits.
impl Stream {
    fn write_announcement(&mut self, id: StreamId, writer: &mut FrameWriter<'_>) -> bool {
        let Some(open) = self
            .announcement
            .as_mut()
            .filter(|open| open.delivery == Delivery::Due)
        else {
            return true;
        };
        let frame = OpenFrame {
            stream: id,
            kind: open.kind,
            service: open.service.as_str(),
        };
        if !writer.put(&Frame::Open(frame), SentFrame::Open(id)) {
            return false;
        }
        open.delivery.on_sent();
        open.sent = true;
        true
    }

    fn write_ends(&mut self, id: StreamId, writer: &mut FrameWriter<'_>) -> bool {
        if let Some((code, final_size)) = self.send.reset_due() {
            let frame = ResetFrame {
                stream: id,
                code,
                final_size,
            };
            if !writer.put(&Frame::Reset(frame), SentFrame::Reset(id)) {
                return false;
            }
            self.send.on_reset_sent();
        }
        if let Some(code) = self.receive.stop_due() {
            if !writer.put(
                &Frame::Stop(StopFrame { stream: id, code }),
                SentFrame::Stop(id),
            ) {
                return false;
            }
            self.receive.on_stop_sent();
        }
        true
    }

    fn write_credit(
        &mut self,
        id: StreamId,
        now: Time,
        rtt: Duration,
        writer: &mut FrameWriter<'_>,
    ) -> bool {
        if let Some(credit) = self.receive.credit_due() {
            let max = credit.grant(now, rtt);
            let frame = Frame::MaxStreamData(MaxStreamDataFrame { stream: id, max });
            if !writer.put(&frame, SentFrame::MaxStreamData(id)) {
                credit.on_lost();
                return false;
            }
        }
        if let Some(limit) = self.send.blocked_at() {
            let frame = Frame::StreamDataBlocked(StreamDataBlockedFrame { stream: id, limit });
            if !writer.put(&frame, SentFrame::StreamDataBlocked(id)) {
                return false;
            }
            self.send.credit().on_blocked_sent();
        }
        true
    }
}
