use std::net::IpAddr;
use std::time::Duration;

use keyway_wire::{CidSequence, Time};
use smallvec::SmallVec;

use super::allowance::Allowance;
use super::path::PathId;
use super::transmit::CHALLENGE_MIN;
use crate::Route;

/// Challenges to one route that are remembered: an answer may take longer than the time to the next attempt.
const OUTSTANDING_MAX: usize = 4;

/// For so long the answer to one of them may be on its way: longer than round trips are, queues included.
const ANSWER_PATIENCE: Duration = Duration::from_secs(2);

/// Time to the second attempt; doubled for each further one. About the round trip that a path is assumed to take
/// (RFC 9002, 6.2.2).
const FIRST_INTERVAL: Duration = Duration::from_millis(300);

/// Slow attempts are this far apart.
const INTERVAL_MAX: Duration = Duration::from_secs(30);

/// Attempts for a route that may come to life later: some three minutes.
const ATTEMPTS: u32 = 12;

/// Attempts for a new address of the peer: beyond some seconds it has moved on.
const REBINDING_ATTEMPTS: u32 = 4;

/// How long the answer to a lone probe is waited for.
const PROBE_PATIENCE: Duration = Duration::from_secs(5);

/// The octets of a PATH_CHALLENGE: unpredictable, so that the answer proves that it arrived (RFC 9000, 8.2.1).
pub(crate) type ChallengeData = [u8; 8];

/// Why a route is validated.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Purpose {
    /// One challenge of a schedule that somebody else keeps.
    Probe,
    /// A route that was named, to become a path.
    Candidate,
    /// An address from which packets of a path's id come: the path moves there if the peer answers.
    Rebinding {
        /// The path that would move.
        path: PathId,
        /// The number space that moved.
        space: CidSequence,
    },
    /// The route of a path that is not sure to work.
    Path(PathId),
}

impl Purpose {
    /// How many challenges are sent before the route is given up.
    const fn attempts(self) -> u32 {
        match self {
            Self::Probe => 1,
            Self::Rebinding { .. } => REBINDING_ATTEMPTS,
            Self::Candidate | Self::Path(_) => ATTEMPTS,
        }
    }
}

/// A route that is being validated.
#[derive(Debug)]
pub(crate) struct Validation {
    pub(crate) route: Route,
    pub(crate) local: Option<IpAddr>,
    pub(crate) purpose: Purpose,
    /// What may be sent there, beside what a path of the same route counts itself.
    pub(crate) allowance: Allowance,
    outstanding: SmallVec<[Challenge; 1]>,
    attempts: u32,
    /// When the next challenge is due, or the route is given up.
    next: Time,
}

#[derive(Clone, Copy, Debug)]
struct Challenge {
    data: ChallengeData,
    sent: Time,
    full_size: bool,
}

/// What the answer to a challenge proves.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Proof {
    /// The peer is there.
    Address(Route),
    /// And packets of full size pass.
    Route(Answered),
}

/// A challenge of full size was answered.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct Answered {
    pub(crate) route: Route,
    pub(crate) local: Option<IpAddr>,
    pub(crate) purpose: Purpose,
    pub(crate) rtt: Duration,
}

/// The routes under validation (RFC 9000, 8.2): who was challenged, when, and when to try again.
pub(crate) struct Validations {
    entries: Vec<Validation>,
    max: usize,
}

impl Validations {
    pub(crate) fn new(max: usize) -> Self {
        Self {
            entries: Vec::new(),
            max,
        }
    }

    /// Gives back room that is left over.
    pub(crate) fn rest(&mut self) {
        self.entries.shrink_to_fit();
    }

    /// Starts to validate a route, or starts again, with a challenge at once.
    pub(crate) fn start(
        &mut self,
        now: Time,
        route: Route,
        local: Option<IpAddr>,
        purpose: Purpose,
        allowance: Allowance,
    ) {
        if let Some(entry) = self.by_route(&route) {
            // Whoever names a route that a path may move to does not know that.
            let moves = matches!(entry.purpose, Purpose::Rebinding { .. });
            if !moves || !matches!(purpose, Purpose::Probe | Purpose::Candidate) {
                entry.purpose = purpose;
            }
            if allowance == Allowance::UNLIMITED {
                entry.allowance.lift();
            }
            entry.local = local.or(entry.local);
            entry.attempts = 0;
            entry.next = now;
            return;
        }
        if self.entries.len() >= self.max {
            self.make_room();
        }
        let outstanding = SmallVec::new();
        self.entries.push(Validation {
            route,
            local,
            purpose,
            allowance,
            outstanding,
            attempts: 0,
            next: now,
        });
    }

