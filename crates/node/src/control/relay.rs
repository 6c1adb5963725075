//! The server's side: records of others, and packets between others, forwarded unread.

use std::collections::BTreeMap;
use std::net::SocketAddr;

use keyway_identity::NodeId;
use keyway_rendezvous::{ClientId, ServerHalf, ServerOutput};
use keyway_transport::codes;
use keyway_wire::{RELAY_HEADER_LEN, RelayHeader, Time, Token};
use tracing::debug;

use super::Control;
use super::alarms::Alarm;
use super::internal::Internal;
use super::routes::{direct_address, is_validated};
use crate::forward_queue::{Forward, ForwardQueue};
use crate::keys::{AssociationKey, StreamKey};
use crate::limits::Limits;
use crate::worker::Worker;

/// One client's stream to us.
#[derive(Debug)]
struct Client {
    stream: StreamKey,
    /// What the stream did not take. The server half holds back the rest meanwhile, within bounds.
    outgoing: Vec<u8>,
}

/// The server role of a node.
pub(crate) struct RelayServer {
    half: ServerHalf,
    clients: BTreeMap<ClientId, Client>,
    forwards: ForwardQueue,
}

impl std::fmt::Debug for RelayServer {
    fn fmt(&self, formatter: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        formatter
            .debug_struct("RelayServer")
            .field("clients", &self.clients.len())
            .field("channels", &self.half.relay().len())
            .field("forwards", &self.forwards.len())
            .finish_non_exhaustive()
    }
}

impl RelayServer {
    pub(crate) fn new(seed: [u8; 32], limits: &Limits) -> Self {
        Self {
            half: ServerHalf::new(seed, limits.rendezvous.clone()),
            clients: BTreeMap::new(),
            forwards: ForwardQueue::default(),
        }
    }

    pub(super) fn clients(&self) -> usize {
        self.clients.len()
    }

    pub(super) fn has_forwards(&self) -> bool {
        !self.forwards.is_empty()
    }

    /// Writes what waited and then `bytes`; what the stream does not take waits here.
    fn write(&mut self, worker: &mut Worker, id: ClientId, bytes: &[u8]) {
        let Some(client) = self.clients.get_mut(&id) else {
            return;
        };
        client.outgoing.extend_from_slice(bytes);
        if let Some(association) = worker.touch(client.stream.association) {
            while !client.outgoing.is_empty()
                && let Ok(written) = association.write(client.stream.stream, &client.outgoing)
            {
                client.outgoing.drain(..written);
            }
        }
        self.half.set_blocked(id, !client.outgoing.is_empty());
    }
}

/// A client is named by its association.
fn client_id(key: AssociationKey) -> ClientId {
    ClientId(key.0)
}

impl Control {
    pub(super) fn client_arrived(
        &mut self,
        worker: &mut Worker,
        now: Time,
        peer: NodeId,
        stream: StreamKey,
    ) {
        let Some(relay) = self.relay.as_mut() else {
            return;
        };
        let client = client_id(stream.association);
        if let Some(previous) = relay.clients.remove(&client) {
            relay.half.disconnected(now, client);
            // Whoever holds on to it would wait for ever.
            if let Some(association) = worker.touch(stream.association) {
                association.reset(previous.stream.stream, codes::SUPERSEDED);
                association.stop(previous.stream.stream, codes::SUPERSEDED);
            }
        }
        let address = direct_address(worker, stream.association).map(|address| address.ip());
        relay.half.connected(now, client, peer, address);
        relay.clients.insert(
            client,
            Client {
                stream,
                outgoing: Vec::new(),
            },
        );
        self.internal
            .insert(stream.association, (stream, Internal::Served));
        self.flush_clients(worker, now);
    }

    pub(super) fn read_from_client(
        &mut self,
        worker: &mut Worker,
        now: Time,
        stream: StreamKey,
        bytes: &[u8],
    ) {
        let wall = self.wall.at(now);
        let Some(relay) = self.relay.as_mut() else {
            return;
        };
        let client = client_id(stream.association);
        if let Err(error) = relay.half.handle_bytes(now, wall, client, bytes) {
            debug!(%error, "a client does not keep to the protocol");
            if let Some(association) = worker.touch(stream.association) {
                association.close(now, codes::PROTOCOL_VIOLATION, "rendezvous");
            }
        }
        self.flush_clients(worker, now);
    }

