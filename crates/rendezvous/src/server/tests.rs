//! What a server does for its clients and against them.

use keyway_identity::{Signable, Signature, Signed};

use super::*;
use crate::framing::{MessageReader, append};
use crate::generated;
use crate::message::RequestId;
use crate::record::Record;
use crate::record::tests::{NOW, key, record, signed};

const ALICE: ClientId = ClientId(1);
const BOB: ClientId = ClientId(2);
const REQUEST: RequestId = RequestId(7);

/// A server with clients, each the node of the key with its number.
struct World {
    server: ServerHalf,
    now: Time,
    closed: Vec<ClientId>,
}

impl World {
    fn new(clients: &[ClientId]) -> Self {
        let mut world = Self {
            server: ServerHalf::new([1; 32], Limits::default()),
            now: Time::from_micros(1),
            closed: Vec::new(),
        };
        for client in clients {
            world
                .server
                .connected(world.now, *client, node(*client), None);
        }
        world
    }

    fn tell(&mut self, client: ClientId, message: ToServer) -> Result<(), ProtocolError> {
        let mut bytes = Vec::new();
        append(&message.into_wire(), &mut bytes);
        self.server.handle_bytes(self.now, NOW, client, &bytes)
    }

    /// What the server has to say, in order.
    fn heard(&mut self) -> Vec<(ClientId, ToClient)> {
        let mut heard = Vec::new();
        while let Some(output) = self.server.poll_output() {
            match output {
                ServerOutput::Close { client } => self.closed.push(client),
                ServerOutput::Send { client, bytes } => {
                    let mut reader = MessageReader::default();
                    reader.push(&bytes);
                    while let Some(message) = reader.next().unwrap() {
                        heard.push((client, ToClient::parse(message).unwrap()));
                    }
                }
            }
        }
        heard
    }

    fn ask(&mut self, client: ClientId, message: ToServer) -> Vec<(ClientId, ToClient)> {
        self.tell(client, message).unwrap();
        self.heard()
    }

    fn publish(&mut self, client: ClientId, record: &Signed<Record>) -> ToClient {
        let message = ToServer::Publish {
            record: record.bytes().to_vec(),
            signature: *record.signature(),
        };
        let [(to, answer)] = self.ask(client, message).try_into().unwrap();
        assert_eq!(to, client);
        answer
    }

    fn register(&mut self, client: ClientId) {
        let published = self.publish(
            client,
            &signed(number(client), record(number(client), 1, 1)),
        );
        assert_eq!(
            published,
            ToClient::Published {
                epoch: 1,
                sequence: 1
            }
        );
    }

    /// The tokens of opener and target.
    fn open(&mut self, opener: ClientId, target: ClientId) -> (Token, Token) {
        let heard = self.ask(opener, open(target));
        let [
            (_, ToClient::Opened { token: a, .. }),
            (_, ToClient::Offered { token: b, .. }),
        ] = &heard[..]
        else {
            panic!("{heard:?}");
        };
        (*a, *b)
    }

    fn pass(&mut self, duration: Duration) -> Vec<(ClientId, ToClient)> {
        self.now += duration;
        self.server.handle_timeout(self.now, NOW);
        self.heard()
    }
}

fn number(client: ClientId) -> u8 {
    u8::try_from(client.0).unwrap()
}

fn node(client: ClientId) -> NodeId {
    key(number(client)).node_id()
}

fn open(target: ClientId) -> ToServer {
    ToServer::Open {
        request: REQUEST,
        peer: node(target),
        first_packet: vec![4; 1120],
    }
}

fn lookup(target: ClientId) -> ToServer {
    ToServer::Lookup {
        request: REQUEST,
        node: node(target),
    }
}

fn refused(reason: generated::Refusal) -> ToClient {
    ToClient::Refused {
        request: REQUEST,
        reason,
    }
}

