//! How routes become paths, and are given up.

use std::net::IpAddr;
use std::time::Duration;

use keyway_handshake::{Role, Session};
use keyway_wire::{Slot, Time};

use super::Association;
use super::allowance::Allowance;
use super::path::{Health, Path, PathId};
use super::transmit::CHALLENGE_MIN;
use super::validation::{Answered, Proof, Purpose};
use crate::{AssociationEvent, Route};

/// Routes that an answer to a handshake went to: its INIT came over the hints, the relay, and what was known.
const ANSWERED_MAX: usize = 8;

impl Association {
    pub(super) fn on_session(
        &mut self,
        now: Time,
        session: Session,
        generation: u64,
        local_slot: Slot,
        remote_slot: Slot,
        routes: &[Route],
    ) {
        let was_asleep = !self.sessions.can_seal();
        let role = session.role();
        self.sessions
            .install(now, session, generation, local_slot, remote_slot);
        let routes = routes.get(..ANSWERED_MAX).unwrap_or(routes);
        match role {
            Role::Initiator => {
                if was_asleep {
                    self.doubt_paths(now, routes);
                }
                for route in routes {
                    self.on_route_works(now, *route, None, None);
                }
                self.confirm();
                // The responder seals nothing before it has opened something, and sends at most three times as much to
                // an address that it is not sure of.
                if let Some(path) = self.paths.selected_mut() {
                    path.ping = true;
                    path.pad = true;
                }
            }
            Role::Responder => self.answered = routes.to_vec(),
        }
        self.activity.on_handshake(now);
    }

    pub(super) fn on_answer_repeated(&mut self, route: Route) {
        let counts = self.sessions.has_half_open() && self.answered.len() < ANSWERED_MAX;
        if counts && !self.answered.contains(&route) {
            self.answered.push(route);
        }
    }

    /// The first packet under a session that this side answered has come, from `route`. The peer can have made it only
    /// with the RESP that went to the routes in `answered`: if that is one, it proves that packets arrive there, wherever
    /// this one came from.
    pub(super) fn on_session_confirmed(&mut self, now: Time, route: Route, was_asleep: bool) {
        let answered = std::mem::take(&mut self.answered);
        if was_asleep {
            self.doubt_paths(now, &answered);
        }
        self.activity.on_handshake(now);
        self.confirm();
        self.ask_path_in_use(&answered);
        if let [only] = answered.as_slice() {
            return self.on_route_works(now, *only, None, None);
        }
        if !self.paths.any_live() {
            let known = answered.first().filter(|_| !answered.contains(&route));
            self.on_first_route(now, known.copied().unwrap_or(route));
        }
        for other in answered {
            // Nobody knows which of them it was whose RESP the peer got.
            self.on_route_seen(now, other, Allowance::ANSWERED);
        }
    }

    /// A handshake packet came from there, which somebody may have copied: a new address gets no more than `allowance`.
    pub(super) fn on_route_seen(&mut self, now: Time, route: Route, allowance: Allowance) {
        if route.is_direct() && self.paths.by_route(&route).is_none() {
            self.validations
                .start(now, route, None, Purpose::Candidate, allowance);
        } else {
            self.on_route_added(now, route);
        }
    }

    /// INIT goes out on every path that the peer has. If none came by the one in use, the peer may have lost it.
    fn ask_path_in_use(&mut self, answered: &[Route]) {
        if let Some(path) = self.paths.selected_mut()
            && !answered.contains(&path.route)
        {
            path.ping = true;
        }
    }

    /// There is no other path: this one is used until it is validated, within the limit for such addresses.
    fn on_first_route(&mut self, now: Time, route: Route) {
        let id = match self.paths.by_route(&route) {
            Some(path) => path.id,
            None => self.add_path(now, route, Health::Provisional, None),
        };
        if let Some(path) = self.paths.get_mut(id) {
            path.health = Health::Provisional;
        }
        self.validations
            .start(now, route, None, Purpose::Path(id), Allowance::UNLIMITED);
        self.reselect();
    }

    pub(super) fn on_route_added(&mut self, now: Time, route: Route) {
        match self
            .paths
            .by_route(&route)
            .map(|path| (path.id, path.health))
        {
            Some((_, Health::Live | Health::Provisional)) => {}
            Some((id, Health::Dead)) => {
                self.validations
                    .start(now, route, None, Purpose::Path(id), Allowance::UNLIMITED);
            }
            None => {
                self.validations
                    .start(now, route, None, Purpose::Candidate, Allowance::UNLIMITED)
            }
        }
    }

    pub(super) fn on_probe(&mut self, now: Time, route: Route) {
        match self.paths.by_route(&route).map(|path| path.health) {
            Some(Health::Live) => {}
            Some(Health::Dead | Health::Provisional) => self.hurry(&route, now),
            None if self.validations.contains(&route) => self.hurry(&route, now),
            None => self
                .validations
                .start(now, route, None, Purpose::Probe, Allowance::UNLIMITED),
        }
    }

    /// A challenge to where the peer's packets were seen to come from, within what they allow.
    pub(super) fn on_probe_back(&mut self, now: Time, route: Route) {
        if self.paths.by_route(&route).is_some() || self.validations.contains(&route) {
            return self.on_probe(now, route);
        }
        let allowance = self.sightings.take(&route);
        if allowance.left() >= CHALLENGE_MIN {
            self.validations
                .start(now, route, None, Purpose::Probe, allowance);
        }
    }

