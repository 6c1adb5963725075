//! Datagrams waiting to be sent, or to be read.

use std::sync::Arc;

use bytes::Bytes;

use super::error::SendDatagramError;
use super::limits::StreamLimits;
use crate::DatagramBuffer;
use crate::memory::{Loan, MemoryShare};

/// What each waiting datagram is charged beside its octets: more than its place in the queue takes. Without it a peer could fill
/// memory with empty ones.
const OVERHEAD: usize = 64;

/// What a flow with datagrams in it keeps beside them where they share pieces of memory: the rest of two pieces. Datagrams share none
/// where there is no memory for that.
const PIECES: u64 = 2 * 64 * 1024;

/// Memory that the flows of an association share in one direction.
#[derive(Debug)]
pub(super) struct DatagramBudget {
    max: usize,
    used: usize,
    loan: Loan,
    /// Whether one may wait at any time.
    always_one: bool,
}

impl DatagramBudget {
    pub(super) fn new(limits: &StreamLimits, share: &Arc<MemoryShare>) -> Self {
        Self {
            max: limits.datagram_queue_max,
            used: 0,
            loan: Loan::new(share, limits.datagram_floor()),
            always_one: false,
        }
    }

    /// The same, where one may wait at any time, however large: nothing else would tell an application when there is memory again.
    pub(super) fn with_always_one(self) -> Self {
        Self {
            always_one: true,
            ..self
        }
    }

    /// Gives back memory that is left over.
    pub(super) fn rest(&mut self) {
        self.loan.rest();
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
    /// Whether memory was taken for [`PIECES`].
    shares_pieces: bool,
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
        if !budget.loan.try_use(charge as u64) {
            if !budget.always_one || !budget.is_unused() {
                return Err(QueueFull);
            }
            budget.loan.use_secured(charge as u64);
        }
        self.charged += charge;
        budget.used += charge;
        if self.may_share_pieces(budget) {
            self.waiting.push(data);
        } else {
            self.waiting.push_exactly(data);
        }
        Ok(())
    }

    /// Appends what `datagrams` holds as far as there is room, and leaves the rest there.
    pub(super) fn append(
        &mut self,
        datagrams: &mut DatagramBuffer,
        budget: &mut DatagramBudget,
    ) -> Result<(), QueueFull> {
        let charge = datagrams.octets() + OVERHEAD * datagrams.len();
        let fits = self.charged + charge <= budget.left().saturating_sub(charge);
        if fits && self.may_share_pieces(budget) && budget.loan.try_use(charge as u64) {
            self.charged += charge;
            budget.used += charge;
            self.waiting.append(datagrams);
            return Ok(());
        }
        self.on_emptied(budget);
        while let Some(datagram) = datagrams.front() {
            self.push(datagram, budget)?;
            datagrams.discard();
        }
        Ok(())
    }

    /// Moves everything to the end of `datagrams`.
    pub(super) fn move_to(&mut self, datagrams: &mut DatagramBuffer, budget: &mut DatagramBudget) {
        let charged = std::mem::take(&mut self.charged);
        budget.used -= charged;
        budget.loan.give_back(charged as u64);
        datagrams.append(&mut self.waiting);
        self.on_emptied(budget);
        // Whoever takes them counts them, and has to find the memory that they had here.
        budget.loan.rest();
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
        let charge = data.len() + OVERHEAD;
        self.charged -= charge;
        budget.used -= charge;
        budget.loan.give_back(charge as u64);
        self.on_emptied(budget);
        Some(data)
    }

    /// Throws the oldest away; false if there is none.
    pub(super) fn discard(&mut self, budget: &mut DatagramBudget) -> bool {
        let Some(length) = self.waiting.discard() else {
            return false;
        };
        self.charged -= length + OVERHEAD;
        budget.used -= length + OVERHEAD;
        budget.loan.give_back((length + OVERHEAD) as u64);
        self.on_emptied(budget);
        true
    }