#[test]
fn a_published_record_is_given_to_whoever_asks_octet_by_octet() {
    let mut world = World::new(&[ALICE, BOB]);
    world.register(BOB);
    let stored = signed(2, record(2, 1, 1));
    let found = ToClient::Found {
        request: REQUEST,
        record: stored.bytes().to_vec(),
        signature: *stored.signature(),
    };
    assert_eq!(world.ask(ALICE, lookup(BOB)), [(ALICE, found)]);
    let missing = ToClient::NotFound { request: REQUEST };
    assert_eq!(world.ask(BOB, lookup(ALICE)), [(BOB, missing)]);
}

// V1, R10.3, R10.4
#[test]
fn what_is_not_the_clients_own_record_is_refused() {
    let mut world = World::new(&[ALICE, BOB]);
    let invalid = ToClient::NotPublished {
        reason: generated::PublishRefusal::Invalid,
        server_time: NOW,
    };
    let of_bob = signed(2, record(2, 1, 1));
    assert_eq!(
        world.publish(ALICE, &of_bob),
        invalid,
        "another's, well signed"
    );

    let bytes = record(1, 1, 1).to_bytes();
    let forged = ToServer::Publish {
        record: bytes.clone(),
        signature: key(2).sign(Record::CONTEXT, &bytes),
    };
    assert_eq!(world.ask(ALICE, forged), [(ALICE, invalid.clone())]);
    let nonsense = ToServer::Publish {
        record: vec![0xff; 9],
        signature: Signature::from_bytes([0; 64]),
    };
    assert_eq!(world.ask(ALICE, nonsense), [(ALICE, invalid)]);
    assert!(world.server.registry().is_empty());
    // And nothing of it makes the client reachable.
    let unavailable = refused(generated::Refusal::Unavailable);
    assert_eq!(world.ask(BOB, open(ALICE)), [(BOB, unavailable)]);
}

// V2
#[test]
fn an_owner_hears_what_stands_in_the_way_of_an_older_record() {
    let mut world = World::new(&[ALICE]);
    world.publish(ALICE, &signed(1, record(1, 5, 9)));
    let stale = ToClient::Stale {
        epoch: 5,
        sequence: 9,
    };
    assert_eq!(world.publish(ALICE, &signed(1, record(1, 4, 10))), stale);
    let published = ToClient::Published {
        epoch: 6,
        sequence: 1,
    };
    assert_eq!(world.publish(ALICE, &signed(1, record(1, 6, 1))), published);
}

// M10
#[test]
fn a_node_with_a_wrong_clock_is_told_the_time_and_can_be_reached() {
    let mut world = World::new(&[ALICE, BOB]);
    let mut late = record(2, 1, 1);
    (late.issued, late.expiry) = (Wall(0), Wall(300));
    let refused = ToClient::NotPublished {
        reason: generated::PublishRefusal::Clock,
        server_time: NOW,
    };
    assert_eq!(world.publish(BOB, &signed(2, late)), refused);
    world.open(ALICE, BOB);
}

// R10.6
#[test]
fn a_channel_is_offered_with_the_first_packet() {
    let mut world = World::new(&[ALICE, BOB]);
    world.register(BOB);
    let heard = world.ask(ALICE, open(BOB));
    let [
        (ALICE, ToClient::Opened { request, token: a }),
        (BOB, offered),
    ] = &heard[..]
    else {
        panic!("{heard:?}");
    };
    assert_eq!(*request, REQUEST);
    let ToClient::Offered {
        peer,
        token: b,
        first_packet,
    } = offered
    else {
        panic!("{offered:?}");
    };
    assert_eq!((*peer, first_packet.len()), (node(ALICE), 1120));
    let forward = world.server.relay().route(a).unwrap();
    assert_eq!((forward.from, forward.to, forward.token), (ALICE, BOB, *b));
    // Asking again hands another first packet over, through the same channel.
    assert_eq!(world.open(ALICE, BOB), (*a, *b));
}

