use std::collections::BTreeMap;
use std::ops::RangeInclusive;
use std::time::Duration;

use keyway_handshake::{Role, Session};
use keyway_wire::{CidSequence, DATA_HEADER_LEN, DataHeader, Slot, TAG_LEN, emit_ack};

use super::victim::{Age, VICTIM_CID, Victim};

/// Octets of frames in the largest packet that is accepted anywhere: a UDP payload of 1,452.
const FRAMES_MAX: usize = 1_452 - DATA_HEADER_LEN - TAG_LEN;

/// The peer: it has the keys, and no manners.
pub(super) struct Peer {
    session: Session,
    /// The number of its next packet, all of them under the victim's first id.
    number: u64,
    last: Vec<u8>,
    /// What it has seen of the victim's packets and not acknowledged: numbers by the sequence of the id.
    seen: BTreeMap<u32, Vec<u64>>,
}

impl Peer {
    pub(super) fn new() -> Self {
        Self {
            session: session(Role::Initiator),
            number: 0,
            last: Vec::new(),
            seen: BTreeMap::new(),
        }
    }

    /// Leaves packet numbers out.
    pub(super) fn skip(&mut self, numbers: u8) {
        self.number += u64::from(numbers);
    }

    /// Sends these frames, as they are, in one packet from one of its addresses.
    pub(super) fn say(&mut self, victim: &mut Victim, from: usize, frames: &[u8]) {
        let frames = &frames[..frames.len().min(FRAMES_MAX)];
        let mut packet = vec![0; DATA_HEADER_LEN];
        DataHeader {
            slot: Slot::ALL[0],
            phase: self.session.send_phase(),
            cid: VICTIM_CID,
            number: self.number,
        }
        .emit(&mut packet);
        packet.extend_from_slice(frames);
        packet.resize(packet.len() + TAG_LEN, 0);
        let (header, payload) = packet.split_at_mut(DATA_HEADER_LEN);
        self.session
            .seal(header, CidSequence(0), self.number, payload)
            .expect("few packets");
        victim.hear(from, &packet, Age::New);
        self.number += 1;
        self.last = packet;
    }

    /// Sends its last packet once more, from whatever address.
    pub(super) fn repeat(&mut self, victim: &mut Victim, from: usize) {
        if !self.last.is_empty() {
            victim.hear(from, &self.last, Age::Old);
        }
    }

    /// Sees a packet of the victim's. It has no use for what is in it, only for its number.
    pub(super) fn see(&mut self, sequence: u32, number: u64) {
        self.seen.entry(sequence).or_default().push(number);
    }

    /// Acknowledges all that it has seen, as an honest peer would: so that the victim's sending goes on.
    pub(super) fn acknowledge(&mut self, victim: &mut Victim) {
        let mut frames = Vec::new();
        for (sequence, numbers) in std::mem::take(&mut self.seen) {
            let ranges = ranges(numbers);
            let mut ack = [0; FRAMES_MAX];
            let length = emit_ack(&mut ack, CidSequence(sequence), Duration::ZERO, ranges);
            frames.extend_from_slice(&ack[..length]);
        }
        if !frames.is_empty() {
            self.say(victim, 0, &frames);
        }
    }
}

/// These numbers as ranges, from the largest down.
fn ranges(mut numbers: Vec<u64>) -> Vec<RangeInclusive<u64>> {
    numbers.sort_unstable();
    numbers.dedup();
    let mut ranges: Vec<RangeInclusive<u64>> = Vec::new();
    for number in numbers.into_iter().rev() {
        if let Some(last) = ranges.last_mut()
            && *last.start() == number + 1
        {
            *last = number..=*last.end();
        } else {
            ranges.push(number..=number);
        }
    }
    ranges
}

/// Keys that both sides have. Nobody reads along.
pub(super) fn session(role: Role) -> Session {
    Session::dangerous_from_split(role, [7; 32], ([1; 32], [2; 32]))
}
