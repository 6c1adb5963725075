//! When to dial, whom to answer, and which association a new session belongs to.

use std::collections::BTreeSet;

use keyway_handshake::{Dial, Incoming, InitPayload, RespPayload, Session};
use keyway_identity::NodeId;
use keyway_transport::{Association, Incarnations, Route};
use keyway_wire::planted::{Fault, planted};
use keyway_wire::{Cid, Packet, Slot, Time, VERSION};
use rand_core::Rng;
use tracing::debug;

use super::{Alarm, Control};
use crate::answers::Known;
use crate::dial::Dialing;
use crate::directory::Addressee;
use crate::keys::AssociationKey;
use crate::peer::{HALF_OPEN_PER_PEER_MAX, HalfOpen, Opened, Peer};
use crate::worker::Worker;

/// Where the session of a first INIT lives at its sender, and where that of a first answer does. Two slots, since both
/// handshakes complete when two nodes dial each other at once.
const FIRST_DIAL_SLOT: Slot = Slot::ALL[0];
const FIRST_ANSWER_SLOT: Slot = Slot::ALL[3];

impl Control {
    /// Dials `id` if somebody wants it and no INIT is pending.
    pub(super) fn want(&mut self, worker: &mut Worker, now: Time, id: NodeId) {
        let Some(peer) = self.peers.get(&id) else {
            return;
        };
        if peer.dial.is_none() && peer.is_wanted() && !self.closing {
            self.start_dial(worker, now, id, 0);
        }
    }

    fn start_dial(&mut self, worker: &mut Worker, now: Time, id: NodeId, sendings: usize) {
        let parameters = self.parameters();
        self.counter += 1;
        let rng = &mut self.rng;
        let Some(peer) = self.peers.get_mut(&id) else {
            return;
        };
        let (slot, generation, remembered) =
            match peer.association.and_then(|key| worker.touch(key)) {
                None => (FIRST_DIAL_SLOT, 0, None),
                Some(association) => {
                    let free = association.free_slot();
                    let Some(slot) = free.filter(|slot| association.reserve_slot(*slot)) else {
                        // All four are taken by sessions that are about to end.
                        self.alarms
                            .set(Alarm::Dial(id), Some(now + self.config.retries[0]));
                        return;
                    };
                    let generation = association
                        .generation()
                        // The peer may have named any number.
                        .map_or(0, |current| current.saturating_add(1));
                    (slot, generation, Some(association.incarnations().remote))
                }
            };
        let cid = *peer
            .next_cid
            .get_or_insert_with(|| worker.directory.issue(rng, Addressee::Pending(id)));
        let payload = InitPayload {
            initiator: self.id,
            versions: vec![u32::from(VERSION)],
            epoch: self.epoch,
            instance: self.instance,
            counter: self.counter,
            generation,
            incarnation: peer.incarnation,
            remembered,
            slot,
            parameters,
        };
        let dial = match Dial::new(&self.identity, &id, cid, &payload, rng) {
            Ok(dial) => dial,
            Err(error) => {
                debug!(peer = %id, %error, "cannot make an INIT");
                return;
            }
        };
        let asked = BTreeSet::new();
        let dialing = Dialing {
            dial,
            cid,
            slot,
            generation,
            created: now,
            sendings,
            asked,
        };
        peer.dial = Some(dialing);
        self.dials.insert(cid, id);
        self.send_init(worker, now, id);
    }

    /// Sends the pending INIT on every route that we know, and sets the next time to.
    pub(super) fn send_init(&mut self, worker: &mut Worker, now: Time, id: NodeId) {
        let Some(peer) = self.peers.get(&id) else {
            return;
        };
        let wanted = peer.is_wanted();
        match &peer.dial {
            None if wanted => return self.start_dial(worker, now, id, 0),
            None => return,
            Some(_) if !wanted || self.closing => return self.stop_dial(worker, id),
            Some(dial) if now.saturating_since(dial.created) >= self.config.init_lifetime => {
                let sendings = dial.sendings;
                self.stop_dial(worker, id);
                return self.start_dial(worker, now, id, sendings);
            }
            Some(_) => {}
        }
        self.ask_for_channels(now, id);
        let routes = self.routes_to(worker, id);
        let Some(dialing) = self.peers.get_mut(&id).and_then(|peer| peer.dial.as_mut()) else {
            return;
        };
        dialing.sendings += 1;
        let packet = dialing.dial.packet().to_vec();
        let pause = dialing.pause(&self.config.retries, &mut self.rng);
        self.alarms.set(Alarm::Dial(id), Some(now + pause));
        for route in routes {
            self.send(route, packet.clone());
        }
    }

