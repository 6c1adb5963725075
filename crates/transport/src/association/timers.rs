//! What time brings about.

use std::time::Duration;

use keyway_wire::Time;
use keyway_wire::planted::{Fault, planted};

use super::Association;
use super::activity::Change;
use super::assembly::ROOM_MIN;
use super::close::Phase;
use super::path::{Check, PathId};
use crate::recovery::TimeoutOutcome;
use crate::{AssociationEvent, EndReason};

impl Association {
    /// Does what is due. Nothing happens if nothing is.
    pub fn handle_timeout(&mut self, now: Time) {
        let linger = self.paths.linger();
        self.sessions.handle_timeout(now, linger);
        match &self.phase {
            Phase::Open => self.on_time(now),
            Phase::Closing(closing) if closing.until <= now || !self.sessions.can_seal() => {
                self.finish_closing()
            }
            Phase::Answering(_) if !self.sessions.can_seal() => self.finish_answering(),
            Phase::Closing(_) | Phase::Answering(_) | Phase::Ended => {}
        }
    }

    fn on_time(&mut self, now: Time) {
        self.activity.note(now);
        self.stuck = false;
        if self.activity.ends_at() <= now || self.is_abortive() {
            return self.end(EndReason::TimedOut);
        }
        let linger = self.paths.linger();
        while let Some(cid) = self.issued.expire(now, linger) {
            self.events.push(AssociationEvent::CidRetired(cid));
        }
        let ids: Vec<PathId> = self.paths.iter().map(|path| path.id).collect();
        for id in ids {
            self.on_path_timeout(now, id);
        }
        while let Some(failed) = self.validations.expire(now) {
            self.on_validation_failed(now, failed.route, failed.purpose);
        }
        self.keep_alive(now);
        self.ask_for_handshake(now);
        self.note_waiting(now, false);
    }

    /// When to call [`handle_timeout`](Self::handle_timeout) and [`poll_transmit`](Self::poll_transmit) next, if nothing
    /// else happens before. Not later than anything that waits to be sent can be sent.
    #[must_use]
    pub fn poll_timeout(&self) -> Option<Time> {
        let mut earliest = Earliest(None);
        self.tasks(&mut |when, _| earliest.at(when));
        match &self.phase {
            Phase::Open => self.timers(&mut earliest),
            Phase::Closing(closing) => {
                earliest.at(closing.until);
                earliest.maybe(self.sessions.next_timeout(self.paths.linger()));
            }
            Phase::Answering(_) => earliest.maybe(self.sessions.next_timeout(self.paths.linger())),
            Phase::Ended => {}
        }
        earliest.0
    }

    fn timers(&self, earliest: &mut Earliest) {
        let linger = self.paths.linger();
        earliest.at(self.activity.ends_at());
        earliest.maybe(self.sessions.next_timeout(linger));
        earliest.maybe(self.issued.next_expiry(linger));
        earliest.maybe(self.activity.stalls_at());
        earliest.maybe(self.handshake_at());
        earliest.maybe(self.rests_at());
        if !self.sessions.can_seal() {
            return;
        }
        earliest.maybe(self.validations.next_expiry());
        for path in self.paths.iter() {
            if planted(Fault::ForgetProbeTimeout) {
                continue;
            }
            earliest.maybe(path.recovery.timeout());
            earliest.maybe(path.check_at(self.last_patience(path.id)));
        }
        for id in self.kept_alive() {
            earliest.maybe(self.keepalive_at(id));
        }
    }

    /// Recovery of one path: what was lost goes out again, and a path that stays silent is left.
    fn on_path_timeout(&mut self, now: Time, id: PathId) {
        let alternative = self.paths.alternative(id);
        let last_patience = self.last_patience(id);
        let Some(path) = self.paths.get_mut(id) else {
            return;
        };
        let route = path.route;
        let timeout = path.recovery.on_timeout(now, &mut self.outcome);
        let check = path.check(now, last_patience);
        let repeat = match timeout {
            TimeoutOutcome::Pto { .. } => path.recovery.probe_frames().flatten().copied().collect(),
            TimeoutOutcome::None | TimeoutOutcome::Lost => Vec::new(),
        };
        if check.is_some() && alternative.is_some() {
            // Unbacked, unlike the probes of recovery: what is at stake is the path.
            path.ping = true;
        }
        self.settle(now, route);
        repeat.iter().for_each(|frame| self.on_frame_lost(frame));
        match check {
            Some(Check::Dead) => self.kill_path(now, id),
            Some(Check::Late) => {
                if let Some(spare) = alternative.and_then(|other| self.paths.get_mut(other)) {
                    spare.ping = true;
                }
            }
            Some(Check::StillLate) | None => {}
        }
    }

