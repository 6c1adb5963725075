//! Bulk data from some hosts to one, over a link that is narrower than they are fast.

use std::net::{IpAddr, SocketAddr};
use std::time::Duration;

use keyway_node::{Allow, Config};

use crate::applications::{Content, Plan};
use crate::failure::Failure;
use crate::host::NodeHost;
use crate::link::LinkConfig;
use crate::nat::{LIFETIME, NatConfig};
use crate::network::{HostId, SiteId};
use crate::properties::Report;
use crate::topology::{Run, exchanges, node, service, since_beginning};
use crate::trace::Trace;
use crate::world::World;

/// Networks that belong to nobody (RFC 5737), and the one that every home uses.
const SITE_SENDERS: [u8; 4] = [192, 0, 2, 1];
const SITE_RECEIVER: [u8; 4] = [198, 51, 100, 1];
const HOME: [u8; 3] = [192, 168, 1];

/// More than arrives in any run.
const ENDLESS: u64 = 1 << 50;

/// Octets of a full packet on a link of [`LinkConfig`]'s size.
pub(crate) const PACKET: u64 = 1_452;

/// Senders at one site, so that they share the link to the receiver at the other.
#[derive(Debug)]
pub(crate) struct Bottleneck {
    world: World<NodeHost>,
    senders: Vec<HostId>,
    receiver: HostId,
    sites: (SiteId, SiteId),
}

impl Bottleneck {
    /// So many senders, of which none has begun. `forth` is the link that they share; what the receiver sends goes `back`.
    pub(crate) fn new(run: Run, senders: u8, forth: LinkConfig, back: LinkConfig) -> Self {
        let mut world = World::new(run.seed, Trace::new(run.trace));
        let home = world.add_nat(None, SITE_SENDERS.into(), NatConfig::simple(LIFETIME));
        let senders = (1..=senders).map(|index| {
            let address = IpAddr::from([HOME[0], HOME[1], HOME[2], index]);
            let host = node(world.random(), address, Config::default());
            world.add_host_behind(home, address, host)
        });
        let senders = senders.collect();
        let address = IpAddr::from(SITE_RECEIVER);
        let host = node(world.random(), address, Config::default());
        let receiver = world.add_public_host(address, host);
        let sites = (home, world.network().site_of(receiver));
        world.network().set_link(sites.0, sites.1, forth);
        world.network().set_link(sites.1, sites.0, back);
        let mut bottleneck = Self {
            world,
            senders,
            receiver,
            sites,
        };
        let incoming = plan(nothing(), everything());
        bottleneck.world.with(receiver, |program, now| {
            program.serve(now, &service(), Allow::Any, incoming);
        });
        bottleneck
    }

    /// Lets a sender connect, and send as much as it may from then on.
    pub(crate) fn start(&mut self, sender: usize) {
        let receiver = self.world.program(self.receiver);
        let (peer, address): (_, SocketAddr) = (receiver.node_id(), receiver.local());
        self.world.with(self.senders[sender], |program, now| {
            program.dial(
                now,
                peer,
                &[address],
                &service(),
                plan(everything(), nothing()),
            );
        });
    }

    /// Lets time pass.
    ///
    /// # Errors
    /// If an octet is wrong, or an invariant does not hold.
    pub(crate) fn run_for(&mut self, duration: Duration) -> Result<(), Failure> {
        self.world.run_for(duration)?;
        let hosts = self.senders.iter().chain([&self.receiver]);
        for host in hosts {
            if let Some(trouble) = self.world.program(*host).trouble() {
                return Err(self.failure(format!("host {host:?}: {trouble}")));
            }
        }
        Ok(())
    }

    /// Octets that the receiver's application has had of each stream so far.
    pub(crate) fn arrived(&self) -> Vec<u64> {
        exchanges(&self.world, self.receiver)
            .map(|exchange| exchange.read())
            .collect()
    }

    /// Octets a second that arrive on each stream while so much time passes.
    ///
    /// # Errors
    /// As [`Bottleneck::run_for`].
    pub(crate) fn goodput(&mut self, duration: Duration) -> Result<Vec<f64>, Failure> {
        let before = self.arrived();
        self.run_for(duration)?;
        let begun = |index| before.get(index).copied().unwrap_or(0);
        let after = self.arrived().into_iter().enumerate();
        Ok(after
            .map(|(index, octets)| real(octets - begun(index)) / duration.as_secs_f64())
            .collect())
    }

    /// Packets of the senders that found the queue before the link full.
    pub(crate) fn overflows(&mut self) -> u64 {
        let (from, to) = self.sites;
        self.world.network().overflows(from, to)
    }

    /// Packets that the senders have sent.
    pub(crate) fn sent(&self) -> u64 {
        let sent = |host: &HostId| self.world.counters(*host).sent;
        self.senders.iter().map(sent).sum()
    }

    /// The report on what happened so far, if what was promised `holds`.
    ///
    /// # Errors
    /// If it does not: `facts` say how things are then.
    pub(crate) fn conclude(&self, holds: bool, facts: String) -> Result<Report, Failure> {
        if !holds {
            return Err(self.failure(facts));
        }
        Ok(Report {
            time: since_beginning(self.world.now()),
            packets: self.sent() + self.world.counters(self.receiver).sent,
            trace_hash: self.world.trace_hash(),
            facts,
            figure: None,
        })
    }

    fn failure(&self, message: impl Into<String>) -> Failure {
        Failure::new(self.world.now(), message)
    }
}

/// Both directions of a way that takes so long there and back; forth, at most so many octets a second pass, and so many wait.
pub(crate) fn links(rate: u64, queue: u64, round_trip: Duration) -> (LinkConfig, LinkConfig) {
    let back = LinkConfig {
        delay: round_trip / 2,
        ..LinkConfig::default()
    };
    let forth = LinkConfig {
        rate: Some(rate),
        queue,
        ..back.clone()
    };
    (forth, back)
}

/// A number of octets or packets, to be calculated with. Exact up to 2^53.
#[expect(clippy::cast_precision_loss, reason = "no run has nine petaoctets")]
pub(crate) fn real(count: u64) -> f64 {
    count as f64
}

fn plan(outgoing: Content, incoming: Content) -> Plan {
    Plan::Exchange { outgoing, incoming }
}

fn everything() -> Content {
    Content {
        name: 1,
        length: ENDLESS,
    }
}

fn nothing() -> Content {
    Content { name: 2, length: 0 }
}