    /// Every way that might reach the peer: the paths of the association, hints, and relay channels.
    fn routes_to(&self, worker: &Worker, id: NodeId) -> Vec<Route> {
        let Some(peer) = self.peers.get(&id) else {
            return Vec::new();
        };
        let mut routes: Vec<Route> = Vec::new();
        if let Some(association) = peer.association.and_then(|key| worker.get(key)) {
            routes.extend(association.routes_to_knock());
        }
        routes.extend(
            peer.hints
                .iter()
                .map(|remote| Route::Direct { remote: *remote }),
        );
        routes.extend(
            peer.channels
                .iter()
                .map(|channel| Route::Relay { channel: *channel }),
        );
        let mut seen = BTreeSet::new();
        routes.retain(|route| seen.insert(*route));
        routes
    }

    /// Drops the pending INIT, if any.
    fn stop_dial(&mut self, worker: &mut Worker, id: NodeId) {
        let Some(peer) = self.peers.get_mut(&id) else {
            return;
        };
        if let Some(dialing) = peer.dial.take() {
            self.dials.remove(&dialing.cid);
            if let Some(association) = peer.association.and_then(|key| worker.touch(key)) {
                association.release_slot(dialing.slot);
            }
        }
        self.alarms.set(Alarm::Dial(id), None);
    }

    pub(super) fn stop_unwanted_dial(&mut self, worker: &mut Worker, id: NodeId) {
        if self.peers.get(&id).is_some_and(|peer| !peer.is_wanted()) {
            self.stop_dial(worker, id);
        }
    }

    /// A packet whose first octet says handshake. Whatever is not authentic gets no answer and changes nothing.
    pub(crate) fn handle_handshake(
        &mut self,
        worker: &mut Worker,
        now: Time,
        route: Route,
        packet: &[u8],
    ) {
        match Packet::parse(packet) {
            Ok(Packet::Init(_)) => self.handle_init(worker, now, route, packet),
            Ok(Packet::Resp(resp)) => self.handle_resp(worker, now, route, resp.receiver, packet),
            Ok(Packet::Data(_) | Packet::Relay(_)) | Err(_) => {}
        }
    }

    fn handle_init(&mut self, worker: &mut Worker, now: Time, route: Route, packet: &[u8]) {
        if self.closing || !keyway_handshake::check_mac1(&self.identity, packet) {
            return;
        }
        let Some(digest) = keyway_handshake::digest(packet) else {
            return;
        };
        match self.answers.look_up(now, &digest) {
            Known::Enough => return,
            Known::Again {
                association,
                packet,
            } => {
                let answer = packet.to_vec();
                self.answered_again(worker, now, association, route);
                self.send(route, answer);
                return;
            }
            Known::New => {}
        }
        let incoming = match keyway_handshake::read_init(&self.identity, packet) {
            Ok(incoming) => incoming,
            Err(error) => return debug!(%error, "an INIT was dropped"),
        };
        let peer = incoming.peer();
        if !self.admits(peer, incoming.payload()) {
            return debug!(%peer, "an INIT was not admitted");
        }
        if let Some((association, answer)) = self.answer(worker, now, route, incoming) {
            self.answers
                .remember(now, digest, peer, association, answer.clone());
            self.send(route, answer);
        }
    }

    /// Whether this INIT may be answered: by policy, by version, and as no replay.
    fn admits(&self, id: NodeId, payload: &InitPayload) -> bool {
        let known = self.peers.get(&id);
        let welcome = self.relay.is_some()
            || self.policy.welcomes(&id)
            || planted(Fault::AnswerStrangers)
            || known.is_some_and(|peer| peer.association.is_some() || peer.is_wanted());
        // A node sends one INIT at a time: what is not newer than the last one that was answered is a copy, or was given up.
        // Copies of the last one get the answer that is kept, and do not come here.
        let replayed = known.is_some_and(|peer| {
            let half_open = peer.half_open.iter().map(|half| half.opened);
            half_open
                .chain(peer.answered)
                .chain(peer.confirmed)
                .any(|last| last.instance == payload.instance && payload.counter <= last.counter)
        });
        welcome && !replayed && id != self.id && payload.versions.contains(&u32::from(VERSION))
    }

