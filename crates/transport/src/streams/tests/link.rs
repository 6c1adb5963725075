//! Two sides, and packets between them that a test delivers, loses and acknowledges as it likes.

use std::sync::Arc;
use std::time::Duration;

use keyway_wire::{Frame, Frames, StreamId, StreamKind, Time};

use crate::EndReason;
use crate::memory::{MemoryBudget, MemoryShare};
use crate::sent_frame::SentFrames;
use crate::streams::{Accepted, PeerLimits, StreamEvent, StreamLimits, StreamViolation, Streams};

pub(super) const PACKET: usize = 1200;
pub(super) const RTT: Duration = Duration::from_millis(50);

/// Index of a side: the one that opens even streams, and the other.
pub(super) const EVEN: usize = 0;
pub(super) const ODD: usize = 1;

pub(super) struct Pair {
    pub(super) sides: [Streams; 2],
    /// Packets from each side that were neither acknowledged nor lost.
    pub(super) flight: [Vec<Packet>; 2],
    pub(super) now: Time,
    /// What the node of each side lends.
    pub(super) budgets: [Arc<MemoryBudget>; 2],
}

#[derive(Clone)]
pub(super) struct Packet {
    pub(super) octets: Vec<u8>,
    pub(super) sent: SentFrames,
    /// Whether it arrived and was taken.
    pub(super) taken: bool,
}

impl Pair {
    pub(super) fn new(limits: StreamLimits) -> Self {
        Self::with_memory(limits, 1 << 30)
    }

    /// Two sides whose nodes lend so many octets each.
    pub(super) fn with_memory(limits: StreamLimits, memory: u64) -> Self {
        let peer = PeerLimits {
            max_data: limits.first_credit(),
            max_stream_data: limits.stream_window_initial,
            max_streams: limits.first_streams(),
            max_datagram: 65_535,
        };
        let budgets = [0; 2].map(|_| MemoryBudget::new(memory));
        let sides = [EVEN, ODD].map(|side| {
            let share = MemoryShare::new(&budgets[side]);
            let mut streams = Streams::new(side == EVEN, &limits, &peer, &share);
            streams.set_packet_room(PACKET);
            streams
        });
        Self {
            sides,
            flight: [Vec::new(), Vec::new()],
            now: Time::ZERO,
            budgets,
        }
    }

    /// Lets a side fill a packet of `room` octets; whether there was anything to send.
    pub(super) fn transmit(&mut self, from: usize, room: usize) -> bool {
        let (mut octets, mut sent) = (vec![0xa5; room], SentFrames::new());
        let streams = &mut self.sides[from];
        let control = streams.write_control(self.now, RTT, &mut octets, &mut sent);
        let has_room = control == 0 && room >= 100;
        assert!(
            !has_room || !streams.has_control(),
            "has_control, and wrote nothing"
        );
        let data = streams.write_data(&mut octets[control..], &mut sent);
        let has_packet = control == 0 && room >= PACKET;
        assert!(
            data > 0 || !has_packet || !streams.has_data(),
            "has_data, and wrote nothing"
        );
        if control + data == 0 {
            // Having nothing to send may be for want of credit, and that is to be said.
            return has_room && streams.has_control() && self.transmit(from, room);
        }
        octets.truncate(control + data);
        self.flight[from].push(Packet {
            octets,
            sent,
            taken: false,
        });
        true
    }

    /// Delivers a packet in flight and leaves it there.
    pub(super) fn deliver(
        &mut self,
        from: usize,
        packet: usize,
    ) -> Result<Accepted, StreamViolation> {
        let packet = &mut self.flight[from][packet];
        let accepted = receive(&mut self.sides[1 - from], &packet.octets)?;
        packet.taken |= accepted == Accepted::Yes;
        Ok(accepted)
    }

    pub(super) fn ack(&mut self, from: usize, packet: usize) {
        for frame in self.flight[from].remove(packet).sent {
            self.sides[from].on_acked(&frame);
        }
    }

    pub(super) fn lose(&mut self, from: usize, packet: usize) {
        for frame in self.flight[from].remove(packet).sent {
            self.sides[from].on_lost(&frame);
        }
    }

    /// Delivers and acknowledges everything in flight, in order. Whether any of it was taken.
    pub(super) fn arrive(&mut self, from: usize) -> bool {
        let mut taken = false;
        while !self.flight[from].is_empty() {
            match self.deliver(from, 0).expect("an honest peer") {
                Accepted::Yes => {
                    self.ack(from, 0);
                    taken = true;
                }
                Accepted::Dropped => self.lose(from, 0),
            }
        }
        taken
    }

    /// Sends, delivers and acknowledges everything that both sides have to say and that finds memory.
    pub(super) fn settle(&mut self) {
        loop {
            let mut quiet = true;
            for from in [EVEN, ODD] {
                // What was lost goes out first, and may find no memory while what is behind it does.
                while self.flight[from].len() < 1_000 && self.transmit(from, PACKET) {}
                quiet &= !self.arrive(from);
            }
            if quiet {
                return;
            }
            self.now += RTT / 2;
        }
    }

