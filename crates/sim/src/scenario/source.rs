//! Where choices come from: a seed's randomness, or octets that somebody else chose, as a fuzzer does.

use crate::random::Random;

/// A source of choices.
pub(super) trait Source {
    /// A number below `bound`; 0 if that is 0.
    fn below(&mut self, bound: u64) -> u64;

    /// A number in a range that has its ends.
    fn between(&mut self, least: u64, most: u64) -> u64 {
        least + self.below(most.saturating_sub(least) + 1)
    }

    /// True once in so many times.
    fn once_in(&mut self, times: u64) -> bool {
        self.below(times) == 0
    }

    /// An index below a length; 0 if that is 0.
    fn index(&mut self, length: usize) -> usize {
        usize::try_from(self.below(length as u64)).unwrap_or(0)
    }

    /// One of several.
    fn pick<T: Copy>(&mut self, of: &[T]) -> T {
        of[self.index(of.len())]
    }
}

impl Source for Random {
    fn below(&mut self, bound: u64) -> u64 {
        Self::below(self, bound)
    }
}

/// Octets that are used up; when there are none left, every choice is the first one.
pub(super) struct Octets<'a>(pub(super) &'a [u8]);

impl Source for Octets<'_> {
    fn below(&mut self, bound: u64) -> u64 {
        // As few octets as the bound needs, so that a fuzzer's small change is a small change.
        let needed = match bound {
            0..=1 => return 0,
            2..=0x100 => 1,
            0x101..=0x1_0000 => 2,
            0x1_0001..=0x1_0000_0000 => 4,
            _ => 8,
        };
        let (taken, rest) = self.0.split_at(self.0.len().min(needed));
        self.0 = rest;
        taken
            .iter()
            .fold(0, |sum, octet| sum << 8 | u64::from(*octet))
            % bound
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn octets_are_used_up_and_every_choice_is_within_its_bound() {
        let mut octets = Octets(&[7, 1, 2, 255, 255, 255, 255, 9]);
        assert_eq!(octets.below(1), 0, "there is no choice, so nothing is used");
        assert_eq!(octets.below(8), 7);
        assert_eq!(octets.below(1000), 0x0102);
        assert!(octets.below(1 << 20) < 1 << 20);
        assert_eq!(octets.below(0x1_0000), 9);
        assert_eq!(octets.below(u64::MAX), 0);
    }
}
