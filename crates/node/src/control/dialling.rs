//! Dialling: when an INIT goes out, and to where.

use std::collections::BTreeSet;

use keyway_handshake::{Dial, InitPayload};
use keyway_identity::NodeId;
use keyway_transport::Route;
use keyway_wire::{Cid, Slot, Time, VERSION};
use tracing::debug;

use super::Control;
use super::alarms::Alarm;
use crate::dial::Dialing;
use crate::directory::Addressee;
use crate::worker::Worker;

/// Where the session of a first INIT lives at its sender: another slot than that of a first answer, since both handshakes
/// complete when two nodes dial each other at once.
const FIRST_DIAL_SLOT: Slot = Slot::ALL[0];

/// What an INIT says of the session that it would make.
struct Place {
    slot: Slot,
    generation: u64,
    /// The peer's half of the name of the association that is.
    remembered: Option<u64>,
}

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
        let Some(place) = self.next_place(worker, id) else {
            // All four slots are taken by sessions that are about to end.
            let again = now + self.config.retries[0];
            return self.alarms.set(Alarm::Dial(id), Some(again));
        };
        let slot = place.slot;
        let Some((cid, dial)) = self.make_init(worker, id, &place) else {
            return self.release_slot(worker, id, slot);
        };
        if let Some(peer) = self.peers.get_mut(&id) {
            peer.dial = Some(Box::new(Dialing {
                dial,
                cid,
                slot,
                generation: place.generation,
                created: now,
                sendings,
                asked: BTreeSet::new(),
                repeated: BTreeSet::new(),
            }));
        }
        self.dials.insert(cid, id);
        self.send_init(worker, now, id);
    }

    /// Where the next session with a peer belongs, its slot reserved; `None` while no slot is free.
    fn next_place(&self, worker: &mut Worker, id: NodeId) -> Option<Place> {
        let key = self.association_of(&id);
        let Some(association) = key.and_then(|key| worker.touch(key)) else {
            return Some(Place {
                slot: FIRST_DIAL_SLOT,
                generation: 0,
                remembered: None,
            });
        };
        let slot = association.free_slot()?;
        let current = association.generation();
        association.reserve_slot(slot).then_some(Place {
            slot,
            // The peer may have named any number.
            generation: current.map_or(0, |current| current.saturating_add(1)),
            remembered: Some(association.incarnations().remote),
        })
    }

    fn make_init(&mut self, worker: &mut Worker, id: NodeId, place: &Place) -> Option<(Cid, Dial)> {
        self.counter += 1;
        let parameters = self.parameters();
        let rng = &mut self.rng;
        let peer = self.peers.get_mut(&id)?;
        let cid = *peer
            .next_cid
            .get_or_insert_with(|| worker.directory.issue(rng, Addressee::Pending(id)));
        let payload = InitPayload {
            initiator: self.id,
            versions: vec![u32::from(VERSION)],
            epoch: self.epoch,
            instance: self.instance,
            counter: self.counter,
            generation: place.generation,
            incarnation: peer.incarnation,
            remembered: place.remembered,
            slot: place.slot,
            parameters,
        };
        match Dial::new(&self.identity, &id, cid, &payload, rng) {
            Ok(dial) => Some((cid, dial)),
            Err(error) => {
                debug!(peer = %id, %error, "cannot make an INIT");
                None
            }
        }
    }

    /// Sends the pending INIT on every route that we know, and sets the next time to.
    pub(super) fn send_init(&mut self, worker: &mut Worker, now: Time, id: NodeId) {
        let fresh = 2 * self.config.association.handshake_repeat;
        let Some(peer) = self.peers.get_mut(&id) else {
            return;
        };
        peer.handshake_wanted
            .take_if(|asked| now.saturating_since(*asked) > fresh);
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
        self.send_init_once(worker, now, id);
    }

    fn send_init_once(&mut self, worker: &Worker, now: Time, id: NodeId) {
        let routes = self.routes_to(worker, id);
        let Some(peer) = self.peers.get_mut(&id) else {
            return;
        };
        let Some(dialing) = peer.dial.as_mut() else {
            return;
        };
        dialing.sendings += 1;
        dialing.repeated.clear();
        let pause = dialing.pause(&self.config.retries, &mut self.rng);
        self.alarms.set(Alarm::Dial(id), Some(now + pause));
        let packet = |route| match peer.cookies.get(now, route) {
            Some(cookie) => dialing.dial.packet_with(cookie).to_vec(),
            None => dialing.dial.packet().to_vec(),
        };
        let packets: Vec<_> = routes.iter().map(|route| packet(*route)).collect();
        for (route, packet) in routes.into_iter().zip(packets) {
            self.outbox.send(route, packet);
        }
    }

    /// The peer is under load: the INIT goes out again at once where it asked for a cookie, and the cookie is kept for later ones.
    pub(super) fn handle_cookie(
        &mut self,
        worker: &Worker,
        now: Time,
        route: Route,
        receiver: Cid,
        packet: &[u8],
    ) {
        let Some(id) = self.dials.get(&receiver).copied() else {
            return;
        };
        if !self.routes_to(worker, id).contains(&route) {
            return debug!(peer = %id, "a COOKIE came from where no INIT went");
        }
        let Some(peer) = self.peers.get_mut(&id) else {
            return;
        };
        let Some(dialing) = peer.dial.as_mut() else {
            return;
        };
        let cookie = match dialing.dial.read_cookie(packet) {
            Ok(cookie) => cookie,
            Err(error) => return debug!(peer = %id, %error, "a COOKIE was dropped"),
        };
        let first = dialing.repeated.insert(route);
        let again = first.then(|| dialing.dial.packet_with(&cookie).to_vec());
        peer.cookies.keep(now, route, cookie);
        if let Some(again) = again {
            self.outbox.send(route, again);
        }
    }

    /// Something changed that may make dials succeed that did not: they begin their schedule anew.
    pub(super) fn hurry_dials(&mut self, worker: &mut Worker, now: Time) {
        let dialled: BTreeSet<NodeId> = self.dials.values().copied().collect();
        for id in dialled {
            if let Some(dialing) = self.peers.get_mut(&id).and_then(|peer| peer.dial.as_mut()) {
                dialing.sendings = 0;
                self.send_init(worker, now, id);
            }
        }
    }

    /// Every way that might reach the peer: the paths of the association, hints, and relay channels.
    pub(super) fn routes_to(&self, worker: &Worker, id: NodeId) -> Vec<Route> {
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
            self.release_slot(worker, id, dialing.slot);
        }
        self.alarms.set(Alarm::Dial(id), None);
    }

    fn release_slot(&self, worker: &mut Worker, id: NodeId, slot: Slot) {
        let key = self.association_of(&id);
        if let Some(association) = key.and_then(|key| worker.touch(key)) {
            association.release_slot(slot);
        }
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
            peer.handshake_wanted = None;
        }
    }
}
