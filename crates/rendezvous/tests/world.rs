//! Both halves together: one server, several clients, any order of events, and what must hold after each of them.
#![expect(clippy::unwrap_used, reason = "helpers of tests may fail as tests do")]

use std::collections::{BTreeMap, VecDeque};
use std::time::Duration;

use keyway_identity::{NodeId, SecretKey, Signed};
use keyway_rendezvous::{
    ClientEvent, ClientHalf, ClientId, Limits, Record, Refusal, SeenRecords, ServerHalf,
    ServerOutput, Wall,
};
use keyway_wire::{Time, Token};
use proptest::prelude::*;

const CLIENTS: u8 = 4;

/// One node: its half, its stream in both directions, and what it believes.
struct Client {
    key: SecretKey,
    half: ClientHalf,
    seen: SeenRecords,
    /// Of this association; none while it is not connected.
    id: Option<ClientId>,
    to_server: VecDeque<u8>,
    to_client: VecDeque<u8>,
    epoch: u64,
    sequence: u64,
    channels: BTreeMap<Token, NodeId>,
    events: Vec<ClientEvent>,
}

struct World {
    server: ServerHalf,
    clients: Vec<Client>,
    now: Time,
    started: Time,
    next_id: u64,
}

impl World {
    fn new() -> Self {
        let client = |number| Client {
            key: SecretKey::from_bytes([number; 32]),
            half: ClientHalf::new(),
            seen: SeenRecords::default(),
            id: None,
            to_server: VecDeque::new(),
            to_client: VecDeque::new(),
            epoch: 1,
            sequence: 0,
            channels: BTreeMap::new(),
            events: Vec::new(),
        };
        let now = Time::from_micros(1);
        let clients = (1..=CLIENTS).map(client).collect();
        Self {
            server: ServerHalf::new([9; 32], Limits::default()),
            clients,
            now,
            started: now,
            next_id: 1,
        }
    }

    fn wall(&self) -> Wall {
        Wall(1_800_000_000).saturating_add(self.now.saturating_since(self.started))
    }

    fn node(&self, index: usize) -> NodeId {
        self.clients[index].key.node_id()
    }

    fn connect(&mut self, index: usize) {
        self.disconnect(index);
        let id = ClientId(self.next_id);
        self.next_id += 1;
        self.server.connected(self.now, id, self.node(index), None);
        let client = &mut self.clients[index];
        client.id = Some(id);
        client.half.connected();
        self.settle();
    }

    fn disconnect(&mut self, index: usize) {
        let client = &mut self.clients[index];
        let Some(id) = client.id.take() else { return };
        client.to_server.clear();
        client.to_client.clear();
        client.half.disconnected();
        self.server.disconnected(self.now, id);
        self.settle();
    }

    fn publish(&mut self, index: usize) {
        let wall = self.wall();
        let client = &mut self.clients[index];
        client.sequence += 1;
        let record = Record {
            node: client.key.node_id(),
            versions: vec![1],
            epoch: client.epoch,
            instance: 5,
            sequence: client.sequence,
            servers: Vec::new(),
            issued: wall,
            expiry: wall.saturating_add(Duration::from_secs(300)),
        };
        client
            .half
            .publish(&Signed::sign(record, &client.key).unwrap());
    }

    /// Moves everything out of both halves, onto the streams and to the applications.
    fn settle(&mut self) {
        while let Some(output) = self.server.poll_output() {
            let ServerOutput::Send { client, bytes } = output else {
                panic!("{output:?}")
            };
            if let Some(client) = self.clients.iter_mut().find(|it| it.id == Some(client)) {
                client.to_client.extend(bytes);
            }
        }
        for client in &mut self.clients {
            while let Some(bytes) = client.half.poll_output() {
                client.to_server.extend(bytes);
            }
            while let Some(event) = client.half.poll_event() {
                client.note(event);
            }
        }
    }

    /// Carries at most so many octets of each stream.
    fn carry(&mut self, octets: usize) {
        let wall = self.wall();
        for client in &mut self.clients {
            let count = octets.min(client.to_server.len());
            let up: Vec<u8> = client.to_server.drain(..count).collect();
            if let Some(id) = client.id {
                self.server.handle_bytes(self.now, wall, id, &up).unwrap();
            }
            let count = octets.min(client.to_client.len());
            let down: Vec<u8> = client.to_client.drain(..count).collect();
            client
                .half
                .handle_bytes(wall, &mut client.seen, &down)
                .unwrap();
        }
        self.settle();
    }

    /// Carries all there is, until nothing moves any more.
    fn rest(&mut self) {
        while self
            .clients
            .iter()
            .any(|it| !it.to_server.is_empty() || !it.to_client.is_empty())
        {
            self.carry(usize::MAX);
        }
    }

