//! Memory that the buffers of all associations of a node share.
//!
//! What peers can make a node keep has no natural bound: octets that arrived and that nobody reads, octets that were written and that
//! nobody acknowledges, credit that may be used at any time. So each buffer *uses* what it keeps before it keeps it, from a [`Loan`] of its
//! association:
//!
//! ```text
//!   MemoryBudget          one for a node: never lends more than its maximum
//!      └ MemoryShare      one for each association: how much of that it has, and may have
//!           └ Loan        one for each kind of buffer: its own floor, which needs no memory of the budget, and what it borrowed
//! ```
//!
//! # The bound
//!
//! A loan uses at most its floor and what it has borrowed: [`Loan::try_use`] refuses everything else. What all loans have borrowed is at most
//! what all shares hold, and that is at most the budget's maximum, since [`MemoryShare::take`] is the only way in. So all buffers together keep at
//! most the maximum and, for each association, its floors, whatever peers do.
//!
//! # The rule of shares
//!
//! An association may hold of what is free the fraction that is free: with free memory `f` and the maximum `m`, up to `f * f / m`.
//! Alone that is 38 % of all; two may have a quarter each; eight may have 9 % each. Whatever they hold for ever, `n` associations leave
//! at least the `n + 1`st part free: if one takes `s` and leaves `f`, then `s <= f * f / m`, so that `m / f <= m / (f + s) + 1`: each adds at
//! most one to `m / f`, which begins at one. With a rule in proportion to `f`, it would take a dozen of them to leave nothing.
//!
//! # Nobody waits for others
//!
//! A floor is never lent to anybody else. So who is refused has something of its own under way: octets that its reader will read, or that
//! its peer will acknowledge. When that happens it asks again, and gets what is free by then. Nobody has to be woken by another
//! association, and a budget that is used up stops nobody for ever.

mod loan;

use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};

pub(crate) use loan::Loan;

/// Octets that are borrowed at a time at least, where there are as many: so that not each packet asks for some.
const LUMP: u64 = 64 * 1024;

/// The memory of one node that its associations share. See [`Limits::memory_max`](https://docs.rs/keyway-node) for who sets it.
#[derive(Debug)]
pub struct MemoryBudget {
    max: u64,
    lent: AtomicU64,
}

impl MemoryBudget {
    /// A budget of so many octets.
    #[must_use]
    pub fn new(max: u64) -> Arc<Self> {
        Arc::new(Self {
            max,
            lent: AtomicU64::new(0),
        })
    }

    /// Octets that may be lent.
    #[must_use]
    pub fn max(&self) -> u64 {
        self.max
    }

    /// Octets that are lent at the moment: never more than [`max`](Self::max).
    #[must_use]
    pub fn lent(&self) -> u64 {
        self.lent.load(Ordering::Relaxed)
    }

    /// Lends `octets`, if whoever would hold `held` after that may hold as much of what is free then.
    fn lend(&self, octets: u64, held: Option<u64>) -> bool {
        let max = u128::from(self.max);
        let lend = |lent: u64| {
            let after = lent.checked_add(octets)?;
            let free = u128::from(self.max.checked_sub(after)?);
            let is_fair = held.is_none_or(|held| u128::from(held) * max <= free * free);
            is_fair.then_some(after)
        };
        // Numbers that nothing else depends on: what they stand for is allocated and freed by whoever counts it.
        self.lent
            .fetch_update(Ordering::Relaxed, Ordering::Relaxed, lend)
            .is_ok()
    }
}

/// What one association has of its node's memory. Goes back with the last of those who use it.
#[derive(Debug)]
pub struct MemoryShare {
    budget: Arc<MemoryBudget>,
    held: AtomicU64,
}

impl MemoryShare {
    pub(crate) fn new(budget: &Arc<MemoryBudget>) -> Arc<Self> {
        Arc::new(Self {
            budget: Arc::clone(budget),
            held: AtomicU64::new(0),
        })
    }

    /// Takes `octets`, or nothing where that is beyond the share.
    #[must_use]
    pub fn take(&self, octets: u64) -> bool {
        self.take_if(octets, Some(self.held().saturating_add(octets)))
    }

    /// Takes `octets` that this very share held until a moment ago, so that the rule of shares does not matter: only that there are as
    /// many.
    #[must_use]
    pub fn take_over(&self, octets: u64) -> bool {
        self.take_if(octets, None)
    }

