//! What two nodes and a server do for each other.
#![expect(
    clippy::wildcard_enum_match_arm,
    reason = "a test stops where something is not as it should be, and waits for one event among many"
)]

mod world;

use std::time::Duration;

use keyway_node::{Allow, Config, Event, ReadError, codes};
use keyway_wire::StreamKind;
use world::talk::{SECOND, connect, direct, pattern, server, transfer};
use world::{World, id};

#[test]
fn two_nodes_that_know_an_address_talk_without_a_server() {
    let mut world = World::new();
    let (a, b) = (
        world.add(1, Config::default()),
        world.add(2, Config::default()),
    );
    world.serve_all(b, "echo");
    let (near, far) = connect(&mut world, a, b, 2, true, "echo");
    let data = pattern(1_000_000);
    assert!(transfer(&mut world, (a, near), (b, far), &data) == data);
    assert!(transfer(&mut world, (b, far), (a, near), &data) == data);
}

#[test]
fn two_nodes_that_know_a_server_meet_over_its_relay_and_end_up_direct() {
    let mut world = World::new();
    let (s, a, b) = (
        world.add(9, server()),
        world.add(1, Config::default()),
        world.add(2, Config::default()),
    );
    let (now, place) = (world.now, world.address(s));
    world.serve_all(b, "echo");
    world.node(a).add_server(now, id(9), &[place]);
    world.node(b).add_server(now, id(9), &[place]);
    world.wait(b, SECOND, |event| {
        matches!(event, Event::Registered(_)).then_some(())
    });
    world.wait(a, SECOND, |event| {
        matches!(event, Event::ServerConnected(_)).then_some(())
    });
    let before = world.now;
    let (near, far) = connect(&mut world, a, b, 2, false, "echo");
    let took = world.now.saturating_since(before);
    assert!(took <= Duration::from_millis(150), "{took:?}");
    let data = pattern(1_000_000);
    assert!(transfer(&mut world, (a, near), (b, far), &data) == data);
    world.run(2 * SECOND);
    assert!(
        direct(&mut world, a, near.association()),
        "{:#?}",
        world.node(a).paths(near.association())
    );
    assert!(direct(&mut world, b, far.association()));
}

#[test]
fn what_cannot_be_direct_stays_on_the_relay() {
    let mut world = World::new();
    let (s, a, b) = (
        world.add(9, server()),
        world.add(1, Config::default()),
        world.add(2, Config::default()),
    );
    world.set_cut(a, b, true);
    let (now, place) = (world.now, world.address(s));
    world
        .node(b)
        .listen(now, "echo".parse().unwrap(), Allow::Only([id(1)].into()));
    world.node(a).add_server(now, id(9), &[place]);
    world.node(b).add_server(now, id(9), &[place]);
    let (near, far) = connect(&mut world, a, b, 2, false, "echo");
    let data = pattern(3_000_000);
    assert!(transfer(&mut world, (a, near), (b, far), &data) == data);
    assert!(!direct(&mut world, a, near.association()));
    world.set_cut(a, b, false);
    world.run(90 * SECOND);
    assert!(
        direct(&mut world, a, near.association()),
        "a later round of probes finds the way"
    );
}

// R4.21
#[test]
fn both_dialling_at_once_share_one_association() {
    let mut world = World::new();
    let (a, b) = (
        world.add(1, Config::default()),
        world.add(2, Config::default()),
    );
    let (now, at_a, at_b) = (world.now, world.address(a), world.address(b));
    world.node(a).listen(now, "x".parse().unwrap(), Allow::Any);
    world.node(b).listen(now, "x".parse().unwrap(), Allow::Any);
    world.node(a).connect(now, id(2), &[at_b]);
    world.node(b).connect(now, id(1), &[at_a]);
    world.run(3 * SECOND);
    let from_a = world
        .node(a)
        .association_of(&id(2))
        .expect("a is connected");
    let from_b = world
        .node(b)
        .association_of(&id(1))
        .expect("b is connected");
    for (index, events) in [(a, world.events(a)), (b, world.events(b))] {
        let ended = events
            .iter()
            .filter(|event| matches!(event, Event::Ended { .. }))
            .count();
        assert_eq!(ended, 0, "node {index}: {events:?}");
    }
    let near = world
        .node(a)
        .open(from_a, StreamKind::Bytes, &"x".parse().unwrap())
        .unwrap();
    let far = world.wait(b, SECOND, |event| match event {
        Event::Incoming { stream, .. } => Some(*stream),
        _ => None,
    });
    assert_eq!(far.association(), from_b);
    let data = pattern(100_000);
    assert!(transfer(&mut world, (a, near), (b, far), &data) == data);
}

