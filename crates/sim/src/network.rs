//! How packets find their way: sites attached to an internet, links between them, hosts inside.

use std::collections::BTreeMap;
use std::net::{IpAddr, SocketAddr};
use std::time::Duration;

use keyway_wire::Time;

use crate::link::{Fate, Link, LinkConfig};
use crate::nat::Nat;
use crate::random::Random;

/// How long a packet takes between two hosts behind the same NAT.
const LAN_DELAY: Duration = Duration::from_micros(200);

/// A host, in the order of their making.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub struct HostId(pub(crate) usize);

/// One attachment to the internet: a public host, or a NAT with the hosts behind it. Links lead from site to site.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub struct SiteId(usize);

/// A packet on its way.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Packet {
    /// Where it seems to come from.
    pub source: SocketAddr,
    /// Where it is to go.
    pub destination: SocketAddr,
    /// What it carries.
    pub payload: Vec<u8>,
}

/// Where a packet is going to come out, and when.
#[derive(Clone, Debug)]
pub(crate) struct Arrival {
    pub(crate) time: Time,
    pub(crate) place: Place,
    pub(crate) packet: Packet,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Place {
    /// At a site, whose NAT, if there is one, has yet to let it in.
    Site(SiteId),
    /// At a host directly: within one site.
    Host(HostId),
}

/// What became of a packet that a host sent.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Passage {
    /// A link took it, and this is what the link did.
    Link(Fate),
    /// It stays inside the sender's site.
    Inside,
    /// There is nothing at that address.
    NoRoute,
}

/// All sites, hosts and links of a world.
#[derive(Debug)]
pub struct Network {
    sites: Vec<Site>,
    hosts: Vec<Host>,
    links: BTreeMap<(SiteId, SiteId), Link>,
    usual: LinkConfig,
    random: Random,
}

#[derive(Debug)]
struct Site {
    public: IpAddr,
    nat: Option<Nat>,
}

#[derive(Debug)]
struct Host {
    address: IpAddr,
    site: SiteId,
}

impl Network {
    /// An empty network whose links are perfect ones of 10 ms until somebody says otherwise.
    #[must_use]
    pub fn new(random: Random) -> Self {
        Self {
            sites: Vec::new(),
            hosts: Vec::new(),
            links: BTreeMap::new(),
            usual: LinkConfig::default(),
            random,
        }
    }

    /// How links are that were not configured one by one; those that exist are changed too.
    pub fn set_all_links(&mut self, config: &LinkConfig) {
        self.usual = config.clone();
        self.links
            .values_mut()
            .for_each(|link| link.configure(config.clone()));
    }

    /// How the link from one site to another is; the way back is a link of its own.
    pub fn set_link(&mut self, from: SiteId, to: SiteId, config: LinkConfig) {
        self.link(from, to).configure(config);
    }

    /// How many packets the queue of the link from one site to another has had no room for.
    pub fn overflows(&mut self, from: SiteId, to: SiteId) -> u64 {
        self.link(from, to).overflows()
    }

    /// Cuts the links between two sites in both directions, or mends them.
    pub fn set_cut(&mut self, one: SiteId, other: SiteId, cut: bool) {
        self.link(one, other).set_cut(cut);
        self.link(other, one).set_cut(cut);
    }

    /// Cuts the link from one site to another, or mends it; the way back stays as it is.
    pub fn set_one_way_cut(&mut self, from: SiteId, to: SiteId, cut: bool) {
        self.link(from, to).set_cut(cut);
    }

    /// Mends all links that were cut.
    pub fn mend_all(&mut self) {
        self.links.values_mut().for_each(|link| link.set_cut(false));
    }

    /// The site at which a host is.
    ///
    /// # Panics
    /// If the host is of another world.
    #[must_use]
    pub fn site_of(&self, host: HostId) -> SiteId {
        self.hosts[host.0].site
    }

    /// The address that a host has itself; behind a NAT, the world does not know it.
    ///
    /// # Panics
    /// If the host is of another world.
    #[must_use]
    pub fn address_of(&self, host: HostId) -> IpAddr {
        self.hosts[host.0].address
    }

    /// The NAT of a site, if it has one.
    pub fn nat(&mut self, site: SiteId) -> Option<&mut Nat> {
        self.sites.get_mut(site.0)?.nat.as_mut()
    }