    /// A stream from `side` that the other has heard of.
    pub(super) fn open(&mut self, side: usize, kind: StreamKind) -> StreamId {
        let id = self.sides[side]
            .open(kind, &"test".parse().unwrap())
            .unwrap();
        self.settle();
        assert!(
            self.events(1 - side).iter().any(|event| {
                matches!(event, StreamEvent::Opened { stream, .. } if *stream == id)
            })
        );
        id
    }

    /// A stream from `side` whose announcement waits.
    pub(super) fn open_unsettled(&mut self, side: usize) -> StreamId {
        self.sides[side]
            .open(StreamKind::Bytes, &"test".parse().unwrap())
            .unwrap()
    }

    pub(super) fn events(&mut self, side: usize) -> Vec<StreamEvent> {
        std::iter::from_fn(|| self.sides[side].poll_event()).collect()
    }

    /// Everything that can be read at once, and why not more.
    pub(super) fn read(&mut self, side: usize, id: StreamId) -> (Vec<u8>, super::ReadError) {
        let (mut all, mut out) = (Vec::new(), [0; 700]);
        loop {
            match self.sides[side].read(id, &mut out) {
                Ok(count) => all.extend_from_slice(&out[..count]),
                Err(error) => return (all, error),
            }
        }
    }

    /// That nothing is left of any stream, that both sides agree on what was sent, and that all memory goes back at rest.
    pub(super) fn assert_nothing_is_left(&mut self) {
        for side in [EVEN, ODD] {
            let (streams, other) = (&self.sides[side], &self.sides[1 - side]);
            assert!(streams.is_unused() && streams.is_drained());
            assert_eq!(streams.send_memory.used(), 0);
            assert_eq!(streams.send_memory.allocated(), 0);
            assert!(streams.incoming_datagrams.is_unused());
            assert_eq!(
                streams.receive_credit.received(),
                streams.receive_credit.consumed()
            );
            assert_eq!(streams.receive_credit.received(), other.send_credit.used());
            assert!(!streams.has_control() && !streams.has_data());
            self.sides[side].rest();
            assert_eq!(self.budgets[side].lent(), 0);
        }
    }

    pub(super) fn end(&mut self, side: usize) {
        self.sides[side].end(EndReason::TimedOut);
    }
}

/// Hands the frames of a packet in, as the association does: those behind one that is dropped are taken all the same.
pub(super) fn receive(streams: &mut Streams, octets: &[u8]) -> Result<Accepted, StreamViolation> {
    let mut accepted = Accepted::Yes;
    for frame in Frames::new(octets) {
        if on_frame(streams, &frame.expect("well-formed"))? == Accepted::Dropped {
            accepted = Accepted::Dropped;
        }
    }
    Ok(accepted)
}

pub(super) fn on_frame(
    streams: &mut Streams,
    frame: &Frame<'_>,
) -> Result<Accepted, StreamViolation> {
    match frame {
        Frame::Open(frame) => streams.on_open(frame),
        Frame::Stream(frame) => streams.on_stream(frame),
        Frame::Reset(frame) => streams.on_reset(frame),
        Frame::Stop(frame) => streams.on_stop(frame),
        Frame::MaxData(frame) => streams.on_max_data(frame),
        Frame::MaxStreamData(frame) => streams.on_max_stream_data(frame),
        Frame::MaxStreams(frame) => streams.on_max_streams(frame),
        Frame::DataBlocked(frame) => streams.on_data_blocked(frame),
        Frame::StreamDataBlocked(frame) => streams.on_stream_data_blocked(frame),
        Frame::StreamsBlocked(frame) => streams.on_streams_blocked(frame),
        Frame::Datagram(frame) => streams.on_datagram(frame),
        Frame::Ping
        | Frame::Ack(_)
        | Frame::NewCid(_)
        | Frame::RetireCid(_)
        | Frame::PathChallenge(_)
        | Frame::PathResponse(_)
        | Frame::ObservedAddress(_)
        | Frame::Candidates(_)
        | Frame::Close(_) => panic!("streams do not send {frame:?}"),
    }
}

/// The octet that tests write at an offset of a stream: another for each stream and direction.
pub(super) fn octet(id: StreamId, side: usize, offset: u64) -> u8 {
    let salt = id.value().wrapping_mul(7) ^ (side as u64 * 85);
    (offset.wrapping_mul(31) ^ (offset >> 8) ^ salt).to_le_bytes()[0]
}

/// `count` of them.
pub(super) fn octets(id: StreamId, side: usize, offset: u64, count: usize) -> Vec<u8> {
    (offset..)
        .take(count)
        .map(|offset| octet(id, side, offset))
        .collect()
}
