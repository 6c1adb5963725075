use smallvec::SmallVec;

/// Packet numbers, from the highest one down, that are still told apart. Two paths of 5 and 150 ms at 50,000 packets a
/// second are that far apart, and a whole batch of offloaded segments may be overtaken at once.
pub(crate) const REPLAY_WINDOW: u64 = 8192;

const WORD_BITS: u64 = 64;

/// Words of a ring that never met a gap: 256 numbers.
const WORDS_MIN: usize = 4;

/// Which packet numbers of one number space were accepted (after RFC 6479).
///
/// A ring of bits indexed by packet number. When the highest number moves, the bits of the numbers that it passed are
/// cleared, so nothing is ever shifted: a step of one is one bit, a jump is at most the whole ring.
///
/// A number in the window is refused only if it was accepted before; one below the window always is. The ring may be shorter
/// than the window as long as every number below it was accepted, and grows when one that was not would fall out of it: a
/// space that saw little costs 32 octets, one that lost something 1 KiB.
#[derive(Clone, PartialEq, Eq)]
pub(crate) struct ReplayWindow {
    /// One more than the highest number accepted; zero before the first.
    next: u64,
    /// As many as a power of two, up to those of the whole window.
    words: SmallVec<[u64; WORDS_MIN]>,
}

impl ReplayWindow {
    pub(crate) fn new() -> Self {
        Self {
            next: 0,
            words: SmallVec::from_elem(0, WORDS_MIN),
        }
    }

    /// Whether `number` may be accepted. Changes nothing: what is not authentic must leave no trace, so the caller asks
    /// first, opens the packet, and [`accept`](Self::accept)s it only then.
    pub(crate) fn admits(&self, number: u64) -> bool {
        if number >= self.next {
            // The highest number has no successor that could be the next one. Nobody seals it.
            return number != u64::MAX;
        }
        self.next - number <= self.reach() && !self.is_marked(number)
    }

    /// Remembers that `number` was accepted, which the caller has asked before.
    pub(crate) fn accept(&mut self, number: u64) {
        debug_assert!(self.admits(number), "asked before the packet was opened");
        if number >= self.next {
            while self.reach() < REPLAY_WINDOW && self.would_forget(number) {
                self.grow();
            }
            self.clear(self.next, number);
            self.next = number.saturating_add(1);
        }
        self.mark(number);
    }

    /// How many numbers the ring has bits for, from the highest one down.
    fn reach(&self) -> u64 {
        self.words.len() as u64 * WORD_BITS
    }

    /// Whether a number that was not accepted falls out of the ring when `number` becomes the highest.
    fn would_forget(&self, number: u64) -> bool {
        let lowest_kept = number.saturating_add(1).saturating_sub(self.reach());
        let lowest = self.next.saturating_sub(self.reach());
        lowest_kept > self.next || (lowest..lowest_kept).any(|number| !self.is_marked(number))
    }

    /// Doubles the ring. What was below it was accepted.
    fn grow(&mut self) {
        let mut grown = Self {
            next: self.next,
            words: SmallVec::from_elem(0, 2 * self.words.len()),
        };
        let known_from = self.next.saturating_sub(self.reach());
        for number in self.next.saturating_sub(grown.reach())..self.next {
            if number < known_from || self.is_marked(number) {
                grown.mark(number);
            }
        }
        *self = grown;
    }

    fn is_marked(&self, number: u64) -> bool {
        let (word, bit) = self.place(number);
        self.words[word] & bit != 0
    }

    fn mark(&mut self, number: u64) {
        let (word, bit) = self.place(number);
        self.words[word] |= bit;
    }

    /// Clears the bits of `from..=to`.
    fn clear(&mut self, from: u64, to: u64) {
        if to - from >= self.reach() {
            self.words.fill(0);
            return;
        }
        let mut number = from;
        while number <= to {
            let (word, _) = self.place(number);
            let last_of_word = (number | (WORD_BITS - 1)).min(to);
            self.words[word] &= !bits(number % WORD_BITS, last_of_word % WORD_BITS);
            number = last_of_word + 1;
        }
    }

    /// Which word holds the bit of `number`, and that bit. There are as many words as a power of two, so only low bits count.
    fn place(&self, number: u64) -> (usize, u64) {
        let word = (number / WORD_BITS) as usize & (self.words.len() - 1);
        (word, 1 << (number % WORD_BITS))
    }
}

/// The bits from `low` to `high`, both included and below 64.
fn bits(low: u64, high: u64) -> u64 {
    (u64::MAX << low) & (u64::MAX >> (WORD_BITS - 1 - high))
}

#[cfg(test)]
mod tests {
    use std::collections::BTreeSet;

    use proptest::prelude::*;
    use rand_chacha::ChaCha20Rng;
    use rand_core::{Rng, SeedableRng};

    use super::*;

