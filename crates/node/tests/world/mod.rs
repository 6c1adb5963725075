//! A few nodes on a network with a fixed delay: enough to see what nodes decide. It loses what a test tells it to lose, keeps
//! what passed, and delivers what nobody sent. Chance is the simulator's part.
#![allow(
    dead_code,
    reason = "every file of tests uses another part of this world"
)]

pub(crate) mod puppet;
pub(crate) mod talk;

use std::collections::{BTreeMap, VecDeque};
use std::net::{IpAddr, SocketAddr};
use std::time::Duration;

use keyway_identity::{NodeId, SecretKey};
use keyway_node::{Allow, Arrival, Batch, Config, Event, Node, SocketId, Wall};
use keyway_wire::Time;

/// One way, on every link.
pub(crate) const DELAY: Duration = Duration::from_millis(10);

/// The names of nodes in tests.
pub(crate) type Index = usize;

struct Host {
    node: Node,
    address: SocketAddr,
    events: VecDeque<Event>,
    alive: bool,
}

/// One datagram, as the network saw it.
#[derive(Clone, Debug)]
pub(crate) struct Datagram {
    pub(crate) from: SocketAddr,
    pub(crate) to: SocketAddr,
    pub(crate) bytes: Vec<u8>,
}

impl Datagram {
    pub(crate) fn is_init(&self) -> bool {
        self.bytes.starts_with(&[4, 1])
    }

    pub(crate) fn is_resp(&self) -> bool {
        self.bytes.starts_with(&[4, 2])
    }

    pub(crate) fn is_cookie(&self) -> bool {
        self.bytes.starts_with(&[4, 3])
    }

    pub(crate) fn is_relayed(&self) -> bool {
        self.bytes.starts_with(&[5])
    }
}

/// Says what the network loses.
type Filter = Box<dyn FnMut(Time, &Datagram) -> bool>;

/// More turns than this without a moment passing are a loop that would burn a processor.
const TURNS_MAX: usize = 10_000;

/// Datagrams on their way, by arrival.
type Flight = (SocketAddr, SocketAddr, Vec<u8>, usize);

pub(crate) struct World {
    pub(crate) now: Time,
    hosts: Vec<Host>,
    flights: BTreeMap<(Time, u64), Flight>,
    sequence: u64,
    batch: Batch,
    /// Pairs of addresses between which nothing passes.
    cut: Vec<(SocketAddr, SocketAddr)>,
    /// Datagrams sent so far, from where to where, and how many octets each.
    pub(crate) sent: Vec<(SocketAddr, SocketAddr, usize)>,
    /// Every datagram sent since a test asked for it.
    pub(crate) record: Option<Vec<Datagram>>,
    /// True for what is lost.
    pub(crate) lost: Option<Filter>,
    turns: usize,
    /// What a clock on the wall shows to those who start, in seconds since 1970.
    pub(crate) wall: u64,
    /// Restarts so far: no two processes draw the same numbers.
    starts: u64,
}

pub(crate) fn secret(seed: u8) -> SecretKey {
    SecretKey::from_bytes([seed; 32])
}

pub(crate) fn id(seed: u8) -> NodeId {
    secret(seed).node_id()
}

impl World {
    pub(crate) fn new() -> Self {
        Self {
            now: Time::from_micros(1_000_000),
            hosts: Vec::new(),
            flights: BTreeMap::new(),
            sequence: 0,
            batch: Batch::new(),
            cut: Vec::new(),
            sent: Vec::new(),
            record: None,
            lost: None,
            turns: 0,
            wall: 1_800_000_000,
            starts: 0,
        }
    }