    /// Adds a site of one public host.
    pub(crate) fn add_public_host(&mut self, address: IpAddr) -> HostId {
        let site = self.add_site(address, None);
        self.add_host(site, address)
    }

    /// Adds a site whose hosts are behind a NAT.
    pub(crate) fn add_nat(&mut self, public: IpAddr, timeout: Duration) -> SiteId {
        let nat = Nat::new(public, timeout, self.random.fork());
        self.add_site(public, Some(nat))
    }

    /// Adds a host to a site. Sites may use the same private addresses, as they do at home.
    pub(crate) fn add_host(&mut self, site: SiteId, address: IpAddr) -> HostId {
        self.hosts.push(Host { address, site });
        HostId(self.hosts.len() - 1)
    }

    fn add_site(&mut self, public: IpAddr, nat: Option<Nat>) -> SiteId {
        self.sites.push(Site { public, nat });
        SiteId(self.sites.len() - 1)
    }

    /// Takes a packet from a host; calls `arrive` for each copy that will come out somewhere.
    pub(crate) fn send(
        &mut self,
        now: Time,
        host: HostId,
        mut packet: Packet,
        mut arrive: impl FnMut(Arrival),
    ) -> Passage {
        let from = self.hosts[host.0].site;
        if let Some(neighbour) = self.host_at(from, packet.destination.ip()) {
            arrive(Arrival {
                time: now + LAN_DELAY,
                place: Place::Host(neighbour),
                packet,
            });
            return Passage::Inside;
        }
        if let Some(nat) = &mut self.sites[from.0].nat {
            packet.source = nat.outbound(now, packet.source, packet.destination);
        }
        let Some(to) = self.site_at(packet.destination.ip()) else {
            return Passage::NoRoute;
        };
        if to == from {
            // From inside to the site's own public address: simple routers do not turn packets round.
            return Passage::NoRoute;
        }
        let Packet {
            source,
            destination,
            payload,
        } = packet;
        let fate = self.link(from, to).carry(now, payload, |time, payload| {
            arrive(Arrival {
                time,
                place: Place::Site(to),
                packet: Packet {
                    source,
                    destination,
                    payload,
                },
            });
        });
        Passage::Link(fate)
    }

    /// For which host a packet is that came out at a place, with the destination that this host knows.
    pub(crate) fn deliver(&self, now: Time, place: Place, packet: &mut Packet) -> Option<HostId> {
        let site = match place {
            Place::Host(host) => return Some(host),
            Place::Site(site) => site,
        };
        if let Some(nat) = &self.sites[site.0].nat {
            packet.destination = nat.inbound(now, packet.destination.port(), packet.source)?;
        }
        self.host_at(site, packet.destination.ip())
    }

    /// Whether an address is that of a site or a host, so that somebody may be there, or have been told of it.
    pub(crate) fn is_anybodys(&self, address: IpAddr) -> bool {
        self.site_at(address).is_some() || self.hosts.iter().any(|host| host.address == address)
    }

    fn host_at(&self, site: SiteId, address: IpAddr) -> Option<HostId> {
        self.hosts
            .iter()
            .position(|host| host.site == site && host.address == address)
            .map(HostId)
    }

    /// The site that the world knows under this address.
    pub(crate) fn site_at(&self, address: IpAddr) -> Option<SiteId> {
        self.sites
            .iter()
            .position(|site| site.public == address)
            .map(SiteId)
    }

