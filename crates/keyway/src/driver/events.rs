//! What the node tells.

use keyway_identity::NodeId;
use keyway_node::{EndReason, Event, LookupId, StreamKey};
use keyway_wire::{ServiceName, StreamKind, Time};
use tokio::sync::mpsc::error::TrySendError;

use super::{Driver, EVENTS_PER_ROUND};
use crate::codes;
use crate::error::{ConnectionError, LookupError};
use crate::listener::{IncomingFlow, IncomingStream};
use crate::meaning;
use crate::path::{Pong, Route};
use crate::record::Record;

impl Driver {
    /// Hands out what the node has to tell, as much as one round may. True if there was anything.
    pub(super) fn hand_out_events(&mut self, now: Time) -> bool {
        for count in 0..EVENTS_PER_ROUND {
            let Some(event) = self.node.poll_event() else {
                return count > 0;
            };
            self.hand_out(now, event);
        }
        true
    }

    fn hand_out(&mut self, now: Time, event: Event) {
        match event {
            Event::Readable(stream) => self.channels.readable(stream),
            Event::Writable(stream) => self.channels.writable(stream),
            Event::DatagramReceived(flow) => self.channels.datagram(flow),
            Event::DatagramsUnblocked(association) => {
                self.channels.datagrams_unblocked(&self.node, association)
            }
            Event::Stopped { stream, code } => {
                self.channels
                    .stopped(stream, meaning::stopped(code), &mut self.wakes);
            }
            Event::Incoming {
                stream,
                peer,
                kind,
                service,
            } => self.incoming(now, stream, peer, kind, service),
            Event::Connected {
                id, association, ..
            } => self.connected(now, id, association),
            Event::ConnectFailed { id, reason } => self.connect_failed(id, reason),
            Event::StreamsAvailable(association) => self.resume_dials(now, association),
            Event::Ended {
                association,
                reason,
                ..
            } => {
                self.stalls.end(association);
                self.disconnecting
                    .retain(|(ending, _)| *ending != association);
                let lost = if reason == EndReason::Local && !self.phase.is_running() {
                    ConnectionError::NodeClosed
                } else {
                    meaning::lost(reason)
                };
                self.channels
                    .end(&mut self.node, association, &lost, &mut self.wakes);
                self.restart_dials(now, association);
            }
            Event::PathSelected {
                association,
                peer,
                path,
            } => {
                tracing::debug!(%peer, path = %Route::from_kind(path), "packets go this way");
                self.channels.path_changed(&self.node, association);
            }
            Event::Stalled(association) => self.stalls.begin(now, association),
            Event::Recovered(association) => {
                self.stalls.end(association);
                self.resume_dials(now, association);
            }
            Event::Pong {
                id,
                association,
                rtt,
                path,
            } => {
                let route = Route::from_kind(path);
                self.pong(now, association, id, Pong { rtt, route });
            }
            Event::Record { id, record } => self.answer_lookup(id, |_| Ok(Record::new(*record))),
            Event::RecordNotFound { id } => {
                self.answer_lookup(id, |peer| Err(LookupError::NotFound { peer }))
            }
            Event::ServerConnected(server) => {
                self.servers.connected.insert(server);
                self.servers.publish();
            }
            Event::Registered(server) => {
                self.servers.registered.insert(server);
                self.servers.publish();
            }
            Event::ServerLost(server) => {
                self.servers.connected.remove(&server);
                self.servers.registered.remove(&server);
                self.servers.publish();
            }
            // Whether everything has arrived matters at the end only, and is asked for then.
            Event::Delivered(_) => {}
        }
    }

    fn incoming(
        &mut self,
        now: Time,
        key: StreamKey,
        peer: NodeId,
        kind: StreamKind,
        service: ServiceName,
    ) {
        self.turn.on_incoming();
        match kind {
            StreamKind::Bytes => {
                let incoming =
                    IncomingStream::new(self.new_stream(now, key, peer, service.clone()));
                // Without a listener the stream is refused by being dropped: the last one has gone a moment ago.
                let Some(backlog) = self.listeners.get(&service) else {
                    return;
                };
                if let Err(TrySendError::Full(incoming)) = backlog.streams.try_send(incoming) {
                    incoming.refuse(codes::OVERLOADED);
                }
            }
            StreamKind::Datagrams => {
                let incoming = IncomingFlow::new(self.new_flow(now, key, peer, service.clone()));
                let Some(backlog) = self.listeners.get(&service) else {
                    return;
                };
                if let Err(TrySendError::Full(incoming)) = backlog.flows.try_send(incoming) {
                    incoming.refuse(codes::OVERLOADED);
                }
            }
        }
    }

    fn answer_lookup(
        &mut self,
        id: LookupId,
        answer: impl FnOnce(NodeId) -> Result<Record, LookupError>,
    ) {
        if let Some(place) = self.lookups.iter().position(|lookup| lookup.id == id) {
            let lookup = self.lookups.swap_remove(place);
            // Nobody may be waiting any more.
            let _ = lookup.reply.send(answer(lookup.peer));
        }
    }
}
