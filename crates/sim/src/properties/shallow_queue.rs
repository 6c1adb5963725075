//! One flow over a link with hardly any queue.

use std::time::Duration;

use super::Report;
use crate::bottleneck::{Bottleneck, PACKET, links, real};
use crate::failure::Failure;
use crate::link::LinkConfig;
use crate::random::Random;
use crate::topology::Run;

/// 50 Mbit/s, in octets a second.
const RATE: u64 = 6_250_000;

/// Full packets that may wait for the link.
const QUEUE_PACKETS: u64 = 10;

/// The receiver acknowledges two packets at a time, which spaces those that follow whatever the sender does. In every other run
/// acknowledgements wait for one another on their way, for as long as this at most, and arrive in clumps that stand for up to forty
/// packets.
const CLUMPING: Duration = Duration::from_millis(10);

/// Slow start, and what it lost, is over by then.
const START: Duration = Duration::from_secs(10);

const WATCHED: Duration = Duration::from_secs(30);

/// The most packets of so many that may find the queue full. CUBIC goes on until a packet is lost, every few seconds on such a
/// path, and loses one or two then: these are what is left. A burst of all that a clump allows would lose one in 200.
const LOST_MAX: f64 = 1.0 / 2_000.0;

/// The share of the link that has to be used: after each loss CUBIC is at 70 % of what the path and its queue hold. Where
/// acknowledgements come in clumps, some packets of each have to wait for one another, and the queue is full that much earlier; a sender
/// that does not pace is left with 15 %.
const SHARE_MIN: f64 = 0.8;
const SHARE_MIN_CLUMPING: f64 = 0.6;

pub(super) fn check(run: Run) -> Result<Report, Failure> {
    let mut random = Random::new(run.seed);
    let round_trip = Duration::from_millis(20) + random.up_to(Duration::from_millis(80));
    let (forth, back) = links(RATE, QUEUE_PACKETS * PACKET, round_trip);
    let (jitter, share_min) = if run.seed.is_multiple_of(2) {
        (Duration::ZERO, SHARE_MIN)
    } else {
        (CLUMPING, SHARE_MIN_CLUMPING)
    };
    let back = LinkConfig { jitter, ..back };
    let mut bottleneck = Bottleneck::new(run, 1, forth, back);
    bottleneck.start(0);
    bottleneck.run_for(START)?;
    let (sent, lost) = (bottleneck.sent(), bottleneck.overflows());
    let goodput: f64 = bottleneck.goodput(WATCHED)?.iter().sum();
    let (sent, lost) = (bottleneck.sent() - sent, bottleneck.overflows() - lost);
    let share = goodput / real(RATE);
    let facts = format!(
        "round trip of {} ms, acknowledgements in clumps of {} ms: {lost} of {sent} packets found the queue full, {:.1} % of the link is used",
        round_trip.as_millis(),
        jitter.as_millis(),
        share * 100.0
    );
    let holds = real(lost) <= real(sent) * LOST_MAX && share >= share_min;
    bottleneck.conclude(holds, facts)
}
