//! Frames that came.

use keyway_wire::{
    DataBlockedFrame, DatagramFrame, MaxDataFrame, MaxStreamDataFrame, MaxStreamsFrame, OpenFrame,
    ResetFrame, ServiceName, StopFrame, StreamDataBlockedFrame, StreamFrame, StreamKind,
    StreamsBlockedFrame,
};

use super::schedule::Queue;
use super::table::Touched;
use super::{Accepted, StreamEvent, StreamViolation, Streams};

/// Each takes one frame from an authentic packet. A frame about a stream that is over changes nothing: it was sent before
/// the peer knew. Frames of a packet that was dropped because of a later one may come again.
///
/// # Errors
///
/// A [`StreamViolation`] says that no honest peer would have sent the frame: the association is to be closed.
impl Streams {
    pub(crate) fn on_open(&mut self, frame: &OpenFrame<'_>) -> Result<Accepted, StreamViolation> {
        let id = frame.stream;
        if self.table.is_ours(id) {
            return Err(StreamViolation::NotTheirs { stream: id });
        }
        let Ok(service) = frame.service.parse::<ServiceName>() else {
            // Parsing the frame has checked the name.
            return Ok(Accepted::Yes);
        };
        let stream = match self.table.touch(id, &self.limits)? {
            Touched::Stream(stream) if stream.kind.is_none() => stream,
            Touched::Stream(_) | Touched::Over => return Ok(Accepted::Yes),
            Touched::NoMemory => return Ok(Accepted::Dropped),
        };
        if frame.kind == StreamKind::Bytes && stream.flow.is_some() {
            return Err(StreamViolation::NoFlow { stream: id });
        }
        stream.kind = Some(frame.kind);
        self.events.push_back(StreamEvent::Opened {
            stream: id,
            kind: frame.kind,
            service,
        });
        // What came before it could not be told before.
        if stream.receive.wakes_reader() {
            self.events.push_back(StreamEvent::Readable(id));
        }
        if let Some(code) = stream.send.stopped() {
            self.events
                .push_back(StreamEvent::Stopped { stream: id, code });
        }
        if let Some(flow) = stream
            .flow
            .as_mut()
            .filter(|flow| !flow.incoming.is_empty())
        {
            flow.told = true;
            self.events.push_back(StreamEvent::DatagramReceived(id));
        }
        Ok(Accepted::Yes)
    }

    pub(crate) fn on_stream(
        &mut self,
        frame: &StreamFrame<'_>,
    ) -> Result<Accepted, StreamViolation> {
        let id = frame.stream;
        if frame.data.is_empty() && !frame.fin {
            // It says nothing: not worth a stream, though RFC 9000, 19.8 lets it open one.
            self.table.check(id)?;
            return Ok(Accepted::Yes);
        }
        let stream = match self.table.touch(id, &self.limits)? {
            Touched::Stream(stream) => stream,
            Touched::Over => return Ok(Accepted::Yes),
            Touched::NoMemory => return Ok(Accepted::Dropped),
        };
        let accepted =
            stream
                .receive
                .on_data(frame, &mut self.receive_credit, self.limits.gaps_max)?;
        if stream.kind.is_some() && stream.receive.wakes_reader() {
            self.events.push_back(StreamEvent::Readable(id));
        }
        if frame.fin {
            self.reap(id);
        }
        Ok(accepted)
    }

    pub(crate) fn on_reset(&mut self, frame: &ResetFrame) -> Result<Accepted, StreamViolation> {
        let id = frame.stream;
        let stream = match self.table.touch(id, &self.limits)? {
            Touched::Stream(stream) => stream,
            Touched::Over => return Ok(Accepted::Yes),
            Touched::NoMemory => return Ok(Accepted::Dropped),
        };
        stream.receive.on_reset(frame, &mut self.receive_credit)?;
        if stream.kind.is_some() && stream.receive.wakes_reader() {
            self.events.push_back(StreamEvent::Readable(id));
        }
        self.reap(id);
        Ok(Accepted::Yes)
    }

