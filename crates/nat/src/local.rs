//! The addresses under which this node may be reached.

use std::collections::BTreeMap;
use std::net::SocketAddr;

use keyway_wire::{CANDIDATES_MAX, Candidate, CandidateKind, canonical_address};

use crate::address::{Scope, is_one_host, scope};

/// Servers whose observations are kept; each has one for IPv4 and one for IPv6.
const OBSERVERS_MAX: usize = 8;

/// Candidates of this node: addresses of its interfaces with the ports of its sockets, and what servers see its packets
/// come from. Bounded, without repetitions, in the order in which peers should try them.
///
/// Loopback and link-local addresses are candidates only where a server has seen this node under an address of that
/// scope: elsewhere they mean another machine to the peer, or nothing.
///
/// ```
/// use keyway_nat::LocalCandidates;
/// use keyway_wire::CandidateKind;
///
/// let mut local = LocalCandidates::default();
/// local.set_hosts(&["192.168.1.10:4100".parse().unwrap()]);
/// local.observed(1, "198.51.100.7:61000".parse().unwrap()); // server 1 sees us there
/// let kinds: Vec<_> = local.list().iter().map(|candidate| candidate.kind).collect();
/// assert_eq!(kinds, [CandidateKind::Host, CandidateKind::Reflexive]);
/// ```
#[derive(Clone, Debug, Default)]
pub struct LocalCandidates {
    hosts: Vec<SocketAddr>,
    observed: BTreeMap<(u32, Family), SocketAddr>,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub(crate) enum Family {
    V4,
    V6,
}

impl Family {
    pub(crate) const fn of(address: SocketAddr) -> Self {
        match address {
            SocketAddr::V4(_) => Self::V4,
            SocketAddr::V6(_) => Self::V6,
        }
    }
}

impl LocalCandidates {
    /// The interfaces or sockets of this machine changed: these are all of its addresses. What is no address of a host
    /// is left out. Tells whether [`list`](Self::list) changed.
    pub fn set_hosts(&mut self, addresses: &[SocketAddr]) -> bool {
        let before = self.list();
        self.hosts = addresses
            .iter()
            .filter_map(|address| usable(*address))
            .collect();
        self.hosts.dedup();
        self.list() != before
    }

    /// A server sees our packets come from this address. It replaces what the same server saw before, in the same
    /// address family. Only servers should be believed: what a peer says would be passed on to others. Tells whether
    /// [`list`](Self::list) changed.
    pub fn observed(&mut self, server: u32, address: SocketAddr) -> bool {
        let Some(address) = usable(address) else {
            return false;
        };
        let key = (server, Family::of(address));
        if self.observed.len() >= 2 * OBSERVERS_MAX && !self.observed.contains_key(&key) {
            return false;
        }
        let before = self.list();
        self.observed.insert(key, address);
        self.list() != before
    }

    /// The candidates to tell peers: first hosts, then reflexive ones, at most 32. If there are more, hosts are left
    /// out.
    pub fn list(&self) -> Vec<Candidate> {
        let reflexive = self.reflexive();
        let places = CANDIDATES_MAX - reflexive.len();
        let mut candidates: Vec<Candidate> = Vec::new();
        for address in self
            .hosts
            .iter()
            .copied()
            .filter(|host| self.reaches_others(*host))
        {
            let known = candidates
                .iter()
                .any(|candidate| candidate.address == address);
            if !known && candidates.len() < places {
                candidates.push(Candidate {
                    kind: CandidateKind::Host,
                    address,
                });
            }
        }
        let unknown = |address: &SocketAddr| !self.hosts.contains(address);
        for address in reflexive.into_iter().filter(unknown) {
            candidates.push(Candidate {
                kind: CandidateKind::Reflexive,
                address,
            });
        }
        candidates
    }

    /// Whether packets to this address would come back to one of our own sockets.
    pub(crate) fn is_own(&self, address: SocketAddr) -> bool {
        self.hosts.contains(&address)
    }

    /// Whether a server has seen us under an address of this scope.
    pub(crate) fn was_seen_in(&self, wanted: Scope) -> bool {
        self.observed
            .values()
            .any(|address| scope(address.ip()) == wanted)
    }

    fn reaches_others(&self, address: SocketAddr) -> bool {
        let scope = scope(address.ip());
        scope == Scope::Wide || self.was_seen_in(scope)
    }