    /// Answers an admitted INIT: inside the association that it remembers, or with a half-open new one.
    fn answer(
        &mut self,
        worker: &mut Worker,
        now: Time,
        route: Route,
        incoming: Incoming,
    ) -> Option<(AssociationKey, Vec<u8>)> {
        let id = incoming.peer();
        let init = incoming.payload().clone();
        let same = self.association_of(&id).filter(|key| {
            worker
                .get(*key)
                .is_some_and(|known| is_meant(known, &init, incoming.sender()))
        });
        match same {
            Some(key) => self.answer_inside(worker, now, route, incoming, key),
            None => self.answer_anew(worker, now, route, incoming),
        }
    }

    fn answer_inside(
        &mut self,
        worker: &mut Worker,
        now: Time,
        route: Route,
        incoming: Incoming,
        key: AssociationKey,
    ) -> Option<(AssociationKey, Vec<u8>)> {
        let init = incoming.payload().clone();
        let id = incoming.peer();
        let known = worker.get(key)?;
        let (cid, slot) = (known.current_cid(), known.free_slot()?);
        let incarnation = known.incarnations().local;
        let (packet, session) = self.respond(incoming, cid, incarnation, slot)?;
        let association = worker.touch(key)?;
        association.install(now, session, init.generation, slot, init.slot, &[route]);
        self.peer(id).answered = Some(Opened::by(&init));
        Some((key, packet))
    }

    fn answer_anew(
        &mut self,
        worker: &mut Worker,
        now: Time,
        route: Route,
        incoming: Incoming,
    ) -> Option<(AssociationKey, Vec<u8>)> {
        let init = incoming.payload().clone();
        let id = incoming.peer();
        let remote_cid = incoming.sender();
        let known = self.same_half_open(worker, id, &init, remote_cid);
        let is_new = known.is_none() && self.association_of(&id).is_none();
        if is_new && self.owners.len() - self.half_open.len() >= self.config.associations_max {
            debug!(peer = %id, "too many associations; an INIT was dropped");
            return None;
        }
        let rng = &mut self.rng;
        let peer = self
            .peers
            .entry(id)
            .or_insert_with(|| Peer::new(rng.next_u64()));
        let incarnation = match known {
            Some((_, incarnation)) => incarnation,
            // The dialler holds what we have forgotten, or never had confirmed: under the same name it would go on with that.
            None if init.remembered == Some(peer.incarnation) => rng.next_u64(),
            None => peer.incarnation,
        };
        let local_cid = *peer
            .next_cid
            .get_or_insert_with(|| worker.directory.issue(rng, Addressee::Pending(id)));
        let Some((packet, session)) =
            self.respond(incoming, local_cid, incarnation, FIRST_ANSWER_SLOT)
        else {
            self.tidy(worker, id);
            return None;
        };
        let key = match known {
            Some((key, _)) => {
                self.renew_half_open(id, key, &init);
                key
            }
            None => {
                let incarnations = Incarnations {
                    local: incarnation,
                    remote: init.incarnation,
                };
                let key = self.insert_association(
                    worker,
                    now,
                    id,
                    incarnations,
                    local_cid,
                    remote_cid,
                    &init.parameters,
                );
                self.remember_half_open(worker, id, key, &init);
                key
            }
        };
        self.alarms.set(
            Alarm::HalfOpen(key),
            Some(now + self.config.half_open_lifetime),
        );
        // The one slot for answers: a newer one takes the place of one that was not confirmed, and leaves the slot of an INIT
        // of our own alone.
        worker.touch(key)?.install(
            now,
            session,
            init.generation,
            FIRST_ANSWER_SLOT,
            init.slot,
            &[route],
        );
        Some((key, packet))
    }

    /// The half-open association that an earlier INIT made for the same one of the peer's, and our name for it.
    fn same_half_open(
        &self,
        worker: &Worker,
        id: NodeId,
        init: &InitPayload,
        sender: Cid,
    ) -> Option<(AssociationKey, u64)> {
        let half_open = &self.peers.get(&id)?.half_open;
        half_open.iter().find_map(|half| {
            let known = worker.get(half.association)?;
            is_meant(known, init, sender).then_some((half.association, known.incarnations().local))
        })
    }

