use std::sync::LazyLock;

use keyway_identity::{NodeId, SecretKey, Signed};
use keyway_rendezvous::{
    ClientEvent, ClientHalf, ClientId, Limits, RECORD_LIFETIME_MAX, Record, SeenRecords,
    ServerHalf, ServerOutput, Wall,
};
use keyway_wire::Time;

/// When the records of the vectors hold.
const WALL: Wall = Wall(1_800_000_000);

/// The keys of the vectors: the node that is registered, and the one that publishes.
const REGISTERED: [u8; 32] = [
    0x9d, 0x61, 0xb1, 0x9d, 0xef, 0xfd, 0x5a, 0x60, 0xba, 0x84, 0x4a, 0xf4, 0x92, 0xec, 0x2c,
    0xc4, //
    0x44, 0x49, 0xc5, 0x69, 0x7b, 0x32, 0x69, 0x19, 0x70, 0x3b, 0xac, 0x03, 0x1c, 0xae, 0x7f, 0x60,
];
const PUBLISHER: [u8; 32] = [7; 32];

/// What takes longer to make than an input to read, made once: the names of both nodes, and servers that know the record of the
/// first one or do not.
static REGISTERED_NODE: LazyLock<NodeId> = LazyLock::new(|| node(REGISTERED));
static PUBLISHER_NODE: LazyLock<NodeId> = LazyLock::new(|| node(PUBLISHER));
static KNOWING: LazyLock<ServerHalf> = LazyLock::new(|| server(&registration()));
static IGNORANT: LazyLock<ServerHalf> = LazyLock::new(|| server(&[]));

/// The client whose stream the input is, and the one that may be registered.
const CLIENT: ClientId = ClientId(1);
const OTHER: ClientId = ClientId(2);

/// The rendezvous stream, whole and in two pieces: to a server if the first octet is even, to a client if it is odd. Every
/// other server knows a second node's record.
pub fn rendezvous(data: &[u8]) {
    let Some((side, stream)) = data.split_first() else {
        return;
    };
    let (first, second) = stream.split_at(usize::from(side / 4).min(stream.len()));
    let pieces: &[&[u8]] = &[first, second];
    let registered = side & 2 == 0;
    let is_cut = !first.is_empty() && !second.is_empty();
    if side % 2 == 0 {
        let whole = serve(&[stream], registered);
        assert!(!is_cut || whole == serve(pieces, registered));
    } else {
        let whole = follow(&[stream]);
        assert!(!is_cut || whole == follow(pieces));
    }
}

fn node(seed: [u8; 32]) -> NodeId {
    SecretKey::from_bytes(seed).node_id()
}

/// What a server makes of a client's stream: all that it sends to this client and another one.
fn serve(pieces: &[&[u8]], registered: bool) -> Vec<(ClientId, Vec<u8>)> {
    let mut server = if registered {
        KNOWING.clone()
    } else {
        IGNORANT.clone()
    };
    for piece in pieces {
        if server
            .handle_bytes(Time::ZERO, WALL, CLIENT, piece)
            .is_err()
        {
            break;
        }
    }
    assert!(server.registry().len() <= 2, "nobody publishes for others");
    assert!(server.relay().len() <= 1, "two clients have one channel");
    assert!(server.poll_timeout().is_none_or(|next| next > Time::ZERO));
    let mut sent: Vec<(ClientId, Vec<u8>)> = Vec::new();
    while let Some(output) = server.poll_output() {
        let ServerOutput::Send { client, bytes } = output else {
            continue;
        };
        sent.push((client, bytes));
    }
    sent
}

/// A server with two clients, the other one of which has sent `first`.
fn server(first: &[u8]) -> ServerHalf {
    let mut server = ServerHalf::new([1; 32], Limits::default());
    server.connected(Time::ZERO, CLIENT, *PUBLISHER_NODE, None);
    server.connected(Time::ZERO, OTHER, *REGISTERED_NODE, None);
    server
        .handle_bytes(Time::ZERO, WALL, OTHER, first)
        .expect("a registration is in order");
    server
}

/// What a node sends that publishes its record.
fn registration() -> Vec<u8> {
    let key = SecretKey::from_bytes(REGISTERED);
    let record = Record {
        node: key.node_id(),
        versions: vec![1],
        epoch: 1,
        instance: 1,
        sequence: 1,
        servers: Vec::new(),
        issued: WALL,
        expiry: WALL.saturating_add(RECORD_LIFETIME_MAX),
    };
    let mut client = ClientHalf::new();
    client.connected();
    client.publish(&Signed::sign(record, &key).expect("its own record"));
    client.poll_output().expect("a message")
}

/// What a client makes of a server's stream.
fn follow(pieces: &[&[u8]]) -> Vec<ClientEvent> {
    let (publisher, registered) = (*PUBLISHER_NODE, *REGISTERED_NODE);
    let mut client = ClientHalf::new();
    let mut seen = SeenRecords::default();
    client.connected();
    // The answers of the vectors are to the requests 5 and 6.
    for _ in 1..=5 {
        client.lookup(Time::ZERO, publisher);
    }
    client.open(Time::ZERO, registered, &[]);
    for piece in pieces {
        if client.handle_bytes(WALL, &mut seen, piece).is_err() {
            break;
        }
    }
    let events: Vec<_> = std::iter::from_fn(|| client.poll_event()).collect();
    for event in &events {
        if let ClientEvent::Record { record, .. } = event {
            assert_eq!(
                record.value().node,
                publisher,
                "another node than was asked for"
            );
        }
    }
    events
}
