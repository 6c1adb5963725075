//! Who sends when: nobody who has much to send keeps the others waiting for more than a batch.

mod world;

use std::net::SocketAddr;
use std::time::Duration;

use keyway_node::{Batch, Config};
use world::talk::{connect, pattern, server, transfer};
use world::{Index, World, id};

/// To whom the next `count` batches of a node go, and the first octet of each.
fn next_batches(world: &mut World, index: Index, count: usize) -> Vec<(SocketAddr, u8)> {
    let (now, mut batch) = (world.now, Batch::new());
    let node = world.node(index);
    let mut next = || {
        let transmit = node.poll_transmit(now, &mut batch)?;
        Some((transmit.remote, batch.bytes()[0]))
    };
    std::iter::from_fn(&mut next).take(count).collect()
}

// L12
#[test]
fn an_association_with_much_to_send_delays_another_by_one_batch() {
    let mut world = World::new();
    let [a, b, c] = [1, 2, 3].map(|seed| world.add(seed, Config::default()));
    world.serve_all(b, "echo");
    let (near, bulk) = connect(&mut world, a, b, 2, true, "echo");
    let (_, ping) = connect(&mut world, c, b, 2, true, "echo");
    // Warm: its window is wide by now.
    let data = pattern(8 << 20);
    assert!(transfer(&mut world, (b, bulk), (a, near), &data) == data);
    let (_, bulk) = connect(&mut world, a, b, 2, true, "echo");
    world.run(Duration::from_secs(2));
    while world.node(b).write(bulk, &data).is_ok() {}
    let at_c = world.address(c);
    assert!(
        next_batches(&mut world, b, 2)
            .iter()
            .all(|(to, _)| *to != at_c)
    );
    world.node(b).write(ping, b"ping").unwrap();
    let batches = next_batches(&mut world, b, 2);
    assert_eq!(batches.len(), 2, "there is more of the bulk: {batches:?}");
    assert!(batches.iter().any(|(to, _)| *to == at_c), "{batches:?}");
}

#[test]
fn what_a_relay_passes_on_delays_what_it_has_to_say_itself_by_one_batch() {
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
    world.run(Duration::from_secs(1));
    world.record = Some(Vec::new());
    let (near, far) = connect(&mut world, a, b, 2, false, "echo");
    assert!(transfer(&mut world, (a, near), (b, far), b"hello") == b"hello");
    let (at_a, record) = (world.address(a), world.record.take().unwrap());
    let passed_on = record
        .iter()
        .rev()
        .find(|it| it.from == at_a && it.is_relayed());
    for _ in 0..100 {
        world.hear(s, passed_on.unwrap());
    }
    let now = world.now;
    let association = world.node(s).association_of(&id(1)).unwrap();
    world.node(s).ping(now, association).unwrap();
    let batches = next_batches(&mut world, s, 50);
    assert_eq!(batches.len(), 50);
    let own = batches
        .iter()
        .position(|(to, first)| *to == at_a && *first != 5);
    assert!(own.is_some_and(|place| place <= 1), "{own:?}");
}
