//! One of the two ends: an association, and the little of a node that it cannot do without.

use std::collections::BTreeMap;
use std::sync::Arc;
use std::time::Duration;

use keyway_handshake::{Dial, InitPayload, LocalIdentity, RespPayload, Session, digest, read_init};
use keyway_identity::{NodeId, SecretKey};
use keyway_wire::{Cid, Packet, Slot, StreamId, StreamKind, Time};
use rand_chacha::ChaCha20Rng;
use rand_core::{Rng, SeedableRng};

use crate::memory::MemoryBudget;
use crate::{
    Association, AssociationConfig, AssociationEvent, EndReason, Incarnations, ReadError,
    ReceiveError, Route, WriteError,
};

/// How often a pending INIT is repeated.
const DIAL_INTERVAL: Duration = Duration::from_millis(500);

/// The octet at `offset` of the stream that a seed stands for.
pub(super) fn content(seed: u64, offset: u64) -> u8 {
    let mixed = (offset ^ (offset >> 7))
        .wrapping_mul(0x9e37_79b9_7f4a_7c15)
        .wrapping_add(seed);
    (mixed >> 56) as u8
}

/// Writes a stream of known content to its end.
struct Source {
    seed: u64,
    total: u64,
    written: u64,
}

/// Reads a stream, and checks what comes.
#[derive(Debug, Default, Clone, PartialEq, Eq)]
pub(super) struct Sink {
    pub(super) read: u64,
    pub(super) finished: bool,
    pub(super) error: Option<ReadError>,
}

struct Pending {
    dial: Dial,
    slot: Slot,
    generation: u64,
    routes: Vec<Route>,
    next: Time,
}

pub(super) struct End {
    pub(super) association: Association,
    pub(super) identity: LocalIdentity,
    pub(super) remote: NodeId,
    pub(super) config: Arc<AssociationConfig>,
    random: ChaCha20Rng,
    cid_mark: u8,
    issued: u32,
    counter: u64,
    sources: BTreeMap<StreamId, Source>,
    pub(super) sinks: BTreeMap<StreamId, Sink>,
    /// Everything but what concerns streams.
    pub(super) events: Vec<(Time, AssociationEvent)>,
    /// Streams whose octets are left where they are.
    pub(super) unread: Vec<StreamId>,
    pub(super) delivered: Vec<StreamId>,
    pub(super) stopped: Vec<(StreamId, u64)>,
    pub(super) datagrams: Vec<(StreamId, Vec<u8>)>,
    pub(super) errors: Vec<ReceiveError>,
    pending: Option<Pending>,
    answered: Option<([u8; 32], Vec<u8>)>,
    /// Routes that handshakes are tried on.
    pub(super) routes: Vec<Route>,
    /// Streams may hold anything.
    pub(super) careless: bool,
    /// Does without new handshakes.
    pub(super) deaf: bool,
    pub(super) last_progress: Time,
    pub(super) longest_stall: Duration,
    waits: bool,
}

/// An identity from a seed.
pub(super) fn identity(seed: u64) -> LocalIdentity {
    LocalIdentity::new(&SecretKey::generate(&mut ChaCha20Rng::seed_from_u64(seed)))
}

/// The two sessions of a handshake that nothing disturbs, initiator's first.
pub(super) fn shake(
    initiator: &LocalIdentity,
    responder: &LocalIdentity,
    slots: (Slot, Slot),
    config: &AssociationConfig,
    seed: u64,
) -> (Session, Session) {
    let mut random = ChaCha20Rng::seed_from_u64(seed);
    let init = init_payload(initiator, config, 1, 1, slots.0);
    let mut dial = Dial::new(
        initiator,
        &responder.node_id(),
        Cid::new([1; 7]),
        &init,
        &mut random,
    )
    .unwrap();
    let incoming = read_init(responder, dial.packet()).unwrap();
    let (packet, theirs) = incoming
        .respond(
            Cid::new([2; 7]),
            &resp_payload(config, slots.1),
            &mut random,
        )
        .unwrap();
    let (_, _, ours) = dial.read_response(&packet).unwrap();
    (ours, theirs)
}

fn init_payload(
    local: &LocalIdentity,
    config: &AssociationConfig,
    counter: u64,
    generation: u64,
    slot: Slot,
) -> InitPayload {
    InitPayload {
        initiator: local.node_id(),
        versions: vec![1],
        epoch: 1,
        instance: 1,
        counter,
        generation,
        incarnation: 1,
        remembered: Some(2),
        slot,
        parameters: config.parameters(),
    }
}

fn resp_payload(config: &AssociationConfig, slot: Slot) -> RespPayload {
    RespPayload {
        versions: vec![1],
        epoch: 1,
        instance: 1,
        incarnation: 2,
        slot,
        parameters: config.parameters(),
    }
}

/// What an end sends by itself: a whole packet on a route.
pub(super) type Outgoing = (Route, Vec<u8>);

