//! What happened, as one number and, if somebody wants to read along, line by line.

use std::fmt::Display;

use keyway_wire::Time;

/// Folds everything that happens into one number: two runs of a seed must agree in it to the last octet of the last packet.
#[derive(Clone, Debug)]
pub struct Trace {
    hash: u64,
    spoken: bool,
}

impl Trace {
    /// A trace of nothing yet; `spoken` prints each line on standard error as it happens.
    #[must_use]
    pub fn new(spoken: bool) -> Self {
        // FNV-1a's basis and prime (RFC 9923): no secret is at stake, only whether two runs are the same.
        Self {
            hash: 0xcbf2_9ce4_8422_2325,
            spoken,
        }
    }

    /// The number for everything noted so far.
    #[must_use]
    pub fn hash(&self) -> u64 {
        self.hash
    }

    /// Notes something that happened. `line` is asked for only if somebody reads along.
    pub fn note<T: Display>(
        &mut self,
        now: Time,
        facts: &[u64],
        octets: &[u8],
        line: impl FnOnce() -> T,
    ) {
        self.fold(now.as_micros());
        facts.iter().for_each(|fact| self.fold(*fact));
        self.fold(octets.len() as u64);
        let mut words = octets.chunks_exact(8);
        for word in &mut words {
            self.fold(
                word.iter()
                    .fold(0, |sum, octet| sum << 8 | u64::from(*octet)),
            );
        }
        words
            .remainder()
            .iter()
            .for_each(|octet| self.fold(u64::from(*octet)));
        if self.spoken {
            eprintln!("{:>12} {}", now.as_micros(), line());
        }
    }

    fn fold(&mut self, word: u64) {
        self.hash = (self.hash ^ word)
            .wrapping_mul(0x0000_0100_0000_01b3)
            .rotate_left(23);
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn hash(now: u64, facts: &[u64], octets: &[u8]) -> u64 {
        let mut trace = Trace::new(false);
        trace.note(Time::from_micros(now), facts, octets, || "");
        trace.hash()
    }

    #[test]
    fn every_difference_shows() {
        let one = hash(1, &[2, 3], b"0123456789");
        assert_eq!(one, hash(1, &[2, 3], b"0123456789"));
        assert_ne!(one, hash(2, &[2, 3], b"0123456789"));
        assert_ne!(one, hash(1, &[3, 2], b"0123456789"));
        assert_ne!(one, hash(1, &[2, 3], b"0123456788"));
        assert_ne!(one, hash(1, &[2, 3], b"1123456789"));
        assert_ne!(one, hash(1, &[2, 3], b"012345678"));
    }

    #[test]
    fn the_order_shows() {
        let order = |first: u64, second: u64| {
            let mut trace = Trace::new(false);
            trace.note(Time::ZERO, &[first], b"", || "");
            trace.note(Time::ZERO, &[second], b"", || "");
            trace.hash()
        };
        assert_ne!(order(1, 2), order(2, 1));
    }
}
