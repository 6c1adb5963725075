//! What a node sends to addresses that peers named, to all peers together.
//!
//! The schedule of [`keyway_nat::Punching`] bounds what one peer can make us send. Where everybody is allowed, anybody has
//! as many keys as it likes: so there is one budget for all of them, and one for each target.

use std::net::SocketAddr;

use keyway_rendezvous::Rate;
use keyway_wire::Time;

use crate::defence::{Source, Sources};
use crate::limits::Limits;

#[derive(Debug)]
pub(crate) struct ProbeBudget {
    rate: Rate,
    /// When the budget is full again.
    full_at: Time,
    targets: Sources,
}

impl ProbeBudget {
    pub(crate) fn new(limits: &Limits) -> Self {
        Self {
            rate: limits.probes,
            full_at: Time::ZERO,
            targets: Sources::new(limits.probes_per_target, limits.sources_max),
        }
    }

    /// When there is room for another probe; a time that has passed if there is now.
    pub(crate) fn ready_at(&self) -> Time {
        self.rate.ready_at(self.full_at)
    }

    /// Whether a probe may go there now.
    pub(crate) fn take(&mut self, now: Time, target: SocketAddr) -> bool {
        // The target first: what it refuses costs the others nothing.
        self.targets.take(now, Source::of_address(target)) && self.rate.take(now, &mut self.full_at)
    }

    pub(crate) fn handle_timeout(&mut self, now: Time) {
        self.targets.handle_timeout(now);
    }

    pub(crate) fn poll_timeout(&self) -> Option<Time> {
        self.targets.poll_timeout()
    }
}

#[cfg(test)]
mod tests {
    use std::net::Ipv4Addr;
    use std::time::Duration;

    use super::*;

    fn target(number: u32) -> SocketAddr {
        (Ipv4Addr::from_bits(0xc633_6400 + number), 53).into()
    }

    fn at(millis: u64) -> Time {
        Time::from_micros(1_000_000 + millis * 1000)
    }

    // L9
    #[test]
    fn one_target_gets_a_few_and_all_together_get_no_more_than_the_budget() {
        let mut budget = ProbeBudget::new(&Limits::default());
        let to_one = (0..1000).filter(|_| budget.take(at(0), target(1))).count();
        assert_eq!(to_one, 60);
        let to_all = (0..1000)
            .filter(|it| budget.take(at(0), target(2 + it)))
            .count();
        assert_eq!(to_all, 400 - 60);
        assert!(budget.ready_at() > at(0));
        let next = budget.ready_at();
        assert!(budget.take(next, target(2000)) && !budget.take(next, target(2001)));
    }

    #[test]
    fn whoever_waits_for_the_budget_is_told_when_it_has_room() {
        let mut budget = ProbeBudget::new(&Limits::default());
        assert!(budget.ready_at() <= at(0));
        (0..400).for_each(|it| assert!(budget.take(at(0), target(it))));
        assert_eq!(budget.ready_at(), at(5));
        budget.handle_timeout(at(60_000));
        budget.handle_timeout(at(60_000) + Duration::from_secs(60));
        assert_eq!(budget.poll_timeout(), None);
    }
}
