//! Control: everything that a node decides about peers, as against what happens inside an association.
//!
//! | file           | decides |
//! |----------------|---|
//! | `handshakes`   | nothing: it passes handshake packets on to those two |
//! | `dialling`     | when an INIT goes out, to where, and what its answer makes of it |
//! | `answering`    | whose INIT is worked on, and which association its session belongs to |
//! | `half_open`    | how long an answer waits for the packet that confirms it |
//! | `room`         | which association goes when there are too many |
//! | `lifecycle`    | what happens when an association is confirmed, and when it ends |
//! | `events`       | nothing: it passes what associations say on to whom it concerns |
//! | `servers`      | the client's side of rendezvous: staying connected to servers |
//! | `registration` | what servers are told of this node, and what their answers mean |
//! | `lookups`      | when a look-up has found something, and when nothing |
//! | `channels`     | which relay channels are asked for, taken and kept |
//! | `relay`        | the server's side: records of others, channels between others |
//! | `internal`     | nothing: it carries octets between `servers`, `relay` and their streams |
//! | `direct`       | candidates, and probing for a direct path |

mod answering;
mod channels;
mod dialling;
mod direct;
mod events;
mod half_open;
mod handshakes;
mod internal;
mod lifecycle;
mod lookups;
mod registration;
mod relay;
mod room;
mod servers;

use std::collections::{BTreeMap, BTreeSet, VecDeque};
use std::net::SocketAddr;
use std::sync::Arc;

use keyway_handshake::{LocalIdentity, TransportParameters};
use keyway_identity::{NodeId, SecretKey};
use keyway_nat::LocalCandidates;
use keyway_rendezvous::{SeenRecords, Wall};
use keyway_transport::{Channel, MemoryBudget, Route};
use keyway_wire::{COOKIE_LEN, Cid, Time, Token};
use rand_chacha::ChaCha20Rng;
use rand_core::{Rng, SeedableRng};

use crate::answers::Answers;
use crate::census::Census;
use crate::config::Config;
use crate::defence::Defence;
use crate::event::{Event, PathKind};
use crate::forward_queue::Forward;
use crate::io::{Sockets, WallClock};
use crate::keys::{AssociationKey, ConnectId, LookupId, StreamKey};
use crate::peer::Peer;
use crate::policy::Policy;
use crate::probe_budget::ProbeBudget;
use crate::timers::Timers;
use crate::worker::Worker;

pub(crate) use relay::RelayServer;
pub(crate) use servers::Server;

/// Handshake packets that wait for the socket, at most. One round of INITs to all routes of some dozens of peers.
const OUTBOX_MAX: usize = 1024;

/// COOKIEs that wait for the socket, at most. Beyond it a flood loses what it asked for.
const COOKIES_MAX: usize = 1024;

/// What control waits for.
#[derive(Copy, Clone, Eq, PartialEq, Ord, PartialOrd, Debug)]
pub(crate) enum Alarm {
    /// The next sending of a pending INIT.
    Dial(NodeId),
    /// An association that nobody confirmed.
    HalfOpen(AssociationKey),
    /// An ended association may be forgotten.
    Forget(NodeId, AssociationKey),
    /// The next probe for a direct path.
    Punch(NodeId),
    /// Time to renew our record at this server.
    Publish(u32),
    /// A server owes us an answer.
    Server(u32),
    /// The server half's own deadline.
    Relay,
    /// A peer that asked for us through a relay has not come.
    Expected(NodeId),
    /// Sources of INITs and targets of probes may be forgotten.
    Sources,
}

/// Who uses a stream of ours, where it is not the application.
#[derive(Copy, Clone, Eq, PartialEq, Debug)]
pub(crate) enum Internal {
    /// Our stream to a server.
    Client(u32),
    /// A client's stream to us.
    Served,
}

/// Room for so many events is kept when none waits.
const EVENTS_KEPT: usize = 256;

