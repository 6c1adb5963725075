//! The world of a scenario, and what its steps do in it.

use std::collections::{BTreeMap, BTreeSet};
use std::net::{IpAddr, SocketAddr};
use std::sync::Arc;
use std::time::Duration;

use keyway_handshake::Limits;
use keyway_identity::{NodeId, SecretKey};
use keyway_node::{AssociationConfig, Config, Wall};
use keyway_wire::Time;

use super::actor::Actor;
use super::attack::Attacker;
use super::errand::{CallPlan, Errand, FlowPlan, Kind, Progress};
use super::{Faults, Op, Scenario, Settings};
use crate::failure::Failure;
use crate::link::LinkConfig;
use crate::loss::Loss;
use crate::network::{HostId, SiteId};
use crate::random::Chance;
use crate::trace::Trace;
use crate::world::World;

/// The port at which every node listens.
const PORT: u16 = 4100;

/// The wall-clock time at which every world begins: some second in 2027.
const BEGINNING: u64 = 1_800_000_000;

/// How long a NAT keeps a mapping: the shortest that RFC 4787 (REQ-5) allows.
const NAT_TIMEOUT: Duration = Duration::from_secs(120);

/// Where somebody is at home who overtakes packets: nobody else is there.
const OVERTAKER: ([u8; 4], u16) = ([203, 0, 113, 77], 777);

/// How long the worst of a bad network is felt.
const HEALING: Duration = Duration::from_secs(30);

/// How many packets a link with a rate keeps waiting, in milliseconds of that rate.
const QUEUE_MS: u64 = 200;

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
    ends: [u32; 2],
    given_up: bool,
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
            Op::Replay { .. } | Op::Forge { .. } => self.attack(op)?,
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

    fn attack(&mut self, op: Op) -> Result<(), Failure> {
        let addresses: Vec<SocketAddr> = self.seats.iter().map(|seat| seat.local).collect();
        let result = match op {
            Op::Replay { count } => self.attacker.replay(&mut self.world, count),
            Op::Forge { count } => self.attacker.forge(&mut self.world, &addresses, count),
            _ => Ok(()),
        };
        result.map_err(|what| self.failure(what))
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
        let hints = if told { vec![address] } else { Vec::new() };
        self.errands.push(Assigned {
            errand,
            from,
            to,
            ends: [self.seats[from].ends, self.seats[to].ends],
            given_up: false,
        });
        self.if_up(from, |actor, now| {
            actor.run_errand(now, peer, &hints, errand);
        });
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

    /// Whether nothing more is to be expected of an errand.
    pub(super) fn is_settled(&self, assigned: &Assigned) -> Result<bool, String> {
        let Assigned {
            errand, from, to, ..
        } = *assigned;
        let name = errand.name;
        let [caller, called] = [from, to].map(|host| &self.seats[host]);
        if caller.ends != assigned.ends[0] {
            return Ok(true);
        }
        let permitted = self.permits(from, to);
        let actor = self.world.program(caller.host);
        let is_welcome = permitted || self.scenario.wants(to, from);
        if !is_welcome && actor.has_association_with(&called.id) {
            return Err(format!(
                "host {to} let host {from} in, whom it neither serves nor wants"
            ));
        }
        let there = self.world.program(caller.host).progress(name);
        match there {
            Progress::Absent if assigned.given_up => Ok(true),
            Progress::Absent => Ok(!permitted),
            // Who came back without its state does not answer those whom it does not serve: it waits in vain.
            Progress::Running(_) => Ok(!permitted && self.has_lost_state(to)),
            Progress::Broken(_) if self.may_break(assigned) => Ok(true),
            Progress::Broken(why) => Err(format!("errand {name} of host {from} broke: {why}")),
            Progress::Done if matches!(errand.kind, Kind::Flow(_)) => Ok(true),
            Progress::Done if !permitted => Err(format!(
                "host {to} ran errand {name} of host {from}, whom it may not serve"
            )),
            Progress::Done => match self.world.program(called.host).progress(name) {
                Progress::Done => Ok(true),
                Progress::Running(_) => Ok(false),
                _ if called.ends != assigned.ends[1] => Ok(true),
                other => Err(format!(
                    "errand {name} is done at host {from}, and at host {to}: {other:?}"
                )),
            },
        }
    }

    /// Whether there is a reason for which an errand may break.
    fn may_break(&self, assigned: &Assigned) -> bool {
        // Whoever answers an INIT and hears nothing more for a while forgets it. The caller had taken the answer for an
        // association, and its first streams end with it; nobody has heard of them.
        let [_, there] = self.both_sides(assigned);
        let unheard_of = there == Progress::Absent && self.world.now() <= self.healed_at();
        unheard_of
            || assigned.given_up
            || !self.permits(assigned.from, assigned.to)
            || self.has_lost_state(assigned.from)
            || self.has_lost_state(assigned.to)
    }

    /// When everything is healed, and some seconds more, for what was lost before.
    fn healed_at(&self) -> Time {
        Time::ZERO + Duration::from_millis(self.scenario.safety_ms) + HEALING
    }

    /// Whether a process ever ended at a host.
    pub(super) fn has_lost_state(&self, host: usize) -> bool {
        self.seats[host].ends > 0
    }

    /// How far an errand has come at both ends.
    pub(super) fn both_sides(&self, assigned: &Assigned) -> [Progress; 2] {
        [assigned.from, assigned.to].map(|host| {
            let actor = self.world.program(self.seats[host].host);
            actor.progress(assigned.errand.name)
        })
    }

    pub(super) fn progress(&self, assigned: &Assigned) -> Progress {
        let host = self.seats[assigned.from].host;
        self.world.program(host).progress(assigned.errand.name)
    }
}

