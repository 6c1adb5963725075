//! The addresses of this machine.

use std::net::IpAddr;
use std::time::Duration;

use keyway_wire::Time;

/// How often the addresses are read again. One read is one or two system calls; a network that changed is noticed well before
/// a path over it is given up.
const INTERVAL: Duration = Duration::from_secs(5);
/// How soon after a send that found no way out. Not at once: such errors come in swarms.
const HURRY: Duration = Duration::from_millis(200);

/// The addresses that a peer might reach this machine at, and when to look again.
#[derive(Debug)]
pub(crate) struct Interfaces {
    addresses: Vec<IpAddr>,
    next: Time,
}

impl Interfaces {
    pub(crate) fn new(now: Time) -> Self {
        Self {
            addresses: read(),
            next: now + INTERVAL,
        }
    }

    pub(crate) fn addresses(&self) -> &[IpAddr] {
        &self.addresses
    }

    pub(crate) const fn next(&self) -> Time {
        self.next
    }

    /// There is reason to believe that something changed.
    pub(crate) fn hurry(&mut self, now: Time) {
        self.next = self.next.min(now + HURRY);
    }

    /// Reads the addresses again if it is time to; true if they differ from before.
    pub(crate) fn refresh(&mut self, now: Time) -> bool {
        if now < self.next {
            return false;
        }
        self.next = now + INTERVAL;
        let addresses = read();
        let changed = addresses != self.addresses;
        self.addresses = addresses;
        changed
    }
}

/// In a fixed order, so that two readings can be compared. None at all if the system does not tell.
fn read() -> Vec<IpAddr> {
    let interfaces = if_addrs::get_if_addrs().unwrap_or_else(|error| {
        tracing::debug!(%error, "the system does not tell its addresses");
        Vec::new()
    });
    let mut addresses: Vec<IpAddr> = interfaces
        .iter()
        .map(if_addrs::Interface::ip)
        .filter(|address| is_reachable(*address))
        .collect();
    addresses.sort_unstable();
    addresses.dedup();
    addresses
}

/// False for what another machine cannot use: loopback, and IPv6 link-local addresses, which mean nothing without the
/// number of an interface on that very machine.
const fn is_reachable(address: IpAddr) -> bool {
    match address {
        IpAddr::V4(v4) => !v4.is_loopback() && !v4.is_unspecified() && !v4.is_link_local(),
        IpAddr::V6(v6) => !v6.is_loopback() && !v6.is_unspecified() && !v6.is_unicast_link_local(),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn addresses_are_read_again_when_it_is_time_and_not_before() {
        let mut interfaces = Interfaces {
            addresses: vec!["192.0.2.77".parse().unwrap()],
            next: Time::ZERO + INTERVAL,
        };
        assert!(!interfaces.refresh(Time::from_micros(1)));
        assert_eq!(interfaces.addresses().len(), 1);
        assert!(
            interfaces.refresh(Time::ZERO + INTERVAL),
            "no machine has an address reserved for documentation"
        );
        assert_eq!(interfaces.next(), Time::ZERO + INTERVAL * 2);
    }

    #[test]
    fn trouble_brings_the_next_reading_forward() {
        let mut interfaces = Interfaces {
            addresses: Vec::new(),
            next: Time::ZERO + INTERVAL,
        };
        interfaces.hurry(Time::ZERO);
        assert_eq!(interfaces.next(), Time::ZERO + HURRY);
        interfaces.hurry(Time::ZERO + HURRY / 2);
        assert_eq!(
            interfaces.next(),
            Time::ZERO + HURRY,
            "a swarm of errors does not put it off"
        );
    }

    #[test]
    fn only_addresses_that_another_machine_can_use_count() {
        for other in [
            "127.0.0.1",
            "0.0.0.0",
            "169.254.3.4",
            "::1",
            "::",
            "fe80::1",
        ] {
            assert!(!is_reachable(other.parse().unwrap()), "{other}");
        }
        for usable in [
            "192.168.1.2",
            "10.0.0.1",
            "203.0.113.9",
            "2001:db8::1",
            "fd00::1",
        ] {
            assert!(is_reachable(usable.parse().unwrap()), "{usable}");
        }
    }
}