/// A node's decisions and what they rest on.
pub(crate) struct Control {
    pub(crate) id: NodeId,
    secret: SecretKey,
    identity: LocalIdentity,
    config: Config,
    /// What the buffers of all associations share.
    memory: Arc<MemoryBudget>,
    rng: ChaCha20Rng,
    wall: WallClock,
    /// Which start of this identity we are; grows when a server knows a later one.
    epoch: u64,
    /// Which process; random, so that two processes of one start differ.
    instance: u64,
    /// INITs of this process so far.
    counter: u64,
    pub(crate) policy: Policy,
    /// Each apart from the map, a third of whose places are free.
    peers: BTreeMap<NodeId, Box<Peer>>,
    /// Whose association this is.
    owners: BTreeMap<AssociationKey, NodeId>,
    /// Pending INITs by the CID that they name.
    dials: BTreeMap<Cid, NodeId>,
    /// Ended associations that may still be read from, by peer.
    ended: BTreeSet<(NodeId, AssociationKey)>,
    answers: Answers,
    /// What may make room for newcomers.
    dispensable: room::Dispensable,
    /// Associations that nobody confirmed yet, the oldest first.
    half_open: BTreeSet<AssociationKey>,
    servers: Vec<Server>,
    /// Relay channels that we are an end of.
    channels: BTreeMap<Token, (Channel, NodeId)>,
    lookups: BTreeMap<LookupId, lookups::Lookup>,
    /// The newest records seen: no server can take us back behind them.
    seen: SeenRecords,
    relay: Option<RelayServer>,
    /// Streams that the node itself uses, at most one in each association.
    internal: BTreeMap<AssociationKey, (StreamKey, Internal)>,
    candidates: LocalCandidates,
    pub(crate) sockets: Sockets,
    alarms: Timers<Alarm>,
    outbox: VecDeque<(Route, Vec<u8>)>,
    /// Apart from the outbox, so that a flood pushes no handshake out of it.
    cookie_outbox: VecDeque<(Route, [u8; COOKIE_LEN])>,
    defence: Defence,
    probes: ProbeBudget,
    events: VecDeque<Event>,
    next_id: u64,
    closing: bool,
    /// What the servers are told when everybody else has heard it.
    goodbye: Option<(u64, String)>,
}

impl std::fmt::Debug for Control {
    fn fmt(&self, formatter: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        formatter
            .debug_struct("Control")
            .field("id", &self.id)
            .field("peers", &self.peers.len())
            .field("owners", &self.owners.len())
            .field("dials", &self.dials.len())
            .field("half_open", &self.half_open.len())
            .field("servers", &self.servers.len())
            .field("channels", &self.channels.len())
            .field("lookups", &self.lookups.len())
            .field("internal", &self.internal.len())
            .field("alarms", &self.alarms.len())
            .field("relay", &self.relay)
            .finish_non_exhaustive()
    }
}

impl Control {
    pub(crate) fn new(
        now: Time,
        wall: Wall,
        secret: SecretKey,
        seed: [u8; 32],
        config: Config,
    ) -> Self {
        let mut rng = ChaCha20Rng::from_seed(seed);
        let instance = rng.next_u64();
        let (mut relay_seed, mut defence_seed) = ([0; 32], [0; 32]);
        rng.fill_bytes(&mut relay_seed);
        rng.fill_bytes(&mut defence_seed);
        Self {
            id: secret.node_id(),
            identity: LocalIdentity::new(&secret),
            relay: config
                .server
                .then(|| RelayServer::new(relay_seed, &config.limits)),
            defence: Defence::new(&config.limits, defence_seed),
            probes: ProbeBudget::new(&config.limits),
            memory: MemoryBudget::new(config.limits.memory_max),
            secret,
            config,
            rng,
            wall: WallClock::new(now, wall),
            epoch: wall.0.max(1),
            instance,
            counter: 0,
            policy: Policy::default(),
            peers: BTreeMap::new(),
            owners: BTreeMap::new(),
            dials: BTreeMap::new(),
            ended: BTreeSet::new(),
            answers: Answers::default(),
            dispensable: room::Dispensable::default(),
            half_open: BTreeSet::new(),
            servers: Vec::new(),
            channels: BTreeMap::new(),
            lookups: BTreeMap::new(),
            seen: SeenRecords::default(),
            internal: BTreeMap::new(),
            candidates: LocalCandidates::default(),
            sockets: Sockets::default(),
            alarms: Timers::default(),
            outbox: VecDeque::new(),
            cookie_outbox: VecDeque::new(),
            events: VecDeque::new(),
            next_id: 0,
            closing: false,
            goodbye: None,
        }
    }

