//! The world: hosts with their programs, the network between them, and the only clock.

mod recording;
mod running;
#[cfg(test)]
mod tests;

use std::net::{IpAddr, SocketAddr};

use keyway_wire::Time;

use self::recording::Recording;
use crate::invariants::Wire;
use crate::nat::NatConfig;
use crate::network::{HostId, Network, Packet, Place, SiteId};
use crate::program::{Counters, Program};
use crate::queue::EventQueue;
use crate::random::Random;
use crate::trace::Trace;

/// Hosts, network and clock. Everything that happens in it follows from its seed and from what its user does at which time.
///
/// What holds on every wire is looked at after every event: a run ends with the first breach.
#[derive(Debug)]
pub struct World<P> {
    now: Time,
    queue: EventQueue<Flight>,
    network: Network,
    hosts: Vec<Host<P>>,
    random: Random,
    trace: Trace,
    recording: Option<Recording>,
    overtaking: Option<Overtaking>,
    wire: Wire,
}

#[derive(Debug)]
struct Host<P> {
    program: P,
    counters: Counters,
    /// What this host alone has sent, and when.
    sent: Trace,
    /// How often it was woken at the present time.
    wakes_now: u32,
    /// Neither hears nor is woken.
    is_asleep: bool,
}

/// A packet that is going to come out at a place.
#[derive(Debug)]
struct Flight {
    place: Place,
    packet: Packet,
}

/// Somebody on the way to a host who is faster than the way: copies of its packets come first, from another address.
#[derive(Clone, Copy, Debug)]
struct Overtaking {
    host: HostId,
    source: SocketAddr,
    left: u64,
    is_spoilt: bool,
}

impl<P: Program> World<P> {
    /// An empty world at time zero.
    #[must_use]
    pub fn new(seed: u64, trace: Trace) -> Self {
        let mut random = Random::new(seed);
        let network = Network::new(random.fork());
        Self {
            now: Time::ZERO,
            queue: EventQueue::default(),
            network,
            hosts: Vec::new(),
            random,
            trace,
            recording: None,
            overtaking: None,
            wire: Wire::default(),
        }
    }

    /// What time it is.
    #[must_use]
    pub fn now(&self) -> Time {
        self.now
    }

    /// The sites and links.
    pub fn network(&mut self) -> &mut Network {
        &mut self.network
    }

    /// Chance, for whoever sets the world up.
    pub fn random(&mut self) -> &mut Random {
        &mut self.random
    }

    /// What is looked at on every wire.
    pub(crate) fn wire(&mut self) -> &mut Wire {
        &mut self.wire
    }

    /// One number for everything that happened so far.
    #[must_use]
    pub fn trace_hash(&self) -> u64 {
        self.trace.hash()
    }

    /// Adds a host that everybody can reach.
    pub fn add_public_host(&mut self, address: IpAddr, program: P) -> HostId {
        let host = self.network.add_public_host(address);
        self.start(host, program)
    }

    /// Adds a NAT, with nobody behind it yet: in public, or behind another site.
    pub fn add_nat(&mut self, behind: Option<SiteId>, public: IpAddr, config: NatConfig) -> SiteId {
        self.network.add_nat(behind, public, config)
    }

    /// Adds a router, with nobody behind it yet. It translates nothing, and keeps out nothing unless it is given a firewall.
    pub fn add_router(&mut self, behind: Option<SiteId>) -> SiteId {
        self.network.add_router(behind)
    }

    /// Adds a host behind a NAT or router.
    pub fn add_host_behind(&mut self, site: SiteId, address: IpAddr, program: P) -> HostId {
        let host = self.network.add_host(site, address);
        self.start(host, program)
    }

    fn start(&mut self, host: HostId, program: P) -> HostId {
        self.hosts.push(Host {
            program,
            counters: Counters::default(),
            sent: Trace::new(false),
            wakes_now: 0,
            is_asleep: false,
        });
        host
    }

    /// Puts another program in the place of the one that ran on a host, which goes without a word.
    pub fn replace(&mut self, host: HostId, program: P) {
        self.hosts[host.0].program = program;
        self.wire.restarted(host);
        self.flush(host);
    }

    /// Lets a host fall asleep, or wakes it up: what comes meanwhile is lost, and no clock strikes for it.
    pub fn set_asleep(&mut self, host: HostId, is_asleep: bool) {
        self.hosts[host.0].is_asleep = is_asleep;
    }

    /// All hosts, in the order of their making.
    pub fn hosts(&self) -> impl Iterator<Item = HostId> + use<P> {
        (0..self.hosts.len()).map(HostId)
    }

    /// What runs on a host.
    ///
    /// # Panics
    /// If the host is of another world; so do all methods that take one.
    #[must_use]
    pub fn program(&self, host: HostId) -> &P {
        &self.hosts[host.0].program
    }

    /// Lets the user act through a host's program at the present time, then sends what came of it.
    pub fn with<T>(&mut self, host: HostId, act: impl FnOnce(&mut P, Time) -> T) -> T {
        let result = act(&mut self.hosts[host.0].program, self.now);
        self.flush(host);
        result
    }

    /// What a host has done so far.
    #[must_use]
    pub fn counters(&self, host: HostId) -> &Counters {
        &self.hosts[host.0].counters
    }

    /// One number for everything that a host has sent so far, and when.
    #[must_use]
    pub fn sent_hash(&self, host: HostId) -> u64 {
        self.hosts[host.0].sent.hash()
    }

    /// Whether nothing is under way between hosts.
    #[must_use]
    pub fn is_still(&self) -> bool {
        self.queue.next_time().is_none()
    }

    /// Begins to keep a copy of every packet that arrives at a site as it was made.
    pub fn record(&mut self) {
        self.recording = Some(Recording::default());
    }

    /// The packets recorded so far, with the addresses that they bore between the sites.
    #[must_use]
    pub fn recorded(&self) -> &[Packet] {
        self.recording.as_ref().map_or(&[], Recording::packets)
    }

    /// Lets copies of the next `count` packets to a host arrive before the packets themselves, and from `source`. Those that are
    /// spoilt are not authentic any more: an answer to one of them is a failure.
    pub fn overtake(&mut self, host: HostId, source: SocketAddr, count: u64, is_spoilt: bool) {
        self.overtaking = Some(Overtaking {
            host,
            source,
            left: count,
            is_spoilt,
        })
        .filter(|overtaking| overtaking.left > 0);
    }

    /// Lets a packet come out of nowhere, at once, as somebody can make it who writes any source that he likes. Gives who
    /// received it and how many datagrams it sent because of it; nothing if a NAT kept it out, or nobody is at that address.
    pub fn inject(&mut self, packet: Packet) -> Option<(HostId, u64)> {
        let (host, mut packet) = self.network.enter(self.now, packet)?;
        if self.hosts[host.0].is_asleep {
            return None;
        }
        let before = self.hosts[host.0].counters.sent;
        let length = packet.payload.len();
        self.hand_over(host, &mut packet, length);
        Some((host, self.hosts[host.0].counters.sent - before))
    }
}
