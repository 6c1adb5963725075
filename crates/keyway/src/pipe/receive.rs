//! The receiving direction of a pipe.

use std::task::{Context, Poll, Waker};

use bytes::Bytes;
use keyway_node::{ChunkQueue, Node, StreamKey};
use tokio::io::ReadBuf;

use super::send::store;
use crate::error::ReadError;
use crate::held::Held;
use crate::meaning::{self, Read};

/// Octets that are taken from the node at a time: what one piece holds.
const STEP: usize = 64 * 1024;

/// Octets on their way from the node to the application, in the pieces in which the node put them together.
#[derive(Debug)]
pub(super) struct ReceiveSide {
    octets: ChunkQueue,
    /// How many of them the node is asked for at most.
    limit: usize,
    held: Held,
    state: State,
    /// The node may have more than was read from it.
    readable: bool,
    /// The association is over.
    has_ended: bool,
    /// Waits for octets or the end.
    reader: Option<Waker>,
}

#[derive(Clone, Debug)]
enum State {
    /// The node may yield more.
    Open,
    /// The application wants no more, and the node does not know yet.
    Stopping(u64),
    /// The end of the stream lies behind what is held here.
    Finished,
    /// An error lies behind what is held here.
    Failed(ReadError),
    /// The application wants no more, and the node knows.
    Stopped,
}

impl ReceiveSide {
    pub(super) fn new(limit: usize, held: Held) -> Self {
        Self {
            octets: ChunkQueue::default(),
            limit,
            held,
            state: State::Open,
            readable: false,
            has_ended: false,
            reader: None,
        }
    }

    /// The result, and whether the driver has to look at the pipe.
    pub(super) fn poll_read(
        &mut self,
        context: &mut Context<'_>,
        out: &mut ReadBuf<'_>,
    ) -> (Poll<Result<(), ReadError>>, bool) {
        if self.octets.is_empty() {
            return (self.poll_end(context, out.remaining() > 0), false);
        }
        while out.remaining() > 0 && !self.octets.is_empty() {
            let front = self.octets.front();
            let count = front.len().min(out.remaining());
            out.put_slice(&front[..count]);
            self.octets.forget(count);
        }
        self.held.settle(self.octets.footprint());
        (Poll::Ready(Ok(())), self.wants_refill())
    }

    /// Octets as they lie, in one piece of at most `max`; `None` at the end. And whether the driver has to look at the pipe.
    pub(super) fn poll_read_chunk(
        &mut self,
        context: &mut Context<'_>,
        max: usize,
    ) -> (Poll<Result<Option<Bytes>, ReadError>>, bool) {
        if self.octets.is_empty() {
            let end = self.poll_end(context, max > 0);
            return (end.map_ok(|()| (max == 0).then(Bytes::new)), false);
        }
        let chunk = self.octets.pop(max).unwrap_or_default();
        self.held.settle(self.octets.footprint());
        (Poll::Ready(Ok(Some(chunk))), self.wants_refill())
    }

    /// Nothing is there to read: waits for something if it is wanted and may come, or else says how the stream ended.
    fn poll_end(&mut self, context: &Context<'_>, is_wanted: bool) -> Poll<Result<(), ReadError>> {
        match &self.state {
            State::Open if is_wanted => {
                store(&mut self.reader, context);
                Poll::Pending
            }
            State::Failed(error) => Poll::Ready(Err(error.clone())),
            State::Open | State::Stopping(_) | State::Finished | State::Stopped => {
                Poll::Ready(Ok(()))
            }
        }
    }

    /// The driver left something in the node for want of room. Half of the buffer makes it worth its while.
    fn wants_refill(&self) -> bool {
        self.readable && self.room() >= self.octets.len() && matches!(self.state, State::Open)
    }

    /// Whether the driver has to look at the pipe.
    pub(super) fn stop(&mut self, code: u64) -> bool {
        self.octets.clear();
        self.held.settle(0);
        match self.state {
            State::Open => {
                self.state = State::Stopping(code);
                true
            }
            State::Finished | State::Failed(_) => {
                self.state = State::Stopped;
                false
            }
            State::Stopping(_) | State::Stopped => false,
        }
    }

    pub(super) const fn set_readable(&mut self) {
        self.readable = true;
    }

    pub(super) fn fail(&mut self, error: ReadError, wakes: &mut Vec<Waker>) {
        match self.state {
            State::Open => self.state = State::Failed(error),
            State::Stopping(_) => self.state = State::Stopped,
            State::Finished | State::Failed(_) | State::Stopped => {}
        }
        wakes.extend(self.reader.take());
    }

    pub(super) const fn is_over(&self) -> bool {
        matches!(
            self.state,
            State::Finished | State::Failed(_) | State::Stopped
        )
    }

    /// The association is over. Everything that has arrived comes in here, however much it is: the node will forget it, and
    /// flow control has granted that much to the peer. After it, there is an error.
    pub(super) fn end(
        &mut self,
        error: ReadError,
        node: &mut Node,
        key: StreamKey,
        wakes: &mut Vec<Waker>,
    ) {
        if matches!(self.state, State::Open) {
            self.limit = usize::MAX;
            self.has_ended = true;
            self.fill(node, key);
        }
        self.fail(error, wakes);
    }

    /// Takes what the node has.
    pub(super) fn serve(&mut self, node: &mut Node, key: StreamKey, wakes: &mut Vec<Waker>) {
        if let State::Stopping(code) = self.state {
            node.stop(key, code);
            self.state = State::Stopped;
            return;
        }
        if !self.readable || !matches!(self.state, State::Open) {
            return;
        }
        let before = self.octets.len();
        self.fill(node, key);
        if self.octets.len() > before || self.is_over() {
            wakes.extend(self.reader.take());
        }
    }

    fn room(&self) -> usize {
        self.limit.saturating_sub(self.octets.len())
    }

    /// Takes what the node has, as far as there is room and memory: what is left there is asked for when some of this was read.
    fn fill(&mut self, node: &mut Node, key: StreamKey) {
        while self.room() > 0 {
            let count = self.next_step();
            if count == 0 {
                return;
            }
            match meaning::read(node.read_chunk(key, count)) {
                Read::Octets(chunk) => self.push(chunk),
                Read::Later => {
                    self.readable = false;
                    return;
                }
                Read::End => {
                    self.state = State::Finished;
                    return;
                }
                Read::Failed(error) => {
                    self.state = State::Failed(error);
                    return;
                }
            }
        }
    }

    /// How many octets to take next.
    fn next_step(&mut self) -> usize {
        let count = self.room().min(STEP);
        if self.has_ended {
            return count;
        }
        self.held.cover_some(self.octets.footprint(), count)
    }

    fn push(&mut self, chunk: Bytes) {
        let (count, before) = (chunk.len(), self.octets.footprint());
        let piece = self.octets.pushed_piece(count);
        if self.has_ended {
            self.held.take_over(before + count);
            self.octets.push_exactly(chunk);
        } else if self.held.cover(before + count + piece) {
            self.octets.push(chunk);
        } else {
            self.octets.push_exactly(chunk);
        }
    }
}