// R5, V10, R10.6
#[test]
fn whoever_is_not_here_or_not_registered_cannot_be_told_apart() {
    let mut world = World::new(&[ALICE, BOB]);
    let unavailable = refused(generated::Refusal::Unavailable);
    assert_eq!(
        world.ask(ALICE, open(ClientId(9))),
        [(ALICE, unavailable.clone())]
    );
    assert_eq!(world.ask(ALICE, open(BOB)), [(ALICE, unavailable.clone())]);
    world.register(ALICE);
    assert_eq!(
        world.ask(ALICE, open(ALICE)),
        [(ALICE, unavailable)],
        "nor oneself"
    );
    assert!(world.server.relay().is_empty());
}

// R10.10
#[test]
fn the_other_end_hears_that_a_channel_is_closed() {
    let mut world = World::new(&[ALICE, BOB]);
    world.register(BOB);
    let (a, b) = world.open(ALICE, BOB);
    world.server.forwarded(world.now, &b, 100);
    let heard = world.ask(BOB, ToServer::CloseChannel { token: b });
    assert_eq!(heard, [(ALICE, ToClient::ChannelClosed { token: a })]);
    let (a, b) = world.open(ALICE, BOB);
    assert_eq!(
        world.ask(BOB, ToServer::CloseChannel { token: a }),
        [],
        "not its own token"
    );
    let heard = world.ask(ALICE, ToServer::CloseChannel { token: a });
    assert_eq!(heard, [(BOB, ToClient::ChannelClosed { token: b })]);
}

#[test]
fn both_ends_hear_that_a_channel_has_expired() {
    let mut world = World::new(&[ALICE, BOB]);
    world.register(BOB);
    let (a, b) = world.open(ALICE, BOB);
    assert_eq!(
        world.server.poll_timeout(),
        Some(world.now + Duration::from_secs(30))
    );
    assert_eq!(world.pass(Duration::from_secs(29)), []);
    let heard = world.pass(Duration::from_secs(1));
    let closed = |token| ToClient::ChannelClosed { token };
    assert_eq!(heard, [(ALICE, closed(a)), (BOB, closed(b))]);
    assert_eq!(world.server.poll_timeout(), None);
}

#[test]
fn a_client_that_leaves_is_not_reachable_and_its_record_goes_soon() {
    let mut world = World::new(&[ALICE, BOB]);
    world.register(BOB);
    let (a, _) = world.open(ALICE, BOB);
    world.server.disconnected(world.now, BOB);
    assert_eq!(
        world.heard(),
        [(ALICE, ToClient::ChannelClosed { token: a })]
    );
    let unavailable = refused(generated::Refusal::Unavailable);
    assert_eq!(world.ask(ALICE, open(BOB)), [(ALICE, unavailable)]);
    world.pass(RECORD_GRACE - Duration::from_micros(1));
    assert_eq!(world.server.registry().len(), 1);
    world.pass(Duration::from_micros(1));
    assert!(world.server.registry().is_empty());
    assert_eq!(world.server.poll_timeout(), None);
}

#[test]
fn a_client_that_comes_back_in_time_keeps_its_record() {
    let mut world = World::new(&[ALICE, BOB]);
    world.register(BOB);
    world.server.disconnected(world.now, BOB);
    world
        .server
        .connected(world.now, ClientId(22), node(BOB), None);
    world.pass(RECORD_GRACE * 2);
    assert_eq!(world.server.registry().len(), 1);
    let unavailable = refused(generated::Refusal::Unavailable);
    assert_eq!(
        world.ask(ALICE, open(BOB)),
        [(ALICE, unavailable)],
        "until it publishes again"
    );
}

#[test]
fn a_new_association_of_a_node_replaces_the_old_one() {
    let mut world = World::new(&[ALICE, BOB]);
    world.register(BOB);
    let (a, _) = world.open(ALICE, BOB);
    world
        .server
        .connected(world.now, ClientId(22), node(BOB), None);
    assert_eq!(
        world.heard(),
        [(ALICE, ToClient::ChannelClosed { token: a })]
    );
    // The end of the old association comes late and must not hurt the new one.
    world.server.disconnected(world.now, BOB);
    world.pass(RECORD_GRACE * 2);
    let record = signed(2, record(2, 1, 2));
    assert_eq!(
        world.publish(ClientId(22), &record),
        ToClient::Published {
            epoch: 1,
            sequence: 2
        }
    );
    let heard = world.ask(ALICE, open(BOB));
    assert!(
        matches!(
            heard[..],
            [(ALICE, ToClient::Opened { .. }), (ClientId(22), _)]
        ),
        "{heard:?}"
    );
}

