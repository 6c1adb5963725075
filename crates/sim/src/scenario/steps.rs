//! What the steps of a scenario do in its world, and how it is undone.

use std::net::SocketAddr;
use std::time::Duration;

use keyway_identity::NodeId;
use keyway_wire::Time;

use super::actor::Actor;
use super::conditions::{links, wall};
use super::errand::{CallPlan, FlowPlan, Kind};
use super::stage::Stage;
use super::{Faults, Op};
use crate::failure::Failure;
use crate::network::{HostId, SiteId};

/// Where somebody is at home who overtakes packets: nobody else is there.
const OVERTAKER: ([u8; 4], u16) = ([203, 0, 113, 77], 777);

/// What is to be undone some time after a step.
pub(super) enum Undo {
    Up(usize),
    Awake(usize),
    Mend(SiteId, SiteId),
    Read(usize),
}

impl Stage<'_> {
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
    pub(super) fn if_up(&mut self, host: usize, act: impl FnOnce(&mut Actor, Time)) {
        if !self.seats[host].is_down {
            self.world.with(self.seats[host].host, act);
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
        let [from, to] = [from, to].map(|host| {
            let site = network.site_of(self.seats[host].host);
            network.outermost(site)
        });
        network.set_one_way_cut(from, to, true);
        self.later(for_ms, Undo::Mend(from, to));
        if both {
            self.world.network().set_one_way_cut(to, from, true);
            self.later(for_ms, Undo::Mend(to, from));
        }
    }

    pub(super) fn undo(&mut self, undo: &Undo) {
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
