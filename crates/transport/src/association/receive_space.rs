use std::time::Duration;

use keyway_wire::planted::{Fault, planted};
use keyway_wire::{CidSequence, Time, emit_ack};

use super::replay::ReplayWindow;
use crate::Route;
use crate::range_set::RangeSet;

/// Ranges of received packet numbers that are kept for acknowledgements. A receiver that forgets a range makes the sender
/// send again what it has; more than these fit into no ACK.
const RANGES_MAX: usize = 64;

/// Ranges from which on an acknowledgement asks to be acknowledged itself, so that the ranges can be forgotten
/// (RFC 9000, 13.2.4).
const RANGES_MANY: usize = 8;

/// What was received under one of the ids that we issued: a number space of its own.
///
/// It remembers two things apart: which numbers were accepted, for ever as far as the window reaches, and which of them
/// the peer has to be told about, until it knows.
pub(crate) struct ReceiveSpace {
    replay: ReplayWindow,
    received: RangeSet,
    /// The highest number received and when it came.
    largest: Option<(u64, Time)>,
    /// The route of the packet with the highest number: acknowledgements go back there. A copy that somebody sends again
    /// from elsewhere is refused as a replay, and one that arrives first is overtaken by what follows.
    route: Route,
    policy: AckPolicy,
    /// Acknowledgements sent since one of them asked to be acknowledged.
    unasked: u32,
}

/// When to acknowledge (RFC 9000, 13.2.1 and 13.2.2).
#[derive(Clone, Copy, Debug, PartialEq, Eq, Default)]
struct AckPolicy {
    /// Ack-eliciting packets not yet acknowledged.
    pending: u32,
    /// When the acknowledgement of the first of them is due at the latest.
    deadline: Option<Time>,
    /// Something asks for an answer at once.
    at_once: bool,
}

/// A packet as far as acknowledgements are concerned.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Received {
    pub(crate) number: u64,
    pub(crate) ack_eliciting: bool,
    /// The sender waits for the answer: PING, the end of a stream.
    pub(crate) urgent: bool,
    pub(crate) route: Route,
}

/// An ACK frame that was written.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct WrittenAck {
    pub(crate) len: usize,
    pub(crate) largest: u64,
    /// There are so many ranges that the packet should ask for an acknowledgement.
    pub(crate) wants_answer: bool,
}

impl ReceiveSpace {
    pub(crate) fn new(route: Route) -> Self {
        Self {
            replay: ReplayWindow::new(),
            received: RangeSet::new(),
            largest: None,
            route,
            policy: AckPolicy::default(),
            unasked: 0,
        }
    }

    /// Whether a packet of this number may be opened. Changes nothing.
    pub(crate) fn admits(&self, number: u64) -> bool {
        self.replay.admits(number)
    }

    /// Remembers that the packet was authentic, so that it is never accepted again.
    pub(crate) fn accept(&mut self, number: u64) {
        self.replay.accept(number);
    }

    /// The route of the packet with the highest number.
    pub(crate) fn route(&self) -> Route {
        self.route
    }

    /// The highest number received so far.
    pub(crate) fn largest(&self) -> Option<u64> {
        self.largest.map(|(number, _)| number)
    }

    /// Takes note of a packet whose frames were all taken, so that it will be acknowledged, within `delay` if it asks and none
    /// that waits has asked before.
    pub(crate) fn received(
        &mut self,
        now: Time,
        packet: Received,
        delay: impl FnOnce() -> Duration,
    ) {
        let expected = self
            .largest
            .map_or(packet.number, |(number, _)| number.saturating_add(1));
        let out_of_order = packet.number != expected;
        if self
            .largest
            .is_none_or(|(number, _)| packet.number > number)
        {
            self.largest = Some((packet.number, now));
            self.route = packet.route;
        }
        self.received.insert_one(packet.number);
        if planted(Fault::AcknowledgeMissing) {
            self.received.insert_one(packet.number.saturating_sub(1));
        }
        if self.received.range_count() > RANGES_MAX {
            self.received.pop_first();
        }
        if packet.ack_eliciting {
            self.policy.pending = self.policy.pending.saturating_add(1);
            self.policy.deadline.get_or_insert_with(|| now + delay());
            self.policy.at_once |= packet.urgent || out_of_order;
        }
    }

    /// The end of a batch of received packets: two or more are acknowledged at once, with one ACK; a lone one may wait
    /// for data that takes the acknowledgement along.
    pub(crate) fn batch_done(&mut self) {
        self.policy.at_once |= self.policy.pending >= 2;
    }