    fn accepted(numbers: impl IntoIterator<Item = u64>) -> ReplayWindow {
        let mut window = ReplayWindow::new();
        for number in numbers {
            assert!(window.admits(number), "{number} is new");
            window.accept(number);
        }
        window
    }

    // R7.3
    #[test]
    fn each_number_is_accepted_once_in_any_order() {
        let window = accepted([0, 3, 1, 2, 64, 63, 65, 10_000, 9_999]);
        for number in [0, 1, 2, 3, 63, 64, 65, 9_999, 10_000] {
            assert!(!window.admits(number));
        }
        assert!(window.admits(10_001));
    }

    // R7.3
    #[test]
    fn the_window_reaches_back_exactly_as_far_as_it_says() {
        let window = accepted([1_000_000]);
        assert!(window.admits(1_000_000 - (REPLAY_WINDOW - 1)));
        assert!(!window.admits(1_000_000 - REPLAY_WINDOW));
        assert!(!window.admits(0));
    }

    #[test]
    fn a_jump_of_any_width_forgets_what_it_passes() {
        for jump in [
            1,
            63,
            64,
            65,
            REPLAY_WINDOW - 1,
            REPLAY_WINDOW,
            REPLAY_WINDOW + 1,
            1 << 62,
        ] {
            let mut window = accepted(0..REPLAY_WINDOW);
            let number = REPLAY_WINDOW - 1 + jump;
            window.accept(number);
            for older in 1..jump.min(REPLAY_WINDOW) {
                assert!(
                    window.admits(number - older),
                    "{older} below {number} was never seen"
                );
            }
        }
    }

    #[test]
    fn memory_is_for_what_was_not_accepted() {
        let mut window = accepted(0..100_000);
        assert_eq!(window.words.len(), WORDS_MIN, "nothing was left out");
        (100_001..100_256).for_each(|number| window.accept(number));
        assert_eq!(window.words.len(), WORDS_MIN);
        window.accept(100_256);
        assert_eq!(window.words.len(), 2 * WORDS_MIN);
        (100_257..100_000 + REPLAY_WINDOW).for_each(|number| window.accept(number));
        assert!(window.admits(100_000), "however late it comes");
        assert!(!window.admits(99_999) && !window.admits(100_001));
        (100_000 + REPLAY_WINDOW..1_000_000).for_each(|number| window.accept(number));
        assert_eq!(window.reach(), REPLAY_WINDOW);
    }

    #[test]
    fn the_last_number_is_never_accepted() {
        let mut window = ReplayWindow::new();
        assert!(!window.admits(u64::MAX));
        window.accept(u64::MAX - 1);
        assert!(!window.admits(u64::MAX));
        assert!(!window.admits(u64::MAX - 1));
        assert!(window.admits(u64::MAX - 2));
    }

    // P2
    #[test]
    fn it_agrees_with_a_set_for_ten_million_steps() {
        let mut random = ChaCha20Rng::from_seed([2; 32]);
        let (mut window, mut model) = (ReplayWindow::new(), BTreeSet::new());
        let mut highest = 0;
        for step in 0..10_000_000_u32 {
            let number = match random.next_u32() % 1000 {
                // A gap wider than the window, now and then.
                0 => highest + u64::from(random.next_u32() % 20_000),
                1..400 => highest + u64::from(random.next_u32() % 4),
                _ => u64::saturating_sub(highest, u64::from(random.next_u32() % 9_000)),
            };
            let expected = number + REPLAY_WINDOW > highest && !model.contains(&number);
            assert_eq!(window.admits(number), expected, "{number} at step {step}");
            if !expected {
                continue;
            }
            window.accept(number);
            model.insert(number);
            if number > highest {
                highest = number;
                while let Some(oldest) = model.first()
                    && oldest + REPLAY_WINDOW <= highest
                {
                    model.pop_first();
                }
            }
        }
    }

    proptest! {
        // P2, R7.3: the window against a set of everything ever accepted.
        #[test]
        fn it_agrees_with_a_set_of_single_numbers(
            start in prop_oneof![Just(0), Just(u64::MAX - 40_000), any::<u64>()],
            steps in prop::collection::vec((any::<bool>(), 0u64..12_000), 0..300),
        ) {
            let mut window = ReplayWindow::new();
            let mut model = BTreeSet::new();
            let mut highest = start;
            for (upwards, distance) in steps {
                let number = if upwards { highest.saturating_add(distance) } else { highest.saturating_sub(distance) };
                let below = model.last().is_some_and(|last| number < *last && last - number >= REPLAY_WINDOW);
                let expected = number != u64::MAX && !below && !model.contains(&number);
                prop_assert_eq!(window.admits(number), expected);
                if expected {
                    window.accept(number);
                    model.insert(number);
                    highest = highest.max(number);
                }
            }
        }
    }
}
