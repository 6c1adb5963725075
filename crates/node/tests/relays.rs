//! What a relay does for its clients, and does not do for anybody.
#![expect(
    clippy::unwrap_used,
    clippy::wildcard_enum_match_arm,
    reason = "a test stops where something is not as it should be, and waits for one event among many"
)]

mod world;

use std::net::SocketAddr;

use keyway_identity::Signed;
use keyway_node::{Config, Event, Limits, Record, RendezvousLimits, Wall, codes};
use keyway_rendezvous::ClientHalf;
use keyway_wire::{Frame, OpenFrame, StreamFrame, StreamId, StreamKind};
use world::puppet::Puppet;
use world::talk::{SECOND, connect, direct, pattern, server, transfer};
use world::{DELAY, Index, World, id, secret};

/// A server, a client that dials, and one that listens; the two do not reach each other directly.
fn relayed() -> (World, Index, Index, Index) {
    let mut world = World::new();
    let (s, a, b) = (
        world.add(9, server()),
        world.add(1, Config::default()),
        world.add(2, Config::default()),
    );
    world.set_cut(a, b, true);
    let (now, place) = (world.now, world.address(s));
    world.serve_all(b, "echo");
    world.node(a).add_server(now, id(9), &[place]);
    world.node(b).add_server(now, id(9), &[place]);
    world.run(SECOND);
    (world, s, a, b)
}

#[test]
fn a_node_that_closes_says_goodbye_through_the_relay_as_well() {
    let (mut world, _, a, b) = relayed();
    connect(&mut world, a, b, 2, false, "echo");
    world.run(SECOND);
    world.events(b);
    let now = world.now;
    world.node(a).close(now, codes::SHUTDOWN, "bye");
    world.run(5 * SECOND);
    assert!(world.node(a).is_closed());
    let ended = world.events(b).into_iter().find_map(|event| match event {
        Event::Ended { reason, .. } => Some(reason),
        _ => None,
    });
    assert_eq!(
        ended,
        Some(keyway_node::EndReason::Peer {
            code: codes::SHUTDOWN,
            reason: "bye".into()
        })
    );
}

#[test]
fn a_server_that_restarts_gets_its_channels_back_and_streams_go_on() {
    let (mut world, s, a, b) = relayed();
    let (near, far) = connect(&mut world, a, b, 2, false, "echo");
    world.kill(s);
    world.run(4 * SECOND);
    world.restart(s, 9, server());
    let data = pattern(300_000);
    assert!(transfer(&mut world, (a, near), (b, far), &data) == data);
}

// R10.12
#[test]
fn a_peer_whose_relay_was_out_of_reach_when_it_was_called_is_reached_soon_after() {
    let (mut world, s, a, b) = relayed();
    let (at_s, at_b) = (world.address(s), world.address(b));
    let call = world.now;
    world.node(a).connect(call, id(2), &[]);
    // The server hands the call over, and for some seconds nothing follows, neither way.
    let offered = call + 2 * DELAY;
    let until = call + 13 * SECOND;
    world.lost = Some(Box::new(move |now, datagram| {
        let ends = [datagram.from, datagram.to];
        ends.contains(&at_s) && ends.contains(&at_b) && (offered..until).contains(&now)
    }));
    world.wait(a, 30 * SECOND, |event| {
        matches!(event, Event::Connected { .. }).then_some(())
    });
    let late = world.now.saturating_since(until);
    assert!(late < 5 * SECOND, "{late:?}");
}

// R10.8
#[test]
fn a_client_whose_mapping_changes_goes_on() {
    let (mut world, _, a, b) = relayed();
    let (near, far) = connect(&mut world, a, b, 2, false, "echo");
    world.run(SECOND);
    let moved = "198.51.100.1:4111".parse().unwrap();
    world.rebind(a, moved);
    world.set_cut(a, b, true);
    let before = world.now;
    let data = pattern(300_000);
    assert!(transfer(&mut world, (a, near), (b, far), &data) == data);
    let took = world.now.saturating_since(before);
    assert!(took < 10 * SECOND, "{took:?}");
}

#[test]
fn a_peer_that_comes_back_through_the_relay_is_reached_directly_again() {
    let (mut world, _, a, b) = relayed();
    world.set_cut(a, b, false);
    world.serve_all(a, "echo");
    let (near, _) = connect(&mut world, a, b, 2, false, "echo");
    world.run(5 * SECOND);
    assert!(direct(&mut world, a, near.association()));
    // It dials before the other side has noticed that the direct path leads nowhere.
    world.set_cut(a, b, true);
    world.restart(b, 2, Config::default());
    let (now, place) = (world.now, world.address(0));
    world.node(b).add_server(now, id(9), &[place]);
    world.events(a);
    let (far, near) = connect(&mut world, b, a, 1, false, "echo");
    assert!(!direct(&mut world, a, near.association()));
    world.set_cut(a, b, false);
    world.run(130 * SECOND);
    assert!(direct(&mut world, a, near.association()));
    assert!(direct(&mut world, b, far.association()));
}

#[test]
fn a_second_stream_to_a_server_ends_the_first_so_that_its_owner_notices() {
    let (mut world, _, a, b) = relayed();
    world.events(b);
    let association = world.node(b).association_of(&id(9)).unwrap();
    let name = "rendezvous".parse().unwrap();
    world
        .node(b)
        .open(association, StreamKind::Bytes, &name)
        .unwrap();
    world.run(30 * SECOND);
    let events = world.events(b);
    assert!(
        events.iter().any(|it| matches!(it, Event::ServerLost(_))),
        "{events:?}"
    );
    assert!(
        events.iter().any(|it| matches!(it, Event::Registered(_))),
        "{events:?}"
    );
    // Whoever looks for it finds it again.
    let (near, far) = connect(&mut world, a, b, 2, false, "echo");
    assert!(transfer(&mut world, (a, near), (b, far), b"hello") == b"hello");
}

