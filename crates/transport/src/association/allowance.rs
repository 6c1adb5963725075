use keyway_wire::planted::{Fault, planted};

/// How much may be sent to an address that nobody has shown to be the peer's: three times what came from there
/// (RFC 9000, 8).
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct Allowance {
    /// Octets left; `None` without a limit.
    left: Option<u64>,
}

/// RFC 9000, 8.1.
const FACTOR: u64 = 3;

/// What an INIT leaves to be sent where it seemed to come from, after the RESP, which is never larger.
const AFTER_ANSWER: u64 = (FACTOR - 1) * keyway_wire::INIT_LEN as u64;

impl Allowance {
    /// No limit: the address was validated, or this side chose it.
    pub(crate) const UNLIMITED: Self = Self { left: None };

    /// Nothing may be sent until something is received.
    pub(crate) const NOTHING: Self = Self { left: Some(0) };

    /// An INIT came from there and was answered: whoever copies one may write any address as its own.
    pub(crate) const ANSWERED: Self = Self {
        left: Some(AFTER_ANSWER),
    };

    /// What so many octets allow that came from there.
    pub(crate) fn for_received(octets: usize) -> Self {
        let mut allowance = Self::NOTHING;
        allowance.on_received(octets);
        allowance
    }

    /// An authentic packet of that many octets came.
    pub(crate) fn on_received(&mut self, octets: usize) {
        if let Some(left) = &mut self.left {
            *left = left.saturating_add(FACTOR.saturating_mul(octets as u64));
        }
    }

    /// That many octets were sent.
    pub(crate) fn on_sent(&mut self, octets: usize) {
        if let Some(left) = &mut self.left {
            *left = left.saturating_sub(octets as u64);
        }
    }

    /// The address was validated.
    pub(crate) fn lift(&mut self) {
        self.left = None;
    }

    /// Octets that may be sent.
    pub(crate) fn left(&self) -> usize {
        let limited = self.left.filter(|_| !planted(Fault::SkipAddressLimit));
        limited.map_or(usize::MAX, |left| {
            usize::try_from(left).unwrap_or(usize::MAX)
        })
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    // F5, R8.10
    #[test]
    fn three_times_what_came_may_go() {
        let mut allowance = Allowance::NOTHING;
        assert_eq!(allowance.left(), 0);
        allowance.on_received(100);
        allowance.on_sent(250);
        assert_eq!(allowance.left(), 50);
        allowance.on_sent(1200);
        assert_eq!(allowance.left(), 0);
        allowance.lift();
        assert_eq!(allowance.left(), usize::MAX);
    }

    #[test]
    fn no_count_overflows() {
        let mut allowance = Allowance::NOTHING;
        allowance.on_received(usize::MAX);
        allowance.on_received(usize::MAX);
        assert_eq!(allowance.left(), usize::MAX);
    }
}
