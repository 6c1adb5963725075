//! Which streams were opened, by whom, and how many more may be.

use std::sync::Arc;

use keyway_wire::{STREAMS_MAX, StreamId};

use super::flow::SendCredit;
use super::limits::{STREAM_COST, StreamLimits};
use crate::memory::{Loan, MemoryShare};
use crate::range_set::RangeSet;

/// The streams that we open: in order, as far as the peer lets us.
#[derive(Debug)]
pub(super) struct LocalIds {
    /// Streams opened, of streams allowed.
    credit: SendCredit,
}

impl LocalIds {
    pub(super) fn new(allowed: u64) -> Self {
        Self {
            credit: SendCredit::new(allowed.min(STREAMS_MAX)),
        }
    }

    /// The index of the next stream, if there may be one.
    pub(super) fn open(&mut self) -> Option<u64> {
        if self.credit.available() == 0 {
            return None;
        }
        self.credit.spend(1);
        Some(self.credit.used() - 1)
    }

    /// Whether the stream of that index was ever opened.
    pub(super) fn was_opened(&self, index: u64) -> bool {
        index < self.credit.used()
    }

    /// One more was wanted than is allowed.
    pub(super) fn want(&mut self) {
        self.credit.want();
    }

    /// The limit to name in a STREAMS_BLOCKED frame, if one is due.
    pub(super) fn blocked_at(&self) -> Option<u64> {
        self.credit.blocked_at()
    }

    /// The frame is on its way.
    pub(super) fn on_blocked_sent(&mut self) {
        self.credit.on_blocked_sent();
    }

    /// The frame was lost.
    pub(super) fn on_blocked_lost(&mut self) {
        self.credit.on_blocked_lost();
    }

    /// The peer allows so many in all; whether that is more than before.
    pub(super) fn allow(&mut self, allowed: u64) -> bool {
        self.credit.raise(allowed.min(STREAMS_MAX))
    }
}

/// The streams that the peer opens: in any order, since packets overtake each other.
///
/// Opening one opens none of those before it (RFC 9000, 2.1 would have it so): state exists only for streams that a frame
/// came for, whatever id a hostile peer begins with. Those below the highest that were skipped are remembered as ranges.
/// They all lie within what was granted, as do those that are open, so there are never more than may be open at a time.
///
/// Streams are granted as octets are: only as far as there is memory for them, which goes back when the association rests and is
/// asked for again when the peer comes back to what it was granted.
#[derive(Debug)]
pub(super) struct PeerIds {
    /// How many may be open at a time.
    open_max: u64,
    /// How many of them are guaranteed.
    open_min: u64,
    granted: u64,
    /// Streams ever opened.
    opened: u64,
    memory: Loan,
    /// Streams granted and not opened for which memory is kept.
    backed: u64,
    /// One more than the highest index ever opened.
    opened_below: u64,
    skipped: RangeSet,
    ended: u64,
    /// The frame that granted was lost.
    lost: bool,
}

impl PeerIds {
    pub(super) fn new(limits: &StreamLimits, share: &Arc<MemoryShare>) -> Self {
        let open_max = limits.streams_max.min(STREAMS_MAX);
        let open_min = limits.first_streams().min(u64::from(u32::MAX));
        let mut memory = Loan::new(share, open_min.saturating_mul(STREAM_COST));
        memory.use_secured(memory.floor());
        Self {
            open_max,
            open_min,
            granted: open_min,
            opened: 0,
            memory,
            backed: open_min,
            opened_below: 0,
            skipped: RangeSet::new(),
            ended: 0,
            lost: false,
        }
    }

    /// How many streams the peer was told it may open in all.
    pub(super) fn granted(&self) -> u64 {
        self.granted
    }

    /// Whether the stream of that index was ever opened.
    pub(super) fn was_opened(&self, index: u64) -> bool {
        index < self.opened_below && !self.skipped.contains(index)
    }

    /// The stream of that index, which was not opened before and is below [`PeerIds::granted`], is open, if there is memory for it.
    /// Whether there is.
    #[must_use]
    pub(super) fn open(&mut self, index: u64) -> bool {
        debug_assert!(index < self.granted && !self.was_opened(index));
        if self.backed > 0 {
            self.backed -= 1;
        } else if !self.memory.try_use(STREAM_COST) {
            return false;
        }
        self.opened += 1;
        if index < self.opened_below {
            self.skipped.remove(index..index + 1);
        } else {
            self.skipped.insert(self.opened_below..index);
            self.opened_below = index + 1;
        }
        true
    }

    /// A stream is over: another may be opened in its place.
    pub(super) fn end(&mut self) {
        self.ended += 1;
        self.memory.give_back(STREAM_COST);
    }

