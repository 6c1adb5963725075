//! Answering: whose INIT is worked on, and which association its session belongs to.

use keyway_handshake::{Incoming, InitPayload, RespPayload, Session};
use keyway_identity::NodeId;
use keyway_transport::{Association, Incarnations, Route};
use keyway_wire::planted::{Fault, planted};
use keyway_wire::{Cid, Slot, Time, VERSION};
use rand_core::Rng;
use tracing::debug;

use super::Control;
use super::alarms::Alarm;
use crate::answers::Known;
use crate::defence::{Origin, Verdict};
use crate::directory::Addressee;
use crate::keys::AssociationKey;
use crate::peer::{Opened, Peer};
use crate::worker::Worker;

/// Where the session of a first answer lives here: another slot than that of a first INIT.
const FIRST_ANSWER_SLOT: Slot = Slot::ALL[3];

impl Control {
    pub(super) fn handle_init(
        &mut self,
        worker: &mut Worker,
        now: Time,
        route: Route,
        packet: &[u8],
    ) {
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
                return self.outbox.send(route, answer);
            }
            Known::New => {}
        }
        if !self.is_worth_reading(now, route, packet) {
            return;
        }
        let incoming = match keyway_handshake::read_init(&self.identity, packet) {
            Ok(incoming) => incoming,
            Err(error) => return debug!(%error, "an INIT was dropped"),
        };
        let peer = incoming.peer();
        if !self.admits(now, peer, incoming.payload()) {
            return debug!(%peer, "an INIT was not admitted");
        }
        if let Some((association, answer)) = self.answer(worker, now, route, incoming) {
            self.answers
                .remember(now, digest, peer, association, answer.clone());
            self.outbox.send(route, answer);
        }
    }

    /// Whether Diffie–Hellman is due for this INIT. Under load its sender may be asked for a cookie instead.
    fn is_worth_reading(&mut self, now: Time, route: Route, packet: &[u8]) -> bool {
        let origin = match route {
            Route::Direct { remote } => Origin::Direct(remote),
            Route::Relay { channel } => match self.channels.get(&channel.token) {
                Some((_, peer)) => Origin::Relayed(*peer),
                None => return false,
            },
        };
        let limits = &self.config.limits;
        let verdict = self
            .defence
            .judge(now, limits, &self.identity, &origin, packet);
        self.schedule_forgetting();
        match verdict {
            Verdict::Work => true,
            Verdict::Drop => false,
            Verdict::Prove(cookie) => {
                self.outbox.send_cookie(route, cookie);
                false
            }
        }
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

    /// Whether this INIT may be answered: by version, as no replay, by policy, and as one of not too many.
    fn admits(&mut self, now: Time, id: NodeId, payload: &InitPayload) -> bool {
        if id == self.id || !payload.versions.contains(&u32::from(VERSION)) {
            return false;
        }
        let known = self.peers.get(&id);
        if known.is_some_and(|peer| peer.has_answered(payload)) {
            return false;
        }
        let ours = known.is_some_and(|peer| peer.association.is_some() || peer.is_wanted());
        let welcome = ours
            || self.relay.is_some()
            || self.policy.welcomes(&id)
            || planted(Fault::AnswerStrangers);
        // Everybody is a stranger to a server.
        let stranger = !ours && self.relay.is_none() && !self.policy.names(&id);
        // Each by itself first, so that one stranger does not use up what there is for all of them.
        self.defence.admits_peer(now, id)
            && (!stranger || self.defence.admits_stranger(now, &self.config.limits))
            && welcome
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
        let known = self.association_of(&id).and_then(|key| worker.get(key));
        if known.is_some_and(|known| is_outdated(known, &init)) {
            debug!(peer = %id, "an INIT was dropped that an association with its sender has overtaken");
            return None;
        }
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
        let (id, remote_cid) = (incoming.peer(), incoming.sender());
        let known = self.same_half_open(worker, id, &init, remote_cid);
        if known.is_none() && self.association_of(&id).is_none() && !self.has_room(worker, now) {
            debug!(peer = %id, "too many associations; an INIT was dropped");
            return None;
        }
        let known_as = known.map(|(_, incarnation)| incarnation);
        let (incarnation, cid) = self.name_answer(worker, id, &init, known_as);
        let Some((packet, session)) = self.respond(incoming, cid, incarnation, FIRST_ANSWER_SLOT)
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
                let names = Incarnations {
                    local: incarnation,
                    remote: init.incarnation,
                };
                let said = &init.parameters;
                let key = self.insert_association(worker, now, id, names, cid, remote_cid, said);
                self.remember_half_open(worker, id, key, &init);
                key
            }
        };
        let until = now + self.config.half_open_lifetime;
        self.alarms.set(Alarm::HalfOpen(key), Some(until));
        // The one slot for answers: a newer one takes the place of one that was not confirmed, and leaves the slot of an INIT
        // of our own alone.
        let (here, there) = (FIRST_ANSWER_SLOT, init.slot);
        let association = worker.touch(key)?;
        association.install(now, session, init.generation, here, there, &[route]);
        Some((key, packet))
    }

    /// How an answer outside of any association names one: our half of its name, and the CID that leads to it.
    fn name_answer(
        &mut self,
        worker: &mut Worker,
        id: NodeId,
        init: &InitPayload,
        known_as: Option<u64>,
    ) -> (u64, Cid) {
        let rng = &mut self.rng;
        let peer = self
            .peers
            .entry(id)
            .or_insert_with(|| Box::new(Peer::new(rng.next_u64())));
        let incarnation = match known_as {
            Some(incarnation) => incarnation,
            // The dialler holds what we have forgotten, or never had confirmed: under the same name it would go on with that.
            None if init.remembered == Some(peer.incarnation) => rng.next_u64(),
            None => peer.incarnation,
        };
        let cid = *peer
            .next_cid
            .get_or_insert_with(|| worker.directory.issue(rng, Addressee::Pending(id)));
        (incarnation, cid)
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
}

/// Whether an INIT is for this association of its sender's: the sender remembers it, or names itself for the first time and
/// as it did when the association began here. A name alone does not tell: what a peer answered may have been forgotten at one
/// of the two ends.
pub(super) fn is_meant(known: &Association, init: &InitPayload, sender: Cid) -> bool {
    let names = known.incarnations();
    (names.remote == init.incarnation || planted(Fault::ContinueAfterRestart))
        && match init.remembered {
            Some(remembered) => remembered == names.local,
            None => known.first_remote() == sender || planted(Fault::ContinueAfterRestart),
        }
}

/// Whether the sender made this INIT before it knew what it has answered since: it remembers an earlier process of ours, and this
/// association shows that the same one of the sender's half associations answered the process that is. An answer would begin a
/// second association under one name, and end the first one.
fn is_outdated(known: &Association, init: &InitPayload) -> bool {
    let names = known.incarnations();
    names.remote == init.incarnation
        && init
            .remembered
            .is_some_and(|remembered| remembered != names.local)
}
