//! What somebody achieves who repeats packets, or sends them from elsewhere.
mod world;

use std::time::Duration;

use keyway_node::{Config, Event, Limits, codes};
use keyway_wire::{Frame, StreamKind};
use world::puppet::Puppet;
use world::talk::{SECOND, connect, pattern, server, transfer};
use world::{World, id};

fn pair() -> (World, usize, usize) {
    let mut world = World::new();
    let (a, b) = (
        world.add(1, Config::default()),
        world.add(2, Config::default()),
    );
    world.serve_all(b, "echo");
    (world, a, b)
}

// R4.15
#[test]
fn an_old_init_said_again_does_not_take_the_place_of_a_new_one() {
    let (mut world, a, b) = pair();
    world.record = Some(Vec::new());
    connect(&mut world, a, b, 2, true, "echo");
    let old = world.record.take().unwrap();
    let old = old.into_iter().find(|it| it.is_init()).unwrap();
    let now = world.now;
    world.node(a).close(now, codes::SHUTDOWN, "");
    world.run(20 * SECOND);
    world.restart(a, 1, Config::default());
    let (now, at_b) = (world.now, world.address(b));
    world.node(a).connect(now, id(2), &[at_b]);
    // It arrives while the new one is on its way.
    world.inject(old.from, old.to, &old.bytes);
    let (near, far) = connect(&mut world, a, b, 2, true, "echo");
    let data = pattern(100_000);
    assert!(transfer(&mut world, (a, near), (b, far), &data) == data);
    assert!(world.node(b).association_of(&id(1)).is_some());
}

// R4.15
#[test]
fn a_rekey_init_is_not_answered_long_after() {
    let (mut world, a, b) = pair();
    let (near, far) = connect(&mut world, a, b, 2, true, "echo");
    world.record = Some(Vec::new());
    world.run(130 * SECOND);
    let rekey = world.record.take().unwrap();
    let rekey = rekey.into_iter().find(|it| it.is_init()).unwrap();
    let elsewhere = "198.51.100.66:66".parse().unwrap();
    for _ in 0..10 {
        world.run(11 * SECOND);
        world.inject(elsewhere, rekey.to, &rekey.bytes);
    }
    world.run(SECOND);
    assert!(
        !world.sent.iter().any(|(_, to, _)| *to == elsewhere),
        "it was confirmed"
    );
    let data = pattern(1000);
    assert!(transfer(&mut world, (a, near), (b, far), &data) == data);
}

#[test]
fn the_number_of_a_session_may_be_as_large_as_it_likes() {
    let (mut world, _, b) = pair();
    let mut puppet = Puppet::new(7);
    puppet.generation = u64::MAX;
    let (place, at_b) = ("198.51.100.7:7".parse().unwrap(), world.address(b));
    world.record = Some(Vec::new());
    let init = puppet.init(id(2));
    world.inject(place, at_b, &init);
    let resp = world.record.take().unwrap().pop().unwrap();
    puppet.take_resp(&resp.bytes);
    let ping = puppet.packet(&[Frame::Ping]);
    world.inject(place, at_b, &ping);
    assert!(world.node(b).association_of(&puppet.id).is_some());
    // Its other packets are lost, so that b asks for another session.
    let association = world.node(b).association_of(&puppet.id).unwrap();
    world
        .node(b)
        .open(association, StreamKind::Bytes, &"x".parse().unwrap())
        .unwrap();
    world.run(60 * SECOND);
    assert!(world.node(b).association_of(&puppet.id).is_some());
}

// R8.8, R8.10
#[test]
fn an_answer_from_where_nobody_asked_makes_no_path() {
    let (mut world, a, _) = pair();
    let mut puppet = Puppet::new(7);
    let place = "198.51.100.7:7".parse().unwrap();
    let victim = "198.51.100.99:53".parse().unwrap();
    let (now, at_a) = (world.now, world.address(a));
    world.record = Some(Vec::new());
    world.node(a).connect(now, puppet.id, &[place]);
    world.drain();
    let init = world.record.take().unwrap().pop().unwrap();
    let resp = puppet.answer(&init.bytes);
    world.inject(victim, at_a, &resp);
    let association = world.node(a).association_of(&puppet.id).unwrap();
    let stream = world
        .node(a)
        .open(association, StreamKind::Bytes, &"x".parse().unwrap())
        .unwrap();
    world.node(a).write(stream, &pattern(500_000)).unwrap();
    let before = world.sent.len();
    world.run(2 * SECOND);
    let paths = world.node(a).paths(association);
    assert!(paths.iter().all(|(_, info)| !info.validated), "{paths:#?}");
    let octets: usize = world.sent[before..]
        .iter()
        .filter(|(_, to, _)| *to == victim)
        .map(|(_, _, len)| len)
        .sum();
    assert!(octets <= 8 * 1200, "{octets} octets to somebody else");
}

