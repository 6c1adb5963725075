//! Peers whose address changes.

use std::net::IpAddr;
use std::time::Duration;

use keyway_wire::Time;
use keyway_wire::planted::{Fault, planted};

use super::Association;
use super::allowance::Allowance;
use super::path::{Health, PathId};
use super::receive::Arrival;
use super::validation::Purpose;
use crate::{AssociationEvent, Route};

/// A route that is given up is tried again this soon when a packet comes from there all the same.
const HURRY: Duration = Duration::from_millis(100);

/// A packet from a route that has no path.
#[derive(Clone, Copy, Debug)]
pub(super) struct Sighting<'a> {
    pub(super) arrival: &'a Arrival,
    /// Where the packet with the highest number of the same space came from before.
    pub(super) before: Option<Route>,
    /// Its number is the highest of its space.
    pub(super) newest: bool,
    /// It carries nothing but what probes carry (RFC 9000, 9.1).
    pub(super) probing: bool,
}

impl Association {
    /// The peer's address on a path has changed, and it answers at the new one. The path keeps its ids and packet numbers;
    /// what was on its way to the old address is lost, and nothing is known about the way to the new one
    /// (RFC 9000, 9.4).
    pub(super) fn move_path(&mut self, now: Time, id: PathId, route: Route, local: Option<IpAddr>) {
        let Some(path) = self.paths.get_mut(id) else {
            return;
        };
        let previous = path.route;
        path.route = route;
        path.local = local.or(path.local);
        path.recovery.abandon(now, &mut self.outcome);
        self.settle(now, route);
        self.validations.remove(&previous);
        if let Some(path) = self.paths.get_mut(id) {
            // So that it is announced as working.
            path.health = Health::Dead;
        }
        if self.paths.is_selected(id) {
            self.events.push(AssociationEvent::Selected {
                route,
                previous: Some(previous),
            });
        }
        self.on_route_works(now, route, local, None);
    }

    /// An authentic packet came from a route whose path is dead.
    pub(super) fn on_sign_of_life(&mut self, arrival: &Arrival) {
        self.hurry(&arrival.route, arrival.now + HURRY);
    }

    /// The peer sends by a path that works. If it is not the one in use here, and nothing comes by that one, the peer may
    /// have left it because it is dead; with nothing of ours on its way there, nobody would ever notice. So it is asked.
    pub(super) fn on_heard_by(&mut self, arrival: &Arrival) {
        if let Some(path) = self.paths.selected_mut()
            && path.route != arrival.route
            && path.is_quiet(arrival.now)
        {
            path.ping = true;
        }
    }

    /// An authentic packet came from a route that has no path.
    pub(super) fn on_sighting(&mut self, seen: &Sighting<'_>) {
        let &Arrival { route, size, .. } = seen.arrival;
        self.events.push(AssociationEvent::ProbedFrom(route));
        if seen.newest && !seen.probing {
            self.on_possible_rebinding(seen);
        }
        // Each octet allows some to be sent back once.
        match self.validations.by_route(&route) {
            Some(validation) => validation.allowance.on_received(size),
            None => self.sightings.on_received(route, size),
        }
    }

    /// Packets of an id that the peer uses for one direct path come from another address: its NAT forgot the mapping, it
    /// moved, or somebody copies its packets. Whoever answers a challenge there is the peer; the old address is asked as
    /// well (RFC 9000, 9.3.3).
    fn on_possible_rebinding(&mut self, seen: &Sighting<'_>) {
        let &Arrival {
            now,
            route,
            local,
            sequence,
            ..
        } = seen.arrival;
        let Some(before) = seen
            .before
            .filter(|before| before.is_direct() && route.is_direct())
        else {
            return;
        };
        let moving = match self
            .validations
            .by_route(&before)
            .map(|validation| validation.purpose)
        {
            Some(Purpose::Rebinding { path, .. }) => Some(path),
            Some(Purpose::Probe | Purpose::Candidate | Purpose::Path(_)) | None => None,
        };
        let known = self.paths.by_route(&before).map(|path| path.id);
        let Some(path) = known.or(moving) else { return };
        if planted(Fault::MoveWithoutProof) {
            return self.move_path(now, path, route, local);
        }
        let purpose = Purpose::Rebinding {
            path,
            space: sequence,
        };
        if self
            .validations
            .by_route(&route)
            .is_some_and(|validation| validation.purpose == purpose)
        {
            return;
        }
        self.validations
            .start(now, route, local, purpose, Allowance::NOTHING);
        if known.is_some() {
            self.validations
                .start(now, before, None, Purpose::Path(path), Allowance::UNLIMITED);
        }
    }
}
