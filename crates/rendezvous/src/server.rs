//! The server's half of the protocol.

mod requests;
mod seat;

use std::collections::{BTreeMap, BTreeSet, VecDeque};
use std::net::IpAddr;
use std::time::Duration;

use keyway_identity::NodeId;
use keyway_wire::{Time, Token};
use rand_chacha::ChaCha20Rng;
use rand_core::SeedableRng;

use self::seat::Seat;
use crate::limits::Limits;
use crate::message::{ProtocolError, ToClient, ToServer};
use crate::prefix::Prefix;
use crate::registry::Registry;
use crate::relay::{ClientId, RelayLimits, RelayTable};
use crate::wall::Wall;

/// How long the record of a node stays after its association has ended: time to start anew without being missed.
const RECORD_GRACE: Duration = Duration::from_secs(10);

/// What a node does that others meet at: keeps their records, answers look-ups, opens relay channels.
///
/// It knows its clients by [`ClientId`]: each stands for one association, whose peer is authenticated. The caller tells
/// when clients come and go and what they send; after each call, it drains [`poll_output`](Self::poll_output) and asks
/// [`poll_timeout`](Self::poll_timeout). Packets to relay do not pass here: see [`relay`](Self::relay).
///
/// Memory is bounded by the registry, the channels, and some 300 KiB for each client at worst; the number of clients is
/// bounded by the associations that the caller allows.
#[derive(Clone, Debug)]
pub struct ServerHalf {
    limits: Limits,
    registry: Registry,
    relay: RelayTable,
    seats: BTreeMap<ClientId, Seat>,
    by_node: BTreeMap<NodeId, ClientId>,
    /// Seats taken from each prefix.
    by_prefix: BTreeMap<Prefix, usize>,
    /// Nodes whose association has ended, and whose records go then.
    leaving: BTreeMap<NodeId, Time>,
    leaving_order: BTreeSet<(Time, NodeId)>,
    /// Clients that may have something to be sent, each once.
    ready: VecDeque<ClientId>,
    /// Clients to be closed because they do not read.
    overflowed: VecDeque<ClientId>,
    rng: ChaCha20Rng,
}

/// What the server half wants done.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum ServerOutput {
    /// Write these octets to the client's stream, all of them and in order.
    Send {
        /// Whom to.
        client: ClientId,
        /// Whole messages.
        bytes: Vec<u8>,
    },
    /// Close the association: the client asks, but does not read its answers, or there is no room for it. Nothing more
    /// comes for it.
    Close {
        /// Whose association.
        client: ClientId,
    },
}

impl ServerHalf {
    /// A server that knows nobody. The seed must be random and secret: tokens of channels are drawn from it.
    pub fn new(seed: [u8; 32], limits: Limits) -> Self {
        let channels = RelayLimits {
            channels: limits.channels_max,
            channels_per_client: limits.channels_per_client_max,
            unanswered_per_client: limits.unanswered_per_client_max,
            ..RelayLimits::default()
        };
        Self {
            registry: Registry::new(limits.records_max, limits.records_per_prefix_max),
            relay: RelayTable::new(channels),
            limits,
            by_prefix: BTreeMap::new(),
            seats: BTreeMap::new(),
            by_node: BTreeMap::new(),
            leaving: BTreeMap::new(),
            leaving_order: BTreeSet::new(),
            ready: VecDeque::new(),
            overflowed: VecDeque::new(),
            rng: ChaCha20Rng::from_seed(seed),
        }
    }

    /// A client has opened its stream; its packets come from `address`. An older client of the same node is replaced: the
    /// node lost that association. A client for whom there is no room is to be closed.
    pub fn connected(
        &mut self,
        now: Time,
        client: ClientId,
        node: NodeId,
        address: Option<IpAddr>,
    ) {
        if self.seats.contains_key(&client) {
            self.disconnected(now, client);
        }
        if let Some(previous) = self.by_node.remove(&node) {
            self.leave(previous);
        }
        let prefix = address.and_then(Prefix::of);
        if let Some(prefix) = prefix {
            let taken = self.by_prefix.entry(prefix).or_default();
            if *taken >= self.limits.clients_per_prefix_max {
                return self.overflowed.push_back(client);
            }
            *taken += 1;
        }
        self.by_node.insert(node, client);
        self.stay(&node);
        self.seats.insert(client, Seat::new(now, node, prefix));
    }

    /// A client's stream or association is gone, and with it its channels; its record follows soon.
    pub fn disconnected(&mut self, now: Time, client: ClientId) {
        let Some(node) = self.seats.get(&client).map(|seat| seat.node) else {
            return;
        };
        self.leave(client);
        if self.by_node.get(&node) == Some(&client) {
            self.by_node.remove(&node);
            let deadline = now + RECORD_GRACE;
            self.leaving.insert(node, deadline);
            self.leaving_order.insert((deadline, node));
        }
    }

