//! Sets of numbers that come in runs: offsets of a stream, packet numbers.

use std::ops::Range;

use smallvec::SmallVec;

/// A set of `u64` below `u64::MAX`, kept as sorted, disjoint, non-adjacent half-open ranges.
///
/// Sets in use here have one or two ranges nearly always, and those are stored in place. With `n` ranges, finding takes
/// O(log n), a change in the middle O(n); appending to the last range, the common case, takes O(1).
///
/// Memory is 16 octets a range. The set itself sets no bound: whoever lets a peer choose the ranges inserts with
/// [`RangeSet::try_insert`].
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub(crate) struct RangeSet {
    ranges: SmallVec<[Span; 2]>,
}

/// What `Range` is, but `Copy`. Never empty.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
struct Span {
    start: u64,
    end: u64,
}

impl Span {
    const fn len(self) -> u64 {
        self.end - self.start
    }

    const fn range(self) -> Range<u64> {
        self.start..self.end
    }
}

impl RangeSet {
    /// The empty set. Does not allocate.
    pub(crate) fn new() -> Self {
        Self::default()
    }

    /// Whether nothing is in the set.
    pub(crate) fn is_empty(&self) -> bool {
        self.ranges.is_empty()
    }

    /// How many ranges there are; no two of them touch.
    pub(crate) fn range_count(&self) -> usize {
        self.ranges.len()
    }

    /// How many numbers there are. Takes O(n).
    #[cfg(test)]
    pub(crate) fn count(&self) -> u64 {
        self.ranges.iter().map(|span| span.len()).sum()
    }

    /// The lowest range.
    pub(crate) fn first(&self) -> Option<Range<u64>> {
        self.ranges.first().map(|span| span.range())
    }

    /// The highest range.
    pub(crate) fn last(&self) -> Option<Range<u64>> {
        self.ranges.last().map(|span| span.range())
    }

    /// The ranges, ascending; reversed, descending.
    pub(crate) fn iter(&self) -> impl DoubleEndedIterator<Item = Range<u64>> + ExactSizeIterator {
        self.ranges.iter().map(|span| span.range())
    }

    /// Whether `value` is in the set.
    pub(crate) fn contains(&self, value: u64) -> bool {
        let index = self.first_ending_after(value);
        self.ranges
            .get(index)
            .is_some_and(|span| span.start <= value)
    }

    /// Whether all of `range` is in the set; true of an empty range.
    #[cfg(test)]
    pub(crate) fn contains_range(&self, range: Range<u64>) -> bool {
        if range.is_empty() {
            return true;
        }
        let index = self.first_ending_after(range.start);
        self.ranges
            .get(index)
            .is_some_and(|span| span.start <= range.start && range.end <= span.end)
    }

    /// The parts of `range` that are not in the set, ascending.
    pub(crate) fn gaps_in(&self, range: Range<u64>) -> impl Iterator<Item = Range<u64>> {
        let mut next = range.start;
        let mut index = self.first_ending_after(range.start);
        std::iter::from_fn(move || {
            while next < range.end {
                let Some(span) = self.ranges.get(index).filter(|span| span.start < range.end)
                else {
                    let gap = next..range.end;
                    next = range.end;
                    return Some(gap);
                };
                index += 1;
                let gap = next..span.start;
                next = span.end;
                if !gap.is_empty() {
                    return Some(gap);
                }
            }
            None
        })
    }

    /// Adds one number; whether it is new. `u64::MAX` cannot be in a set and is never new.
    pub(crate) fn insert_one(&mut self, value: u64) -> bool {
        self.insert(value..value.saturating_add(1)) == 1
    }

    /// Adds `range` and returns how many of its numbers are new.
    pub(crate) fn insert(&mut self, range: Range<u64>) -> u64 {
        if range.is_empty() {
            return 0;
        }
        match self.ranges.last_mut() {
            Some(last) if range.start == last.end => {
                last.end = range.end;
                range.end - range.start
            }
            Some(last) if range.start < last.end => self.merge(range),
            Some(_) | None => {
                self.ranges.push(Span {
                    start: range.start,
                    end: range.end,
                });
                range.end - range.start
            }
        }
    }

    /// As [`RangeSet::insert`], unless that would leave more than `limit` ranges and more than there were: then the set
    /// stays as it was, and the answer is `None`.
    pub(crate) fn try_insert(&mut self, range: Range<u64>, limit: usize) -> Option<u64> {
        let allowed = self.ranges.len() < limit || !self.would_add_a_range(&range);
        allowed.then(|| self.insert(range))
    }

