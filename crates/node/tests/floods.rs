//! What floods achieve, and what it costs to be asked.
#![expect(
    clippy::unwrap_used,
    reason = "a test stops where something is not as it should be"
)]

mod world;

use std::collections::BTreeSet;
use std::net::{Ipv4Addr, SocketAddr};
use std::time::Duration;

use keyway_identity::NodeId;
use keyway_node::{Allow, Config, Event, Limits, Rate};
use keyway_wire::{COOKIE_LEN, Frame, INIT_LEN, Packet};
use rand_chacha::ChaCha20Rng;
use rand_core::{Rng, SeedableRng};
use world::puppet::Puppet;
use world::talk::{SECOND, connect, pattern, server, transfer};
use world::{Datagram, Index, World, id};

const ELSEWHERE: &str = "198.51.100.66:66";

fn place(number: u32) -> SocketAddr {
    (Ipv4Addr::from_bits(0x0a00_0000 + number), 4100).into()
}

/// Soon under load.
fn busy() -> Config {
    Config {
        limits: Limits {
            handshakes: Rate::new(50, 50),
            ..Limits::default()
        },
        ..Config::default()
    }
}

/// A node that serves everybody, and one that wants to talk to it.
fn pair(config: Config) -> (World, Index, Index) {
    let mut world = World::new();
    let (a, b) = (world.add(1, Config::default()), world.add(2, config));
    world.serve_all(b, "echo");
    (world, a, b)
}

/// What the world sends in answer to a datagram.
fn answers(world: &mut World, from: SocketAddr, to: SocketAddr, bytes: &[u8]) -> Vec<Datagram> {
    world.record = Some(Vec::new());
    world.inject(from, to, bytes);
    world.record.take().unwrap()
}

/// INITs of strangers from invented addresses, until cookies are asked for. Returns the INIT that was the first to be.
fn overload(world: &mut World, to: Index, to_id: NodeId) -> (Puppet, Vec<u8>) {
    let at = world.address(to);
    for number in 0..1000 {
        let mut puppet = Puppet::new(u8::try_from(100 + number % 100).unwrap());
        puppet.counter = u64::from(number);
        let init = puppet.init(to_id);
        let sent = answers(world, place(number), at, &init);
        if sent.iter().any(Datagram::is_cookie) {
            return (puppet, init);
        }
    }
    panic!("there is no load");
}

// F2, F7
#[test]
fn ten_thousand_inits_a_second_from_invented_addresses_keep_nobody_out() {
    let mut world = World::new();
    let b = world.add(2, Config::default());
    let honest: Vec<u8> = (30..50).collect();
    let dialers: Vec<Index> = honest
        .iter()
        .map(|seed| world.add(*seed, Config::default()))
        .collect();
    let listed = Allow::Only(honest.iter().map(|seed| id(*seed)).collect());
    let (now, at_b) = (world.now, world.address(b));
    world.node(b).listen(now, "echo".parse().unwrap(), listed);
    let (near, far) = connect(&mut world, dialers[0], b, 2, true, "echo");
    let inits: Vec<_> = (100..200)
        .map(|seed| Puppet::new(seed).init(id(2)))
        .collect();
    let (mut next, mut waiting, mut took) = (1, Vec::new(), Vec::new());
    for number in 0..30_000_u32 {
        let init = &inits[usize::try_from(number).unwrap() % inits.len()];
        world.inject(place(number), at_b, init);
        world.run(Duration::from_micros(100));
        if number % 1000 == 500
            && let Some(dialer) = dialers.get(next)
        {
            let now = world.now;
            world.node(*dialer).connect(now, id(2), &[at_b]);
            waiting.push((*dialer, now));
            next += 1;
        }
        waiting.retain(|(dialer, start)| {
            let connected = world.node(*dialer).association_of(&id(2)).is_some();
            if connected {
                took.push(world.now.saturating_since(*start));
            }
            !connected
        });
    }
    assert_eq!((took.len(), waiting.len()), (dialers.len() - 1, 0));
    let longest = took.iter().max().unwrap();
    assert!(*longest <= SECOND, "{took:?}");
    // What it sent to all those addresses is a twentieth of what came from them.
    let flood =
        |to: &SocketAddr| to.ip().is_ipv4() && to.port() == 4100 && place(0).ip() <= to.ip();
    let invented = |to: &SocketAddr| flood(to) && to.ip() <= place(30_000).ip();
    let octets: usize = world
        .sent
        .iter()
        .filter(|it| invented(&it.1))
        .map(|it| it.2)
        .sum();
    assert!(octets > 0 && octets <= 30_000 * COOKIE_LEN, "{octets}");
    // Who was connected before noticed nothing.
    let data = pattern(100_000);
    assert!(transfer(&mut world, (dialers[0], near), (b, far), &data) == data);
}

