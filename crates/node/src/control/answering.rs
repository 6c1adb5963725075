//! Answering: whose INIT is worked on, and which association its session belongs to.

use keyway_handshake::{Incoming, InitPayload, RespPayload, Session};
use keyway_identity::NodeId;
use keyway_transport::{Association, Incarnations, Route};
use keyway_wire::{Cid, Slot, Time, VERSION};
use rand_core::Rng;
use tracing::debug;

use super::{Alarm, Control};
use crate::answers::Known;
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

    /// Whether this INIT may be answered: by policy, by version, and as no replay.
    fn admits(&self, id: NodeId, payload: &InitPayload) -> bool {
        let known = self.peers.get(&id);
        let welcome = self.relay.is_some()
            || self.policy.welcomes(&id)
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
    names.remote == init.incarnation
        && match init.remembered {
            Some(remembered) => remembered == names.local,
            None => known.first_remote() == sender,
        }
}
