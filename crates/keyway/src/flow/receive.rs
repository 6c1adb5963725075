//! The receiving direction of a flow.

use keyway_node::{DatagramBuffer, Node, StreamKey};

use super::{NeedsDriver, charge_of};
use crate::error::DatagramError;
use crate::meaning::{self, Read};

/// While no more octets than these wait to be received, all that the node has are taken from it.
const QUEUE_MAX: usize = 1024 * 1024;

/// Datagrams on their way from the node to the application.
#[derive(Debug, Default)]
pub(super) struct ReceiveQueue {
    waiting: DatagramBuffer,
    /// The node may have more than was taken from it.
    readable: bool,
    /// The node may know that the flow has ended.
    ending: bool,
    end: Option<DatagramError>,
}

impl ReceiveQueue {
    /// Takes the oldest datagram that arrived, if there is one, into `buffer`, as far as it fits; how much that is. The end comes
    /// after all of them.
    pub(super) fn pop(
        &mut self,
        buffer: &mut [u8],
    ) -> (Result<Option<usize>, DatagramError>, NeedsDriver) {
        let Some(datagram) = self.waiting.front() else {
            return (self.end.clone().map_or(Ok(None), Err), false);
        };
        let length = datagram.len().min(buffer.len());
        buffer[..length].copy_from_slice(&datagram[..length]);
        self.waiting.discard();
        let refill = self.readable && self.waiting.is_empty();
        (Ok(Some(length)), refill)
    }

    /// Nobody will receive what waits.
    pub(super) fn forget(&mut self) {
        self.waiting.clear();
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

    /// Takes from the node what it has, unless enough waits here, and the end. True where there is one, or an error, that
    /// somebody may wait for.
    pub(super) fn serve(&mut self, node: &mut Node, key: StreamKey) -> bool {
        let before = self.waiting.len();
        if self.readable && charge_of(&self.waiting) < QUEUE_MAX {
            node.recv_datagrams(key, &mut self.waiting);
            self.readable = false;
        }
        let mut news = self.waiting.len() > before;
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
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_arrived_before_the_end_is_received_first() {
        let mut queue = ReceiveQueue::default();
        queue.waiting.push(b"last");
        queue.fail(&DatagramError::Closed);
        queue.fail(&DatagramError::Refused);
        let mut buffer = [0; 3];
        assert_eq!(queue.pop(&mut buffer), (Ok(Some(3)), false));
        assert_eq!(&buffer, b"las", "as far as it fits");
        let end = queue.pop(&mut buffer);
        assert_eq!(end, (Err(DatagramError::Closed), false));
    }

    #[test]
    fn the_driver_is_asked_for_more_when_the_last_one_is_taken() {
        let mut queue = ReceiveQueue::default();
        queue.set_readable();
        queue.waiting.push(&[]);
        queue.waiting.push(&[]);
        assert_eq!(queue.pop(&mut []), (Ok(Some(0)), false));
        assert_eq!(queue.pop(&mut []), (Ok(Some(0)), true));
        assert_eq!(queue.pop(&mut []), (Ok(None), false));
    }
}
