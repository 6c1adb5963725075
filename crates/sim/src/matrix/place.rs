//! The world of a cell.

use std::collections::{BTreeMap, BTreeSet};
use std::net::IpAddr;
use std::time::Duration;

use keyway_node::Config;

use super::{Cell, SERVERS, Setting};
use crate::host::NodeHost;
use crate::link::LinkConfig;
use crate::nat::{Dependence, Filter, NatConfig, NatKind};
use crate::network::{HostId, SiteId};
use crate::topology::{Meeting, Run, node, node_at};
use crate::trace::Trace;
use crate::world::World;

/// Networks that belong to nobody (RFC 5737, RFC 3849).
const PUBLIC: [[u8; 4]; 2] = [[192, 0, 2, 1], [198, 51, 100, 1]];
const SERVER: [u8; 3] = [203, 0, 113];
const IPV6: [&str; 2] = ["2001:db8:a::10", "2001:db8:b::10"];

/// Homes: one for each, and the addresses of two hosts in a home that looks like the other.
const HOMES: [[u8; 4]; 2] = [[192, 168, 1, 10], [192, 168, 2, 10]];
const SAME_HOME: [[u8; 4]; 2] = [[192, 168, 1, 10], [192, 168, 1, 20]];

/// What carriers use inside (RFC 6598).
const CARRIER: [u8; 2] = [100, 64];

/// How long a packet takes over the link of one NAT, one way.
const NAT_DELAY: Duration = Duration::from_millis(20);

/// How long it takes over the link of a public host.
const PUBLIC_DELAY: Duration = Duration::from_millis(1);

/// How long it takes through the internet at most, beside that: in each world, and from site to site, another time. If all were the
/// same, whatever depends on which packet comes first would go the same way in every run.
const DISTANCE_MAX: Duration = Duration::from_millis(5);

/// The two nodes, and what is known of their world.
pub(super) struct Place {
    pub(super) meeting: Meeting,
    /// From one to the other through the relay and back.
    pub(super) relayed_round_trip: Duration,
}

/// A world while it is built.
struct Site {
    world: World<NodeHost>,
    setting: Setting,
    /// The NAT that both are behind, if there is one.
    shared: Option<SiteId>,
}

impl Place {
    pub(super) fn new(cell: &Cell, run: Run) -> Self {
        let mut world = World::new(run.seed, Trace::new(run.trace));
        let servers: Vec<HostId> = (1..=SERVERS)
            .map(|number| {
                let address = IpAddr::from([SERVER[0], SERVER[1], SERVER[2], number]);
                let serving = Config {
                    server: true,
                    ..Config::default()
                };
                let server = node(world.random(), address, serving);
                world.add_public_host(address, server)
            })
            .collect();
        let mut site = Site {
            world,
            setting: cell.setting,
            shared: None,
        };
        site.share(cell);
        let hosts = [site.attach(0, cell.a), site.attach(1, cell.b)];
        let mut world = site.world;
        let relayed_round_trip = set_delays(&mut world, hosts, &servers);
        Self {
            meeting: Meeting::within(world, hosts, &servers),
            relayed_round_trip,
        }
    }
}

impl Site {
    /// Builds what both are behind.
    fn share(&mut self, cell: &Cell) {
        let (boxes, hairpins) = match cell.setting {
            Setting::Apart | Setting::Overlapping | Setting::Ipv6 => return,
            Setting::OneNat => (cell.a.boxes(), false),
            Setting::OneNatHairpin => (cell.a.boxes(), true),
            Setting::OneCarrier => (vec![NatConfig::carrier()], false),
            Setting::OneCarrierHairpin => (vec![NatConfig::carrier()], true),
        };
        let boxes: Vec<NatConfig> = boxes
            .into_iter()
            .map(|nat| NatConfig { hairpins, ..nat })
            .collect();
        self.shared = self.stack(0, &boxes, None);
    }

    /// Puts NATs behind one another, the first of them innermost; gives that.
    fn stack(&mut self, number: u8, boxes: &[NatConfig], around: Option<SiteId>) -> Option<SiteId> {
        boxes.iter().rev().fold(around, |around, nat| {
            let public: IpAddr = match around {
                None => PUBLIC[usize::from(number)].into(),
                Some(_) => [CARRIER[0], CARRIER[1], number, 2].into(),
            };
            Some(self.world.add_nat(around, public, *nat))
        })
    }

