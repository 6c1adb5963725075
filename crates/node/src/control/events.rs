//! What associations say, and whom it concerns.

use std::time::Duration;

use keyway_identity::NodeId;
use keyway_transport::{AssociationEvent, PingId, Route, codes};
use keyway_wire::{ServiceName, StreamKind, Time};

use super::Control;
use crate::directory::Addressee;
use crate::event::Event;
use crate::keys::{AssociationKey, StreamKey};
use crate::worker::Worker;

impl Control {
    /// Routes one event of an association to whom it concerns.
    pub(crate) fn handle_association_event(
        &mut self,
        worker: &mut Worker,
        now: Time,
        key: AssociationKey,
        event: AssociationEvent,
    ) {
        let Some(peer) = self.owners.get(&key).copied() else {
            return;
        };
        let stream = |stream| StreamKey {
            association: key,
            stream,
        };
        match event {
            AssociationEvent::Confirmed => self.confirmed(worker, now, key),
            AssociationEvent::Opened {
                stream: id,
                kind,
                service,
            } => self.opened(worker, now, peer, stream(id), kind, service),
            AssociationEvent::Readable(id) => self.readable(worker, now, stream(id)),
            AssociationEvent::Writable(id) => self.writable(worker, now, stream(id)),
            AssociationEvent::Stopped { stream: id, code } => {
                self.stopped(worker, now, stream(id), code)
            }
            AssociationEvent::Delivered(id) => self.tell(Event::Delivered(stream(id))),
            AssociationEvent::StreamsAvailable => self.tell(Event::StreamsAvailable(key)),
            AssociationEvent::DatagramReceived(id) => {
                self.tell(Event::DatagramReceived(stream(id)))
            }
            AssociationEvent::DatagramsUnblocked => self.tell(Event::DatagramsUnblocked(key)),
            AssociationEvent::CidWanted => self.issue_cid(worker, key),
            AssociationEvent::CidRetired(cid) => worker.retire_cid(key, &cid),
            AssociationEvent::HandshakeWanted => self.keys_wanted(worker, now, peer),
            AssociationEvent::Observed { address, .. } => self.observed(worker, now, peer, address),
            AssociationEvent::Candidates(list) => self.candidates_of(now, peer, &list),
            AssociationEvent::ProbedFrom(route) => self.probed_from(now, peer, route),
            AssociationEvent::RouteValidated(route) => self.route_validated(peer, route),
            AssociationEvent::RouteLost(route) => self.way_lost(worker, now, peer, route),
            AssociationEvent::Selected { route, .. } => self.selected(worker, key, peer, route),
            AssociationEvent::Stalled => self.tell(Event::Stalled(key)),
            AssociationEvent::Recovered => self.tell(Event::Recovered(key)),
            AssociationEvent::Pong { id, rtt, route } => self.pong(worker, key, id, rtt, route),
            AssociationEvent::Ended(reason) => self.finish(worker, now, key, reason),
        }
    }

    /// Something that is the application's.
    fn tell(&mut self, event: Event) {
        self.events.push_back(event);
    }

    fn issue_cid(&mut self, worker: &mut Worker, key: AssociationKey) {
        let cid = worker
            .directory
            .issue(&mut self.rng, Addressee::Association(key));
        worker.enter_cid(key, cid);
        if let Some(association) = worker.touch(key) {
            association.issue_cid(cid);
        }
    }

    /// The peer opened a stream. What it may not use looks like what does not exist.
    fn opened(
        &mut self,
        worker: &mut Worker,
        now: Time,
        peer: NodeId,
        stream: StreamKey,
        kind: StreamKind,
        service: ServiceName,
    ) {
        if service == keyway_rendezvous::service_name() && self.relay.is_some() {
            return self.client_arrived(worker, now, peer, stream);
        }
        if self.policy.permits(&peer, service.as_str()) {
            self.events.push_back(Event::Incoming {
                stream,
                peer,
                kind,
                service,
            });
            return;
        }
        if let Some(association) = worker.touch(stream.association) {
            association.reset(stream.stream, codes::UNKNOWN_SERVICE);
            association.stop(stream.stream, codes::UNKNOWN_SERVICE);
        }
    }

    fn readable(&mut self, worker: &mut Worker, now: Time, stream: StreamKey) {
        match self.internal(stream) {
            None => self.events.push_back(Event::Readable(stream)),
            Some(internal) => self.read_internal(worker, now, stream, internal),
        }
    }

    fn writable(&mut self, worker: &mut Worker, now: Time, stream: StreamKey) {
        match self.internal(stream) {
            None => self.events.push_back(Event::Writable(stream)),
            Some(internal) => self.write_internal(worker, now, stream, internal),
        }
    }

    fn stopped(&mut self, worker: &mut Worker, now: Time, stream: StreamKey, code: u64) {
        match self.internal(stream) {
            None => self.events.push_back(Event::Stopped { stream, code }),
            Some(internal) => self.internal_ended(worker, now, stream, internal),
        }
    }

    fn selected(&mut self, worker: &Worker, key: AssociationKey, peer: NodeId, route: Route) {
        if let Some(path) = self.path_kind(worker, route) {
            self.events.push_back(Event::PathSelected {
                association: key,
                peer,
                path,
            });
        }
    }

    /// The keys of an association are old or gone, or it has no way left to the peer.
    fn keys_wanted(&mut self, worker: &mut Worker, now: Time, peer: NodeId) {
        self.peer(peer).handshake_wanted = Some(now);
        self.want(worker, now, peer);
        self.speak_to_servers(worker, now, peer);
    }

    fn way_lost(&mut self, worker: &mut Worker, now: Time, peer: NodeId, route: Route) {
        self.route_lost(worker, now, peer, route);
        self.speak_to_servers(worker, now, peer);
    }

    fn pong(
        &mut self,
        worker: &Worker,
        association: AssociationKey,
        id: PingId,
        rtt: Duration,
        route: Route,
    ) {
        if self.server_answered(association, id) {
            return;
        }
        if let Some(path) = self.path_kind(worker, route) {
            self.events.push_back(Event::Pong {
                id,
                association,
                rtt,
                path,
            });
        }
    }
}
