//! Every kind of NAT against every other: whether two nodes meet, how soon, and whether they end on a direct path.
//!
//! | file | has |
//! |---|---|
//! | `setting` | how the two networks lie to each other, and which pairs there are |
//! | `oracle` | what has to become of a pair, with the reasons |
//! | `place` | the world of a pair: NATs, servers, delays |
//! | `tally` | many runs of a cell, summed up |
//!
//! A run: both nodes register at all servers; one dials the other and both send; it is noted when the dialler has the first octet of
//! the answer, and when both send directly; ten seconds after the dial it is noted whether they do, and a second stream shows
//! that the way which they have then bears octets, too.

mod oracle;
mod place;
mod setting;
mod tally;

use std::time::Duration;

use keyway_node::{AssociationKey, PathKind};
use keyway_wire::Time;

pub use oracle::Demand;
pub use setting::Setting;
pub use tally::{Row, Spread, Verdict};

use crate::applications::{Content, Plan};
use crate::failure::Failure;
use crate::host::{CONNECT_DEADLINE, NodeHost};
use crate::nat::NatKind;
use crate::network::HostId;
use crate::topology::{Meeting, Run, all_done, exchanges};
use crate::world::World;
use place::Place;

/// Rendezvous servers that serve as relays too. What a NAT does to its ports can be seen from two.
const SERVERS: u8 = 2;

/// How long registering may take.
const REGISTERING: Duration = Duration::from_secs(10);

/// How long after that somebody dials, at most: nobody dials at the same moment in every run.
const IDLE_MAX: Duration = Duration::from_secs(3);

/// How long after the dial a pair has to be direct.
const PATIENCE: Duration = Duration::from_secs(10);

/// How long the last stream may take.
const LAST: Duration = Duration::from_secs(10);

/// Octets each way on each stream.
const LENGTH: u64 = 10_000;

/// A pair of nodes, by what stands between them.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub struct Cell {
    /// How their networks lie to each other.
    pub setting: Setting,
    /// What is before the one that dials.
    pub a: NatKind,
    /// What is before the one that is dialled.
    pub b: NatKind,
}

/// What became of a pair.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Outcome {
    /// Whether both could talk, at first and at the end.
    pub connected: bool,
    /// From the dial to the first octet of the answer.
    pub first_byte: Option<Duration>,
    /// From the dial to when both began to send directly, if they still do in the end.
    pub direct: Option<Duration>,
    /// How long a packet takes to the other one through the relay and back.
    pub relayed_round_trip: Duration,
    /// When it was over.
    pub ended: Time,
    /// How many packets the two and their servers sent.
    pub packets: u64,
    /// One number for everything that happened.
    pub trace_hash: u64,
}

impl Cell {
    /// Lets a pair of real nodes meet in a world of this kind.
    ///
    /// # Errors
    /// If something happened that must not in any world. That a pair did not connect is an outcome.
    pub fn run(&self, run: Run) -> Result<Outcome, Failure> {
        let Place {
            mut meeting,
            relayed_round_trip,
        } = Place::new(self, run);
        let (a, b) = (meeting.a, meeting.b);
        let plans = plans(&mut meeting);
        meeting.serve(a, plans.1);
        meeting.serve(b, plans.1);
        meeting.run_until(REGISTERING, "both are registered", |world| {
            [a, b].iter().all(|host| is_registered(world, *host))
        })?;
        let idle = meeting.world.random().up_to(IDLE_MAX);
        meeting.run_for(idle)?;

        let dialled = meeting.world.now();
        meeting.dial(a, plans.0);
        let first_byte = until(&mut meeting, dialled + CONNECT_DEADLINE, |world| {
            exchanges(world, a).any(|exchange| exchange.read() > 0)
        })?;
        let direct = until(&mut meeting, dialled + PATIENCE, |world| {
            are_direct(world, a, b)
        })?;
        let now = meeting.world.now();
        meeting.run_for((dialled + PATIENCE).saturating_since(now))?;
        let stays_direct = are_direct(&meeting.world, a, b);
        let connected = first_byte.is_some() && talk_again(&mut meeting, plans.0)?;
        Ok(Outcome {
            connected,
            first_byte: first_byte.map(|at| at.saturating_since(dialled)),
            direct: direct
                .filter(|_| stays_direct)
                .map(|at| at.saturating_since(dialled)),
            relayed_round_trip,
            ended: meeting.world.now(),
            packets: packets(&meeting.world),
            trace_hash: meeting.world.trace_hash(),
        })
    }
}

fn plans(meeting: &mut Meeting) -> (Plan, Plan) {
    let [one, other] = [(); 2].map(|()| Content {
        name: meeting.world.random().below(u64::MAX),
        length: LENGTH,
    });
    let plan = |outgoing, incoming| Plan::Exchange { outgoing, incoming };
    (plan(one, other), plan(other, one))
}

fn packets(world: &World<NodeHost>) -> u64 {
    world.hosts().map(|host| world.counters(host).sent).sum()
}

fn is_registered(world: &World<NodeHost>, host: HostId) -> bool {
    world.program(host).diary().registered.len() >= usize::from(SERVERS)
}

/// When something came about, if it did by then.
fn until(
    meeting: &mut Meeting,
    deadline: Time,
    done: impl Fn(&World<NodeHost>) -> bool,
) -> Result<Option<Time>, Failure> {
    let reached = meeting.world.run_until(deadline, done)?;
    meeting.check_trouble()?;
    Ok(reached.then(|| meeting.world.now()))
}

/// Whether both send directly to each other.
fn are_direct(world: &World<NodeHost>, a: HostId, b: HostId) -> bool {
    let sends_directly = |host, peer| {
        let peer = world.program(peer).node_id();
        let association = world.program(host).association_of(&peer);
        association.is_some_and(|association| is_direct(world, host, association))
    };
    sends_directly(a, b) && sends_directly(b, a)
}

fn is_direct(world: &World<NodeHost>, host: HostId, association: AssociationKey) -> bool {
    let paths = &world.program(host).diary().paths;
    let last = paths.iter().rev().find(|(_, of, _)| *of == association);
    last.is_some_and(|(_, _, path)| matches!(path, PathKind::Direct { .. }))
}

/// Whether one more stream goes over the way that there is in the end.
fn talk_again(meeting: &mut Meeting, plan: Plan) -> Result<bool, Failure> {
    let (a, b) = (meeting.a, meeting.b);
    let peer = meeting.id(b);
    if meeting.world.program(a).association_of(&peer).is_none() {
        return Ok(false);
    }
    meeting.open(a, plan)?;
    let deadline = meeting.world.now() + LAST;
    let done = until(meeting, deadline, |world| {
        all_done(world, a, 2) && all_done(world, b, 2)
    })?;
    Ok(done.is_some())
}

#[cfg(test)]
mod tests;
