//! What happens when an association is confirmed, and when it ends.

use keyway_identity::NodeId;
use keyway_transport::{Association, EndReason, Keepalive, Route};
use keyway_wire::Time;
use keyway_wire::planted::{Fault, planted};
use rand_core::Rng;
use tracing::debug;

use super::Control;
use super::alarms::Alarm;
use crate::event::Event;
use crate::keys::AssociationKey;
use crate::worker::Worker;

/// Ended associations of one peer that stay readable at the same time. An honest one restarts now and then.
const ENDED_PER_PEER_MAX: usize = 8;

impl Control {
    /// A session of this association is confirmed. The first one makes it the peer's association.
    pub(super) fn confirmed(&mut self, worker: &mut Worker, now: Time, key: AssociationKey) {
        let Some(id) = self.owners.get(&key).copied() else {
            return;
        };
        self.answers.close(&id);
        if self.association_of(&id) == Some(key) {
            return self.rekeyed(worker, id);
        }
        self.promote(worker, now, id, key);
    }

    fn rekeyed(&mut self, worker: &mut Worker, id: NodeId) {
        if self
            .peers
            .get(&id)
            .is_some_and(|peer| peer.answered.is_some())
        {
            self.overtaken(worker, id);
        }
        let Some(peer) = self.peers.get_mut(&id) else {
            return;
        };
        if let Some(answered) = peer.answered.take() {
            peer.confirmed = Some(answered);
        }
        // The CID of that INIT went over the wire in clear and named nothing: another handshake draws another one.
        if peer.half_open.is_empty()
            && peer.dial.is_none()
            && let Some(cid) = peer.next_cid.take()
        {
            worker.directory.retire(&cid);
        }
    }

    /// A new association takes the peer's place; an older one was with a process that lost its state.
    fn promote(&mut self, worker: &mut Worker, now: Time, id: NodeId, key: AssociationKey) {
        // Before anything else lets go of this peer: with the place taken, nothing takes it for forgotten.
        self.overtaken(worker, id);
        let Some(peer) = self.peers.get_mut(&id) else {
            return;
        };
        let previous = peer.association.replace(key);
        if let Some(association) = worker.get(key) {
            peer.incarnation = association.incarnations().local;
        }
        peer.answered = None;
        peer.punching.on_new_association();
        if let Some(cid) = peer.next_cid.take() {
            worker.enter_cid(key, cid);
        }
        let (this, others): (Vec<_>, Vec<_>) = std::mem::take(&mut peer.half_open)
            .into_iter()
            .partition(|half| half.association == key);
        if let Some(half) = this.first() {
            peer.confirmed = Some(half.opened);
            self.half_open.remove(&key);
            self.alarms.set(Alarm::HalfOpen(key), None);
        }
        for other in others {
            self.abandon_half_open(worker, other.association);
        }
        if let Some(previous) = previous {
            self.finish(worker, now, previous, EndReason::PeerRestarted);
        }
        self.make_room(worker, now);
        self.welcome(worker, now, id, key);
    }

    /// Sets a fresh association to work: candidates, keepalive, whoever waited for it.
    fn welcome(&mut self, worker: &mut Worker, now: Time, id: NodeId, key: AssociationKey) {
        let Some(peer) = self.peers.get_mut(&id) else {
            return;
        };
        // The packet that confirmed it may have said goodbye as well: whoever waits, waits for another one.
        let waiting = if is_open(worker, key) {
            std::mem::take(&mut peer.waiting)
        } else {
            Vec::new()
        };
        let channels = peer.channels.clone();
        let server = peer.server;
        debug!(peer = %id, "connected");
        for connect in waiting {
            self.events.push_back(Event::Connected {
                id: connect,
                association: key,
                peer: id,
            });
        }
        if let Some(association) = worker.touch(key) {
            for channel in channels {
                association.add_route(now, Route::Relay { channel });
            }
            if server.is_some() {
                association.set_keepalive(Keepalive::Always);
            }
        }
        match server {
            Some(server) => self.server_connected(worker, now, server, key),
            None => self.seek_direct_path(worker, now, id, key),
        }
    }

    /// An association is over. What had arrived stays readable for a while.
    pub(super) fn finish(
        &mut self,
        worker: &mut Worker,
        now: Time,
        key: AssociationKey,
        reason: EndReason,
    ) {
        if self.half_open.contains(&key) {
            // Nobody was told of it.
            return self.drop_half_open(worker, key);
        }
        let Some(id) = self.owners.remove(&key) else {
            return;
        };
        if let Some((stream, internal)) = self.internal.get(&key).copied() {
            self.internal_ended(worker, now, stream, internal);
        }
        worker.retire_cids(key);
        if let Some(association) = worker.touch(key) {
            association.end(reason.clone());
        }
        self.linger(worker, now, id, key);
        debug!(peer = %id, ?reason, "association ended");
        self.events.push_back(Event::Ended {
            association: key,
            peer: id,
            reason,
        });
        self.detach(worker, now, id, key);
        self.close_servers(worker, now);
    }

