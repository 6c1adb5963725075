//! The world of a scenario, who is in it, and how time passes there.

use std::collections::{BTreeMap, BTreeSet};
use std::net::{IpAddr, SocketAddr};

use keyway_identity::{NodeId, SecretKey};
use keyway_wire::Time;

use super::actor::Actor;
use super::assigned::Assigned;
use super::attack::Attacker;
use super::conditions::{config, links, wall};
use super::steps::Undo;
use super::{Op, Scenario};
use crate::failure::Failure;
use crate::network::{HostId, SiteId};
use crate::trace::Trace;
use crate::world::World;

/// The port at which every node listens.
const PORT: u16 = 4100;

/// A world with all that the scenario names, and what has become of it so far.
pub(super) struct Stage<'a> {
    pub(super) world: World<Actor>,
    pub(super) scenario: &'a Scenario,
    pub(super) seats: Vec<Seat>,
    pub(super) errands: Vec<Assigned>,
    /// What is to be undone, and when.
    pub(super) undo: BTreeMap<(Time, usize), Undo>,
    pub(super) attacker: Attacker,
}

/// A host, whoever sits there at the moment.
pub(super) struct Seat {
    pub(super) host: HostId,
    secret: [u8; 32],
    pub(super) id: NodeId,
    pub(super) local: SocketAddr,
    /// What its wall clock is wrong by, in seconds.
    pub(super) wall_error: i64,
    /// How often a process ended here, with its state.
    pub(super) ends: u32,
    /// Nobody is there at the moment.
    pub(super) is_down: bool,
}

/// A NAT, and how many hosts are behind it.
#[derive(Clone, Copy)]
struct Home {
    site: SiteId,
    hosts: u8,
}

impl<'a> Stage<'a> {
    pub(super) fn new(scenario: &'a Scenario, trace: bool) -> Self {
        let mut world = World::new(scenario.seed, Trace::new(trace));
        let links = links(&scenario.faults);
        world.network().set_all_links(&links);
        let config = config(&scenario.settings, false);
        world
            .wire()
            .set_session_lifetime(config.association.session_lifetime);
        let attacker = Attacker::new(scenario.seed);
        if scenario.steps.iter().any(|step| is_attack(&step.op)) {
            world.record();
        }
        let mut stage = Self {
            world,
            scenario,
            seats: Vec::new(),
            errands: Vec::new(),
            undo: BTreeMap::new(),
            attacker,
        };
        stage.fill_seats();
        stage.tell_strangers();
        stage
    }

    fn fill_seats(&mut self) {
        let secrets: Vec<[u8; 32]> = self
            .scenario
            .hosts
            .iter()
            .map(|_| self.world.random().bytes())
            .collect();
        let ids: Vec<NodeId> = secrets
            .iter()
            .map(|secret| SecretKey::from_bytes(*secret).node_id())
            .collect();
        let mut homes = BTreeMap::new();
        for (index, plan) in self.scenario.hosts.iter().enumerate() {
            let number = u8::try_from(index).unwrap_or(u8::MAX);
            let behind = plan.nat.map(|nat| self.move_in(&mut homes, nat));
            let address = match behind {
                Some((_, home)) => home,
                None => [192, 0, 2, 1 + number].into(),
            };
            let mut seat = Seat {
                host: HostId(index),
                secret: secrets[index],
                id: ids[index],
                local: SocketAddr::new(address, PORT),
                wall_error: 0,
                ends: 0,
                is_down: false,
            };
            let actor = self.actor(&seat, index, &ids);
            seat.host = match behind {
                Some((site, home)) => self.world.add_host_behind(site, home, actor),
                None => self.world.add_public_host(address, actor),
            };
            self.seats.push(seat);
        }
        for index in 0..self.seats.len() {
            self.tell_servers(index);
        }
    }

    /// The NAT of this number, built if it is not there yet, and the address of one more host behind it.
    fn move_in(&mut self, homes: &mut BTreeMap<u8, Home>, number: u8) -> (SiteId, IpAddr) {
        let site = self.home(homes, number);
        let hosts = homes
            .get(&number)
            .map_or(0, |home| home.hosts)
            .saturating_add(1);
        homes.insert(number, Home { site, hosts });
        // Homes use the same addresses as other homes.
        (site, [192, 168, 1, hosts.saturating_add(9)].into())
    }

