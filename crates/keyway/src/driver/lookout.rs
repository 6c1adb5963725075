//! Looking out for an answer, for a moment, before going to sleep.
//!
//! A task that sleeps is woken by the kernel, the runtime and perhaps another core: some 30 us, which is most of a round trip within
//! a machine or a rack. So after a question (one packet that asks for an answer, with nothing behind it) the driver goes on looking at
//! its sockets for about as long as that takes. It gets used to answers that come later than that: then it looks out seldom, and a
//! distant peer costs next to nothing.

use std::time::Duration;

/// How long one look lasts: as long as being woken takes.
pub(super) const LOOK: Duration = Duration::from_micros(50);

/// Good looks that are remembered. As many in vain make the driver sleep again.
const CREDIT_MAX: u32 = 16;
/// A look in vain costs as much as this many good ones earn: it costs a core 50 us, and saves nobody anything.
const PRICE: u32 = 2;
/// Of so many questions without credit, one is looked out for: peers come closer too. It costs below a microsecond for each.
const SELDOM: u32 = 64;

/// Whether to look out.
#[derive(Debug)]
pub(super) struct Lookout {
    enabled: bool,
    /// The last thing that was sent asked for an answer.
    asked: bool,
    /// Some task of the application was woken, and is to have its turn first.
    woken: bool,
    credit: u32,
    /// Questions without credit.
    passed: u32,
}

impl Lookout {
    pub(super) const fn new(enabled: bool) -> Self {
        Self {
            enabled,
            asked: false,
            woken: false,
            credit: 0,
            passed: 0,
        }
    }

    /// The driver begins a turn.
    pub(super) const fn begin(&mut self) {
        self.asked = false;
        self.woken = false;
    }

    /// Something was sent.
    pub(super) const fn on_sent(&mut self, asks: bool) {
        self.asked = asks;
    }

    /// The application got something to do.
    pub(super) const fn on_woken(&mut self) {
        self.woken = true;
    }

    /// Whether to look out now, instead of going to sleep.
    pub(super) const fn is_worth_it(&mut self) -> bool {
        if !self.enabled || !self.asked || self.woken {
            return false;
        }
        if self.credit >= PRICE {
            return true;
        }
        self.passed = (self.passed + 1) % SELDOM;
        self.passed == 0
    }

    /// A look has ended, with something in sight or not.
    pub(super) fn on_looked(&mut self, found: bool) {
        self.credit = if found {
            (self.credit + 1).min(CREDIT_MAX)
        } else {
            self.credit.saturating_sub(PRICE)
        };
        // Whatever was found is no answer to the next look.
        self.asked &= found;
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    /// How many of so many questions are looked out for, if answers come in time or not.
    fn looks(lookout: &mut Lookout, questions: usize, in_time: bool) -> usize {
        let mut looks = 0;
        for _ in 0..questions {
            lookout.begin();
            lookout.on_sent(true);
            if lookout.is_worth_it() {
                lookout.on_looked(in_time);
                looks += 1;
            }
        }
        looks
    }

    #[test]
    fn answers_that_come_soon_are_looked_out_for_and_others_seldom() {
        let mut lookout = Lookout::new(true);
        assert!(looks(&mut lookout, 10_000, false) <= 10_000 / 64 + 1);
        assert!(looks(&mut lookout, 1_000, true) >= 1_000 - 3 * 64);
        assert!(looks(&mut lookout, 10_000, false) <= 10_000 / 64 + 10);
    }

    #[test]
    fn nobody_looks_out_without_a_question_nor_before_the_application_had_its_turn() {
        let mut lookout = Lookout::new(true);
        looks(&mut lookout, 1_000, true);
        lookout.begin();
        assert!(!lookout.is_worth_it());
        lookout.on_sent(true);
        lookout.on_sent(false);
        assert!(!lookout.is_worth_it(), "a bulk transfer went out behind it");
        lookout.on_sent(true);
        lookout.on_woken();
        assert!(!lookout.is_worth_it());
    }

    #[test]
    fn it_can_be_switched_off() {
        assert_eq!(looks(&mut Lookout::new(false), 1_000, true), 0);
    }
}
