//! What is over leaves nothing behind, and what goes wrong heals.
#![expect(
    clippy::unwrap_used,
    clippy::wildcard_enum_match_arm,
    reason = "a test stops where something is not as it should be, and waits for one event among many"
)]

mod world;

use std::collections::BTreeSet;
use std::net::SocketAddr;
use std::time::Duration;

use keyway_identity::NodeId;
use keyway_node::{Allow, Config, EndReason, Event, Limits};
use keyway_wire::{CloseFrame, Frame, StreamKind};
use rand_chacha::ChaCha20Rng;
use rand_core::{Rng, SeedableRng};
use world::puppet::Puppet;
use world::talk::{SECOND, connect, pattern, server, transfer};
use world::{Index, World, id};

fn footprint(world: &mut World, index: Index) -> String {
    format!("{:?}", world.node(index))
}

#[test]
fn a_peer_that_comes_and_goes_leaves_nothing_behind() {
    let mut world = World::new();
    let b = world.add(2, Config::default());
    let at_b = world.address(b);
    world.serve_all(b, "echo");
    let before = footprint(&mut world, b);
    let place = "198.51.100.7:7".parse().unwrap();
    let mut puppet = Puppet::new(7);
    for round in 0..300 {
        puppet.incarnation = round;
        world.record = Some(Vec::new());
        let init = puppet.init(id(2));
        world.inject(place, at_b, &init);
        let record = world.record.take().unwrap();
        let resp = record.iter().find(|it| it.is_resp()).unwrap();
        puppet.take_resp(&resp.bytes);
        let ping = puppet.packet(&[Frame::Ping]);
        world.inject(place, at_b, &ping);
        if round % 3 == 0 {
            let bye = puppet.packet(&[Frame::Close(CloseFrame {
                code: 0,
                reason: "",
            })]);
            world.inject(place, at_b, &bye);
        }
        // As often as one node may shake hands.
        world.run(Duration::from_millis(60));
    }
    let kept = footprint(&mut world, b);
    let associations = kept.split("associations: ").nth(1).unwrap();
    let associations: usize = associations.split(',').next().unwrap().parse().unwrap();
    assert!(associations < 20, "{kept}");
    let bye = puppet.packet(&[Frame::Close(CloseFrame {
        code: 0,
        reason: "",
    })]);
    world.inject(place, at_b, &bye);
    world.run(200 * SECOND);
    assert_eq!(footprint(&mut world, b), before);
}

#[test]
fn inits_that_nobody_follows_up_leave_nothing_behind() {
    let mut world = World::new();
    let b = world.add(2, Config::default());
    let at_b = world.address(b);
    world.serve_all(b, "echo");
    let before = footprint(&mut world, b);
    for seed in 100..120 {
        let mut puppet = Puppet::new(seed);
        for incarnation in 0..10 {
            puppet.incarnation = incarnation;
            let init = puppet.init(id(2));
            world.inject("198.51.100.7:7".parse().unwrap(), at_b, &init);
        }
    }
    world.run(60 * SECOND);
    assert_eq!(footprint(&mut world, b), before);
}

#[test]
fn no_more_associations_are_made_than_there_may_be_and_those_that_are_go_on() {
    let mut world = World::new();
    let few = Config {
        limits: Limits {
            associations_max: 3,
            ..Limits::default()
        },
        ..Config::default()
    };
    let (a, b) = (world.add(1, Config::default()), world.add(2, few));
    let at_b = world.address(b);
    world.serve_all(b, "echo");
    let (near, far) = connect(&mut world, a, b, 2, true, "echo");
    let place = "198.51.100.7:7".parse().unwrap();
    let mut answered = 0;
    for seed in 100..110 {
        let mut puppet = Puppet::new(seed);
        world.record = Some(Vec::new());
        let init = puppet.init(id(2));
        world.inject(place, at_b, &init);
        let record = world.record.take().unwrap();
        if let Some(resp) = record.iter().find(|it| it.is_resp()) {
            answered += 1;
            puppet.take_resp(&resp.bytes);
            let ping = puppet.packet(&[Frame::Ping]);
            world.inject(place, at_b, &ping);
        }
    }
    assert_eq!(answered, 2);
    let data = pattern(10_000);
    assert!(transfer(&mut world, (a, near), (b, far), &data) == data);
}

