//! The smallest scenario that still fails, as far as leaving out one thing after the other leads to it.

use super::{Faults, Op, Scenario, Settings};

impl Scenario {
    /// Makes a scenario smaller as long as `fails` says that it fails, and asks at most `tries` times.
    #[must_use]
    pub fn shrink(&self, tries: usize, fails: impl Fn(&Self) -> bool) -> Self {
        let mut smallest = self.clone();
        let mut left = tries;
        loop {
            let smaller = smallest
                .smaller()
                .take_while(|_| {
                    left = left.saturating_sub(1);
                    left > 0
                })
                .find(|candidate| candidate.check().is_ok() && fails(candidate));
            match smaller {
                Some(smaller) => smallest = smaller,
                None => return smallest,
            }
        }
    }

    /// The scenario as it is kept: with what it showed in front.
    #[must_use]
    pub fn to_kept_text(&self, why: &str) -> String {
        let why = why.replace('\n', " ");
        format!("# {why}\n\n{}", self.to_text())
    }

    /// Scenarios with a little less in them, those with the most left out first.
    fn smaller(&self) -> impl Iterator<Item = Self> + '_ {
        self.without_steps()
            .chain(self.without_last_host())
            .chain(self.with_fewer_faults())
            .chain(self.with_smaller_steps())
            .chain(self.shorter())
    }

    fn without_steps(&self) -> impl Iterator<Item = Self> + '_ {
        let sizes = [8, 4, 2, 1];
        sizes.into_iter().flat_map(move |size| {
            (0..self.steps.len()).step_by(size).map(move |first| {
                let mut smaller = self.clone();
                let last = (first + size).min(smaller.steps.len());
                smaller.steps.drain(first..last);
                smaller
            })
        })
    }

    fn without_last_host(&self) -> impl Iterator<Item = Self> + '_ {
        let last = self.hosts.len().saturating_sub(1);
        let is_needed = self
            .steps
            .iter()
            .any(|step| step.op.hosts().contains(&last));
        let mut smaller = self.clone();
        smaller.hosts.truncate(last);
        for host in &mut smaller.hosts {
            host.allows.retain(|other| *other != last);
        }
        (!is_needed).then_some(smaller).into_iter()
    }

    fn with_fewer_faults(&self) -> impl Iterator<Item = Self> + '_ {
        let changes: [fn(&mut Self); 15] = [
            |it| it.nats.clear(),
            |it| {
                it.faults = Faults {
                    delay_ms: it.faults.delay_ms,
                    ..Faults::default()
                }
            },
            |it| it.settings = Settings::default(),
            |it| it.faults.loss = 0,
            |it| it.faults.bursts = false,
            |it| it.faults.corrupt = 0,
            |it| it.faults.duplicate = 0,
            |it| it.faults.reorder = 0,
            |it| it.faults.jitter_ms = 0,
            |it| it.faults.rate = 0,
            |it| it.faults.mtu = Faults::default().mtu,
            |it| it.settings.rekey_ms = None,
            |it| it.settings.packets_per_phase = None,
            |it| it.settings.window = None,
            |it| it.settings.refresh_ms = None,
        ];
        let in_public = (0..self.hosts.len()).map(|host| {
            let mut smaller = self.clone();
            smaller.hosts[host].nat = None;
            smaller
        });
        let changed = changes.into_iter().map(|change| {
            let mut smaller = self.clone();
            change(&mut smaller);
            smaller
        });
        changed
            .chain(in_public)
            .filter(move |smaller| smaller != self)
    }

    fn with_smaller_steps(&self) -> impl Iterator<Item = Self> + '_ {
        (0..self.steps.len()).filter_map(|index| {
            let mut smaller = self.clone();
            let op = &mut smaller.steps[index].op;
            *op = op.halved();
            (smaller != *self).then_some(smaller)
        })
    }

    fn shorter(&self) -> impl Iterator<Item = Self> + '_ {
        let last = self.steps.last().map_or(0, |step| step.at_ms);
        let mut smaller = self.clone();
        smaller.safety_ms = last.max(self.safety_ms / 2);
        (smaller != *self).then_some(smaller).into_iter()
    }
}

impl Op {
    /// The same with half of everything.
    fn halved(self) -> Self {
        let mut halved = self;
        match &mut halved {
            Self::Call { length, answer, .. } => {
                *length /= 2;
                *answer /= 2;
            }
            Self::Flow { count, size, .. } => {
                *count = (*count / 2).max(1);
                *size /= 2;
            }
            Self::StopReading { for_ms, .. }
            | Self::Close { for_ms, .. }
            | Self::Crash { for_ms, .. }
            | Self::Suspend { for_ms, .. }
            | Self::Cut { for_ms, .. } => *for_ms /= 2,
            Self::Replay { count } | Self::Forge { count } | Self::Overtake { count, .. } => {
                *count = (*count / 2).max(1);
            }
            Self::Wall { by, .. } => *by /= 2,
            Self::GiveUp { .. } | Self::Rebind { .. } | Self::Lookup { .. } => {}
        }
        halved
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    /// Some scenario with a crash in it, and more.
    fn with_a_crash() -> Scenario {
        let has_crash = |it: &Scenario| it.steps.iter().any(is_crash) && it.steps.len() > 8;
        (0..)
            .map(Scenario::from_seed)
            .find(has_crash)
            .expect("seeds do not end")
    }

    fn is_crash(step: &super::super::Step) -> bool {
        matches!(step.op, Op::Crash { .. })
    }

    #[test]
    fn what_fails_for_one_step_is_shrunk_to_that_step() {
        let shrunk = with_a_crash().shrink(10_000, |it| it.steps.iter().any(is_crash));
        assert_eq!(shrunk.steps.len(), 1, "{shrunk:?}");
        assert!(is_crash(&shrunk.steps[0]));
        assert_eq!(shrunk.settings, Settings::default());
        assert_eq!((shrunk.faults.loss, shrunk.faults.corrupt), (0, 0));
        assert!(shrunk.hosts.iter().all(|host| host.nat.is_none()));
    }

    #[test]
    fn the_number_of_tries_is_kept_to() {
        let asked = std::cell::Cell::new(0);
        let scenario = with_a_crash();
        let shrunk = scenario.shrink(10, |_| {
            asked.set(asked.get() + 1);
            false
        });
        assert!(asked.get() <= 10);
        assert_eq!(shrunk, scenario);
    }
}
