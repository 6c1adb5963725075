//! The phases of a run: everything goes wrong; all is healed, and whatever may work has to; all close, and nothing is left.

use std::collections::BTreeSet;
use std::time::Duration;

use keyway_node::Census;
use keyway_wire::Time;

use super::Scenario;
use super::errand::{CallPlan, Kind, Progress};
use super::stage::Stage;
use crate::failure::Failure;
use crate::network::HostId;

/// How long it may take until everything works again.
const LIVENESS: Duration = Duration::from_secs(60);

/// How often an errand is tried again where a process ended: whoever had an association with it learns of it that way.
const TRIES: usize = 3;

/// Octets each way of the last errands.
const LAST: CallPlan = CallPlan {
    length: 500,
    answer: 500,
};

/// A quiet time, in which nobody wants anything.
const QUIET: Duration = Duration::from_secs(60);

/// How often a host may be woken in it: some for itself, some for each association, and some for each dial that it
/// still has out, or somebody who may have dialled it: its INIT is sent once a second, and whom it comes to looks after it.
const WAKES: u64 = 100;
const WAKES_PER_ASSOCIATION: u64 = 20;
const WAKES_PER_DIAL: u64 = 70;

/// How long closing may take, and how long after it something may be left.
const CLOSING: Duration = Duration::from_secs(10);
const LINGER: Duration = Duration::from_secs(65);

/// What a run was like in which everything held.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Played {
    /// How much time passed.
    pub time: Duration,
    /// How many packets were sent.
    pub packets: u64,
    /// One number for everything that happened.
    pub trace_hash: u64,
    /// How many errands were run.
    pub errands: usize,
}

impl Scenario {
    /// Plays it; `trace` tells of every packet on standard error.
    ///
    /// # Errors
    /// The first thing that must not be.
    pub fn play(&self, trace: bool) -> Result<Played, Failure> {
        let mut stage = Stage::new(self, trace);
        let ended = Time::ZERO + Duration::from_millis(self.safety_ms);
        for step in &self.steps {
            let at = Time::ZERO + Duration::from_millis(step.at_ms);
            stage.run_until(at.min(ended), |_| Ok(false))?;
            stage.act(step.op)?;
        }
        stage.run_until(ended, |_| Ok(false))?;
        stage.heal();
        settle(&mut stage)?;
        let last = talk_to_everybody(&mut stage)?;
        agree(&stage, last)?;
        rest(&mut stage)?;
        close(&mut stage)?;
        Ok(Played {
            time: stage.world.now().saturating_since(Time::ZERO),
            packets: stage
                .seats
                .iter()
                .map(|seat| stage.world.counters(seat.host).sent)
                .sum(),
            trace_hash: stage.world.trace_hash(),
            errands: stage.errands.len(),
        })
    }
}

/// Waits until all errands are over.
fn settle(stage: &mut Stage<'_>) -> Result<(), Failure> {
    let until = stage.world.now() + LIVENESS;
    let all_settled = |stage: &Stage<'_>| {
        for errand in &stage.errands {
            if !stage.is_settled(errand)? {
                return Ok(false);
            }
        }
        Ok(true)
    };
    if stage.run_until(until, all_settled)? {
        return Ok(());
    }
    let late: Vec<String> = stage
        .errands
        .iter()
        .filter(|errand| stage.is_settled(errand) == Ok(false))
        .map(|assigned| {
            let (name, from, to) = (assigned.errand.name, assigned.from, assigned.to);
            let [here, there] = stage.both_sides(assigned);
            format!("errand {name} from host {from}: {here:?}, to host {to}: {there:?}")
        })
        .collect();
    let seconds = LIVENESS.as_secs();
    Err(stage.failure(format!(
        "not over within {seconds} s of healing: {}",
        late.join("; ")
    )))
}

/// Everybody who ever wanted something of another does so once more; the place of the first of these errands.
fn talk_to_everybody(stage: &mut Stage<'_>) -> Result<usize, Failure> {
    let last = stage.errands.len();
    let mut pairs: BTreeSet<(usize, usize)> = stage
        .errands
        .iter()
        .map(|errand| (errand.from, errand.to))
        .collect();
    for _ in 0..TRIES {
        let first = stage.errands.len();
        for (from, to) in &pairs {
            stage.assign(*from, *to, Kind::Call(LAST));
        }
        settle(stage)?;
        let broken = stage.errands[first..]
            .iter()
            .filter(|errand| matches!(stage.progress(errand), Progress::Broken(_)))
            .filter(|errand| stage.permits(errand.from, errand.to))
            .map(|errand| (errand.from, errand.to))
            .collect();
        pairs = broken;
        if pairs.is_empty() {
            return Ok(last);
        }
    }
    Err(stage.failure(format!("errands break again and again: {pairs:?}")))
}