/// A puppet that is connected to b, and will not be heard of again.
fn vanished(world: &mut World, b: Index, seed: u8) -> NodeId {
    let (mut puppet, at_b) = (Puppet::new(seed), world.address(b));
    let place = SocketAddr::from(([198, 51, 100, seed], 7));
    world.record = Some(Vec::new());
    let init = puppet.init(id(2));
    world.inject(place, at_b, &init);
    let record = world.record.take().unwrap();
    puppet.take_resp(&record.iter().find(|it| it.is_resp()).unwrap().bytes);
    let ping = puppet.packet(&[Frame::Ping]);
    world.inject(place, at_b, &ping);
    assert!(world.node(b).association_of(&puppet.id).is_some());
    puppet.id
}

// L2
#[test]
fn who_was_silent_longest_makes_room_for_who_speaks() {
    let mut world = World::new();
    let few = Config {
        limits: Limits {
            associations_max: 4,
            ..Limits::default()
        },
        ..Config::default()
    };
    let (a, b) = (world.add(1, Config::default()), world.add(2, few));
    let (now, at_b) = (world.now, world.address(b));
    world.serve_all(b, "echo");
    let listed = Allow::Only(BTreeSet::from([id(101)]));
    world.node(b).listen(now, "db".parse().unwrap(), listed);
    let gone: Vec<_> = (101..105)
        .map(|seed| {
            let gone = vanished(&mut world, b, seed);
            world.run(SECOND);
            gone
        })
        .collect();
    let left = |world: &mut World| {
        let is_left = |id: &&NodeId| world.node(b).association_of(id).is_some();
        gone.iter().filter(is_left).copied().collect::<Vec<_>>()
    };
    // They may still come back: nobody gives way yet.
    let early = Puppet::new(110).init(id(2));
    world.run(20 * SECOND);
    world.inject("198.51.100.7:7".parse().unwrap(), at_b, &early);
    assert_eq!(left(&mut world).len(), 4);
    // An INIT alone, which anybody can make, drives nobody out.
    world.run(100 * SECOND);
    for seed in 120..130 {
        let init = Puppet::new(seed).init(id(2));
        world.inject("198.51.100.7:7".parse().unwrap(), at_b, &init);
    }
    assert_eq!(left(&mut world).len(), 4);
    let (near, far) = connect(&mut world, a, b, 2, true, "echo");
    assert_eq!(
        left(&mut world),
        [gone[0], gone[2], gone[3]],
        "the first is listed"
    );
    world.events(b);
    vanished(&mut world, b, 111);
    vanished(&mut world, b, 112);
    assert_eq!(left(&mut world), [gone[0]]);
    let ended = world.events(b).into_iter().filter_map(|event| match event {
        Event::Ended { peer, reason, .. } => Some((peer, reason)),
        _ => None,
    });
    let displaced = [2, 3].map(|number| (gone[number], EndReason::Displaced));
    assert_eq!(ended.collect::<Vec<_>>(), displaced);
    let data = pattern(10_000);
    assert!(transfer(&mut world, (a, near), (b, far), &data) == data);
}

/// A node that everybody may use, with two associations at most.
fn narrow(world: &mut World) -> Index {
    let few = Config {
        limits: Limits {
            associations_max: 2,
            ..Limits::default()
        },
        ..Config::default()
    };
    let b = world.add(2, few);
    world.serve_all(b, "echo");
    b
}