    /// Lets time pass, with every timeout on its way.
    fn pass(&mut self, duration: Duration) {
        let end = self.now + duration;
        loop {
            let halves = self
                .clients
                .iter()
                .filter_map(|client| client.half.poll_timeout());
            let next = halves.chain(self.server.poll_timeout()).min();
            let Some(next) = next.filter(|next| *next <= end) else {
                break;
            };
            self.now = self.now.max(next);
            self.server.handle_timeout(self.now, self.wall());
            for client in &mut self.clients {
                client.half.handle_timeout(self.now);
            }
            self.settle();
            let moved = self
                .server
                .poll_timeout()
                .is_none_or(|next| next > self.now);
            assert!(moved, "a timeout that does not move is a busy loop");
        }
        self.now = end;
        self.server.handle_timeout(end, self.wall());
        self.settle();
    }

    /// Sends a packet through a channel, as the node would: where it comes out, and under which token.
    fn relay(&mut self, index: usize, token: &Token) -> Option<(usize, Token)> {
        let forward = self.server.relay().route(token)?;
        assert_eq!(
            Some(forward.from),
            self.clients[index].id,
            "a token of somebody else"
        );
        self.server.forwarded(self.now, token, 100);
        let to = self
            .clients
            .iter()
            .position(|client| client.id == Some(forward.to));
        Some((
            to.expect("packets go to connected clients only"),
            forward.token,
        ))
    }
}

impl Client {
    fn note(&mut self, event: ClientEvent) {
        match &event {
            ClientEvent::Opened { peer, token, .. } | ClientEvent::Offered { peer, token, .. } => {
                self.channels.insert(*token, *peer);
            }
            ClientEvent::ChannelClosed { token } => {
                self.channels.remove(token);
            }
            ClientEvent::Stale { epoch, .. } => self.epoch = epoch + 1,
            ClientEvent::Published { .. }
            | ClientEvent::NotPublished { .. }
            | ClientEvent::Record { .. }
            | ClientEvent::NotFound { .. }
            | ClientEvent::Refused { .. } => {}
        }
        self.events.push(event);
    }

    fn drain(&mut self) -> Vec<ClientEvent> {
        std::mem::take(&mut self.events)
    }
}

#[test]
fn two_nodes_meet_and_packets_pass_both_ways() {
    let mut world = World::new();
    world.connect(0);
    world.connect(1);
    world.publish(1);
    world.settle();
    world.rest();
    let peer = world.node(1);
    let now = world.now;
    world.clients[0].half.open(now, peer, b"init");
    world.settle();
    world.rest();
    let offered = world.clients[1].drain().pop().unwrap();
    let ClientEvent::Offered {
        peer: opener,
        token: b,
        first_packet,
    } = offered
    else {
        panic!("{offered:?}");
    };
    assert_eq!(
        (opener, first_packet.as_slice()),
        (world.node(0), b"init".as_slice())
    );
    let opened = world.clients[0].drain().pop().unwrap();
    let ClientEvent::Opened { token: a, .. } = opened else {
        panic!("{opened:?}")
    };
    assert_eq!(world.relay(0, &a), Some((1, b)));
    assert_eq!(world.relay(1, &b), Some((0, a)));
}

// V3, V4: the store is soft state.
#[test]
fn a_server_that_lost_everything_knows_everybody_again_after_one_refresh() {
    let mut world = World::new();
    for index in 0..4 {
        world.connect(index);
        world.publish(index);
    }
    world.settle();
    world.rest();
    world.server = ServerHalf::new([10; 32], Limits::default());
    for index in 0..4 {
        world.clients[index].id = None;
        world.connect(index);
        world.publish(index);
    }
    world.settle();
    world.rest();
    assert_eq!(world.server.registry().len(), 4);
}

// C4
#[test]
fn a_node_restored_from_yesterday_is_told_and_takes_a_higher_epoch() {
    let mut world = World::new();
    world.connect(0);
    world.clients[0].epoch = 7;
    world.publish(0);
    world.settle();
    world.rest();
    world.clients[0].epoch = 3;
    world.publish(0);
    world.settle();
    world.rest();
    assert!(matches!(
        world.clients[0].drain().last(),
        Some(ClientEvent::Stale { epoch: 7, .. })
    ));
    world.publish(0);
    world.settle();
    world.rest();
    let events = world.clients[0].drain();
    assert!(
        matches!(events[..], [ClientEvent::Published { epoch: 8, .. }]),
        "{events:?}"
    );
}

#[derive(Clone, Debug)]
enum Step {
    Connect(usize),
    Disconnect(usize),
    Publish(usize),
    Lookup(usize, usize),
    Open(usize, usize),
    Close(usize),
    Relay(usize),
    Carry(usize),
    Pass(u64),
}