    pub(crate) fn set_wall(&mut self, now: Time, wall: Wall) {
        self.wall = WallClock::new(now, wall);
    }

    /// Adds what control holds.
    pub(crate) fn count(&self, census: &mut Census) {
        census.peers += self.peers.len();
        census.half_open += self.half_open.len();
        census.ended += self.ended.len();
        census.dials += self.dials.len();
        census.channels += self.channels.len();
        census.lookups += self.lookups.len();
        census.timers += self.alarms.len();
        census.packets_waiting += self.outbox.len();
        census.memory_lent += self.memory.lent();
        census.clients += self.relay.as_ref().map_or(0, RelayServer::clients);
    }

    pub(crate) fn poll_event(&mut self) -> Option<Event> {
        let event = self.events.pop_front();
        if self.events.is_empty() && self.events.capacity() > EVENTS_KEPT {
            // They come in bursts.
            self.events = VecDeque::new();
        }
        event
    }

    pub(crate) fn association_of(&self, peer: &NodeId) -> Option<AssociationKey> {
        self.peers.get(peer)?.association
    }

    fn parameters(&self) -> TransportParameters {
        self.config.association.parameters()
    }

    fn fresh_id(&mut self) -> u64 {
        self.next_id += 1;
        self.next_id
    }

    /// The peer's entry, made if it is not there.
    fn peer(&mut self, id: NodeId) -> &mut Peer {
        let rng = &mut self.rng;
        self.peers
            .entry(id)
            .or_insert_with(|| Box::new(Peer::new(rng.next_u64())))
    }

    /// Forgets a peer of whom nothing is left.
    fn tidy(&mut self, worker: &mut Worker, id: NodeId) {
        let Some(peer) = self.peers.get(&id) else {
            return;
        };
        if !peer.is_idle() {
            return;
        }
        if let Some(cid) = peer.next_cid {
            worker.directory.retire(&cid);
        }
        for channel in &peer.channels {
            self.channels.remove(&channel.token);
            if let Some(server) = self.servers.get_mut(channel.server as usize) {
                server.client.close_channel(channel.token);
            }
        }
        self.peers.remove(&id);
        self.alarms.set(Alarm::Dial(id), None);
        self.alarms.set(Alarm::Punch(id), None);
        self.alarms.set(Alarm::Expected(id), None);
    }

    /// Makes a connection, or joins one that is under way.
    pub(crate) fn connect(
        &mut self,
        worker: &mut Worker,
        now: Time,
        peer: NodeId,
        hints: &[SocketAddr],
    ) -> ConnectId {
        let id = ConnectId(self.fresh_id());
        if peer == self.id {
            let reason = crate::event::ConnectFailure::Myself;
            self.events.push_back(Event::ConnectFailed { id, reason });
            return id;
        }
        let known = self.association_of(&peer);
        if let Some(association) = known.filter(|key| lifecycle::is_open(worker, *key)) {
            self.events.push_back(Event::Connected {
                id,
                association,
                peer,
            });
            return id;
        }
        if hints.is_empty() && self.servers.is_empty() {
            let reason = crate::event::ConnectFailure::NoRoute;
            self.events.push_back(Event::ConnectFailed { id, reason });
            return id;
        }
        let entry = self.peer(peer);
        entry.add_hints(hints);
        entry.waiting.push(id);
        // One that is about to end is of no use to anybody; its end makes room for another.
        if known.is_none() {
            self.want(worker, now, peer);
        }
        id
    }

