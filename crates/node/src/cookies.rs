//! Cookies that a responder gave us, each for the route on which it came.

use std::time::Duration;

use keyway_handshake::ReceivedCookie;
use keyway_transport::Route;
use keyway_wire::Time;

/// How long a cookie is used (WireGuard paper, 5.4.7): the responder knows it for at least as long.
const LIFETIME: Duration = Duration::from_secs(120);

/// Cookies of one peer: as many as it has hints and paths. The oldest goes.
const COOKIES_MAX: usize = 16;

/// The cookies of one peer. It sees us under another address on each route, so that each has a cookie of its own.
#[derive(Debug, Default)]
pub(crate) struct HeldCookies(Vec<(Route, ReceivedCookie, Time)>);

impl HeldCookies {
    pub(crate) fn keep(&mut self, now: Time, route: Route, cookie: ReceivedCookie) {
        self.0
            .retain(|(known, _, since)| *known != route && now.saturating_since(*since) < LIFETIME);
        if self.0.len() >= COOKIES_MAX {
            self.0.remove(0);
        }
        self.0.push((route, cookie, now));
    }

    pub(crate) fn get(&self, now: Time, route: Route) -> Option<&ReceivedCookie> {
        let (_, cookie, _) = self
            .0
            .iter()
            .find(|(known, _, since)| *known == route && now.saturating_since(*since) < LIFETIME)?;
        Some(cookie)
    }
}

#[cfg(test)]
mod tests {
    use keyway_handshake::{Cookies, Dial, InitPayload, LocalIdentity};
    use keyway_identity::SecretKey;
    use keyway_wire::{Cid, Slot};
    use rand_chacha::ChaCha20Rng;
    use rand_core::SeedableRng;

    use super::*;
    use crate::config::Config;

    fn cookie() -> ReceivedCookie {
        let [alice, bob] =
            [1, 2].map(|seed| LocalIdentity::new(&SecretKey::from_bytes([seed; 32])));
        let mut rng = ChaCha20Rng::from_seed([3; 32]);
        let payload = InitPayload {
            initiator: alice.node_id(),
            versions: vec![1],
            epoch: 1,
            instance: 1,
            counter: 1,
            generation: 0,
            incarnation: 1,
            remembered: None,
            slot: Slot::ALL[0],
            parameters: Config::default().association.parameters(),
        };
        let dial = Dial::new(&alice, &bob.node_id(), Cid::new([7; 7]), &payload, &mut rng).unwrap();
        let cookies = Cookies::new(&mut rng);
        let packet = cookies.answer(&bob, dial.packet(), b"here", &mut rng);
        dial.read_cookie(&packet.unwrap()).unwrap()
    }

    fn route(port: u16) -> Route {
        Route::Direct {
            remote: ([192, 0, 2, 1], port).into(),
        }
    }

    fn at(seconds: u64) -> Time {
        Time::from_micros(seconds * 1_000_000)
    }

    // R4.28
    #[test]
    fn a_cookie_is_used_on_its_route_for_two_minutes() {
        let mut held = HeldCookies::default();
        held.keep(at(0), route(1), cookie());
        assert!(held.get(at(119), route(1)).is_some());
        assert!(held.get(at(119), route(2)).is_none());
        assert!(held.get(at(120), route(1)).is_none());
        held.keep(at(120), route(1), cookie());
        assert!(held.get(at(239), route(1)).is_some());
    }

    #[test]
    fn cookies_of_many_routes_are_bounded_and_the_oldest_goes() {
        let mut held = HeldCookies::default();
        for port in 1..=100 {
            held.keep(at(0), route(port), cookie());
        }
        assert_eq!(held.0.len(), COOKIES_MAX);
        assert!(held.get(at(1), route(84)).is_none());
        assert!(held.get(at(1), route(85)).is_some());
        held.keep(at(120), route(1), cookie());
        assert_eq!(held.0.len(), 1);
    }
}
