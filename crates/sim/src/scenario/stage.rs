//! The world of a scenario, and what its steps do in it.

use std::collections::{BTreeMap, BTreeSet};
use std::net::{IpAddr, SocketAddr};
use std::time::Duration;

use keyway_identity::{NodeId, SecretKey};
use keyway_wire::Time;

use super::actor::{Actor, Wish};
use super::attack::Attacker;
use super::conditions::{config, links, wall};
use super::errand::{CallPlan, Errand, FlowPlan, Kind};
use super::{Faults, Op, Scenario};
use crate::failure::Failure;
use crate::network::{HostId, SiteId};
use crate::trace::Trace;
use crate::world::World;

/// The port at which every node listens.
const PORT: u16 = 4100;

/// How long a NAT keeps a mapping: the shortest that RFC 4787 (REQ-5) allows.
const NAT_TIMEOUT: Duration = Duration::from_secs(120);

/// Where somebody is at home who overtakes packets: nobody else is there.
const OVERTAKER: ([u8; 4], u16) = ([203, 0, 113, 77], 777);

/// A world with all that the scenario names, and what has become of it so far.
pub(super) struct Stage<'a> {
    pub(super) world: World<Actor>,
    pub(super) scenario: &'a Scenario,
    pub(super) seats: Vec<Seat>,
    pub(super) errands: Vec<Assigned>,
    /// What is to be undone, and when.
    undo: BTreeMap<(Time, usize), Undo>,
    attacker: Attacker,
}

/// A host, whoever sits there at the moment.
pub(super) struct Seat {
    pub(super) host: HostId,
    secret: [u8; 32],
    pub(super) id: NodeId,
    local: SocketAddr,
    /// What its wall clock is wrong by, in seconds.
    wall_error: i64,
    /// How often a process ended here, with its state.
    pub(super) ends: u32,
    /// Nobody is there at the moment.
    is_down: bool,
}

/// An errand that was given to somebody.
pub(super) struct Assigned {
    pub(super) errand: Errand,
    pub(super) from: usize,
    pub(super) to: usize,
    /// How often processes had ended at both when it was given.
    pub(super) ends: [u32; 2],
    pub(super) given_up: bool,
}

