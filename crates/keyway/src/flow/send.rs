//! The sending direction of a flow.

use keyway_node::{DatagramBuffer, Node, SendDatagramError, StreamKey};

use super::{NeedsDriver, OVERHEAD, charge_of};
use crate::codes;
use crate::error::DatagramError;
use crate::meaning;

/// Octets of datagrams, with their lengths, that wait to be sent. Chosen as four GSO batches: more would only be older.
const QUEUE_MAX: usize = 256 * 1024;

/// Datagrams on their way from the application to the node.
#[derive(Debug, Default)]
pub(super) struct SendQueue {
    waiting: DatagramBuffer,
    /// The node's own queue is full; an event will tell.
    blocked: bool,
    state: State,
}

#[derive(Debug, Default)]
enum State {
    #[default]
    Open,
    /// The application is gone, and the node does not know yet.
    Closing,
    /// The peer is turned away with this code, and the node does not know yet.
    Refusing(u64),
    Over,
    Failed(DatagramError),
}

impl SendQueue {
    /// Queues `datagram`, of at most `max` octets; `Ok(false)` where there is no room for it at the moment.
    pub(super) fn push(
        &mut self,
        datagram: &[u8],
        max: usize,
    ) -> (Result<bool, DatagramError>, NeedsDriver) {
        let queued = self.try_push(datagram, max);
        // A blocked queue is looked at when the node says so, and not before.
        let needs_driver = matches!(queued, Ok(true)) && !self.blocked;
        (queued, needs_driver)
    }

    fn try_push(&mut self, datagram: &[u8], max: usize) -> Result<bool, DatagramError> {
        match &self.state {
            State::Open => {}
            State::Closing | State::Refusing(_) | State::Over => return Err(DatagramError::Closed),
            State::Failed(error) => return Err(error.clone()),
        }
        let size = datagram.len();
        if size > max {
            return Err(DatagramError::TooLarge { size, max });
        }
        if QUEUE_MAX < charge_of(&self.waiting) + OVERHEAD + size {
            return Ok(false);
        }
        self.waiting.push(datagram);
        Ok(true)
    }

    /// Takes no more datagrams; those that wait still go out.
    pub(super) fn close(&mut self) -> NeedsDriver {
        self.leave(State::Closing)
    }

    /// Takes no more datagrams, and tells the peer why.
    pub(super) fn refuse(&mut self, code: u64) -> NeedsDriver {
        self.leave(State::Refusing(code))
    }

    fn leave(&mut self, how: State) -> NeedsDriver {
        let open = matches!(self.state, State::Open);
        if open {
            self.state = how;
        }
        open
    }

    pub(super) fn fail(&mut self, error: DatagramError) {
        if matches!(
            self.state,
            State::Open | State::Closing | State::Refusing(_)
        ) {
            self.waiting.clear();
            self.state = State::Failed(error);
        }
    }

    /// The node takes datagrams again.
    pub(super) fn set_writable(&mut self) {
        self.blocked = false;
    }

    /// Hands to the node what it takes, and then the end. True where there is room, or an error, that somebody may wait for.
    pub(super) fn serve(&mut self, node: &mut Node, key: StreamKey) -> bool {
        let before = self.waiting.len();
        if !self.blocked && !self.waiting.is_empty() {
            match node.send_datagrams(key, &mut self.waiting) {
                Ok(()) => {}
                // The peer takes none any longer. They are lost, as datagrams may be; the next caller is told.
                Err(SendDatagramError::TooLarge { .. }) => self.waiting.clear(),
                Err(error) => match meaning::flow_send_error(&error) {
                    None => self.blocked = true,
                    Some(error) => self.fail(error),
                },
            }
        }
        self.serve_end(node, key);
        self.waiting.len() < before || matches!(self.state, State::Failed(_))
    }

    fn serve_end(&mut self, node: &mut Node, key: StreamKey) {
        match self.state {
            State::Closing if self.waiting.is_empty() => {
                self.state = State::Over;
                node.finish(key);
                node.stop(key, codes::NONE);
            }
            State::Refusing(code) => {
                self.state = State::Over;
                node.reset(key, code);
                node.stop(key, code);
            }
            State::Open | State::Closing | State::Over | State::Failed(_) => {}
        }
    }

    /// True while datagrams wait to be handed to the node, or the end does.
    pub(super) fn holds_back(&self) -> bool {
        match self.state {
            State::Closing | State::Refusing(_) => true,
            State::Open => !self.waiting.is_empty(),
            State::Over | State::Failed(_) => false,
        }
    }

    /// True when the node knows all there is to know.
    pub(super) fn is_over(&self) -> bool {
        matches!(self.state, State::Over | State::Failed(_))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const MAX: usize = 1200;

    #[test]
    fn empty_datagrams_do_not_wait_without_bound() {
        let mut queue = SendQueue::default();
        for _ in 0..QUEUE_MAX / OVERHEAD {
            assert_eq!(queue.push(&[], MAX), (Ok(true), true));
        }
        assert_eq!(queue.push(&[], MAX), (Ok(false), false));
    }

    #[test]
    fn a_datagram_that_the_path_does_not_take_is_told_with_what_it_does() {
        let mut queue = SendQueue::default();
        let (size, max) = (MAX + 1, MAX);
        let queued = queue.push(&[0; MAX + 1], max);
        assert_eq!(queued, (Err(DatagramError::TooLarge { size, max }), false));
        assert!(!queue.holds_back());
    }

    #[test]
    fn after_the_end_nothing_is_taken_and_what_waits_is_held_back() {
        let mut queue = SendQueue::default();
        let _ = queue.push(&[1], MAX);
        assert!(queue.close(), "the driver has to hear of it");
        assert!(!queue.refuse(7), "it was closed before");
        assert_eq!(queue.push(&[2], MAX), (Err(DatagramError::Closed), false));
        assert!(queue.holds_back() && !queue.is_over());
    }

    #[test]
    fn a_failure_drops_what_waits_and_is_told_to_who_sends() {
        let mut queue = SendQueue::default();
        let _ = queue.push(&[1], MAX);
        queue.fail(DatagramError::Refused);
        assert_eq!(queue.push(&[2], MAX), (Err(DatagramError::Refused), false));
        assert!(queue.is_over() && !queue.holds_back());
    }
}
