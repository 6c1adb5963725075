//! Packet numbers left out on purpose, so that a peer that acknowledges what it did not receive gives itself away
//! (RFC 9000, 21.4).

use std::ops::RangeInclusive;

use rand_core::Rng;

/// Numbers used between two that are left out: a random count in `GAP_MIN..GAP_MIN + GAP_SPREAD`. Chosen because it
/// catches a peer that inflates the window within a few round trips of slow start, while an honest one sends one
/// needless acknowledgement (for the gap) in some 200 packets.
const GAP_MIN: u64 = 64;
const GAP_SPREAD: u64 = 256;

/// Numbers left out that are remembered: those of the last few hundred packets at least. An acknowledgement for earlier
/// ones gains nothing, because everything about them is settled.
const REMEMBERED: usize = 8;

/// The peer acknowledged a packet that it cannot have received: one never sent, or one left out on purpose.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
#[error("packet {number} was acknowledged but never sent")]
pub(crate) struct OptimisticAck {
    /// The number that gave it away.
    pub(crate) number: u64,
}

/// Chooses packet numbers.
#[derive(Debug)]
pub(crate) struct Numbers {
    next: u64,
    /// The number to leave out next, once drawn.
    skip_at: Option<u64>,
    /// Numbers left out, a ring; unused places hold a number that cannot be.
    skipped: [u64; REMEMBERED],
    oldest: usize,
}

impl Numbers {
    pub(crate) fn new() -> Self {
        Self {
            next: 0,
            skip_at: None,
            skipped: [u64::MAX; REMEMBERED],
            oldest: 0,
        }
    }

    /// The number for the next packet; the same until [`used`](Self::used) is called.
    pub(crate) fn next(&mut self, random: &mut (impl Rng + ?Sized)) -> u64 {
        let skip_at = *self.skip_at.get_or_insert_with(|| self.next + gap(random));
        if self.next == skip_at {
            self.skipped[self.oldest] = skip_at;
            self.oldest = (self.oldest + 1) % REMEMBERED;
            self.next += 1;
            self.skip_at = Some(self.next + gap(random));
        }
        self.next
    }

    /// Notes that a packet with this number left.
    pub(crate) fn used(&mut self, number: u64) {
        self.next = number + 1;
    }

    /// Checks that an acknowledged range names only numbers that were sent.
    pub(crate) fn check(&self, acknowledged: &RangeInclusive<u64>) -> Result<(), OptimisticAck> {
        if *acknowledged.end() >= self.next {
            return Err(OptimisticAck {
                number: *acknowledged.end(),
            });
        }
        match self
            .skipped
            .iter()
            .find(|number| acknowledged.contains(number))
        {
            Some(&number) => Err(OptimisticAck { number }),
            None => Ok(()),
        }
    }
}

fn gap(random: &mut (impl Rng + ?Sized)) -> u64 {
    GAP_MIN + random.next_u64() % GAP_SPREAD
}

#[cfg(test)]
mod tests {
    use rand_chacha::ChaCha8Rng;
    use rand_core::SeedableRng;

    use super::*;

    fn random() -> ChaCha8Rng {
        ChaCha8Rng::seed_from_u64(7)
    }

    /// Uses `count` numbers, and returns those left out among them.
    fn draw(numbers: &mut Numbers, count: u64, random: &mut ChaCha8Rng) -> Vec<u64> {
        let mut skipped = Vec::new();
        for _ in 0..count {
            let expected = numbers.next;
            let number = numbers.next(random);
            skipped.extend(expected..number);
            numbers.used(number);
        }
        skipped
    }

    #[test]
    fn a_number_stays_the_same_until_it_is_used() {
        let (mut numbers, mut random) = (Numbers::new(), random());
        for _ in 0..2_000 {
            let number = numbers.next(&mut random);
            assert_eq!(numbers.next(&mut random), number);
            numbers.used(number);
        }
    }

    // R8.23
    #[test]
    fn a_number_is_left_out_now_and_then() {
        let (mut numbers, mut random) = (Numbers::new(), random());
        let skipped = draw(&mut numbers, 10_000, &mut random);
        assert!((30..160).contains(&skipped.len()), "{}", skipped.len());
        let gaps: Vec<u64> = skipped.windows(2).map(|pair| pair[1] - pair[0]).collect();
        assert!(
            gaps.iter().any(|gap| *gap != gaps[0]),
            "the peer must not be able to guess the next"
        );
    }

    // R6.7
    #[test]
    fn an_acknowledgement_of_a_number_left_out_is_refused() {
        // RFC 9000, 21.4.
        let (mut numbers, mut random) = (Numbers::new(), random());
        let skipped = draw(&mut numbers, 1_000, &mut random);
        let last = *skipped.last().unwrap();
        assert_eq!(
            numbers.check(&(last..=last)),
            Err(OptimisticAck { number: last })
        );
        assert_eq!(
            numbers.check(&(last - 3..=last + 3)),
            Err(OptimisticAck { number: last })
        );
        assert_eq!(numbers.check(&(last + 1..=numbers.next - 1)), Ok(()));
    }

    // R6.7
    #[test]
    fn an_acknowledgement_of_a_number_never_sent_is_refused() {
        // RFC 9000, 13.1.
        let mut numbers = Numbers::new();
        assert_eq!(numbers.check(&(0..=0)), Err(OptimisticAck { number: 0 }));
        numbers.used(0);
        assert_eq!(numbers.check(&(0..=0)), Ok(()));
        assert_eq!(
            numbers.check(&(0..=u64::MAX)),
            Err(OptimisticAck { number: u64::MAX })
        );
    }
}
