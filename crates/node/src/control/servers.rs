//! The client's side of rendezvous: staying connected to servers, and what goes to them and comes from them.

use std::collections::VecDeque;
use std::net::SocketAddr;
use std::time::Duration;

use keyway_identity::NodeId;
use keyway_rendezvous::ClientHalf;
use keyway_transport::PingId;
use keyway_wire::{StreamKind, Time, Token};
use rand_core::Rng;
use tracing::info;

use super::Control;
use super::alarms::Alarm;
use super::internal::Internal;
use crate::event::Event;
use crate::keys::{AssociationKey, StreamKey};
use crate::worker::Worker;

/// Octets that may wait for a server's stream. Requests are some hundred octets each, an INIT one thousand.
const OUTGOING_MAX: usize = 256 * 1024;

/// From the end of an association with a server that was of no use to the next dial.
const REDIAL_PAUSE: Duration = Duration::from_secs(3);

/// One server that this node was told of.
#[derive(Debug)]
pub(crate) struct Server {
    pub(crate) id: NodeId,
    pub(crate) association: Option<AssociationKey>,
    pub(crate) client: ClientHalf,
    pub(super) stream: Option<StreamKey>,
    outgoing: VecDeque<u8>,
    /// Of the record that was published there last.
    pub(super) sequence: u64,
    /// A ping of our own that is not answered yet.
    ping: Option<PingId>,
    /// When the association began.
    since: Time,
}

impl Control {
    /// Adds a server, or more addresses of one that is known. The node stays connected to it from here on.
    pub(crate) fn add_server(
        &mut self,
        worker: &mut Worker,
        now: Time,
        id: NodeId,
        addresses: &[SocketAddr],
    ) {
        if id == self.id {
            return;
        }
        let index = u32::try_from(self.servers.len()).unwrap_or(u32::MAX);
        let peer = self.peer(id);
        peer.add_hints(addresses);
        if peer.server.is_none() {
            peer.server = Some(index);
            self.servers.push(Server {
                id,
                association: None,
                client: ClientHalf::new(),
                stream: None,
                outgoing: VecDeque::new(),
                sequence: 0,
                ping: None,
                since: now,
            });
        }
        self.want(worker, now, id);
    }

    pub(super) fn server_connected(
        &mut self,
        worker: &mut Worker,
        now: Time,
        index: u32,
        key: AssociationKey,
    ) {
        let Some(server) = self.servers.get_mut(index as usize) else {
            return;
        };
        server.association = Some(key);
        server.since = now;
        let service = keyway_rendezvous::service_name();
        let opened = worker
            .touch(key)
            .and_then(|it| it.open(StreamKind::Bytes, &service).ok());
        let Some(stream) = opened else { return };
        let stream = StreamKey {
            association: key,
            stream,
        };
        server.stream = Some(stream);
        server.client.connected();
        info!(server = %server.id, "server connected");
        self.events.push_back(Event::ServerConnected(server.id));
        self.internal.insert(key, (stream, Internal::Client(index)));
        self.publish(now, index);
        self.ask_pending_lookups(now, index);
        self.renew_channels(worker, now, index);
        self.flush_servers(worker, now);
    }

    /// Something is wrong with the way to a peer. If that is because our own address changed, relays drop what we send until the
    /// associations with them have spoken from the new one: they do so now, rather than at their next keepalive.
    pub(super) fn speak_to_servers(&mut self, worker: &mut Worker, now: Time, id: NodeId) {
        if self.peers.get(&id).is_none_or(|peer| peer.server.is_some()) {
            return;
        }
        for server in &mut self.servers {
            if server.ping.is_none()
                && let Some(association) = server.association.and_then(|key| worker.touch(key))
            {
                server.ping = Some(association.ping(now));
            }
        }
    }

    /// Whether this answers a ping of [`speak_to_servers`](Self::speak_to_servers), which no application asked for.
    pub(super) fn server_answered(&mut self, key: AssociationKey, id: PingId) -> bool {
        let asked =
            |server: &&mut Server| server.association == Some(key) && server.ping == Some(id);
        self.servers
            .iter_mut()
            .find(asked)
            .and_then(|server| server.ping.take())
            .is_some()
    }

