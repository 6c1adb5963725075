//! What the application asks for.

use bytes::Bytes;
use keyway_wire::{ServiceName, StreamId, StreamKind, VarInt};

use super::Streams;
use super::datagrams::{DatagramBudget, DatagramQueue};
use super::error::{OpenError, ReadError, SendDatagramError, WriteError};
use super::flow::ReceiveCredit;
use super::receive::ReceiveStream;
use super::schedule::Queue;
use super::send::Octets;
use crate::DatagramBuffer;

impl Streams {
    /// Opens a stream. It is announced to the peer at once, even if nothing is written.
    ///
    /// # Errors
    ///
    /// `LimitReached` as long as the peer grants no more streams, `Closed` after the end.
    pub(crate) fn open(
        &mut self,
        kind: StreamKind,
        service: &ServiceName,
    ) -> Result<StreamId, OpenError> {
        if self.ended.is_some() {
            return Err(OpenError::Closed);
        }
        let Some((id, stream)) = self.table.open(kind, service, &self.limits) else {
            self.opener_waits = true;
            self.table.local.want();
            return Err(OpenError::LimitReached);
        };
        self.schedule
            .enqueue(Queue::Control, id, &mut stream.standing);
        Ok(id)
    }

    /// Takes as much of `data` as there is room for and returns how much that is: 0 only of nothing.
    ///
    /// # Errors
    ///
    /// See [`WriteError`].
    pub(crate) fn write(&mut self, id: StreamId, data: &[u8]) -> Result<usize, WriteError> {
        self.append(id, data.len(), |count| Octets::Borrowed(&data[..count]))
    }

    /// The same without copying: what is taken is split off the front of `data`.
    ///
    /// # Errors
    ///
    /// See [`WriteError`].
    pub(crate) fn write_chunk(&mut self, id: StreamId, data: &mut Bytes) -> Result<(), WriteError> {
        self.append(id, data.len(), |count| Octets::Owned(data.split_to(count)))?;
        Ok(())
    }

