//! Middleboxes: NATs by RFC 4787, and firewalls.
//!
//! | file | has |
//! |---|---|
//! | `config` | how a NAT behaves: mapping, filtering, ports, lifetime, hairpinning |
//! | `kind` | the kinds that have names |
//! | `ports` | which port a new mapping gets |
//! | `permissions` | who may send in, in a bounded table |
//! | `firewall` | filtering without translation |
//!
//! Not here: pools of several external addresses (RFC 4787, REQ-2), application-level gateways (REQ-10), fragments, ICMP and
//! TCP.

mod config;
mod firewall;
mod kind;
mod permissions;
mod ports;
#[cfg(test)]
mod tests;

use std::collections::BTreeMap;
use std::net::{IpAddr, SocketAddr};

use keyway_wire::Time;

pub(crate) use config::LIFETIME;
pub use config::{Allocation, Dependence, Filter, NatConfig};
pub use firewall::Firewall;
pub use kind::NatKind;

use crate::random::Random;
use config::Peers;
use permissions::Permissions;
use ports::Ports;

/// A NAT with its mappings.
///
/// Whom it lets in depends on the mapping, not on the host alone: who was sent to through one mapping may not answer to another
/// one of the same socket. So it is in what is built, since a NAT's table has one entry for both.
#[derive(Clone, Debug)]
pub struct Nat {
    public: IpAddr,
    config: NatConfig,
    by_inside: BTreeMap<Inside, Mapping>,
    by_port: BTreeMap<u16, Inside>,
    permissions: Permissions<u16>,
    ports: Ports,
}

/// A socket behind a NAT, and the remote addresses that share a mapping of it.
type Inside = (SocketAddr, Peers);

#[derive(Clone, Debug)]
struct Mapping {
    port: u16,
    /// When it was used from inside.
    used: Time,
}

impl Nat {
    /// A NAT that shows this address to the world.
    #[must_use]
    pub fn new(public: IpAddr, config: NatConfig, random: Random) -> Self {
        Self {
            public,
            config,
            by_inside: BTreeMap::new(),
            by_port: BTreeMap::new(),
            permissions: Permissions::new(config.filter),
            ports: Ports::new(config.ports, config.first_port, random),
        }
    }

    /// The address that the world sees.
    #[must_use]
    pub fn public(&self) -> IpAddr {
        self.public
    }

    /// Whether hosts behind it reach each other under its public address.
    #[must_use]
    pub fn hairpins(&self) -> bool {
        self.config.hairpins
    }

    /// Whether it translates packets to this address, or from it: those of the same family as its own.
    #[must_use]
    pub fn translates(&self, address: IpAddr) -> bool {
        self.public.is_ipv4() == address.is_ipv4()
    }

    /// How many entries its table has. Those that are too old are among them until another mapping is made.
    #[must_use]
    pub fn entries(&self) -> usize {
        self.permissions.len()
    }

    /// Where a packet from inside seems to come from. Makes or renews the mapping, and lets `remote` answer. Nothing if there is
    /// no port left for it.
    pub fn outbound(
        &mut self,
        now: Time,
        inside: SocketAddr,
        remote: SocketAddr,
    ) -> Option<SocketAddr> {
        let key = (inside, self.config.mapping.peers(remote));
        let port = match self.fresh_port(now, key) {
            Some(port) => port,
            None => self.map(now, key)?,
        };
        self.by_inside.insert(key, Mapping { port, used: now });
        if let Some(evicted) = self.permissions.sent(now, port, remote) {
            self.unmap(evicted);
        }
        Some(SocketAddr::new(self.public, port))
    }

    /// For whom a packet from `remote` to a public port is; nothing if the port is not mapped, or the filter keeps it out.
    pub fn inbound(&mut self, now: Time, port: u16, remote: SocketAddr) -> Option<SocketAddr> {
        let (inside, _) = *self.by_port.get(&port)?;
        self.permissions
            .lets_in(now, port, remote)
            .then_some(inside)
    }

    /// Forgets all mappings, as a router does that restarts.
    pub fn rebind(&mut self) {
        self.by_inside.clear();
        self.by_port.clear();
        self.permissions.clear();
        self.ports.forget_blocks();
    }

    /// The port of a mapping that is not too old.
    fn fresh_port(&mut self, now: Time, key: Inside) -> Option<u16> {
        let Mapping { port, used } = *self.by_inside.get(&key)?;
        if now.saturating_since(used) < self.config.filter.lifetime {
            return Some(port);
        }
        // Nothing went out for long, but what came in may have kept it.
        self.permissions.forget_stale(now);
        self.permissions.has_some(port).then_some(port)
    }

    fn map(&mut self, now: Time, key: Inside) -> Option<u16> {
        self.forget_stale(now);
        let by_port = &self.by_port;
        let is_taken = |port: u16| by_port.contains_key(&port);
        let port = self.ports.choose(now, key.0, &is_taken)?;
        self.by_port.insert(port, key);
        Some(port)
    }

    fn forget_stale(&mut self, now: Time) {
        self.permissions.forget_stale(now);
        let permissions = &self.permissions;
        self.by_port.retain(|port, _| permissions.has_some(*port));
        self.by_inside
            .retain(|_, mapping| permissions.has_some(mapping.port));
    }

    fn unmap(&mut self, port: u16) {
        if let Some(key) = self.by_port.remove(&port) {
            self.by_inside.remove(&key);
        }
    }
}
