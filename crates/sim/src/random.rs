//! Chance, from a seed.

use std::time::Duration;

use rand_chacha::ChaCha8Rng;
use rand_core::{Rng, SeedableRng};

/// A probability, in millionths: whole numbers, so that every machine draws the same.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, PartialOrd, Ord)]
pub struct Chance(u32);

impl Chance {
    /// It does not happen.
    pub const NEVER: Self = Self(0);

    /// It happens each time.
    pub const ALWAYS: Self = Self(1_000_000);

    /// So many of a million.
    #[must_use]
    pub const fn millionths(millionths: u32) -> Self {
        Self(millionths)
    }

    /// So many of a hundred.
    #[must_use]
    pub const fn percent(percent: u32) -> Self {
        Self(percent.saturating_mul(10_000))
    }
}

/// All randomness of a world. The same seed gives the same draws, on every machine.
#[derive(Clone, Debug)]
pub struct Random(ChaCha8Rng);

impl Random {
    /// The draws that belong to a seed.
    #[must_use]
    pub fn new(seed: u64) -> Self {
        Self(ChaCha8Rng::seed_from_u64(seed))
    }

    /// A source of its own for one part of the world, so that what one part draws does not move the draws of another.
    #[must_use]
    pub fn fork(&mut self) -> Self {
        Self(ChaCha8Rng::from_seed(self.bytes()))
    }

    /// 32 random octets, such as a key or the seed of something else.
    #[must_use]
    pub fn bytes(&mut self) -> [u8; 32] {
        let mut bytes = [0; 32];
        self.0.fill_bytes(&mut bytes);
        bytes
    }

    /// A number below `bound`; 0 if that is 0. The bias of the remainder does not matter for bounds far below 2^64.
    pub fn below(&mut self, bound: u64) -> u64 {
        self.0.next_u64().checked_rem(bound).unwrap_or(0)
    }

    /// An index into something of this length; 0 for an empty one.
    pub fn index(&mut self, length: usize) -> usize {
        usize::try_from(self.below(length as u64)).unwrap_or(0)
    }

    /// Whether something happens that happens with this chance.
    pub fn happens(&mut self, chance: Chance) -> bool {
        chance != Chance::NEVER && self.below(1_000_000) < u64::from(chance.0)
    }

    /// A duration from nothing to `longest`, in whole microseconds.
    pub fn up_to(&mut self, longest: Duration) -> Duration {
        let micros = u64::try_from(longest.as_micros()).unwrap_or(u64::MAX);
        Duration::from_micros(self.below(micros.saturating_add(1)))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_same_seed_gives_the_same_draws_and_another_seed_others() {
        let draws = |seed| {
            let mut random = Random::new(seed);
            (0..8).map(|_| random.below(1 << 40)).collect::<Vec<_>>()
        };
        assert_eq!(draws(1), draws(1));
        assert_ne!(draws(1), draws(2));
    }

    #[test]
    fn what_a_fork_draws_does_not_move_the_draws_of_its_origin() {
        let mut one = Random::new(1);
        let mut other = Random::new(1);
        let mut fork = one.fork();
        let _ = other.fork();
        let _ = (fork.below(9), fork.below(9));
        assert_eq!(one.bytes(), other.bytes());
    }

    #[test]
    fn a_chance_holds_over_many_draws() {
        let mut random = Random::new(3);
        let count = (0..100_000)
            .filter(|_| random.happens(Chance::percent(5)))
            .count();
        assert!((4_500..5_500).contains(&count), "{count}");
        assert!((0..1_000).all(|_| random.happens(Chance::ALWAYS)));
        assert!(!(0..1_000).any(|_| random.happens(Chance::NEVER)));
    }

    #[test]
    fn bounds_hold() {
        let mut random = Random::new(4);
        assert_eq!(random.below(0), 0);
        assert!((0..1_000).all(|_| random.below(3) < 3));
        let longest = Duration::from_micros(2);
        assert!((0..1_000).any(|_| random.up_to(longest) == longest));
        assert!((0..1_000).all(|_| random.up_to(longest) <= longest));
    }
}