// F2, R4.26, R4.28
#[test]
fn who_dials_a_node_under_load_connects_a_round_trip_later() {
    let (mut world, a, b) = pair(busy());
    overload(&mut world, b, id(2));
    let start = world.now;
    world.record = Some(Vec::new());
    let (near, far) = connect(&mut world, a, b, 2, true, "echo");
    // INIT, COOKIE, INIT, RESP, and the first data.
    let took = world.now.saturating_since(start);
    assert!(took <= Duration::from_millis(60), "{took:?}");
    let record = world.record.take().unwrap();
    assert_eq!(record.iter().filter(|it| it.is_cookie()).count(), 1);
    assert_eq!(record.iter().filter(|it| it.is_init()).count(), 2);
    let data = pattern(10_000);
    assert!(transfer(&mut world, (a, near), (b, far), &data) == data);
}

// R4.28
#[test]
fn a_node_uses_its_cookie_for_the_next_init_at_once() {
    let (mut world, a, b) = pair(busy());
    overload(&mut world, b, id(2));
    // Whatever b answers to the INIT with the cookie is lost, until a makes another INIT.
    world.lost = Some(Box::new(|_, datagram| datagram.is_resp()));
    let (now, at_b) = (world.now, world.address(b));
    world.node(a).connect(now, id(2), &[at_b]);
    world.run(9 * SECOND);
    world.lost = None;
    overload(&mut world, b, id(2));
    world.record = Some(Vec::new());
    world.wait(a, 5 * SECOND, |event| {
        matches!(event, Event::Connected { .. }).then_some(())
    });
    let record = world.record.take().unwrap();
    let from_a = record.iter().filter(|it| it.to == at_b && it.is_init());
    for init in from_a {
        let Ok(Packet::Init(init)) = Packet::parse(&init.bytes) else {
            panic!("not an INIT");
        };
        assert_ne!(*init.mac2, [0; 16]);
    }
    assert!(!record.iter().any(Datagram::is_cookie));
}

// F2, R4.30
#[test]
fn a_dial_through_a_relay_succeeds_under_load() {
    let mut world = World::new();
    let (s, a, b) = (
        world.add(9, server()),
        world.add(1, Config::default()),
        world.add(2, busy()),
    );
    world.set_cut(a, b, true);
    let (now, at_s) = (world.now, world.address(s));
    world.serve_all(b, "echo");
    world.node(a).add_server(now, id(9), &[at_s]);
    world.node(b).add_server(now, id(9), &[at_s]);
    world.run(SECOND);
    overload(&mut world, b, id(2));
    let start = world.now;
    world.record = Some(Vec::new());
    connect(&mut world, a, b, 2, false, "echo");
    let took = world.now.saturating_since(start);
    assert!(took <= Duration::from_millis(700), "{took:?}");
    let record = world.record.take().unwrap();
    let relayed_cookie = |it: &Datagram| it.is_relayed() && it.bytes[9..].starts_with(&[4, 3]);
    assert!(record.iter().any(relayed_cookie));
}

// R4.30
#[test]
fn a_dial_through_a_relay_whose_init_was_one_too_many_succeeds_soon_after() {
    let mut world = World::new();
    let one_at_a_time = Config {
        limits: Limits {
            strangers: Rate::new(1, 1),
            ..Limits::default()
        },
        ..Config::default()
    };
    let (s, a, b) = (
        world.add(9, server()),
        world.add(1, Config::default()),
        world.add(2, one_at_a_time),
    );
    world.set_cut(a, b, true);
    let (now, at_s, at_b) = (world.now, world.address(s), world.address(b));
    world.serve_all(b, "echo");
    world.node(a).add_server(now, id(9), &[at_s]);
    world.node(b).add_server(now, id(9), &[at_s]);
    world.run(2 * SECOND);
    let init = Puppet::new(100).init(id(2));
    assert!(answers(&mut world, place(1), at_b, &init)[0].is_resp());
    let start = world.now;
    connect(&mut world, a, b, 2, false, "echo");
    let took = world.now.saturating_since(start);
    assert!(took >= Duration::from_millis(500), "{took:?}");
    assert!(took <= 4 * SECOND, "{took:?}");
}

