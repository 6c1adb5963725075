use std::time::Duration;

use keyway_wire::Time;

use crate::{AssociationConfig, Keepalive};

/// From one handshake to the wish for the next: without a path that carries anything, the wish is there again at once.
const HANDSHAKE_PAUSE: Duration = Duration::from_secs(1);

/// Who uses the association and who was heard: what decides about keepalives, rekeys, stalls and the end.
#[derive(Debug)]
pub(crate) struct Activity {
    keepalive: Keepalive,
    idle_after: Duration,
    stall_after: Duration,
    handshake_repeat: Duration,
    patience: Duration,
    /// Streams, datagrams or pings went either way.
    last_use: Time,
    /// An authentic packet came.
    last_heard: Time,
    /// Since when something waits to be acknowledged or sent, and nothing was acknowledged.
    waiting_since: Option<Time>,
    /// The latest time that was heard of.
    noted: Time,
    stalled: bool,
    /// A handshake was asked for, or made, so that none is asked for before this time.
    not_before: Option<Time>,
}

/// A change that the application is told of.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Change {
    Stalled,
    Recovered,
}

impl Activity {
    pub(crate) fn new(now: Time, config: &AssociationConfig) -> Self {
        Self {
            keepalive: config.keepalive,
            idle_after: config.idle_after,
            stall_after: config.stall_after,
            handshake_repeat: config.handshake_repeat,
            patience: config.patience,
            last_use: now,
            last_heard: now,
            waiting_since: None,
            noted: now,
            stalled: false,
            not_before: None,
        }
    }

    pub(crate) fn set_keepalive(&mut self, keepalive: Keepalive) {
        self.keepalive = keepalive;
    }

    pub(crate) fn on_use(&mut self, now: Time) {
        self.last_use = self.last_use.max(now);
    }

    /// When streams, datagrams or pings went either way last.
    pub(crate) fn last_use(&self) -> Time {
        self.last_use
    }

    pub(crate) fn on_heard(&mut self, now: Time) {
        self.last_heard = self.last_heard.max(now);
    }

    /// When an authentic packet came last.
    pub(crate) fn last_heard(&self) -> Time {
        self.last_heard
    }

    /// Whether at that time somebody still wants packets to go through, without anything waiting.
    pub(crate) fn is_wanted_at(&self, time: Time) -> bool {
        self.keepalive == Keepalive::Always || time < self.last_use + self.idle_after
    }

    /// When the association ends for want of any sign of the peer.
    pub(crate) fn ends_at(&self) -> Time {
        self.last_heard + self.patience
    }

    /// Takes note of whether something waits, and of an acknowledgement.
    pub(crate) fn on_waiting(
        &mut self,
        now: Time,
        waits: bool,
        acknowledged: bool,
    ) -> Option<Change> {
        self.note(now);
        if !waits {
            self.waiting_since = None;
        } else if acknowledged {
            self.waiting_since = Some(now);
        } else {
            self.waiting_since.get_or_insert(now);
        }
        let over = !waits || acknowledged;
        if self.stalled && over {
            self.stalled = false;
            return Some(Change::Recovered);
        }
        if !self.stalled && self.stalls_at().is_some_and(|at| at <= now) {
            self.stalled = true;
            return Some(Change::Stalled);
        }
        None
    }

    /// Time has come so far.
    pub(crate) fn note(&mut self, now: Time) {
        self.noted = self.noted.max(now);
    }

    /// The latest time that was heard of.
    pub(crate) fn noted(&self) -> Time {
        self.noted
    }

    /// When a stall has to be reported.
    pub(crate) fn stalls_at(&self) -> Option<Time> {
        self.waiting_since
            .filter(|_| !self.stalled)
            .map(|since| since + self.stall_after)
    }

    /// When the wish for a handshake may be said, if it is wished from `since` on.
    pub(crate) fn ask_at(&self, since: Time) -> Time {
        self.not_before.map_or(since, |time| since.max(time))
    }

    pub(crate) fn on_asked(&mut self, now: Time) {
        self.not_before = Some(now + self.handshake_repeat);
    }

    /// There are new keys. If they do not help, the next ones will not do so at once.
    pub(crate) fn on_handshake(&mut self, now: Time) {
        self.not_before = Some(now + HANDSHAKE_PAUSE);
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn at(seconds: u64) -> Time {
        Time::from_micros(seconds * 1_000_000)
    }

    fn activity() -> Activity {
        Activity::new(at(0), &AssociationConfig::default())
    }

    #[test]
    fn a_pair_that_is_not_used_falls_asleep_unless_it_shall_not() {
        let mut activity = activity();
        assert!(activity.is_wanted_at(at(599)));
        assert!(!activity.is_wanted_at(at(600)));
        activity.on_use(at(500));
        assert!(activity.is_wanted_at(at(1099)));
        activity.set_keepalive(Keepalive::Always);
        assert!(activity.is_wanted_at(at(100_000)));
    }

    #[test]
    fn a_stall_is_reported_once_and_so_is_its_end() {
        let mut activity = activity();
        assert_eq!(activity.on_waiting(at(10), true, false), None);
        assert_eq!(activity.stalls_at(), Some(at(15)));
        assert_eq!(activity.on_waiting(at(12), true, true), None);
        assert_eq!(activity.stalls_at(), Some(at(17)));
        assert_eq!(
            activity.on_waiting(at(17), true, false),
            Some(Change::Stalled)
        );
        assert_eq!(activity.on_waiting(at(30), true, false), None);
        assert_eq!(activity.stalls_at(), None);
        assert_eq!(
            activity.on_waiting(at(31), true, true),
            Some(Change::Recovered)
        );
        assert_eq!(activity.on_waiting(at(32), false, false), None);
        assert_eq!(activity.stalls_at(), None);
    }

    #[test]
    fn a_handshake_is_asked_for_again_until_it_is_made() {
        let mut activity = activity();
        assert_eq!(activity.ask_at(at(3)), at(3));
        activity.on_asked(at(3));
        assert_eq!(activity.ask_at(at(3)), at(8));
        activity.on_handshake(at(3));
        assert_eq!(activity.ask_at(at(3)), at(4));
        assert_eq!(activity.ask_at(at(5)), at(5));
    }

    #[test]
    fn the_patience_starts_anew_with_each_sign_of_the_peer() {
        let mut activity = activity();
        activity.on_heard(at(100));
        assert_eq!(activity.ends_at(), at(100 + 24 * 3600));
    }
}