    /// Whether the peer should hear of more: not before it used half of what it has, so that a peer with few streams open
    /// costs no frames at all.
    pub(super) fn is_due(&self) -> bool {
        let unused = self.granted - self.opened_below;
        let is_wanted = self.target() > self.granted && unused <= self.ahead() / 2;
        let has_memory =
            || self.memory.spare() >= STREAM_COST || self.memory.could_borrow(STREAM_COST);
        self.lost || is_wanted && has_memory()
    }

    /// Grants what is free and there is memory for. Returns the number of streams to tell.
    pub(super) fn grant(&mut self) -> u64 {
        self.lost = false;
        let wanted = (self.target() - self.granted).saturating_mul(STREAM_COST);
        let more = self.memory.secure_up_to(wanted, STREAM_COST) / STREAM_COST;
        self.memory.use_secured(more * STREAM_COST);
        self.backed += more;
        self.granted += more;
        self.granted
    }

    /// Gives back the memory for streams that were granted and not opened, but for those that are guaranteed.
    pub(super) fn rest(&mut self) {
        let open = self.opened - self.ended;
        let backed = self.backed.min(self.open_min.saturating_sub(open));
        self.memory.give_back((self.backed - backed) * STREAM_COST);
        self.backed = backed;
        self.memory.rest();
    }

    /// The frame that told the number was lost.
    pub(super) fn on_lost(&mut self) {
        self.lost = true;
    }

    fn target(&self) -> u64 {
        self.ended
            .saturating_add(self.ahead())
            .clamp(self.granted, STREAMS_MAX.max(self.granted))
    }

    /// How many may be open for the time being: who opens many gets room for as many again.
    fn ahead(&self) -> u64 {
        let open = self.opened - self.ended;
        if open < self.open_min.div_ceil(2) {
            self.open_min
        } else {
            (2 * open + AHEAD).clamp(self.open_min, self.open_max)
        }
    }
}

/// Streams that a peer may open beyond twice those that it has open, once it uses half of what is guaranteed: with 100 at once, as
/// browsers have, it waits for one round trip.
const AHEAD: u64 = 64;

/// Which side opens even ids.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct Sides {
    pub(super) we_open_even: bool,
}

impl Sides {
    /// Whether only we can open that stream.
    pub(super) fn is_ours(self, id: StreamId) -> bool {
        id.is_even() == self.we_open_even
    }

    /// The id of our stream of that index, while there is one.
    pub(super) fn our_id(self, index: u64) -> Option<StreamId> {
        let odd = u64::from(!self.we_open_even);
        StreamId::new(index.checked_mul(2)?.checked_add(odd)?)
    }
}

/// How many streams the same side opens before that one.
pub(super) fn index(id: StreamId) -> u64 {
    id.value() / 2
}

#[cfg(test)]
#[expect(
    clippy::cast_possible_truncation,
    reason = "numbers of tests are small"
)]
mod tests {
    use std::collections::BTreeSet;

    use proptest::prelude::*;

    use super::*;
    use crate::memory::MemoryBudget;

    // R9.1
    #[test]
    fn our_streams_are_opened_in_order_up_to_the_limit() {
        let mut ids = LocalIds::new(2);
        assert_eq!(
            (ids.open(), ids.open(), ids.open()),
            (Some(0), Some(1), None)
        );
        assert!(!ids.allow(2));
        assert!(ids.allow(3));
        assert!(!ids.was_opened(2));
        assert_eq!(ids.open(), Some(2));
        assert!(ids.was_opened(2));
    }

    // L6
    #[test]
    fn ids_end_below_2_to_the_62() {
        for we_open_even in [false, true] {
            let sides = Sides { we_open_even };
            let last = sides.our_id(STREAMS_MAX - 1).unwrap();
            assert!(sides.is_ours(last));
            assert_eq!(index(last), STREAMS_MAX - 1);
            assert_eq!(sides.our_id(STREAMS_MAX), None);
            assert_eq!(sides.our_id(u64::MAX), None);
        }
        let mut ids = LocalIds::new(u64::MAX);
        assert!(!ids.allow(u64::MAX));
        let mut most = peer_ids(u64::MAX, u64::MAX, 0);
        assert!(most.granted() <= STREAMS_MAX && most.grant() <= STREAMS_MAX);
        assert_eq!(ids.open(), Some(0));
    }

    // L4
    #[test]
    fn opening_the_highest_opens_none_below() {
        let mut ids = peer_ids(1_000, 1_000, 0);
        assert!(ids.open(999));
        assert!(ids.was_opened(999));
        assert!(!ids.was_opened(998));
        assert!(!ids.was_opened(0));
        assert!(ids.open(500));
        assert_eq!(ids.skipped.range_count(), 2);
        assert!(ids.was_opened(500) && !ids.was_opened(499) && !ids.was_opened(501));
    }