    /// For how long a path may owe an acknowledgement beyond its checks: while it is the only one.
    fn last_patience(&self, id: PathId) -> Option<Duration> {
        let is_last = self.paths.alternative(id).is_none();
        is_last.then_some(self.config.last_path_patience)
    }

    /// The paths that are kept open though nothing is sent there.
    fn kept_alive(&self) -> impl Iterator<Item = PathId> {
        self.paths
            .selected()
            .into_iter()
            .chain(self.paths.spare())
            .map(|path| path.id)
    }

    fn keepalive_at(&self, id: PathId) -> Option<Time> {
        let path = self
            .paths
            .get(id)
            .filter(|path| path.is_usable() && !path.ping)?;
        let due = path.last_sent + self.config.keepalive_interval;
        self.activity.is_wanted_at(due).then_some(due)
    }

    fn keep_alive(&mut self, now: Time) {
        let due: Vec<_> = self
            .kept_alive()
            .filter(|id| self.keepalive_at(*id).is_some_and(|at| at <= now))
            .collect();
        for id in due {
            if let Some(path) = self.paths.get_mut(id) {
                path.ping = true;
            }
        }
    }

    /// When a handshake has to be asked for: if there are no keys or there is no path, and somebody waits or would; or if
    /// the keys grow old.
    fn handshake_at(&self) -> Option<Time> {
        if !self.confirmed || !self.is_open() {
            return None;
        }
        // A path that nothing may be sent on until the peer is heard there is none, if the peer has nothing to say.
        let has_path = self
            .paths
            .selected()
            .is_some_and(|path| path.allowance.left() >= ROOM_MIN);
        if self.sessions.can_seal() && has_path {
            let due = self.activity.ask_at(self.sessions.rekey_due()?);
            return self.activity.is_wanted_at(due).then_some(due);
        }
        let due = self.activity.ask_at(self.activity.noted());
        (self.is_awaited() || self.activity.is_wanted_at(due)).then_some(due)
    }

    /// Whether somebody here waits for the peer. Not who has let go of its stream: that the peer has yet to be told so is no
    /// reason to look for it.
    fn is_awaited(&self) -> bool {
        let something = self.streams.has_data() || self.streams.has_control();
        self.pings.is_waiting() || something && self.streams.is_awaited()
    }

    fn ask_for_handshake(&mut self, now: Time) {
        if self.handshake_at().is_some_and(|at| at <= now) {
            self.activity.on_asked(now);
            self.events.push(AssociationEvent::HandshakeWanted);
        }
    }

    /// Whether this is an answer to a handshake that nobody ever confirmed.
    fn is_abortive(&self) -> bool {
        !self.confirmed && self.sessions.is_spent()
    }

    /// Takes note of whether something waits for the peer, and of a sign that it got something.
    pub(super) fn note_waiting(&mut self, now: Time, acknowledged: bool) {
        if self.is_ended() {
            return;
        }
        let in_flight = self
            .paths
            .iter()
            .any(|path| path.recovery.unacked_since().is_some());
        let waits = in_flight || self.is_waited_for();
        match self
            .activity
            .on_waiting(now, waits && self.confirmed, acknowledged)
        {
            Some(Change::Stalled) => self.events.push(AssociationEvent::Stalled),
            Some(Change::Recovered) => self.events.push(AssociationEvent::Recovered),
            None => {}
        }
    }
}

/// The earliest of several times.
struct Earliest(Option<Time>);

impl Earliest {
    fn at(&mut self, time: Time) {
        self.0 = Some(self.0.map_or(time, |earliest| earliest.min(time)));
    }

    fn maybe(&mut self, time: Option<Time>) {
        if let Some(time) = time {
            self.at(time);
        }
    }
}