// L2
#[test]
fn whom_no_path_leads_to_makes_room_before_who_only_sleeps() {
    let mut world = World::new();
    let b = narrow(&mut world);
    let a = world.add(1, Config::default());
    let (near, far) = connect(&mut world, a, b, 2, true, "echo");
    assert!(transfer(&mut world, (a, near), (b, far), b"good night") == b"good night");
    // A pair that is not used keeps its path, and says nothing.
    world.run(900 * SECOND);
    // This one never answers, so that its path is given up.
    let gone = vanished(&mut world, b, 101);
    world.run(100 * SECOND);
    vanished(&mut world, b, 102);
    assert!(world.node(b).association_of(&gone).is_none());
    assert!(world.node(b).association_of(&id(1)).is_some());
}

// L2
#[test]
fn a_server_of_ours_makes_room_for_nobody_however_long_it_is_silent() {
    let mut world = World::new();
    let b = narrow(&mut world);
    let s = world.add(9, server());
    let (now, place) = (world.now, world.address(s));
    world.node(b).add_server(now, id(9), &[place]);
    world.run(5 * SECOND);
    world.kill(s);
    world.run(SECOND);
    let gone = vanished(&mut world, b, 101);
    world.run(100 * SECOND);
    vanished(&mut world, b, 102);
    assert!(world.node(b).association_of(&id(9)).is_some());
    assert!(world.node(b).association_of(&gone).is_none());
}

#[test]
fn a_dial_that_is_given_up_wakes_nobody_again() {
    let mut world = World::new();
    let a = world.add(1, Config::default());
    let (now, nowhere) = (world.now, "198.51.100.7:7".parse().unwrap());
    let timer = |world: &mut World| {
        let now = world.now;
        world.node(a).poll_timeout(now)
    };
    let call = world.node(a).connect(now, id(20), &[nowhere]);
    world.run(SECOND);
    assert!(timer(&mut world).is_some());
    world.node(a).cancel(call);
    assert_eq!(timer(&mut world), None);
}

#[test]
fn a_dial_that_is_given_up_leaves_nothing_behind() {
    let mut world = World::new();
    let (s, a) = (world.add(9, server()), world.add(1, Config::default()));
    let (now, place) = (world.now, world.address(s));
    world.node(a).add_server(now, id(9), &[place]);
    world.run(5 * SECOND);
    let before = (footprint(&mut world, s), footprint(&mut world, a));
    for seed in 20..40 {
        let now = world.now;
        let call = world.node(a).connect(now, id(seed), &[]);
        world.run(SECOND);
        world.node(a).cancel(call);
        let lookup = world.node(a).lookup(now, id(seed));
        world.run(SECOND);
        world.node(a).cancel_lookup(lookup);
    }
    world.run(60 * SECOND);
    let after = (footprint(&mut world, s), footprint(&mut world, a));
    assert_eq!(after, before);
}

/// Three nodes, two servers, and everything that can happen to them.
struct Chaos {
    world: World,
    random: ChaCha20Rng,
}

const SERVERS: [(Index, u8); 2] = [(0, 9), (1, 10)];
const NODES: [(Index, u8); 3] = [(2, 1), (3, 2), (4, 3)];

impl Chaos {
    fn new(seed: u64) -> Self {
        let mut world = World::new();
        for (_, seed) in SERVERS {
            world.add(seed, server());
        }
        for (_, seed) in NODES {
            world.add(seed, Config::default());
        }
        let mut chaos = Self {
            world,
            random: ChaCha20Rng::seed_from_u64(seed),
        };
        for (index, _) in NODES {
            chaos.set_up(index);
        }
        chaos
    }

    fn set_up(&mut self, index: Index) {
        let now = self.world.now;
        let name = "echo".parse().unwrap();
        self.world.node(index).listen(now, name, Allow::Any);
        for (server, seed) in SERVERS {
            let place = self.world.address(server);
            self.world.node(index).add_server(now, id(seed), &[place]);
        }
    }

    fn pick(&mut self, count: usize) -> usize {
        let count = u32::try_from(count).unwrap();
        usize::try_from(self.random.next_u32() % count).unwrap()
    }

    fn pair(&mut self) -> (Index, Index, u8) {
        let from = self.pick(NODES.len());
        let to = (from + 1 + self.pick(NODES.len() - 1)) % NODES.len();
        (NODES[from].0, NODES[to].0, NODES[to].1)
    }