    fn take_if(&self, octets: u64, held: Option<u64>) -> bool {
        let taken = self.budget.lend(octets, held);
        if taken {
            self.held.fetch_add(octets, Ordering::Relaxed);
        }
        taken
    }

    /// Takes up to `octets`, or nothing if not even `least` can be had. Returns how many: if not all, then half of what there is at least.
    #[must_use]
    pub fn take_up_to(&self, octets: u64, least: u64) -> u64 {
        let least = least.clamp(1, octets.max(1));
        let mut some = octets;
        while some > least {
            if self.take(some) {
                return some;
            }
            some /= 2;
        }
        if self.take(least) { least } else { 0 }
    }

    /// Whether [`take`](Self::take) would succeed.
    pub(crate) fn could_take(&self, octets: u64) -> bool {
        let taken = self.take(octets);
        if taken {
            self.give_back(octets);
        }
        taken
    }

    /// Gives back what was taken.
    pub fn give_back(&self, octets: u64) {
        let held = self.held.fetch_sub(octets, Ordering::Relaxed);
        debug_assert!(held >= octets, "more was given back than was taken");
        self.budget.lent.fetch_sub(octets, Ordering::Relaxed);
    }

    /// Octets that are held.
    #[must_use]
    pub fn held(&self) -> u64 {
        self.held.load(Ordering::Relaxed)
    }
}

impl Drop for MemoryShare {
    fn drop(&mut self) {
        self.give_back(self.held());
    }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    const MAX: u64 = 1 << 30;

    /// Takes all that there is for this share, in ever smaller steps.
    fn take_all(share: &MemoryShare) -> u64 {
        while share.take_up_to(MAX, 1024) > 0 {}
        share.held()
    }

    fn share(budget: &Arc<MemoryBudget>) -> Arc<MemoryShare> {
        MemoryShare::new(budget)
    }

    #[test]
    fn one_alone_gets_more_than_a_third_and_no_more_than_four_tenths() {
        let held = take_all(&share(&MemoryBudget::new(MAX)));
        assert!(held > MAX / 3 && held < MAX * 2 / 5, "{held}");
    }

    #[test]
    fn those_who_hold_all_they_can_for_ever_leave_the_next_one_its_part() {
        let budget = MemoryBudget::new(MAX);
        let mut greedy = Vec::new();
        for number in 1..=1_000 {
            greedy.push(share(&budget));
            take_all(&greedy[number - 1]);
            let free = budget.max() - budget.lent();
            assert!(free >= MAX / (number as u64 + 1), "{number}: {free}");
        }
        greedy.clear();
        assert_eq!(budget.lent(), 0);
        assert!(take_all(&share(&budget)) > MAX / 3);
    }

    #[test]
    fn eight_that_take_turns_get_a_twelfth_each() {
        let budget = MemoryBudget::new(MAX);
        let shares: Vec<_> = (0..8).map(|_| share(&budget)).collect();
        for _ in 0..100_000 {
            for share in &shares {
                let _taken = share.take(LUMP);
            }
        }
        for share in &shares {
            assert!(share.held() > MAX / 12, "{}", share.held());
        }
    }

    #[test]
    fn extreme_numbers_do_not_overflow() {
        for max in [0, 1, u64::MAX] {
            let budget = MemoryBudget::new(max);
            let share = share(&budget);
            assert!(!share.take(u64::MAX));
            assert_eq!(share.take_up_to(u64::MAX, 2) > 0, max == u64::MAX);
            assert!(share.take(0));
            assert!(budget.lent() <= max);
        }
    }

    proptest! {
        #[test]
        fn no_more_is_lent_than_there_is_and_the_books_are_right(
            max in 0..2_000_000_u64,
            steps in prop::collection::vec((0..5_usize, 0..600_000_u64, any::<bool>()), 1..200),
        ) {
            let budget = MemoryBudget::new(max);
            let shares: Vec<_> = (0..5).map(|_| share(&budget)).collect();
            for (index, octets, gives) in steps {
                let share = &shares[index];
                match gives {
                    true => share.give_back(octets.min(share.held())),
                    false => drop(share.take(octets)),
                }
                prop_assert!(budget.lent() <= max);
                prop_assert_eq!(budget.lent(), shares.iter().map(|share| share.held()).sum::<u64>());
            }
        }
    }
}