    /// The association with a server is gone, and with it all channels through that server.
    pub(super) fn server_lost(
        &mut self,
        worker: &mut Worker,
        now: Time,
        index: u32,
        key: AssociationKey,
    ) {
        let Some(server) = self.servers.get_mut(index as usize) else {
            return;
        };
        if server.association != Some(key) {
            return;
        }
        server.association = None;
        server.stream = None;
        server.ping = None;
        server.outgoing.clear();
        server.client.disconnected();
        self.events.push_back(Event::ServerLost(server.id));
        let lost: Vec<Token> = self
            .channels
            .iter()
            .filter(|(_, (channel, _))| channel.server == index)
            .map(|(token, _)| *token)
            .collect();
        for token in lost {
            self.channel_closed(worker, now, token);
        }
    }

    /// Dials a server again whose association ended: at once, but for one that ended as soon as it had begun. A server that has
    /// no room would be asked for it in each round trip.
    pub(super) fn redial_server(&mut self, worker: &mut Worker, now: Time, index: u32, id: NodeId) {
        let since = self.servers.get(index as usize).map(|server| server.since);
        if since.is_some_and(|since| now.saturating_since(since) >= REDIAL_PAUSE) {
            return self.want(worker, now, id);
        }
        let jitter = Duration::from_millis(u64::from(self.rng.next_u32() % 1000));
        let again = now + REDIAL_PAUSE + jitter;
        self.alarms.set(Alarm::Dial(id), Some(again));
    }

    pub(super) fn server_timeout(&mut self, worker: &mut Worker, now: Time, index: u32) {
        if let Some(server) = self.servers.get_mut(index as usize) {
            server.client.handle_timeout(now);
        }
        self.flush_servers(worker, now);
    }

    /// Carries what the client halves have to say, both to their streams and to us.
    pub(crate) fn flush_servers(&mut self, worker: &mut Worker, now: Time) {
        for index in 0..self.servers.len() {
            let index = u32::try_from(index).unwrap_or(u32::MAX);
            while let Some(event) = self
                .servers
                .get_mut(index as usize)
                .and_then(|server| server.client.poll_event())
            {
                self.handle_client_event(worker, now, index, event);
            }
            self.write_to_server(worker, index);
            if let Some(server) = self.servers.get(index as usize) {
                self.alarms
                    .set(Alarm::Server(index), server.client.poll_timeout());
            }
        }
    }

    pub(super) fn write_to_server(&mut self, worker: &mut Worker, index: u32) {
        let Some(server) = self.servers.get_mut(index as usize) else {
            return;
        };
        while let Some(bytes) = server.client.poll_output() {
            if server.outgoing.len() + bytes.len() <= OUTGOING_MAX {
                server.outgoing.extend(bytes);
            }
        }
        let Some(stream) = server.stream else { return };
        if server.outgoing.is_empty() {
            return;
        }
        if let Some(association) = worker.touch(stream.association) {
            let waiting = server.outgoing.make_contiguous();
            let written = association.write(stream.stream, waiting).unwrap_or(0);
            server.outgoing.drain(..written);
        }
    }

    pub(super) fn read_from_server(
        &mut self,
        worker: &mut Worker,
        now: Time,
        index: u32,
        bytes: &[u8],
    ) {
        let wall = self.wall.at(now);
        let Some(server) = self.servers.get_mut(index as usize) else {
            return;
        };
        if let Err(error) = server.client.handle_bytes(wall, &mut self.seen, bytes) {
            info!(server = %server.id, %error, "the server does not keep to the protocol; connecting anew");
            if let Some(association) = server.association.and_then(|key| worker.touch(key)) {
                association.close(
                    now,
                    keyway_transport::codes::PROTOCOL_VIOLATION,
                    "rendezvous",
                );
            }
        }
        self.flush_servers(worker, now);
    }
}
