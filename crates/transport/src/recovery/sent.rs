//! What one path has sent and not yet heard about: a ring indexed by packet number.

use std::collections::VecDeque;

use keyway_wire::Time;

/// How many packets that are not in flight (bare acknowledgements) are remembered. Nobody acknowledges them until an
/// ack-eliciting packet follows, so a path that only receives would collect them for ever; 512 are 16,000 received
/// packets at one acknowledgement for 32.
const QUIET_MAX: usize = 512;

/// One packet as it was sent. `F` is whatever the caller needs to know about its frames; recovery never looks inside.
#[derive(Clone, Debug)]
pub(crate) struct SentPacket<F> {
    /// Packet number on this path.
    pub(crate) number: u64,
    /// When it was sent.
    pub(crate) sent_at: Time,
    /// Octets of UDP payload.
    pub(crate) size: u32,
    /// Whether the peer must acknowledge it (RFC 9002, 2).
    pub(crate) ack_eliciting: bool,
    /// Whether it counts against the congestion window (RFC 9002, 2): all but bare acknowledgements.
    pub(crate) in_flight: bool,
    /// Whether it was sent to find out if its size passes; its loss says nothing about congestion (RFC 8899, 3).
    pub(crate) mtu_probe: bool,
    /// Free for the caller: which keys sealed it.
    pub(crate) tag: u8,
    /// What was inside, to be sent again when it is lost.
    pub(crate) frames: F,
}

/// What the ring knows about one number.
#[derive(Debug)]
pub(crate) enum Slot<F> {
    /// Never used, declared lost, or forgotten.
    Gone,
    /// Acknowledged. Kept apart from `Gone`, because an acknowledgement between two losses rules out persistent
    /// congestion (RFC 9002, 7.6.2).
    Acked,
    /// Neither acknowledged nor lost so far.
    Sent(SentPacket<F>),
}

/// The ring. Numbers below `base` are resolved; the slot of `number` is `slots[number - base]`.
#[derive(Debug)]
pub(crate) struct SentPackets<F> {
    slots: VecDeque<Slot<F>>,
    base: u64,
    in_flight: u64,
    eliciting: usize,
    quiet: usize,
    /// No packet that is not in flight has a number below this.
    quiet_from: u64,
}

impl<F> SentPackets<F> {
    pub(crate) fn new() -> Self {
        Self {
            slots: VecDeque::new(),
            base: 0,
            in_flight: 0,
            eliciting: 0,
            quiet: 0,
            quiet_from: 0,
        }
    }

    /// First number that may still be unresolved.
    pub(crate) fn base(&self) -> u64 {
        self.base
    }

    /// One more than the highest number sent.
    pub(crate) fn next(&self) -> u64 {
        self.base + self.slots.len() as u64
    }

    /// Octets that count against the congestion window.
    pub(crate) fn in_flight(&self) -> u64 {
        self.in_flight
    }

    /// Whether an acknowledgement is due for anything.
    pub(crate) fn has_eliciting(&self) -> bool {
        self.eliciting > 0
    }

    /// Records a packet with a number not below [`next`](Self::next); numbers left out are never heard of again.
    pub(crate) fn push(&mut self, packet: SentPacket<F>) {
        debug_assert!(packet.number >= self.next(), "packet numbers only grow");
        if self.slots.is_empty() {
            self.base = packet.number;
        }
        while self.next() < packet.number {
            self.slots.push_back(Slot::Gone);
        }
        self.count(&packet);
        self.slots.push_back(Slot::Sent(packet));
        if self.quiet > QUIET_MAX {
            self.forget_oldest_quiet();
        }
    }

    /// Marks a number as acknowledged, and returns its packet if that is news.
    pub(crate) fn acknowledge(&mut self, number: u64) -> Option<SentPacket<F>> {
        self.replace(number, Slot::Acked)
    }

    /// Takes a packet out as lost.
    pub(crate) fn lose(&mut self, number: u64) -> Option<SentPacket<F>> {
        self.replace(number, Slot::Gone)
    }

    /// The slot of a number between [`base`](Self::base) and [`next`](Self::next).
    pub(crate) fn slot(&self, number: u64) -> Option<&Slot<F>> {
        self.slots.get(self.index(number)?)
    }

    /// Packets neither acknowledged nor lost, oldest first.
    pub(crate) fn unresolved(&self) -> impl Iterator<Item = &SentPacket<F>> {
        self.slots.iter().filter_map(|slot| match slot {
            Slot::Sent(packet) => Some(packet),
            Slot::Gone | Slot::Acked => None,
        })
    }

    /// Gives back the slots before the first unresolved packet.
    pub(crate) fn trim(&mut self) {
        while matches!(self.slots.front(), Some(Slot::Gone | Slot::Acked)) {
            self.slots.pop_front();
            self.base += 1;
        }
    }

    /// Forgets the packets that are not in flight, with all the memory that there is, if no others are unresolved.
    pub(crate) fn forget_quiet(&mut self) {
        if self.in_flight > 0 || self.eliciting > 0 {
            return;
        }
        self.base = self.next();
        self.slots = VecDeque::new();
        self.quiet = 0;
    }

