//! Rules of the protocol that show in single packets: a peer that is played by hand reads what a node sends.
#![expect(
    clippy::unwrap_used,
    reason = "a test stops where something is not as it should be"
)]

mod world;

use std::net::SocketAddr;

use keyway_handshake::{LocalIdentity, read_init};
use keyway_node::{Allow, Config, PathKind};
use keyway_wire::{
    Cid, CidSequence, DataHeader, Frame, Frames, Init, NewCidFrame, PathChallengeFrame,
    PathResponseFrame, Resp,
};
use world::puppet::Puppet;
use world::talk::{SECOND, connect, pattern, transfer};
use world::{Datagram, World, id, secret};

/// Where the puppet is, and where it comes to be.
const HERE: SocketAddr = SocketAddr::new(
    std::net::IpAddr::V4(std::net::Ipv4Addr::new(198, 51, 100, 7)),
    7,
);
const THERE: SocketAddr = SocketAddr::new(
    std::net::IpAddr::V4(std::net::Ipv4Addr::new(198, 51, 100, 99)),
    9,
);

/// A world with one node, which serves everybody.
fn alone() -> (World, usize) {
    let mut world = World::new();
    let node = world.add(2, Config::default());
    world.serve_all(node, "echo");
    (world, node)
}

/// What a packet makes the node send at once.
fn answers(world: &mut World, from: SocketAddr, to: usize, packet: &[u8]) -> Vec<Datagram> {
    let to = world.address(to);
    world.record = Some(Vec::new());
    world.inject(from, to, packet);
    world.record.take().unwrap()
}

/// A puppet that has an association with the node, from `HERE`.
fn acquainted(world: &mut World, node: usize) -> Puppet {
    let mut puppet = Puppet::new(7);
    let init = puppet.init(id(2));
    let resp = answers(world, HERE, node, &init).pop().unwrap();
    puppet.take_resp(&resp.bytes);
    let ping = puppet.packet(&[Frame::Ping]);
    answers(world, HERE, node, &ping);
    world.run(SECOND);
    puppet
}

/// CIDs that the puppet gives away after the first.
const SPARES: [(CidSequence, Cid); 4] = [
    (CidSequence(1), Cid::new([0x51; 7])),
    (CidSequence(2), Cid::new([0x52; 7])),
    (CidSequence(3), Cid::new([0x53; 7])),
    (CidSequence(4), Cid::new([0x54; 7])),
];

fn frames_of(cids: &[(CidSequence, Cid)]) -> Vec<Frame<'static>> {
    cids.iter()
        .map(|(sequence, cid)| {
            Frame::NewCid(NewCidFrame {
                sequence: *sequence,
                retire_prior_to: CidSequence(0),
                cid: *cid,
            })
        })
        .collect()
}

/// What is in a packet to one of the puppet's CIDs.
fn open(puppet: &mut Puppet, packet: &Datagram) -> Option<Vec<u8>> {
    let header = DataHeader::parse(&packet.bytes).ok()?;
    let spare = SPARES.iter().find(|(_, cid)| *cid == header.cid);
    let sequence = spare.map_or(CidSequence(0), |(sequence, _)| *sequence);
    puppet.open(sequence, &packet.bytes)
}

