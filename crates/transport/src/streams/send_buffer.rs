//! What was written to a stream, until the peer has it.

use std::ops::Range;

use bytes::Bytes;
use keyway_wire::planted::{Fault, planted};

use crate::ChunkQueue;
use crate::range_set::RangeSet;

/// Octets written and not yet acknowledged in order, with what has become of each.
///
/// ```text
///          base            next          end
///   forgotten | acked, lost, | never sent |
///             | or in flight |            |
/// ```
///
/// Memory is that of a [`ChunkQueue`] (bounded by the owner's limit on [`SendBuffer::len`]) and a range for each hole in
/// what was acknowledged, of which there are at most as many as frames in flight.
#[derive(Debug, Default)]
pub(super) struct SendBuffer {
    /// From `base` to `end`.
    octets: ChunkQueue,
    next: u64,
    /// Acknowledged, above `base`.
    acked: RangeSet,
    /// To be sent again.
    lost: RangeSet,
}

impl SendBuffer {
    /// An empty buffer of a stream that begins at `offset`.
    fn starting_at(offset: u64) -> Self {
        Self {
            octets: ChunkQueue::starting_at(offset),
            next: offset,
            ..Self::default()
        }
    }

    /// Octets that are kept.
    pub(super) fn len(&self) -> u64 {
        self.octets.end() - self.octets.start()
    }

    /// Whether the peer has everything that was written.
    pub(super) fn is_empty(&self) -> bool {
        self.octets.is_empty()
    }

    /// Offset behind the last octet that was ever sent.
    pub(super) fn sent_end(&self) -> u64 {
        self.next
    }

    /// Offset behind the last octet that was written.
    pub(super) fn end(&self) -> u64 {
        self.octets.end()
    }

    /// Octets never sent.
    pub(super) fn unsent(&self) -> u64 {
        self.octets.end() - self.next
    }

    /// Appends all of `data`; the caller has seen to its limit.
    pub(super) fn write(&mut self, data: &[u8]) {
        self.octets.write(data);
    }

    /// Appends all of `data`, without copying what is more than a little.
    pub(super) fn push(&mut self, data: Bytes) {
        self.octets.push(data);
    }

    /// The same as [`write`](Self::write), in no more memory than the octets take.
    pub(super) fn write_exactly(&mut self, data: &[u8]) {
        self.octets.write_exactly(data);
    }

    /// The same as [`push`](Self::push), in no more memory than the octets take.
    pub(super) fn push_exactly(&mut self, data: Bytes) {
        self.octets.push_exactly(data);
    }

    /// Octets that appending so many would allocate at most beside them.
    pub(super) fn piece(&self, octets: usize, borrowed: bool) -> usize {
        if borrowed {
            self.octets.next_piece(octets)
        } else {
            self.octets.pushed_piece(octets)
        }
    }

    /// Octets allocated, or kept alive.
    pub(super) fn footprint(&self) -> u64 {
        self.octets.footprint() as u64
    }

    /// Copies what was written from `offset` on, which is still kept.
    pub(super) fn read(&self, offset: u64, out: &mut [u8]) {
        self.octets.copy_at(offset, out);
    }

    /// The lowest range that has to go out again.
    pub(super) fn first_lost(&self) -> Option<Range<u64>> {
        self.lost.first()
    }

    /// `range` is on its way: new octets begin at [`SendBuffer::sent_end`], others were lost.
    pub(super) fn on_sent(&mut self, range: Range<u64>) {
        if range.start == self.next {
            self.next = range.end;
        } else {
            self.lost.remove(range);
        }
    }

    /// The peer has `range`. Returns how many octets are kept no more.
    pub(super) fn on_acked(&mut self, range: Range<u64>) -> u64 {
        let range = self.still_kept(range);
        if range.is_empty() {
            return 0;
        }
        self.lost.remove(range.clone());
        let base = self.octets.start();
        if range.start > base {
            self.acked.insert(range);
            return 0;
        }
        // Whatever was acknowledged ahead of its turn and touches this goes with it.
        let mut end = range.end;
        while let Some(next) = self.acked.first().filter(|next| next.start <= end) {
            end = end.max(next.end);
            self.acked.pop_first();
        }
        self.octets.forget_below(end);
        end - base
    }

