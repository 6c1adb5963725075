//! Two sides and a bad network, against what an ideal stream would do.

use std::collections::{BTreeMap, BTreeSet};

use keyway_wire::{StreamId, StreamKind};
use proptest::prelude::*;
use proptest::sample::Index;

use super::link::{EVEN, ODD, PACKET, Packet, Pair, octets, receive};
use super::{OpenError, ReadError, StreamEvent, StreamLimits, WriteError};
use crate::streams::Accepted;

const LIMITS: StreamLimits = StreamLimits {
    guaranteed: 2000,
    streams_guaranteed: 2,
    stream_window_initial: 1500,
    stream_window_max: 6000,
    window_initial: 2500,
    window_max: 8000,
    streams_max: 4,
    send_buffer_initial: 1000,
    send_buffer_max: 4000,
    send_buffers_max: 6000,
    gaps_max: 3,
    datagram_queue_max: 5000,
};

#[derive(Clone, Debug)]
enum Step {
    Open(usize, bool),
    Write(usize, Index, usize),
    Datagram(usize, Index, usize),
    Read(usize, Index, usize),
    Finish(usize, Index),
    Reset(usize, Index, u64),
    Stop(usize, Index, u64),
    Send(usize, usize),
    Deliver(usize, Index),
    Ack(usize, Index),
    Lose(usize, Index),
    /// A packet that was given up arrives after all; if so told, it is acknowledged too.
    Ghost(Index, bool),
    /// Nobody has used the association for a while.
    Rest(usize),
}

fn any_step() -> impl Strategy<Value = Step> {
    let side = || 0usize..2;
    let which = any::<Index>;
    prop_oneof![
        2 => (side(), any::<bool>()).prop_map(|(side, bytes)| Step::Open(side, bytes)),
        6 => (side(), which(), 0usize..2500).prop_map(|(side, which, octets)| Step::Write(side, which, octets)),
        2 => (side(), which(), 0usize..1100).prop_map(|(side, which, octets)| Step::Datagram(side, which, octets)),
        6 => (side(), which(), 0usize..2500).prop_map(|(side, which, octets)| Step::Read(side, which, octets)),
        2 => (side(), which()).prop_map(|(side, which)| Step::Finish(side, which)),
        1 => (side(), which(), 0u64..9).prop_map(|(side, which, code)| Step::Reset(side, which, code)),
        1 => (side(), which(), 10u64..19).prop_map(|(side, which, code)| Step::Stop(side, which, code)),
        10 => (side(), prop_oneof![Just(PACKET), 20usize..1400]).prop_map(|(side, room)| Step::Send(side, room)),
        10 => (side(), which()).prop_map(|(side, which)| Step::Deliver(side, which)),
        8 => (side(), which()).prop_map(|(side, which)| Step::Ack(side, which)),
        4 => (side(), which()).prop_map(|(side, which)| Step::Lose(side, which)),
        2 => (which(), any::<bool>()).prop_map(|(which, acked)| Step::Ghost(which, acked)),
        1 => side().prop_map(Step::Rest),
    ]
}

/// One direction of a stream, as its users see it.
#[derive(Debug, Default)]
struct Direction {
    written: u64,
    read: u64,
    finished: bool,
    reset: Option<u64>,
    /// The reader wants no more.
    stopped: Option<u64>,
    /// The writer was told that.
    told: bool,
    delivered: bool,
    datagrams: BTreeSet<u32>,
}

struct World {
    pair: Pair,
    /// Directions by the side that writes.
    directions: BTreeMap<(StreamId, usize), Direction>,
    kinds: BTreeMap<StreamId, StreamKind>,
    /// Streams that each side knows of.
    known: [Vec<StreamId>; 2],
    ghosts: Vec<(usize, Packet)>,
    datagrams_sent: u32,
}