/// The first frame of a packet that `wanted` takes.
fn find<T>(payload: &[u8], wanted: impl Fn(&Frame<'_>) -> Option<T>) -> Option<T> {
    Frames::new(payload).find_map(|frame| wanted(&frame.unwrap()))
}

// R4.14
#[test]
fn a_node_whose_clock_went_back_ten_years_is_let_in() {
    let mut world = World::new();
    let (a, b) = (
        world.add(1, Config::default()),
        world.add(2, Config::default()),
    );
    let now = world.now;
    world
        .node(b)
        .listen(now, "echo".parse().unwrap(), Allow::Only([id(1)].into()));
    connect(&mut world, a, b, 2, true, "echo");
    world.kill(a);
    world.wall -= 10 * 365 * 24 * 3600;
    world.restart(a, 1, Config::default());
    let (near, far) = connect(&mut world, a, b, 2, true, "echo");
    let data = pattern(10_000);
    assert!(transfer(&mut world, (a, near), (b, far), &data) == data);
}

// R4.10, R4.11
#[test]
fn an_init_is_repeated_as_it_is_and_replaced_by_one_with_a_higher_counter() {
    let mut world = World::new();
    let node = world.add(2, Config::default());
    world.record = Some(Vec::new());
    let now = world.now;
    world.node(node).connect(now, id(7), &[HERE]);
    world.run(35 * SECOND);
    let sent = world.record.take().unwrap();
    let mut inits: Vec<Vec<u8>> = sent.into_iter().map(|it| it.bytes).collect();
    let all = inits.len();
    inits.dedup();
    assert!(
        all > 3 * inits.len(),
        "{all} INITs, {} different",
        inits.len()
    );
    let peer = LocalIdentity::new(&secret(7));
    let counters: Vec<u64> = inits
        .iter()
        .map(|init| read_init(&peer, init).unwrap().payload().counter)
        .collect();
    assert!(counters.len() >= 3, "{counters:?}");
    assert!(
        counters.is_sorted_by(|one, next| one < next),
        "{counters:?}"
    );
}

// R4.12
#[test]
fn a_later_handshake_issues_no_cid() {
    let mut world = World::new();
    let (a, b) = (
        world.add(1, Config::default()),
        world.add(2, Config::default()),
    );
    world.serve_all(b, "echo");
    let (near, far) = connect(&mut world, a, b, 2, true, "echo");
    world.run(118 * SECOND);
    world.record = Some(Vec::new());
    world.run(10 * SECOND);
    let data = pattern(100_000);
    assert!(transfer(&mut world, (a, near), (b, far), &data) == data);
    let record = world.record.take().unwrap();
    let (at_a, at_b) = (world.address(a), world.address(b));
    let init = record.iter().find(|it| it.is_init()).unwrap();
    let init = Init::parse(&init.bytes).unwrap();
    let resp = record.iter().find(|it| it.is_resp()).unwrap();
    let resp = Resp::parse(&resp.bytes).unwrap();
    assert_eq!(resp.receiver, init.sender);
    let used = |address| {
        let towards = record.iter().filter(move |it| it.to == address);
        towards.filter_map(|it| Some(DataHeader::parse(&it.bytes).ok()?.cid))
    };
    assert!(used(at_b).any(|cid| cid == resp.sender));
    assert!(used(at_a).all(|cid| cid != init.sender));
}

// R4.20
#[test]
fn an_initiator_confirms_at_once_with_something_to_be_acknowledged() {
    let (mut world, node) = alone();
    let mut puppet = Puppet::new(7);
    let now = world.now;
    world.record = Some(Vec::new());
    world.node(node).connect(now, puppet.id, &[HERE]);
    world.drain();
    let init = world.record.take().unwrap().pop().unwrap();
    let resp = puppet.answer(&init.bytes);
    let sent = answers(&mut world, HERE, node, &resp);
    let eliciting = sent.iter().any(|it| {
        let payload = puppet.open(CidSequence(0), &it.bytes);
        payload.is_some_and(|payload| find(&payload, |it| it.elicits_ack().then_some(())).is_some())
    });
    assert!(eliciting, "{sent:?}");
}

// R8.9
#[test]
fn a_challenge_is_answered_at_once_and_where_it_came_from() {
    let (mut world, node) = alone();
    let mut puppet = acquainted(&mut world, node);
    let told = puppet.packet(&frames_of(&SPARES));
    answers(&mut world, HERE, node, &told);
    let data = [1, 2, 3, 4, 5, 6, 7, 8];
    let challenge = puppet.packet(&[Frame::PathChallenge(PathChallengeFrame { data })]);
    let sent = answers(&mut world, THERE, node, &challenge);
    let there: Vec<Vec<u8>> = sent
        .iter()
        .filter(|it| it.to == THERE)
        .filter_map(|it| open(&mut puppet, it))
        .collect();
    let response = Frame::PathResponse(PathResponseFrame { data });
    let answered =
        |payload: &Vec<u8>| find(payload, |it| (*it == response).then_some(())).is_some();
    assert!(there.iter().any(answered), "{sent:?}");
}

// R8.18
#[test]
fn an_ack_names_the_cid_and_goes_where_the_packet_came_from() {
    let (mut world, node) = alone();
    let mut puppet = acquainted(&mut world, node);
    let ping = puppet.packet(&[Frame::Ping]);
    let sent = answers(&mut world, HERE, node, &ping);
    assert!(sent.iter().all(|it| it.to == HERE), "{sent:?}");
    let acked = sent.iter().find_map(|it| {
        let payload = puppet.open(CidSequence(0), &it.bytes)?;
        find(&payload, |frame| {
            if let Frame::Ack(ack) = frame {
                Some((ack.sequence, ack.ranges.largest()))
            } else {
                None
            }
        })
    });
    // The first packet was the ping that made the acquaintance.
    assert_eq!(acked, Some((CidSequence(0), 1)));
}

/// What the node asks the puppet for in these packets, where they went `THERE`.
fn challenges(puppet: &mut Puppet, sent: &[Datagram]) -> Vec<[u8; 8]> {
    let challenge = |frame: &Frame<'_>| {
        if let Frame::PathChallenge(challenge) = frame {
            Some(challenge.data)
        } else {
            None
        }
    };
    sent.iter()
        .filter(|it| it.to == THERE)
        .filter_map(|it| find(&open(puppet, it)?, challenge))
        .collect()
}

