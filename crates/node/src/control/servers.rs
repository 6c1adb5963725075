//! The client's side of rendezvous: staying connected and registered, look-ups, relay channels.

use std::collections::{BTreeSet, VecDeque};
use std::net::SocketAddr;
use std::time::Duration;

use keyway_identity::{NodeId, Signed};
use keyway_rendezvous::{
    ClientEvent, ClientHalf, EPOCH_JUMP_MAX, RECORD_SERVERS_MAX, Record, RequestId, UNANSWERED_FOR,
};
use keyway_transport::{Channel, PingId, Route};
use keyway_wire::{StreamKind, Time, Token, VERSION};
use rand_core::Rng;
use tracing::{debug, info};

use super::{Alarm, Control, Internal};
use crate::event::Event;
use crate::keys::{AssociationKey, LookupId, StreamKey};
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
    stream: Option<StreamKey>,
    outgoing: VecDeque<u8>,
    sequence: u64,
    /// A ping of our own that is not answered yet.
    ping: Option<PingId>,
    /// When the association began.
    since: Time,
}

/// One look-up, asked of every server.
#[derive(Debug)]
pub(crate) struct Lookup {
    node: NodeId,
    asked: BTreeSet<(u32, RequestId)>,
    pending: BTreeSet<u32>,
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
        let service = super::internal::rendezvous();
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

    fn channel_closed(&mut self, worker: &mut Worker, now: Time, token: Token) {
        let Some((channel, id)) = self.channels.remove(&token) else {
            return;
        };
        let Some(peer) = self.peers.get_mut(&id) else {
            return;
        };
        peer.channels.retain(|known| *known != channel);
        peer.expected &= !peer.channels.is_empty();
        if let Some(association) = peer.association.and_then(|key| worker.touch(key)) {
            association.remove_route(now, Route::Relay { channel });
        }
        self.tidy(worker, id);
    }

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

    /// Asks every connected server for a channel to a peer that is being dialled, with the INIT inside the request.
    pub(super) fn ask_for_channels(&mut self, now: Time, id: NodeId) {
        let Some(peer) = self.peers.get_mut(&id) else {
            return;
        };
        if peer.server.is_some() {
            return;
        }
        let Some(dialing) = peer.dial.as_mut() else {
            return;
        };
        for (index, server) in self.servers.iter_mut().enumerate() {
            let index = u32::try_from(index).unwrap_or(u32::MAX);
            let has_channel = peer.channels.iter().any(|channel| channel.server == index);
            if server.stream.is_some() && !has_channel && dialing.asked.insert(index) {
                server.client.open(now, id, dialing.dial.packet());
            }
        }
    }

    /// A server came back: dials that wait go through it, and so do associations that had a channel there.
    fn renew_channels(&mut self, worker: &mut Worker, now: Time, index: u32) {
        self.hurry_dials(worker, now);
        let Some(server) = self.servers.get_mut(index as usize) else {
            return;
        };
        for (id, peer) in &self.peers {
            if peer.relayed_through.contains(&index) && peer.association.is_some() {
                server.client.open(now, *id, &[]);
            }
        }
    }

    pub(crate) fn lookup(&mut self, worker: &mut Worker, now: Time, node: NodeId) -> LookupId {
        let id = LookupId(self.fresh_id());
        let pending = (0..self.servers.len()).filter_map(|index| u32::try_from(index).ok());
        let lookup = Lookup {
            node,
            asked: BTreeSet::new(),
            pending: pending.collect(),
        };
        self.lookups.insert(id, lookup);
        for index in 0..self.servers.len() {
            self.ask_pending_lookups(now, u32::try_from(index).unwrap_or(u32::MAX));
        }
        self.flush_servers(worker, now);
        id
    }

    pub(crate) fn cancel_lookup(&mut self, id: LookupId) {
        self.lookups.remove(&id);
    }

