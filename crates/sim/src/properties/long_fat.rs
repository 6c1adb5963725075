//! One flow over a long fat path.

use std::time::Duration;

use super::Report;
use crate::bottleneck::{Bottleneck, links, real};
use crate::failure::Failure;
use crate::link::octets_in;
use crate::random::Random;
use crate::topology::Run;

/// 1 Gbit/s, in octets a second.
const RATE: u64 = 125_000_000;

const ROUND_TRIP: Duration = Duration::from_millis(100);

/// So much time passes before anything is asked of the flow, and for so long it is watched then.
const START: Duration = Duration::from_secs(5);
const WATCHED: Duration = Duration::from_secs(2);

/// The share of the link that the application's octets have to take. Headers and tags alone are 3 % of it.
const SHARE_MIN: f64 = 0.9;

pub(super) fn check(run: Run) -> Result<Report, Failure> {
    // Routers of fast links hold a quarter of what is in flight when the link is full, others up to all of it.
    let in_flight = octets_in(ROUND_TRIP, RATE);
    let queue = in_flight / 4 + Random::new(run.seed).below(in_flight * 3 / 4);
    let (forth, back) = links(RATE, queue, ROUND_TRIP);
    let mut bottleneck = Bottleneck::new(run, 1, forth, back);
    bottleneck.start(0);
    bottleneck.run_for(START)?;
    let goodput: f64 = bottleneck.goodput(WATCHED)?.iter().sum();
    let share = goodput / real(RATE);
    let facts = format!(
        "{:.1} % of the link is used, with a queue of {} KB",
        share * 100.0,
        queue / 1_000
    );
    bottleneck.conclude(share >= SHARE_MIN, facts)
}
