//! One flow over a link with hardly any queue.

use std::time::Duration;

use super::Report;
use crate::bottleneck::{Bottleneck, PACKET, links, real};
use crate::failure::Failure;
use crate::random::Random;
use crate::topology::Run;

/// 50 Mbit/s, in octets a second.
const RATE: u64 = 6_250_000;

/// Full packets that may wait for the link.
const QUEUE_PACKETS: u64 = 10;

/// Slow start, and what it lost, is over by then.
const START: Duration = Duration::from_secs(10);

const WATCHED: Duration = Duration::from_secs(30);

/// The most packets of so many that may find the queue full. CUBIC goes on until a packet is lost, every few seconds on such a
/// path, and loses one or two then: these are what is left. A burst of all that an acknowledgement allows would lose some with
/// each of them.
const LOST_MAX: f64 = 1.0 / 4_000.0;

/// The share of the link that has to be used. After each loss CUBIC is at 70 % of what the path and its queue hold.
const SHARE_MIN: f64 = 0.8;

pub(super) fn check(run: Run) -> Result<Report, Failure> {
    let mut random = Random::new(run.seed);
    let round_trip = Duration::from_millis(20) + random.up_to(Duration::from_millis(80));
    let (forth, back) = links(RATE, QUEUE_PACKETS * PACKET, round_trip);
    let mut bottleneck = Bottleneck::new(run, 1, forth, back);
    bottleneck.start(0);
    bottleneck.run_for(START)?;
    let (sent, lost) = (bottleneck.sent(), bottleneck.overflows());
    let goodput: f64 = bottleneck.goodput(WATCHED)?.iter().sum();
    let (sent, lost) = (bottleneck.sent() - sent, bottleneck.overflows() - lost);
    let share = goodput / real(RATE);
    let facts = format!(
        "round trip of {} ms: {lost} of {sent} packets found the queue full, {:.1} % of the link is used",
        round_trip.as_millis(),
        share * 100.0
    );
    let holds = real(lost) <= real(sent) * LOST_MAX && share >= SHARE_MIN;
    bottleneck.conclude(holds, facts)
}