    /// Adds a node behind NATs of its kind, and of its own where the setting says so.
    fn attach(&mut self, number: u8, kind: NatKind) -> HostId {
        let is_one_network = self.setting.is_one_network();
        let own = if is_one_network {
            self.shared
        } else {
            self.stack(number, &kind.boxes(), self.shared)
        };
        let place = usize::from(number);
        let Some(home) = own else {
            return self.attach_in_public(place);
        };
        let looks_the_same = is_one_network || self.setting == Setting::Overlapping;
        let homes = if looks_the_same { SAME_HOME } else { HOMES };
        let mut addresses: Vec<IpAddr> = vec![homes[place].into()];
        addresses.extend(self.ipv6(place));
        let program = node_at(self.world.random(), &addresses, Config::default());
        let host = self.world.add_host_behind(home, addresses[0], program);
        if let Some(address) = self.ipv6(place) {
            let strict = Filter::new(Dependence::AddressAndPortDependent);
            self.world.network().add_address(host, address);
            self.world.network().set_firewall(home, strict);
        }
        if self.setting == Setting::Overlapping {
            self.add_bystander(home, homes[1 - place].into());
        }
        host
    }

    fn attach_in_public(&mut self, place: usize) -> HostId {
        let mut addresses: Vec<IpAddr> = vec![PUBLIC[place].into()];
        addresses.extend(self.ipv6(place));
        let program = node_at(self.world.random(), &addresses, Config::default());
        let host = self.world.add_public_host(addresses[0], program);
        if let Some(address) = self.ipv6(place) {
            self.world.network().add_address(host, address);
        }
        host
    }

    fn ipv6(&self, place: usize) -> Option<IpAddr> {
        let wanted = self.setting == Setting::Ipv6;
        wanted.then(|| IPV6[place].parse().expect("an address"))
    }

    /// Somebody who has nothing to do with all this has the address that the peer has in its own network.
    fn add_bystander(&mut self, home: SiteId, address: IpAddr) {
        let program = node(self.world.random(), address, Config::default());
        self.world.add_host_behind(home, address, program);
    }
}

/// Gives each link its delay; how long a packet takes from one node to the other through a server, and back.
fn set_delays(world: &mut World<NodeHost>, hosts: [HostId; 2], servers: &[HostId]) -> Duration {
    let ends = hosts.map(|host| set_delays_inside(world, host));
    let inside: Duration = ends.iter().map(|(_, inside)| *inside).sum();
    let [a, b] = ends.map(|(border, _)| border);
    let network = world.network();
    let servers: Vec<SiteId> = servers.iter().map(|host| network.site_of(*host)).collect();
    let sites: BTreeSet<SiteId> = servers.iter().copied().chain([a, b]).collect();
    let mut delays = BTreeMap::new();
    for from in &sites {
        for to in sites.iter().filter(|to| *to != from) {
            delays.insert((*from, *to), set_delay_between(world, *from, *to));
        }
    }
    let relayed = servers.into_iter().map(|server| {
        let there = delays[&(a, server)] + delays[&(server, b)];
        let back = delays[&(b, server)] + delays[&(server, a)];
        (there, there + back)
    });
    // What comes through the nearest first is answered there.
    let nearest = relayed.min().map(|(_, both_ways)| both_ways);
    nearest.unwrap_or_default() + 2 * inside
}

/// Gives the links inside of the outermost NAT of a host their delays; that NAT, and how long a packet takes to it.
fn set_delays_inside(world: &mut World<NodeHost>, host: HostId) -> (SiteId, Duration) {
    let network = world.network();
    let (mut site, mut inside) = (network.site_of(host), Duration::ZERO);
    while let Some(around) = network.behind(site) {
        network.set_link(site, around, link(NAT_DELAY));
        network.set_link(around, site, link(NAT_DELAY));
        inside += NAT_DELAY;
        site = around;
    }
    (site, inside)
}

fn set_delay_between(world: &mut World<NodeHost>, from: SiteId, to: SiteId) -> Duration {
    let mut delay = world.random().up_to(DISTANCE_MAX);
    for site in [from, to] {
        let has_nat = world.network().nat(site).is_some();
        delay += if has_nat { NAT_DELAY } else { PUBLIC_DELAY };
    }
    world.network().set_link(from, to, link(delay));
    delay
}

fn link(delay: Duration) -> LinkConfig {
    LinkConfig {
        delay,
        ..LinkConfig::default()
    }
}