    fn lossy(&mut self, percent: u32) {
        let mut random = ChaCha20Rng::from_rng(&mut self.random);
        self.world.lost = Some(Box::new(move |_, _| random.next_u32() % 100 < percent));
    }

    /// Something happens.
    fn turn(&mut self) {
        let (from, to, seed) = self.pair();
        let now = self.world.now;
        match self.pick(12) {
            0..4 => {
                let hints = [self.world.address(to)];
                let hints = if self.pick(2) == 0 { &hints[..] } else { &[] };
                self.world.node(from).connect(now, id(seed), hints);
            }
            4 => self.world.set_cut(from, to, true),
            5 => self.world.set_cut(from, to, false),
            6 => {
                let (index, seed) = NODES[self.pick(NODES.len())];
                self.world.restart(index, seed, Config::default());
                self.set_up(index);
            }
            7 => {
                let (index, seed) = SERVERS[self.pick(SERVERS.len())];
                self.world.restart(index, seed, server());
            }
            8 => {
                let port = 10_000 + u16::try_from(self.pick(50_000)).unwrap();
                let mut address = self.world.address(from);
                address.set_port(port);
                self.world.rebind(from, address);
            }
            9 => {
                let percent = [0, 5, 30, 60][self.pick(4)];
                self.lossy(percent);
            }
            _ => self.talk(from, id(seed)),
        }
        let span = Duration::from_millis([1, 5, 30, 500, 9_000][self.pick(5)]);
        self.world.run(span);
    }

    /// Says something on a new stream, where there is an association.
    fn talk(&mut self, from: Index, to: NodeId) {
        let node = self.world.node(from);
        let Some(association) = node.association_of(&to) else {
            return;
        };
        if let Ok(stream) = node.open(association, StreamKind::Bytes, &"echo".parse().unwrap()) {
            let _ = node.write(stream, &pattern(20_000));
            node.finish(stream);
        }
    }

    /// All is well again; every pair can talk.
    fn heal(&mut self) {
        self.world.lost = None;
        self.world.heal_all();
        self.world.run(40 * SECOND);
        for (from, _) in NODES {
            for (to, seed) in NODES {
                if from != to {
                    self.exchange(from, to, seed);
                }
            }
        }
    }

    fn exchange(&mut self, from: Index, to: Index, seed: u8) {
        self.world.events(from);
        self.world.events(to);
        let (near, far) = connect(&mut self.world, from, to, seed, true, "echo");
        let data = pattern(30_000);
        assert!(transfer(&mut self.world, (from, near), (to, far), &data) == data);
    }
}

#[test]
fn whatever_happens_everybody_can_talk_afterwards() {
    // Seeds that once led to pairs that were stuck for ever, and some that did not.
    for seed in [1020, 1099, 1104, 1127, 1239].into_iter().chain(0..20) {
        println!("seed {seed}");
        let mut chaos = Chaos::new(seed);
        for _ in 0..60 {
            chaos.turn();
        }
        chaos.heal();
    }
}

#[test]
fn whatever_happened_is_forgotten_when_everybody_has_left() {
    for seed in 100..110 {
        let mut chaos = Chaos::new(seed);
        for _ in 0..40 {
            chaos.turn();
        }
        chaos.heal();
        for (index, _) in NODES {
            let now = chaos.world.now;
            chaos.world.node(index).close(now, 0, "");
        }
        chaos.world.run(100 * SECOND);
        for (index, _) in NODES {
            assert!(chaos.world.node(index).is_closed(), "{seed}");
            let left = footprint(&mut chaos.world, index);
            assert!(left.contains("associations: 0, cids: "), "{seed}: {left}");
            assert!(left.contains("owners: 0"), "{seed}: {left}");
            assert!(left.contains("half_open: 0"), "{seed}: {left}");
            assert!(left.contains("channels: 0"), "{seed}: {left}");
        }
    }
}
