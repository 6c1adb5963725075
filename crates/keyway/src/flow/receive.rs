//! The receiving direction of a flow.

use std::collections::VecDeque;

use bytes::Bytes;
use keyway_node::{Node, StreamKey};

use super::{NeedsDriver, OVERHEAD};
use crate::error::DatagramError;
use crate::meaning::{self, Read};

/// Octets of datagrams that wait to be received: twice as many as one round of the driver may bring.
const QUEUE_MAX: usize = 1024 * 1024;

/// Datagrams on their way from the node to the application.
#[derive(Debug, Default)]
pub(super) struct ReceiveQueue {
    datagrams: VecDeque<Bytes>,
    /// Octets of all of them, with the overhead of each.
    charged: usize,
    /// The node may have more than was taken from it.
    readable: bool,
    /// The node may know that the flow has ended.
    ending: bool,
    end: Option<DatagramError>,
}

impl ReceiveQueue {
    /// Takes the oldest datagram that arrived, if there is one; the end comes after all of them.
    pub(super) fn pop(&mut self) -> (Result<Option<Bytes>, DatagramError>, NeedsDriver) {
        let Some(datagram) = self.datagrams.pop_front() else {
            return (self.end.clone().map_or(Ok(None), Err), false);
        };
        self.charged -= OVERHEAD + datagram.len();
        let refill = self.readable && self.datagrams.is_empty();
        (Ok(Some(datagram)), refill)
    }

    /// Nobody will receive what waits.
    pub(super) fn forget(&mut self) {
        self.datagrams = VecDeque::new();
        self.charged = 0;
    }

    /// The flow is over. What has arrived can still be received.
    pub(super) fn fail(&mut self, error: &DatagramError) {
        self.end.get_or_insert_with(|| error.clone());
    }

    /// The node has datagrams.
    pub(super) fn set_readable(&mut self) {
        self.readable = true;
    }

    /// The stream that carries the flow can be read: it is over.
    pub(super) fn set_ending(&mut self) {
        self.ending = true;
    }

    /// Takes datagrams from the node, as many as there is room for, or the end. True where there is one, or an error, that
    /// somebody may wait for.
    pub(super) fn serve(&mut self, node: &mut Node, key: StreamKey) -> bool {
        let mut news = false;
        while self.readable && self.charged < QUEUE_MAX {
            match node.recv_datagram(key) {
                Some(datagram) => {
                    self.push(datagram);
                    news = true;
                }
                None => self.readable = false,
            }
        }
        // Nothing ever comes in the stream itself but its end.
        if self.ending && self.end.is_none() {
            self.ending = false;
            self.end = match meaning::read(node.read_chunk(key, 1)) {
                Read::Later | Read::Octets(_) => None,
                Read::End => Some(DatagramError::Closed),
                Read::Failed(error) => Some(meaning::flow_error(error)),
            };
            news |= self.end.is_some();
        }
        news
    }

    fn push(&mut self, datagram: Bytes) {
        self.charged += OVERHEAD + datagram.len();
        self.datagrams.push_back(datagram);
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_arrived_before_the_end_is_received_first() {
        let mut queue = ReceiveQueue::default();
        queue.push(Bytes::from_static(b"last"));
        queue.fail(&DatagramError::Closed);
        queue.fail(&DatagramError::Refused);
        assert_eq!(queue.pop().0, Ok(Some(Bytes::from_static(b"last"))));
        assert_eq!(queue.charged, 0);
        assert_eq!(queue.pop(), (Err(DatagramError::Closed), false));
    }

    #[test]
    fn the_driver_is_asked_for_more_when_the_last_one_is_taken() {
        let mut queue = ReceiveQueue::default();
        queue.set_readable();
        queue.push(Bytes::new());
        queue.push(Bytes::new());
        assert_eq!(queue.pop(), (Ok(Some(Bytes::new())), false));
        assert_eq!(queue.pop(), (Ok(Some(Bytes::new())), true));
        assert_eq!(queue.pop(), (Ok(None), false));
    }
}
