//! How packets find their way: sites attached to an internet or behind one another, links between them, hosts inside.
//!
//! A site is a host in public, or whatever connects a network with the world: a NAT, a firewall, a router. Its hosts are inside of
//! it, and so may be other sites: a home whose provider has a NAT too is a site behind a site. What is inside of a NAT has
//! addresses of its own, the same ones in as many sites as one likes.

mod routing;
#[cfg(test)]
mod tests;

use std::collections::BTreeMap;
use std::net::{IpAddr, SocketAddr};

use keyway_wire::Time;

use crate::link::{Fate, Link, LinkConfig};
use crate::nat::{Filter, Firewall, Nat, NatConfig};
use crate::random::Random;

/// A host, in the order of their making.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub struct HostId(pub(crate) usize);

/// A public host, or a NAT, firewall or router with what is behind it. Links lead from site to site.
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
    /// At a site, from outside: its NAT, if there is one, has yet to let it in.
    Site(SiteId),
    /// At a site, from another one behind it.
    Behind(SiteId),
    /// At a host directly: within one site.
    Host(HostId),
}

/// What becomes of a packet where it comes out.
#[derive(Clone, Debug)]
pub(crate) enum Landing {
    /// It is for this host, and bears the addresses that the host knows.
    Host(HostId, Packet),
    /// It has another link to go.
    Onward,
    /// It is for nobody.
    Nobody,
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
    /// A NAT has no port left for the sender.
    NoPort,
    /// A NAT turned it round, and kept it out.
    KeptOut,
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

#[derive(Debug, Default)]
struct Site {
    /// The site inside of which it is; the internet, if there is none.
    behind: Option<SiteId>,
    /// Its own address outside, if it has one.
    public: Option<IpAddr>,
    nat: Option<Nat>,
    /// Filters what the NAT does not translate.
    firewall: Option<Firewall>,
}

#[derive(Debug)]
struct Host {
    addresses: Vec<IpAddr>,
    site: SiteId,
}

impl Network {
    /// An empty network whose links are perfect ones of 10 ms until somebody says otherwise, those inside of sites too.
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

    /// How links through the internet are that were not configured one by one; those that exist are changed too. Links to what is
    /// behind another site are short, and stay as they are.
    pub fn set_all_links(&mut self, config: &LinkConfig) {
        self.usual = config.clone();
        let sites = &self.sites;
        let is_inside = |site: &SiteId| sites[site.0].behind.is_some();
        self.links
            .iter_mut()
            .filter(|((from, to), _)| !is_inside(from) && !is_inside(to))
            .for_each(|(_, link)| link.configure(config.clone()));
    }

    /// How the link from one site to another is; the way back is a link of its own. A site behind another one has a link to that
    /// alone, all others have one to each other.
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

    /// The first address that a host has itself; behind a NAT, the world does not know it.
    ///
    /// # Panics
    /// If the host is of another world.
    #[must_use]
    pub fn address_of(&self, host: HostId) -> IpAddr {
        self.hosts[host.0].addresses[0]
    }

    /// The NAT of a site, if it has one.
    pub fn nat(&mut self, site: SiteId) -> Option<&mut Nat> {
        self.sites.get_mut(site.0)?.nat.as_mut()
    }

    /// The firewall of a site, if it has one.
    pub fn firewall(&mut self, site: SiteId) -> Option<&mut Firewall> {
        self.sites.get_mut(site.0)?.firewall.as_mut()
    }

    /// The site behind which another one is, if it is behind one.
    #[must_use]
    pub fn behind(&self, site: SiteId) -> Option<SiteId> {
        self.sites.get(site.0)?.behind
    }

    /// The site in public inside of which another one is, or itself.
    #[must_use]
    pub fn outermost(&self, site: SiteId) -> SiteId {
        let mut outermost = site;
        while let Some(around) = self.behind(outermost) {
            outermost = around;
        }
        outermost
    }

    /// Gives a host another address, such as an IPv6 one that its site's NAT does not translate.
    ///
    /// # Panics
    /// If the host is of another world.
    pub fn add_address(&mut self, host: HostId, address: IpAddr) {
        self.hosts[host.0].addresses.push(address);
    }

    /// Puts a firewall at the border of a site. It looks at what the site's NAT, if it has one, does not translate.
    ///
    /// # Panics
    /// If the site is of another world.
    pub fn set_firewall(&mut self, site: SiteId, filter: Filter) {
        self.sites[site.0].firewall = Some(Firewall::new(filter));
    }

    /// Adds a site of one public host.
    pub(crate) fn add_public_host(&mut self, address: IpAddr) -> HostId {
        let site = self.add_site(Site {
            public: Some(address),
            ..Site::default()
        });
        self.add_host(site, address)
    }

    /// Adds a site whose hosts are behind a NAT, in public or behind another site.
    pub(crate) fn add_nat(
        &mut self,
        behind: Option<SiteId>,
        public: IpAddr,
        config: NatConfig,
    ) -> SiteId {
        let nat = Nat::new(public, config, self.random.fork());
        self.add_site(Site {
            behind,
            public: Some(public),
            nat: Some(nat),
            ..Site::default()
        })
    }

    /// Adds a site that translates nothing: the world knows the addresses of its hosts.
    pub(crate) fn add_router(&mut self, behind: Option<SiteId>) -> SiteId {
        self.add_site(Site {
            behind,
            ..Site::default()
        })
    }

    /// Adds a host to a site. Sites may use the same private addresses, as they do at home.
    pub(crate) fn add_host(&mut self, site: SiteId, address: IpAddr) -> HostId {
        self.hosts.push(Host {
            addresses: vec![address],
            site,
        });
        HostId(self.hosts.len() - 1)
    }

    fn add_site(&mut self, site: Site) -> SiteId {
        self.sites.push(site);
        SiteId(self.sites.len() - 1)
    }

    /// Whether an address is that of a site or a host, so that somebody may be there, or have been told of it.
    pub(crate) fn is_anybodys(&self, address: IpAddr) -> bool {
        let is_a_site = self.sites.iter().any(|site| site.public == Some(address));
        is_a_site
            || self
                .hosts
                .iter()
                .any(|host| host.addresses.contains(&address))
    }

    fn link(&mut self, from: SiteId, to: SiteId) -> &mut Link {
        let is_inside = |site: SiteId| self.sites[site.0].behind.is_some();
        let is_short = is_inside(from) || is_inside(to);
        self.links.entry((from, to)).or_insert_with(|| {
            let config = if is_short {
                LinkConfig::default()
            } else {
                self.usual.clone()
            };
            Link::new(config, self.random.fork())
        })
    }
}