    /// Takes `range` out and returns how many of its numbers were in the set.
    pub(crate) fn remove(&mut self, range: Range<u64>) -> u64 {
        if range.is_empty() {
            return 0;
        }
        let from = self.first_ending_after(range.start);
        let until = from + self.ranges[from..].partition_point(|span| span.start < range.end);
        let Some(overlapping) = self
            .ranges
            .get(from..until)
            .filter(|spans| !spans.is_empty())
        else {
            return 0;
        };
        let before = overlapping.iter().map(|span| span.len()).sum::<u64>();
        let kept: SmallVec<[Span; 2]> = overlapping
            .first()
            .map(|first| Span {
                start: first.start,
                end: range.start,
            })
            .into_iter()
            .chain(overlapping.last().map(|last| Span {
                start: range.end,
                end: last.end,
            }))
            .filter(|span| span.start < span.end)
            .collect();
        let after = kept.iter().map(|span| span.len()).sum::<u64>();
        self.replace(from..until, &kept);
        before - after
    }

    /// Takes out everything below `bound` and returns how many numbers that were.
    pub(crate) fn remove_below(&mut self, bound: u64) -> u64 {
        self.remove(0..bound)
    }

    /// Takes the lowest range out.
    pub(crate) fn pop_first(&mut self) -> Option<Range<u64>> {
        if self.ranges.is_empty() {
            None
        } else {
            Some(self.ranges.remove(0).range())
        }
    }

    /// Takes everything out and gives the memory back.
    pub(crate) fn clear(&mut self) {
        self.ranges = SmallVec::new();
    }

    /// Gives back room that is left over.
    pub(crate) fn shrink(&mut self) {
        self.ranges.shrink_to_fit();
    }

    /// Index of the first range that contains `value` or lies above it.
    fn first_ending_after(&self, value: u64) -> usize {
        match self.ranges.last() {
            Some(last) if last.end <= value => self.ranges.len(),
            Some(_) | None => self.ranges.partition_point(|span| span.end <= value),
        }
    }

    /// The indices of ranges that overlap `range` or touch it.
    fn touching(&self, range: &Range<u64>) -> Range<usize> {
        let from = self.ranges.partition_point(|span| span.end < range.start);
        let until = from + self.ranges[from..].partition_point(|span| span.start <= range.end);
        from..until
    }

    fn would_add_a_range(&self, range: &Range<u64>) -> bool {
        !range.is_empty() && self.touching(range).is_empty()
    }

    fn merge(&mut self, range: Range<u64>) -> u64 {
        let touching = self.touching(&range);
        let spans = &self.ranges[touching.clone()];
        let before = spans.iter().map(|span| span.len()).sum::<u64>();
        let merged = Span {
            start: spans
                .first()
                .map_or(range.start, |first| first.start.min(range.start)),
            end: spans
                .last()
                .map_or(range.end, |last| last.end.max(range.end)),
        };
        self.replace(touching, &[merged]);
        merged.len() - before
    }

    /// Puts `with` in the place of the ranges at `indices`.
    fn replace(&mut self, indices: Range<usize>, with: &[Span]) {
        let reused = with.len().min(indices.len());
        self.ranges[indices.start..indices.start + reused].copy_from_slice(&with[..reused]);
        let rest = indices.start + reused;
        if reused < with.len() {
            self.ranges.insert_from_slice(rest, &with[reused..]);
        } else {
            self.ranges.drain(rest..indices.end);
        }
    }
}

#[cfg(test)]
#[expect(
    clippy::single_range_in_vec_init,
    reason = "a set of one range is meant"
)]
mod tests {
    use std::collections::BTreeSet;

    use proptest::prelude::*;

    use super::*;

    fn set(ranges: &[Range<u64>]) -> RangeSet {
        let mut set = RangeSet::new();
        for range in ranges {
            set.insert(range.clone());
        }
        set
    }

    fn ranges(set: &RangeSet) -> Vec<Range<u64>> {
        set.iter().collect()
    }

    #[test]
    fn ranges_that_touch_become_one() {
        assert_eq!(ranges(&set(&[0..5, 5..10])), [0..10]);
        assert_eq!(ranges(&set(&[5..10, 0..5])), [0..10]);
        assert_eq!(ranges(&set(&[0..3, 7..9, 3..7])), [0..9]);
    }

    #[test]
    fn inserting_counts_only_what_is_new() {
        let mut set = set(&[10..20, 30..40]);
        assert_eq!(set.insert(12..18), 0);
        assert_eq!(set.insert(15..35), 10);
        assert_eq!(set.insert(40..41), 1);
        assert_eq!(set.insert(0..0), 0);
        assert_eq!(ranges(&set), [10..41]);
    }

