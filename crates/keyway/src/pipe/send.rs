//! The sending direction of a pipe.

use std::io::IoSlice;
use std::task::{Context, Poll, Waker};

use bytes::Bytes;
use keyway_node::{ChunkQueue, Node, StreamKey};

use crate::error::{ConnectionError, WriteError};
use crate::meaning;

/// Octets on their way from the application to the node: copied into pieces here, and not again until they are put into
/// packets.
#[derive(Debug)]
pub(super) struct SendSide {
    octets: ChunkQueue,
    limit: usize,
    state: State,
    /// The node took less than it was offered, and will say when it takes more.
    blocked: bool,
    /// Waits for room.
    writer: Option<Waker>,
}

#[derive(Clone, Debug)]
enum State {
    /// The application may write.
    Open,
    /// The application has finished: the end goes out after what is held here.
    Finishing,
    /// The node closes: what is held here goes out, then nothing.
    Refusing,
    /// The application gave up, and the node does not know yet.
    Resetting(u64),
    /// The node knows all there is to know.
    Over,
    /// Writing failed, and the node knows.
    Failed(WriteError),
}

/// Whether the driver has to look at the pipe.
type NeedsDriver = bool;

impl SendSide {
    pub(super) fn new(limit: usize) -> Self {
        Self {
            octets: ChunkQueue::default(),
            limit,
            state: State::Open,
            blocked: false,
            writer: None,
        }
    }

    pub(super) fn poll_write(
        &mut self,
        context: &mut Context<'_>,
        data: &[u8],
    ) -> (Poll<Result<usize, WriteError>>, NeedsDriver) {
        self.poll_write_vectored(context, &[IoSlice::new(data)])
    }

    pub(super) fn poll_write_vectored(
        &mut self,
        context: &mut Context<'_>,
        slices: &[IoSlice<'_>],
    ) -> (Poll<Result<usize, WriteError>>, NeedsDriver) {
        if let Some(error) = self.error() {
            return (Poll::Ready(Err(error)), false);
        }
        let written = slices.iter().map(|slice| self.take(slice)).sum();
        if written == 0 && slices.iter().all(|slice| slice.is_empty()) {
            return (Poll::Ready(Ok(0)), false);
        }
        if written == 0 {
            store(&mut self.writer, context);
            return (Poll::Pending, false);
        }
        // A blocked pipe is looked at when the node says so, and not before.
        (Poll::Ready(Ok(written)), !self.blocked)
    }

    /// Takes the octets over as they lie, as many as there is room for; what is left of them stays in `chunk`. Ready once
    /// something was taken.
    pub(super) fn poll_write_chunk(
        &mut self,
        context: &mut Context<'_>,
        chunk: &mut Bytes,
    ) -> (Poll<Result<(), WriteError>>, NeedsDriver) {
        if let Some(error) = self.error() {
            return (Poll::Ready(Err(error)), false);
        }
        let count = chunk.len().min(self.room());
        if count == 0 && !chunk.is_empty() {
            store(&mut self.writer, context);
            return (Poll::Pending, false);
        }
        self.octets.push(chunk.split_to(count));
        (Poll::Ready(Ok(())), count > 0 && !self.blocked)
    }

    /// Takes as much of `data` as there is room for, and says how much that was.
    fn take(&mut self, data: &[u8]) -> usize {
        let count = data.len().min(self.room());
        self.octets.write(&data[..count]);
        count
    }

    fn room(&self) -> usize {
        self.limit.saturating_sub(self.octets.len())
    }

    /// What writing gives at the moment, if that is an error.
    pub(super) fn error(&self) -> Option<WriteError> {
        match &self.state {
            State::Open => None,
            State::Finishing | State::Resetting(_) | State::Over => Some(WriteError::Finished),
            State::Refusing => Some(WriteError::Lost(ConnectionError::NodeClosed)),
            State::Failed(error) => Some(error.clone()),
        }
    }

    pub(super) fn finish(&mut self) -> (Result<(), WriteError>, NeedsDriver) {
        match &self.state {
            State::Open => {
                self.state = State::Finishing;
                (Ok(()), true)
            }
            State::Failed(error @ (WriteError::Refused | WriteError::Lost(_))) => {
                (Err(error.clone()), false)
            }
            State::Refusing => (Err(WriteError::Lost(ConnectionError::NodeClosed)), false),
            State::Finishing | State::Resetting(_) | State::Over | State::Failed(_) => {
                (Ok(()), false)
            }
        }
    }

    pub(super) fn reset(&mut self, code: u64) -> NeedsDriver {
        let unfinished = matches!(self.state, State::Open | State::Finishing | State::Refusing);
        if unfinished {
            self.octets.clear();
            self.state = State::Resetting(code);
        }
        unfinished
    }

    pub(super) fn set_writable(&mut self) {
        self.blocked = false;
    }

    pub(super) fn refuse(&mut self, wakes: &mut Vec<Waker>) {
        if matches!(self.state, State::Open) {
            self.state = State::Refusing;
            wakes.extend(self.writer.take());
        }
    }

    pub(super) fn fail(&mut self, error: WriteError, wakes: &mut Vec<Waker>) {
        if !self.is_over() {
            self.octets.clear();
            self.state = State::Failed(error);
        }
        wakes.extend(self.writer.take());
    }

    pub(super) fn holds_back(&self) -> bool {
        matches!(self.state, State::Finishing | State::Resetting(_)) || !self.octets.is_empty()
    }

    pub(super) const fn is_over(&self) -> bool {
        matches!(self.state, State::Over | State::Failed(_))
    }

    /// Hands to the node what it takes, and then the end if there is one.
    /// True if there is room again for somebody who waited for it.
    pub(super) fn serve(
        &mut self,
        node: &mut Node,
        key: StreamKey,
        wakes: &mut Vec<Waker>,
    ) -> bool {
        self.hand_over(node, key, wakes);
        match self.state {
            State::Finishing if self.octets.is_empty() => {
                node.finish(key);
                self.end();
            }
            State::Refusing if self.octets.is_empty() => {
                self.fail(WriteError::Lost(ConnectionError::NodeClosed), wakes)
            }
            State::Resetting(code) => {
                node.reset(key, code);
                self.end();
            }
            State::Open | State::Finishing | State::Refusing | State::Over | State::Failed(_) => {}
        }
        // Half of the buffer at once: a writer that is woken for every packet does little else than wake.
        if self.room() < self.octets.len() {
            return false;
        }
        let writer = self.writer.take();
        let waited = writer.is_some();
        wakes.extend(writer);
        waited
    }

    fn hand_over(&mut self, node: &mut Node, key: StreamKey, wakes: &mut Vec<Waker>) {
        while !self.blocked
            && let Some(mut chunk) = self.octets.pop(usize::MAX)
        {
            let written = node.write_chunk(key, &mut chunk);
            self.octets.unpop(chunk);
            match written.map_err(meaning::write_error) {
                Ok(()) => {}
                Err(None) => self.blocked = true,
                Err(Some(error)) => self.fail(error, wakes),
            }
        }
    }

    fn end(&mut self) {
        self.octets.clear();
        self.state = State::Over;
    }
}

/// Keeps the waker of `context`, and does not clone it if it is there already.
pub(super) fn store(slot: &mut Option<Waker>, context: &Context<'_>) {
    match slot {
        Some(waker) => waker.clone_from(context.waker()),
        None => *slot = Some(context.waker().clone()),
    }
}
