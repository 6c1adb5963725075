//! Which address of a peer to probe next.

use std::collections::VecDeque;
use std::net::SocketAddr;
use std::time::Duration;

use keyway_wire::{CANDIDATES_MAX, Candidate, Time};

use crate::local::Family;
use crate::target::{Origin, Target};

/// Addresses kept that the peer did not name, but sent from.
const SEEN_MAX: usize = 4;

/// Probes in any second.
const PROBES_PER_SECOND: usize = 50;

/// Probes in a round, to all targets together.
const PROBES_PER_ROUND: u32 = 100;

/// From the begin of a round to that of the next one, while only a relay connects the two. NATs and networks change.
const ROUND_INTERVAL: Duration = Duration::from_secs(60);

/// When our own addresses change, the budget is renewed sooner, but not more often than this: a server may tell that
/// they changed, and servers may lie.
const RENEWAL_INTERVAL: Duration = Duration::from_secs(10);

/// The search for a direct path to one peer.
///
/// A round begins when the association does, when our own addresses change, when the direct path is lost, and each 60 s
/// without one. In a round, each address of the peer gets up to 12 probes within 8 s; all of them together at most 50
/// in any second and 100 in the round. What the peer tells during a round shares the budget that is left, and so does a
/// round that begins because a path was lost: a peer can lose one whenever it likes.
///
/// After each other call, drain [`poll_probe`](Self::poll_probe) and ask [`poll_timeout`](Self::poll_timeout).
///
/// ```
/// use keyway_nat::Punching;
/// use keyway_wire::{Candidate, CandidateKind, Time};
///
/// let mut punching = Punching::new();
/// let address = "198.51.100.7:61000".parse().unwrap();
/// punching.set_remote(Time::ZERO, &[Candidate { kind: CandidateKind::Reflexive, address }]);
/// assert_eq!(punching.poll_probe(Time::ZERO), Some(address)); // send a challenge there
/// assert_eq!(punching.poll_probe(Time::ZERO), None); // and come again at `poll_timeout`
/// assert!(punching.poll_timeout().is_some());
/// ```
#[derive(Debug, Default)]
pub struct Punching {
    local: Vec<Candidate>,
    targets: Vec<Target>,
    direct: bool,
    /// Probes that the round has left.
    budget: u32,
    renewed: Option<Time>,
    next_round: Option<Time>,
    /// When the last probes were sent, as many as may be in a second.
    recent: VecDeque<Time>,
}

impl Punching {
    /// Nothing to probe.
    pub fn new() -> Self {
        Self::default()
    }

    /// These are our own candidates. If they changed, a new round begins. Address families of which we have no
    /// candidate are not probed, unless we have none at all and do not know.
    pub fn set_local(&mut self, now: Time, candidates: &[Candidate]) {
        if self.local != candidates {
            self.local = candidates.to_vec();
            self.renew_budget(now, RENEWAL_INTERVAL);
            self.begin_round(now);
        }
    }

    /// The peer's candidates, all of them: at most 32 count. Each must have passed [`may_probe`](crate::may_probe).
    /// Those that are new are probed at once, as far as the budget of the round goes.
    pub fn set_remote(&mut self, now: Time, candidates: &[Candidate]) {
        let mut told: Vec<SocketAddr> = Vec::new();
        for candidate in candidates {
            if told.len() < CANDIDATES_MAX && !told.contains(&candidate.address) {
                told.push(candidate.address);
            }
        }
        self.targets
            .retain(|target| target.origin == Origin::Seen || told.contains(&target.address));
        for address in told {
            if !self.targets.iter().any(|target| target.address == address) {
                self.targets.push(Target::new(address, Origin::Told, now));
            }
        }
        self.ensure_round(now);
    }

    /// An authentic packet of the peer came from this address, which is no path so far: it is probed, the sooner the
    /// better.
    pub fn on_probed_from(&mut self, now: Time, address: SocketAddr) {
        if let Some(target) = self
            .targets
            .iter_mut()
            .find(|target| target.address == address)
        {
            target.hurry(now);
        } else {
            self.forget_one_seen();
            self.targets.push(Target::new(address, Origin::Seen, now));
        }
        self.ensure_round(now);
    }

    /// There is a direct path: be quiet until it is lost.
    pub fn on_direct_path(&mut self) {
        self.direct = true;
        self.next_round = None;
        self.targets.iter_mut().for_each(Target::stop);
    }

    /// There is no direct path any more: a new round begins.
    pub fn on_direct_lost(&mut self, now: Time) {
        self.direct = false;
        self.begin_round(now);
    }