impl World {
    fn new(memory: u64) -> Self {
        Self {
            pair: Pair::with_memory(LIMITS, memory),
            directions: BTreeMap::new(),
            kinds: BTreeMap::new(),
            known: [Vec::new(), Vec::new()],
            ghosts: Vec::new(),
            datagrams_sent: 0,
        }
    }

    fn pick(&self, side: usize, which: Index) -> Option<StreamId> {
        let known = &self.known[side];
        if known.is_empty() {
            None
        } else {
            Some(known[which.index(known.len())])
        }
    }

    fn direction(&mut self, id: StreamId, writer: usize) -> &mut Direction {
        self.directions.entry((id, writer)).or_default()
    }

    fn apply(&mut self, step: Step) {
        match step {
            Step::Open(side, bytes) => self.open(side, bytes),
            Step::Write(side, which, octets) => {
                self.on(side, which, |world, id| world.write(side, id, octets))
            }
            Step::Datagram(side, which, octets) => {
                self.on(side, which, |world, id| {
                    world.send_datagram(side, id, octets)
                });
            }
            Step::Read(side, which, octets) => self.on(side, which, |world, id| {
                let _ = world.read(side, id, octets);
                world.recv_datagrams(side, id);
            }),
            Step::Finish(side, which) => self.on(side, which, |world, id| world.finish(side, id)),
            Step::Reset(side, which, code) => {
                self.on(side, which, |world, id| world.reset(side, id, code))
            }
            Step::Stop(side, which, code) => self.on(side, which, |world, id| {
                world.pair.sides[side].stop(id, code);
                world.direction(id, 1 - side).stopped.get_or_insert(code);
            }),
            Step::Send(side, room) => drop(self.pair.transmit(side, room)),
            Step::Deliver(side, which) => {
                if let Some(packet) = self.pick_packet(side, which) {
                    self.pair.deliver(side, packet).expect("an honest peer");
                }
            }
            Step::Ack(side, which) => {
                let packet = self.pick_packet(side, which);
                if let Some(packet) = packet.filter(|packet| self.pair.flight[side][*packet].taken)
                {
                    self.pair.ack(side, packet);
                }
            }
            Step::Lose(side, which) => {
                if let Some(packet) = self.pick_packet(side, which) {
                    self.ghosts
                        .push((side, self.pair.flight[side][packet].clone()));
                    self.pair.lose(side, packet);
                }
            }
            Step::Ghost(which, acked) => self.ghost(which, acked),
            Step::Rest(side) => self.pair.sides[side].rest(),
        }
        self.note_events();
        self.check_bounds();
    }

    fn on(&mut self, side: usize, which: Index, act: impl FnOnce(&mut Self, StreamId)) {
        if let Some(id) = self.pick(side, which) {
            act(self, id);
        }
    }

    fn pick_packet(&self, side: usize, which: Index) -> Option<usize> {
        let packets = self.pair.flight[side].len();
        (packets > 0).then(|| which.index(packets))
    }

    fn ghost(&mut self, which: Index, acked: bool) {
        if self.ghosts.is_empty() {
            return;
        }
        let (from, packet) = self.ghosts.swap_remove(which.index(self.ghosts.len()));
        let accepted =
            receive(&mut self.pair.sides[1 - from], &packet.octets).expect("an honest peer");
        if acked && accepted == Accepted::Yes {
            for frame in &packet.sent {
                self.pair.sides[from].on_acked(frame);
            }
        }
    }

    fn open(&mut self, side: usize, bytes: bool) {
        let kind = if bytes {
            StreamKind::Bytes
        } else {
            StreamKind::Datagrams
        };
        match self.pair.sides[side].open(kind, &"test".parse().unwrap()) {
            Ok(id) => {
                self.known[side].push(id);
                self.kinds.insert(id, kind);
            }
            Err(error) => assert_eq!(error, OpenError::LimitReached),
        }
    }