impl End {
    pub(super) fn new(
        config: &Arc<AssociationConfig>,
        local: LocalIdentity,
        remote: &LocalIdentity,
        mark: u8,
        remote_mark: u8,
        seed: u64,
    ) -> Self {
        let association = Association::new(
            Time::ZERO,
            Arc::clone(config),
            &MemoryBudget::new(1 << 30),
            local.node_id(),
            remote.node_id(),
            Incarnations {
                local: 1,
                remote: 2,
            },
            Self::cid(mark, 0),
            Self::cid(remote_mark, 0),
            config.parameters(),
            [mark; 32],
        );
        Self {
            association,
            identity: local,
            remote: remote.node_id(),
            config: Arc::clone(config),
            random: ChaCha20Rng::seed_from_u64(seed ^ u64::from(mark)),
            cid_mark: mark,
            issued: 1,
            counter: 1,
            sources: BTreeMap::new(),
            sinks: BTreeMap::new(),
            events: Vec::new(),
            unread: Vec::new(),
            delivered: Vec::new(),
            stopped: Vec::new(),
            datagrams: Vec::new(),
            errors: Vec::new(),
            pending: None,
            answered: None,
            routes: Vec::new(),
            careless: false,
            deaf: false,
            last_progress: Time::ZERO,
            longest_stall: Duration::ZERO,
            waits: false,
        }
    }

    fn cid(mark: u8, index: u32) -> Cid {
        let index = index.to_be_bytes();
        Cid::new([0, mark, 0xc1, index[0], index[1], index[2], index[3]])
    }

    /// Opens a stream and writes that much to it, then its end. The content follows from the id.
    pub(super) fn send_stream(&mut self, total: u64) -> StreamId {
        let id = self
            .association
            .open(StreamKind::Bytes, &"test".parse().unwrap())
            .unwrap();
        self.answer_stream(id, total);
        id
    }

    /// Writes to a stream that the peer opened, then its end.
    pub(super) fn answer_stream(&mut self, id: StreamId, total: u64) {
        self.sources.insert(
            id,
            Source {
                seed: id.value(),
                total,
                written: 0,
            },
        );
        self.write(id);
    }

    /// Writes no more to a stream.
    pub(super) fn give_up(&mut self, id: StreamId) {
        self.sources.remove(&id);
    }

    fn write(&mut self, id: StreamId) {
        let Some(source) = self.sources.get_mut(&id) else {
            return;
        };
        loop {
            if source.written == source.total {
                self.association.finish(id);
                self.sources.remove(&id);
                return;
            }
            let end = source.total.min(source.written + 16_384);
            let chunk: Vec<u8> = (source.written..end)
                .map(|offset| content(source.seed, offset))
                .collect();
            match self.association.write(id, &chunk) {
                Ok(count) => source.written += count as u64,
                Err(WriteError::Blocked) => return,
                Err(WriteError::Ended(_) | WriteError::Stopped(_)) => {
                    self.sources.remove(&id);
                    return;
                }
                Err(error) => panic!("{error}"),
            }
        }
    }

    fn read(&mut self, now: Time, id: StreamId) {
        if self.unread.contains(&id) {
            return;
        }
        let sink = self.sinks.entry(id).or_default();
        let mut out = [0; 32_768];
        loop {
            match self.association.read(id, &mut out) {
                Ok(count) => {
                    // Every stream's content follows from its id.
                    let expected = (sink.read..).map(|offset| content(id.value(), offset));
                    assert!(
                        self.careless || out[..count].iter().copied().eq(expected.take(count)),
                        "octets of {id:?} after {}",
                        sink.read
                    );
                    sink.read += count as u64;
                    self.longest_stall = self
                        .longest_stall
                        .max(now.saturating_since(self.last_progress));
                    self.last_progress = now;
                }
                Err(ReadError::Blocked) => return,
                Err(ReadError::Finished) => {
                    sink.finished = true;
                    return;
                }
                Err(error) => {
                    sink.error = Some(error);
                    return;
                }
            }
        }
    }

    /// Reads again what was left unread.
    pub(super) fn resume_reading(&mut self, now: Time) {
        for id in std::mem::take(&mut self.unread) {
            self.last_progress = now;
            self.read(now, id);
        }
    }

    /// Takes a packet that arrived; returns what the end answers by itself.
    pub(super) fn receive(&mut self, now: Time, route: Route, packet: &mut [u8]) -> Vec<Outgoing> {
        match Packet::parse(packet) {
            Ok(Packet::Init(_)) => self.on_init(now, route, packet),
            Ok(Packet::Resp(_)) => {
                self.on_resp(now, route, packet);
                Vec::new()
            }
            Ok(Packet::Data(_)) => {
                if let Err(error) = self.association.handle_data(now, route, None, None, packet) {
                    self.errors.push(error);
                }
                Vec::new()
            }
            Ok(Packet::Cookie(_) | Packet::Relay(_)) | Err(_) => Vec::new(),
        }
    }