// R4.13
#[test]
fn a_peer_that_is_not_allowed_meets_silence() {
    let mut world = World::new();
    let (a, b) = (
        world.add(1, Config::default()),
        world.add(2, Config::default()),
    );
    let (now, at_a, at_b) = (world.now, world.address(a), world.address(b));
    world
        .node(b)
        .listen(now, "x".parse().unwrap(), Allow::Only([id(3)].into()));
    world.node(a).connect(now, id(2), &[at_b]);
    world.run(30 * SECOND);
    assert!(
        world
            .sent
            .iter()
            .all(|(from, to, _)| (*from, *to) == (at_a, at_b)),
        "nothing came back"
    );
    assert!(world.events(a).is_empty() && world.events(b).is_empty());
}

// R9.4
#[test]
fn a_service_that_is_not_there_and_one_for_others_look_the_same() {
    let mut world = World::new();
    let (a, b) = (
        world.add(1, Config::default()),
        world.add(2, Config::default()),
    );
    let (now, at_b) = (world.now, world.address(b));
    world
        .node(b)
        .listen(now, "mine".parse().unwrap(), Allow::Only([id(1)].into()));
    world
        .node(b)
        .listen(now, "theirs".parse().unwrap(), Allow::Only([id(3)].into()));
    let call = world.node(a).connect(now, id(2), &[at_b]);
    let association = world.wait(a, SECOND, |event| match event {
        Event::Connected {
            id, association, ..
        } if *id == call => Some(*association),
        _ => None,
    });
    for service in ["theirs", "nothing"] {
        let stream = world
            .node(a)
            .open(association, StreamKind::Bytes, &service.parse().unwrap())
            .unwrap();
        world.run(SECOND);
        let read = world.node(a).read(stream, &mut [0; 10]);
        assert_eq!(
            read,
            Err(ReadError::Reset(codes::UNKNOWN_SERVICE)),
            "{service}"
        );
    }
    assert!(
        !world
            .events(b)
            .iter()
            .any(|event| matches!(event, Event::Incoming { .. }))
    );
}

// R4.21
#[test]
fn a_peer_that_restarted_is_noticed_and_its_streams_end() {
    let mut world = World::new();
    let (a, b) = (
        world.add(1, Config::default()),
        world.add(2, Config::default()),
    );
    world.serve_all(b, "echo");
    let (near, _) = connect(&mut world, a, b, 2, true, "echo");
    world.kill(b);
    world.node(a).write(near, b"is anybody there?").unwrap();
    world.run(8 * SECOND);
    world.restart(b, 2, Config::default());
    world.serve_all(b, "echo");
    let ended = world.wait(a, 5 * SECOND, |event| match event {
        Event::Ended { reason, .. } => Some(reason.clone()),
        _ => None,
    });
    assert_eq!(ended, keyway_node::EndReason::PeerRestarted);
    let (near, far) = connect(&mut world, a, b, 2, true, "echo");
    assert!(transfer(&mut world, (a, near), (b, far), b"again") == b"again");
}

#[test]
fn a_session_is_renewed_for_hours_and_nobody_notices() {
    let mut world = World::new();
    let (a, b) = (
        world.add(1, Config::default()),
        world.add(2, Config::default()),
    );
    world.serve_all(b, "echo");
    let (near, far) = connect(&mut world, a, b, 2, true, "echo");
    for _ in 0..60 {
        world.run(60 * SECOND);
        world.node(a).write(near, b"tick").unwrap();
        world.node(b).write(far, b"tock").unwrap();
    }
    let mut buffer = vec![0; 1000];
    world.run(SECOND);
    assert_eq!(world.node(b).read(far, &mut buffer), Ok(240));
    assert_eq!(world.node(a).read(near, &mut buffer), Ok(240));
}

// R9.18
#[test]
fn a_closing_node_says_goodbye() {
    let mut world = World::new();
    let (a, b) = (
        world.add(1, Config::default()),
        world.add(2, Config::default()),
    );
    world.serve_all(b, "echo");
    connect(&mut world, a, b, 2, true, "echo");
    let now = world.now;
    world.node(a).close(now, codes::SHUTDOWN, "bye");
    let reason = world.wait(b, SECOND, |event| match event {
        Event::Ended { reason, .. } => Some(reason.clone()),
        _ => None,
    });
    assert_eq!(
        reason,
        keyway_node::EndReason::Peer {
            code: codes::SHUTDOWN,
            reason: "bye".into()
        }
    );
    world.run(SECOND);
    assert!(world.node(a).is_closed());
}
