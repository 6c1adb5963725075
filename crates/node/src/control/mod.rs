//! Control: everything that a node decides about peers, as against what happens inside an association.
//!
//! | file           | decides |
//! |----------------|---|
//! | `connects`     | when a connection that the application wants is there already, or cannot be |
//! | `handshakes`   | nothing: it passes handshake packets on to the next three |
//! | `dialling`     | when an INIT goes out, and to where |
//! | `responses`    | which association the answer to an INIT of ours belongs to |
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
//! | `alarms`       | nothing: it wakes those whose time has come |
//! | `outbox`       | what is dropped when more handshake packets wait than may |
//! | `routes`       | nothing: it says where the paths of associations lead at the moment |

mod alarms;
mod answering;
mod channels;
mod connects;
mod dialling;
mod direct;
mod events;
mod half_open;
mod handshakes;
mod internal;
mod lifecycle;
mod lookups;
mod outbox;
mod registration;
mod relay;
mod responses;
mod room;
mod routes;
mod servers;

use std::collections::{BTreeMap, BTreeSet, VecDeque};
use std::sync::Arc;

use keyway_handshake::{LocalIdentity, TransportParameters};
use keyway_identity::{NodeId, SecretKey};
use keyway_nat::LocalCandidates;
use keyway_rendezvous::{SeenRecords, Wall};
use keyway_transport::Channel;
use keyway_wire::{Cid, Time, Token};
use rand_chacha::ChaCha20Rng;
use rand_core::{Rng, SeedableRng};

use crate::answers::Answers;
use crate::census::Census;
use crate::config::Config;
use crate::defence::Defence;
use crate::event::Event;
use crate::io::{Sockets, WallClock};
use crate::keys::{AssociationKey, LookupId, StreamKey};
use crate::peer::Peer;
use crate::policy::Policy;
use crate::probe_budget::ProbeBudget;
use crate::timers::Timers;
use crate::worker::Worker;

use alarms::Alarm;
use internal::Internal;
use outbox::Outbox;
use relay::RelayServer;
use servers::Server;

/// A node's decisions and what they rest on.
pub(crate) struct Control {
    pub(crate) id: NodeId,
    secret: SecretKey,
    identity: LocalIdentity,
    config: Config,
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
    pub(crate) outbox: Outbox,
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
            outbox: Outbox::default(),
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
        census.packets_waiting += self.outbox.packets();
        census.clients += self.relay.as_ref().map_or(0, RelayServer::clients);
    }

    pub(crate) fn poll_event(&mut self) -> Option<Event> {
        self.events.pop_front()
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

    pub(crate) fn association_config(&self) -> Arc<keyway_transport::AssociationConfig> {
        Arc::clone(&self.config.association)
    }
}
