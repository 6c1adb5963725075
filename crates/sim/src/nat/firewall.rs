//! A firewall: it translates nothing, and lets in only what was asked for from inside (RFC 6092, 3.2.3).

use std::net::SocketAddr;

use keyway_wire::Time;

use super::config::Filter;
use super::permissions::Permissions;

/// A firewall, and what it remembers.
#[derive(Clone, Debug)]
pub struct Firewall {
    permissions: Permissions<SocketAddr>,
}

impl Firewall {
    /// A firewall that remembers nothing yet.
    #[must_use]
    pub fn new(filter: Filter) -> Self {
        Self {
            permissions: Permissions::new(filter),
        }
    }

    /// A packet goes out, so that `remote` may answer.
    pub fn outbound(&mut self, now: Time, inside: SocketAddr, remote: SocketAddr) {
        self.permissions.sent(now, inside, remote);
    }

    /// Whether a packet from `remote` is let in.
    pub fn inbound(&mut self, now: Time, inside: SocketAddr, remote: SocketAddr) -> bool {
        self.permissions.lets_in(now, inside, remote)
    }

    /// Forgets everything, as it does when it restarts.
    pub fn restart(&mut self) {
        self.permissions.clear();
    }
}

#[cfg(test)]
mod tests {
    use std::time::Duration;

    use super::*;
    use crate::nat::Dependence;

    fn at(text: &str) -> SocketAddr {
        text.parse().unwrap()
    }

    const DEPENDENCES: [Dependence; 3] = [
        Dependence::EndpointIndependent,
        Dependence::AddressDependent,
        Dependence::AddressAndPortDependent,
    ];

    #[test]
    fn nothing_comes_in_unasked_and_what_is_asked_for_does_as_the_filter_says() {
        let inside = at("[2001:db8:1::2]:4100");
        let (asked, other_port, other) = (
            at("[2001:db8:2::2]:1"),
            at("[2001:db8:2::2]:2"),
            at("[2001:db8:3::2]:1"),
        );
        for depends in DEPENDENCES {
            let mut firewall = Firewall::new(Filter::new(depends));
            assert!(!firewall.inbound(Time::ZERO, inside, asked));
            firewall.outbound(Time::ZERO, inside, asked);
            assert!(firewall.inbound(Time::ZERO, inside, asked));
            let let_in =
                [other_port, other].map(|remote| firewall.inbound(Time::ZERO, inside, remote));
            let expected = match depends {
                Dependence::EndpointIndependent => [true, true],
                Dependence::AddressDependent => [true, false],
                Dependence::AddressAndPortDependent => [false, false],
            };
            assert_eq!(let_in, expected, "{depends:?}");
            let neighbour = at("[2001:db8:1::3]:4100");
            assert!(!firewall.inbound(Time::ZERO, neighbour, asked));
        }
    }

    #[test]
    fn what_was_asked_for_is_let_in_for_two_minutes_and_not_after_a_restart() {
        let (inside, remote) = (at("[2001:db8:1::2]:4100"), at("[2001:db8:2::2]:1"));
        let mut firewall = Firewall::new(Filter::new(Dependence::AddressAndPortDependent));
        firewall.outbound(Time::ZERO, inside, remote);
        let end = Time::ZERO + Duration::from_secs(120);
        assert!(firewall.inbound(end - Duration::from_micros(1), inside, remote));
        assert!(!firewall.inbound(end, inside, remote));
        firewall.outbound(end, inside, remote);
        firewall.restart();
        assert!(!firewall.inbound(end, inside, remote));
    }
}