    /// Keeps an ended association for a while, and of one peer not more than a few: it could begin and end them all day.
    fn linger(&mut self, worker: &mut Worker, now: Time, id: NodeId, key: AssociationKey) {
        self.ended.insert((id, key));
        let until = now + self.config.linger;
        self.alarms.set(Alarm::Forget(id, key), Some(until));
        let all = (id, AssociationKey(0))..=(id, AssociationKey(u64::MAX));
        let mut of_peer = self.ended.range(all);
        if let Some((_, oldest)) = of_peer.next().copied()
            && of_peer.count() >= ENDED_PER_PEER_MAX
        {
            self.alarms.set(Alarm::Forget(id, oldest), None);
            self.forget(worker, id, oldest);
        }
    }

    /// Lets go of an ended association, with what nobody has read.
    pub(super) fn forget(&mut self, worker: &mut Worker, id: NodeId, key: AssociationKey) {
        self.ended.remove(&(id, key));
        if planted(Fault::KeepEnded) {
            return;
        }
        worker.remove(key);
    }

    /// Takes an ended association out of its peer's entry; a server is dialled again, and whoever began to be waited for meanwhile.
    fn detach(&mut self, worker: &mut Worker, now: Time, id: NodeId, key: AssociationKey) {
        let fresh = self.rng.next_u64();
        let Some(peer) = self.peers.get_mut(&id) else {
            return;
        };
        let was_current = peer.association == Some(key);
        if was_current {
            peer.association = None;
            peer.incarnation = fresh;
            peer.answered = None;
            peer.handshake_wanted = None;
            peer.punching.on_new_association();
            self.overtaken(worker, id);
        }
        let server = self.peers.get(&id).and_then(|peer| peer.server);
        if let Some(server) = server {
            self.server_lost(worker, now, server, key);
            self.redial_server(worker, now, server, id);
        } else if was_current {
            self.want(worker, now, id);
        }
        self.tidy(worker, id);
    }

    /// Says goodbye to one peer. The association that ends, if there is one that was confirmed.
    pub(crate) fn disconnect(
        &self,
        worker: &mut Worker,
        now: Time,
        peer: &NodeId,
        code: u64,
        reason: &str,
    ) -> Option<AssociationKey> {
        let key = self.association_of(peer)?;
        self.close_all(worker, now, &[key], code, reason);
        Some(key)
    }

    /// Says goodbye to everybody; nothing is dialled or answered from here on.
    pub(crate) fn close(&mut self, worker: &mut Worker, now: Time, code: u64, reason: &str) {
        self.closing = true;
        let half_open: Vec<_> = self
            .peers
            .values()
            .flat_map(|peer| peer.half_open.iter().map(|half| half.association))
            .collect();
        for key in half_open {
            self.drop_half_open(worker, key);
        }
        let dialled: Vec<_> = self.dials.values().copied().collect();
        for id in dialled {
            self.overtaken(worker, id);
        }
        let peers = self.owners_by_role(false);
        self.close_all(worker, now, &peers, code, reason);
        self.goodbye = Some((code, reason.to_owned()));
        self.close_servers(worker, now);
    }

    /// Says goodbye to the servers too once everybody else has heard: with the servers the relayed paths go.
    fn close_servers(&mut self, worker: &mut Worker, now: Time) {
        if !self.owners_by_role(false).is_empty() {
            return;
        }
        if let Some((code, reason)) = self.goodbye.take() {
            let servers = self.owners_by_role(true);
            self.close_all(worker, now, &servers, code, &reason);
        }
    }

    /// The associations with servers of ours, or those with everybody else.
    fn owners_by_role(&self, servers: bool) -> Vec<AssociationKey> {
        let is_server = |id: &NodeId| self.peers.get(id).is_some_and(|peer| peer.server.is_some());
        let owners = self.owners.iter();
        owners
            .filter(|(_, id)| is_server(id) == servers)
            .map(|(key, _)| *key)
            .collect()
    }

    fn close_all(
        &self,
        worker: &mut Worker,
        now: Time,
        keys: &[AssociationKey],
        code: u64,
        reason: &str,
    ) {
        for key in keys {
            if let Some(association) = worker.touch(*key) {
                association.close(now, code, reason);
            }
        }
    }

    /// True when every association has delivered what was written.
    pub(crate) fn is_drained(&self, worker: &Worker) -> bool {
        self.owners
            .keys()
            .all(|key| worker.get(*key).is_none_or(Association::is_drained))
    }

    /// True when every association that was there at [`close`](Self::close) has ended.
    pub(crate) fn is_closed(&self) -> bool {
        self.closing && self.owners.is_empty()
    }
}

/// Whether streams can be opened over an association: it neither closes nor has ended.
pub(super) fn is_open(worker: &Worker, key: AssociationKey) -> bool {
    worker.get(key).is_some_and(Association::is_open)
}
