//! Datagrams waiting to be sent, or to be read.

use bytes::Bytes;

use super::error::SendDatagramError;
use crate::DatagramBuffer;

/// What each waiting datagram is charged beside its octets: more than its place in the queue takes. Without it a peer could fill
/// memory with empty ones.
const OVERHEAD: usize = 64;

/// Memory that the flows of an association share in one direction.
#[derive(Debug)]
pub(super) struct DatagramBudget {
    max: usize,
    used: usize,
}

impl DatagramBudget {
    pub(super) fn new(max: usize) -> Self {
        Self { max, used: 0 }
    }

    /// Whether at least half is free.
    pub(super) fn is_half_free(&self) -> bool {
        self.used <= self.max / 2
    }

    /// Whether nothing waits.
    pub(super) fn is_unused(&self) -> bool {
        self.used == 0
    }

    fn left(&self) -> usize {
        self.max - self.used
    }
}

/// The datagrams of one flow in one direction, oldest first.
///
/// A flow may hold as much as is free beyond that: alone half of the budget, among nine others a tenth. So a flow that
/// nobody reads cannot starve the rest, and no flow needs a limit of its own. (Choudhury and Hahne, "Dynamic queue length
/// thresholds", 1998.)
#[derive(Debug, Default)]
pub(super) struct DatagramQueue {
    waiting: DatagramBuffer,
    charged: usize,
}

/// There is no room for another datagram.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct QueueFull;

impl From<QueueFull> for SendDatagramError {
    fn from(_: QueueFull) -> Self {
        Self::QueueFull
    }
}

impl DatagramQueue {
    pub(super) fn is_empty(&self) -> bool {
        self.waiting.is_empty()
    }

    /// The oldest.
    pub(super) fn front(&self) -> Option<&[u8]> {
        self.waiting.front()
    }

    /// Appends a datagram if there is room.
    pub(super) fn push(
        &mut self,
        data: &[u8],
        budget: &mut DatagramBudget,
    ) -> Result<(), QueueFull> {
        let charge = data.len() + OVERHEAD;
        if self.charged + charge > budget.left().saturating_sub(charge) {
            return Err(QueueFull);
        }
        self.charged += charge;
        budget.used += charge;
        self.waiting.push(data);
        Ok(())
    }

    /// Appends what `datagrams` holds as far as there is room, and leaves the rest there.
    pub(super) fn append(
        &mut self,
        datagrams: &mut DatagramBuffer,
        budget: &mut DatagramBudget,
    ) -> Result<(), QueueFull> {
        let charge = datagrams.octets() + OVERHEAD * datagrams.len();
        if self.charged + charge <= budget.left().saturating_sub(charge) {
            self.charged += charge;
            budget.used += charge;
            self.waiting.append(datagrams);
            return Ok(());
        }
        while let Some(datagram) = datagrams.front() {
            self.push(datagram, budget)?;
            datagrams.discard();
        }
        Ok(())
    }

    /// Moves everything to the end of `datagrams`.
    pub(super) fn move_to(&mut self, datagrams: &mut DatagramBuffer, budget: &mut DatagramBudget) {
        budget.used -= std::mem::take(&mut self.charged);
        datagrams.append(&mut self.waiting);
    }

    /// Appends a datagram, and for that throws away as many of the oldest as it takes. The new one is thrown away only
    /// where the other flows hold too much.
    pub(super) fn push_dropping_oldest(&mut self, data: &[u8], budget: &mut DatagramBudget) {
        let fits_alone = 2 * (data.len() + OVERHEAD) <= budget.left() + self.charged;
        if !fits_alone {
            return;
        }
        while self.push(data, budget).is_err() && self.discard(budget) {}
    }

    /// Takes the oldest out.
    pub(super) fn pop(&mut self, budget: &mut DatagramBudget) -> Option<Bytes> {
        let data = self.waiting.pop()?;
        self.charged -= data.len() + OVERHEAD;
        budget.used -= data.len() + OVERHEAD;
        Some(data)
    }