    fn link(&mut self, from: SiteId, to: SiteId) -> &mut Link {
        self.links
            .entry((from, to))
            .or_insert_with(|| Link::new(self.usual.clone(), self.random.fork()))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const PUBLIC: [u8; 4] = [203, 0, 113, 9];
    const ROUTER: [u8; 4] = [198, 51, 100, 1];
    const INSIDE: [u8; 4] = [192, 168, 1, 2];
    const NEIGHBOUR: [u8; 4] = [192, 168, 1, 3];

    struct Home {
        network: Network,
        public: HostId,
        inside: HostId,
        neighbour: HostId,
    }

    fn home() -> Home {
        let mut network = Network::new(Random::new(1));
        let public = network.add_public_host(PUBLIC.into());
        let router = network.add_nat(ROUTER.into(), Duration::from_secs(30));
        let inside = network.add_host(router, INSIDE.into());
        let neighbour = network.add_host(router, NEIGHBOUR.into());
        Home {
            network,
            public,
            inside,
            neighbour,
        }
    }

    impl Home {
        /// Sends from a host and delivers at once; gives the passage, and who received what, if somebody did.
        fn pass(
            &mut self,
            host: HostId,
            destination: SocketAddr,
        ) -> (Passage, Option<(HostId, Packet)>) {
            let source = SocketAddr::new(self.network.address_of(host), 4000);
            let packet = Packet {
                source,
                destination,
                payload: vec![1],
            };
            let mut arrivals = Vec::new();
            let passage = self
                .network
                .send(Time::ZERO, host, packet, |arrival| arrivals.push(arrival));
            let received = arrivals.pop().and_then(|mut arrival| {
                let host =
                    self.network
                        .deliver(arrival.time, arrival.place, &mut arrival.packet)?;
                Some((host, arrival.packet))
            });
            (passage, received)
        }
    }

    #[test]
    fn a_host_behind_a_nat_reaches_out_and_is_answered() {
        let mut home = home();
        let (_, received) = home.pass(home.inside, (PUBLIC, 4000).into());
        let (host, packet) = received.unwrap();
        assert_eq!(host, home.public);
        assert_eq!(packet.source.ip(), IpAddr::from(ROUTER));
        let (_, answer) = home.pass(home.public, packet.source);
        let (host, packet) = answer.unwrap();
        assert_eq!(host, home.inside);
        assert_eq!(packet.destination, SocketAddr::from((INSIDE, 4000)));
    }

    #[test]
    fn nobody_reaches_a_host_behind_a_nat_unasked() {
        let mut home = home();
        let (passage, received) = home.pass(home.public, (ROUTER, 50_000).into());
        assert_eq!((passage, received), (Passage::Link(Fate::Carried), None));
        let (passage, received) = home.pass(home.public, (INSIDE, 4000).into());
        assert_eq!((passage, received), (Passage::NoRoute, None));
    }

    #[test]
    fn neighbours_talk_without_their_router() {
        let mut home = home();
        let (passage, received) = home.pass(home.inside, (NEIGHBOUR, 4000).into());
        let (host, packet) = received.unwrap();
        assert_eq!((passage, host), (Passage::Inside, home.neighbour));
        assert_eq!(packet.source, SocketAddr::from((INSIDE, 4000)));
    }

    #[test]
    fn a_simple_router_does_not_turn_packets_round() {
        let mut home = home();
        let (_, received) = home.pass(home.neighbour, (PUBLIC, 4000).into());
        let mapped = received.unwrap().1.source;
        assert_eq!(home.pass(home.inside, mapped), (Passage::NoRoute, None));
    }

    #[test]
    fn a_cut_is_between_two_sites_only() {
        let mut home = home();
        let other = home.network.add_public_host([203, 0, 113, 10].into());
        let (one, two) = (
            home.network.site_of(home.public),
            home.network.site_of(home.inside),
        );
        home.network.set_cut(one, two, true);
        assert_eq!(
            home.pass(home.inside, (PUBLIC, 4000).into()).0,
            Passage::Link(Fate::Cut)
        );
        assert_eq!(
            home.pass(home.public, (ROUTER, 4000).into()).0,
            Passage::Link(Fate::Cut)
        );
        assert_eq!(
            home.pass(other, (PUBLIC, 4000).into()).0,
            Passage::Link(Fate::Carried)
        );
        home.network.set_cut(one, two, false);
        assert_eq!(
            home.pass(home.inside, (PUBLIC, 4000).into()).0,
            Passage::Link(Fate::Carried)
        );
    }

    #[test]
    fn links_can_be_configured_one_direction_at_a_time_or_all_at_once() {
        let mut home = home();
        let (one, two) = (
            home.network.site_of(home.public),
            home.network.site_of(home.inside),
        );
        home.network.set_link(
            two,
            one,
            LinkConfig {
                mtu: 0,
                ..LinkConfig::default()
            },
        );
        assert_eq!(
            home.pass(home.inside, (PUBLIC, 4000).into()).0,
            Passage::Link(Fate::TooLong)
        );
        assert_eq!(
            home.pass(home.public, (ROUTER, 4000).into()).0,
            Passage::Link(Fate::Carried)
        );
        home.network.set_all_links(&LinkConfig {
            mtu: 0,
            ..LinkConfig::default()
        });
        assert_eq!(
            home.pass(home.public, (ROUTER, 4000).into()).0,
            Passage::Link(Fate::TooLong)
        );
    }
}