    /// More than `packets` wait: do not wait for the end of the batch.
    pub(crate) fn limit_pending(&mut self, packets: u32) {
        self.policy.at_once |= self.policy.pending >= packets;
    }

    /// When an acknowledgement is due: at [`Time::ZERO`] if at once.
    pub(crate) fn ack_due(&self) -> Option<Time> {
        if self.policy.at_once {
            Some(Time::ZERO)
        } else {
            self.policy.deadline
        }
    }

    /// Whether an ack-eliciting packet waits for its acknowledgement, so that one should ride on whatever goes out.
    pub(crate) fn ack_wanted(&self) -> bool {
        self.policy.pending > 0
    }

    /// Writes an ACK with as many ranges as fit, the highest first; `None` if there is nothing to say or no room.
    pub(crate) fn write_ack(
        &mut self,
        now: Time,
        sequence: CidSequence,
        out: &mut [u8],
    ) -> Option<WrittenAck> {
        let (_, largest_at) = self.largest?;
        let largest = self.received.last()?.end - 1;
        let delay = now.saturating_since(largest_at);
        let ranges = self
            .received
            .iter()
            .rev()
            .map(|range| range.start..=range.end - 1);
        let len = emit_ack(out, sequence, delay, ranges);
        if len == 0 {
            return None;
        }
        self.policy = AckPolicy::default();
        self.unasked = self.unasked.saturating_add(1);
        let wants_answer = self.received.range_count() >= RANGES_MANY && self.unasked >= 4;
        if wants_answer {
            self.unasked = 0;
        }
        Some(WrittenAck {
            len,
            largest,
            wants_answer,
        })
    }

    /// The peer has seen an ACK that named everything up to `largest`.
    pub(crate) fn on_ack_acknowledged(&mut self, largest: u64) {
        self.received.remove_below(largest.saturating_add(1));
        self.unasked = 0;
    }

    /// Gives back room that is left over.
    pub(crate) fn rest(&mut self) {
        self.received.shrink();
    }

    /// Everything that a forged packet must not change, to be compared.
    #[cfg(test)]
    pub(crate) fn fingerprint(&self) -> String {
        use std::hash::{DefaultHasher, Hash, Hasher};
        let mut hasher = DefaultHasher::new();
        for number in 0..20_000 {
            self.replay.admits(number).hash(&mut hasher);
        }
        format!(
            "{:?} {:?} {:?} {:?} {:x}",
            self.received,
            self.largest,
            self.route,
            self.policy,
            hasher.finish()
        )
    }
}

#[cfg(test)]
mod tests {
    use keyway_wire::{Frame, Frames};

    use super::*;

    const DELAY: Duration = Duration::from_millis(25);

    fn route() -> Route {
        Route::Direct {
            remote: "192.0.2.1:4100".parse().unwrap(),
        }
    }

    fn space() -> ReceiveSpace {
        ReceiveSpace::new(route())
    }

    fn at(millis: u64) -> Time {
        Time::from_micros(millis * 1000)
    }

    fn data(number: u64) -> Received {
        Received {
            number,
            ack_eliciting: true,
            urgent: false,
            route: route(),
        }
    }

    fn take(space: &mut ReceiveSpace, now: Time, packet: Received) {
        assert!(space.admits(packet.number));
        space.accept(packet.number);
        space.received(now, packet, || DELAY);
    }

    type Said = (u64, Duration, Vec<(u64, u64)>);

    /// Largest, delay and ranges of the ACK that the space would send.
    fn ack(space: &mut ReceiveSpace, now: Time) -> Option<Said> {
        let mut out = [0; 1200];
        let written = space.write_ack(now, CidSequence(7), &mut out)?;
        let mut frames = Frames::new(&out[..written.len]);
        let Some(Ok(Frame::Ack(frame))) = frames.next() else {
            panic!("an ACK was written")
        };
        assert!(frames.next().is_none());
        assert_eq!(frame.sequence, CidSequence(7));
        let ranges = frame
            .ranges
            .iter()
            .map(|range| (*range.start(), *range.end()))
            .collect();
        Some((written.largest, frame.delay, ranges))
    }