    #[test]
    fn streams_are_granted_as_others_end_once_half_is_used() {
        let mut ids = peer_ids(10, 10, 0);
        for index in 0..4 {
            assert!(ids.open(index));
            ids.end();
        }
        assert!(!ids.is_due());
        assert!(ids.open(4));
        assert!(ids.is_due());
        assert_eq!(ids.grant(), 14);
        assert!(!ids.is_due());
        ids.on_lost();
        assert!(ids.is_due());
        assert_eq!(ids.grant(), 14);
    }

    #[test]
    fn a_peer_whose_streams_are_all_in_use_hears_of_each_that_ends() {
        let mut ids = peer_ids(10, 10, 1 << 20);
        (0..10).for_each(|index| assert!(ids.open(index)));
        assert!(!ids.is_due());
        ids.end();
        assert!(ids.is_due());
        assert_eq!(ids.grant(), 11);
    }

    fn peer_ids(guaranteed: u64, max: u64, memory: u64) -> PeerIds {
        let limits = StreamLimits {
            streams_guaranteed: guaranteed,
            streams_max: max,
            ..StreamLimits::default()
        };
        PeerIds::new(&limits, &MemoryShare::new(&MemoryBudget::new(memory)))
    }

    #[test]
    fn who_opens_many_hears_of_more_up_to_the_maximum() {
        let mut ids = peer_ids(16, 1_000, 1 << 30);
        (0..7).for_each(|index| assert!(ids.open(index)));
        assert!(!ids.is_due());
        assert!(ids.open(7) && ids.is_due());
        assert_eq!(ids.grant(), 80);
        let mut grants = Vec::new();
        for index in 8..1_000 {
            assert!(ids.open(index));
            if ids.is_due() {
                grants.push(ids.grant());
            }
        }
        assert!(grants.len() < 40, "{grants:?}");
        assert_eq!(grants.last(), Some(&1_000));
    }

    // L4
    #[test]
    fn streams_are_granted_as_far_as_there_is_memory_and_again_when_others_end() {
        let mut ids = peer_ids(4, 1_000, 0);
        (0..4).for_each(|index| assert!(ids.open(index)));
        assert!(!ids.is_due());
        ids.end();
        assert!(ids.is_due());
        assert_eq!(ids.grant(), 5);
        assert!(!ids.is_due() && ids.open(4));
    }

    #[test]
    fn a_peer_that_comes_back_to_what_it_was_granted_gets_it_if_there_is_memory() {
        let limits = StreamLimits {
            streams_guaranteed: 4,
            ..StreamLimits::default()
        };
        let budget = MemoryBudget::new(1 << 20);
        let mut ids = PeerIds::new(&limits, &MemoryShare::new(&budget));
        (0..4).for_each(|index| assert!(ids.open(index)));
        let granted = ids.grant();
        assert!(granted > 50 && budget.lent() > 0);
        (0..4).for_each(|_| ids.end());
        ids.rest();
        assert_eq!(budget.lent(), 0);
        let others = [0; 200].map(|_| MemoryShare::new(&budget));
        others
            .iter()
            .for_each(|other| while other.take_up_to(1 << 20, 1) > 0 {});
        let taken = (4..granted).filter(|index| ids.open(*index)).count();
        assert!(
            (4..8).contains(&taken),
            "what is guaranteed, and little else: {taken}"
        );
        drop(others);
        assert!((4..granted).rev().take(9).all(|index| ids.open(index)));
    }

    proptest! {
        /// A hostile peer opens every second, every third; streams end in any order.
        #[test]
        fn what_was_opened_is_known_in_bounded_memory(
            steps in prop::collection::vec((0u64..20, any::<prop::sample::Index>(), any::<bool>()), 0..400),
        ) {
            let mut ids = peer_ids(20, 20, 1 << 20);
            let (mut open, mut ever) = (Vec::new(), BTreeSet::new());
            for (back, which, end) in steps {
                let index = ids.granted() - 1 - back;
                prop_assert_eq!(ids.was_opened(index), ever.contains(&index));
                if ever.insert(index) {
                    prop_assert!(ids.open(index));
                    open.push(index);
                }
                if end && !open.is_empty() {
                    open.swap_remove(which.index(open.len()));
                    ids.end();
                }
                if ids.is_due() {
                    ids.grant();
                }
                prop_assert!(open.len() + ids.skipped.count() as usize <= 20);
                prop_assert!((0..ids.granted()).all(|index| ids.was_opened(index) == ever.contains(&index)));
            }
        }
    }
}