    /// Carries answers and pushes to the clients' streams.
    fn flush_clients(&mut self, worker: &mut Worker, now: Time) {
        let Some(relay) = self.relay.as_mut() else {
            return;
        };
        while let Some(output) = relay.half.poll_output() {
            match output {
                ServerOutput::Send { client, bytes } => relay.write(worker, client, &bytes),
                ServerOutput::Close { client } => {
                    if let Some(association) = worker.touch(AssociationKey(client.0)) {
                        association.close(now, codes::OVERLOADED, "too much for this server");
                    }
                }
            }
        }
        self.alarms.set(Alarm::Relay, relay.half.poll_timeout());
    }

    /// The client's stream takes octets again.
    pub(super) fn write_to_client(&mut self, worker: &mut Worker, now: Time, stream: StreamKey) {
        if let Some(relay) = self.relay.as_mut() {
            relay.write(worker, client_id(stream.association), &[]);
        }
        self.flush_clients(worker, now);
    }

    pub(super) fn client_left(&mut self, worker: &mut Worker, now: Time, stream: StreamKey) {
        let Some(relay) = self.relay.as_mut() else {
            return;
        };
        let client = client_id(stream.association);
        if relay
            .clients
            .get(&client)
            .is_some_and(|known| known.stream == stream)
        {
            relay.clients.remove(&client);
            relay.half.disconnected(now, client);
            self.flush_clients(worker, now);
        }
    }

    pub(super) fn relay_timeout(&mut self, worker: &mut Worker, now: Time) {
        let wall = self.wall.at(now);
        if let Some(relay) = self.relay.as_mut() {
            relay.half.handle_timeout(now, wall);
        }
        self.flush_clients(worker, now);
    }

    /// Forwards a batch of relay packets: the first packet's token decides for all that bear the same, and each goes on with
    /// the other end's token instead. Returns how many octets it took; zero where the token is none of this relay's.
    pub(crate) fn relay_batch(
        &mut self,
        worker: &mut Worker,
        now: Time,
        source: SocketAddr,
        packets: &[u8],
        stride: usize,
    ) -> usize {
        let Some(relay) = self.relay.as_mut() else {
            return 0;
        };
        let Some(token) = first_token(packets, stride) else {
            return 0;
        };
        let Some(target) = relay.half.relay().route(&token) else {
            return 0;
        };
        let len = run_len(packets, stride, &token);
        if !is_validated(worker, AssociationKey(target.from.0), source) {
            return len;
        }
        // A client may have written any address as its own: before it has answered there, others' packets do not go there.
        let to = AssociationKey(target.to.0);
        let Some(to) =
            direct_address(worker, to).filter(|remote| is_validated(worker, to, *remote))
        else {
            return len;
        };
        let mut bytes = packets[..len].to_vec();
        for packet in bytes.chunks_mut(stride) {
            RelayHeader {
                token: target.token,
            }
            .emit(&mut packet[..RELAY_HEADER_LEN]);
        }
        relay.half.forwarded(now, &token, len);
        let forward = Forward {
            to,
            bytes,
            segment_size: stride,
        };
        let limits = &self.config.limits;
        relay.forwards.push(now, limits, target.from, forward);
        len
    }

    /// The next batch between others that goes out, each client in its turn.
    pub(crate) fn next_forward(&mut self, now: Time) -> Option<Forward> {
        let relay = self.relay.as_mut()?;
        relay.forwards.pop(now, &self.config.limits)
    }
}

/// The channel that the first packet of a batch names.
fn first_token(packets: &[u8], stride: usize) -> Option<Token> {
    let first = packets.chunks(stride).next()?;
    Some(RelayHeader::parse(first).ok()?.token)
}

/// Octets of the packets at the head of a batch that name this channel.
fn run_len(packets: &[u8], stride: usize, token: &Token) -> usize {
    let same = |packet: &&[u8]| RelayHeader::parse(packet).is_ok_and(|it| it.token == *token);
    packets
        .chunks(stride)
        .take_while(same)
        .map(<[u8]>::len)
        .sum()
}