    /// The association is over, or another one has taken its place: nothing is known of the peer's addresses any more, nor
    /// whether a path is direct. What was sent counts further.
    pub fn on_new_association(&mut self) {
        self.direct = false;
        self.next_round = None;
        self.targets.clear();
    }

    /// Our own network changed in a way that [`set_local`](Self::set_local) may not show: a new round begins.
    pub fn on_network_change(&mut self, now: Time) {
        self.renew_budget(now, RENEWAL_INTERVAL);
        self.begin_round(now);
    }

    /// Where to send a probe now; to be asked until there is none.
    pub fn poll_probe(&mut self, now: Time) -> Option<SocketAddr> {
        self.handle_timeout(now);
        if self.budget == 0 || self.direct || self.second_is_full(now) {
            return None;
        }
        let due = |target: &&mut Target| target.due.is_some_and(|due| due <= now);
        let next = self
            .targets
            .iter_mut()
            .filter(due)
            .min_by_key(|it| (it.origin, it.due))?;
        next.sent(now);
        let address = next.address;
        self.budget -= 1;
        if self.recent.len() == PROBES_PER_SECOND {
            self.recent.pop_front();
        }
        self.recent.push_back(now);
        Some(address)
    }

    /// Whether the peer said that it may be reached there, rather than that a packet of it seemed to come from there.
    #[must_use]
    pub fn was_told(&self, address: SocketAddr) -> bool {
        self.targets
            .iter()
            .any(|target| target.address == address && target.origin == Origin::Told)
    }

    /// Begins the next round when its time has come.
    pub fn handle_timeout(&mut self, now: Time) {
        if self.awaited_round().is_some_and(|next| next <= now) {
            self.begin_round(now);
        }
    }

    /// When [`poll_probe`](Self::poll_probe) has something next.
    pub fn poll_timeout(&self) -> Option<Time> {
        let due = self.targets.iter().filter_map(|target| target.due).min();
        let probe = due.filter(|_| self.budget > 0 && !self.direct);
        let probe = probe.map(|due| self.next_free_moment().map_or(due, |free| due.max(free)));
        [probe, self.awaited_round()].into_iter().flatten().min()
    }

    /// The begin of the next round, if there is anything to probe in it.
    fn awaited_round(&self) -> Option<Time> {
        self.next_round.filter(|_| !self.targets.is_empty())
    }

    fn begin_round(&mut self, now: Time) {
        if self.direct {
            return;
        }
        self.renew_budget(now, ROUND_INTERVAL);
        self.next_round = Some(now + ROUND_INTERVAL);
        for target in &mut self.targets {
            target.restart(now);
        }
        self.skip_families();
    }

    fn renew_budget(&mut self, now: Time, interval: Duration) {
        if self
            .renewed
            .is_none_or(|renewed| now.saturating_since(renewed) >= interval)
        {
            self.budget = PROBES_PER_ROUND;
            self.renewed = Some(now);
        }
    }

    /// The peer told something. The first round begins with it; otherwise, it joins the round that is.
    fn ensure_round(&mut self, now: Time) {
        if self.direct {
            self.targets.iter_mut().for_each(Target::stop);
        } else if self.next_round.is_none() {
            self.begin_round(now);
        }
        self.skip_families();
    }

    /// Stops targets that none of our addresses could send to.
    fn skip_families(&mut self) {
        let local = &self.local;
        let has = |family| {
            local
                .iter()
                .any(|candidate| Family::of(candidate.address) == family)
        };
        for target in &mut self.targets {
            if !local.is_empty() && !has(Family::of(target.address)) {
                target.stop();
            }
        }
    }

    /// Makes room for another address that the peer sent from: the oldest goes, since NATs give new ones.
    fn forget_one_seen(&mut self) {
        let seen = |target: &Target| target.origin == Origin::Seen;
        if self.targets.iter().filter(|target| seen(target)).count() >= SEEN_MAX
            && let Some(oldest) = self.targets.iter().position(seen)
        {
            self.targets.remove(oldest);
        }
    }

    fn second_is_full(&self, now: Time) -> bool {
        self.next_free_moment().is_some_and(|free| now < free)
    }

    /// When the second has room for another probe; `None` when it has room anyway.
    fn next_free_moment(&self) -> Option<Time> {
        let full = self.recent.len() >= PROBES_PER_SECOND;
        self.recent
            .front()
            .filter(|_| full)
            .map(|first| *first + Duration::from_secs(1))
    }
}

#[cfg(test)]
mod tests;