// V8, R10.2
#[test]
fn requests_beyond_the_rate_are_refused_and_then_the_client_is() {
    let mut world = World::new(&[ALICE, BOB]);
    let busy = (ALICE, refused(generated::Refusal::Busy));
    let answers: Vec<_> = (0..200)
        .flat_map(|_| world.ask(ALICE, lookup(BOB)))
        .collect();
    assert_eq!(
        answers.iter().filter(|answer| **answer == busy).count(),
        100
    );
    assert_eq!(world.ask(ALICE, open(BOB)), std::slice::from_ref(&busy));
    world.pass(Duration::from_millis(20));
    assert_ne!(
        world.ask(ALICE, lookup(BOB)),
        [busy],
        "a little later it may ask again"
    );
    let outcome = (0..2000).find_map(|_| world.tell(ALICE, lookup(BOB)).err());
    assert_eq!(outcome, Some(ProtocolError::Flood));
    world.heard();
    // What else it sends is not looked at.
    assert_eq!(world.ask(ALICE, lookup(BOB)), []);
}

// R10.2
#[test]
fn records_beyond_their_rate_are_refused_unread() {
    let mut world = World::new(&[ALICE]);
    let busy = ToClient::NotPublished {
        reason: generated::PublishRefusal::Busy,
        server_time: NOW,
    };
    let answers: Vec<_> = (0..20)
        .map(|sequence| world.publish(ALICE, &signed(1, record(1, 1, sequence))))
        .collect();
    assert_eq!(answers.iter().filter(|answer| **answer == busy).count(), 10);
}

// R8, R10.2
#[test]
fn a_client_that_does_not_read_its_answers_is_closed() {
    let mut world = World::new(&[ALICE, BOB]);
    world.register(BOB);
    world.server.set_blocked(ALICE, true);
    for _ in 0..10_000 {
        world.now += Duration::from_millis(20);
        world.tell(ALICE, lookup(BOB)).unwrap();
        assert_eq!(world.heard(), [], "nothing goes to a blocked client");
        if !world.closed.is_empty() {
            break;
        }
    }
    assert_eq!(world.closed, [ALICE]);
    world.server.set_blocked(ALICE, false);
    assert_eq!(world.heard(), []);
}

#[test]
fn what_waited_for_a_blocked_client_comes_in_order() {
    let mut world = World::new(&[ALICE, BOB]);
    world.server.set_blocked(ALICE, true);
    for request in 0..5 {
        world
            .tell(
                ALICE,
                ToServer::Lookup {
                    request: RequestId(request),
                    node: node(BOB),
                },
            )
            .unwrap();
    }
    assert_eq!(world.heard(), []);
    world.server.set_blocked(ALICE, false);
    let expected: Vec<_> = (0..5)
        .map(|request| {
            (
                ALICE,
                ToClient::NotFound {
                    request: RequestId(request),
                },
            )
        })
        .collect();
    assert_eq!(world.heard(), expected);
}

// V7
#[test]
fn strangers_cannot_fill_the_queue_of_a_client_that_sleeps() {
    let strangers: Vec<_> = (10..110).map(ClientId).collect();
    let mut world = World::new(&strangers);
    world.server.connected(world.now, BOB, node(BOB), None);
    world.register(BOB);
    world.server.set_blocked(BOB, true);
    for _ in 0..60 {
        world.now += Duration::from_secs(1);
        for stranger in &strangers {
            world.tell(*stranger, open(BOB)).unwrap();
        }
        world.heard();
    }
    assert_eq!(world.closed, []);
    world.server.set_blocked(BOB, false);
    let offers = world.heard().len();
    assert!((1..100).contains(&offers), "{offers}");
}

