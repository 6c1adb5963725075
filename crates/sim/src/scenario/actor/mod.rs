//! A node and its user, who follows the orders of a scenario, and checks all that comes.

mod call;
mod flow;

use std::collections::{BTreeMap, BTreeSet};
use std::net::SocketAddr;

use keyway_identity::{NodeId, SecretKey};
use keyway_node::{
    Allow, AssociationKey, Census, Config, ConnectId, Event, LookupId, OpenError, Record,
    StreamKey, Wall,
};
use keyway_wire::{StreamKind, Time};

use super::errand::{Errand, Kind, Progress, service};
use call::Call;
use flow::Flow;

use crate::machine::{Machine, User};

/// What a user is told at one moment before it counts as endless: far more than there are streams.
const EVENTS_MAX: u64 = 100_000;

/// A node and its user.
#[derive(Debug)]
pub(super) struct Actor {
    machine: Machine,
    allows: BTreeSet<NodeId>,
    dials: BTreeMap<ConnectId, Wish>,
    /// Errands for which an association had no stream to spare.
    waiting: BTreeMap<AssociationKey, Vec<Wish>>,
    jobs: BTreeMap<StreamKey, Job>,
    /// Errands of others that have come here.
    accepted: BTreeSet<u64>,
    lookups: Vec<LookupId>,
    /// Until then the user looks at nothing that came.
    reads_from: Time,
    /// The newest record read of each node.
    records: BTreeMap<NodeId, (u64, u64)>,
    /// How much the user was told.
    heard: u64,
    /// When it was told something last, and how much it had been told before that moment.
    heard_at: (Time, u64),
    /// The first thing that must not be.
    failure: Option<String>,
}

/// An errand that has no stream yet.
#[derive(Clone, Copy, Debug)]
pub(super) struct Wish {
    pub(super) peer: NodeId,
    /// Where the peer is, if its user was told.
    pub(super) address: Option<SocketAddr>,
    pub(super) errand: Errand,
}

#[derive(Debug)]
enum Job {
    Call(Call),
    Flow(Flow),
}

impl Actor {
    /// A node at this address, with all its randomness from `seed`, that serves errands to `allows`.
    pub(super) fn new(
        now: Time,
        wall: Wall,
        secret: SecretKey,
        seed: [u8; 32],
        local: SocketAddr,
        config: Config,
        allows: BTreeSet<NodeId>,
    ) -> Self {
        // Every machine has a loopback address too; nobody may be told of it.
        let addresses = [local.ip(), std::net::Ipv4Addr::LOCALHOST.into()];
        let mut machine = Machine::new((now, wall), secret, seed, &[local], &addresses, config);
        if !machine.is_relay {
            machine
                .node
                .listen(now, service(), Allow::Only(allows.clone()));
        }
        Self {
            machine,
            allows,
            dials: BTreeMap::new(),
            waiting: BTreeMap::new(),
            jobs: BTreeMap::new(),
            accepted: BTreeSet::new(),
            lookups: Vec::new(),
            reads_from: Time::ZERO,
            records: BTreeMap::new(),
            heard: 0,
            heard_at: (now, 0),
            failure: None,
        }
    }

    /// What must not be and was, if something was.
    pub(super) fn failure(&self) -> Option<&str> {
        self.failure.as_deref()
    }

    /// How much the user was told so far.
    pub(super) fn heard(&self) -> u64 {
        self.heard
    }

    pub(super) fn census(&self) -> Census {
        self.machine.node.census()
    }

    pub(super) fn has_association_with(&self, peer: &NodeId) -> bool {
        self.machine.node.association_of(peer).is_some()
    }

    /// How far an errand has come here.
    pub(super) fn progress(&self, name: u64) -> Progress {
        let job = self.jobs.values().find(|job| job.name() == Some(name));
        job.map_or(Progress::Absent, Job::progress)
    }

    pub(super) fn add_server(&mut self, now: Time, server: NodeId, address: SocketAddr) {
        self.machine.node.add_server(now, server, &[address]);
        self.react(now);
    }