    /// Remembers the later INIT from here on.
    fn renew_half_open(&mut self, id: NodeId, key: AssociationKey, init: &InitPayload) {
        let half_open = self.peers.get_mut(&id).map(|peer| &mut peer.half_open);
        let mut half_open = half_open.into_iter().flatten();
        if let Some(half) = half_open.find(|half| half.association == key) {
            half.opened = Opened::by(init);
        }
    }

    fn respond(
        &mut self,
        incoming: Incoming,
        cid: Cid,
        incarnation: u64,
        slot: Slot,
    ) -> Option<(Vec<u8>, Session)> {
        let payload = RespPayload {
            versions: vec![u32::from(VERSION)],
            epoch: self.epoch,
            instance: self.instance,
            incarnation,
            slot,
            parameters: self.parameters(),
        };
        match incoming.respond(cid, &payload, &mut self.rng) {
            Ok(answer) => Some(answer),
            Err(error) => {
                debug!(%error, "cannot answer an INIT");
                None
            }
        }
    }

    #[expect(
        clippy::too_many_arguments,
        reason = "each names one part of the association"
    )]
    fn insert_association(
        &mut self,
        worker: &mut Worker,
        now: Time,
        id: NodeId,
        incarnations: Incarnations,
        local_cid: Cid,
        remote_cid: Cid,
        parameters: &keyway_handshake::TransportParameters,
    ) -> AssociationKey {
        let mut seed = [0; 32];
        self.rng.fill_bytes(&mut seed);
        let association = Association::new(
            now,
            self.association_config(),
            self.id,
            id,
            incarnations,
            local_cid,
            remote_cid,
            *parameters,
            seed,
        );
        let key = worker.insert(association);
        self.owners.insert(key, id);
        key
    }

    /// Enters a new half-open association, at the cost of another one if there are too many. Of one peer's, one by an INIT
    /// of an earlier start goes first, since that can only be a copy. Of all peers', the oldest: an honest dialler needs a
    /// round trip, and whoever wants to keep it out has to send as many INITs as may be half open in that time.
    fn remember_half_open(
        &mut self,
        worker: &mut Worker,
        id: NodeId,
        association: AssociationKey,
        init: &InitPayload,
    ) {
        let half_open = &mut self.peer(id).half_open;
        half_open.push(HalfOpen {
            association,
            epoch: init.epoch,
            opened: Opened::by(init),
        });
        let crowded = half_open.len() > HALF_OPEN_PER_PEER_MAX;
        let oldest = half_open
            .iter()
            .min_by_key(|half| (half.epoch, half.association))
            .map(|half| half.association)
            .filter(|_| crowded);
        self.half_open.insert(association);
        if let Some(oldest) = oldest {
            self.drop_half_open(worker, oldest);
        }
        if self.half_open.len() > self.config.half_open_max
            && let Some(oldest) = self.half_open.first().copied()
        {
            self.drop_half_open(worker, oldest);
        }
    }

    /// Forgets an association that nobody confirmed, and its peer if nothing else is left of it.
    pub(super) fn drop_half_open(&mut self, worker: &mut Worker, key: AssociationKey) {
        let Some(id) = self.owners.get(&key).copied() else {
            return;
        };
        if !self.half_open.contains(&key) {
            return;
        }
        if let Some(peer) = self.peers.get_mut(&id) {
            peer.half_open.retain(|half| half.association != key);
        }
        self.abandon_half_open(worker, key);
        self.tidy(worker, id);
    }

    /// Forgets an association that nobody confirmed and that its peer's entry does not name any more. The answer goes with
    /// it: whoever gets that later would hold a session with nobody.
    pub(super) fn abandon_half_open(&mut self, worker: &mut Worker, key: AssociationKey) {
        self.half_open.remove(&key);
        self.owners.remove(&key);
        self.alarms.set(Alarm::HalfOpen(key), None);
        self.answers.silence(key);
        worker.remove(key);
    }

    /// Associations of this peer that nobody confirmed yet.
    pub(crate) fn half_open_of(&self, id: &NodeId) -> Vec<AssociationKey> {
        let half_open = self.peers.get(id).map(|peer| peer.half_open.as_slice());
        half_open
            .unwrap_or_default()
            .iter()
            .map(|half| half.association)
            .collect()
    }

    /// The same INIT over another route: the answer goes there too, so the first packet proves less about either route. The
    /// dialler may have got no answer until now, so that it has its time again.
    fn answered_again(
        &mut self,
        worker: &mut Worker,
        now: Time,
        key: AssociationKey,
        route: Route,
    ) {
        if self.half_open.contains(&key) {
            let until = now + self.config.half_open_lifetime;
            self.alarms.set(Alarm::HalfOpen(key), Some(until));
        }
        if let Some(association) = worker.touch(key) {
            association.answered_on(now, route);
        }
    }

    fn handle_resp(
        &mut self,
        worker: &mut Worker,
        now: Time,
        route: Route,
        receiver: Cid,
        packet: &[u8],
    ) {
        let Some(id) = self.dials.get(&receiver).copied() else {
            return;
        };
        let Some(dialing) = self.peers.get_mut(&id).and_then(|peer| peer.dial.as_mut()) else {
            return;
        };
        let (resp, remote_cid, session) = match dialing.dial.read_response(packet) {
            Ok(answer) => answer,
            Err(error) => return debug!(peer = %id, %error, "a RESP was dropped"),
        };
        let (slot, generation) = (dialing.slot, dialing.generation);
        let Some(key) = self.association_for(worker, now, id, &resp, remote_cid) else {
            return;
        };
        let asked = self.routes_to(worker, id);
        let was_asked = matches!(route, Route::Relay { .. }) || asked.contains(&route);
        self.finish_dial(id);
        if let Some(association) = worker.touch(key) {
            // An answer from where nobody was asked proves the peer alone: whoever copied it may have written any address as
            // its own. So those that were asked are tried too.
            let works = if was_asked { &[route][..] } else { &[] };
            association.install(now, session, generation, slot, resp.slot, works);
            if !was_asked {
                association.add_route_answered(now, route, packet.len());
                asked
                    .iter()
                    .for_each(|other| association.add_route(now, *other));
            }
        }
        self.confirmed(worker, now, key);
    }

    /// The association that a RESP speaks of: the one that is, one half open from the peer's own INIT, or a new one.
    fn association_for(
        &mut self,
        worker: &mut Worker,
        now: Time,
        id: NodeId,
        resp: &RespPayload,
        remote_cid: Cid,
    ) -> Option<AssociationKey> {
        let peer = self.peers.get(&id)?;
        let names = |key: &AssociationKey| {
            worker.get(*key).is_some_and(|known| {
                let known = known.incarnations();
                known.remote == resp.incarnation && known.local == peer.incarnation
            })
        };
        // The peer's own INIT may be one that it sent long ago, under the same name but with another CID.
        let half_open = peer.half_open.iter().map(|half| half.association);
        let half_open = half_open.filter(|key| {
            worker
                .get(*key)
                .is_some_and(|known| known.first_remote() == remote_cid)
        });
        if let Some(key) = peer.association.into_iter().chain(half_open).find(names) {
            return Some(key);
        }
        let local_cid = peer.dial.as_ref()?.cid;
        let incarnations = Incarnations {
            local: peer.incarnation,
            remote: resp.incarnation,
        };
        let parameters = resp.parameters;
        Some(self.insert_association(
            worker,
            now,
            id,
            incarnations,
            local_cid,
            remote_cid,
            &parameters,
        ))
    }

    /// The pending INIT was answered; its slot belongs to the session.
    fn finish_dial(&mut self, id: NodeId) {
        self.alarms.set(Alarm::Dial(id), None);
        let Some(peer) = self.peers.get_mut(&id) else {
            return;
        };
        peer.handshake_wanted = false;
        if let Some(dialing) = peer.dial.take() {
            self.dials.remove(&dialing.cid);
        }
    }

    /// Takes the pending INIT back: the peer's own handshake was first.
    pub(super) fn overtaken(&mut self, worker: &mut Worker, id: NodeId) {
        self.stop_dial(worker, id);
        if let Some(peer) = self.peers.get_mut(&id) {
            peer.handshake_wanted = false;
        }
    }
}

/// Whether an INIT is for this association of its sender's: the sender remembers it, or names itself for the first time and
/// as it did when the association began here. A name alone does not tell: what a peer answered may have been forgotten at one
/// of the two ends.
fn is_meant(known: &Association, init: &InitPayload, sender: Cid) -> bool {
    let names = known.incarnations();
    (names.remote == init.incarnation || planted(Fault::ContinueAfterRestart))
        && match init.remembered {
            Some(remembered) => remembered == names.local,
            None => known.first_remote() == sender || planted(Fault::ContinueAfterRestart),
        }
}
