use std::convert::Infallible;

use rand_chacha::ChaCha20Rng;
use rand_core::{Rng, SeedableRng, TryRng};

/// The octets that ChaCha20 (RFC 8439) makes of a seed which nobody else has.
///
/// A generator keeps 256 octets at hand. What an association draws are the data of a challenge now and then, and a number to
/// leave out every few hundred packets: it keeps the seed and how far it has come, and sets a generator up for each.
pub(crate) struct Randomness {
    seed: [u8; 32],
    /// Words of 4 octets that were drawn.
    drawn: u64,
}

impl Randomness {
    pub(crate) fn new(seed: [u8; 32]) -> Self {
        Self { seed, drawn: 0 }
    }

    fn draw<const LENGTH: usize>(&mut self) -> [u8; LENGTH] {
        let mut octets = [0; LENGTH];
        self.fill(&mut octets);
        octets
    }

    fn fill(&mut self, octets: &mut [u8]) {
        let mut generator = ChaCha20Rng::from_seed(self.seed);
        generator.set_word_pos(self.drawn.into());
        generator.fill_bytes(octets);
        self.drawn = self.drawn.wrapping_add(octets.len().div_ceil(4) as u64);
    }
}

impl TryRng for Randomness {
    type Error = Infallible;

    fn try_next_u32(&mut self) -> Result<u32, Infallible> {
        Ok(u32::from_le_bytes(self.draw()))
    }

    fn try_next_u64(&mut self) -> Result<u64, Infallible> {
        Ok(u64::from_le_bytes(self.draw()))
    }

    fn try_fill_bytes(&mut self, octets: &mut [u8]) -> Result<(), Infallible> {
        self.fill(octets);
        Ok(())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn it_yields_what_a_generator_does_that_is_kept() {
        let (mut randomness, mut kept) =
            (Randomness::new([7; 32]), ChaCha20Rng::from_seed([7; 32]));
        for _ in 0..100 {
            let (mut here, mut there) = ([0; 8], [0; 8]);
            randomness.fill_bytes(&mut here);
            kept.fill_bytes(&mut there);
            assert_eq!(here, there);
            assert_eq!(randomness.next_u64(), kept.next_u64());
            assert_eq!(randomness.next_u32(), kept.next_u32());
        }
    }
}
