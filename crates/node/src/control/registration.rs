//! Being found: this node's record at its servers, and what servers say.

use std::time::Duration;

use keyway_identity::{NodeId, Signed};
use keyway_rendezvous::{ClientEvent, EPOCH_JUMP_MAX, RECORD_SERVERS_MAX, Record};
use keyway_wire::{Time, VERSION};
use rand_core::Rng;
use tracing::debug;

use super::Control;
use super::alarms::Alarm;
use crate::event::Event;
use crate::worker::Worker;

impl Control {
    /// Signs and sends our record, if anybody may use anything here, and sets the next time to.
    pub(super) fn publish(&mut self, now: Time, index: u32) {
        let wall = self.wall.at(now);
        let servers: Vec<NodeId> = self
            .servers
            .iter()
            .map(|server| server.id)
            .take(RECORD_SERVERS_MAX)
            .collect();
        let Some(server) = self.servers.get_mut(index as usize) else {
            return;
        };
        if server.stream.is_none() || !self.policy.serves_anybody() {
            return;
        }
        server.sequence += 1;
        let record = Record {
            node: self.id,
            versions: vec![u32::from(VERSION)],
            epoch: self.epoch,
            instance: self.instance,
            sequence: server.sequence,
            servers,
            issued: wall,
            expiry: wall.saturating_add(self.config.record_lifetime),
        };
        match Signed::sign(record, &self.secret) {
            Ok(signed) => server.client.publish(&signed),
            Err(error) => tracing::error!(%error, "cannot sign this node's record"),
        }
        let jitter = Duration::from_millis(u64::from(self.rng.next_u32() % 5000));
        let pause = self.config.record_refresh.saturating_sub(jitter);
        self.alarms.set(Alarm::Publish(index), Some(now + pause));
    }

    /// Our own services changed: whether we are registered may change with them.
    pub(crate) fn publish_everywhere(&mut self, worker: &mut Worker, now: Time) {
        for index in 0..self.servers.len() {
            self.publish(now, u32::try_from(index).unwrap_or(u32::MAX));
        }
        self.flush_servers(worker, now);
    }

    pub(super) fn handle_client_event(
        &mut self,
        worker: &mut Worker,
        now: Time,
        index: u32,
        event: ClientEvent,
    ) {
        let Some(server) = self.servers.get_mut(index as usize) else {
            return;
        };
        match event {
            ClientEvent::Published { .. } => {
                let id = server.id;
                self.events.push_back(Event::Registered(id));
            }
            ClientEvent::Stale { epoch, .. } => self.overtake(now, index, epoch),
            ClientEvent::NotPublished { reason } => {
                tracing::warn!(server = %server.id, %reason, "the server does not list this node");
            }
            ClientEvent::Record { request, record } => {
                self.record_arrived(index, request, record.into_value());
            }
            ClientEvent::NotFound { request, .. } => self.record_missing(index, request),
            ClientEvent::Opened { peer, token, .. } => {
                self.channel_opened(worker, now, index, peer, token);
            }
            ClientEvent::Refused {
                request,
                peer,
                reason,
            } => {
                debug!(%peer, %reason, "a server refused");
                self.record_missing(index, request);
                self.channel_refused(index, peer);
            }
            ClientEvent::Offered {
                peer,
                token,
                first_packet,
            } => {
                self.channel_offered(worker, now, index, peer, token, &first_packet);
            }
            ClientEvent::ChannelClosed { token } => self.channel_closed(worker, now, token),
        }
    }

    /// A server knows the record of another start of this identity: this start becomes a later one, unless that would take a jump
    /// which others do not believe.
    fn overtake(&mut self, now: Time, index: u32, known: u64) {
        if known >= self.epoch && known - self.epoch <= EPOCH_JUMP_MAX {
            self.epoch = known + 1;
            self.publish(now, index);
        }
    }
}