// R4.28, P1
#[test]
fn a_cookie_said_again_and_again_does_not_multiply_inits() {
    let (mut world, a, b) = pair(busy());
    overload(&mut world, b, id(2));
    let (now, at_a, at_b) = (world.now, world.address(a), world.address(b));
    world.record = Some(Vec::new());
    world.lost = Some(Box::new(|_, datagram| datagram.is_resp()));
    world.node(a).connect(now, id(2), &[at_b]);
    world.run(Duration::from_millis(50));
    let record = world.record.take().unwrap();
    let cookie = record.into_iter().find(Datagram::is_cookie).unwrap();
    for from in [at_b, ELSEWHERE.parse().unwrap()] {
        for _ in 0..100 {
            assert!(answers(&mut world, from, at_a, &cookie.bytes).is_empty());
        }
    }
    world.run(9 * SECOND);
    let inits = world
        .sent
        .iter()
        .filter(|(from, _, len)| *from == at_a && *len == INIT_LEN);
    assert!(inits.count() <= 2 * 9, "one repetition for each sending");
}

/// Everything that somebody without a session can say to a node at all, with its name.
fn requests(to: NodeId) -> Vec<(&'static str, Vec<u8>)> {
    let mut random = ChaCha20Rng::from_seed([8; 32]);
    let mut junk = |len: usize, start: &[u8]| {
        let mut bytes = vec![0; len];
        random.fill_bytes(&mut bytes);
        bytes[..start.len()].copy_from_slice(start);
        bytes
    };
    let mut stranger = Puppet::new(50);
    let init = stranger.init(to);
    let mut unaddressed = init.clone();
    unaddressed[1_090] ^= 1;
    let mut of_another_version = init.clone();
    of_another_version[2] = 2;
    let resp = Puppet::new(51).answer(&Puppet::new(52).init(id(51)));
    vec![
        ("INIT", init.clone()),
        ("INIT with a wrong mac1", unaddressed),
        ("INIT of another version", of_another_version),
        ("INIT for another node", Puppet::new(53).init(id(77))),
        ("INIT, an octet short", init[..INIT_LEN - 1].to_vec()),
        ("RESP", resp),
        ("COOKIE", junk(COOKIE_LEN, &[4, 3, 1])),
        ("handshake of another kind", junk(1120, &[4, 9, 1])),
        ("data", junk(1200, &[8])),
        ("data, the shortest", junk(32, &[15])),
        (
            "relayed INIT",
            [&[5, 1, 2, 3, 4, 5, 6, 7, 8][..], &init].concat(),
        ),
        ("relayed, the shortest", vec![5, 1, 2, 3, 4, 5, 6, 7, 8, 4]),
        ("relayed twice", junk(1200, &[5, 0, 0, 0, 0, 0, 0, 0, 0, 5])),
        ("STUN", junk(20, &[0, 1, 0, 0, 0x21, 0x12, 0xa4, 0x42])),
        ("QUIC", junk(1200, &[0xc0, 0, 0, 0, 1])),
        ("one octet", vec![4]),
        ("rendezvous", junk(600, &[0, 100, 8])),
    ]
}

// F4, R4.17, R5.1
#[test]
fn no_answer_to_somebody_without_a_session_is_larger_than_the_question() {
    for (name, config) in [
        ("node", busy()),
        ("server", server()),
        ("calm", Config::default()),
    ] {
        let (mut world, _, b) = pair(config);
        let at_b = world.address(b);
        if name == "node" {
            overload(&mut world, b, id(2));
        }
        for (number, (what, request)) in (1..).zip(requests(id(2))) {
            let sent = answers(&mut world, place(500 + number), at_b, &request);
            let octets: usize = sent.iter().map(|it| it.bytes.len()).sum();
            assert!(octets <= request.len(), "{name}, {what}: {octets}");
            let answered = usize::from(what == "INIT");
            assert_eq!(sent.len(), answered, "{name}, {what}: {sent:?}");
            // And nothing later: who does not follow up is not asked why.
            world.record = Some(Vec::new());
            world.run(20 * SECOND);
            let later = world.record.take().unwrap();
            assert!(later.is_empty(), "{name}, {what}: {later:?}");
            if name == "node" {
                overload(&mut world, b, id(2));
            }
        }
    }
}