    /// What servers see, each address once: at most [`OBSERVERS_MAX`] of each family.
    fn reflexive(&self) -> Vec<SocketAddr> {
        let mut addresses: Vec<SocketAddr> = self.observed.values().copied().collect();
        addresses.sort_unstable();
        addresses.dedup();
        addresses
    }
}

fn usable(address: SocketAddr) -> Option<SocketAddr> {
    let address = canonical_address(address).ok()?;
    is_one_host(address.ip()).then_some(address)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn address(text: &str) -> SocketAddr {
        text.parse().unwrap()
    }

    fn texts(local: &LocalCandidates) -> Vec<String> {
        let text = |it: &Candidate| format!("{:?} {}", it.kind, it.address);
        local.list().iter().map(text).collect()
    }

    #[test]
    fn hosts_come_first_and_what_servers_see_next_each_once() {
        let mut local = LocalCandidates::default();
        assert!(local.set_hosts(&[
            address("10.0.0.1:5"),
            address("[2001:db8::1]:5"),
            address("10.0.0.1:5")
        ]));
        assert!(local.observed(0, address("198.51.100.7:900")));
        assert!(
            !local.observed(1, address("198.51.100.7:900")),
            "two servers see the same"
        );
        assert!(
            !local.observed(1, address("[2001:db8::1]:5")),
            "no NAT in between"
        );
        let expected = [
            "Host 10.0.0.1:5",
            "Host [2001:db8::1]:5",
            "Reflexive 198.51.100.7:900",
        ];
        assert_eq!(texts(&local), expected);
    }

    #[test]
    fn a_server_that_sees_another_address_replaces_its_own_word_only() {
        let mut local = LocalCandidates::default();
        local.observed(0, address("198.51.100.7:900"));
        local.observed(1, address("198.51.100.7:901"));
        assert!(local.observed(0, address("198.51.100.7:902")));
        assert!(local.observed(0, address("[2001:db8::9]:5")));
        assert!(!local.observed(0, address("[2001:db8::9]:5")));
        let expected = [
            "Reflexive 198.51.100.7:901",
            "Reflexive 198.51.100.7:902",
            "Reflexive [2001:db8::9]:5",
        ];
        assert_eq!(texts(&local), expected);
    }

    #[test]
    fn loopback_and_link_are_candidates_only_where_a_server_sees_us_there() {
        let mut local = LocalCandidates::default();
        assert!(!local.set_hosts(&[address("127.0.0.1:5"), address("169.254.9.9:5")]));
        assert!(local.list().is_empty());
        assert!(local.observed(0, address("127.0.0.1:5")));
        assert_eq!(texts(&local), ["Host 127.0.0.1:5"]);
        assert!(local.observed(1, address("169.254.9.9:77")));
        let expected = [
            "Host 127.0.0.1:5",
            "Host 169.254.9.9:5",
            "Reflexive 169.254.9.9:77",
        ];
        assert_eq!(texts(&local), expected);
    }

    #[test]
    fn what_is_no_address_of_a_host_is_left_out() {
        let mut local = LocalCandidates::default();
        let tricks = [
            "0.0.0.0:5",
            "224.0.0.1:5",
            "10.0.0.1:0",
            "[ff02::1]:5",
            "169.254.169.254:80",
        ];
        assert!(!local.set_hosts(&tricks.map(address)));
        for trick in tricks {
            assert!(!local.observed(0, address(trick)), "{trick}");
        }
        assert!(local.set_hosts(&[address("[::ffff:10.0.0.1]:5")]));
        assert_eq!(texts(&local), ["Host 10.0.0.1:5"], "spelled canonically");
    }

    #[test]
    fn many_interfaces_leave_room_for_what_servers_see() {
        let mut local = LocalCandidates::default();
        let hosts: Vec<_> = (1..=250)
            .map(|host| address(&format!("10.0.0.{host}:5")))
            .collect();
        local.set_hosts(&hosts);
        assert_eq!(local.list().len(), CANDIDATES_MAX);
        for server in 0..100 {
            local.observed(server, address(&format!("198.51.100.7:{}", 1000 + server)));
        }
        let list = local.list();
        assert_eq!(list.len(), CANDIDATES_MAX);
        let reflexive = list
            .iter()
            .filter(|it| it.kind == CandidateKind::Reflexive)
            .count();
        assert_eq!(reflexive, 2 * OBSERVERS_MAX);
    }

    #[test]
    fn the_same_addresses_again_are_no_change() {
        let mut local = LocalCandidates::default();
        assert!(local.set_hosts(&[address("10.0.0.1:5")]));
        assert!(!local.set_hosts(&[address("10.0.0.1:5")]));
        assert!(local.set_hosts(&[]));
    }
}
