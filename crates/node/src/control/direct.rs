//! The way to a direct path: what we tell peers of our addresses, and which of theirs we probe.

use std::net::{IpAddr, SocketAddr};

use keyway_identity::NodeId;
use keyway_transport::Route;
use keyway_wire::{Candidate, Time};

use super::Control;
use super::alarms::Alarm;
use crate::io::SocketId;
use crate::keys::AssociationKey;
use crate::worker::Worker;

impl Control {
    /// The sockets or the addresses of this machine changed.
    pub(crate) fn set_sockets(
        &mut self,
        worker: &mut Worker,
        now: Time,
        bound: &[(SocketId, SocketAddr)],
        hosts: &[IpAddr],
    ) {
        self.sockets.set(bound);
        let candidates = self.sockets.host_candidates(hosts);
        if self.candidates.set_hosts(&candidates) {
            self.tell_candidates(worker, now);
            self.hurry_dials(worker, now);
        }
    }

    /// Somebody tells which address our packets come from. Servers alone are believed: a peer could make us tell others
    /// whatever it likes.
    pub(super) fn observed(
        &mut self,
        worker: &mut Worker,
        now: Time,
        peer: NodeId,
        address: SocketAddr,
    ) {
        let Some(server) = self.peers.get(&peer).and_then(|peer| peer.server) else {
            return;
        };
        if self.candidates.observed(server, address) {
            self.tell_candidates(worker, now);
        }
    }

    /// Sends our candidates to every peer that is not a server, and starts probing anew.
    fn tell_candidates(&mut self, worker: &mut Worker, now: Time) {
        let peers: Vec<_> = self
            .peers
            .iter()
            .filter(|(_, peer)| peer.server.is_none())
            .filter_map(|(id, peer)| Some((*id, peer.association?)))
            .collect();
        for (id, key) in peers {
            self.seek_direct_path(worker, now, id, key);
        }
    }

    /// Tells one peer our candidates. A server for others needs none: its clients know where it is.
    pub(super) fn seek_direct_path(
        &mut self,
        worker: &mut Worker,
        now: Time,
        id: NodeId,
        key: AssociationKey,
    ) {
        if self.relay.is_some() {
            return;
        }
        let candidates = self.candidates.list();
        if let Some(association) = worker.touch(key) {
            association.set_candidates(&candidates);
        }
        if let Some(peer) = self.peers.get_mut(&id) {
            peer.punching.set_local(now, &candidates);
        }
        self.schedule_punching(id);
    }

    pub(super) fn candidates_of(&mut self, now: Time, id: NodeId, candidates: &[Candidate]) {
        if self.relay.is_some() {
            return;
        }
        let own = &self.candidates;
        let fit: Vec<Candidate> = candidates
            .iter()
            .copied()
            .filter(|candidate| keyway_nat::may_probe(candidate.address, own))
            .filter(|candidate| self.sockets.towards(candidate.address).is_some())
            .collect();
        if let Some(peer) = self.peers.get_mut(&id) {
            peer.punching.set_remote(now, &fit);
        }
        self.schedule_punching(id);
    }

    /// An authentic packet of the peer came from an address that we had not known.
    pub(super) fn probed_from(&mut self, now: Time, id: NodeId, route: Route) {
        let Route::Direct { remote } = route else {
            return;
        };
        // It sent from there, so that it may be on this machine or this link; but nobody sends from a multicast address.
        if self.relay.is_none()
            && keyway_nat::may_answer(remote)
            && let Some(peer) = self.peers.get_mut(&id)
        {
            peer.punching.on_probed_from(now, remote);
        }
        self.schedule_punching(id);
    }

    pub(super) fn route_validated(&mut self, id: NodeId, route: Route) {
        if let (Route::Direct { .. }, Some(peer)) = (route, self.peers.get_mut(&id)) {
            peer.punching.on_direct_path();
        }
        self.schedule_punching(id);
    }

    pub(super) fn route_lost(&mut self, worker: &Worker, now: Time, id: NodeId, route: Route) {
        let Route::Direct { .. } = route else { return };
        let Some(peer) = self.peers.get_mut(&id) else {
            return;
        };
        let another = peer
            .association
            .and_then(|key| worker.get(key))
            .is_some_and(|association| {
                association
                    .paths()
                    .any(|path| path.validated && matches!(path.route, Route::Direct { .. }))
            });
        if !another {
            peer.punching.on_direct_lost(now);
        }
        self.schedule_punching(id);
    }

    /// Sends the probes that are due.
    pub(super) fn punch(&mut self, worker: &mut Worker, now: Time, id: NodeId) {
        let Some(peer) = self.peers.get_mut(&id) else {
            return;
        };
        peer.punching.handle_timeout(now);
        if let Some(association) = peer.association.and_then(|key| worker.touch(key)) {
            while self.probes.ready_at() <= now
                && let Some(remote) = peer.punching.poll_probe(now)
            {
                let route = Route::Direct { remote };
                if !self.probes.take(now, remote) {
                    continue;
                }
                if peer.punching.was_told(remote) {
                    association.probe(now, route);
                } else {
                    association.probe_back(now, route);
                }
            }
        }
        self.schedule_forgetting();
        self.schedule_punching(id);
    }

    fn schedule_punching(&mut self, id: NodeId) {
        let Some(peer) = self.peers.get(&id) else {
            return;
        };
        let wanted = peer.association.is_some() && peer.server.is_none();
        let next = peer.punching.poll_timeout().filter(|_| wanted);
        let deadline = next.map(|next| next.max(self.probes.ready_at()));
        self.alarms.set(Alarm::Punch(id), deadline);
    }
}