    /// Adds a node whose key is made of `seed`, at 203.0.113.`seed`.
    pub(crate) fn add(&mut self, seed: u8, config: Config) -> Index {
        let ip = IpAddr::from([203, 0, 113, seed]);
        let address = SocketAddr::new(ip, 4100);
        let mut node = Node::new(
            self.now,
            Wall(self.wall),
            secret(seed),
            [seed ^ 0x55; 32],
            config,
        );
        node.set_sockets(
            self.now,
            &[(SocketId(0), SocketAddr::from(([0, 0, 0, 0], 4100)))],
            &[ip],
        );
        self.hosts.push(Host {
            node,
            address,
            events: VecDeque::new(),
            alive: true,
        });
        self.hosts.len() - 1
    }

    /// The process dies and comes back at the same address with nothing but its key.
    pub(crate) fn restart(&mut self, index: Index, seed: u8, config: Config) {
        self.starts += 1;
        let host = &mut self.hosts[index];
        let mut randomness = [seed ^ 0xaa; 32];
        randomness[..8].copy_from_slice(&self.starts.to_be_bytes());
        let mut node = Node::new(
            self.now,
            Wall(self.wall + 100 * self.starts),
            secret(seed),
            randomness,
            config,
        );
        node.set_sockets(
            self.now,
            &[(SocketId(0), SocketAddr::from(([0, 0, 0, 0], 4100)))],
            &[host.address.ip()],
        );
        host.node = node;
        host.events.clear();
        host.alive = true;
    }

    pub(crate) fn kill(&mut self, index: Index) {
        self.hosts[index].alive = false;
    }

    /// A node hears a datagram, and is not asked yet for what it has to send.
    pub(crate) fn hear(&mut self, index: Index, datagram: &Datagram) {
        let arrival = Arrival {
            socket: SocketId(0),
            remote: datagram.from,
            local: None,
            ecn: None,
        };
        let mut bytes = datagram.bytes.clone();
        let stride = bytes.len();
        let now = self.now;
        self.node(index)
            .handle_batch(now, arrival, &mut bytes, stride);
    }

    pub(crate) fn node(&mut self, index: Index) -> &mut Node {
        &mut self.hosts[index].node
    }

    /// Lets this node serve everybody.
    pub(crate) fn serve_all(&mut self, index: Index, service: &str) {
        let now = self.now;
        self.node(index)
            .listen(now, service.parse().expect("a service name"), Allow::Any);
    }

    pub(crate) fn address(&self, index: Index) -> SocketAddr {
        self.hosts[index].address
    }

    /// Stops everything between two hosts, or lets it pass again.
    pub(crate) fn set_cut(&mut self, a: Index, b: Index, cut: bool) {
        let (a, b) = (self.address(a), self.address(b));
        self.cut.retain(|pair| *pair != (a, b) && *pair != (b, a));
        if cut {
            self.cut.extend([(a, b), (b, a)]);
        }
    }

    /// The NAT before a host forgets its mapping: packets of the host come from another address, and those to the old one are
    /// lost. The host does not know.
    pub(crate) fn rebind(&mut self, index: Index, address: SocketAddr) {
        self.hosts[index].address = address;
    }

    /// A datagram arrives at a host that nobody there sent, or not now.
    pub(crate) fn inject(&mut self, from: SocketAddr, to: SocketAddr, bytes: &[u8]) {
        self.inject_batch(from, to, bytes, bytes.len().max(1));
    }

    /// The same with many datagrams at once, each of `stride` octets.
    pub(crate) fn inject_batch(
        &mut self,
        from: SocketAddr,
        to: SocketAddr,
        bytes: &[u8],
        stride: usize,
    ) {
        let now = self.now;
        self.arrive(now, from, to, &mut bytes.to_vec(), stride);
        self.drain();
    }

    /// Nothing is cut any more.
    pub(crate) fn heal_all(&mut self) {
        self.cut.clear();
    }