/// Both ends of whatever was just used know of it. An older errand says nothing of that: its host may have come back without its
/// state since, to somebody whom it does not serve and who may go on believing in it.
fn agree(stage: &Stage<'_>, last: usize) -> Result<(), Failure> {
    for errand in &stage.errands[last..] {
        let done = stage.progress(errand) == Progress::Done;
        let knows = |one: usize, other: usize| {
            let actor = stage.world.program(stage.seats[one].host);
            actor.has_association_with(&stage.seats[other].id)
        };
        let (from, to) = (errand.from, errand.to);
        if done && knows(from, to) != knows(to, from) {
            return Err(stage.failure(format!(
                "of hosts {from} and {to} only one has an association"
            )));
        }
    }
    Ok(())
}

/// Nobody wants anything for a while.
fn rest(stage: &mut Stage<'_>) -> Result<(), Failure> {
    // New keys or records every second are no rest.
    if stage.scenario.settings.rekey_ms.is_some() || stage.scenario.settings.refresh_ms.is_some() {
        return Ok(());
    }
    let hosts: Vec<HostId> = stage.seats.iter().map(|seat| seat.host).collect();
    let wakes = |stage: &Stage<'_>, host: HostId| stage.world.counters(host).wakes;
    let before: Vec<u64> = hosts.iter().map(|host| wakes(stage, *host)).collect();
    let dials: Vec<u64> = hosts
        .iter()
        .map(|host| stage.world.program(*host).census().dials as u64)
        .collect();
    let until = stage.world.now() + QUIET;
    stage.run_until(until, |_| Ok(false))?;
    for (index, (host, before)) in hosts.into_iter().zip(before).enumerate() {
        let wakes = wakes(stage, host) - before;
        let associations = stage.world.program(host).census().associations as u64;
        let callers = stage.errands.iter().filter(|errand| errand.to == index);
        let dialing: BTreeSet<usize> = callers.map(|errand| errand.from).chain([index]).collect();
        let dials: u64 = dialing.iter().map(|caller| dials[*caller]).sum();
        let most = WAKES + WAKES_PER_ASSOCIATION * associations + WAKES_PER_DIAL * dials;
        if wakes > most {
            return Err(stage.failure(format!(
                "host {index} was woken {wakes} times in a minute of rest"
            )));
        }
    }
    Ok(())
}

/// Everybody leaves, and nothing is left of them.
fn close(stage: &mut Stage<'_>) -> Result<(), Failure> {
    let hosts: Vec<_> = stage.seats.iter().map(|seat| seat.host).collect();
    for host in &hosts {
        stage.world.with(*host, |actor, now| actor.close(now));
    }
    let all_closed = |stage: &Stage<'_>| {
        Ok(hosts
            .iter()
            .all(|host| stage.world.program(*host).is_closed()))
    };
    let until = stage.world.now() + CLOSING;
    if !stage.run_until(until, all_closed)? {
        let open = hosts.iter().map(|host| stage.world.program(*host));
        let open: Vec<String> = open
            .filter(|actor| !actor.is_closed())
            .map(|actor| format!("{actor:?}"))
            .collect();
        return Err(stage.failure(format!("not everybody could close: {}", open.join("; "))));
    }
    let until = stage.world.now() + LINGER;
    stage.run_until(until, |_| Ok(false))?;
    for (index, host) in hosts.iter().enumerate() {
        let census = stage.world.program(*host).census();
        if census != what_may_be_left(stage, &census) {
            return Err(stage.failure(format!("something is left of host {index}: {census:?}")));
        }
    }
    if !stage.world.is_still() {
        return Err(stage.failure("packets are under way after everybody left"));
    }
    Ok(())
}

/// The servers that a node was told of, and under which id it last dialled each of them.
fn what_may_be_left(stage: &Stage<'_>, census: &Census) -> Census {
    let servers = stage.seats.len() - stage.nodes().len();
    Census {
        peers: census.peers.min(servers),
        connection_ids: census.connection_ids.min(servers),
        ..Census::default()
    }
}
