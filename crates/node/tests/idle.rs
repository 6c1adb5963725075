//! What an association costs that nobody uses: octets of memory, and wake-ups.
#![expect(
    clippy::unwrap_used,
    clippy::wildcard_enum_match_arm,
    reason = "a test stops where something is not as it should be, and waits for one event among many"
)]

use std::net::SocketAddr;
use std::time::Duration;

use keyway_identity::{NodeId, SecretKey};
use keyway_node::{
    Allow, Arrival, Batch, Config, Event, Limits, Node, Rate, ReadError, SocketId, StreamKey, Wall,
};
use keyway_wire::{StreamKind, Time};

const SECOND: Duration = Duration::from_secs(1);

/// One way.
const DELAY: Duration = Duration::from_millis(1);

/// Associations in the test of memory: enough that what the node takes for itself hardly counts.
const MANY: u16 = 200;

/// Octets of the heap for each of a few hundred: what thousands have, and 300 more for what the two static keys agreed on, which is kept
/// for 1,024 peers.
const OCTETS_MAX: i64 = 6 * 1024;

fn node(number: u16, limits: Limits) -> Node {
    let mut secret = [1; 32];
    secret[..2].copy_from_slice(&number.to_be_bytes());
    let config = Config {
        limits,
        ..Config::default()
    };
    let mut node = Node::new(
        Time::ZERO,
        Wall(1_800_000_000),
        SecretKey::from_bytes(secret),
        secret,
        config,
    );
    let bound = (SocketId(0), SocketAddr::from(([0, 0, 0, 0], 4100)));
    node.set_sockets(Time::ZERO, &[bound], &[address(number).ip()]);
    node
}

fn address(number: u16) -> SocketAddr {
    let [high, low] = number.to_be_bytes();
    ([203, 0, high, low], 4100).into()
}

/// A node that answers on every stream with what it read, and whose allocations are counted.
struct Server {
    node: Node,
    id: NodeId,
    octets: i64,
    open: Vec<StreamKey>,
}

impl Server {
    fn new() -> Self {
        let unbounded = Rate::new(1_000_000, 1_000_000);
        let limits = Limits {
            handshakes: unbounded,
            strangers: unbounded,
            ..Limits::default()
        };
        let mut node = node(0, limits);
        node.listen(Time::ZERO, "echo".parse().unwrap(), Allow::Any);
        Self {
            id: node.node_id(),
            node,
            octets: 0,
            open: Vec::new(),
        }
    }

    /// Calls the node, and counts what it keeps.
    fn call<T>(&mut self, call: impl FnOnce(&mut Node) -> T) -> T {
        let mut result = None;
        let allocated = allocation_counter::measure(|| result = Some(call(&mut self.node)));
        self.octets += allocated.bytes_current;
        result.unwrap()
    }

    fn serve(&mut self) {
        let opened = |event| match event {
            Event::Incoming { stream, .. } => Some(stream),
            _ => None,
        };
        while let Some(event) = self.call(|node| node.poll_event().map(opened)) {
            self.open.extend(event);
        }
        for stream in std::mem::take(&mut self.open) {
            let mut octet = [0];
            match self.call(|node| node.read(stream, &mut octet)) {
                Ok(_) => {
                    self.call(|node| node.write(stream, &octet)).unwrap();
                    self.open.push(stream);
                }
                Err(ReadError::Blocked) => self.open.push(stream),
                Err(_) => self.call(|node| node.finish(stream)),
            }
        }
    }
}

/// A server and its clients, and a network that loses nothing.
struct Scene {
    now: Time,
    batch: Batch,
    server: Server,
    clients: Vec<(Node, SocketAddr)>,
    /// How often a timer woke somebody, and how often nobody had anything to send then.
    wakes: u32,
    idle_wakes: u32,
}

impl Scene {
    fn new() -> Self {
        Self {
            now: Time::ZERO,
            batch: Batch::new(),
            server: Server::new(),
            clients: Vec::new(),
            wakes: 0,
            idle_wakes: 0,
        }
    }

