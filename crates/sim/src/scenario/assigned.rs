//! The errands of a scenario: who was given which, and who was told to give one up.

use super::actor::Wish;
use super::errand::{Errand, Kind};
use super::stage::Stage;
use super::{Op, Scenario};

/// An errand that was given to somebody.
pub(super) struct Assigned {
    pub(super) errand: Errand,
    pub(super) from: usize,
    pub(super) to: usize,
    /// How often processes had ended at both when it was given.
    pub(super) ends: [u32; 2],
    pub(super) given_up: bool,
}

impl Stage<'_> {
    /// Whether `to` serves `from`.
    pub(super) fn permits(&self, from: usize, to: usize) -> bool {
        self.scenario.hosts[to].allows.contains(&from)
    }

    /// Gives an errand to a host.
    pub(super) fn assign(&mut self, from: usize, to: usize, kind: Kind) {
        if self.seats[from].is_down {
            return;
        }
        let name = self.errands.len() as u64 + 1;
        let errand = Errand { name, kind };
        let (peer, address) = (self.seats[to].id, self.seats[to].local);
        // Every other caller was told an address too, where there is one that can be reached.
        let told = self.scenario.hosts[to].nat.is_none() && name.is_multiple_of(2);
        let wish = Wish {
            peer,
            address: told.then_some(address),
            errand,
        };
        self.errands.push(Assigned {
            errand,
            from,
            to,
            ends: [self.seats[from].ends, self.seats[to].ends],
            given_up: false,
        });
        self.if_up(from, |actor, now| actor.run_errand(now, wish));
    }

    pub(super) fn give_up(&mut self, from: usize, to: usize) {
        let youngest = self
            .errands
            .iter_mut()
            .rev()
            .find(|errand| errand.from == from && errand.to == to);
        if let Some(assigned) = youngest {
            assigned.given_up = true;
            let name = assigned.errand.name;
            self.if_up(from, |actor, now| actor.give_up(now, name));
        }
    }
}

impl Scenario {
    /// Whether a host is ever to run an errand to another.
    pub(super) fn wants(&self, one: usize, other: usize) -> bool {
        self.steps.iter().any(|step| {
            matches!(step.op, Op::Call { from, to, .. } | Op::Flow { from, to, .. } if (from, to) == (one, other))
        })
    }
}