    pub(super) fn on_route_removed(&mut self, now: Time, route: Route) {
        self.validations.remove(&route);
        if let Some(id) = self.paths.by_route(&route).map(|path| path.id) {
            self.remove_path(now, id);
        }
    }

    /// Packets go through both ways on `route`.
    pub(super) fn on_route_works(
        &mut self,
        now: Time,
        route: Route,
        local: Option<IpAddr>,
        rtt: Option<Duration>,
    ) {
        self.validations.remove(&route);
        let id = match self.paths.by_route(&route) {
            Some(path) => path.id,
            None => self.add_path(now, route, Health::Dead, rtt),
        };
        if let Some(path) = self.paths.get_mut(id) {
            path.local = local.or(path.local);
            if path.health != Health::Live {
                path.health = Health::Live;
                self.events.push(AssociationEvent::RouteValidated(route));
            }
            path.allowance.lift();
            if let Route::Direct { remote } = route {
                path.observation.set(remote, &mut self.observations);
            }
        }
        self.reselect();
    }

    /// A challenge was answered.
    pub(super) fn on_proof(&mut self, now: Time, proof: Proof) {
        match proof {
            Proof::Address(route) => {
                if let Some(path) = self.paths.by_route_mut(&route) {
                    path.allowance.lift();
                }
            }
            Proof::Route(answered) => self.on_answered(now, answered),
        }
    }

    fn on_answered(&mut self, now: Time, answered: Answered) {
        let Answered {
            route,
            local,
            purpose,
            rtt,
        } = answered;
        match purpose {
            Purpose::Probe | Purpose::Candidate | Purpose::Path(_) => {
                self.on_route_works(now, route, local, Some(rtt));
            }
            Purpose::Rebinding { path, space } => {
                // Whoever copies packets from an address of its own is overtaken by the peer's next packet.
                let current = self
                    .issued
                    .by_sequence(space)
                    .and_then(|issued| issued.space.as_ref());
                if current.is_some_and(|space| space.route() == route) {
                    self.move_path(now, path, route, local);
                }
            }
        }
    }

    /// A route did not answer its challenges.
    pub(super) fn on_validation_failed(&mut self, now: Time, route: Route, purpose: Purpose) {
        match purpose {
            Purpose::Probe | Purpose::Rebinding { .. } => {}
            Purpose::Candidate => self.events.push(AssociationEvent::RouteLost(route)),
            Purpose::Path(id) => {
                // A path that works otherwise does not fall for want of an answer.
                if self
                    .paths
                    .get(id)
                    .is_some_and(|path| path.health != Health::Live)
                {
                    self.remove_path(now, id);
                }
            }
        }
    }

    /// A path stopped answering: what it carried goes out elsewhere, and it is tried again now and then.
    pub(super) fn kill_path(&mut self, now: Time, id: PathId) {
        let Some(path) = self.paths.get_mut(id) else {
            return;
        };
        let (route, local) = (path.route, path.local);
        path.health = Health::Dead;
        path.ping = false;
        path.recovery.abandon(now, &mut self.outcome);
        self.settle(now, route);
        self.events.push(AssociationEvent::RouteLost(route));
        self.validations
            .start(now, route, local, Purpose::Path(id), Allowance::UNLIMITED);
        self.reselect();
        if !self.paths.any_live() {
            self.validations.restart(now);
        }
    }

    /// Gives an id to every path that waits for one, and decides which carries data.
    pub(super) fn reselect(&mut self) {
        self.assign_cids();
        if let Some(selection) = self.paths.select() {
            let (route, previous) = (selection.route, selection.previous);
            self.events
                .push(AssociationEvent::Selected { route, previous });
            // Whoever hears of the path may ask at once how long a datagram may be.
            self.update_packet_room();
        }
    }

    fn confirm(&mut self) {
        self.confirmed = true;
        self.events.push(AssociationEvent::Confirmed);
        self.ask_for_cids();
    }

    /// What was known about the paths is old: all but `fresh` have to answer again before they are used.
    fn doubt_paths(&mut self, now: Time, fresh: &[Route]) {
        let doubtful = |path: &&Path| path.health == Health::Live && !fresh.contains(&path.route);
        let doubtful: Vec<_> = self
            .paths
            .iter()
            .filter(doubtful)
            .map(|path| path.id)
            .collect();
        doubtful.into_iter().for_each(|id| self.kill_path(now, id));
        // What is in flight elsewhere was sealed under keys that are gone.
        let stale: Vec<_> = self.paths.iter().map(|path| path.route).collect();
        for route in stale {
            if let Some(path) = self.paths.by_route_mut(&route) {
                path.recovery.abandon(now, &mut self.outcome);
            }
            self.settle(now, route);
        }
        self.validations.restart(now);
    }

    fn add_path(
        &mut self,
        now: Time,
        route: Route,
        health: Health,
        rtt: Option<Duration>,
    ) -> PathId {
        let (id, evicted) = self.paths.add(now, route, health, rtt);
        if let Some(path) = evicted {
            self.bury(now, path);
        }
        id
    }

    fn remove_path(&mut self, now: Time, id: PathId) {
        if let Some(path) = self.paths.remove(id) {
            self.bury(now, path);
            self.reselect();
        }
    }

    pub(super) fn hurry(&mut self, route: &Route, latest: Time) {
        if let Some(validation) = self.validations.by_route(route) {
            validation.hurry(latest);
        }
    }
}