    fn index(&self, number: u64) -> Option<usize> {
        usize::try_from(number.checked_sub(self.base)?).ok()
    }

    fn replace(&mut self, number: u64, with: Slot<F>) -> Option<SentPacket<F>> {
        let index = self.index(number)?;
        let slot = self.slots.get_mut(index)?;
        if !matches!(slot, Slot::Sent(_)) {
            return None;
        }
        let Slot::Sent(packet) = std::mem::replace(slot, with) else {
            return None;
        };
        self.discount(&packet);
        Some(packet)
    }

    fn count(&mut self, packet: &SentPacket<F>) {
        if packet.in_flight {
            self.in_flight += u64::from(packet.size);
        } else {
            self.quiet += 1;
        }
        self.eliciting += usize::from(packet.ack_eliciting);
    }

    fn discount(&mut self, packet: &SentPacket<F>) {
        if packet.in_flight {
            self.in_flight -= u64::from(packet.size);
        } else {
            self.quiet -= 1;
        }
        self.eliciting -= usize::from(packet.ack_eliciting);
    }

    /// The search goes on where the last one ended, so all of them together pass each number once.
    fn forget_oldest_quiet(&mut self) {
        let mut number = self.quiet_from.max(self.base);
        while number < self.next() {
            let quiet = matches!(self.slot(number), Some(Slot::Sent(packet)) if !packet.in_flight && !packet.ack_eliciting);
            if quiet {
                self.lose(number);
                break;
            }
            number += 1;
        }
        self.quiet_from = number;
        self.trim();
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn packet(number: u64) -> SentPacket<()> {
        SentPacket {
            number,
            sent_at: Time::from_micros(number),
            size: 1_000,
            ack_eliciting: true,
            in_flight: true,
            mtu_probe: false,
            tag: 0,
            frames: (),
        }
    }

    fn bare_ack(number: u64) -> SentPacket<()> {
        SentPacket {
            ack_eliciting: false,
            in_flight: false,
            size: 50,
            ..packet(number)
        }
    }

    fn numbers(ring: &SentPackets<()>) -> Vec<u64> {
        ring.unresolved().map(|packet| packet.number).collect()
    }

    #[test]
    fn a_packet_is_handed_out_once() {
        let mut ring = SentPackets::new();
        ring.push(packet(0));
        ring.push(packet(1));
        assert_eq!(ring.acknowledge(1).map(|packet| packet.number), Some(1));
        assert!(ring.acknowledge(1).is_none());
        assert!(ring.lose(1).is_none());
        assert_eq!(ring.in_flight(), 1_000);
        assert!(ring.acknowledge(2).is_none(), "never sent");
    }

    #[test]
    fn numbers_left_out_are_gaps() {
        let mut ring = SentPackets::new();
        ring.push(packet(3));
        ring.push(packet(5));
        assert_eq!(numbers(&ring), [3, 5]);
        assert!(ring.acknowledge(4).is_none());
        assert_eq!((ring.base(), ring.next()), (3, 6));
    }

    #[test]
    fn trimming_stops_at_the_first_unresolved_packet() {
        let mut ring = SentPackets::new();
        for number in 0..5 {
            ring.push(packet(number));
        }
        ring.acknowledge(0);
        ring.lose(1);
        ring.acknowledge(3);
        ring.trim();
        assert_eq!((ring.base(), ring.next()), (2, 5));
        ring.acknowledge(2);
        ring.acknowledge(4);
        ring.trim();
        assert_eq!((ring.base(), ring.next()), (5, 5));
        assert!(!ring.has_eliciting());
        assert_eq!(ring.in_flight(), 0);
    }

    #[test]
    fn bare_acknowledgements_do_not_pile_up() {
        let mut ring = SentPackets::new();
        ring.push(packet(0));
        for number in 1..10_000 {
            ring.push(bare_ack(number));
            assert!(ring.unresolved().count() <= QUIET_MAX + 1);
        }
        assert_eq!(numbers(&ring)[..2], [0, 10_000 - QUIET_MAX as u64]);
        assert_eq!(ring.in_flight(), 1_000, "they are not in flight");
        assert!(ring.has_eliciting());
    }

    #[test]
    fn at_rest_bare_acknowledgements_go_and_nothing_else() {
        let mut ring = SentPackets::new();
        ring.push(packet(0));
        (1..50).for_each(|number| ring.push(bare_ack(number)));
        ring.forget_quiet();
        assert_eq!(numbers(&ring).len(), 50, "one is in flight");
        ring.acknowledge(0);
        ring.forget_quiet();
        assert_eq!((ring.base(), ring.next()), (50, 50));
        assert_eq!(ring.slots.capacity(), 0);
        assert!(ring.acknowledge(20).is_none(), "heard of too late");
        ring.push(bare_ack(50));
        ring.push(packet(51));
        assert_eq!(numbers(&ring), [50, 51]);
        assert_eq!(ring.in_flight(), 1_000);
    }
}