    fn write(&mut self, side: usize, id: StreamId, count: usize) {
        let written = self.direction(id, side).written;
        let result = self.pair.sides[side].write(id, &octets(id, side, written, count));
        let direction = self.direction(id, side);
        match result {
            Ok(taken) => {
                assert!(taken > 0 || count == 0);
                assert!(!direction.finished && direction.reset.is_none() && !direction.told);
                direction.written += taken as u64;
            }
            Err(WriteError::Blocked) => {}
            Err(WriteError::Finished) => assert!(direction.finished || direction.reset.is_some()),
            Err(WriteError::Stopped(code)) => assert_eq!(direction.stopped, Some(code)),
            Err(WriteError::Unknown) => {
                assert!(
                    direction.delivered || direction.reset.is_some() || direction.stopped.is_some()
                );
            }
            Err(error) => panic!("{error}"),
        }
    }

    fn finish(&mut self, side: usize, id: StreamId) {
        self.pair.sides[side].finish(id);
        let direction = self.direction(id, side);
        if direction.reset.is_none() && !direction.told {
            direction.finished = true;
        }
    }

    fn reset(&mut self, side: usize, id: StreamId, code: u64) {
        self.pair.sides[side].reset(id, code);
        let direction = self.direction(id, side);
        if !direction.told && !direction.delivered {
            direction.reset.get_or_insert(code);
        }
    }

    fn read(&mut self, side: usize, id: StreamId, room: usize) -> Result<usize, ReadError> {
        let mut out = vec![0; room];
        let result = self.pair.sides[side].read(id, &mut out);
        let direction = self.direction(id, 1 - side);
        match &result {
            Ok(count) => {
                assert!(*count > 0 || room == 0);
                assert!(direction.stopped.is_none());
                assert_eq!(out[..*count], octets(id, 1 - side, direction.read, *count));
                direction.read += *count as u64;
                assert!(direction.read <= direction.written);
            }
            Err(ReadError::Blocked) => {}
            Err(ReadError::Finished) => {
                assert!(direction.finished);
                assert_eq!(direction.read, direction.written);
            }
            Err(ReadError::Reset(code)) => assert_eq!(direction.reset, Some(*code)),
            Err(ReadError::Unknown) => {
                assert!(
                    direction.stopped.is_some() || direction.reset.is_some() || direction.finished
                );
            }
            Err(error) => panic!("{error}"),
        }
        result
    }

    fn send_datagram(&mut self, side: usize, id: StreamId, octets: usize) {
        let mut data = vec![0; octets + 4];
        data[..4].copy_from_slice(&self.datagrams_sent.to_be_bytes());
        if self.pair.sides[side].send_datagram(id, &data).is_ok() {
            let number = self.datagrams_sent;
            self.direction(id, side).datagrams.insert(number);
            self.datagrams_sent += 1;
        }
    }

    /// Each at most once: but a packet that the network doubles is not the streams' to notice, the replay window is. So
    /// here each that arrives must have been sent on that flow.
    fn recv_datagrams(&mut self, side: usize, id: StreamId) {
        while let Some(data) = self.pair.sides[side].recv_datagram(id) {
            let number = u32::from_be_bytes(data[..4].try_into().unwrap());
            assert!(self.direction(id, 1 - side).datagrams.contains(&number));
            assert!(data[4..].iter().all(|octet| *octet == 0));
        }
    }

    /// Returns the streams that became readable, by side.
    fn note_events(&mut self) -> [Vec<StreamId>; 2] {
        let mut readable = [Vec::new(), Vec::new()];
        for side in [EVEN, ODD] {
            for event in self.pair.events(side) {
                match event {
                    StreamEvent::Opened { stream, kind, .. } => {
                        assert!(!self.known[side].contains(&stream), "opened twice");
                        assert_eq!(self.kinds[&stream], kind);
                        self.known[side].push(stream);
                    }
                    StreamEvent::Readable(id) => {
                        assert!(
                            self.known[side].contains(&id),
                            "readable before it was opened"
                        );
                        readable[side].push(id);
                    }
                    StreamEvent::Stopped { stream, code } => {
                        let direction = self.direction(stream, side);
                        assert_eq!(direction.stopped, Some(code));
                        assert!(
                            !direction.delivered && !std::mem::replace(&mut direction.told, true)
                        );
                    }
                    StreamEvent::Delivered(id) => {
                        let direction = self.direction(id, side);
                        assert!(direction.finished && direction.reset.is_none() && !direction.told);
                        assert!(!std::mem::replace(&mut direction.delivered, true));
                    }
                    StreamEvent::Writable(_)
                    | StreamEvent::StreamsAvailable
                    | StreamEvent::DatagramReceived(_)
                    | StreamEvent::DatagramsUnblocked => {}
                }
            }
        }
        readable
    }