/// Whether the node's selected path to the puppet leads `THERE`.
fn has_followed(world: &mut World, node: usize, puppet: &Puppet) -> bool {
    let node = world.node(node);
    let there = PathKind::Direct { remote: THERE };
    node.association_of(&puppet.id).is_some_and(|association| {
        let mut paths = node.paths(association).into_iter();
        paths.any(|(kind, info)| info.selected && kind == there)
    })
}

// R8.5
#[test]
fn a_peer_that_a_nat_gave_another_port_keeps_its_cid() {
    let (mut world, node) = alone();
    let mut puppet = acquainted(&mut world, node);
    let told = puppet.packet(&frames_of(&SPARES));
    answers(&mut world, HERE, node, &told);
    // It does not know that it has moved: it goes on as before.
    let ping = puppet.packet(&[Frame::Ping]);
    let mut sent = answers(&mut world, THERE, node, &ping);
    let mut kept = false;
    for _ in 0..10 {
        for data in challenges(&mut puppet, &sent) {
            let response = puppet.packet(&[Frame::PathResponse(PathResponseFrame { data })]);
            answers(&mut world, THERE, node, &response);
        }
        let ping = puppet.packet(&[Frame::Ping]);
        sent = answers(&mut world, THERE, node, &ping);
        if has_followed(&mut world, node, &puppet) {
            let cids = sent
                .iter()
                .filter(|it| it.to == THERE)
                .filter_map(|it| DataHeader::parse(&it.bytes).ok())
                .map(|header| header.cid);
            kept = cids.eq([puppet.cid]);
            break;
        }
        world.record = Some(Vec::new());
        world.run(SECOND / 10);
        sent.extend(world.record.take().unwrap());
    }
    assert!(kept, "{sent:?}");
}

// R8.7
#[test]
fn cids_of_the_association_before_are_void() {
    let mut world = World::new();
    let (a, b) = (
        world.add(1, Config::default()),
        world.add(2, Config::default()),
    );
    world.serve_all(b, "echo");
    connect(&mut world, a, b, 2, true, "echo");
    world.run(SECOND);
    // A packet that nobody has seen: sealed well, under a CID that is good at that moment.
    let (at_a, at_b) = (world.address(a), world.address(b));
    world.set_cut(a, b, true);
    world.record = Some(Vec::new());
    let association = world.node(a).association_of(&id(2)).unwrap();
    let now = world.now;
    world.node(a).ping(now, association).unwrap();
    world.drain();
    let packet = world.record.take().unwrap().pop().unwrap();
    world.kill(a);
    world.set_cut(a, b, false);
    world.restart(a, 1, Config::default());
    let (near, far) = connect(&mut world, a, b, 2, true, "echo");
    world.run(SECOND);
    let sent = answers(&mut world, at_a, b, &packet.bytes);
    assert!(sent.is_empty(), "{sent:?}");
    assert_eq!((packet.from, packet.to), (at_a, at_b));
    let data = pattern(10_000);
    assert!(transfer(&mut world, (a, near), (b, far), &data) == data);
}
