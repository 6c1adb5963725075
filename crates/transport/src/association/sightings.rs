use std::collections::VecDeque;

use super::allowance::Allowance;
use crate::Route;

/// Routes that are remembered: NATs give a new one now and then.
const ROUTES_MAX: usize = 8;

/// Routes from which authentic packets came that are neither paths nor under validation, and what may be sent back there.
/// Somebody may have copied the packets, and written any address as their source.
#[derive(Debug, Default)]
pub(crate) struct Sightings {
    routes: VecDeque<(Route, Allowance)>,
}

impl Sightings {
    /// An authentic packet of that many octets came from there.
    pub(crate) fn on_received(&mut self, route: Route, octets: usize) {
        let known = self.routes.iter_mut().find(|(known, _)| *known == route);
        if let Some((_, allowance)) = known {
            return allowance.on_received(octets);
        }
        if self.routes.len() == ROUTES_MAX {
            self.routes.pop_front();
        }
        self.routes
            .push_back((route, Allowance::for_received(octets)));
    }

    /// What is left for there, if anything came from there.
    pub(crate) fn get_mut(&mut self, route: &Route) -> Option<&mut Allowance> {
        let mut routes = self.routes.iter_mut();
        routes
            .find(|(known, _)| known == route)
            .map(|(_, allowance)| allowance)
    }

    /// Gives back room that is left over.
    pub(crate) fn rest(&mut self) {
        self.routes.shrink_to_fit();
    }

    /// What may be sent there; whoever asks has to keep to it, and nobody else gets it.
    pub(crate) fn take(&mut self, route: &Route) -> Allowance {
        let place = self.routes.iter().position(|(known, _)| known == route);
        let taken = place.and_then(|place| self.routes.remove(place));
        taken.map_or(Allowance::NOTHING, |(_, allowance)| allowance)
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

    // F5
    #[test]
    fn what_came_allows_three_times_as_much_once() {
        let mut sightings = Sightings::default();
        sightings.on_received(route(1), 100);
        sightings.on_received(route(1), 50);
        sightings.on_received(route(2), 10);
        assert_eq!(sightings.take(&route(1)).left(), 450);
        assert_eq!(sightings.take(&route(1)).left(), 0);
        assert_eq!(sightings.take(&route(2)).left(), 30);
    }

    #[test]
    fn a_peer_that_sends_from_everywhere_fills_no_memory() {
        let mut sightings = Sightings::default();
        (1..100).for_each(|port| sightings.on_received(route(port), 10));
        assert_eq!(sightings.routes.len(), ROUTES_MAX);
        assert_eq!(sightings.take(&route(99)).left(), 30);
    }
}