    /// Drains the events and does what they ask for. Whether there was any.
    pub(super) fn react(&mut self, now: Time) -> bool {
        let mut any = false;
        while let Some(event) = self.association.poll_event() {
            any = true;
            match event {
                AssociationEvent::CidWanted => {
                    self.association
                        .issue_cid(Self::cid(self.cid_mark, self.issued));
                    self.issued += 1;
                }
                AssociationEvent::Readable(id) => self.read(now, id),
                AssociationEvent::Opened { stream, .. } => {
                    self.sinks.entry(stream).or_default();
                }
                AssociationEvent::Writable(id) => self.write(id),
                AssociationEvent::Delivered(id) => self.delivered.push(id),
                AssociationEvent::Stopped { stream, code } => {
                    self.sources.remove(&stream);
                    self.stopped.push((stream, code));
                }
                AssociationEvent::DatagramReceived(flow) => {
                    while let Some(datagram) = self.association.recv_datagram(flow) {
                        self.datagrams.push((flow, datagram.to_vec()));
                    }
                }
                AssociationEvent::HandshakeWanted => {
                    self.events.push((now, AssociationEvent::HandshakeWanted));
                    self.dial(now);
                }
                other => self.events.push((now, other)),
            }
        }
        any
    }

    /// Starts a handshake unless one is pending.
    pub(super) fn dial(&mut self, now: Time) {
        if self.deaf || self.pending.is_some() {
            return;
        }
        let slot = self.association.free_slot().unwrap();
        assert!(self.association.reserve_slot(slot));
        let generation = self.association.generation().unwrap_or(1) + 1;
        self.counter += 1;
        let payload = init_payload(&self.identity, &self.config, self.counter, generation, slot);
        let cid = self.association.current_cid();
        let dial = Dial::new(
            &self.identity,
            &self.remote,
            cid,
            &payload,
            &mut self.random,
        )
        .unwrap();
        self.pending = Some(Pending {
            dial,
            slot,
            generation,
            routes: self.routes.clone(),
            next: now,
        });
    }

    /// The packets of a pending handshake that are due.
    pub(super) fn dial_packets(&mut self, now: Time) -> Vec<Outgoing> {
        let Some(pending) = self.pending.as_mut().filter(|pending| pending.next <= now) else {
            return Vec::new();
        };
        pending.next = now + DIAL_INTERVAL;
        pending
            .routes
            .iter()
            .map(|route| (*route, pending.dial.packet().to_vec()))
            .collect()
    }

    pub(super) fn next_dial(&self) -> Option<Time> {
        self.pending.as_ref().map(|pending| pending.next)
    }

    fn on_init(&mut self, now: Time, route: Route, packet: &[u8]) -> Vec<Outgoing> {
        let Ok(incoming) = read_init(&self.identity, packet) else {
            return Vec::new();
        };
        let digest = digest(packet).unwrap();
        if let Some((_, response)) = self.answered.as_ref().filter(|(known, _)| *known == digest) {
            let response = response.clone();
            self.association.answered_on(now, route);
            return vec![(route, response)];
        }
        let slot = self.association.free_slot().unwrap();
        let (generation, remote_slot) = (incoming.payload().generation, incoming.payload().slot);
        let cid = self.association.current_cid();
        let payload = resp_payload(&self.config, slot);
        let (response, session) = incoming.respond(cid, &payload, &mut self.random).unwrap();
        self.association
            .install(now, session, generation, slot, remote_slot, &[route]);
        self.answered = Some((digest, response.clone()));
        vec![(route, response)]
    }

    fn on_resp(&mut self, now: Time, route: Route, packet: &[u8]) {
        let Some(pending) = &mut self.pending else {
            return;
        };
        let Ok((payload, _, session)) = pending.dial.read_response(packet) else {
            return;
        };
        let (generation, slot) = (pending.generation, pending.slot);
        // Nobody was asked there: it may be a copy, and has to prove itself.
        let asked = pending.routes.contains(&route);
        self.pending = None;
        let works: &[Route] = if asked { &[route] } else { &[] };
        self.association
            .install(now, session, generation, slot, payload.slot, works);
        if !asked {
            self.association.add_route(now, route);
        }
    }

    /// How often an event was said.
    pub(super) fn count(&self, matches: impl Fn(&AssociationEvent) -> bool) -> usize {
        self.events
            .iter()
            .filter(|(_, event)| matches(event))
            .count()
    }

    /// When an event was last said.
    pub(super) fn last(&self, matches: impl Fn(&AssociationEvent) -> bool) -> Option<Time> {
        self.events
            .iter()
            .rev()
            .find(|(_, event)| matches(event))
            .map(|(time, _)| *time)
    }

    pub(super) fn ended(&self) -> Option<&EndReason> {
        self.events.iter().find_map(|(_, event)| match event {
            AssociationEvent::Ended(reason) => Some(reason),
            _ => None,
        })
    }

    /// The route that carries data.
    pub(super) fn selected(&self) -> Option<Route> {
        self.association
            .paths()
            .find(|path| path.selected)
            .map(|path| path.route)
    }

    pub(super) fn has_sources(&self) -> bool {
        !self.sources.is_empty()
    }

    /// From here on, waiting for octets counts as a stall.
    pub(super) fn restart_stall_clock(&mut self, now: Time) {
        self.last_progress = now;
        self.longest_stall = Duration::ZERO;
        self.waits = true;
    }

    pub(super) fn random(&mut self) -> u64 {
        self.random.next_u64()
    }
}
