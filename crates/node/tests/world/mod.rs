//! A few nodes on a loss-free network with a fixed delay: enough to see what nodes decide. Faults are the simulator's part.

use std::collections::{BTreeMap, VecDeque};
use std::net::{IpAddr, SocketAddr};
use std::time::Duration;

use keyway_identity::{NodeId, SecretKey};
use keyway_node::{Arrival, Batch, Config, Event, Node, SocketId, Wall};
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
        }
    }

    /// Adds a node whose key is made of `seed`, at 203.0.113.`seed`.
    pub(crate) fn add(&mut self, seed: u8, config: Config) -> Index {
        let ip = IpAddr::from([203, 0, 113, seed]);
        let address = SocketAddr::new(ip, 4100);
        let mut node = Node::new(
            self.now,
            Wall(1_800_000_000),
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
        let host = &mut self.hosts[index];
        let mut node = Node::new(
            self.now,
            Wall(1_800_000_100),
            secret(seed),
            [seed ^ 0xaa; 32],
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

    pub(crate) fn node(&mut self, index: Index) -> &mut Node {
        &mut self.hosts[index].node
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

    fn fly(&mut self, from: SocketAddr, to: SocketAddr, bytes: Vec<u8>, stride: usize) {
        self.sent.push((from, to, bytes.len()));
        if !self.cut.contains(&(from, to)) {
            self.sequence += 1;
            self.flights
                .insert((self.now + DELAY, self.sequence), (from, to, bytes, stride));
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
        self.now = self.now.max(next);
        while let Some(entry) = self.flights.first_entry() {
            if entry.key().0 > self.now {
                break;
            }
            let (from, to, mut bytes, stride) = entry.remove();
            let now = self.now;
            if let Some(host) = self
                .hosts
                .iter_mut()
                .find(|host| host.address == to && host.alive)
            {
                let arrival = Arrival {
                    socket: SocketId(0),
                    remote: from,
                    local: None,
                    ecn: None,
                };
                host.node.handle_batch(now, arrival, &mut bytes, stride);
            }
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