enum Undo {
    Up(usize),
    Awake(usize),
    Mend(SiteId, SiteId),
    Read(usize),
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
        let mut nats: BTreeMap<u8, (SiteId, u8)> = BTreeMap::new();
        for (index, plan) in self.scenario.hosts.iter().enumerate() {
            let number = u8::try_from(index).unwrap_or(u8::MAX);
            let behind = plan.nat.map(|nat| {
                let public = IpAddr::from([198, 51, 100, 1 + nat]);
                let (site, hosts) = nats
                    .entry(nat)
                    .or_insert_with(|| (self.world.add_nat(public, NAT_TIMEOUT), 0));
                *hosts += 1;
                // Homes use the same addresses as other homes.
                (*site, IpAddr::from([192, 168, 1, 9 + *hosts]))
            });
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

    /// A new process for a seat.
    fn actor(&mut self, seat: &Seat, index: usize, ids: &[NodeId]) -> Actor {
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

    fn tell_servers(&mut self, index: usize) {
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

    /// Whether `to` serves `from`.
    pub(super) fn permits(&self, from: usize, to: usize) -> bool {
        self.scenario.hosts[to].allows.contains(&from)
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

    /// Does a step. What cannot be done, as nobody is there, is left out.
    pub(super) fn act(&mut self, op: Op) -> Result<(), Failure> {
        match op {
            Op::Call {
                from,
                to,
                length,
                answer,
            } => self.assign(from, to, Kind::Call(CallPlan { length, answer })),
            Op::Flow {
                from,
                to,
                count,
                size,
                period_ms,
            } => {
                let period = Duration::from_millis(period_ms);
                self.assign(
                    from,
                    to,
                    Kind::Flow(FlowPlan {
                        count,
                        period,
                        size,
                    }),
                );
            }
            Op::GiveUp { from, to } => self.give_up(from, to),
            Op::StopReading { host, for_ms } => {
                let until = self.later(for_ms, Undo::Read(host));
                self.world
                    .with(self.seats[host].host, |actor, _| actor.stop_reading(until));
            }
            Op::Close { host, for_ms } => self.close(host, for_ms),
            Op::Crash { host, for_ms } => self.crash(host, for_ms),
            Op::Suspend { host, for_ms } => {
                self.world.set_asleep(self.seats[host].host, true);
                self.later(for_ms, Undo::Awake(host));
            }
            Op::Wall { host, by } => self.set_wall(host, by),
            Op::Rebind { host } => {
                let network = self.world.network();
                let site = network.site_of(self.seats[host].host);
                if let Some(nat) = network.nat(site) {
                    nat.rebind();
                }
            }
            Op::Cut {
                from,
                to,
                both,
                for_ms,
            } => self.cut(from, to, both, for_ms),
            Op::Lookup { from, about } => {
                let id = self.seats[about].id;
                self.if_up(from, |actor, now| actor.look_up(now, id));
            }
            Op::Replay { count } => {
                let result = self.attacker.replay(&mut self.world, count);
                result.map_err(|what| self.failure(what))?;
            }
            Op::Forge { count } => {
                let addresses: Vec<SocketAddr> = self.seats.iter().map(|seat| seat.local).collect();
                let result = self.attacker.forge(&mut self.world, &addresses, count);
                result.map_err(|what| self.failure(what))?;
            }
            Op::Overtake {
                host,
                count,
                spoilt,
            } => {
                let host = self.seats[host].host;
                self.world.overtake(host, OVERTAKER.into(), count, spoilt);
            }
        }
        Ok(())
    }

    /// Lets a host's user act, if somebody is there and awake.
    fn if_up(&mut self, host: usize, act: impl FnOnce(&mut Actor, Time)) {
        if !self.seats[host].is_down {
            self.world.with(self.seats[host].host, act);
        }
    }

    /// Gives an errand to a host.
    pub(super) fn assign(&mut self, from: usize, to: usize, kind: Kind) {
        if self.seats[from].is_down {
            return;
        }
        let name = self.errands.len() as u64 + 1;
        let errand = Errand { name, kind };
        let (peer, address) = (self.seats[to].id, self.seats[to].local);
        // Every other caller was told an address too, where there is one that can be reached.
        let told = self.scenario.hosts[to].nat.is_none() && name.is_multiple_of(2);
        let wish = Wish {
            peer,
            address: told.then_some(address),
            errand,
        };
        self.errands.push(Assigned {
            errand,
            from,
            to,
            ends: [self.seats[from].ends, self.seats[to].ends],
            given_up: false,
        });
        self.if_up(from, |actor, now| actor.run_errand(now, wish));
    }

    fn give_up(&mut self, from: usize, to: usize) {
        let youngest = self
            .errands
            .iter_mut()
            .rev()
            .find(|errand| errand.from == from && errand.to == to);
        if let Some(assigned) = youngest {
            assigned.given_up = true;
            let name = assigned.errand.name;
            self.if_up(from, |actor, now| actor.give_up(now, name));
        }
    }

    fn later(&mut self, for_ms: u64, undo: Undo) -> Time {
        let time = self.world.now() + Duration::from_millis(for_ms);
        let places = self.undo.range((time, 0)..=(time, usize::MAX)).count();
        self.undo.insert((time, places), undo);
        time
    }

    fn crash(&mut self, host: usize, for_ms: u64) {
        if self.seats[host].is_down {
            return;
        }
        self.seats[host].is_down = true;
        self.seats[host].ends += 1;
        self.world.set_asleep(self.seats[host].host, true);
        self.later(for_ms, Undo::Up(host));
    }

    /// A process that closes says so first, and has as long for it as nobody takes its place.
    fn close(&mut self, host: usize, for_ms: u64) {
        if self.seats[host].is_down {
            return;
        }
        self.seats[host].is_down = true;
        self.seats[host].ends += 1;
        self.world
            .with(self.seats[host].host, |actor, now| actor.close(now));
        self.later(for_ms, Undo::Up(host));
    }

    fn set_wall(&mut self, host: usize, by: i64) {
        let seat = &mut self.seats[host];
        seat.wall_error = seat.wall_error.saturating_add(by);
        let wall = wall(self.world.now(), seat.wall_error);
        self.if_up(host, |actor, now| actor.set_wall(now, wall));
    }

    fn cut(&mut self, from: usize, to: usize, both: bool, for_ms: u64) {
        let network = self.world.network();
        let [from, to] = [from, to].map(|host| network.site_of(self.seats[host].host));
        network.set_one_way_cut(from, to, true);
        self.later(for_ms, Undo::Mend(from, to));
        if both {
            self.world.network().set_one_way_cut(to, from, true);
            self.later(for_ms, Undo::Mend(to, from));
        }
    }

    fn undo(&mut self, undo: &Undo) {
        match *undo {
            Undo::Up(host) => self.come_up(host),
            Undo::Awake(host) if self.seats[host].is_down => {}
            Undo::Awake(host) => self.world.set_asleep(self.seats[host].host, false),
            Undo::Mend(from, to) => self.world.network().set_one_way_cut(from, to, false),
            Undo::Read(host) => self.if_up(host, Actor::start_reading),
        }
    }

    fn come_up(&mut self, host: usize) {
        let ids: Vec<NodeId> = self.seats.iter().map(|seat| seat.id).collect();
        let seat = self.seats.swap_remove(host);
        let actor = self.actor(&seat, host, &ids);
        self.world.replace(seat.host, actor);
        self.world.set_asleep(seat.host, false);
        self.seats.push(seat);
        let last = self.seats.len() - 1;
        self.seats.swap(host, last);
        self.seats[host].is_down = false;
        self.tell_servers(host);
    }

    /// Mends all links, and brings everybody up.
    pub(super) fn heal(&mut self) {
        let healed = Faults {
            delay_ms: self.scenario.faults.delay_ms,
            ..Faults::default()
        };
        self.world.network().set_all_links(&links(&healed));
        self.world.network().mend_all();
        self.world.overtake(HostId(0), OVERTAKER.into(), 0, false);
        while let Some((_, undo)) = self.undo.pop_first() {
            self.undo(&undo);
        }
    }
}

impl Scenario {
    /// Whether a host is ever to run an errand to another.
    pub(super) fn wants(&self, one: usize, other: usize) -> bool {
        self.steps.iter().any(|step| {
            matches!(step.op, Op::Call { from, to, .. } | Op::Flow { from, to, .. } if (from, to) == (one, other))
        })
    }
}

fn is_attack(op: &Op) -> bool {
    matches!(op, Op::Replay { .. } | Op::Forge { .. })
}
