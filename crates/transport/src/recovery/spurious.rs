//! Losses that were none: packets declared lost whose acknowledgement comes after all.

use std::collections::VecDeque;
use std::ops::RangeInclusive;

/// Losses remembered. Late acknowledgements come within a few round trips or not at all; when more are lost than this,
/// the oldest are taken for really lost.
const RECORDS_MAX: usize = 1024;

/// Reordering, in packets, before a packet counts as lost (RFC 9002, 6.1.1, `kPacketThreshold`).
const THRESHOLD_MIN: u64 = 3;

/// How far reordering can raise it: some two batches of segmentation offload, which parallel links reorder as a whole.
/// The time threshold holds whatever this is.
const THRESHOLD_MAX: u64 = 128;

#[derive(Clone, Copy, Debug)]
struct Record {
    number: u64,
    /// The congestion event that it belongs to, if its loss counted as congestion.
    event: Option<u64>,
}

/// Packets declared lost, by ascending number, and the packet threshold that they taught.
#[derive(Debug)]
pub(crate) struct LostRecords {
    records: VecDeque<Record>,
    threshold: u64,
}

impl LostRecords {
    pub(crate) fn new() -> Self {
        Self {
            records: VecDeque::new(),
            threshold: THRESHOLD_MIN,
        }
    }

    /// A packet counts as lost when one this many numbers later was acknowledged (RFC 9002, 6.1.1).
    pub(crate) fn packet_threshold(&self) -> u64 {
        self.threshold
    }

    /// Remembers a loss. Losses come by ascending number.
    pub(crate) fn insert(&mut self, number: u64, event: Option<u64>) {
        debug_assert!(
            self.records.back().is_none_or(|last| last.number < number),
            "losses come in order"
        );
        if self.records.len() == RECORDS_MAX {
            self.records.pop_front();
        }
        self.records.push_back(Record { number, event });
    }

    /// Takes all of them for really lost.
    pub(crate) fn clear(&mut self) {
        self.records = VecDeque::new();
    }

    /// Takes out the losses that an acknowledged range disproves, and raises the threshold so that as much reordering
    /// would be tolerated (RFC 9002, 6.1.1; RFC 8985, 6.2). Returns how many of them belonged to `event`.
    pub(crate) fn disprove(
        &mut self,
        acknowledged: &RangeInclusive<u64>,
        largest_acked: u64,
        event: u64,
    ) -> u32 {
        // As a rule nothing was lost since what the peer acknowledges now.
        let newest = self.records.back();
        if newest.is_none_or(|lost| lost.number < *acknowledged.start()) {
            return 0;
        }
        let first = self
            .records
            .partition_point(|record| record.number < *acknowledged.start());
        let end = self
            .records
            .partition_point(|record| record.number <= *acknowledged.end());
        let mut disproved = 0;
        for record in self.records.drain(first..end.max(first)) {
            let distance = largest_acked.saturating_sub(record.number);
            self.threshold = self
                .threshold
                .max(distance.saturating_add(1))
                .min(THRESHOLD_MAX);
            disproved += u32::from(record.event == Some(event));
        }
        disproved
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_late_acknowledgement_raises_the_threshold_beyond_the_reordering_seen() {
        // RFC 9002, 6.1.1: implementations may start with three and raise it when they see spurious losses.
        let mut lost = LostRecords::new();
        assert_eq!(lost.packet_threshold(), 3);
        lost.insert(10, Some(1));
        assert_eq!(lost.disprove(&(10..=10), 17, 1), 1);
        assert_eq!(lost.packet_threshold(), 8);
    }

    #[test]
    fn the_threshold_is_bounded() {
        let mut lost = LostRecords::new();
        lost.insert(10, None);
        lost.disprove(&(0..=u64::MAX), u64::MAX, 0);
        assert_eq!(lost.packet_threshold(), THRESHOLD_MAX);
    }

    #[test]
    fn only_losses_within_the_range_are_disproved_and_only_once() {
        let mut lost = LostRecords::new();
        for number in [2, 4, 6, 8] {
            lost.insert(number, Some(7));
        }
        assert_eq!(lost.disprove(&(3..=6), 6, 7), 2);
        assert_eq!(lost.disprove(&(3..=6), 6, 7), 0);
        assert_eq!(lost.disprove(&(5..=5), 6, 7), 0);
        assert_eq!(lost.disprove(&(0..=9), 9, 7), 2);
    }

    #[test]
    fn losses_of_an_earlier_event_do_not_count_for_this_one() {
        let mut lost = LostRecords::new();
        lost.insert(1, Some(1));
        lost.insert(2, Some(2));
        lost.insert(3, None);
        assert_eq!(lost.disprove(&(1..=3), 3, 2), 1);
    }

    #[test]
    fn memory_is_bounded() {
        let mut lost = LostRecords::new();
        for number in 0..10_000 {
            lost.insert(number, Some(0));
        }
        assert_eq!(
            lost.disprove(&(0..=10_000), 10_000, 0),
            u32::try_from(RECORDS_MAX).unwrap()
        );
    }
}