    /// Whether there is memory for what datagrams keep beside themselves if they share pieces. That is decided for the first.
    fn may_share_pieces(&mut self, budget: &mut DatagramBudget) -> bool {
        if self.waiting.is_empty() && !self.shares_pieces {
            self.shares_pieces = budget.loan.try_use(PIECES);
        }
        self.shares_pieces
    }

    fn on_emptied(&mut self, budget: &mut DatagramBudget) {
        if self.waiting.is_empty() && std::mem::take(&mut self.shares_pieces) {
            budget.loan.give_back(PIECES);
        }
    }

    /// Throws everything away.
    pub(super) fn clear(&mut self, budget: &mut DatagramBudget) {
        self.move_to(&mut DatagramBuffer::default(), budget);
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::memory::MemoryBudget;

    fn budget(max: usize) -> DatagramBudget {
        budget_of(max, 1 << 30)
    }

    /// The same in a node that has so much memory.
    fn budget_of(max: usize, node: u64) -> DatagramBudget {
        let limits = StreamLimits {
            datagram_queue_max: max,
            ..StreamLimits::default()
        };
        DatagramBudget::new(&limits, &MemoryShare::new(&MemoryBudget::new(node)))
    }

    #[test]
    fn where_the_node_has_no_memory_left_there_is_the_floor_or_one_datagram() {
        let (mut queue, mut budget) = (DatagramQueue::default(), budget_of(1 << 20, 0));
        for _ in 0..100 {
            queue.push_dropping_oldest(&[7; 1_000 - OVERHEAD], &mut budget);
        }
        assert_eq!(queue.waiting.len(), 4, "of 4 KiB");
        queue.clear(&mut budget);
        assert_eq!(queue.push(&[7; 60_000], &mut budget), Err(QueueFull));
        let mut budget = budget.with_always_one();
        queue.push(&[7; 60_000], &mut budget).unwrap();
        assert_eq!(queue.push(&[], &mut budget), Err(QueueFull));
        assert_eq!(queue.pop(&mut budget).map(|data| data.len()), Some(60_000));
        assert_eq!((budget.used, budget.loan.used()), (0, 0));
    }

    #[test]
    fn datagrams_come_out_in_order_and_give_their_room_back() {
        let (mut queue, mut budget) = (DatagramQueue::default(), budget(10_000));
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
        let (mut queue, mut budget) = (DatagramQueue::default(), budget(20_000));
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
        let (mut queue, mut budget) = (DatagramQueue::default(), budget(6_400));
        for _ in 0..1_000 {
            queue.push_dropping_oldest(&[], &mut budget);
        }
        assert_eq!(queue.waiting.len(), 50);
    }

    // R9.15
    #[test]
    fn the_newest_are_kept_on_receiving() {
        let (mut queue, mut budget) = (DatagramQueue::default(), budget(2 * (OVERHEAD + 4) * 3));
        for index in 0u32..10 {
            queue.push_dropping_oldest(&index.to_be_bytes(), &mut budget);
        }
        let kept: Vec<_> = std::iter::from_fn(|| queue.pop(&mut budget)).collect();
        assert_eq!(kept, [7u32, 8, 9].map(|index| index.to_be_bytes().to_vec()));
    }

    #[test]
    fn a_flow_that_nobody_reads_leaves_room_for_others() {
        let mut budget = budget(100_000);
        let (mut greedy, mut modest) = (DatagramQueue::default(), DatagramQueue::default());
        while greedy.push(&[0; 936], &mut budget).is_ok() {}
        assert_eq!(greedy.waiting.len(), 50);
        for _ in 0..20 {
            modest.push(&[0; 936], &mut budget).unwrap();
        }
    }

    #[test]
    fn a_datagram_larger_than_the_budget_displaces_nothing() {
        let (mut queue, mut budget) = (DatagramQueue::default(), budget(1_000));
        queue.push(&[1], &mut budget).unwrap();
        queue.push_dropping_oldest(&[0; 2_000], &mut budget);
        assert_eq!(queue.waiting.front(), Some(&[1][..]));
        assert_eq!(queue.waiting.len(), 1);
        queue.clear(&mut budget);
        assert!(budget.is_unused());
    }
}
