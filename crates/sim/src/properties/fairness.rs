//! Two flows over one link.

use std::time::Duration;

use super::Report;
use crate::bottleneck::{Bottleneck, links, real};
use crate::failure::Failure;
use crate::link::octets_in;
use crate::random::Random;
use crate::topology::Run;

/// 20 Mbit/s, in octets a second.
const RATE: u64 = 2_500_000;

/// The second flow begins this much later at most, and finds the link full then. CUBIC moves the shares by what a flow yields in one
/// of its cycles (RFC 9438, 5.3). They last a few seconds here; at 50 Mbit/s and 100 ms they last ten, and such a flow has a third
/// after half a minute.
const LATER_MAX: Duration = Duration::from_secs(1);

/// Both slow starts are over by then.
const START: Duration = Duration::from_secs(5);

/// For so long the shares are watched.
const WATCHED: Duration = Duration::from_secs(30);

/// The least that one of the two has to have of what both have.
const SHARE_MIN: f64 = 0.4;

/// What both together have to have of the link.
const USED_MIN: f64 = 0.9;

pub(super) fn check(run: Run) -> Result<Report, Failure> {
    let mut random = Random::new(run.seed);
    let round_trip = Duration::from_millis(10) + random.up_to(Duration::from_millis(20));
    // From half of what is in flight when the link is full to half as much again.
    let in_flight = octets_in(round_trip, RATE);
    let queue = in_flight / 2 + random.below(in_flight);
    let (forth, back) = links(RATE, queue, round_trip);
    let mut bottleneck = Bottleneck::new(run, 2, forth, back);
    bottleneck.start(0);
    bottleneck.run_for(random.up_to(LATER_MAX))?;
    bottleneck.start(1);
    bottleneck.run_for(START)?;
    let goodput = bottleneck.goodput(WATCHED)?;
    let both: f64 = goodput.iter().sum();
    let less = goodput.iter().copied().fold(f64::INFINITY, f64::min);
    let (share, used) = (less / both, both / real(RATE));
    let facts = format!(
        "round trip of {} ms, queue of {} KB: the slower flow has {:.1} %, both use {:.1} % of the link",
        round_trip.as_millis(),
        queue / 1_000,
        share * 100.0,
        used * 100.0
    );
    let holds = goodput.len() == 2 && share >= SHARE_MIN && used >= USED_MIN;
    bottleneck.conclude(holds, facts)
}