    /// A client sent these octets. Those of clients that are unknown, or were refused before, are ignored.
    ///
    /// # Errors
    ///
    /// [`ProtocolError`]: close the client's association. What it said before the error was done.
    pub fn handle_bytes(
        &mut self,
        now: Time,
        wall: Wall,
        client: ClientId,
        bytes: &[u8],
    ) -> Result<(), ProtocolError> {
        let result = self.handle_messages(now, wall, client, bytes);
        if result.is_err()
            && let Some(seat) = self.seats.get_mut(&client)
        {
            seat.shut();
        }
        result
    }

    fn handle_messages(
        &mut self,
        now: Time,
        wall: Wall,
        client: ClientId,
        bytes: &[u8],
    ) -> Result<(), ProtocolError> {
        let Some(seat) = self.seats.get_mut(&client) else {
            return Ok(());
        };
        if seat.is_shut() {
            return Ok(());
        }
        seat.reader.push(bytes);
        while let Some(seat) = self.seats.get_mut(&client).filter(|seat| !seat.is_shut()) {
            let Some(message) = seat.reader.next()? else {
                break;
            };
            self.handle_message(now, wall, client, ToServer::parse(message)?)?;
        }
        Ok(())
    }

    /// Whether the client's stream takes octets. While it does not, what is for the client waits here, within bounds.
    /// Clients take octets until said otherwise.
    pub fn set_blocked(&mut self, client: ClientId, blocked: bool) {
        if let Some(seat) = self.seats.get_mut(&client) {
            seat.blocked = blocked;
            self.make_ready(client);
        }
    }

    /// What to do next; `None` when there is nothing for now. To be drained after each other call.
    pub fn poll_output(&mut self) -> Option<ServerOutput> {
        if let Some(client) = self.overflowed.pop_front() {
            return Some(ServerOutput::Close { client });
        }
        while let Some(client) = self.ready.pop_front() {
            let Some(seat) = self.seats.get_mut(&client) else {
                continue;
            };
            seat.ready = false;
            if let Some(bytes) = seat.take_output() {
                return Some(ServerOutput::Send { client, bytes });
            }
        }
        None
    }

    /// Closes channels and forgets records whose time is over.
    pub fn handle_timeout(&mut self, now: Time, wall: Wall) {
        self.registry.expire(wall);
        while let Some(closed) = self.relay.expire(now) {
            for (client, token) in closed.ends.into_iter().flatten() {
                self.send(client, ToClient::ChannelClosed { token });
            }
        }
        while let Some((deadline, node)) = self.leaving_order.first().copied() {
            if deadline > now {
                break;
            }
            self.stay(&node);
            self.registry.remove(&node);
        }
    }

    /// When to call [`handle_timeout`](Self::handle_timeout).
    pub fn poll_timeout(&self) -> Option<Time> {
        let leaving = self.leaving_order.first().map(|(deadline, _)| *deadline);
        [leaving, self.relay.poll_timeout()]
            .into_iter()
            .flatten()
            .min()
    }

    /// The channels: where relayed packets go.
    pub const fn relay(&self) -> &RelayTable {
        &self.relay
    }

    /// Notes that a packet, or a batch with the same token, was forwarded: see [`RelayTable::forwarded`].
    pub fn forwarded(&mut self, now: Time, token: &Token, octets: usize) {
        self.relay.forwarded(now, token, octets);
    }

    /// The records that are stored.
    pub const fn registry(&self) -> &Registry {
        &self.registry
    }

    /// A node is back, or gone for good.
    fn stay(&mut self, node: &NodeId) {
        if let Some(deadline) = self.leaving.remove(node) {
            self.leaving_order.remove(&(deadline, *node));
        }
    }

    fn leave(&mut self, client: ClientId) {
        if let Some(seat) = self.seats.remove(&client) {
            self.free_place(seat.prefix);
        }
        for (other, token) in self.relay.disconnected(client) {
            self.send(other, ToClient::ChannelClosed { token });
        }
    }

    fn free_place(&mut self, prefix: Option<Prefix>) {
        let Some(prefix) = prefix else { return };
        if let Some(taken) = self.by_prefix.get_mut(&prefix) {
            *taken -= 1;
            if *taken == 0 {
                self.by_prefix.remove(&prefix);
            }
        }
    }

    fn send(&mut self, client: ClientId, message: ToClient) {
        let Some(seat) = self.seats.get_mut(&client) else {
            return;
        };
        match seat.push(message) {
            Ok(()) => self.make_ready(client),
            Err(seat::Overflow) => self.overflowed.push_back(client),
        }
    }

    fn make_ready(&mut self, client: ClientId) {
        let Some(seat) = self.seats.get_mut(&client) else {
            return;
        };
        if !seat.ready && !seat.blocked && seat.has_output() {
            seat.ready = true;
            self.ready.push_back(client);
        }
    }
}

#[cfg(test)]
mod tests;
