//! The worlds that properties happen in: two nodes that are to meet, and what stands between them.

use std::net::{IpAddr, SocketAddr};
use std::time::Duration;

use keyway_identity::{NodeId, SecretKey};
use keyway_node::{Allow, Config};
use keyway_wire::{ServiceName, Time};

use crate::applications::{Application, Exchange, Plan};
use crate::failure::Failure;
use crate::host::NodeHost;
use crate::nat::{LIFETIME, NatConfig};
use crate::network::{HostId, SiteId};
use crate::random::Random;
use crate::sightings::Sightings;
use crate::trace::Trace;
use crate::world::World;

/// The port at which every node listens.
const PORT: u16 = 4100;

/// Networks that belong to nobody (RFC 5737), one for each site, and the one that every home uses.
const SITE_A: [u8; 4] = [192, 0, 2, 1];
const SITE_B: [u8; 4] = [198, 51, 100, 1];
const SITE_SERVER: [u8; 4] = [203, 0, 113, 1];
const HOME_A: [u8; 4] = [192, 168, 1, 10];
const HOME_B: [u8; 4] = [192, 168, 1, 20];

/// Which run of a property this is.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Run {
    /// Everything that is left to chance follows from it.
    pub seed: u64,
    /// Whether to tell of every packet on standard error.
    pub trace: bool,
}

/// Where the two nodes are.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Layout {
    /// Both in public, no server: who dials has been told the other's address.
    Public,
    /// Both in public, with a server; nobody has been told an address but the server's.
    PublicWithServer,
    /// Each behind a simple NAT of its own, with a server.
    BehindNats,
}

/// Two nodes, `a` and `b`, and perhaps a server.
#[derive(Debug)]
pub struct Meeting {
    /// The world around them.
    pub world: World<NodeHost>,
    /// The one that dials, where only one does.
    pub a: HostId,
    /// The one that is dialled.
    pub b: HostId,
    /// The server, if there is one.
    pub server: Option<HostId>,
    /// Whether who dials has been told the other's address.
    is_told: bool,
}

impl Meeting {
    /// Builds a world; `config` makes the configuration of each of the two nodes.
    #[must_use]
    pub fn new(run: Run, layout: Layout, config: impl Fn() -> Config) -> Self {
        let mut world = World::new(run.seed, Trace::new(run.trace));
        let server = (layout != Layout::Public).then(|| {
            let serving = Config {
                server: true,
                ..Config::default()
            };
            let host = node(world.random(), SITE_SERVER.into(), serving);
            world.add_public_host(SITE_SERVER.into(), host)
        });
        let [a, b] = [(SITE_A, HOME_A), (SITE_B, HOME_B)].map(|(site, home)| {
            if layout == Layout::BehindNats {
                let nat = world.add_nat(None, site.into(), NatConfig::simple(LIFETIME));
                let host = node(world.random(), home.into(), config());
                world.add_host_behind(nat, home.into(), host)
            } else {
                let host = node(world.random(), site.into(), config());
                world.add_public_host(site.into(), host)
            }
        });
        let mut meeting = Self {
            world,
            a,
            b,
            server,
            is_told: layout == Layout::Public,
        };
        server
            .into_iter()
            .for_each(|server| meeting.tell_server(server));
        meeting
    }

    /// Two nodes of a world that exists, with servers that they are told of; nobody has been told another address.
    pub(crate) fn within(world: World<NodeHost>, [a, b]: [HostId; 2], servers: &[HostId]) -> Self {
        let mut meeting = Self {
            world,
            a,
            b,
            server: servers.first().copied(),
            is_told: false,
        };
        servers
            .iter()
            .for_each(|server| meeting.tell_server(*server));
        meeting
    }

    fn tell_server(&mut self, server: HostId) {
        let (id, address) = (self.id(server), self.world.program(server).local());
        for host in [self.a, self.b] {
            self.world
                .with(host, |program, now| program.add_server(now, id, &[address]));
        }
    }

    /// The node id of a host.
    #[must_use]
    pub fn id(&self, host: HostId) -> NodeId {
        self.world.program(host).node_id()
    }

    /// The site of a host.
    pub fn site(&mut self, host: HostId) -> SiteId {
        self.world.network().site_of(host)
    }

    /// Lets `host` serve the only service of these worlds, to its peer alone.
    pub fn serve(&mut self, host: HostId, plan: Plan) {
        let peer = self.id(self.other(host));
        self.serve_to(host, Allow::Only([peer].into()), plan);
    }

    /// The same, to whom it likes.
    pub fn serve_to(&mut self, host: HostId, allow: Allow, plan: Plan) {
        self.world.with(host, |program, now| {
            program.serve(now, &service(), allow, plan)
        });
    }

    /// Lets `host` dial its peer, with an address where the layout gives one.
    pub fn dial(&mut self, host: HostId, plan: Plan) {
        let other = self.other(host);
        let (peer, address) = (self.id(other), self.world.program(other).local());
        let hints = if self.is_told {
            vec![address]
        } else {
            Vec::new()
        };
        self.world.with(host, |program, now| {
            program.dial(now, peer, &hints, &service(), plan)
        });
    }