    pub(crate) fn on_stop(&mut self, frame: &StopFrame) -> Result<Accepted, StreamViolation> {
        let id = frame.stream;
        let stream = match self.table.touch(id, &self.limits)? {
            Touched::Stream(stream) => stream,
            Touched::Over => return Ok(Accepted::Yes),
            Touched::NoMemory => return Ok(Accepted::Dropped),
        };
        let Some(freed) = stream.send.stop(frame.code) else {
            return Ok(Accepted::Yes);
        };
        if let Some(flow) = &mut stream.flow {
            flow.outgoing.clear(&mut self.outgoing_datagrams);
        }
        self.schedule
            .enqueue(Queue::Control, id, &mut stream.standing);
        if stream.kind.is_some() {
            self.events.push_back(StreamEvent::Stopped {
                stream: id,
                code: frame.code,
            });
        }
        let counts = stream.send.recount();
        self.free_send_memory(freed, counts);
        Ok(Accepted::Yes)
    }

    pub(crate) fn on_max_data(
        &mut self,
        frame: &MaxDataFrame,
    ) -> Result<Accepted, StreamViolation> {
        if self.send_credit.raise(frame.max) {
            self.schedule.unblock();
        }
        Ok(Accepted::Yes)
    }

    pub(crate) fn on_max_stream_data(
        &mut self,
        frame: &MaxStreamDataFrame,
    ) -> Result<Accepted, StreamViolation> {
        let id = frame.stream;
        if frame.max <= self.table.first_credit() && self.table.check(id)? {
            // It says nothing new: not worth a stream.
            return Ok(Accepted::Yes);
        }
        let stream = match self.table.touch(id, &self.limits)? {
            Touched::Stream(stream) => stream,
            Touched::Over => return Ok(Accepted::Yes),
            Touched::NoMemory => return Ok(Accepted::Dropped),
        };
        if stream.send.raise(frame.max) && stream.may_send() {
            self.schedule
                .enqueue(Queue::Ready, id, &mut stream.standing);
        }
        Ok(Accepted::Yes)
    }

    pub(crate) fn on_max_streams(
        &mut self,
        frame: &MaxStreamsFrame,
    ) -> Result<Accepted, StreamViolation> {
        if self.table.local.allow(frame.max) && std::mem::take(&mut self.opener_waits) {
            self.events.push_back(StreamEvent::StreamsAvailable);
        }
        Ok(Accepted::Yes)
    }

    /// For diagnosis only: credit is given as data are read.
    #[expect(clippy::unused_self, reason = "one of a family")]
    pub(crate) fn on_data_blocked(
        &mut self,
        _frame: &DataBlockedFrame,
    ) -> Result<Accepted, StreamViolation> {
        Ok(Accepted::Yes)
    }

    /// For diagnosis only: credit is given as data are read.
    pub(crate) fn on_stream_data_blocked(
        &mut self,
        frame: &StreamDataBlockedFrame,
    ) -> Result<Accepted, StreamViolation> {
        self.table.check(frame.stream)?;
        Ok(Accepted::Yes)
    }

    /// For diagnosis only: streams are granted as others end.
    #[expect(clippy::unused_self, reason = "one of a family")]
    pub(crate) fn on_streams_blocked(
        &mut self,
        _frame: &StreamsBlockedFrame,
    ) -> Result<Accepted, StreamViolation> {
        Ok(Accepted::Yes)
    }

    pub(crate) fn on_datagram(
        &mut self,
        frame: &DatagramFrame<'_>,
    ) -> Result<Accepted, StreamViolation> {
        let id = frame.flow;
        let stream = match self.table.touch(id, &self.limits)? {
            Touched::Stream(stream) => stream,
            Touched::Over => return Ok(Accepted::Yes),
            Touched::NoMemory => return Ok(Accepted::Dropped),
        };
        if stream.kind == Some(StreamKind::Bytes) {
            return Err(StreamViolation::NoFlow { stream: id });
        }
        if !stream.receive.is_receiving() {
            return Ok(Accepted::Yes);
        }
        let flow = stream.flow.get_or_insert_default();
        flow.incoming
            .push_dropping_oldest(frame.data, &mut self.incoming_datagrams);
        if stream.kind.is_some() && !flow.told && !flow.incoming.is_empty() {
            flow.told = true;
            self.events.push_back(StreamEvent::DatagramReceived(id));
        }
        Ok(Accepted::Yes)
    }
}