    /// The validation of this route.
    pub(crate) fn by_route(&mut self, route: &Route) -> Option<&mut Validation> {
        self.entries.iter_mut().find(|entry| entry.route == *route)
    }

    pub(crate) fn contains(&self, route: &Route) -> bool {
        self.entries.iter().any(|entry| entry.route == *route)
    }

    pub(crate) fn remove(&mut self, route: &Route) {
        self.entries.retain(|entry| entry.route != *route);
    }

    /// Forgets what concerns a path that is gone.
    pub(crate) fn remove_path(&mut self, id: PathId) {
        self.entries.retain(|entry| match entry.purpose {
            Purpose::Path(path) | Purpose::Rebinding { path, .. } => path != id,
            Purpose::Probe | Purpose::Candidate => true,
        });
    }

    /// Tries every route again from the beginning: nothing else is left, or everything is to be found anew.
    pub(crate) fn restart(&mut self, now: Time) {
        for entry in &mut self.entries {
            entry.attempts = 0;
            entry.next = entry.next.min(now);
        }
    }

    /// The validations that have a challenge to send, and when.
    pub(crate) fn challenges(&self) -> impl Iterator<Item = (usize, Time, &Validation)> {
        let waiting = |entry: &&Validation| entry.attempts < entry.purpose.attempts();
        let entries = self.entries.iter().enumerate();
        entries
            .filter(move |(_, entry)| waiting(entry))
            .map(|(index, entry)| (index, entry.next, entry))
    }

    /// When [`expire`](Self::expire) has something to give up.
    pub(crate) fn next_expiry(&self) -> Option<Time> {
        self.entries
            .iter()
            .filter(|entry| entry.is_spent())
            .map(|entry| entry.next)
            .min()
    }

    /// Takes out a route that did not answer.
    pub(crate) fn expire(&mut self, now: Time) -> Option<Validation> {
        let index = self
            .entries
            .iter()
            .position(|entry| entry.is_spent() && entry.next <= now)?;
        Some(self.entries.swap_remove(index))
    }

    /// The challenge that is sent now to the validation of that index. `interval_max` shortens the time to the next one and
    /// keeps the route from being given up, while there is no other.
    pub(crate) fn challenge(
        &mut self,
        index: usize,
        now: Time,
        data: ChallengeData,
        full_size: bool,
        interval_max: Option<Duration>,
    ) {
        let Some(entry) = self.entries.get_mut(index) else {
            return;
        };
        if entry.outstanding.len() == OUTSTANDING_MAX {
            entry.outstanding.remove(0);
        }
        entry.outstanding.push(Challenge {
            data,
            sent: now,
            full_size,
        });
        entry.next = now + entry.interval().min(interval_max.unwrap_or(INTERVAL_MAX));
        entry.attempts += 1;
        if interval_max.is_some() && entry.purpose != Purpose::Probe {
            entry.attempts = entry.attempts.min(entry.purpose.attempts() - 1);
        }
    }

    pub(crate) fn get(&self, index: usize) -> Option<&Validation> {
        self.entries.get(index)
    }

    pub(crate) fn get_mut(&mut self, index: usize) -> Option<&mut Validation> {
        self.entries.get_mut(index)
    }

    /// A PATH_RESPONSE came, from wherever: it proves the route that its challenge went to (RFC 9000, 8.2.3). A challenge
    /// that the limit kept small proves the address, but not that packets of full size pass; one more is due then.
    pub(crate) fn on_response(&mut self, now: Time, data: ChallengeData) -> Option<Proof> {
        let answered = |entry: &Validation| entry.challenge(data);
        let index = self
            .entries
            .iter()
            .position(|entry| answered(entry).is_some())?;
        let entry = self.entries.get_mut(index)?;
        let (place, challenge) = answered(entry)?;
        if !challenge.full_size {
            // Once: an answer that is repeated proves nothing more.
            entry.outstanding.remove(place);
            entry.allowance.lift();
            entry.attempts = 0;
            entry.next = now;
            return Some(Proof::Address(entry.route));
        }
        let Validation {
            route,
            local,
            purpose,
            ..
        } = self.entries.swap_remove(index);
        let rtt = now.saturating_since(challenge.sent);
        Some(Proof::Route(Answered {
            route,
            local,
            purpose,
            rtt,
        }))
    }