    pub(crate) fn cancel(&mut self, worker: &mut Worker, id: ConnectId) {
        let waited = self.peers.iter_mut().find_map(|(peer, entry)| {
            let place = entry.waiting.iter().position(|waiting| *waiting == id)?;
            entry.waiting.remove(place);
            Some(*peer)
        });
        if let Some(peer) = waited {
            self.stop_unwanted_dial(worker, peer);
            self.tidy(worker, peer);
        }
    }

    pub(crate) fn handle_timeout(&mut self, worker: &mut Worker, now: Time) {
        while let Some(alarm) = self.alarms.pop_due(now) {
            match alarm {
                Alarm::Dial(peer) => self.send_init(worker, now, peer),
                Alarm::HalfOpen(association) => self.drop_half_open(worker, association),
                Alarm::Forget(peer, association) => self.forget(worker, peer, association),
                Alarm::Punch(peer) => self.punch(worker, now, peer),
                Alarm::Publish(server) => self.publish(now, server),
                Alarm::Server(server) => self.server_timeout(worker, now, server),
                Alarm::Relay => self.relay_timeout(worker, now),
                Alarm::Expected(peer) => self.expect_no_more(worker, peer),
                Alarm::Sources => self.forget_sources(now),
            }
        }
    }

    pub(crate) fn poll_timeout(&self, now: Time) -> Option<Time> {
        let waiting = !self.outbox.is_empty()
            || !self.cookie_outbox.is_empty()
            || self.relay.as_ref().is_some_and(RelayServer::has_forwards);
        if waiting {
            Some(now)
        } else {
            self.alarms.next()
        }
    }

    /// Queues one packet outside any association. A full queue drops it: handshakes repeat themselves.
    fn send(&mut self, route: Route, packet: Vec<u8>) {
        if self.outbox.len() < OUTBOX_MAX {
            self.outbox.push_back((route, packet));
        }
    }

    pub(crate) fn next_packet(&mut self) -> Option<(Route, Vec<u8>)> {
        self.outbox.pop_front()
    }

    fn send_cookie(&mut self, route: Route, packet: [u8; COOKIE_LEN]) {
        if self.cookie_outbox.len() < COOKIES_MAX {
            self.cookie_outbox.push_back((route, packet));
        }
    }

    pub(crate) fn next_cookie(&mut self) -> Option<(Route, [u8; COOKIE_LEN])> {
        self.cookie_outbox.pop_front()
    }

    fn forget_sources(&mut self, now: Time) {
        self.defence.handle_timeout(now);
        self.probes.handle_timeout(now);
        self.schedule_forgetting();
    }

    fn schedule_forgetting(&mut self) {
        let deadlines = [self.defence.poll_timeout(), self.probes.poll_timeout()];
        let next = deadlines.into_iter().flatten().min();
        self.alarms.set(Alarm::Sources, next);
    }

    pub(crate) fn next_forward(&mut self, now: Time) -> Option<Forward> {
        let limits = &self.config.limits;
        self.relay.as_mut()?.next_forward(now, limits)
    }

    /// The address where a server is reached right now.
    pub(crate) fn server_address(&self, worker: &Worker, server: u32) -> Option<SocketAddr> {
        let association = self.servers.get(server as usize)?.association?;
        direct_address(worker, association)
    }

    pub(crate) fn path_kind(&self, worker: &Worker, route: Route) -> Option<PathKind> {
        match route {
            Route::Direct { remote } => Some(PathKind::Direct { remote }),
            Route::Relay { channel } => {
                let server = self.servers.get(channel.server as usize)?.id;
                let remote = self.server_address(worker, channel.server);
                Some(PathKind::Relay { server, remote })
            }
        }
    }

    pub(crate) fn association_config(&self) -> Arc<keyway_transport::AssociationConfig> {
        Arc::clone(&self.config.association)
    }
}

/// The address that an association sends to, where its selected path is a direct one.
pub(crate) fn direct_address(worker: &Worker, association: AssociationKey) -> Option<SocketAddr> {
    match worker.get(association)?.selected_route()? {
        Route::Direct { remote } => Some(remote),
        Route::Relay { .. } => None,
    }
}
