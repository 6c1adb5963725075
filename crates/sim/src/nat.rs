//! One simple NAT: the mapping does not depend on the destination, the filter does (RFC 4787: endpoint-independent
//! mapping, address- and port-dependent filtering). Most home routers are of this kind.

use std::collections::BTreeMap;
use std::net::{IpAddr, SocketAddr};
use std::time::Duration;

use keyway_wire::Time;

use crate::random::Random;

/// The first port that a NAT gives away: the dynamic ones begin there (RFC 6335, 6).
const FIRST_PORT: u16 = 49_152;

/// A NAT with its mappings.
#[derive(Clone, Debug)]
pub struct Nat {
    public: IpAddr,
    timeout: Duration,
    by_inside: BTreeMap<SocketAddr, Mapping>,
    by_port: BTreeMap<u16, SocketAddr>,
    random: Random,
}

#[derive(Clone, Debug)]
struct Mapping {
    port: u16,
    used: Time,
    /// To whom something was sent from inside, and when last. Only these may answer.
    remotes: BTreeMap<SocketAddr, Time>,
}

impl Nat {
    /// A NAT that shows this address to the world and forgets a mapping after `timeout` without a packet from inside.
    #[must_use]
    pub fn new(public: IpAddr, timeout: Duration, random: Random) -> Self {
        Self {
            public,
            timeout,
            by_inside: BTreeMap::new(),
            by_port: BTreeMap::new(),
            random,
        }
    }

    /// The address that the world sees.
    #[must_use]
    pub fn public(&self) -> IpAddr {
        self.public
    }

    /// Where a packet from inside seems to come from. Makes or renews the mapping, and lets `remote` answer.
    pub fn outbound(&mut self, now: Time, inside: SocketAddr, remote: SocketAddr) -> SocketAddr {
        let known = self
            .by_inside
            .get(&inside)
            .is_some_and(|mapping| self.is_fresh(now, mapping.used));
        if !known {
            self.map(now, inside);
        }
        if let Some(mapping) = self.by_inside.get_mut(&inside) {
            mapping.used = now;
            mapping.remotes.insert(remote, now);
            return SocketAddr::new(self.public, mapping.port);
        }
        inside
    }

    /// For whom a packet from `remote` to a public port is; nothing if the port is not mapped, or the host behind it did not
    /// lately send there.
    #[must_use]
    pub fn inbound(&self, now: Time, port: u16, remote: SocketAddr) -> Option<SocketAddr> {
        let inside = self.by_port.get(&port)?;
        let mapping = self.by_inside.get(inside)?;
        let sent = *mapping.remotes.get(&remote)?;
        self.is_fresh(now, sent).then_some(*inside)
    }

    /// Forgets all mappings, as a router does that restarts: whoever sends next gets another port.
    pub fn rebind(&mut self) {
        self.by_inside.clear();
        self.by_port.clear();
    }

    fn is_fresh(&self, now: Time, used: Time) -> bool {
        now.saturating_since(used) < self.timeout
    }

    fn map(&mut self, now: Time, inside: SocketAddr) {
        if let Some(old) = self.by_inside.remove(&inside) {
            self.by_port.remove(&old.port);
        }
        let port = self.free_port();
        self.by_port.insert(port, inside);
        self.by_inside.insert(
            inside,
            Mapping {
                port,
                used: now,
                remotes: BTreeMap::new(),
            },
        );
    }

    fn free_port(&mut self) -> u16 {
        loop {
            let offset = self.random.below(u64::from(u16::MAX - FIRST_PORT));
            let port = FIRST_PORT.saturating_add(u16::try_from(offset).unwrap_or(0));
            // A world has a handful of hosts, so that a free port is found at once.
            if !self.by_port.contains_key(&port) {
                return port;
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const TIMEOUT: Duration = Duration::from_secs(30);

    fn nat() -> Nat {
        Nat::new([198, 51, 100, 1].into(), TIMEOUT, Random::new(7))
    }

    fn address(last: u8, port: u16) -> SocketAddr {
        SocketAddr::from(([203, 0, 113, last], port))
    }

    fn inside() -> SocketAddr {
        SocketAddr::from(([192, 168, 1, 2], 4000))
    }

    #[test]
    fn the_mapping_does_not_depend_on_the_destination() {
        let mut nat = nat();
        let first = nat.outbound(Time::ZERO, inside(), address(1, 1));
        assert_eq!(first.ip(), nat.public());
        assert_eq!(nat.outbound(Time::ZERO, inside(), address(2, 2)), first);
        let other_socket = SocketAddr::from(([192, 168, 1, 2], 4001));
        assert_ne!(nat.outbound(Time::ZERO, other_socket, address(1, 1)), first);
    }

    #[test]
    fn only_whom_the_host_sent_to_may_answer_and_only_from_that_port() {
        let mut nat = nat();
        let port = nat.outbound(Time::ZERO, inside(), address(1, 1)).port();
        assert_eq!(nat.inbound(Time::ZERO, port, address(1, 1)), Some(inside()));
        assert_eq!(nat.inbound(Time::ZERO, port, address(1, 2)), None);
        assert_eq!(nat.inbound(Time::ZERO, port, address(2, 1)), None);
        assert_eq!(nat.inbound(Time::ZERO, port ^ 1, address(1, 1)), None);
    }

    #[test]
    fn a_mapping_ends_when_nothing_was_sent_from_inside_for_long() {
        let mut nat = nat();
        let first = nat.outbound(Time::ZERO, inside(), address(1, 1));
        let just_in_time = Time::ZERO + TIMEOUT - Duration::from_micros(1);
        assert_eq!(
            nat.inbound(just_in_time, first.port(), address(1, 1)),
            Some(inside())
        );
        let late = Time::ZERO + TIMEOUT;
        assert_eq!(nat.inbound(late, first.port(), address(1, 1)), None);
        assert_ne!(nat.outbound(late, inside(), address(1, 1)), first);
        assert_eq!(nat.inbound(late, first.port(), address(1, 1)), None);
    }

    #[test]
    fn sending_keeps_a_mapping_and_its_permission() {
        let mut nat = nat();
        let first = nat.outbound(Time::ZERO, inside(), address(1, 1));
        let mut now = Time::ZERO;
        for _ in 0..10 {
            now += TIMEOUT / 2;
            assert_eq!(nat.outbound(now, inside(), address(2, 2)), first);
        }
        assert_eq!(
            nat.inbound(now, first.port(), address(2, 2)),
            Some(inside())
        );
        assert_eq!(nat.inbound(now, first.port(), address(1, 1)), None);
    }

    #[test]
    fn after_a_rebinding_old_ports_are_dead_and_new_ones_differ() {
        let mut nat = nat();
        let first = nat.outbound(Time::ZERO, inside(), address(1, 1));
        nat.rebind();
        assert_eq!(nat.inbound(Time::ZERO, first.port(), address(1, 1)), None);
        assert_ne!(nat.outbound(Time::ZERO, inside(), address(1, 1)), first);
    }
}
