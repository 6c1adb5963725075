//! A sender for tests: a path with its recovery, and ACKs made by hand.

use std::ops::RangeInclusive;
use std::time::Duration;

use keyway_wire::{AckFrame, CidSequence, Frame, Frames, Time, emit_ack};
use rand_chacha::ChaCha8Rng;
use rand_core::SeedableRng;

use super::{AckOutcome, INITIAL_RTT, OptimisticAck, Recovery, SentPacket, TimeoutOutcome};

pub(super) const MS: Duration = Duration::from_millis(1);
pub(super) const MAX_ACK_DELAY: Duration = Duration::from_millis(25);
pub(super) const SIZE: u32 = 1_200;

/// Milliseconds after the start of the test.
pub(super) fn at(ms: u64) -> Time {
    Time::from_micros(1_000_000 + ms * 1_000)
}

/// Octets of an ACK, to be parsed like one that arrived. Ranges from the largest down.
pub(super) fn ack_bytes(ranges: &[RangeInclusive<u64>], delay: Duration) -> Vec<u8> {
    let mut bytes = vec![0; AckFrame::LEN_MAX];
    let len = emit_ack(&mut bytes, CidSequence(0), delay, ranges.iter().cloned());
    bytes.truncate(len);
    bytes
}

pub(super) fn parse_ack(bytes: &[u8]) -> AckFrame<'_> {
    match Frames::new(bytes).next() {
        Some(Ok(Frame::Ack(ack))) => ack,
        other => panic!("not an ACK: {other:?}"),
    }
}

/// One path. Packets carry their own number, so that tests see whose frames came back.
pub(super) struct Sender {
    pub(super) recovery: Recovery<u64>,
    pub(super) out: AckOutcome<u64>,
    random: ChaCha8Rng,
}

impl Sender {
    /// A path that takes packets up to 1200 octets, so that there is nothing to probe for.
    pub(super) fn new() -> Self {
        Self::with_limit(SIZE)
    }

    pub(super) fn with_limit(max_udp_payload: u32) -> Self {
        Self {
            recovery: Recovery::new(at(0), INITIAL_RTT, MAX_ACK_DELAY, max_udp_payload),
            out: AckOutcome::default(),
            random: ChaCha8Rng::seed_from_u64(1),
        }
    }

    /// A path with one sample of 100 ms, on which packet 0 was acknowledged.
    pub(super) fn measured() -> Self {
        let mut sender = Self::new();
        sender.send(0);
        sender.ack(100, &[0..=0]);
        sender.out.acked.clear();
        sender
    }

    pub(super) fn number(&mut self) -> u64 {
        self.recovery.next_number(&mut self.random)
    }

    /// Sends a packet of 1200 octets and returns its number.
    pub(super) fn send(&mut self, ms: u64) -> u64 {
        self.send_packet(ms, SIZE, true, false)
    }

    pub(super) fn send_many(&mut self, ms: u64, count: u64) {
        for _ in 0..count {
            self.send(ms);
        }
    }

    pub(super) fn send_bare_ack(&mut self, ms: u64) -> u64 {
        self.send_packet(ms, 50, false, false)
    }

    pub(super) fn send_probe(&mut self, ms: u64, size: u32) -> u64 {
        self.send_packet(ms, size, true, true)
    }

    pub(super) fn send_packet(
        &mut self,
        ms: u64,
        size: u32,
        eliciting: bool,
        mtu_probe: bool,
    ) -> u64 {
        let number = self.number();
        let packet = SentPacket {
            number,
            sent_at: at(ms),
            size,
            ack_eliciting: eliciting,
            in_flight: eliciting,
            mtu_probe,
            tag: 0,
            frames: number,
        };
        self.recovery.on_sent(at(ms), packet);
        number
    }

    pub(super) fn ack(&mut self, ms: u64, ranges: &[RangeInclusive<u64>]) {
        self.try_ack(ms, ranges, Duration::ZERO, true)
            .expect("all of them were sent");
    }

    pub(super) fn try_ack(
        &mut self,
        ms: u64,
        ranges: &[RangeInclusive<u64>],
        delay: Duration,
        same_path: bool,
    ) -> Result<(), OptimisticAck> {
        let bytes = ack_bytes(ranges, delay);
        self.recovery
            .on_ack(at(ms), &parse_ack(&bytes), same_path, &mut self.out)
    }

    pub(super) fn timeout(&mut self, ms: u64) -> TimeoutOutcome {
        self.recovery.on_timeout(at(ms), &mut self.out)
    }

    /// Frames that came back as acknowledged since the last call.
    pub(super) fn acked(&mut self) -> Vec<u64> {
        let mut acked: Vec<u64> = self
            .out
            .acked
            .drain(..)
            .map(|packet| packet.frames)
            .collect();
        acked.sort_unstable();
        acked
    }

    /// Frames that came back as lost since the last call.
    pub(super) fn lost(&mut self) -> Vec<u64> {
        self.out
            .lost
            .drain(..)
            .map(|packet| packet.frames)
            .collect()
    }
}
