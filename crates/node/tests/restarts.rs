//! Peers that die without a word and come back with nothing but their key.
#![expect(
    clippy::unwrap_used,
    clippy::wildcard_enum_match_arm,
    reason = "a test stops where something is not as it should be, and waits for one event among many"
)]

mod world;

use std::net::SocketAddr;
use std::time::Duration;

use keyway_node::{Allow, Config, EndReason, Event};
use world::talk::{SECOND, connect, server, transfer};
use world::{Index, World, id};

/// Nobody has anything to say, so that no packet goes unanswered: it is the server who knows that the peer is back.
// M11, R4.21
#[test]
fn a_restart_is_noticed_although_nobody_waits_for_the_peer() {
    let (mut world, place) = world();
    let (a, b) = (1, 2);
    connect(&mut world, b, a, 1, false, "echo");
    world.run(35 * SECOND);
    world.kill(b);
    world.run(SECOND);
    world.events(a);
    come_back(&mut world, b, place);
    let ended = world.wait(a, 5 * SECOND, |event| match event {
        Event::Ended { reason, .. } => Some(reason.clone()),
        _ => None,
    });
    assert_eq!(ended, EndReason::PeerRestarted);
}

/// Whoever comes back dials while the one that stayed dials it, too, for what the dead process left unanswered. Whichever way
/// the two handshakes cross, what was opened first is what both go on with.
// M11, R4.21
#[test]
fn what_is_opened_at_once_after_a_restart_is_not_ended_by_the_handshake_of_the_one_that_stayed() {
    for step in 0..100 {
        let (mut world, place) = world();
        let (a, b) = (1, 2);
        let (_, far) = connect(&mut world, b, a, 1, false, "echo");
        world.run(3 * SECOND);
        world.kill(b);
        world.node(a).write(far, b"is anybody there?").unwrap();
        world.run(3 * SECOND + step * Duration::from_millis(40));
        come_back(&mut world, b, place);
        world.events(a);
        let (near, far) = connect(&mut world, b, a, 1, false, "echo");
        world.run(12 * SECOND);
        let ended = |events: Vec<Event>| -> Vec<EndReason> {
            let events = events.into_iter();
            let reasons = events.filter_map(|event| match event {
                Event::Ended { reason, .. } => Some(reason),
                _ => None,
            });
            reasons.collect()
        };
        assert_eq!(ended(world.events(b)), [], "step {step}");
        assert!(transfer(&mut world, (b, near), (a, far), b"again") == b"again");
    }
}

/// A server, a node that stays and one that will not live long; and where the server is.
fn world() -> (World, SocketAddr) {
    let mut world = World::new();
    let server = world.add(9, server());
    let (a, b) = (
        world.add(1, Config::default()),
        world.add(2, Config::default()),
    );
    let place = world.address(server);
    serve(&mut world, a, place);
    serve(&mut world, b, place);
    world.run(SECOND);
    (world, place)
}

/// Another process with the same key, and therefore another port.
fn come_back(world: &mut World, index: Index, server: SocketAddr) {
    world.rebind(index, "203.0.113.2:5200".parse().unwrap());
    world.restart(index, 2, Config::default());
    serve(world, index, server);
}

fn serve(world: &mut World, index: Index, server: SocketAddr) {
    let now = world.now;
    let node = world.node(index);
    node.listen(now, "echo".parse().unwrap(), Allow::Any);
    node.add_server(now, id(9), &[server]);
}