impl Scenario {
    /// Whether a host is ever to run an errand to another.
    fn wants(&self, one: usize, other: usize) -> bool {
        self.steps.iter().any(|step| {
            matches!(step.op, Op::Call { from, to, .. } | Op::Flow { from, to, .. } if (from, to) == (one, other))
        })
    }
}

fn is_attack(op: &Op) -> bool {
    matches!(op, Op::Replay { .. } | Op::Forge { .. })
}

/// What a wall clock shows that is wrong by so much.
fn wall(now: Time, error: i64) -> Wall {
    let right = BEGINNING + now.saturating_since(Time::ZERO).as_secs();
    Wall(right.saturating_add_signed(error))
}

fn links(faults: &Faults) -> LinkConfig {
    let chance = |percent: u32| Chance::percent(percent);
    let loss = match faults.loss {
        0 => Loss::None,
        percent if faults.bursts => bursts_of_three(percent),
        percent => Loss::Independent(chance(percent)),
    };
    LinkConfig {
        delay: Duration::from_millis(faults.delay_ms),
        jitter: Duration::from_millis(faults.jitter_ms),
        loss,
        reorder: chance(faults.reorder),
        reorder_delay: Duration::from_millis(5),
        duplicate: chance(faults.duplicate),
        corrupt: chance(faults.corrupt),
        rate: (faults.rate > 0).then_some(faults.rate),
        queue: (faults.rate * QUEUE_MS / 1000).max(8 * 1500),
        mtu: faults.mtu,
    }
}

/// Three packets in a row on average, and so often that in all as many are lost as if it were one by one.
fn bursts_of_three(percent: u32) -> Loss {
    const LENGTH: u32 = 3;
    let good = 100_u32.saturating_sub(percent).max(1);
    Loss::Bursts {
        begin: Chance::millionths(percent * 1_000_000 / (LENGTH * good)),
        end: Chance::millionths(1_000_000 / LENGTH),
        within: Chance::ALWAYS,
    }
}

fn config(settings: &Settings, server: bool) -> Config {
    let mut association = AssociationConfig::default();
    if let Some(rekey_ms) = settings.rekey_ms {
        // In the proportions of the defaults.
        let times = |eighths: u64| Duration::from_millis(rekey_ms * eighths / 8);
        association.rekey_after = times(8);
        association.rekey_after_as_responder = times(10);
        association.session_lifetime = times(12);
    }
    if let Some(packets_per_phase) = settings.packets_per_phase {
        association.session = Limits {
            packets_per_phase,
            ..Limits::default()
        };
    }
    if let Some(window) = settings.window {
        association.streams.stream_window_initial = window;
        association.streams.window_initial = window;
    }
    let mut config = Config {
        server,
        association: Arc::new(association),
        ..Config::default()
    };
    if let Some(refresh_ms) = settings.refresh_ms {
        config.record_refresh = Duration::from_millis(refresh_ms);
        config.record_lifetime = config.record_refresh * 5;
    }
    config
}
