//! Whose turn it is.

use std::collections::VecDeque;

use keyway_wire::StreamId;

/// Octets that a stream may send at least before another has its turn: some three packets of 1,452. On a fast path a turn is as
/// long as what leaves there at once: packets that carry the ends of two turns cost more, at both ends, than one that does not.
const TURN_MIN: usize = 4096;

/// A turn is at least this part of a packet, so that large packets do not consist of many small frames.
const TURNS_IN_A_PACKET: usize = 4;

/// With fewer octets left than this a turn is over: they are not worth a frame.
const TURN_LEFT_MIN: usize = 64;

/// Queues of the streams that have something to send: work is proportional to those, however many streams are open.
///
/// A stream stands at most once in each queue; [`Standing`] says in which. One that is over by the time its turn comes,
/// or has nothing to send any more, is skipped then: ids are never reused.
#[derive(Debug, Default)]
pub(super) struct Schedule {
    /// Frames about the stream: OPEN, RESET, STOP, credit.
    control: VecDeque<StreamId>,
    /// Octets to send again.
    lost: VecDeque<StreamId>,
    /// Datagrams.
    flows: VecDeque<StreamId>,
    /// Octets never sent.
    ready: VecDeque<StreamId>,
    /// The same, when the peer grants more on all streams together.
    blocked: VecDeque<StreamId>,
    /// Octets of a turn.
    turn_length: usize,
    /// What is left of the turn of the first in `ready`; `None` before it begins.
    turn: Option<usize>,
    /// Whether streams or datagrams come first in the next packet.
    datagrams_first: bool,
}

/// In which queues a stream stands.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub(super) struct Standing {
    control: bool,
    lost: bool,
    flow: bool,
    /// In `ready` or in `blocked`.
    data: bool,
}

/// One of the queues from which frames are written.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Queue {
    Control,
    Lost,
    Flows,
    Ready,
}

impl Schedule {
    /// Appends a stream to a queue unless it stands there.
    pub(super) fn enqueue(&mut self, queue: Queue, id: StreamId, standing: &mut Standing) {
        let stands = standing.stands(queue);
        if !std::mem::replace(stands, true) {
            self.queue(queue).push_back(id);
        }
    }

    /// The first of a queue.
    pub(super) fn first(&self, queue: Queue) -> Option<StreamId> {
        match queue {
            Queue::Control => self.control.front(),
            Queue::Lost => self.lost.front(),
            Queue::Flows => self.flows.front(),
            Queue::Ready => self.ready.front(),
        }
        .copied()
    }

    /// The first of a queue has nothing more for it; without standing if it is over.
    pub(super) fn dequeue(&mut self, queue: Queue, standing: Option<&mut Standing>) {
        self.queue(queue).pop_front();
        if let Some(standing) = standing {
            *standing.stands(queue) = false;
        }
        self.turn_ends(queue);
    }

    /// The first of a queue goes to its end.
    pub(super) fn rotate(&mut self, queue: Queue) {
        if let Some(id) = self.queue(queue).pop_front() {
            self.queue(queue).push_back(id);
        }
        self.turn_ends(queue);
    }

    /// The first that is ready waits until the peer grants more on all streams together.
    pub(super) fn block(&mut self) {
        if let Some(id) = self.ready.pop_front() {
            self.blocked.push_back(id);
        }
        self.turn_ends(Queue::Ready);
    }

    /// The peer has granted more: those that waited come first, in the order in which they came.
    pub(super) fn unblock(&mut self) {
        self.blocked.append(&mut self.ready);
        std::mem::swap(&mut self.blocked, &mut self.ready);
        self.turn_ends(Queue::Ready);
    }

    /// From now on, a turn is so many octets, within bounds.
    pub(super) fn set_turn_length(&mut self, octets: usize) {
        self.turn_length = octets;
    }

    /// Octets that the first that is ready may send now, towards a packet of `packet` octets. There is no limit as long as
    /// nobody else is ready.
    pub(super) fn turn(&mut self, packet: usize) -> usize {
        let length = self.turn_length.max(TURN_MIN);
        let left = *self
            .turn
            .get_or_insert(length.max(packet / TURNS_IN_A_PACKET));
        if self.ready.len() == 1 {
            usize::MAX
        } else {
            left
        }
    }

    /// It has sent so many. Once it used its turn up, the next one is first.
    pub(super) fn spend_turn(&mut self, octets: usize) {
        let left = self.turn.map_or(0, |left| left.saturating_sub(octets));
        self.turn = Some(left);
        if left < TURN_LEFT_MIN {
            self.rotate(Queue::Ready);
        }
    }

    /// In which order a packet is filled, turn and turn about: neither datagrams nor streams can starve the other.
    pub(super) fn next_order(&mut self) -> [Queue; 2] {
        self.datagrams_first = !self.datagrams_first;
        if self.datagrams_first {
            [Queue::Flows, Queue::Ready]
        } else {
            [Queue::Ready, Queue::Flows]
        }
    }

