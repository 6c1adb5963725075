//! The receiving direction of a pipe.

use std::task::{Context, Poll, Waker};

use keyway_node::{Node, StreamKey};
use tokio::io::ReadBuf;

use super::send::store;
use crate::error::ReadError;
use crate::meaning::{self, Read};
use crate::ring::Ring;

/// Octets on their way from the node to the application.
#[derive(Debug)]
pub(super) struct ReceiveSide {
    ring: Ring,
    state: State,
    /// The node may have more than was read from it.
    readable: bool,
    /// Waits for octets or the end.
    reader: Option<Waker>,
}

#[derive(Clone, Debug)]
enum State {
    /// The node may yield more.
    Open,
    /// The application wants no more, and the node does not know yet.
    Stopping(u64),
    /// The end of the stream lies behind what the ring holds.
    Finished,
    /// An error lies behind what the ring holds.
    Failed(ReadError),
    /// The application wants no more, and the node knows.
    Stopped,
}

impl ReceiveSide {
    pub(super) const fn new(limit: usize) -> Self {
        Self {
            ring: Ring::new(limit),
            state: State::Open,
            readable: false,
            reader: None,
        }
    }

    /// The result, and whether the driver has to look at the pipe.
    pub(super) fn poll_read(
        &mut self,
        context: &mut Context<'_>,
        out: &mut ReadBuf<'_>,
    ) -> (Poll<Result<(), ReadError>>, bool) {
        if self.ring.is_empty() {
            return match &self.state {
                State::Open if out.remaining() > 0 => {
                    store(&mut self.reader, context);
                    (Poll::Pending, false)
                }
                State::Failed(error) => (Poll::Ready(Err(error.clone())), false),
                State::Open | State::Stopping(_) | State::Finished | State::Stopped => {
                    (Poll::Ready(Ok(())), false)
                }
            };
        }
        while out.remaining() > 0 && !self.ring.is_empty() {
            let front = self.ring.front();
            let count = front.len().min(out.remaining());
            out.put_slice(&front[..count]);
            self.ring.consume(count);
        }
        // The driver left something in the node for want of room. Half of the buffer makes it worth its while.
        let refill = self.readable
            && self.ring.room() >= self.ring.len()
            && matches!(self.state, State::Open);
        (Poll::Ready(Ok(())), refill)
    }

    /// Whether the driver has to look at the pipe.
    pub(super) fn stop(&mut self, code: u64) -> bool {
        self.ring.clear();
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
            self.ring.unlimit();
            self.fill(node, key);
        }
        self.fail(error, wakes);
    }

    /// Fills the ring from the node.
    pub(super) fn serve(&mut self, node: &mut Node, key: StreamKey, wakes: &mut Vec<Waker>) {
        if let State::Stopping(code) = self.state {
            node.stop(key, code);
            self.state = State::Stopped;
            return;
        }
        if !self.readable || !matches!(self.state, State::Open) {
            return;
        }
        let before = self.ring.len();
        self.fill(node, key);
        if self.ring.len() > before || self.is_over() {
            wakes.extend(self.reader.take());
        }
    }

    fn fill(&mut self, node: &mut Node, key: StreamKey) {
        while self.ring.room() > 0 {
            // One octet is enough to ask for: the ring grows by doubling, so that the piece it gives is as large as what came.
            match meaning::read(node.read(key, self.ring.spare(1))) {
                Read::Octets(count) => self.ring.commit(count),
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
}
