//! How long a node looks for a peer that is away, and for whom.
#![expect(
    clippy::unwrap_used,
    clippy::wildcard_enum_match_arm,
    reason = "a test stops where something is not as it should be, and waits for one event among many"
)]

mod world;

use std::time::Duration;

use keyway_node::{Allow, Config, EndReason, Event, StreamKey, codes};
use keyway_wire::{INIT_LEN, StreamKind};
use world::talk::{SECOND, connect, pattern, transfer};
use world::{Index, World, id};

const MINUTE: Duration = Duration::from_secs(60);

/// Two nodes with a stream between them; the second one then dies.
fn left_alone() -> (World, Index, Index, StreamKey) {
    let (mut world, a, b, near) = connected();
    world.kill(b);
    (world, a, b, near)
}

fn connected() -> (World, Index, Index, StreamKey) {
    let mut world = World::new();
    let (a, b) = (
        world.add(1, Config::default()),
        world.add(2, Config::default()),
    );
    serve(&mut world, b);
    let (near, _) = connect(&mut world, a, b, 2, true, "echo");
    world.run(5 * SECOND);
    (world, a, b, near)
}

fn serve(world: &mut World, index: Index) {
    let now = world.now;
    let name = "echo".parse().unwrap();
    world.node(index).listen(now, name, Allow::Any);
}

/// INITs that a node sends in some time.
fn inits(world: &mut World, from: Index, span: Duration) -> usize {
    let (before, at) = (world.sent.len(), world.address(from));
    world.run(span);
    let sent = world.sent[before..].iter();
    sent.filter(|(from, _, len)| *from == at && *len == INIT_LEN)
        .count()
}

#[test]
fn a_peer_that_stays_away_is_looked_for_less_and_less_often() {
    let (mut world, a, b, stream) = left_alone();
    world.node(a).write(stream, &pattern(1000)).unwrap();
    let first = inits(&mut world, a, MINUTE);
    assert!((50..=70).contains(&first), "{first}");
    world.run(10 * MINUTE);
    let later = inits(&mut world, a, 60 * MINUTE);
    assert!((200..=260).contains(&later), "{later} in an hour");
    world.restart(b, 2, Config::default());
    serve(&mut world, b);
    let reason = world.wait(a, 20 * SECOND, |event| match event {
        Event::Ended { reason, .. } => Some(reason.clone()),
        _ => None,
    });
    assert_eq!(reason, EndReason::PeerRestarted);
}

#[test]
fn nobody_is_looked_for_once_nobody_waits() {
    let (mut world, a, _, stream) = left_alone();
    world.node(a).write(stream, &pattern(1000)).unwrap();
    world.run(5 * MINUTE);
    // The patience of the application is over.
    world.node(a).reset(stream, codes::ABANDONED);
    world.node(a).stop(stream, codes::ABANDONED);
    // For ten minutes after the last use, a pair keeps itself ready.
    world.run(15 * MINUTE);
    assert_eq!(inits(&mut world, a, 120 * MINUTE), 0);
}

#[test]
fn whoever_writes_again_makes_the_node_look_at_once() {
    let (mut world, a, b, stream) = left_alone();
    world.node(a).write(stream, &pattern(1000)).unwrap();
    world.run(5 * MINUTE);
    world.node(a).reset(stream, codes::ABANDONED);
    world.node(a).stop(stream, codes::ABANDONED);
    world.run(60 * MINUTE);
    let association = stream.association();
    let another = world.node(a).open(
        association,
        keyway_wire::StreamKind::Bytes,
        &"echo".parse().unwrap(),
    );
    assert!(another.is_ok());
    assert!(inits(&mut world, a, 2 * SECOND) >= 4);
    world.restart(b, 2, Config::default());
    serve(&mut world, b);
    world.run(10 * SECOND);
    let (near, far) = connect(&mut world, a, b, 2, true, "echo");
    assert!(transfer(&mut world, (a, near), (b, far), b"hello") == b"hello");
}

#[test]
fn another_address_makes_the_node_look_at_once() {
    let (mut world, a, _, stream) = left_alone();
    world.node(a).write(stream, &pattern(1000)).unwrap();
    world.run(30 * MINUTE);
    let (now, at) = (world.now, world.address(a));
    let bound = [(keyway_node::SocketId(0), ([0, 0, 0, 0], 4100).into())];
    let hosts = [at.ip(), [10, 0, 0, 1].into()];
    world.node(a).set_sockets(now, &bound, &hosts);
    assert!(inits(&mut world, a, 2 * SECOND) >= 4);
    assert!(world.node(a).association_of(&id(2)).is_some());
}

#[test]
fn who_wants_a_peer_that_just_said_goodbye_waits_for_its_return() {
    let (mut world, a, b, near) = connected();
    // The goodbye is heard at `a`, and not answered yet.
    world.record = Some(Vec::new());
    world.lost = Some(Box::new(|_, _| true));
    let now = world.now;
    world.node(b).close(now, codes::SHUTDOWN, "bye");
    world.run(SECOND);
    let goodbye = world.record.take().unwrap().remove(0);
    world.lost = None;
    world.events(a);
    let place = world.address(b);
    world.hear(a, &goodbye);
    let now = world.now;
    let call = world.node(a).connect(now, id(2), &[place]);
    world.restart(b, 2, Config::default());
    serve(&mut world, b);
    let association = world.wait(a, 5 * SECOND, |event| match event {
        Event::Connected {
            id, association, ..
        } if *id == call => Some(*association),
        _ => None,
    });
    assert_ne!(association, near.association());
    let name = "echo".parse().unwrap();
    let opened = world.node(a).open(association, StreamKind::Bytes, &name);
    assert!(opened.is_ok(), "{opened:?}");
}
