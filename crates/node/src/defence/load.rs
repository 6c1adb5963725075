//! Whether more is asked of this node than it wants to give.

use keyway_rendezvous::Rate;
use keyway_wire::Time;
use tracing::info;

/// How far the demand is ahead of the rate that the node is willing to serve, measured in the time that serving it would take.
///
/// Under load from the moment at which a whole burst more is asked for than the rate allows, until the demand has let the
/// backlog drain completely. What counts is what was asked for, not what was done: cookies keep the work small, and must not
/// make the load look gone. The backlog is bounded by two bursts, so that calm is recognized within the time of two.
#[derive(Debug)]
pub(crate) struct Load {
    rate: Rate,
    /// When the backlog is worked off.
    drained_at: Time,
    is_on: bool,
}

impl Load {
    pub(crate) fn new(rate: Rate) -> Self {
        Self {
            rate,
            drained_at: Time::ZERO,
            is_on: false,
        }
    }

    /// Another INIT asks for work. True while under load.
    pub(crate) fn on_init(&mut self, now: Time) -> bool {
        let start = self.drained_at.max(now);
        self.calm_down(now);
        self.drained_at = (start + self.rate.interval()).min(now + self.ceiling());
        if self.drained_at.saturating_since(now) > self.rate.fills_within() {
            self.rise();
        }
        self.is_on
    }

    /// There is too much of something else that handshakes cause.
    pub(crate) fn raise(&mut self, now: Time) {
        self.drained_at = now + self.ceiling();
        self.rise();
    }

    fn ceiling(&self) -> std::time::Duration {
        self.rate.fills_within().saturating_mul(2)
    }

    fn rise(&mut self) {
        if !self.is_on {
            self.is_on = true;
            info!("too many handshakes: asking for cookies");
        }
    }

    fn calm_down(&mut self, now: Time) {
        if self.is_on && self.drained_at <= now {
            self.is_on = false;
            info!("handshakes are back to normal");
        }
    }
}

#[cfg(test)]
mod tests {
    use std::time::Duration;

    use super::*;

    fn at(millis: u64) -> Time {
        Time::from_micros(millis * 1000)
    }

    fn load() -> Load {
        Load::new(Rate::new(500, 500))
    }

    /// Asks so many times in a second, for some milliseconds; true if the node was under load at the end.
    fn ask(load: &mut Load, from: u64, to: u64, per_second: u64) -> bool {
        let count = (to - from) * per_second / 1000;
        (0..count).fold(false, |_, number| {
            load.on_init(at(from) + Duration::from_micros(number * 1_000_000 / per_second))
        })
    }

    #[test]
    fn what_the_rate_allows_is_no_load_for_however_long() {
        let mut load = load();
        assert!(!ask(&mut load, 0, 100_000, 499));
        assert!(!ask(&mut load, 200_000, 200_900, 550));
    }

    // F2
    #[test]
    fn a_flood_is_recognized_within_a_second_and_its_end_within_three() {
        let mut load = load();
        assert!(ask(&mut load, 0, 100, 10_000));
        assert!(ask(&mut load, 100, 30_000, 10_000));
        assert!(load.on_init(at(31_000)));
        assert!(!load.on_init(at(33_000)));
    }

    #[test]
    fn a_demand_just_below_the_rate_does_not_end_the_load_and_one_well_below_does() {
        let mut load = load();
        assert!(ask(&mut load, 0, 1000, 10_000));
        assert!(ask(&mut load, 1000, 3000, 490), "it does not flap");
        assert!(!ask(&mut load, 3000, 7000, 100));
    }
}