    /// Whether a stream may have something to say about itself.
    pub(super) fn has_control(&self) -> bool {
        !self.control.is_empty()
    }

    /// Whether a stream may have octets or datagrams to send.
    pub(super) fn has_data(&self) -> bool {
        !(self.lost.is_empty() && self.flows.is_empty() && self.ready.is_empty())
    }

    /// Gives back room that is left over.
    pub(super) fn rest(&mut self) {
        for queue in [
            &mut self.control,
            &mut self.lost,
            &mut self.flows,
            &mut self.ready,
            &mut self.blocked,
        ] {
            queue.shrink_to_fit();
        }
    }

    fn turn_ends(&mut self, queue: Queue) {
        if queue == Queue::Ready {
            self.turn = None;
        }
    }

    fn queue(&mut self, queue: Queue) -> &mut VecDeque<StreamId> {
        match queue {
            Queue::Control => &mut self.control,
            Queue::Lost => &mut self.lost,
            Queue::Flows => &mut self.flows,
            Queue::Ready => &mut self.ready,
        }
    }
}

impl Standing {
    fn stands(&mut self, queue: Queue) -> &mut bool {
        match queue {
            Queue::Control => &mut self.control,
            Queue::Lost => &mut self.lost,
            Queue::Flows => &mut self.flow,
            Queue::Ready => &mut self.data,
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn id(value: u64) -> StreamId {
        StreamId::new(value).unwrap()
    }

    fn with_ready(ids: &[u64]) -> (Schedule, Vec<Standing>) {
        let mut schedule = Schedule::default();
        let mut standings = vec![Standing::default(); ids.len()];
        for (value, standing) in ids.iter().zip(&mut standings) {
            schedule.enqueue(Queue::Ready, id(*value), standing);
        }
        (schedule, standings)
    }

    #[test]
    fn a_stream_stands_once_in_each_queue() {
        let (mut schedule, mut standings) = with_ready(&[1]);
        for queue in [
            Queue::Control,
            Queue::Lost,
            Queue::Flows,
            Queue::Ready,
            Queue::Ready,
        ] {
            schedule.enqueue(queue, id(1), &mut standings[0]);
        }
        for queue in [Queue::Control, Queue::Lost, Queue::Flows, Queue::Ready] {
            assert_eq!(schedule.first(queue), Some(id(1)));
            schedule.dequeue(queue, Some(&mut standings[0]));
            assert_eq!(schedule.first(queue), None);
        }
        assert_eq!(standings[0], Standing::default());
        assert!(!schedule.has_control() && !schedule.has_data());
    }

    #[test]
    fn streams_take_turns() {
        let (mut schedule, _) = with_ready(&[1, 2, 3]);
        let mut order = Vec::new();
        for _ in 0..6 {
            order.push(schedule.first(Queue::Ready).unwrap().value());
            let octets = schedule.turn(1200);
            assert_eq!(octets, TURN_MIN);
            schedule.spend_turn(1000);
            assert_eq!(schedule.turn(1200), TURN_MIN - 1000);
            schedule.spend_turn(TURN_MIN);
        }
        assert_eq!(order, [1, 2, 3, 1, 2, 3]);
    }

    #[test]
    fn a_turn_is_a_good_part_of_a_large_packet_or_of_the_pace_and_endless_without_others() {
        let (mut schedule, _) = with_ready(&[1, 2]);
        assert_eq!(schedule.turn(60_000), 15_000);
        let (mut schedule, _) = with_ready(&[1, 2]);
        schedule.set_turn_length(50_000);
        assert_eq!(schedule.turn(60_000), 50_000);
        let (mut schedule, _) = with_ready(&[1]);
        assert_eq!(schedule.turn(1200), usize::MAX);
        schedule.spend_turn(1 << 20);
        assert_eq!(schedule.first(Queue::Ready), Some(id(1)));
    }

    #[test]
    fn blocked_streams_come_first_when_there_is_credit_again() {
        let (mut schedule, mut standings) = with_ready(&[1, 2, 3]);
        schedule.block();
        schedule.block();
        schedule.enqueue(Queue::Ready, id(1), &mut standings[0]);
        assert_eq!(schedule.ready, [id(3)]);
        schedule.unblock();
        assert_eq!(schedule.ready, [id(1), id(2), id(3)]);
        assert!(schedule.blocked.is_empty());
    }

    #[test]
    fn streams_and_datagrams_come_first_in_turn() {
        let mut schedule = Schedule::default();
        let orders: Vec<_> = (0..4).map(|_| schedule.next_order()[0]).collect();
        assert_eq!(
            orders,
            [Queue::Flows, Queue::Ready, Queue::Flows, Queue::Ready]
        );
    }
}
