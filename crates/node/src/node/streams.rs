//! Streams and datagrams: each call goes to the association that the key names.

use bytes::Bytes;
use keyway_transport::{DatagramBuffer, OpenError, ReadError, SendDatagramError, WriteError};
use keyway_wire::{ServiceName, StreamKind};

use super::Node;
use crate::keys::{AssociationKey, StreamKey};

impl Node {
    /// Opens a stream, or a flow of datagrams, to a service of the peer. It is announced at once.
    ///
    /// # Errors
    /// [`OpenError::LimitReached`]: wait for [`Event::StreamsAvailable`](crate::Event::StreamsAvailable).
    /// [`OpenError::Closed`]: the association is gone; connect again.
    pub fn open(
        &mut self,
        association: AssociationKey,
        kind: StreamKind,
        service: &ServiceName,
    ) -> Result<StreamKey, OpenError> {
        let known = self.worker.touch(association).ok_or(OpenError::Closed)?;
        Ok(StreamKey {
            association,
            stream: known.open(kind, service)?,
        })
    }

    /// Takes as much of `data` as there is room for and returns how much that was.
    ///
    /// # Errors
    /// [`WriteError::Blocked`]: wait for [`Event::Writable`](crate::Event::Writable). The others are final.
    pub fn write(&mut self, stream: StreamKey, data: &[u8]) -> Result<usize, WriteError> {
        let known = self
            .worker
            .touch(stream.association)
            .ok_or(WriteError::Unknown)?;
        known.write(stream.stream, data)
    }

    /// The same without copying: what is taken is split off the front of `data`.
    ///
    /// # Errors
    /// As [`write`](Self::write).
    pub fn write_chunk(&mut self, stream: StreamKey, data: &mut Bytes) -> Result<(), WriteError> {
        let known = self
            .worker
            .touch(stream.association)
            .ok_or(WriteError::Unknown)?;
        known.write_chunk(stream.stream, data)
    }

    /// Ends our half of the stream: the peer reads what was written, then the end.
    pub fn finish(&mut self, stream: StreamKey) {
        if let Some(association) = self.worker.touch(stream.association) {
            association.finish(stream.stream);
        }
    }

    /// Gives up our half of the stream: the peer's reads fail with `code`.
    pub fn reset(&mut self, stream: StreamKey, code: u64) {
        if let Some(association) = self.worker.touch(stream.association) {
            association.reset(stream.stream, code);
        }
    }

    /// Asks the peer to give up its half of the stream.
    pub fn stop(&mut self, stream: StreamKey, code: u64) {
        if let Some(association) = self.worker.touch(stream.association) {
            association.stop(stream.stream, code);
        }
    }

    /// Reads what has arrived, in order.
    ///
    /// # Errors
    /// [`ReadError::Blocked`]: wait for [`Event::Readable`](crate::Event::Readable). [`ReadError::Finished`]: the peer's half
    /// ended in order. The others say that it did not.
    pub fn read(&mut self, stream: StreamKey, out: &mut [u8]) -> Result<usize, ReadError> {
        let known = self
            .worker
            .touch(stream.association)
            .ok_or(ReadError::Unknown)?;
        known.read(stream.stream, out)
    }

    /// The same without copying: at most `max` octets as they lie there, up to 64 KiB.
    ///
    /// # Errors
    /// As [`read`](Self::read).
    pub fn read_chunk(&mut self, stream: StreamKey, max: usize) -> Result<Bytes, ReadError> {
        let known = self
            .worker
            .touch(stream.association)
            .ok_or(ReadError::Unknown)?;
        known.read_chunk(stream.stream, max)
    }

    /// Queues one datagram of this flow. It may be lost, and it is not sent again.
    ///
    /// # Errors
    /// [`SendDatagramError::TooLarge`] names the size that fits at the moment; [`SendDatagramError::QueueFull`] passes.
    pub fn send_datagram(&mut self, flow: StreamKey, data: &[u8]) -> Result<(), SendDatagramError> {
        let known = self
            .worker
            .touch(flow.association)
            .ok_or(SendDatagramError::Unknown)?;
        known.send_datagram(flow.stream, data)
    }

    /// Queues datagrams of this flow, as many as there is room for, and leaves the others in `datagrams`. One that is longer than
    /// a packet takes by now is lost.
    ///
    /// # Errors
    /// As [`send_datagram`](Self::send_datagram).
    pub fn send_datagrams(
        &mut self,
        flow: StreamKey,
        datagrams: &mut DatagramBuffer,
    ) -> Result<(), SendDatagramError> {
        let known = self
            .worker
            .touch(flow.association)
            .ok_or(SendDatagramError::Unknown)?;
        known.send_datagrams(flow.stream, datagrams)
    }

    /// Moves all datagrams that arrived in this flow to the end of `datagrams`.
    pub fn recv_datagrams(&mut self, flow: StreamKey, datagrams: &mut DatagramBuffer) {
        if let Some(known) = self.worker.touch(flow.association) {
            known.recv_datagrams(flow.stream, datagrams);
        }
    }

    /// The oldest datagram that arrived in this flow.
    pub fn recv_datagram(&mut self, flow: StreamKey) -> Option<Bytes> {
        self.worker
            .touch(flow.association)?
            .recv_datagram(flow.stream)
    }

    /// The largest datagram that the selected path takes, in octets; zero where there is none.
    #[must_use]
    pub fn max_datagram(&self, association: AssociationKey) -> usize {
        self.worker
            .get(association)
            .map_or(0, keyway_transport::Association::max_datagram)
    }
}
