//! The way of one packet, from border to border.

use std::net::IpAddr;
use std::time::Duration;

use keyway_wire::Time;

use super::{Arrival, HostId, Landing, Network, Packet, Passage, Place, SiteId};

/// How long a packet takes between two hosts of the same site.
const LAN_DELAY: Duration = Duration::from_micros(200);

/// What an address inside of a site is that of.
#[derive(Clone, Copy)]
enum Inner {
    Host(HostId),
    /// Another site behind this one.
    Site(SiteId),
}

impl Network {
    /// Takes a packet from a host; calls `arrive` for each copy that will come out somewhere.
    pub(crate) fn send(
        &mut self,
        now: Time,
        host: HostId,
        packet: Packet,
        mut arrive: impl FnMut(Arrival),
    ) -> Passage {
        let site = self.hosts[host.0].site;
        self.pass_on(now, site, packet, &mut arrive)
    }

    /// Lets a packet come out at a place; calls `arrive` for each copy that goes on from there.
    pub(crate) fn land(
        &mut self,
        now: Time,
        place: Place,
        mut packet: Packet,
        mut arrive: impl FnMut(Arrival),
    ) -> Landing {
        match place {
            Place::Host(host) => Landing::Host(host, packet),
            Place::Behind(site) => {
                self.pass_on(now, site, packet, &mut arrive);
                Landing::Onward
            }
            Place::Site(site) => match self.admit(now, site, &mut packet) {
                Some(Inner::Host(host)) => Landing::Host(host, packet),
                Some(Inner::Site(inner)) => {
                    self.carry(now, (site, inner), Place::Site(inner), packet, &mut arrive);
                    Landing::Onward
                }
                None => Landing::Nobody,
            },
        }
    }

    /// For which host a packet is that comes to a public address, if everything on the way lets it in and takes no time.
    pub(crate) fn enter(&mut self, now: Time, mut packet: Packet) -> Option<(HostId, Packet)> {
        let mut site = self.site_at(packet.destination.ip())?;
        loop {
            match self.admit(now, site, &mut packet)? {
                Inner::Host(host) => return Some((host, packet)),
                Inner::Site(inner) => site = inner,
            }
        }
    }

    /// Brings a packet on its way that comes from inside of a site.
    fn pass_on(
        &mut self,
        now: Time,
        site: SiteId,
        mut packet: Packet,
        arrive: &mut impl FnMut(Arrival),
    ) -> Passage {
        if let Some(inner) = self.inside(site, packet.destination.ip()) {
            return self.hand_in(now, site, inner, packet, arrive);
        }
        if !self.let_out(now, site, &mut packet) {
            return Passage::NoPort;
        }
        if self.sites[site.0].public == Some(packet.destination.ip()) {
            return self.turn_round(now, site, packet, arrive);
        }
        if let Some(around) = self.sites[site.0].behind {
            return self.carry(now, (site, around), Place::Behind(around), packet, arrive);
        }
        match self.site_at(packet.destination.ip()) {
            Some(to) if to != site => self.carry(now, (site, to), Place::Site(to), packet, arrive),
            Some(_) | None => Passage::NoRoute,
        }
    }

    /// From inside to the site's own public address. Simple routers do not turn packets round.
    fn turn_round(
        &mut self,
        now: Time,
        site: SiteId,
        mut packet: Packet,
        arrive: &mut impl FnMut(Arrival),
    ) -> Passage {
        let hairpins = self.sites[site.0]
            .nat
            .as_ref()
            .is_some_and(|nat| nat.hairpins());
        if !hairpins {
            return Passage::NoRoute;
        }
        match self.admit(now, site, &mut packet) {
            Some(inner) => self.hand_in(now, site, inner, packet, arrive),
            None => Passage::KeptOut,
        }
    }

    /// Gives a packet to somebody inside of a site, which is where it came from.
    fn hand_in(
        &mut self,
        now: Time,
        site: SiteId,
        inner: Inner,
        packet: Packet,
        arrive: &mut impl FnMut(Arrival),
    ) -> Passage {
        match inner {
            Inner::Host(host) => {
                arrive(Arrival {
                    time: now + LAN_DELAY,
                    place: Place::Host(host),
                    packet,
                });
                Passage::Inside
            }
            Inner::Site(inner) => {
                self.carry(now, (site, inner), Place::Site(inner), packet, arrive)
            }
        }
    }

    fn carry(
        &mut self,
        now: Time,
        (from, to): (SiteId, SiteId),
        place: Place,
        packet: Packet,
        arrive: &mut impl FnMut(Arrival),
    ) -> Passage {
        let Packet {
            source,
            destination,
            payload,
        } = packet;
        let fate = self.link(from, to).carry(now, payload, |time, payload| {
            let packet = Packet {
                source,
                destination,
                payload,
            };
            arrive(Arrival {
                time,
                place,
                packet,
            });
        });
        Passage::Link(fate)
    }

    /// Translates a packet on its way out, or notes that it went; false if the NAT has no port for it.
    fn let_out(&mut self, now: Time, site: SiteId, packet: &mut Packet) -> bool {
        let site = &mut self.sites[site.0];
        let (source, destination) = (packet.source, packet.destination);
        let nat = site.nat.as_mut();
        if let Some(nat) = nat.filter(|nat| nat.translates(destination.ip())) {
            let Some(outside) = nat.outbound(now, source, destination) else {
                return false;
            };
            packet.source = outside;
        } else if let Some(firewall) = &mut site.firewall {
            firewall.outbound(now, source, destination);
        }
        true
    }

    /// Translates a packet from outside that is let in; for whom it is.
    fn admit(&mut self, now: Time, site: SiteId, packet: &mut Packet) -> Option<Inner> {
        let border = &mut self.sites[site.0];
        let (source, destination) = (packet.source, packet.destination);
        let nat = border.nat.as_mut();
        if let Some(nat) = nat.filter(|nat| nat.translates(destination.ip())) {
            packet.destination = nat.inbound(now, destination.port(), source)?;
        } else if let Some(firewall) = &mut border.firewall
            && !firewall.inbound(now, destination, source)
        {
            return None;
        }
        self.inside(site, packet.destination.ip())
    }

    /// Who has an address inside of a site.
    fn inside(&self, site: SiteId, address: IpAddr) -> Option<Inner> {
        let host = self
            .hosts
            .iter()
            .position(|host| host.site == site && host.addresses.contains(&address));
        host.map(|host| Inner::Host(HostId(host))).or_else(|| {
            let inner = self.shown_behind(Some(site), address)?;
            Some(Inner::Site(inner))
        })
    }

    /// The site that the world knows under this address.
    pub(crate) fn site_at(&self, address: IpAddr) -> Option<SiteId> {
        self.shown_behind(None, address)
    }

    /// Of the sites behind another one, or in public, the one at which those beside it find an address.
    fn shown_behind(&self, around: Option<SiteId>, address: IpAddr) -> Option<SiteId> {
        let mut sites = (0..self.sites.len()).map(SiteId);
        sites.find(|site| self.sites[site.0].behind == around && self.shows(*site, address))
    }

    /// Whether an address is the site's own, or that of somebody inside of it that the site does not hide.
    fn shows(&self, site: SiteId, address: IpAddr) -> bool {
        let border = &self.sites[site.0];
        if border.public == Some(address) {
            return true;
        }
        let hides = border
            .nat
            .as_ref()
            .is_some_and(|nat| nat.translates(address));
        !hides && self.inside(site, address).is_some()
    }
}