fn step() -> impl Strategy<Value = Step> {
    let client = || 0..usize::from(CLIENTS);
    prop_oneof![
        2 => client().prop_map(Step::Connect),
        1 => client().prop_map(Step::Disconnect),
        3 => client().prop_map(Step::Publish),
        3 => (client(), client()).prop_map(|(a, b)| Step::Lookup(a, b)),
        5 => (client(), client()).prop_map(|(a, b)| Step::Open(a, b)),
        2 => client().prop_map(Step::Close),
        4 => client().prop_map(Step::Relay),
        6 => (1usize..2000).prop_map(Step::Carry),
        2 => (0u64..100_000).prop_map(Step::Pass),
    ]
}

fn take(world: &mut World, step: &Step) {
    let now = world.now;
    match *step {
        Step::Connect(index) => world.connect(index),
        Step::Disconnect(index) => world.disconnect(index),
        Step::Publish(index) => world.publish(index),
        Step::Lookup(index, other) => {
            let node = world.node(other);
            world.clients[index].half.lookup(now, node);
        }
        Step::Open(index, other) => {
            let peer = world.node(other);
            world.clients[index].half.open(now, peer, &[4; 100]);
        }
        Step::Close(index) => {
            if let Some((token, _)) = world.clients[index].channels.pop_first() {
                world.clients[index].half.close_channel(token);
            }
        }
        Step::Relay(index) => {
            let tokens: Vec<_> = world.clients[index].channels.keys().copied().collect();
            for token in tokens {
                relay_and_check(world, index, &token);
            }
        }
        Step::Carry(octets) => world.carry(octets),
        Step::Pass(millis) => world.pass(Duration::from_millis(millis)),
    }
    world.settle();
}

/// R5, R6: what comes out comes out at the peer that the channel leads to, who has been told of it or will be.
fn relay_and_check(world: &mut World, index: usize, token: &Token) {
    let peer = world.clients[index].channels[token];
    if let Some((to, other)) = world.relay(index, token) {
        assert_eq!(world.node(to), peer);
        let known = world.clients[to].channels.get(&other);
        assert!(known.is_none_or(|node| *node == world.node(index)));
    }
}

proptest! {
    #![proptest_config(ProptestConfig { cases: 64, ..ProptestConfig::default() })]

    #[test]
    fn nothing_goes_wrong_in_any_order(steps in proptest::collection::vec(step(), 1..120)) {
        let mut world = World::new();
        for step in &steps {
            take(&mut world, step);
        }
        // Everything calms down, and works again.
        world.rest();
        world.pass(Duration::from_secs(600));
        prop_assert!(world.server.relay().is_empty());
        prop_assert!(world.clients.iter().all(|client| client.half.poll_timeout().is_none()));
        for index in 0..usize::from(CLIENTS) {
            world.connect(index);
            world.publish(index);
        }
        world.settle();
        world.rest();
        for client in &mut world.clients {
            client.drain();
        }
        let (now, peer) = (world.now, world.node(1));
        world.clients[0].half.lookup(now, peer);
        world.clients[0].half.open(now, peer, &[]);
        world.settle();
        world.rest();
        let events = world.clients[0].drain();
        let works = matches!(events[..], [ClientEvent::Record { .. }, ClientEvent::Opened { .. }]);
        prop_assert!(works, "{:?}", events);
    }

    // V1, R10.5: whatever a server says, a client believes no record that its owner did not sign.
    #[test]
    fn a_server_that_says_anything_is_not_believed(
        bytes in proptest::collection::vec(any::<u8>(), 0..400),
        cut in 1usize..50,
    ) {
        let mut client = ClientHalf::new();
        let mut seen = SeenRecords::default();
        client.connected();
        let node = SecretKey::from_bytes([1; 32]).node_id();
        client.lookup(Time::ZERO, node);
        client.open(Time::ZERO, node, &[]);
        for piece in bytes.chunks(cut) {
            if client.handle_bytes(Wall(1_800_000_000), &mut seen, piece).is_err() {
                break;
            }
        }
        while let Some(event) = client.poll_event() {
            prop_assert!(!matches!(event, ClientEvent::Record { .. }), "{:?}", event);
        }
        client.disconnected();
        let refusals = std::iter::from_fn(|| client.poll_event());
        for event in refusals {
            let expected = matches!(
                event,
                ClientEvent::ChannelClosed { .. }
                    | ClientEvent::Refused { reason: Refusal::Disconnected, .. }
            );
            prop_assert!(expected, "{:?}", event);
        }
    }

    #[test]
    fn a_client_that_says_anything_is_survived(
        bytes in proptest::collection::vec(any::<u8>(), 0..400),
        cut in 1usize..50,
    ) {
        let mut server = ServerHalf::new([1; 32], Limits::default());
        let client = ClientId(1);
        server.connected(Time::ZERO, client, SecretKey::from_bytes([1; 32]).node_id(), None);
        for piece in bytes.chunks(cut) {
            let outcome = server.handle_bytes(Time::ZERO, Wall(1_800_000_000), client, piece);
            if outcome.is_err() {
                break;
            }
        }
        prop_assert!(server.registry().is_empty() && server.relay().is_empty());
    }
}
