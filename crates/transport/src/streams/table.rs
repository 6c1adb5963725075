//! The streams that are not over, by their ids.

use std::collections::BTreeMap;
use std::sync::Arc;

use keyway_wire::{ServiceName, StreamId, StreamKind};

use super::error::StreamViolation;
use super::ids::{LocalIds, PeerIds, Sides, index};
use super::limits::{PeerLimits, StreamLimits};
use super::receive_memory::ReceiveMemory;
use super::stream::Stream;
use crate::memory::MemoryShare;

/// Streams in both directions. One that is over costs nothing: ids count up, so whatever was opened and is not here is
/// over.
#[derive(Debug)]
pub(super) struct Table {
    live: BTreeMap<StreamId, Box<Stream>>,
    sides: Sides,
    /// What the peer grants on a new stream.
    credit: u64,
    pub(super) local: LocalIds,
    pub(super) peer: PeerIds,
}

/// What became of a look for the stream that a frame is about.
#[derive(Debug)]
pub(super) enum Touched<'a> {
    /// It is there, by now.
    Stream(&'a mut Stream),
    /// It is over.
    Over,
    /// It would be new, and there is no memory for another one.
    NoMemory,
}

impl Table {
    pub(super) fn new(
        we_open_even: bool,
        limits: &StreamLimits,
        peer: &PeerLimits,
        share: &Arc<MemoryShare>,
    ) -> Self {
        Self {
            live: BTreeMap::new(),
            sides: Sides { we_open_even },
            credit: peer.max_stream_data,
            local: LocalIds::new(peer.max_streams),
            peer: PeerIds::new(limits, share),
        }
    }

    /// A stream that is not over.
    #[inline]
    pub(super) fn get(&mut self, id: StreamId) -> Option<&mut Stream> {
        self.live.get_mut(&id).map(Box::as_mut)
    }

    /// All of them, by id.
    pub(super) fn iter(&self) -> impl Iterator<Item = &Stream> {
        self.live.values().map(Box::as_ref)
    }

    /// All of them, by id.
    pub(super) fn iter_mut(&mut self) -> impl Iterator<Item = (StreamId, &mut Stream)> {
        self.live
            .iter_mut()
            .map(|(id, stream)| (*id, stream.as_mut()))
    }

    /// Gives back what empty buffers keep, and what a map keeps that was not empty once.
    pub(super) fn rest(&mut self, received: &mut ReceiveMemory) {
        if self.live.is_empty() {
            self.live = BTreeMap::new();
        }
        for (_, stream) in self.iter_mut() {
            stream.receive.trim(received);
        }
        self.peer.rest();
    }

    /// How many there are.
    #[cfg(test)]
    pub(super) fn len(&self) -> usize {
        self.live.len()
    }

    /// Opens a stream of ours, if the peer allows one more.
    pub(super) fn open(
        &mut self,
        kind: StreamKind,
        service: &ServiceName,
        limits: &StreamLimits,
    ) -> Option<(StreamId, &mut Stream)> {
        let id = self
            .local
            .open()
            .and_then(|index| self.sides.our_id(index))?;
        let stream = Stream::ours(kind, service.clone(), self.credit, limits);
        Some((id, self.live.entry(id).or_insert(Box::new(stream))))
    }

    /// The stream that a frame is about, unless it is over. One of the peer's comes into being with its first frame.
    ///
    /// # Errors
    ///
    /// If the stream is ours and was never opened, or is beyond those that we granted.
    pub(super) fn touch(
        &mut self,
        id: StreamId,
        limits: &StreamLimits,
    ) -> Result<Touched<'_>, StreamViolation> {
        if self.check(id)? {
            if !self.peer.open(index(id)) {
                return Ok(Touched::NoMemory);
            }
            let stream = Stream::theirs(self.credit, limits);
            self.live.insert(id, Box::new(stream));
        }
        Ok(self.get(id).map_or(Touched::Over, Touched::Stream))
    }

    /// Whether a frame may be about that stream, and would be the first.
    ///
    /// # Errors
    ///
    /// As [`Table::touch`].
    pub(super) fn check(&self, id: StreamId) -> Result<bool, StreamViolation> {
        if self.sides.is_ours(id) {
            return if self.local.was_opened(index(id)) {
                Ok(false)
            } else {
                Err(StreamViolation::NotOpened { stream: id })
            };
        }
        if index(id) >= self.peer.granted() {
            return Err(StreamViolation::StreamLimit {
                stream: id,
                granted: self.peer.granted(),
            });
        }
        Ok(!self.peer.was_opened(index(id)))
    }

    /// Whether only we can open that stream.
    pub(super) fn is_ours(&self, id: StreamId) -> bool {
        self.sides.is_ours(id)
    }

    /// What a new stream may send.
    pub(super) fn first_credit(&self) -> u64 {
        self.credit
    }

    /// Takes a stream out that is over.
    pub(super) fn remove(&mut self, id: StreamId) -> Option<Box<Stream>> {
        let stream = self.live.remove(&id)?;
        if !self.sides.is_ours(id) {
            self.peer.end();
        }
        Some(stream)
    }
}