    pub(super) fn run_errand(&mut self, now: Time, wish: Wish) {
        self.dial(now, wish);
        self.react(now);
    }

    fn dial(&mut self, now: Time, wish: Wish) {
        let id = self
            .machine
            .node
            .connect(now, wish.peer, wish.address.as_slice());
        self.dials.insert(id, wish);
    }

    pub(super) fn give_up(&mut self, now: Time, name: u64) {
        let job = self
            .jobs
            .iter_mut()
            .find(|(_, job)| job.name() == Some(name));
        match job {
            Some((stream, Job::Call(call))) => call.give_up(&mut self.machine.node, *stream),
            Some((stream, Job::Flow(flow))) => flow.give_up(&mut self.machine.node, *stream),
            None => {}
        }
        self.react(now);
    }

    /// Looks at nothing that came until then.
    pub(super) fn stop_reading(&mut self, until: Time) {
        self.reads_from = until;
    }

    pub(super) fn start_reading(&mut self, now: Time) {
        self.reads_from = now;
        self.go_on_everywhere(now);
        self.react(now);
    }

    pub(super) fn set_wall(&mut self, now: Time, wall: Wall) {
        self.machine.node.set_wall(now, wall);
        self.react(now);
    }

    pub(super) fn look_up(&mut self, now: Time, peer: NodeId) {
        let id = self.machine.node.lookup(now, peer);
        self.lookups.push(id);
        self.react(now);
    }

    /// Gives up what nobody answered, and closes.
    pub(super) fn close(&mut self, now: Time) {
        for id in std::mem::take(&mut self.dials).into_keys() {
            self.machine.node.cancel(id);
        }
        self.waiting.clear();
        for id in self.lookups.drain(..) {
            self.machine.node.cancel_lookup(id);
        }
        self.machine.node.close(now, 0, "the world ends");
        self.react(now);
    }

    pub(super) fn is_closed(&self) -> bool {
        self.machine.node.is_closed()
    }

    fn open(&mut self, now: Time, association: AssociationKey, wish: Wish) {
        let errand = wish.errand;
        match self
            .machine
            .node
            .open(association, errand.stream_kind(), &service())
        {
            Ok(stream) => {
                let job = match errand.kind {
                    Kind::Call(plan) => Job::Call(Call::calling(errand.name, plan)),
                    Kind::Flow(plan) => Job::Flow(Flow::calling(now, errand.name, plan)),
                };
                self.jobs.insert(stream, job);
                self.go_on(now, stream);
            }
            Err(OpenError::LimitReached) => {
                self.waiting.entry(association).or_default().push(wish);
            }
            // The peer said goodbye with the packet that confirmed it: nobody has heard of the errand, and it is tried again.
            Err(OpenError::Closed) => self.dial(now, wish),
        }
    }

    fn accept(&mut self, now: Time, stream: StreamKey, peer: NodeId, kind: StreamKind) {
        if !self.allows.contains(&peer) {
            self.fail(format!("a stream came from {peer}, who may not be served"));
        }
        let job = match kind {
            StreamKind::Bytes => Job::Call(Call::called()),
            StreamKind::Datagrams => Job::Flow(Flow::called(now)),
        };
        self.jobs.insert(stream, job);
        self.go_on(now, stream);
    }

    fn go_on(&mut self, now: Time, stream: StreamKey) {
        let may_read = self.reads_from <= now;
        let Some(job) = self.jobs.get_mut(&stream) else {
            return;
        };
        let was_known = job.name().is_some();
        let result = match job {
            Job::Call(call) => call.go_on(&mut self.machine.node, stream, may_read),
            Job::Flow(_) if !may_read => Ok(()),
            Job::Flow(flow) => flow.go_on(now, &mut self.machine.node, stream),
        };
        if !was_known
            && let Some(name) = job.name()
            && !self.accepted.insert(name)
        {
            self.fail(format!("errand {name} came twice"));
        }
        if let Err(what) = result {
            self.fail(what);
        }
    }

    fn go_on_everywhere(&mut self, now: Time) {
        let streams: Vec<StreamKey> = self.jobs.keys().copied().collect();
        streams
            .into_iter()
            .for_each(|stream| self.go_on(now, stream));
    }