// V7
#[test]
fn a_server_without_room_is_not_asked_for_it_in_each_round_trip() {
    let mut world = World::new();
    let full = Config {
        limits: Limits {
            rendezvous: RendezvousLimits {
                clients_per_prefix_max: 1,
                ..RendezvousLimits::default()
            },
            ..Limits::default()
        },
        ..server()
    };
    let (s, a, b) = (
        world.add(9, full),
        world.add(1, Config::default()),
        world.add(2, Config::default()),
    );
    let (now, place) = (world.now, world.address(s));
    world.node(a).add_server(now, id(9), &[place]);
    world.run(SECOND);
    let now = world.now;
    world.node(b).add_server(now, id(9), &[place]);
    world.run(60 * SECOND);
    let lost = |event: &Event| matches!(event, Event::ServerLost(_));
    let refused = world.events(b).iter().filter(|it| lost(it)).count();
    assert!((10..=25).contains(&refused), "{refused}");
    assert!(!world.events(a).iter().any(lost), "who is seated stays");
    // And there is room when the other one leaves.
    let now = world.now;
    world.node(a).close(now, codes::SHUTDOWN, "");
    world.run(10 * SECOND);
    world.events(b);
    world.run(30 * SECOND);
    assert!(!world.events(b).iter().any(lost));
}

/// What a client that wants to be found says first on its stream.
fn registration(puppet: &Puppet, seed: u8) -> Vec<u8> {
    let record = Record {
        node: puppet.id,
        versions: vec![1],
        epoch: 1,
        instance: 1,
        sequence: 1,
        servers: vec![id(9)],
        issued: Wall(1_800_000_000),
        expiry: Wall(1_800_000_200),
    };
    let mut client = ClientHalf::new();
    client.connected();
    client.publish(&Signed::sign(record, &secret(seed)).unwrap());
    client.poll_output().unwrap()
}

// R10.8
#[test]
fn nothing_is_relayed_to_an_address_that_nobody_has_proved() {
    let (mut world, s, a, _) = relayed();
    let mut puppet = Puppet::new(200);
    let home: SocketAddr = "198.51.100.7:7".parse().unwrap();
    let victim: SocketAddr = "198.51.100.99:53".parse().unwrap();
    let at_s = world.address(s);
    world.record = Some(Vec::new());
    let init = puppet.init(id(9));
    world.inject(home, at_s, &init);
    let record = world.record.take().unwrap();
    let resp = record.iter().find(|it| it.to == home).unwrap();
    puppet.take_resp(&resp.bytes);
    // The handshake was made at home; everything after it claims to come from somebody else.
    let stream = StreamId::new(u64::from(puppet.id > id(9))).unwrap();
    let hello = registration(&puppet, 200);
    let open = Frame::Open(OpenFrame {
        stream,
        kind: StreamKind::Bytes,
        service: "rendezvous",
    });
    let data = Frame::Stream(StreamFrame {
        stream,
        offset: 0,
        fin: false,
        data: &hello,
    });
    let packet = puppet.packet(&[open, data]);
    world.inject(victim, at_s, &packet);
    world.record = Some(Vec::new());
    let now = world.now;
    world.node(a).connect(now, puppet.id, &[]);
    world.run(3 * SECOND);
    let record = world.record.take().unwrap();
    let at_a = world.address(a);
    assert!(
        record.iter().any(|it| it.from == at_a && it.is_relayed()),
        "a channel was opened"
    );
    let hit = record.iter().filter(|it| it.to == victim);
    assert!(hit.clone().all(|it| !it.is_relayed()));
}

// R10.8
#[test]
fn a_relay_forwards_nothing_from_an_address_that_nobody_has_proved() {
    let (mut world, s, a, b) = relayed();
    connect(&mut world, a, b, 2, false, "echo");
    world.record = Some(Vec::new());
    world.run(30 * SECOND);
    let (at_s, at_a) = (world.address(s), world.address(a));
    let record = world.record.replace(Vec::new()).unwrap();
    let relayed: Vec<_> = record
        .iter()
        .filter(|it| it.from == at_a && it.to == at_s && it.is_relayed())
        .collect();
    assert!(!relayed.is_empty());
    for packet in relayed {
        world.inject("198.51.100.7:7".parse().unwrap(), at_s, &packet.bytes);
    }
    let sent = world.record.take().unwrap();
    assert!(sent.is_empty(), "{sent:?}");
}

#[test]
fn octets_that_only_together_look_like_a_relayed_packet_are_none() {
    let (mut world, s, a, b) = relayed();
    connect(&mut world, a, b, 2, false, "echo");
    world.record = Some(Vec::new());
    world.run(30 * SECOND);
    let (at_s, at_a) = (world.address(s), world.address(a));
    let record = world.record.replace(Vec::new()).unwrap();
    let packet = record
        .iter()
        .find(|it| it.from == at_a && it.to == at_s && it.is_relayed())
        .unwrap();
    world.inject_batch(at_a, at_s, &packet.bytes, 3);
    let sent = world.record.take().unwrap();
    assert!(sent.is_empty(), "{sent:?}");
}