    /// Throws the oldest away; false if there is none.
    pub(super) fn discard(&mut self, budget: &mut DatagramBudget) -> bool {
        let Some(length) = self.waiting.discard() else {
            return false;
        };
        self.charged -= length + OVERHEAD;
        budget.used -= length + OVERHEAD;
        true
    }

    /// Throws everything away.
    pub(super) fn clear(&mut self, budget: &mut DatagramBudget) {
        self.move_to(&mut DatagramBuffer::default(), budget);
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn datagrams_come_out_in_order_and_give_their_room_back() {
        let (mut queue, mut budget) = (DatagramQueue::default(), DatagramBudget::new(10_000));
        for octet in 0..5 {
            queue.push(&[octet; 10], &mut budget).unwrap();
        }
        assert_eq!(queue.front(), Some(&[0; 10][..]));
        for octet in 0..5 {
            assert_eq!(queue.pop(&mut budget), Some(vec![octet; 10].into()));
        }
        assert_eq!(queue.pop(&mut budget), None);
        assert!(budget.is_unused());
    }

    #[test]
    fn many_are_appended_as_far_as_there_is_room_and_moved_on_at_once() {
        let (mut queue, mut budget) = (DatagramQueue::default(), DatagramBudget::new(20_000));
        let mut datagrams = DatagramBuffer::default();
        let mut expected = Vec::new();
        for octet in 0..12 {
            datagrams.push(&[octet; 936]);
            expected.push(vec![octet; 936]);
        }
        assert_eq!(queue.append(&mut datagrams, &mut budget), Err(QueueFull));
        assert_eq!((queue.waiting.len(), datagrams.len()), (10, 2));
        assert_eq!(queue.append(&mut datagrams, &mut budget), Err(QueueFull));
        let mut moved = DatagramBuffer::default();
        queue.move_to(&mut moved, &mut budget);
        assert!(queue.is_empty() && budget.is_unused());
        assert_eq!(queue.append(&mut datagrams, &mut budget), Ok(()));
        assert!(datagrams.is_empty() && budget.used == 2_000);
        queue.move_to(&mut moved, &mut budget);
        let moved: Vec<_> = std::iter::from_fn(|| moved.pop()).collect();
        assert_eq!(moved, expected);
        assert!(!queue.discard(&mut budget) && budget.is_unused());
    }

    // L5: memory stays constant whatever the number.
    #[test]
    fn empty_datagrams_are_charged() {
        let (mut queue, mut budget) = (DatagramQueue::default(), DatagramBudget::new(6_400));
        for _ in 0..1_000 {
            queue.push_dropping_oldest(&[], &mut budget);
        }
        assert_eq!(queue.waiting.len(), 50);
    }

    // R9.15
    #[test]
    fn the_newest_are_kept_on_receiving() {
        let (mut queue, mut budget) = (
            DatagramQueue::default(),
            DatagramBudget::new(2 * (OVERHEAD + 4) * 3),
        );
        for index in 0u32..10 {
            queue.push_dropping_oldest(&index.to_be_bytes(), &mut budget);
        }
        let kept: Vec<_> = std::iter::from_fn(|| queue.pop(&mut budget)).collect();
        assert_eq!(kept, [7u32, 8, 9].map(|index| index.to_be_bytes().to_vec()));
    }

    #[test]
    fn a_flow_that_nobody_reads_leaves_room_for_others() {
        let mut budget = DatagramBudget::new(100_000);
        let (mut greedy, mut modest) = (DatagramQueue::default(), DatagramQueue::default());
        while greedy.push(&[0; 936], &mut budget).is_ok() {}
        assert_eq!(greedy.waiting.len(), 50);
        for _ in 0..20 {
            modest.push(&[0; 936], &mut budget).unwrap();
        }
    }

    #[test]
    fn a_datagram_larger_than_the_budget_displaces_nothing() {
        let (mut queue, mut budget) = (DatagramQueue::default(), DatagramBudget::new(1_000));
        queue.push(&[1], &mut budget).unwrap();
        queue.push_dropping_oldest(&[0; 2_000], &mut budget);
        assert_eq!(queue.waiting.front(), Some(&[1][..]));
        assert_eq!(queue.waiting.len(), 1);
        queue.clear(&mut budget);
        assert!(budget.is_unused());
    }
}