    fn ask_pending_lookups(&mut self, now: Time, index: u32) {
        let Some(server) = self.servers.get_mut(index as usize) else {
            return;
        };
        if server.stream.is_none() {
            return;
        }
        for lookup in self.lookups.values_mut() {
            let asked = lookup.asked.iter().any(|(at, _)| *at == index);
            if lookup.pending.contains(&index) && !asked {
                lookup
                    .asked
                    .insert((index, server.client.lookup(now, lookup.node)));
            }
        }
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

    fn handle_client_event(
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
            ClientEvent::Stale { epoch, .. } => {
                if epoch >= self.epoch && epoch - self.epoch <= EPOCH_JUMP_MAX {
                    self.epoch = epoch + 1;
                    self.publish(now, index);
                }
            }
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
                // The peer may register yet: the next sending of the INIT asks again.
                if let Some(dialing) = self.peers.get_mut(&peer).and_then(|it| it.dial.as_mut()) {
                    dialing.asked.remove(&index);
                }
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

    fn record_arrived(&mut self, index: u32, request: RequestId, record: Record) {
        if let Some(id) = self.lookup_of(index, request) {
            self.lookups.remove(&id);
            self.events.push_back(Event::Record {
                id,
                record: Box::new(record),
            });
        }
    }

    fn record_missing(&mut self, index: u32, request: RequestId) {
        let Some(id) = self.lookup_of(index, request) else {
            return;
        };
        let Some(lookup) = self.lookups.get_mut(&id) else {
            return;
        };
        lookup.pending.remove(&index);
        if lookup.pending.is_empty() {
            self.lookups.remove(&id);
            self.events.push_back(Event::RecordNotFound { id });
        }
    }

    fn lookup_of(&self, index: u32, request: RequestId) -> Option<LookupId> {
        let asked = |lookup: &Lookup| lookup.asked.contains(&(index, request));
        self.lookups
            .iter()
            .find(|(_, lookup)| asked(lookup))
            .map(|(id, _)| *id)
    }

    fn channel_opened(
        &mut self,
        worker: &mut Worker,
        now: Time,
        server: u32,
        id: NodeId,
        token: Token,
    ) {
        if self
            .peers
            .get(&id)
            .is_some_and(|peer| peer.is_wanted() || peer.association.is_some())
        {
            self.keep_channel(worker, now, id, Channel { server, token });
        } else if let Some(server) = self.servers.get_mut(server as usize) {
            server.client.close_channel(token);
        }
    }

    /// A peer asks for us through a relay. Only whom policy admits gets a channel; anybody else meets silence.
    fn channel_offered(
        &mut self,
        worker: &mut Worker,
        now: Time,
        server: u32,
        id: NodeId,
        token: Token,
        first_packet: &[u8],
    ) {
        let known = self.peers.get(&id);
        let welcome = self.policy.welcomes(&id)
            || known.is_some_and(|peer| peer.association.is_some() || peer.is_wanted());
        if !welcome || id == self.id {
            if let Some(server) = self.servers.get_mut(server as usize) {
                server.client.close_channel(token);
            }
            return;
        }
        let channel = Channel { server, token };
        self.keep_channel(worker, now, id, channel);
        self.expect(now, id);
        if !first_packet.is_empty() {
            self.handle_handshake(worker, now, Route::Relay { channel }, first_packet);
        }
        self.tidy(worker, id);
    }

    /// The channel to a peer that has nothing else here stays open until an INIT has come through it, for as long as the server
    /// keeps it too: the peer goes on sending through it for that long, not being told if it is closed here.
    fn expect(&mut self, now: Time, id: NodeId) {
        self.peer(id).expected = true;
        let until = now + UNANSWERED_FOR;
        self.alarms.set(Alarm::Expected(id), Some(until));
    }

    pub(super) fn expect_no_more(&mut self, worker: &mut Worker, id: NodeId) {
        if let Some(peer) = self.peers.get_mut(&id) {
            peer.expected = false;
        }
        self.tidy(worker, id);
    }

    fn keep_channel(&mut self, worker: &mut Worker, now: Time, id: NodeId, channel: Channel) {
        let peer = self.peer(id);
        peer.relayed_through.insert(channel.server);
        let replaced = peer.set_channel(channel);
        let association = peer.association;
        if let Some(replaced) = replaced {
            self.channels.remove(&replaced.token);
            if let Some(association) = association.and_then(|key| worker.touch(key)) {
                association.remove_route(now, Route::Relay { channel: replaced });
            }
        }
        self.channels.insert(channel.token, (channel, id));
        if let Some(association) = association.and_then(|key| worker.touch(key)) {
            association.add_route(now, Route::Relay { channel });
        }
    }

    /// The channel that a relayed packet came through.
    pub(crate) fn channel(&self, token: Token) -> Option<Channel> {
        self.channels.get(&token).map(|(channel, _)| *channel)
    }
}