    fn fly(&mut self, from: SocketAddr, to: SocketAddr, bytes: Vec<u8>, stride: usize) {
        self.sent.push((from, to, bytes.len()));
        let cut = self.cut.contains(&(from, to));
        let mut kept = Vec::new();
        for bytes in bytes.chunks(stride.max(1)) {
            let bytes = bytes.to_vec();
            let datagram = Datagram { from, to, bytes };
            let now = self.now;
            if !cut && !self.lost.as_mut().is_some_and(|lost| lost(now, &datagram)) {
                kept.extend_from_slice(&datagram.bytes);
            }
            if let Some(record) = &mut self.record {
                record.push(datagram);
            }
        }
        if bytes.is_empty()
            && let Some(record) = &mut self.record
        {
            record.push(Datagram { from, to, bytes });
        } else if !kept.is_empty() {
            self.sequence += 1;
            self.flights
                .insert((self.now + DELAY, self.sequence), (from, to, kept, stride));
        }
    }

    fn arrive(
        &mut self,
        now: Time,
        from: SocketAddr,
        to: SocketAddr,
        bytes: &mut [u8],
        stride: usize,
    ) {
        let arrival = Arrival {
            socket: SocketId(0),
            remote: from,
            local: None,
            ecn: None,
        };
        let mut hosts = self.hosts.iter_mut();
        if let Some(host) = hosts.find(|host| host.address == to && host.alive) {
            host.node.handle_batch(now, arrival, bytes, stride);
        }
    }

    /// Sends what the nodes have to send and collects their events.
    pub(crate) fn drain(&mut self) {
        for index in 0..self.hosts.len() {
            if !self.hosts[index].alive {
                continue;
            }
            while let Some(transmit) = self.hosts[index]
                .node
                .poll_transmit(self.now, &mut self.batch)
            {
                let bytes = self.batch.bytes()[..transmit.len].to_vec();
                let from = self.hosts[index].address;
                self.fly(from, transmit.remote, bytes, transmit.segment_size);
            }
            let host = &mut self.hosts[index];
            while let Some(event) = host.node.poll_event() {
                host.events.push_back(event);
            }
        }
    }

    /// Goes on to the next thing that happens, if that is before `until`.
    fn step(&mut self, until: Time) -> bool {
        self.drain();
        let flight = self.flights.first_key_value().map(|((at, _), _)| *at);
        let alive = self.hosts.iter().filter(|host| host.alive);
        let timer = alive
            .filter_map(|host| host.node.poll_timeout(self.now))
            .min();
        let Some(next) = flight.into_iter().chain(timer).min() else {
            return false;
        };
        if next > until {
            return false;
        }
        self.turns = if next > self.now { 0 } else { self.turns + 1 };
        assert!(self.turns < TURNS_MAX, "some node goes round in circles");
        self.now = self.now.max(next);
        while let Some(entry) = self.flights.first_entry() {
            if entry.key().0 > self.now {
                break;
            }
            let (from, to, mut bytes, stride) = entry.remove();
            let now = self.now;
            self.arrive(now, from, to, &mut bytes, stride);
        }
        for host in &mut self.hosts {
            if host.alive
                && host
                    .node
                    .poll_timeout(self.now)
                    .is_some_and(|at| at <= self.now)
            {
                host.node.handle_timeout(self.now);
            }
        }
        true
    }

    /// Lets `span` of time pass.
    pub(crate) fn run(&mut self, span: Duration) {
        let until = self.now + span;
        while self.step(until) {}
        self.now = until;
        self.drain();
    }

    /// Waits for an event of one node, for at most `span`; events before it are dropped.
    pub(crate) fn wait<T>(
        &mut self,
        index: Index,
        span: Duration,
        mut wanted: impl FnMut(&Event) -> Option<T>,
    ) -> T {
        let until = self.now + span;
        let mut seen = Vec::new();
        loop {
            self.drain();
            while let Some(event) = self.hosts[index].events.pop_front() {
                if let Some(found) = wanted(&event) {
                    return found;
                }
                seen.push(event);
            }
            assert!(
                self.step(until),
                "node {index} did not say what was waited for; it said {seen:#?}"
            );
        }
    }

    /// What a node said since it was last asked.
    pub(crate) fn events(&mut self, index: Index) -> Vec<Event> {
        self.drain();
        self.hosts[index].events.drain(..).collect()
    }
}