    /// Lets `host` open one more stream to its peer's service.
    ///
    /// # Errors
    /// If it has no association with its peer.
    pub fn open(&mut self, host: HostId, plan: Plan) -> Result<(), Failure> {
        let peer = self.id(self.other(host));
        let association = self.world.program(host).association_of(&peer);
        let association = association.ok_or_else(|| self.failure("there is no association"))?;
        self.world.with(host, |program, now| {
            program.open(now, association, &service(), plan)
        });
        Ok(())
    }

    /// The peer of one of the two.
    #[must_use]
    pub fn other(&self, host: HostId) -> HostId {
        if host == self.a { self.b } else { self.a }
    }

    /// Waits until both nodes are known at the server.
    ///
    /// # Errors
    /// If it takes longer than ten seconds.
    pub fn await_registered(&mut self, host: HostId) -> Result<(), Failure> {
        let known =
            move |world: &World<NodeHost>| !world.program(host).diary().registered.is_empty();
        self.run_until(
            Duration::from_secs(10),
            "a node is registered at its server",
            known,
        )
    }

    /// Lets time pass until `done` holds.
    ///
    /// # Errors
    /// If it does not within `patience`, or an application meets trouble.
    pub fn run_until(
        &mut self,
        patience: Duration,
        what: &str,
        done: impl Fn(&World<NodeHost>) -> bool,
    ) -> Result<(), Failure> {
        let hosts = [self.a, self.b];
        let troubled = |world: &World<NodeHost>| {
            hosts
                .iter()
                .any(|host| world.program(*host).trouble().is_some())
        };
        let deadline = self.world.now() + patience;
        let reached = self
            .world
            .run_until(deadline, |world| troubled(world) || done(world))?;
        self.check_trouble()?;
        if reached {
            return Ok(());
        }
        let state: Vec<String> = hosts.iter().map(|host| self.state_of(*host)).collect();
        Err(self.failure(format!(
            "not within {} s: {what}; a: {}; b: {}",
            patience.as_secs(),
            state[0],
            state[1]
        )))
    }

    /// How far the exchanges of a host are.
    fn state_of(&self, host: HostId) -> String {
        let states: Vec<String> = exchanges(&self.world, host)
            .map(ToString::to_string)
            .collect();
        if states.is_empty() {
            "no exchange".to_owned()
        } else {
            states.join(", ")
        }
    }

    /// Lets time pass.
    ///
    /// # Errors
    /// If an application meets trouble.
    pub fn run_for(&mut self, duration: Duration) -> Result<(), Failure> {
        self.world.run_for(duration)?;
        self.check_trouble()
    }

    /// Fails if an application met trouble.
    pub(crate) fn check_trouble(&self) -> Result<(), Failure> {
        for (name, host) in [("a", self.a), ("b", self.b)] {
            if let Some(trouble) = self.world.program(host).trouble() {
                return Err(self.failure(format!("{name}: {trouble}")));
            }
        }
        Ok(())
    }

    /// What an observer saw one of the two send that was meant for the other, directly or through the relay.
    #[must_use]
    pub fn seen_towards_peer(&self, host: HostId) -> Sightings {
        let peer = if host == self.a { SITE_B } else { SITE_A };
        let ways = self.world.counters(host).sightings.iter();
        ways.filter(|(way, _)| way.relayed || way.destination.ip() == IpAddr::from(peer))
            .fold(Sightings::default(), |sum, (_, sightings)| {
                sum.and(sightings)
            })
    }

    /// A failure at the present time.
    #[must_use]
    pub fn failure(&self, message: impl Into<String>) -> Failure {
        Failure::new(self.world.now(), message)
    }

    /// Fails with `message` unless `holds`.
    ///
    /// # Errors
    /// If it does not hold.
    pub fn ensure(&self, holds: bool, message: impl FnOnce() -> String) -> Result<(), Failure> {
        if holds {
            Ok(())
        } else {
            Err(self.failure(message()))
        }
    }
}

/// The exchanges of a host, in the order of its streams.
pub(crate) fn exchanges(world: &World<NodeHost>, host: HostId) -> impl Iterator<Item = &Exchange> {
    world
        .program(host)
        .applications()
        .filter_map(|application| match application {
            Application::Exchange(exchange) => Some(exchange),
            Application::Echo(_) | Application::Datagrams(_) => None,
        })
}

/// Whether a host has this many exchanges and all of them are done.
#[must_use]
pub(crate) fn all_done(world: &World<NodeHost>, host: HostId, count: usize) -> bool {
    exchanges(world, host)
        .filter(|exchange| exchange.is_done())
        .count()
        == count
}

/// Time since the beginning of the world.
#[must_use]
pub(crate) fn since_beginning(time: Time) -> Duration {
    time.saturating_since(Time::ZERO)
}

pub(crate) fn node(random: &mut Random, address: IpAddr, config: Config) -> NodeHost {
    node_at(random, &[address], config)
}

/// A node with a socket at each of these addresses.
pub(crate) fn node_at(random: &mut Random, addresses: &[IpAddr], config: Config) -> NodeHost {
    let secret = SecretKey::from_bytes(random.bytes());
    let locals: Vec<SocketAddr> = addresses
        .iter()
        .map(|address| SocketAddr::new(*address, PORT))
        .collect();
    NodeHost::new(secret, random.bytes(), &locals, config)
}

pub(crate) fn service() -> ServiceName {
    "work".parse().expect("a valid service name")
}