    fn append<'a>(
        &mut self,
        id: StreamId,
        wanted: usize,
        take: impl FnOnce(usize) -> Octets<'a>,
    ) -> Result<usize, WriteError> {
        let stream = self.table.get(id).ok_or(WriteError::Unknown)?;
        if let Some(reason) = &self.ended {
            return Err(WriteError::Ended(reason.clone()));
        }
        let left = self.send_memory.left_for(stream.send.buffered());
        let admitted = stream.send.admit(wanted, left, &self.limits);
        if stream.send.waits_for_memory() {
            self.send_memory.wait(id);
        }
        let count = admitted?;
        stream.send.append(take(count));
        self.send_memory.take(count);
        if stream.may_send() && count > 0 {
            self.schedule
                .enqueue(Queue::Ready, id, &mut stream.standing);
        }
        Ok(count)
    }

    /// Nothing more will be written: the peer reads the end after everything that was. Changes nothing on a stream that
    /// has ended in this direction.
    pub(crate) fn finish(&mut self, id: StreamId) {
        if self.ended.is_some() {
            return;
        }
        if let Some(stream) = self.table.get(id) {
            stream.send.finish();
            if stream.may_send() {
                self.schedule
                    .enqueue(Queue::Ready, id, &mut stream.standing);
            }
        }
    }

    /// Gives up what the peer has not got; its reader is told the code. Changes nothing on a stream that has ended in this
    /// direction.
    pub(crate) fn reset(&mut self, id: StreamId, code: u64) {
        if self.ended.is_some() {
            return;
        }
        let Some(stream) = self.table.get(id) else {
            return;
        };
        let Some(freed) = stream.send.reset(code) else {
            return;
        };
        if let Some(flow) = &mut stream.flow {
            flow.outgoing.clear(&mut self.outgoing_datagrams);
        }
        self.schedule
            .enqueue(Queue::Control, id, &mut stream.standing);
        self.free_send_memory(freed);
    }

    /// Gives up what was not read and what may come; the peer's writer is told the code. Changes nothing on a stream that
    /// has ended in that direction. Whoever drops a stream calls this, so that its state can go.
    pub(crate) fn stop(&mut self, id: StreamId, code: u64) {
        let Some(stream) = self.table.get(id) else {
            return;
        };
        if let Some(flow) = &mut stream.flow {
            flow.incoming.clear(&mut self.incoming_datagrams);
        }
        if stream.receive.stop(code, &mut self.receive_credit) && self.ended.is_none() {
            self.schedule
                .enqueue(Queue::Control, id, &mut stream.standing);
        }
        self.reap(id);
    }

    /// Moves octets to `out` and returns how many: 0 only if `out` has no room and there is something to read.
    ///
    /// # Errors
    ///
    /// See [`ReadError`]. Once a stream ended in both directions and that was read, it is `Unknown`.
    pub(crate) fn read(&mut self, id: StreamId, out: &mut [u8]) -> Result<usize, ReadError> {
        self.read_by(id, |receive, credit| receive.read(out, credit))
    }

    /// The same without copying: at most `max` octets as they lie there, empty only if `max` is 0 and there are some.
    ///
    /// # Errors
    ///
    /// As [`read`](Self::read).
    pub(crate) fn read_chunk(&mut self, id: StreamId, max: usize) -> Result<Bytes, ReadError> {
        self.read_by(id, |receive, credit| receive.read_chunk(max, credit))
    }

    fn read_by<T>(
        &mut self,
        id: StreamId,
        read: impl FnOnce(&mut ReceiveStream, &mut ReceiveCredit) -> Result<T, ReadError>,
    ) -> Result<T, ReadError> {
        let stream = self.table.get(id).ok_or(ReadError::Unknown)?;
        let read = read(&mut stream.receive, &mut self.receive_credit);
        match (&read, &self.ended) {
            (Err(ReadError::Blocked), Some(reason)) => {
                return Err(ReadError::Ended(reason.clone()));
            }
            (Ok(_), None) => {
                if stream.receive.credit_due().is_some() {
                    self.schedule
                        .enqueue(Queue::Control, id, &mut stream.standing);
                }
            }
            (Err(_), None) => self.reap(id),
            (_, Some(_)) => {}
        }
        read
    }

    /// Octets of the longest datagram that can be sent at the moment; 0 if the peer takes none.
    pub(crate) fn max_datagram(&self) -> usize {
        // With its length, so that it fits whatever follows: 1 octet of kind, 8 of the flow, and the length.
        let length = VarInt::saturating(self.packet_room as u64).len();
        self.datagram_max
            .min(self.packet_room.saturating_sub(1 + 8 + length))
    }

    /// Queues a datagram. It may be lost without anybody being told.
    ///
    /// # Errors
    ///
    /// See [`SendDatagramError`].
    pub(crate) fn send_datagram(
        &mut self,
        flow: StreamId,
        data: &[u8],
    ) -> Result<(), SendDatagramError> {
        let max = self.max_datagram();
        self.queue_datagrams(flow, |queue, budget| {
            if data.len() > max {
                return Err(SendDatagramError::TooLarge { max });
            }
            Ok(queue.push(data, budget)?)
        })
    }

    /// Queues datagrams, as many as there is room for, and leaves the others. One that turns out too long is lost.
    ///
    /// # Errors
    ///
    /// See [`SendDatagramError`].
    pub(crate) fn send_datagrams(
        &mut self,
        flow: StreamId,
        datagrams: &mut DatagramBuffer,
    ) -> Result<(), SendDatagramError> {
        self.queue_datagrams(flow, |queue, budget| Ok(queue.append(datagrams, budget)?))
    }

    fn queue_datagrams(
        &mut self,
        flow: StreamId,
        queue: impl FnOnce(&mut DatagramQueue, &mut DatagramBudget) -> Result<(), SendDatagramError>,
    ) -> Result<(), SendDatagramError> {
        let max = self.max_datagram();
        let stream = self.table.get(flow).ok_or(SendDatagramError::Unknown)?;
        if let Some(reason) = &self.ended {
            return Err(SendDatagramError::Ended(reason.clone()));
        }
        if stream.kind != Some(StreamKind::Datagrams) {
            return Err(SendDatagramError::WrongKind);
        }
        stream.send.check_open()?;
        if max == 0 {
            return Err(SendDatagramError::TooLarge { max });
        }
        let outgoing = &mut stream.flow.get_or_insert_default().outgoing;
        let queued = queue(outgoing, &mut self.outgoing_datagrams);
        self.datagram_sender_waits |= queued == Err(SendDatagramError::QueueFull);
        if !outgoing.is_empty() && stream.may_send() {
            self.schedule
                .enqueue(Queue::Flows, flow, &mut stream.standing);
        }
        queued
    }

    /// The oldest datagram that was received, if there is one.
    pub(crate) fn recv_datagram(&mut self, flow: StreamId) -> Option<Bytes> {
        let flow = self.table.get(flow)?.flow.as_mut()?;
        let datagram = flow.incoming.pop(&mut self.incoming_datagrams);
        flow.told = datagram.is_some();
        datagram
    }

    /// Moves all datagrams that were received to the end of `datagrams`.
    pub(crate) fn recv_datagrams(&mut self, flow: StreamId, datagrams: &mut DatagramBuffer) {
        if let Some(flow) = self.table.get(flow).and_then(|stream| stream.flow.as_mut()) {
            flow.incoming
                .move_to(datagrams, &mut self.incoming_datagrams);
            flow.told = false;
        }
    }
}