    // R8.20
    #[test]
    fn a_lone_packet_is_acknowledged_when_the_delay_is_over() {
        let mut space = space();
        take(&mut space, at(10), data(0));
        space.batch_done();
        assert_eq!(space.ack_due(), Some(at(35)));
        assert_eq!(ack(&mut space, at(35)), Some((0, DELAY, vec![(0, 0)])));
        assert_eq!(space.ack_due(), None);
    }

    #[test]
    fn a_batch_gets_one_acknowledgement_at_its_end() {
        let mut space = space();
        (0..20).for_each(|number| take(&mut space, at(1), data(number)));
        assert_eq!(space.ack_due(), Some(at(26)));
        space.batch_done();
        assert_eq!(space.ack_due(), Some(Time::ZERO));
        assert_eq!(
            ack(&mut space, at(1)),
            Some((19, Duration::ZERO, vec![(0, 19)]))
        );
        assert_eq!(space.ack_due(), None);
    }

    // R8.21
    #[test]
    fn a_gap_is_reported_at_once_and_so_is_its_filling() {
        let mut space = space();
        take(&mut space, at(0), data(0));
        take(&mut space, at(0), data(2));
        assert_eq!(space.ack_due(), Some(Time::ZERO));
        assert_eq!(
            ack(&mut space, at(0)),
            Some((2, Duration::ZERO, vec![(2, 2), (0, 0)]))
        );
        take(&mut space, at(1), data(1));
        assert_eq!(space.ack_due(), Some(Time::ZERO));
        assert_eq!(
            ack(&mut space, at(1)).map(|(_, _, ranges)| ranges),
            Some(vec![(0, 2)])
        );
    }

    // R8.21
    #[test]
    fn what_the_peer_waits_for_is_acknowledged_at_once() {
        let mut space = space();
        take(
            &mut space,
            at(0),
            Received {
                urgent: true,
                ..data(0)
            },
        );
        assert_eq!(space.ack_due(), Some(Time::ZERO));
    }

    #[test]
    fn packets_that_ask_for_nothing_are_acknowledged_in_passing_only() {
        let mut space = space();
        take(
            &mut space,
            at(0),
            Received {
                ack_eliciting: false,
                ..data(0)
            },
        );
        take(
            &mut space,
            at(0),
            Received {
                ack_eliciting: false,
                ..data(5)
            },
        );
        space.batch_done();
        assert_eq!(space.ack_due(), None);
        assert!(!space.ack_wanted());
        take(&mut space, at(1), data(6));
        assert_eq!(
            ack(&mut space, at(1)).map(|(_, _, ranges)| ranges),
            Some(vec![(5, 6), (0, 0)])
        );
    }

    // R8.22
    #[test]
    fn what_the_peer_knows_is_not_repeated() {
        let mut space = space();
        [0, 2, 4]
            .into_iter()
            .for_each(|number| take(&mut space, at(0), data(number)));
        assert_eq!(ack(&mut space, at(0)).map(|(largest, ..)| largest), Some(4));
        space.on_ack_acknowledged(4);
        assert_eq!(ack(&mut space, at(0)), None);
        take(&mut space, at(1), data(3));
        take(&mut space, at(1), data(5));
        assert_eq!(
            ack(&mut space, at(1)).map(|(_, _, ranges)| ranges),
            Some(vec![(5, 5), (3, 3)])
        );
        assert!(
            !space.admits(4),
            "forgetting what was acknowledged opens no door to replays"
        );
    }

    #[test]
    fn ranges_are_bounded_and_many_of_them_ask_for_an_answer() {
        let mut space = space();
        (0..1000).for_each(|number| take(&mut space, at(0), data(number * 2)));
        assert_eq!(space.received.range_count(), RANGES_MAX);
        let mut asked = 0;
        for number in 1000..1008 {
            take(&mut space, at(1), data(number * 2));
            let written = space
                .write_ack(at(1), CidSequence(7), &mut [0; 1200])
                .expect("there is something to say");
            assert_eq!(written.largest, number * 2);
            asked += u32::from(written.wants_answer);
        }
        assert_eq!(asked, 2, "one in four asks");
    }

    // R8.20
    #[test]
    fn a_long_batch_is_acknowledged_before_its_end() {
        let mut space = space();
        (0..31).for_each(|number| take(&mut space, at(0), data(number)));
        space.limit_pending(32);
        assert_ne!(space.ack_due(), Some(Time::ZERO));
        take(&mut space, at(0), data(31));
        space.limit_pending(32);
        assert_eq!(space.ack_due(), Some(Time::ZERO));
    }
}