// R4.10, R4.21
#[test]
fn an_answer_that_was_lost_for_long_still_makes_a_connection_that_stays() {
    let (mut world, a, b) = pair();
    let start = world.now;
    world.lost = Some(Box::new(move |now, datagram| {
        let lost = datagram.is_resp() && now < start + Duration::from_millis(6_000);
        // The first packets of the dialler are lost as well, until the answer would be forgotten.
        let data = datagram.bytes[0] >= 8 && now < start + Duration::from_millis(10_200);
        lost || data
    }));
    let (near, far) = connect(&mut world, a, b, 2, true, "echo");
    let data = pattern(100_000);
    assert!(transfer(&mut world, (a, near), (b, far), &data) == data);
    for index in [a, b] {
        let events = world.events(index);
        let ended = |event: &Event| matches!(event, Event::Ended { .. });
        assert!(!events.iter().any(ended), "{events:?}");
    }
}

#[test]
fn many_who_never_finish_do_not_keep_out_one_who_does() {
    let mut world = World::new();
    let few = Config {
        limits: Limits {
            half_open_max: 16,
            ..Limits::default()
        },
        ..Config::default()
    };
    let (a, b) = (world.add(1, Config::default()), world.add(2, few));
    let at_b = world.address(b);
    world.serve_all(b, "echo");
    for seed in 100..160 {
        let init = Puppet::new(seed).init(id(2));
        world.inject("198.51.100.7:7".parse().unwrap(), at_b, &init);
    }
    let (near, far) = connect(&mut world, a, b, 2, true, "echo");
    assert!(transfer(&mut world, (a, near), (b, far), b"hello") == b"hello");
}

// R1.2
#[test]
fn nothing_that_was_sent_before_and_nothing_that_was_changed_is_answered() {
    let mut world = World::new();
    let (s, a, b) = (
        world.add(9, server()),
        world.add(1, Config::default()),
        world.add(2, Config::default()),
    );
    let (now, at_s) = (world.now, world.address(s));
    world.serve_all(b, "echo");
    world.record = Some(Vec::new());
    world.node(a).add_server(now, id(9), &[at_s]);
    world.node(b).add_server(now, id(9), &[at_s]);
    world.run(SECOND);
    let (near, far) = connect(&mut world, a, b, 2, false, "echo");
    transfer(&mut world, (a, near), (b, far), &pattern(5_000));
    world.run(3 * SECOND);
    let record = world.record.replace(Vec::new()).unwrap();
    for init in [true, false] {
        assert!(record.iter().any(|it| it.is_init() == init));
    }
    assert!(record.iter().any(|it| it.is_resp()) && record.iter().any(|it| it.is_relayed()));
    let before: Vec<_> = [s, a, b]
        .map(|it| format!("{:?}", world.node(it)))
        .into_iter()
        .collect();
    let elsewhere = "198.51.100.66:66".parse().unwrap();
    for packet in &record {
        let relayed = packet.is_relayed() && packet.to == at_s;
        // What a relay passes on without reading it is for the other end to judge.
        let from = if relayed { elsewhere } else { packet.from };
        world.inject(from, packet.to, &packet.bytes);
        let len = packet.bytes.len();
        for place in [
            0,
            1,
            2,
            5,
            9,
            12,
            16,
            20,
            40,
            len / 2,
            len - 33,
            len - 17,
            len - 1,
        ] {
            let mut changed = packet.bytes.clone();
            changed[place % len] ^= 0x11;
            world.inject(from, packet.to, &changed);
            world.inject(from, packet.to, &packet.bytes[..place % len]);
        }
    }
    let sent = world.record.take().unwrap();
    let to_elsewhere = sent.iter().filter(|it| it.to == elsewhere).count();
    assert_eq!((sent.len(), to_elsewhere), (0, 0), "{sent:?}");
    let after: Vec<_> = [s, a, b]
        .map(|it| format!("{:?}", world.node(it)))
        .into_iter()
        .collect();
    assert_eq!(after, before);
    let again = connect(&mut world, a, b, 2, false, "echo");
    let data = pattern(50_000);
    assert!(transfer(&mut world, (a, again.0), (b, again.1), &data) == data);
}
