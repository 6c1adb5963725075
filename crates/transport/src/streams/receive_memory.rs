//! What the peer may send on all streams together, and the memory for it.

use std::sync::Arc;
use std::time::Duration;

use keyway_wire::Time;

use super::flow::ReceiveCredit;
use super::limits::StreamLimits;
use crate::memory::{Loan, MemoryShare};

/// Credit for all streams together, backed by memory.
///
/// Octets that arrived and were not read are *used* of the loan, up to the highest offset of each stream, whether what lies below has come
/// or not: so what fills a gap needs no memory of its own, and always fits. So is all that buffers allocate beyond that. And so is
/// credit that was granted: it is granted only as far as memory can be had for it, and a peer that waits for a reader waits without
/// credit, not with packets that nobody can take.
///
/// Credit cannot be taken back. When an association rests, the memory behind credit that its peer did not use goes back all
/// the same, but for the floor. Should the peer use that credit later, memory is asked for as octets arrive. Where there is none, the packet
/// is dropped as if it had got lost (R9.13), and comes again.
#[derive(Debug)]
pub(super) struct ReceiveMemory {
    credit: ReceiveCredit,
    loan: Loan,
    /// Octets of credit, granted and not used, for which memory is kept.
    backed: u64,
}

/// There is no memory for what arrived.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct NoMemory;

/// How octets that arrive are to be kept.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Room {
    /// With room for those that follow.
    Ample,
    /// In no more memory than they take.
    Exact,
}

impl ReceiveMemory {
    pub(super) fn new(limits: &StreamLimits, share: &Arc<MemoryShare>) -> Self {
        let first = limits.first_credit();
        let mut loan = Loan::new(share, limits.receive_floor());
        loan.use_secured(first);
        Self {
            credit: ReceiveCredit::shared(first, limits.window_initial, limits.window_max),
            loan,
            backed: first,
        }
    }

    /// Octets that the peer may still send.
    pub(super) fn available(&self) -> u64 {
        self.credit.available()
    }

    /// Octets that the peer sent.
    #[cfg(test)]
    pub(super) fn received(&self) -> u64 {
        self.credit.received()
    }

    /// The limit that the peer was told.
    #[cfg(test)]
    pub(super) fn granted(&self) -> u64 {
        self.credit.granted()
    }

    /// Octets that need room no more.
    #[cfg(test)]
    pub(super) fn consumed(&self) -> u64 {
        self.credit.consumed()
    }

    /// Octets of memory that are used: granted, kept, or allocated beside what is kept.
    #[cfg(test)]
    pub(super) fn used(&self) -> u64 {
        self.loan.used()
    }

    /// Sees to it that there is memory for so many octets beyond the highest offset, for what has to be allocated for early ones beside that,
    /// and if possible for the piece that a buffer would begin with them.
    #[inline]
    pub(super) fn admit(&mut self, new: u64, early: u64, piece: u64) -> Result<Room, NoMemory> {
        let needed = new.saturating_sub(self.backed) + early;
        if self.loan.secure(needed + piece) {
            Ok(Room::Ample)
        } else if self.loan.secure(needed) {
            Ok(Room::Exact)
        } else {
            Err(NoMemory)
        }
    }

    /// The peer sent so many further octets, at most as many as are available. They were [admitted](Self::admit), or are
    /// [consumed](Self::consume) before anything else happens.
    #[inline]
    pub(super) fn receive(&mut self, octets: u64) {
        self.credit.receive(octets);
        let backed = self.backed.min(octets);
        self.backed -= backed;
        self.loan.use_secured(octets - backed);
    }

    /// So many octets of those received need room no more.
    #[inline]
    pub(super) fn consume(&mut self, octets: u64) {
        self.credit.consume(octets);
        self.loan.give_back(octets);
    }

    /// What a stream has allocated beside the octets that count has changed.
    #[inline]
    pub(super) fn beside(&mut self, before: u64, after: u64) {
        match after.checked_sub(before) {
            Some(more) => self.loan.use_secured(more),
            None => self.loan.give_back(before - after),
        }
        // The rest of a piece is copied where that gives memory back later, which takes some more until then.
        self.loan.secure(0);
    }

    /// Whether the peer should hear of more credit: of a quarter of the window as long as there is memory for that, else of a
    /// quarter of what there is. A peer that never used what it has gets no more.
    pub(super) fn is_due(&self) -> bool {
        if self.credit.is_lost() {
            return true;
        }
        let (wanted, step) = (self.credit.wanted(), self.credit.step());
        if wanted == 0 || self.credit.received() == 0 {
            return false;
        }
        let spare = self.loan.spare().min(wanted);
        if wanted >= step && (spare >= step || self.loan.could_borrow(step)) {
            return true;
        }
        let ahead = self.credit.granted() - self.credit.consumed();
        spare >= ((ahead + spare) / 4).max(1)
    }

    /// Grants what is read by now and there is memory for, in a wider window if the reader was fast. Returns the limit to tell.
    pub(super) fn grant(&mut self, now: Time, rtt: Duration) -> u64 {
        self.credit.tune(now, rtt);
        let least = self.credit.step();
        let octets = self.loan.secure_up_to(self.credit.wanted(), least);
        self.loan.use_secured(octets);
        self.backed += octets;
        self.credit.grant_more(octets)
    }

    /// The frame that told the limit was lost.
    pub(super) fn on_lost(&mut self) {
        self.credit.on_lost();
    }

    /// Gives back the memory behind credit that was not used, but for the floor, and what else is left over.
    pub(super) fn rest(&mut self) {
        let kept = self.loan.used() - self.backed;
        let backed = self.backed.min(self.loan.floor().saturating_sub(kept));
        self.loan.give_back(self.backed - backed);
        self.backed = backed;
        self.loan.rest();
    }
}
