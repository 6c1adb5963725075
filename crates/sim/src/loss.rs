//! Which packets are lost: each by itself, or in bursts.

use crate::random::{Chance, Random};

/// How a link loses packets.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum Loss {
    /// It loses none.
    #[default]
    None,
    /// It loses each packet with the same chance, whatever became of the one before.
    Independent(Chance),
    /// The same, but never more than so many in a row: what the QUIC interop runner calls a burst.
    AtMost {
        /// The chance of each packet.
        chance: Chance,
        /// How many may be lost in a row.
        in_a_row: u32,
    },
    /// It loses packets in bursts, as radio does (Gilbert–Elliott: one good state and one bad).
    Bursts {
        /// The chance that a packet finds the link going bad.
        begin: Chance,
        /// The chance that a packet finds the bad link recovering. A burst lasts 1/`end` packets on average.
        end: Chance,
        /// The chance to be lost for a packet in a burst; outside of bursts none is.
        within: Chance,
    },
}

/// Decides about one packet after the other.
#[derive(Clone, Debug, Default)]
pub(crate) struct LossState {
    bad: bool,
    in_a_row: u32,
}

impl LossState {
    pub(crate) fn is_lost(&mut self, loss: Loss, random: &mut Random) -> bool {
        match loss {
            Loss::None => false,
            Loss::Independent(chance) => random.happens(chance),
            Loss::AtMost { chance, in_a_row } => {
                let is_lost = self.in_a_row < in_a_row && random.happens(chance);
                self.in_a_row = if is_lost { self.in_a_row + 1 } else { 0 };
                is_lost
            }
            Loss::Bursts { begin, end, within } => {
                let turns = if self.bad { end } else { begin };
                if random.happens(turns) {
                    self.bad = !self.bad;
                }
                self.bad && random.happens(within)
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    /// The fates of many packets: true for a lost one.
    fn fates(loss: Loss) -> Vec<bool> {
        let mut random = Random::new(11);
        let mut state = LossState::default();
        (0..100_000)
            .map(|_| state.is_lost(loss, &mut random))
            .collect()
    }

    fn lost(fates: &[bool]) -> usize {
        fates.iter().filter(|lost| **lost).count()
    }

    /// How often a loss is followed by another one.
    fn pairs(fates: &[bool]) -> usize {
        fates.windows(2).filter(|pair| pair[0] && pair[1]).count()
    }

    #[test]
    fn independent_loss_has_its_rate_and_no_memory() {
        let fates = fates(Loss::Independent(Chance::percent(5)));
        assert!((4_700..5_300).contains(&lost(&fates)), "{}", lost(&fates));
        assert!((180..320).contains(&pairs(&fates)), "{}", pairs(&fates));
    }

    #[test]
    fn bursts_have_their_rate_and_stick_together() {
        // Bad for 1/0.2 = 5 packets after every 1/0.01 = 100 good ones: a share of 0.01/0.21, all of them lost.
        let fates = fates(Loss::Bursts {
            begin: Chance::percent(1),
            end: Chance::percent(20),
            within: Chance::ALWAYS,
        });
        assert!((4_200..5_300).contains(&lost(&fates)), "{}", lost(&fates));
        // Four of five lost packets are followed by a lost one.
        assert!(pairs(&fates) * 10 > lost(&fates) * 7, "{}", pairs(&fates));
    }

    #[test]
    fn losses_in_a_row_have_their_limit() {
        let chance = Chance::percent(30);
        let fates = fates(Loss::AtMost {
            chance,
            in_a_row: 3,
        });
        let longest = fates.split(|lost| !lost).map(<[bool]>::len).max();
        assert_eq!(longest, Some(3));
        assert!((28_000..31_000).contains(&lost(&fates)), "{}", lost(&fates));
    }

    #[test]
    fn a_link_without_loss_loses_nothing() {
        assert_eq!(lost(&fates(Loss::None)), 0);
    }
}