    /// Drops what matters least: a probe whose schedule is kept elsewhere, or what was tried most.
    fn make_room(&mut self) {
        let key = |entry: &Validation| (entry.purpose == Purpose::Probe, entry.attempts);
        let least = self
            .entries
            .iter()
            .enumerate()
            .max_by_key(|(_, entry)| key(entry));
        if let Some((index, _)) = least {
            self.entries.swap_remove(index);
        }
    }

    #[cfg(test)]
    pub(crate) fn len(&self) -> usize {
        self.entries.len()
    }
}

impl Validation {
    /// Tries again at `time` at the latest: there is reason to hope. But no challenge is forgotten for that whose answer may be on
    /// its way: answers are what gives hope, so that each of them would come too late for ever.
    pub(crate) fn hurry(&mut self, time: Time) {
        let time = match self.outstanding.first() {
            Some(oldest) if self.outstanding.len() == OUTSTANDING_MAX => {
                time.max(oldest.sent + ANSWER_PATIENCE)
            }
            _ => time,
        };
        self.attempts = self.attempts.min(self.purpose.attempts() - 1);
        self.next = self.next.min(time);
    }

    /// A challenge of that many octets left. A route that was named and may get no more is given up in time: nothing that it
    /// could wait for comes.
    pub(crate) fn on_challenge_sent(&mut self, now: Time, octets: usize) {
        self.allowance.on_sent(octets);
        if self.purpose == Purpose::Candidate && self.allowance.left() < CHALLENGE_MIN {
            self.attempts = self.purpose.attempts();
            self.next = self.next.max(now + PROBE_PATIENCE);
        }
    }

    /// The challenge of this content, if it is remembered, and its place.
    fn challenge(&self, data: ChallengeData) -> Option<(usize, Challenge)> {
        let place = self
            .outstanding
            .iter()
            .position(|challenge| challenge.data == data)?;
        self.outstanding
            .get(place)
            .map(|challenge| (place, *challenge))
    }

    fn is_spent(&self) -> bool {
        self.attempts >= self.purpose.attempts()
    }