// R10.1
#[test]
fn a_broken_client_is_told_of_no_more() {
    let mut world = World::new(&[ALICE, BOB]);
    world.register(ALICE);
    let broken = world
        .server
        .handle_bytes(world.now, NOW, ALICE, &[0xff, 0xff]);
    assert_eq!(broken, Err(ProtocolError::TooLong { length: 0xffff }));
    let unavailable = refused(generated::Refusal::Unavailable);
    assert_eq!(world.ask(BOB, open(ALICE)), [(BOB, unavailable)]);
    assert_eq!(world.ask(ALICE, lookup(BOB)), []);
}

#[test]
fn octets_of_a_client_that_is_not_here_are_ignored() {
    let mut world = World::new(&[ALICE]);
    assert_eq!(world.ask(ClientId(99), lookup(ALICE)), []);
    world.server.disconnected(world.now, ClientId(99));
    assert_eq!(world.server.poll_timeout(), None);
}

fn seated(server: &mut ServerHalf, number: u8, ip: [u8; 4]) -> ClientId {
    let client = ClientId(u64::from(number));
    let address = Some(IpAddr::from(ip));
    server.connected(Time::from_micros(1), client, key(number).node_id(), address);
    client
}

fn few_of_a_network() -> World {
    let limits = Limits {
        clients_per_prefix_max: 3,
        records_per_prefix_max: 2,
        ..Limits::default()
    };
    World {
        server: ServerHalf::new([1; 32], limits),
        now: Time::from_micros(1),
        closed: Vec::new(),
    }
}

// V7
#[test]
fn one_network_does_not_take_all_seats_and_who_has_one_keeps_it() {
    let mut world = few_of_a_network();
    for number in 1..=5 {
        seated(&mut world.server, number, [192, 0, 2, number]);
    }
    let other = seated(&mut world.server, 6, [198, 51, 100, 1]);
    assert!(world.heard().is_empty());
    assert_eq!(world.closed, [ClientId(4), ClientId(5)]);
    // Those who are closed are not heard, and those who stay are.
    assert!(world.ask(ClientId(4), lookup(ALICE)).is_empty());
    assert_eq!(world.ask(ClientId(3), lookup(ALICE)).len(), 1);
    assert_eq!(world.ask(other, lookup(ALICE)).len(), 1);
    // One that comes back takes its own place, and one that leaves makes room.
    world.server.connected(
        world.now,
        ClientId(33),
        key(3).node_id(),
        Some([192, 0, 2, 9].into()),
    );
    assert_eq!(world.ask(ClientId(33), lookup(ALICE)).len(), 1);
    world.server.disconnected(world.now, ClientId(1));
    seated(&mut world.server, 4, [192, 0, 2, 4]);
    assert_eq!(world.ask(ClientId(4), lookup(ALICE)).len(), 1);
    for number in [33, 2, 4, 6] {
        world.server.disconnected(world.now, ClientId(number));
    }
    assert!(world.server.by_prefix.is_empty());
}

// V7
#[test]
fn whose_network_has_its_share_of_records_is_refused_and_those_who_have_one_refresh_it() {
    let mut world = few_of_a_network();
    for number in 1..=3 {
        seated(&mut world.server, number, [192, 0, 2, number]);
    }
    world.register(ALICE);
    world.register(BOB);
    let full = ToClient::NotPublished {
        reason: generated::PublishRefusal::Full,
        server_time: NOW,
    };
    let third = ClientId(3);
    assert_eq!(world.publish(third, &signed(3, record(3, 1, 1))), full);
    let refreshed = world.publish(ALICE, &signed(1, record(1, 1, 2)));
    assert!(matches!(refreshed, ToClient::Published { .. }));
    // It can be reached all the same.
    let heard = world.ask(ALICE, open(third));
    assert!(matches!(heard[1], (ClientId(3), ToClient::Offered { .. })));
}
