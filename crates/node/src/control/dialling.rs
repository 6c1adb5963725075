//! Dialling: when an INIT goes out, to where, and what its answer makes of it.

use std::collections::BTreeSet;

use keyway_handshake::{Dial, InitPayload, RespPayload};
use keyway_identity::NodeId;
use keyway_transport::{Incarnations, Route};
use keyway_wire::{Cid, Slot, Time, VERSION};
use tracing::debug;

use super::{Alarm, Control};
use crate::dial::Dialing;
use crate::directory::Addressee;
use crate::keys::AssociationKey;
use crate::worker::Worker;

/// Where the session of a first INIT lives at its sender: another slot than that of a first answer, since both handshakes
/// complete when two nodes dial each other at once.
const FIRST_DIAL_SLOT: Slot = Slot::ALL[0];

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
            routes.extend(association.paths().map(|path| path.route));
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

    pub(super) fn handle_resp(
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
        let asked = self.was_asked(worker, id, route);
        self.finish_dial(id);
        if let Some(association) = worker.touch(key) {
            let works = if asked { &[route][..] } else { &[] };
            association.install(now, session, generation, slot, resp.slot, works);
            if !asked {
                association.add_route(now, route);
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

    /// Whether our INIT went to this route, so that the answer from there proves it. An answer from elsewhere proves the peer
    /// alone: it may have written any address as its own.
    fn was_asked(&self, worker: &Worker, id: NodeId, route: Route) -> bool {
        matches!(route, Route::Relay { .. }) || self.routes_to(worker, id).contains(&route)
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

    /// Takes the pending INIT back: the peer's own handshake was first.
    pub(super) fn overtaken(&mut self, worker: &mut Worker, id: NodeId) {
        self.stop_dial(worker, id);
        if let Some(peer) = self.peers.get_mut(&id) {
            peer.handshake_wanted = false;
        }
    }
}
