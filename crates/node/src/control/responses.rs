//! What the answer to an INIT of ours makes of it: a session, inside the association that it speaks of.

use keyway_handshake::RespPayload;
use keyway_identity::NodeId;
use keyway_transport::{Incarnations, Route};
use keyway_wire::{Cid, Time};
use tracing::debug;

use super::Control;
use super::alarms::Alarm;
use crate::keys::AssociationKey;
use crate::worker::Worker;

impl Control {
    /// A RESP: the first one completes the handshake, whichever route it came by.
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
        peer.handshake_wanted = None;
        if let Some(dialing) = peer.dial.take() {
            self.dials.remove(&dialing.cid);
        }
    }
}