    /// `range` got lost: what the peer does not have of it is to be sent again.
    pub(super) fn on_lost(&mut self, range: Range<u64>) {
        if planted(Fault::DropRetransmission) {
            return;
        }
        for gap in self.acked.gaps_in(self.still_kept(range)) {
            self.lost.insert(gap);
        }
    }

    /// Forgets all that is kept, as if it had been acknowledged, sent or not. Returns how many octets that were.
    pub(super) fn discard(&mut self) -> u64 {
        let kept = self.len();
        *self = Self::starting_at(self.next);
        kept
    }

    /// Octets allocated.
    #[cfg(test)]
    pub(super) fn memory(&self) -> usize {
        self.octets.memory()
    }

    fn still_kept(&self, range: Range<u64>) -> Range<u64> {
        debug_assert!(
            range.end <= self.next,
            "only what was sent is acknowledged or lost"
        );
        range.start.max(self.octets.start())..range.end.min(self.next)
    }
}

#[cfg(test)]
#[expect(
    clippy::cast_possible_truncation,
    reason = "numbers of tests are small"
)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    fn sent(octets: usize) -> SendBuffer {
        let mut buffer = SendBuffer::default();
        buffer.write(&vec![7; octets]);
        buffer.on_sent(0..octets as u64);
        buffer
    }

    #[test]
    fn octets_are_kept_until_all_before_them_are_acknowledged() {
        let mut buffer = sent(100);
        assert_eq!(buffer.on_acked(50..100), 0);
        assert_eq!(buffer.on_acked(10..20), 0);
        assert_eq!(buffer.len(), 100);
        assert_eq!(buffer.on_acked(0..10), 20);
        assert_eq!(buffer.on_acked(20..50), 80);
        assert!(buffer.is_empty());
        assert_eq!(buffer.memory(), 0);
    }

    #[test]
    fn one_acknowledgement_may_reach_over_several_earlier_ones() {
        let mut buffer = sent(100);
        buffer.on_acked(30..50);
        buffer.on_acked(60..70);
        buffer.on_acked(80..100);
        assert_eq!(buffer.on_acked(0..80), 100);
        assert!(buffer.is_empty() && buffer.acked.is_empty());
    }

    #[test]
    fn one_acknowledgement_may_close_several_gaps() {
        let mut buffer = sent(100);
        buffer.on_acked(10..20);
        buffer.on_acked(30..40);
        buffer.on_acked(50..100);
        assert_eq!(buffer.on_acked(0..35), 40);
        assert_eq!(buffer.on_acked(35..50), 60);
        assert!(buffer.is_empty());
        assert!(buffer.acked.is_empty());
    }

    #[test]
    fn only_what_the_peer_lacks_is_sent_again() {
        let mut buffer = sent(100);
        buffer.on_acked(20..30);
        buffer.on_lost(0..50);
        assert_eq!(buffer.lost.iter().collect::<Vec<_>>(), [0..20, 30..50]);
        buffer.on_acked(0..35);
        assert_eq!(buffer.first_lost(), Some(35..50));
        buffer.on_lost(0..35);
        assert_eq!(buffer.first_lost(), Some(35..50));
    }

    #[test]
    fn what_was_sent_again_is_lost_no_more_until_it_is_lost_again() {
        let mut buffer = sent(100);
        buffer.on_lost(0..100);
        buffer.on_sent(0..60);
        assert_eq!(buffer.first_lost(), Some(60..100));
        buffer.on_sent(60..100);
        assert_eq!(buffer.first_lost(), None);
        buffer.on_lost(10..20);
        assert_eq!(buffer.first_lost(), Some(10..20));
    }

    #[test]
    fn discarding_keeps_the_end_of_what_was_sent() {
        let mut buffer = sent(100);
        buffer.write(&[1; 50]);
        buffer.on_lost(0..10);
        assert_eq!(buffer.discard(), 150);
        assert_eq!(
            (buffer.sent_end(), buffer.end(), buffer.len()),
            (100, 100, 0)
        );
        assert_eq!(buffer.first_lost(), None);
        assert_eq!(buffer.memory(), 0);
        buffer.on_lost(20..30);
        assert_eq!(buffer.on_acked(20..30), 0);
        assert_eq!(buffer.first_lost(), None);
    }

    #[test]
    fn octets_that_were_handed_over_are_sent_from_where_they_lie() {
        let mut buffer = SendBuffer::default();
        buffer.push(Bytes::from(vec![7; 70_000]));
        buffer.push(Bytes::from_static(b"end"));
        let mut out = [0; 5];
        buffer.read(69_998, &mut out);
        assert_eq!(&out, b"\x07\x07end");
        assert_eq!(buffer.unsent(), 70_003);
    }

    #[derive(Clone, Debug)]
    enum Step {
        Write(usize),
        SendNew(u64),
        SendLost(u64),
        Acked(prop::sample::Index),
        Lost(prop::sample::Index),
    }

    fn any_step() -> impl Strategy<Value = Step> {
        prop_oneof![
            (0usize..400).prop_map(Step::Write),
            (1u64..300).prop_map(Step::SendNew),
            (1u64..300).prop_map(Step::SendLost),
            any::<prop::sample::Index>().prop_map(Step::Acked),
            any::<prop::sample::Index>().prop_map(Step::Lost),
        ]
    }

    fn octet(offset: u64) -> u8 {
        (offset % 253) as u8
    }

    /// Checks the octets of `range`, sends it, and remembers it.
    fn send(buffer: &mut SendBuffer, flight: &mut Vec<Range<u64>>, range: Range<u64>) {
        let mut data = vec![0; (range.end - range.start) as usize];
        buffer.read(range.start, &mut data);
        assert!(data.into_iter().eq(range.clone().map(octet)));
        buffer.on_sent(range.clone());
        flight.push(range);
    }

    fn apply(buffer: &mut SendBuffer, flight: &mut Vec<Range<u64>>, step: Step) {
        match step {
            Step::Write(octets) => {
                let data: Vec<u8> = (buffer.end()..).map(octet).take(octets).collect();
                buffer.write(&data);
            }
            Step::SendNew(most) => {
                let range = buffer.sent_end()..buffer.sent_end() + most.min(buffer.unsent());
                if !range.is_empty() {
                    send(buffer, flight, range);
                }
            }
            Step::SendLost(most) => {
                if let Some(range) = buffer.first_lost() {
                    send(
                        buffer,
                        flight,
                        range.start..range.end.min(range.start + most),
                    );
                }
            }
            Step::Acked(which) if !flight.is_empty() => {
                let before = buffer.len();
                let freed = buffer.on_acked(flight.remove(which.index(flight.len())));
                assert_eq!(before - buffer.len(), freed);
            }
            Step::Lost(which) if !flight.is_empty() => {
                buffer.on_lost(flight.remove(which.index(flight.len())));
            }
            Step::Acked(_) | Step::Lost(_) => {}
        }
    }

    proptest! {
        // R1.1
        #[test]
        fn everything_arrives_in_the_end_and_leaves_nothing(
            start in prop_oneof![Just(0), 0u64..1000, Just((1 << 62) - 1_000_000)],
            steps in prop::collection::vec(any_step(), 0..200),
        ) {
            let (mut buffer, mut flight) = (SendBuffer::starting_at(start), Vec::new());
            for step in steps {
                apply(&mut buffer, &mut flight, step);
            }
            for range in std::mem::take(&mut flight) {
                buffer.on_lost(range);
            }
            while buffer.first_lost().is_some() {
                apply(&mut buffer, &mut flight, Step::SendLost(1200));
            }
            while buffer.unsent() > 0 {
                apply(&mut buffer, &mut flight, Step::SendNew(1200));
            }
            for range in flight {
                buffer.on_acked(range);
            }
            prop_assert!(buffer.is_empty());
            prop_assert!(buffer.acked.is_empty() && buffer.lost.is_empty());
        }
    }
}
