//! Many peers that take all that they are given and give nothing back.
#![expect(
    clippy::unwrap_used,
    clippy::wildcard_enum_match_arm,
    reason = "a test stops where something is not as it should be, and picks one event among many"
)]

mod world;

use std::net::SocketAddr;

use keyway_node::{Config, Event, Limits, Rate, ReadError};
use keyway_wire::{
    CidSequence, CloseFrame, DatagramFrame, Frame, Frames, OpenFrame, StreamFrame, StreamId,
    StreamKind,
};
use world::puppet::Puppet;
use world::talk::{SECOND, connect, pattern, transfer};
use world::{Index, World, id};

const MIB: u64 = 1 << 20;
/// What the attacked node lends.
const MEMORY: u64 = 8 * MIB;
/// What is guaranteed to each association.
const GUARANTEED: u64 = 64 * 1024;
/// What an association takes beside its buffers: keys, paths, queues, what it remembers of its packets.
const STATE: u64 = 32 * 1024;
const HOSTILE: u8 = 80;

/// A peer that uses whatever it is granted.
struct Hoarder {
    puppet: Puppet,
    place: SocketAddr,
    target: SocketAddr,
    /// 0 on the side that opens even streams.
    parity: u64,
    max_data: u64,
    max_streams: u64,
    sent: u64,
}

impl Hoarder {
    fn connect(world: &mut World, b: Index, number: u8) -> Self {
        let mut puppet = Puppet::with_key([number + 100; 32]);
        let (place, target) = (
            SocketAddr::from(([198, 51, 100, number], 7)),
            world.address(b),
        );
        world.record = Some(Vec::new());
        let init = puppet.init(id(2));
        world.inject(place, target, &init);
        let record = world.record.take().unwrap();
        let resp = record.iter().find(|it| it.is_resp() && it.to == place);
        puppet.take_resp(&resp.unwrap().bytes);
        let limits = Config::default().association.parameters();
        let mut hoarder = Self {
            parity: u64::from(puppet.id > id(2)),
            puppet,
            place,
            target,
            max_data: limits.max_data,
            max_streams: limits.max_streams,
            sent: 0,
        };
        hoarder.say(world, &[Frame::Ping]);
        hoarder
    }

    fn stream(&self, index: u64) -> StreamId {
        StreamId::new(2 * index + self.parity).unwrap()
    }