    fn home(&mut self, homes: &mut BTreeMap<u8, Home>, number: u8) -> SiteId {
        if let Some(home) = homes.get(&number) {
            return home.site;
        }
        let scenario = self.scenario;
        let mut around = scenario
            .nat_behind(number)
            .map(|around| self.home(homes, around));
        for (depth, nat) in (2..).zip(scenario.boxes_of(number).iter().rev()) {
            let public: IpAddr = match around {
                None => [198, 51, 100, number.saturating_add(1)].into(),
                Some(_) => [100, 64, number, depth].into(),
            };
            around = Some(self.world.add_nat(around, public, *nat));
        }
        let site = around.expect("a NAT of a scenario is one at least");
        homes.insert(number, Home { site, hosts: 0 });
        site
    }

    /// A new process for a seat.
    pub(super) fn actor(&mut self, seat: &Seat, index: usize, ids: &[NodeId]) -> Actor {
        let plan = &self.scenario.hosts[index];
        let allows = plan.allows.iter().map(|other| ids[*other]).collect();
        Actor::new(
            self.world.now(),
            wall(self.world.now(), seat.wall_error),
            SecretKey::from_bytes(seat.secret),
            self.world.random().bytes(),
            seat.local,
            config(&self.scenario.settings, plan.server),
            allows,
        )
    }

    pub(super) fn tell_servers(&mut self, index: usize) {
        if self.scenario.hosts[index].server {
            return;
        }
        for server in self.servers() {
            let (id, address) = (self.seats[server].id, self.seats[server].local);
            self.world.with(self.seats[index].host, |actor, now| {
                actor.add_server(now, id, address);
            });
        }
    }

    fn servers(&self) -> Vec<usize> {
        let hosts = self.scenario.hosts.iter().enumerate();
        hosts
            .filter(|(_, host)| host.server)
            .map(|(index, _)| index)
            .collect()
    }

    /// Those that are no servers.
    pub(super) fn nodes(&self) -> Vec<usize> {
        let servers: BTreeSet<usize> = self.servers().into_iter().collect();
        (0..self.seats.len())
            .filter(|index| !servers.contains(index))
            .collect()
    }

    /// Two nodes of which neither serves the other have nothing to say to each other, unless both want something: whoever is
    /// wanted may come.
    fn tell_strangers(&mut self) {
        let nodes = self.nodes();
        for one in &nodes {
            for other in &nodes {
                let strange = !self.permits(*one, *other) && !self.permits(*other, *one);
                let both_want =
                    self.scenario.wants(*one, *other) && self.scenario.wants(*other, *one);
                let in_public = self.scenario.hosts[*other].nat.is_none();
                if one != other && strange && in_public && !both_want {
                    let (host, address) = (self.seats[*one].host, self.seats[*other].local.ip());
                    self.world.wire().make_strangers(host, address);
                }
            }
        }
    }

    /// Lets time pass until `until`, or until `done`; whether it did. What is to be undone meanwhile is.
    pub(super) fn run_until(
        &mut self,
        until: Time,
        done: impl Fn(&Self) -> Result<bool, String>,
    ) -> Result<bool, Failure> {
        loop {
            let next_undo = self.undo.keys().next().map(|(time, _)| *time);
            let deadline = next_undo.unwrap_or(until).min(until);
            let reached = self.run_world(deadline, &done)?;
            if reached {
                return Ok(true);
            }
            if next_undo.is_none_or(|time| time > until) {
                return Ok(false);
            }
            if let Some((_, undo)) = self.undo.pop_first() {
                self.undo(&undo);
            }
        }
    }

    fn run_world(
        &mut self,
        deadline: Time,
        done: &impl Fn(&Self) -> Result<bool, String>,
    ) -> Result<bool, Failure> {
        loop {
            // One event at a time, since whoever looks needs more than the world.
            let mut first = true;
            let more = self
                .world
                .run_until(deadline, |_| !std::mem::take(&mut first))?;
            self.check_actors()?;
            if done(self).map_err(|what| self.failure(what))? {
                return Ok(true);
            }
            if !more {
                return Ok(false);
            }
        }
    }

    fn check_actors(&self) -> Result<(), Failure> {
        for (index, seat) in self.seats.iter().enumerate() {
            if let Some(what) = self.world.program(seat.host).failure() {
                return Err(self.failure(format!("host {index}: {what}")));
            }
        }
        Ok(())
    }

    pub(super) fn failure(&self, message: impl Into<String>) -> Failure {
        Failure::new(self.world.now(), message)
    }
}

fn is_attack(op: &Op) -> bool {
    matches!(op, Op::Replay { .. } | Op::Forge { .. })
}