    /// What is left of its streams is read, and with it that they have ended. Errands that had none go on elsewhere.
    fn ended(&mut self, now: Time, association: AssociationKey, why: &str) {
        for wish in self.waiting.remove(&association).unwrap_or_default() {
            self.dial(now, wish);
        }
        let streams: Vec<StreamKey> = self
            .jobs
            .keys()
            .filter(|stream| stream.association() == association)
            .copied()
            .collect();
        for stream in streams {
            if let Some(Job::Call(call)) = self.jobs.get_mut(&stream) {
                call.over(why.to_owned());
            }
            self.go_on(now, stream);
        }
    }

    fn read_record(&mut self, record: &Record) {
        let edition = (record.epoch, record.sequence);
        let newest = self.records.entry(record.node).or_insert(edition);
        if edition < *newest {
            let newest = *newest;
            return self.fail(format!(
                "a record {edition:?} was read of {} after {newest:?}",
                record.node
            ));
        }
        *newest = edition;
    }

    fn fail(&mut self, what: String) {
        self.failure.get_or_insert(what);
    }
}

impl User for Actor {
    fn machine(&self) -> &Machine {
        &self.machine
    }

    fn machine_mut(&mut self) -> &mut Machine {
        &mut self.machine
    }

    fn hear(&mut self, now: Time, event: Event) {
        self.heard += 1;
        if self.heard_at.0 != now {
            self.heard_at = (now, self.heard);
        } else if self.heard - self.heard_at.1 > EVENTS_MAX {
            return self.fail("the node and its user go round in circles".to_owned());
        }
        match event {
            Event::Connected {
                id, association, ..
            } => {
                if let Some(wish) = self.dials.remove(&id) {
                    self.open(now, association, wish);
                }
            }
            Event::ConnectFailed { reason, .. } => self.fail(reason.to_string()),
            Event::Incoming {
                stream, peer, kind, ..
            } => self.accept(now, stream, peer, kind),
            Event::Readable(stream) | Event::Writable(stream) | Event::DatagramReceived(stream) => {
                self.go_on(now, stream)
            }
            Event::Stopped { stream, .. } => self.go_on(now, stream),
            Event::Delivered(stream) => {
                if let Some(Job::Call(call)) = self.jobs.get_mut(&stream) {
                    call.delivered();
                }
            }
            Event::StreamsAvailable(association) => {
                for wish in self.waiting.remove(&association).unwrap_or_default() {
                    self.open(now, association, wish);
                }
            }
            Event::Ended {
                association,
                reason,
                ..
            } => self.ended(now, association, &format!("{reason:?}")),
            Event::Record { record, .. } => self.read_record(&record),
            Event::PathSelected { .. }
            | Event::Stalled(_)
            | Event::Registered(_)
            | Event::DatagramsUnblocked(_)
            | Event::Recovered(_)
            | Event::Pong { .. }
            | Event::RecordNotFound { .. }
            | Event::ServerConnected(_)
            | Event::ServerLost(_) => {}
        }
    }

    fn strike(&mut self, now: Time) {
        let flows: Vec<StreamKey> = self
            .jobs
            .iter()
            .filter(|(_, job)| matches!(job, Job::Flow(flow) if flow.due().is_some()))
            .map(|(stream, _)| *stream)
            .collect();
        flows.into_iter().for_each(|flow| self.go_on(now, flow));
    }

    fn strikes_at(&self) -> Option<Time> {
        let flows = self.jobs.values().filter_map(|job| match job {
            Job::Flow(flow) => flow.due().map(|due| due.max(self.reads_from)),
            Job::Call(_) => None,
        });
        flows.min()
    }
}

impl Job {
    fn name(&self) -> Option<u64> {
        match self {
            Self::Call(call) => call.name(),
            Self::Flow(flow) => flow.name(),
        }
    }

    fn progress(&self) -> Progress {
        match self {
            Self::Call(call) => call.progress(),
            Self::Flow(flow) => flow.progress(),
        }
    }
}
