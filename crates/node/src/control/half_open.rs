//! Associations that nobody confirmed yet: each stands for an answer that may have gone to nobody.

use keyway_handshake::InitPayload;
use keyway_identity::NodeId;
use keyway_wire::Cid;

use super::Control;
use super::alarms::Alarm;
use super::answering::is_meant;
use crate::keys::AssociationKey;
use crate::peer::{HALF_OPEN_PER_PEER_MAX, HalfOpen, Opened};
use crate::worker::Worker;

impl Control {
    /// Associations of this peer that nobody confirmed yet.
    pub(crate) fn half_open_of(&self, id: &NodeId) -> Vec<AssociationKey> {
        let half_open = self.peers.get(id).map(|peer| peer.half_open.as_slice());
        half_open
            .unwrap_or_default()
            .iter()
            .map(|half| half.association)
            .collect()
    }

    /// The half-open association that an earlier INIT made for the same one of the peer's, and our name for it.
    pub(super) fn same_half_open(
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

    /// Enters a new half-open association, at the cost of another one if there are too many. Of one peer's, one by an INIT
    /// of an earlier start goes first, since that can only be a copy. Of all peers', the oldest: an honest dialler needs a
    /// round trip, and whoever wants to keep it out has to send as many INITs as may be half open in that time.
    pub(super) fn remember_half_open(
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
        if self.half_open.len() > self.config.limits.half_open_max
            && let Some(oldest) = self.half_open.first().copied()
        {
            self.drop_half_open(worker, oldest);
        }
    }

    /// Remembers the later INIT from here on.
    pub(super) fn renew_half_open(&mut self, id: NodeId, key: AssociationKey, init: &InitPayload) {
        let half_open = self.peers.get_mut(&id).map(|peer| &mut peer.half_open);
        let mut half_open = half_open.into_iter().flatten();
        if let Some(half) = half_open.find(|half| half.association == key) {
            half.opened = Opened::by(init);
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
        if let Some(id) = self.owners.remove(&key) {
            self.answers.silence(&id, key);
        }
        self.alarms.set(Alarm::HalfOpen(key), None);
        worker.remove(key);
    }
}
