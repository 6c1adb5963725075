//! Connections that the application asks for: one that is there, one that is under way, or a new one.

use std::net::SocketAddr;

use keyway_identity::NodeId;
use keyway_wire::Time;

use super::Control;
use super::lifecycle::is_open;
use crate::event::{ConnectFailure, Event};
use crate::keys::ConnectId;
use crate::worker::Worker;

impl Control {
    /// Makes a connection, or joins one that is under way.
    pub(crate) fn connect(
        &mut self,
        worker: &mut Worker,
        now: Time,
        peer: NodeId,
        hints: &[SocketAddr],
    ) -> ConnectId {
        let id = ConnectId(self.fresh_id());
        if peer == self.id {
            let reason = ConnectFailure::Myself;
            self.events.push_back(Event::ConnectFailed { id, reason });
            return id;
        }
        let known = self.association_of(&peer);
        if let Some(association) = known.filter(|key| is_open(worker, *key)) {
            self.events.push_back(Event::Connected {
                id,
                association,
                peer,
            });
            return id;
        }
        if hints.is_empty() && self.servers.is_empty() {
            let reason = ConnectFailure::NoRoute;
            self.events.push_back(Event::ConnectFailed { id, reason });
            return id;
        }
        let entry = self.peer(peer);
        entry.add_hints(hints);
        entry.waiting.push(id);
        // One that is about to end is of no use to anybody; its end makes room for another.
        if known.is_none() {
            self.want(worker, now, peer);
        }
        id
    }

    pub(crate) fn cancel(&mut self, worker: &mut Worker, id: ConnectId) {
        let waited = self.peers.iter_mut().find_map(|(peer, entry)| {
            let place = entry.waiting.iter().position(|waiting| *waiting == id)?;
            entry.waiting.remove(place);
            Some(*peer)
        });
        if let Some(peer) = waited {
            self.stop_unwanted_dial(worker, peer);
            self.tidy(worker, peer);
        }
    }
}
