//! What one kind of buffer of an association may use.

use std::sync::Arc;

use super::{LUMP, MemoryShare};

/// A floor that is always there, and what was borrowed beyond it. Borrows in lumps: most uses are an addition and a comparison.
#[derive(Debug)]
pub(crate) struct Loan {
    share: Arc<MemoryShare>,
    /// Octets that need not be borrowed.
    floor: u64,
    borrowed: u64,
    used: u64,
}

impl Loan {
    pub(crate) fn new(share: &Arc<MemoryShare>, floor: u64) -> Self {
        Self {
            share: Arc::clone(share),
            floor,
            borrowed: 0,
            used: 0,
        }
    }

    /// Octets used.
    pub(crate) fn used(&self) -> u64 {
        self.used
    }

    /// Octets that need not be borrowed.
    pub(crate) fn floor(&self) -> u64 {
        self.floor
    }

    /// Octets that can be used without borrowing any.
    #[inline]
    pub(crate) fn spare(&self) -> u64 {
        (self.floor + self.borrowed).saturating_sub(self.used)
    }

    /// Sees to it that `octets` can be used; borrows them if need be, and what is used without being covered. Whether they can.
    #[inline]
    pub(crate) fn secure(&mut self, octets: u64) -> bool {
        let missing = (self.used + octets).saturating_sub(self.floor + self.borrowed);
        missing == 0 || self.borrow(missing)
    }

    /// Sees to it that as much of `octets` as there is can be used, though less than `least` is not worth borrowing. Returns how much that is.
    #[inline]
    pub(crate) fn secure_up_to(&mut self, octets: u64, least: u64) -> u64 {
        if self.spare() < octets {
            let missing = octets - self.spare();
            if !self.borrow(missing) {
                self.borrowed += self.share.take_up_to(missing, least);
            }
        }
        self.spare().min(octets)
    }

    /// Uses `octets`, or nothing where there are not as many.
    #[inline]
    pub(crate) fn try_use(&mut self, octets: u64) -> bool {
        let secured = self.secure(octets);
        if secured {
            self.used += octets;
        }
        secured
    }

    /// Uses `octets` that are [secured](Self::secure), or that are given back before anything else is done.
    #[inline]
    pub(crate) fn use_secured(&mut self, octets: u64) {
        self.used += octets;
    }

    /// Whether so many could be borrowed.
    pub(crate) fn could_borrow(&self, octets: u64) -> bool {
        self.share.could_take(octets)
    }

    /// Octets are used no more. What is left over goes back when it is much: at least two lumps, and more than is in use.
    #[inline]
    pub(crate) fn give_back(&mut self, octets: u64) {
        debug_assert!(octets <= self.used, "more was given back than was used");
        self.used -= octets;
        if self.borrowed >= 2 * LUMP && self.spare() >= self.floor + LUMP + self.borrowed / 2 {
            self.return_surplus(LUMP);
        }
    }

    /// Returns what is left over, but for `kept` octets.
    fn return_surplus(&mut self, kept: u64) {
        let needed = self.used.saturating_sub(self.floor) + kept;
        let surplus = self.borrowed.saturating_sub(needed);
        self.borrowed -= surplus;
        self.share.give_back(surplus);
    }

    /// Returns all that is left over.
    pub(crate) fn rest(&mut self) {
        self.return_surplus(0);
    }

    /// Borrows what is missing, and rather a whole lump.
    fn borrow(&mut self, missing: u64) -> bool {
        let amount = [missing.max(LUMP), missing]
            .into_iter()
            .find(|amount| self.share.take(*amount));
        self.borrowed += amount.unwrap_or(0);
        amount.is_some()
    }
}

/// What was borrowed goes back, though others of the association may go on.
impl Drop for Loan {
    fn drop(&mut self) {
        self.share.give_back(self.borrowed);
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::memory::MemoryBudget;

    const FLOOR: u64 = 10_000;

    fn loan(max: u64) -> (Arc<MemoryBudget>, Loan) {
        let budget = MemoryBudget::new(max);
        let loan = Loan::new(&MemoryShare::new(&budget), FLOOR);
        (budget, loan)
    }

    #[test]
    fn the_floor_is_there_when_nothing_else_is() {
        let (_, mut loan) = loan(0);
        assert!(loan.try_use(FLOOR));
        assert!(!loan.try_use(1));
        assert_eq!(loan.secure_up_to(1, 1), 0);
        loan.give_back(500);
        assert_eq!(loan.secure_up_to(1_000, 1), 500);
        assert!(loan.try_use(500));
    }

    #[test]
    fn most_uses_borrow_nothing() {
        let (budget, mut loan) = loan(1 << 24);
        assert!(loan.try_use(FLOOR));
        assert_eq!(budget.lent(), 0);
        for _ in 0..10 {
            assert!(loan.try_use(1_000));
            assert_eq!(budget.lent(), LUMP);
        }
        for _ in 0..10 {
            loan.give_back(1_000);
        }
        assert_eq!(budget.lent(), LUMP, "kept for the next time");
        loan.rest();
        assert_eq!(budget.lent(), 0);
    }

    #[test]
    fn what_is_left_over_after_a_burst_goes_back_at_once() {
        let (budget, mut loan) = loan(1 << 28);
        assert!(loan.try_use(FLOOR + (20 << 20)));
        loan.give_back(19 << 20);
        assert!(budget.lent() <= (1 << 20) + LUMP, "{}", budget.lent());
        assert!(loan.try_use(1 << 20));
        drop(loan);
        assert_eq!(budget.lent(), 0);
    }

    #[test]
    fn where_memory_is_short_one_gets_what_there_is() {
        let (budget, mut loan) = loan(100_000);
        let secured = loan.secure_up_to(1 << 20, 1);
        assert!(
            (FLOOR + 15_000..FLOOR + 38_200).contains(&secured),
            "{secured}"
        );
        assert!(loan.try_use(secured));
        assert!(budget.lent() <= 100_000);
    }
}
