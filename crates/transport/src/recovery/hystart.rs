//! HyStart++ (RFC 9406): leaves the first slow start when the round trip grows, before packets are lost.

use std::time::Duration;

/// Growth of the round trip that counts, as a share of it, and the bounds of that (RFC 9406, 4.3).
const MIN_RTT_DIVISOR: u32 = 8;
const MIN_RTT_THRESHOLD: Duration = Duration::from_millis(4);
const MAX_RTT_THRESHOLD: Duration = Duration::from_millis(16);

/// Samples that a round needs before it is judged. RFC 9406, 4.3 says 8, for one acknowledgement per two packets. Here a
/// peer acknowledges four times a round trip on paths that carry less than some hundred packets a round, so 8 would
/// never be reached; a wrong judgement is taken back by conservative slow start.
const SAMPLES: u32 = 4;

/// Conservative slow start grows slower by this, and lasts this many rounds (RFC 9406, 4.3).
const CSS_GROWTH_DIVISOR: f64 = 4.0;
const CSS_ROUNDS: u32 = 5;

/// Conservative slow start: the round trip grew, but perhaps by chance.
#[derive(Clone, Copy, Debug)]
struct Conservative {
    /// The round trip with which it began; when it falls below, the alarm was false.
    baseline: Duration,
    rounds: u32,
}

/// The judge of the first slow start. Later ones end at a threshold that is known.
#[derive(Clone, Copy, Debug, Default)]
pub(crate) struct HyStart {
    round_min: Option<Duration>,
    last_round_min: Option<Duration>,
    samples: u32,
    conservative: Option<Conservative>,
}

impl HyStart {
    /// A round trip has passed. Returns whether slow start is over.
    pub(crate) fn on_round(&mut self) -> bool {
        self.last_round_min = self.round_min.take();
        self.samples = 0;
        let Some(conservative) = &mut self.conservative else {
            return false;
        };
        conservative.rounds += 1;
        conservative.rounds >= CSS_ROUNDS
    }

    /// Takes a round-trip sample without the peer's delay.
    pub(crate) fn on_sample(&mut self, sample: Duration) {
        let round_min = self.round_min.map_or(sample, |min| min.min(sample));
        self.round_min = Some(round_min);
        self.samples += 1;
        if self.samples < SAMPLES {
            return;
        }
        match (&self.conservative, self.last_round_min) {
            (Some(conservative), _) if round_min < conservative.baseline => {
                self.conservative = None
            }
            (None, Some(last)) => {
                let threshold =
                    (last / MIN_RTT_DIVISOR).clamp(MIN_RTT_THRESHOLD, MAX_RTT_THRESHOLD);
                if round_min >= last + threshold {
                    self.conservative = Some(Conservative {
                        baseline: round_min,
                        rounds: 0,
                    });
                }
            }
            (Some(_), _) | (None, None) => {}
        }
    }

    /// By how many octets the window grows for that many acknowledged ones. There is no limit per acknowledgement, since
    /// sending is paced (RFC 9406, 4.3: L = infinity).
    pub(crate) fn growth(&self, octets: f64) -> f64 {
        if self.conservative.is_some() {
            octets / CSS_GROWTH_DIVISOR
        } else {
            octets
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const MS: Duration = Duration::from_millis(1);

    fn round(hystart: &mut HyStart, rtt: Duration) -> bool {
        for _ in 0..SAMPLES {
            hystart.on_sample(rtt);
        }
        hystart.on_round()
    }

    #[test]
    fn a_round_trip_that_grows_by_an_eighth_slows_the_start() {
        // RFC 9406, 4.2.
        let mut hystart = HyStart::default();
        round(&mut hystart, 80 * MS);
        round(&mut hystart, 89 * MS);
        assert_eq!(hystart.growth(1_000.0), 1_000.0);
        round(&mut hystart, 101 * MS);
        assert_eq!(hystart.growth(1_000.0), 250.0);
    }

    #[test]
    fn small_and_large_growth_is_judged_by_absolute_bounds() {
        // RFC 9406, 4.3: 4 ms and 16 ms.
        let mut short = HyStart::default();
        round(&mut short, 2 * MS);
        round(&mut short, 5 * MS);
        assert_eq!(short.growth(1_000.0), 1_000.0);
        let mut long = HyStart::default();
        round(&mut long, 400 * MS);
        round(&mut long, 416 * MS);
        assert_eq!(long.growth(1_000.0), 250.0);
    }

    #[test]
    fn conservative_slow_start_ends_after_five_rounds() {
        // RFC 9406, 4.2.
        let mut hystart = HyStart::default();
        round(&mut hystart, 80 * MS);
        let rounds: Vec<bool> = (0..5).map(|_| round(&mut hystart, 100 * MS)).collect();
        assert_eq!(rounds, [false, false, false, false, true]);
    }

    #[test]
    fn a_false_alarm_resumes_slow_start() {
        // RFC 9406, 4.2: jitter is not a queue.
        let mut hystart = HyStart::default();
        round(&mut hystart, 80 * MS);
        round(&mut hystart, 100 * MS);
        assert_eq!(hystart.growth(1_000.0), 250.0);
        round(&mut hystart, 80 * MS);
        assert_eq!(hystart.growth(1_000.0), 1_000.0);
    }

    #[test]
    fn a_round_of_few_samples_is_not_judged() {
        let mut hystart = HyStart::default();
        round(&mut hystart, 80 * MS);
        for _ in 1..SAMPLES {
            hystart.on_sample(200 * MS);
        }
        assert_eq!(hystart.growth(1_000.0), 1_000.0);
    }
}