    fn check_bounds(&mut self) {
        for side in [EVEN, ODD] {
            let streams = &mut self.pair.sides[side];
            let credit = &streams.receive_credit;
            assert!(credit.received() - credit.consumed() <= LIMITS.window_max);
            assert!(credit.received() <= credit.granted());
            assert!(streams.send_memory.used() <= LIMITS.send_buffers_max);
            let buffered: u64 = streams
                .table
                .iter()
                .map(|stream| stream.send.buffered())
                .sum();
            assert_eq!(streams.send_memory.used(), buffered);
            let sending = streams.table.iter().map(|stream| stream.send.memory());
            assert!(sending.sum::<usize>() as u64 <= streams.send_memory.allocated());
            let memory: usize = streams
                .table
                .iter()
                .map(|stream| stream.receive.memory())
                .sum();
            assert!(memory as u64 <= 2 * LIMITS.window_max + 8 * 4096);
            assert!(memory as u64 <= streams.receive_credit.used());
            assert!(
                streams
                    .table
                    .iter_mut()
                    .filter(|(id, _)| id.is_even() != (side == EVEN))
                    .count()
                    <= 4
            );
        }
    }

    /// The network heals, every writer finishes, and every reader reads to the end, acting on events alone: all must drain.
    fn heal(&mut self) {
        let everything = [0, 1].map(|side| self.known[side].clone());
        for side in [EVEN, ODD] {
            for id in &everything[side] {
                self.finish(side, *id);
            }
        }
        let mut wakes = everything;
        for round in 0.. {
            assert!(round < 10_000, "nothing goes on");
            for side in [EVEN, ODD] {
                for id in std::mem::take(&mut wakes[side]) {
                    self.recv_datagrams(side, id);
                    while self.read(side, id, 800).is_ok() {}
                }
            }
            self.pair.settle();
            let before = self.known.clone();
            wakes = self.note_events();
            for side in [EVEN, ODD] {
                for id in self.known[side].clone().split_off(before[side].len()) {
                    self.finish(side, id);
                }
            }
            if wakes.iter().all(Vec::is_empty)
                && !self
                    .pair
                    .sides
                    .iter()
                    .any(|side| side.has_control() || side.has_data())
            {
                break;
            }
        }
    }

    fn assert_all_arrived(&mut self) {
        for ((id, _), direction) in &self.directions {
            let given_up = direction.reset.is_some() || direction.stopped.is_some();
            assert!(
                given_up || direction.delivered && direction.read == direction.written,
                "{id}: {direction:?}"
            );
        }
        self.pair.assert_nothing_is_left();
    }
}

proptest! {
    // T1, and invariants 1 and 2 of the simulator.
    // R1.1, R9.6
    // L1, however little memory the nodes have left.
    #[test]
    fn every_stream_arrives_in_order_once_and_leaves_nothing(
        memory in prop_oneof![Just(1 << 30), 0..40_000u64, 0..400_000u64],
        steps in prop::collection::vec(any_step(), 0..400),
    ) {
        let mut world = World::new(memory);
        for step in steps {
            world.apply(step);
        }
        for side in [EVEN, ODD] {
            while !world.pair.flight[side].is_empty() {
                world.pair.lose(side, 0);
            }
        }
        world.heal();
        world.assert_all_arrived();
    }
}