    /// Sends a packet and hears what is granted.
    fn say(&mut self, world: &mut World, frames: &[Frame<'_>]) {
        let packet = self.puppet.packet(frames);
        world.record = Some(Vec::new());
        world.inject(self.place, self.target, &packet);
        for datagram in world.record.take().unwrap() {
            let opened = (datagram.to == self.place)
                .then(|| self.puppet.open(CidSequence(0), &datagram.bytes))
                .flatten();
            for frame in Frames::new(&opened.unwrap_or_default()).flatten() {
                match frame {
                    Frame::MaxData(frame) => self.max_data = self.max_data.max(frame.max),
                    Frame::MaxStreams(frame) => self.max_streams = self.max_streams.max(frame.max),
                    _ => {}
                }
            }
        }
    }

    fn open(&mut self, world: &mut World, index: u64, kind: StreamKind) {
        let open = OpenFrame {
            stream: self.stream(index),
            kind,
            service: "echo",
        };
        self.say(world, &[Frame::Open(open)]);
    }

    fn send(&mut self, world: &mut World, index: u64, offset: u64, data: &[u8]) {
        let frame = StreamFrame {
            stream: self.stream(index),
            offset,
            fin: false,
            data,
        };
        self.say(world, &[Frame::Stream(frame)]);
    }

    /// As many octets as there is credit for, on one stream after the other.
    fn fill_windows(&mut self, world: &mut World) {
        for index in 0..self.max_streams.min(4) {
            self.open(world, index, StreamKind::Bytes);
            let mut offset = 0;
            while offset + 1_200 <= MIB && self.sent + 1_200 <= self.max_data {
                self.send(world, index, offset, &[7; 1_200]);
                (offset, self.sent) = (offset + 1_200, self.sent + 1_200);
            }
        }
    }

    /// Single octets with holes between them, behind a hole.
    fn leave_gaps(&mut self, world: &mut World) {
        for index in 0..4 {
            self.open(world, index, StreamKind::Bytes);
            let span = (self.max_data / 4).min(8_000);
            for offset in (1..span).step_by(2).take(300) {
                self.send(world, index, offset, &[7]);
            }
        }
    }

    /// As many streams as it is granted, with an octet in each.
    fn open_streams(&mut self, world: &mut World) {
        let mut index = 0;
        while index < self.max_streams.min(300) {
            self.open(world, index, StreamKind::Bytes);
            self.send(world, index, 0, &[7]);
            index += 1;
        }
    }

    fn send_datagrams(&mut self, world: &mut World) {
        for index in 0..8 {
            self.open(world, index, StreamKind::Datagrams);
            for _ in 0..40 {
                let datagram = DatagramFrame {
                    flow: self.stream(index),
                    data: &[7; 1_100],
                };
                self.say(world, &[Frame::Datagram(datagram)]);
            }
        }
    }

    fn attack(&mut self, world: &mut World, number: u8) {
        match number % 4 {
            0 => self.fill_windows(world),
            1 => self.leave_gaps(world),
            2 => self.open_streams(world),
            _ => self.send_datagrams(world),
        }
    }

    fn leave(mut self, world: &mut World) {
        let bye = CloseFrame {
            code: 0,
            reason: "",
        };
        self.say(world, &[Frame::Close(bye)]);
    }
}

fn generous() -> Config {
    Config {
        limits: Limits {
            memory_max: MEMORY,
            handshakes: Rate::new(100_000, 100_000),
            strangers: Rate::new(100_000, 100_000),
            ..Limits::default()
        },
        ..Config::default()
    }
}

/// Whoever opened a stream asks for much, and acknowledges nothing.
fn answer_all(world: &mut World, b: Index) {
    let answer = vec![7; 65_536];
    for event in world.events(b) {
        if let Event::Incoming { stream, .. } = event {
            while world.node(b).write(stream, &answer).is_ok() {}
        }
    }
}

#[test]
fn a_pair_that_rests_holds_nothing_and_goes_on_at_full_speed() {
    let mut world = World::new();
    let (a, b) = (world.add(1, Config::default()), world.add(2, generous()));
    world.serve_all(b, "echo");
    let data = pattern(2_000_000);
    for _ in 0..2 {
        let (near, far) = connect(&mut world, a, b, 2, true, "echo");
        let before = world.now;
        assert!(transfer(&mut world, (a, near), (b, far), &data) == data);
        assert!(world.now.saturating_since(before) < SECOND);
        assert!(world.node(a).census().memory_lent > 0);
        assert!(world.node(b).census().memory_lent > MIB / 2);
        // What the other side has yet to hear of goes out, and then nobody uses the association.
        world.run(3 * SECOND);
        assert_eq!(world.node(a).census().memory_lent, 0);
        assert_eq!(world.node(b).census().memory_lent, 0);
    }
}

#[test]
fn where_there_is_nothing_to_lend_everything_goes_on_with_what_is_guaranteed() {
    let mut world = World::new();
    let nothing = || {
        let mut config = generous();
        config.limits.memory_max = 0;
        config
    };
    let (a, b) = (world.add(1, nothing()), world.add(2, nothing()));
    world.serve_all(b, "echo");
    let data = pattern(200_000);
    for _ in 0..20 {
        // Streams that are over make room for others.
        let (near, far) = connect(&mut world, a, b, 2, true, "echo");
        assert!(transfer(&mut world, (a, near), (b, far), &data) == data);
        world.node(b).finish(far);
        world.run(SECOND / 10);
        let end = world.node(a).read(near, &mut [0; 8]);
        assert_eq!(end, Err(ReadError::Finished));
    }
}

// L1, L2, L3, L8
#[test]
fn peers_that_fill_all_they_were_promised_take_what_the_node_lends_and_what_is_guaranteed() {
    let mut world = World::new();
    let (a, b) = (world.add(1, Config::default()), world.add(2, generous()));
    world.serve_all(b, "echo");
    let (near, far) = connect(&mut world, a, b, 2, true, "echo");
    let mut hoarders = Vec::new();
    let taken = allocation_counter::measure(|| {
        for number in 0..HOSTILE {
            let mut hoarder = Hoarder::connect(&mut world, b, number);
            hoarder.attack(&mut world, number);
            assert!(world.node(b).census().memory_lent <= MEMORY);
            answer_all(&mut world, b);
            assert!(world.node(b).census().memory_lent <= MEMORY);
            world.sent = Vec::new();
            hoarders.push(hoarder);
        }
    });
    let all = u64::from(HOSTILE);
    let taken = u64::try_from(taken.bytes_current).unwrap();
    assert!(taken > MEMORY / 2, "the attack is none: {taken}");
    assert!(taken <= MEMORY + all * (GUARANTEED + STATE), "{taken}");
    let census = world.node(b).census();
    assert_eq!(census.associations, usize::from(HOSTILE) + 1);
    assert!(census.memory_lent > MEMORY / 4 * 3, "{census:?}");

    // Who behaves is served all the while, with what is left.
    let data = pattern(500_000);
    assert!(transfer(&mut world, (a, near), (b, far), &data) == data);

    for hoarder in hoarders {
        hoarder.leave(&mut world);
    }
    // Associations that have ended may be read from for a minute.
    world.run(100 * SECOND);
    assert_eq!(world.node(b).census().memory_lent, 0);
}
