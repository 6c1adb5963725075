//! Peers that die without a word and come back with nothing but their key.
#![expect(
    clippy::wildcard_enum_match_arm,
    reason = "a test waits for one event among many"
)]

mod world;

use std::time::Duration;

use keyway_node::{Allow, Config, EndReason, Event};
use world::talk::{SECOND, connect, server, transfer};
use world::{World, id};

/// M11: whoever comes back dials while the one that stayed dials it, too, for what the dead process left unanswered. Whichever way
/// the two handshakes cross, what was opened first is what both go on with.
#[test]
fn what_is_opened_at_once_after_a_restart_is_not_ended_by_the_handshake_of_the_one_that_stayed() {
    for step in 0..100 {
        let mut world = World::new();
        let (s, a, b) = (
            world.add(9, server()),
            world.add(1, Config::default()),
            world.add(2, Config::default()),
        );
        let (now, place) = (world.now, world.address(s));
        world
            .node(a)
            .listen(now, "echo".parse().unwrap(), Allow::Any);
        world.node(a).add_server(now, id(9), &[place]);
        world.node(b).add_server(now, id(9), &[place]);
        world.run(SECOND);
        let (_, far) = connect(&mut world, b, a, 1, false, "echo");
        world.run(3 * SECOND);
        world.kill(b);
        world.node(a).write(far, b"is anybody there?").unwrap();
        world.run(3 * SECOND + step * Duration::from_millis(40));
        // Another process has another port.
        world.rebind(b, "203.0.113.2:5200".parse().unwrap());
        world.restart(b, 2, Config::default());
        let now = world.now;
        world.node(b).add_server(now, id(9), &[place]);
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
