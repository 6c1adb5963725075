//! What hostile peers can make a node send to others. (RFC 9000, 21.5)
#![expect(
    clippy::unwrap_used,
    reason = "a test stops where something is not as it should be"
)]

mod world;

use std::net::{Ipv4Addr, SocketAddr};

use keyway_node::{Config, Limits, Rate};
use keyway_wire::{Candidate, CandidateKind, Cid, CidSequence, Frame, NewCidFrame};
use world::puppet::Puppet;
use world::talk::SECOND;
use world::{Index, World, id};

const VICTIM: Ipv4Addr = Ipv4Addr::new(192, 0, 2, 99);

/// A node that lets everybody in.
fn open_to_all(config: Config) -> (World, Index) {
    let mut world = World::new();
    let b = world.add(2, config);
    world.serve_all(b, "echo");
    (world, b)
}

fn candidates(addresses: impl IntoIterator<Item = SocketAddr>) -> Vec<Candidate> {
    let host = |address| Candidate {
        kind: CandidateKind::Host,
        address,
    };
    addresses.into_iter().map(host).collect()
}

/// Connects under a key of its own, names these addresses, and is not heard of again: without a direct path, the node probes.
fn name(world: &mut World, to: Index, number: u32, named: &[Candidate]) {
    let mut seed = [7; 32];
    seed[..4].copy_from_slice(&number.to_be_bytes());
    let mut puppet = Puppet::with_key(seed);
    let from = (Ipv4Addr::from_bits(0x0a00_0000 + number), 4100).into();
    let at = world.address(to);
    world.record = Some(Vec::new());
    let init = puppet.init(id(2));
    world.inject(from, at, &init);
    let resp = world.record.take().unwrap();
    puppet.take_resp(&resp.first().unwrap().bytes);
    // Probes go out under an id of their own.
    let cids = (1..4).map(|sequence| {
        Frame::NewCid(NewCidFrame {
            sequence: CidSequence(u32::from(sequence)),
            retire_prior_to: CidSequence(0),
            cid: Cid::new([sequence; Cid::LEN]),
        })
    });
    let packet = puppet.packet(&cids.collect::<Vec<_>>());
    world.inject(from, at, &packet);
    let packet = puppet.candidates(1, named);
    world.inject(from, at, &packet);
    assert!(world.node(to).association_of(&puppet.id).is_some());
}

fn sent_to(world: &World, is_victim: impl Fn(SocketAddr) -> bool) -> usize {
    let sent = world.sent.iter().filter(|(_, to, _)| is_victim(*to));
    // Batches of equal packets count as many.
    sent.map(|(_, _, len)| len.div_ceil(1200)).sum()
}

// L9
#[test]
fn many_peers_that_name_one_victim_do_not_add_up() {
    let (mut world, b) = open_to_all(Config::default());
    let named = candidates((1..=32).map(|port| (VICTIM, port).into()));
    for number in 0..100 {
        name(&mut world, b, number, &named);
        world.run(SECOND / 50);
    }
    world.run(58 * SECOND);
    let probes = sent_to(&world, |to| to.ip() == VICTIM);
    assert!((10..=60 + 10 * 60).contains(&probes), "{probes} probes");
}

// L9
#[test]
fn many_peers_that_name_many_victims_share_one_budget() {
    let few = Config {
        limits: Limits {
            probes: Rate::new(20, 40),
            ..Limits::default()
        },
        ..Config::default()
    };
    let (mut world, b) = open_to_all(few);
    for number in 0..50 {
        let victim = |last| SocketAddr::from(([192, 0, u8::try_from(number).unwrap(), last], 53));
        name(&mut world, b, number, &candidates((1..=32).map(victim)));
        world.run(SECOND / 50);
    }
    world.run(29 * SECOND);
    let probes = sent_to(&world, |to| to.port() == 53);
    assert!((100..=40 + 20 * 30).contains(&probes), "{probes} probes");
}

// L9, R6
#[test]
fn nobody_makes_a_node_send_to_what_is_no_host_or_is_its_own() {
    let (mut world, b) = open_to_all(Config::default());
    let tricks = [
        "127.0.0.1:53",
        "[::1]:53",
        "169.254.169.254:80",
        "169.254.7.7:53",
        "224.0.0.1:53",
        "255.255.255.255:53",
        "[ff02::1]:53",
        "[fe80::1]:53",
        "[64:ff9b::7f00:1]:53",
        "[2002:7f00:1::1]:53",
        "240.0.0.1:53",
        "203.0.113.2:4100",
    ];
    let tricks: Vec<SocketAddr> = tricks.iter().map(|it| it.parse().unwrap()).collect();
    name(&mut world, b, 1, &candidates(tricks.iter().copied()));
    world.run(30 * SECOND);
    assert_eq!(sent_to(&world, |to| tricks.contains(&to)), 0);
}

// L9, M3
#[test]
fn nothing_goes_to_an_address_that_no_peer_named_and_no_packet_came_from() {
    let (mut world, b) = open_to_all(Config::default());
    let named = candidates([(VICTIM, 53).into()]);
    name(&mut world, b, 1, &named);
    world.run(30 * SECOND);
    let known = |to: SocketAddr| to.ip() == VICTIM || to.ip() == Ipv4Addr::new(10, 0, 0, 1);
    assert_eq!(sent_to(&world, |to| !known(to)), 0);
    assert!(sent_to(&world, |to| to.ip() == VICTIM) > 0, "it was named");
}