    /// From the attempt that is made to the next.
    fn interval(&self) -> Duration {
        match self.purpose {
            Purpose::Probe => PROBE_PATIENCE,
            Purpose::Candidate | Purpose::Rebinding { .. } | Purpose::Path(_) => FIRST_INTERVAL
                .saturating_mul(1 << self.attempts.min(16))
                .min(INTERVAL_MAX),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn route(port: u16) -> Route {
        Route::Direct {
            remote: ([192, 0, 2, 1], port).into(),
        }
    }

    fn at(millis: u64) -> Time {
        Time::from_micros(millis * 1000)
    }

    fn started(purpose: Purpose) -> Validations {
        let mut validations = Validations::new(64);
        validations.start(at(0), route(1), None, purpose, Allowance::UNLIMITED);
        validations
    }

    /// Sends every challenge that is due until the route is given up, and says when each was.
    fn attempts(validations: &mut Validations, urgent: Option<Duration>, limit: usize) -> Vec<u64> {
        let mut times = Vec::new();
        while times.len() < limit {
            let next = validations
                .challenges()
                .next()
                .map(|(index, when, _)| (index, when));
            let Some((index, when)) = next else { break };
            let data = [u8::try_from(times.len()).unwrap(); 8];
            validations.challenge(index, when, data, true, urgent);
            times.push(when.as_micros() / 1000);
        }
        times
    }

    #[test]
    fn a_candidate_is_challenged_at_once_and_then_less_and_less_often() {
        let mut validations = started(Purpose::Candidate);
        let times = attempts(&mut validations, None, 100);
        assert_eq!(times[..6], [0, 300, 900, 2100, 4500, 9300]);
        assert_eq!(times.len(), 12);
        let last = validations
            .next_expiry()
            .expect("nothing is left but to give up");
        assert!(
            validations
                .expire(last - Duration::from_micros(1))
                .is_none()
        );
        assert_eq!(
            validations.expire(last).map(|entry| entry.route),
            Some(route(1))
        );
        assert_eq!(validations.len(), 0);
    }

    #[test]
    fn a_probe_is_one_challenge() {
        let mut validations = started(Purpose::Probe);
        assert_eq!(attempts(&mut validations, None, 100), [0]);
        assert_eq!(validations.next_expiry(), Some(at(5000)));
    }

    #[test]
    fn with_no_other_route_left_the_tries_go_on() {
        let mut validations = started(Purpose::Path(PathId(3)));
        let times = attempts(&mut validations, Some(Duration::from_secs(2)), 100);
        assert_eq!(times.len(), 100);
        assert_eq!(times[99] - times[98], 2000);
        assert_eq!(validations.next_expiry(), None);
    }

    #[test]
    fn hope_does_not_push_out_challenges_whose_answers_may_be_on_their_way() {
        // Each answer comes 700 ms after its challenge, which is hurried 100 ms after each answer and whatever else comes.
        let mut validations = started(Purpose::Path(PathId(3)));
        for step in 0..70 {
            let now = at(step * 10);
            validations.by_route(&route(1)).unwrap().hurry(now);
            let due = validations.challenges().next().map(|(_, when, _)| when);
            if due.is_some_and(|due| due <= now) {
                let data = [u8::try_from(step).unwrap(); 8];
                validations.challenge(0, now, data, true, None);
            }
        }
        let first = validations.on_response(at(700), [0; 8]);
        assert!(matches!(first, Some(Proof::Route(_))), "{first:?}");
    }

    #[test]
    fn the_answer_to_any_of_the_last_challenges_counts() {
        let mut validations = started(Purpose::Candidate);
        attempts(&mut validations, None, 6);
        assert_eq!(
            validations.on_response(at(9400), [1; 8]),
            None,
            "four are remembered"
        );
        assert_eq!(
            validations.on_response(at(9400), [9; 8]),
            None,
            "never sent"
        );
        let Some(Proof::Route(answered)) = validations.on_response(at(9400), [3; 8]) else {
            panic!("sent at 2,100 ms");
        };
        assert_eq!(
            (answered.route, answered.rtt),
            (route(1), Duration::from_millis(7300))
        );
        assert_eq!(
            validations.on_response(at(9400), [3; 8]),
            None,
            "it is validated once"
        );
    }

    // R8.11
    #[test]
    fn a_small_challenge_proves_the_address_and_a_full_one_must_follow() {
        let mut validations = Validations::new(64);
        let purpose = Purpose::Rebinding {
            path: PathId(0),
            space: CidSequence(0),
        };
        validations.start(at(0), route(1), None, purpose, Allowance::NOTHING);
        validations.challenge(0, at(0), [1; 8], false, None);
        let proof = validations.on_response(at(40), [1; 8]);
        assert_eq!(proof, Some(Proof::Address(route(1))));
        assert_eq!(
            validations.on_response(at(40), [1; 8]),
            None,
            "it proves that once"
        );
        assert_eq!(
            validations.get(0).map(|entry| entry.allowance),
            Some(Allowance::UNLIMITED)
        );
        let due = validations
            .challenges()
            .next()
            .map(|(index, when, _)| (index, when));
        assert_eq!(due, Some((0, at(40))));
        validations.challenge(0, at(40), [2; 8], true, None);
        let Some(Proof::Route(answered)) = validations.on_response(at(80), [2; 8]) else {
            panic!("both were answered");
        };
        assert_eq!(
            (answered.purpose, answered.rtt),
            (purpose, Duration::from_millis(40))
        );
    }

    // L9: a flood of routes.
    #[test]
    fn the_number_of_routes_is_bounded_and_probes_give_way_first() {
        let mut validations = Validations::new(4);
        validations.start(
            at(0),
            route(1),
            None,
            Purpose::Candidate,
            Allowance::UNLIMITED,
        );
        for port in 2..100 {
            validations.start(
                at(0),
                route(port),
                None,
                Purpose::Probe,
                Allowance::UNLIMITED,
            );
        }
        assert_eq!(validations.len(), 4);
        assert!(validations.contains(&route(1)) && validations.contains(&route(99)));
    }

    #[test]
    fn what_concerns_a_path_goes_with_it() {
        let mut validations = started(Purpose::Path(PathId(1)));
        let purpose = Purpose::Rebinding {
            path: PathId(1),
            space: CidSequence(4),
        };
        validations.start(at(0), route(2), None, purpose, Allowance::NOTHING);
        validations.start(
            at(0),
            route(3),
            None,
            Purpose::Candidate,
            Allowance::UNLIMITED,
        );
        validations.remove_path(PathId(1));
        assert_eq!(validations.len(), 1);
        assert!(validations.contains(&route(3)));
    }
}