    #[test]
    fn removing_splits_a_range() {
        let mut set = set(&[0..10]);
        assert_eq!(set.remove(3..5), 2);
        assert_eq!(set.remove(3..5), 0);
        assert_eq!(ranges(&set), [0..3, 5..10]);
        assert_eq!(set.remove(2..6), 2);
        assert_eq!(ranges(&set), [0..2, 6..10]);
        assert_eq!(set.remove_below(7), 3);
        assert_eq!(ranges(&set), [7..10]);
    }

    #[test]
    fn a_full_set_takes_only_what_adds_no_range() {
        let mut set = set(&[0..1, 2..3]);
        assert_eq!(set.try_insert(4..5, 2), None);
        assert_eq!(ranges(&set), [0..1, 2..3]);
        assert_eq!(set.try_insert(3..4, 2), Some(1));
        assert_eq!(set.try_insert(1..2, 2), Some(1));
        assert_eq!(set.try_insert(9..9, 0), Some(0));
        assert_eq!(ranges(&set), [0..4]);
        assert_eq!(set.try_insert(5..6, 2), Some(1));
    }

    #[test]
    fn the_largest_number_cannot_be_in_a_set_and_nothing_overflows() {
        let mut set = RangeSet::new();
        assert!(!set.insert_one(u64::MAX));
        assert!(set.insert_one(u64::MAX - 1));
        assert!(set.insert_one(0));
        assert!(!set.contains(u64::MAX));
        assert!(set.contains(u64::MAX - 1));
        assert_eq!(set.insert(0..u64::MAX), u64::MAX - 2);
        assert_eq!(set.count(), u64::MAX);
        assert_eq!(set.remove(1..u64::MAX), u64::MAX - 1);
        assert_eq!(ranges(&set), [0..1]);
    }

    #[test]
    fn the_lowest_range_is_taken_first() {
        let mut set = set(&[5..6, 0..2]);
        assert_eq!(set.first(), Some(0..2));
        assert_eq!(set.last(), Some(5..6));
        assert_eq!(set.pop_first(), Some(0..2));
        assert_eq!(set.pop_first(), Some(5..6));
        assert_eq!(set.pop_first(), None);
    }

    #[derive(Clone, Debug)]
    enum Step {
        Insert(Range<u64>),
        TryInsert(Range<u64>, usize),
        Remove(Range<u64>),
    }

    fn any_range() -> impl Strategy<Value = Range<u64>> {
        (0u64..64, 0u64..12).prop_map(|(start, len)| start..start + len)
    }

    fn any_step() -> impl Strategy<Value = Step> {
        prop_oneof![
            any_range().prop_map(Step::Insert),
            (any_range(), 0usize..5).prop_map(|(range, limit)| Step::TryInsert(range, limit)),
            any_range().prop_map(Step::Remove),
        ]
    }

    /// Applies `step` to both and checks that they count alike.
    fn apply(set: &mut RangeSet, model: &mut BTreeSet<u64>, step: Step) {
        let before = model.len();
        let changed = match step {
            Step::Insert(range) => {
                model.extend(range.clone());
                set.insert(range)
            }
            Step::TryInsert(range, limit) => {
                let ranges_before = set.range_count();
                match set.try_insert(range.clone(), limit) {
                    Some(new) => {
                        model.extend(range);
                        assert!(set.range_count() <= limit.max(ranges_before));
                        new
                    }
                    None => {
                        let mut inserted = set.clone();
                        inserted.insert(range);
                        assert!(inserted.range_count() > limit);
                        0
                    }
                }
            }
            Step::Remove(range) => {
                model.retain(|value| !range.contains(value));
                set.remove(range)
            }
        };
        assert_eq!(changed, before.abs_diff(model.len()) as u64);
    }

    proptest! {
        #[test]
        fn it_agrees_with_a_set_of_single_numbers(
            steps in prop::collection::vec(any_step(), 0..60),
            probe in any_range(),
        ) {
            let (mut set, mut model) = (RangeSet::new(), BTreeSet::new());
            for step in steps {
                apply(&mut set, &mut model, step);
                prop_assert!(set.iter().all(|range| range.start < range.end));
                let (all, following) = (ranges(&set), ranges(&set).into_iter().skip(1));
                prop_assert!(all.iter().zip(following).all(|(low, high)| low.end < high.start));
                prop_assert!(set.iter().flatten().eq(model.iter().copied()));
                prop_assert_eq!(set.count(), model.len() as u64);
                prop_assert_eq!(set.contains(probe.start), model.contains(&probe.start));
                let inside = probe.clone().all(|value| model.contains(&value));
                prop_assert_eq!(set.contains_range(probe.clone()), inside);
                let outside = probe.clone().filter(|value| !model.contains(value));
                prop_assert!(set.gaps_in(probe.clone()).flatten().eq(outside));
            }
        }
    }
}