    /// A client that has sent one octet on a stream and got it back.
    fn add_client(&mut self) {
        let number = u16::try_from(self.clients.len()).unwrap() + 1;
        let client = node(number, Limits::default());
        self.clients.push((client, address(number)));
        let (now, server) = (self.now, self.server.id);
        self.client().connect(now, server, &[address(0)]);
        let mut stream = None;
        loop {
            self.run(DELAY);
            while let Some(event) = self.client().poll_event() {
                if let Event::Connected { association, .. } = event {
                    let service = "echo".parse().unwrap();
                    let client = self.client();
                    let opened = client
                        .open(association, StreamKind::Bytes, &service)
                        .unwrap();
                    client.write(opened, &[7]).unwrap();
                    client.finish(opened);
                    stream = Some(opened);
                }
            }
            let Some(stream) = stream else { continue };
            match self.client().read(stream, &mut [0]) {
                Ok(_) | Err(ReadError::Blocked) => {}
                Err(ReadError::Finished) => return,
                Err(error) => panic!("{error}"),
            }
        }
    }

    /// The newest one.
    fn client(&mut self) -> &mut Node {
        &mut self.clients.last_mut().unwrap().0
    }

    /// Passes on what is to be sent, until nothing is. Whether anything was.
    fn exchange(&mut self) -> bool {
        let (now, batch, server) = (self.now, &mut self.batch, &mut self.server);
        let mut spoke = false;
        loop {
            let mut busy = false;
            for (client, from) in &mut self.clients {
                while let Some(transmit) = client.poll_transmit(now, batch) {
                    let mut octets = batch.bytes()[..transmit.len].to_vec();
                    let (remote, stride) = (*from, transmit.segment_size);
                    server.call(|node| {
                        node.handle_batch(now, arrival(remote), &mut octets, stride);
                    });
                    busy = true;
                }
            }
            server.serve();
            while let Some(transmit) = server.call(|node| node.poll_transmit(now, batch)) {
                let mut octets = batch.bytes()[..transmit.len].to_vec();
                let to = self
                    .clients
                    .iter_mut()
                    .find(|(_, at)| *at == transmit.remote);
                let (client, _) = to.expect("the server knows nobody else");
                client.handle_batch(now, arrival(address(0)), &mut octets, transmit.segment_size);
                busy = true;
            }
            if !busy {
                return spoke;
            }
            spoke = true;
        }
    }

    /// Lets `span` of time pass.
    fn run(&mut self, span: Duration) {
        let until = self.now + span;
        loop {
            self.exchange();
            let now = self.now;
            let timers = self.clients.iter();
            let timers = timers.filter_map(|(client, _)| client.poll_timeout(now));
            let next = timers.chain(self.server.node.poll_timeout(now)).min();
            let Some(next) = next.filter(|next| *next <= until) else {
                self.now = until;
                return;
            };
            self.now = next.max(now);
            self.strike();
        }
    }

    /// Time has come so far: whoever set a timer is woken.
    fn strike(&mut self) {
        let now = self.now;
        for (client, _) in &mut self.clients {
            if client.poll_timeout(now).is_some_and(|due| due <= now) {
                client.handle_timeout(now);
                self.wakes += 1;
            }
        }
        if self
            .server
            .node
            .poll_timeout(now)
            .is_some_and(|due| due <= now)
        {
            self.server.call(|node| node.handle_timeout(now));
            self.wakes += 1;
        }
        self.idle_wakes += u32::from(!self.exchange());
    }
}

fn arrival(remote: SocketAddr) -> Arrival {
    Arrival {
        socket: SocketId(0),
        remote,
        local: None,
        ecn: None,
    }
}

#[test]
fn an_association_that_nobody_uses_takes_six_kib_at_most() {
    let mut scene = Scene::new();
    scene.add_client();
    scene.run(2 * SECOND);
    let one = scene.server.octets;
    for _ in 1..MANY {
        scene.add_client();
    }
    scene.run(2 * SECOND);
    let each = (scene.server.octets - one) / i64::from(MANY - 1);
    assert_eq!(scene.server.node.census().associations, usize::from(MANY));
    assert!(each <= OCTETS_MAX, "{each} octets for each association");
}

// R8.17
#[test]
fn nothing_wakes_either_node_between_keepalives_while_nobody_uses_their_association() {
    let mut scene = Scene::new();
    scene.add_client();
    scene.run(2 * SECOND);
    (scene.wakes, scene.idle_wakes) = (0, 0);
    // Shortly before the keys are renewed: four keepalives.
    scene.run(110 * SECOND);
    assert_eq!(scene.idle_wakes, 0);
    assert!((4..=8).contains(&scene.wakes), "{}", scene.wakes);
}
