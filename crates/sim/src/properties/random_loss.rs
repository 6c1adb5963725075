//! One flow over a link that loses and reorders packets at random.

use std::time::Duration;

use super::Report;
use crate::bottleneck::{Bottleneck, PACKET, links, real};
use crate::failure::Failure;
use crate::link::LinkConfig;
use crate::loss::Loss;
use crate::random::{Chance, Random};
use crate::topology::Run;

/// 100 Mbit/s, in octets a second, and what may wait for the link.
const RATE: u64 = 12_500_000;
const QUEUE: u64 = 1_000_000;

/// Packets of a million that are lost: 0.1 to 3 %.
const LOSSES: [u32; 4] = [1_000, 3_000, 10_000, 30_000];

/// Of the others, so many are held back, for a quarter of the round trip at most.
const REORDERED: Chance = Chance::percent(1);

const START: Duration = Duration::from_secs(5);
const WATCHED: Duration = Duration::from_secs(60);

/// The share of what the equation says that has to arrive. It knows neither the time that acknowledgements are held back, some 6 % of
/// the round trip, nor probe timeouts, of which there are several a minute at 3 %, nor headers; and a minute of a long round
/// trip has so few losses that chance moves it by a tenth.
const SHARE_MIN: f64 = 0.7;

pub(super) fn check(run: Run) -> Result<Report, Failure> {
    let mut random = Random::new(run.seed);
    let round_trip = Duration::from_millis(10) + random.up_to(Duration::from_millis(140));
    let lost = LOSSES[random.index(LOSSES.len())];
    let (forth, back) = links(RATE, QUEUE, round_trip);
    let forth = LinkConfig {
        loss: Loss::Independent(Chance::millionths(lost)),
        reorder: REORDERED,
        reorder_delay: round_trip / 4,
        ..forth
    };
    let mut bottleneck = Bottleneck::new(run, 1, forth, back);
    bottleneck.start(0);
    bottleneck.run_for(START)?;
    let goodput: f64 = bottleneck.goodput(WATCHED)?.iter().sum();
    let share = goodput / predicted(f64::from(lost) / 1e6, round_trip);
    let facts = format!(
        "round trip of {} ms, {} % lost: {:.2} Mbit/s, {share:.2} times what the equation says",
        round_trip.as_millis(),
        f64::from(lost) / 1e4,
        goodput * 8e-6
    );
    bottleneck.conclude(share >= SHARE_MIN, facts)
}

/// Octets a second that get through where packets are lost with a probability of `loss`: by CUBIC's response function with C = 0.4
/// and beta = 0.7 (RFC 9438, 5.1), or by Reno's where that is more, as in the Reno-friendly region (4.3); and never more than
/// the link carries.
fn predicted(loss: f64, round_trip: Duration) -> f64 {
    let seconds = round_trip.as_secs_f64();
    let cubic = 1.054 * (seconds / loss).powf(0.75);
    let reno = (1.5 / loss).sqrt();
    (cubic.max(reno) * real(PACKET) / seconds).min(real(RATE))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_equation_gives_what_the_tables_of_the_rfc_say() {
        // RFC 9438, 5.2, tables 1 and 2: windows in packets at a round trip of 100 ms and of 10 ms.
        let window = |loss, millis| {
            let round_trip = Duration::from_millis(millis);
            predicted(loss, round_trip) * round_trip.as_secs_f64() / real(PACKET)
        };
        for (loss, millis, packets) in [
            (1e-2, 100, 12.0),
            (1e-3, 100, 38.0),
            (1e-4, 100, 187.0),
            (1e-3, 10, 38.0),
        ] {
            let window = window(loss, millis);
            assert!((window / packets - 1.0).abs() < 0.05, "{window} at {loss}");
        }
    }
}