// F1, F4
#[test]
fn junk_is_not_answered_and_leaves_nothing_behind() {
    let (mut world, a, b) = pair(Config::default());
    let (near, far) = connect(&mut world, a, b, 2, true, "echo");
    world.run(20 * SECOND);
    let before = format!("{:?}", world.node(b));
    let mut random = ChaCha20Rng::from_seed([1; 32]);
    let at_b = world.address(b);
    for number in 0..20_000 {
        let mut bytes = vec![0; 60 + usize::try_from(random.next_u32() % 1340).unwrap()];
        random.fill_bytes(&mut bytes);
        // Half of them look like packets of ours.
        if number % 2 == 0 {
            bytes[0] = 4 + bytes[0] % 12;
        }
        let sent = answers(&mut world, place(number), at_b, &bytes);
        assert!(sent.is_empty(), "{sent:?}");
    }
    assert_eq!(format!("{:?}", world.node(b)), before);
    let data = pattern(50_000);
    assert!(transfer(&mut world, (a, near), (b, far), &data) == data);
}

// A1, R4.13
#[test]
fn a_thousand_keys_that_nobody_listed_get_not_one_packet() {
    let mut world = World::new();
    let (a, b) = (
        world.add(1, Config::default()),
        world.add(2, Config::default()),
    );
    let (now, at_b) = (world.now, world.address(b));
    let listed = Allow::Only(BTreeSet::from([id(1)]));
    world.node(b).listen(now, "echo".parse().unwrap(), listed);
    let before = format!("{:?}", world.node(b));
    for number in 0..1000_u32 {
        let mut seed = [0; 32];
        seed[..4].copy_from_slice(&number.to_be_bytes());
        let init = Puppet::with_key(seed).init(id(2));
        let sent = answers(&mut world, place(number), at_b, &init);
        // Once they are too many, they are asked where they are, as everybody is; it tells them no more than `mac1` does.
        assert!(sent.iter().all(Datagram::is_cookie), "{sent:?}");
        assert!(number >= 100 || sent.is_empty(), "{number}");
        world.run(Duration::from_millis(2));
    }
    assert!(world.events(b).is_empty());
    world.run(10 * SECOND);
    assert_eq!(format!("{:?}", world.node(b)), before);
    let (near, far) = connect(&mut world, a, b, 2, true, "echo");
    assert!(transfer(&mut world, (a, near), (b, far), b"hello") == b"hello");
}

// F3
#[test]
fn one_allowed_peer_does_not_shake_hands_all_day() {
    let (mut world, a, b) = pair(Config::default());
    let at_b = world.address(b);
    let mut puppet = Puppet::new(7);
    let mut answered = 0;
    for _ in 0..1000 {
        let init = puppet.init(id(2));
        let sent = answers(&mut world, place(1), at_b, &init);
        answered += sent.iter().filter(|it| it.is_resp()).count();
        world.run(Duration::from_millis(3));
    }
    // Three seconds at 20 in each, and a burst of 5.
    assert!((60..=65).contains(&answered), "{answered}");
    connect(&mut world, a, b, 2, true, "echo");
}

// P1, F5
#[test]
fn a_cookie_of_one_source_and_an_init_of_another_make_no_session() {
    let (mut world, _, b) = pair(busy());
    let (mut puppet, init) = overload(&mut world, b, id(2));
    let at_b = world.address(b);
    let cookie = answers(&mut world, place(1), at_b, &init).remove(0);
    let with = puppet.with_cookie(&cookie.bytes);
    let elsewhere = answers(&mut world, ELSEWHERE.parse().unwrap(), at_b, &with);
    assert!(elsewhere.iter().all(Datagram::is_cookie), "{elsewhere:?}");
    world.run(Duration::from_millis(100));
    let here = answers(&mut world, place(1), at_b, &with);
    assert!(here[0].is_resp());
    puppet.take_resp(&here[0].bytes);
    let ping = puppet.packet(&[Frame::Ping]);
    world.inject(place(1), at_b, &ping);
    assert!(world.node(b).association_of(&puppet.id).is_some());
}
