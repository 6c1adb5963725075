//! A transfer over links that get worse from rung to rung, from a good wireless network to one that hardly is one.

use std::time::Duration;

use keyway_node::Config;

use super::{Report, exchange, report};
use crate::failure::Failure;
use crate::link::LinkConfig;
use crate::loss::Loss;
use crate::random::Chance;
use crate::topology::{Layout, Meeting, Run, all_done};

/// Links at one height, the same in both directions.
struct Rung {
    /// What such a link is like.
    name: &'static str,
    delay_ms: u64,
    jitter_ms: u64,
    /// Of a thousand packets, those that are lost.
    loss: u32,
    /// How many are lost in a row, on average.
    burst: u32,
    /// Of a thousand packets, those that are overtaken, doubled, and damaged.
    reorder: u32,
    duplicate: u32,
    corrupt: u32,
    /// Bits that pass in a millisecond, which is as many thousands in a second.
    rate: u64,
    /// The longest UDP payload.
    mtu: usize,
    /// Octets to transfer each way.
    length: u64,
}

/// Chosen: latency, loss and rate as they are told of such links, in steps of about a factor of two. Each is worse than the one before
/// in everything. A UDP payload of 1,200 octets is the least that a path of Keyway carries.
#[rustfmt::skip]
const LADDER: [Rung; 9] = [
    Rung { name: "good wireless LAN",   delay_ms: 3,   jitter_ms: 1,   loss: 1,   burst: 1, reorder: 0,  duplicate: 0,  corrupt: 0,  rate: 100_000, mtu: 1452, length: 8_000_000 },
    Rung { name: "wireless LAN",        delay_ms: 10,  jitter_ms: 5,   loss: 5,   burst: 1, reorder: 1,  duplicate: 1,  corrupt: 1,  rate: 50_000,  mtu: 1452, length: 4_000_000 },
    Rung { name: "crowded LAN",         delay_ms: 20,  jitter_ms: 10,  loss: 10,  burst: 1, reorder: 5,  duplicate: 2,  corrupt: 1,  rate: 20_000,  mtu: 1432, length: 2_000_000 },
    Rung { name: "mobile",              delay_ms: 40,  jitter_ms: 15,  loss: 20,  burst: 1, reorder: 10, duplicate: 5,  corrupt: 2,  rate: 10_000,  mtu: 1400, length: 1_000_000 },
    Rung { name: "mobile, few bars",    delay_ms: 75,  jitter_ms: 25,  loss: 30,  burst: 2, reorder: 15, duplicate: 10, corrupt: 5,  rate: 5_000,   mtu: 1372, length: 500_000 },
    Rung { name: "mobile, in a train",  delay_ms: 100, jitter_ms: 40,  loss: 50,  burst: 2, reorder: 20, duplicate: 15, corrupt: 10, rate: 2_000,   mtu: 1350, length: 400_000 },
    Rung { name: "hardly any signal",   delay_ms: 150, jitter_ms: 50,  loss: 80,  burst: 3, reorder: 30, duplicate: 20, corrupt: 10, rate: 1_000,   mtu: 1280, length: 200_000 },
    Rung { name: "as bad as it works",  delay_ms: 225, jitter_ms: 75,  loss: 120, burst: 3, reorder: 50, duplicate: 20, corrupt: 10, rate: 500,     mtu: 1200, length: 100_000 },
    Rung { name: "worse than promised", delay_ms: 300, jitter_ms: 100, loss: 250, burst: 4, reorder: 50, duplicate: 30, corrupt: 20, rate: 256,     mtu: 1200, length: 100_000 },
];

/// Within this time a transfer has to be over. At 12 % loss CUBIC keeps some three packets under way, or 8 KB/s where a round trip
/// takes 0.45 s; timeouts after bursts take as long again, and more.
const DEADLINE: Duration = Duration::from_secs(180);

/// The worst links may be too bad, even for a handshake: after this time they are well again, and nothing must have broken. Whose
/// dialling had come to nothing by then dials again.
const HEALED_AFTER: Duration = Duration::from_secs(60);

/// Each seed stands on one rung.
pub(super) fn check(run: Run) -> Result<Report, Failure> {
    let rungs = LADDER.len() as u64;
    let number = usize::try_from(run.seed % rungs).expect("fewer than there are rungs");
    climb(run, &LADDER[number], number + 1 == LADDER.len())
}

fn climb(run: Run, rung: &Rung, is_hopeless: bool) -> Result<Report, Failure> {
    let mut meeting = Meeting::new(run, Layout::Public, Config::default);
    let (a, b) = (meeting.a, meeting.b);
    meeting.world.network().set_all_links(&rung.link());
    let (ours, theirs) = exchange(&mut meeting.world, rung.length);
    meeting.serve(b, theirs);
    meeting.dial(a, ours);
    if is_hopeless {
        meeting.run_for(HEALED_AFTER)?;
        meeting
            .world
            .network()
            .set_all_links(&LinkConfig::default());
        let other = meeting.id(b);
        if meeting.world.program(a).association_of(&other).is_none() {
            meeting.dial(a, ours);
        }
    }
    meeting.run_until(DEADLINE, rung.name, |world| {
        all_done(world, a, 1) && all_done(world, b, 1)
    })?;
    Ok(report(&meeting, rung.name))
}

impl Rung {
    fn link(&self) -> LinkConfig {
        let per_mille = |chance: u32| Chance::millionths(chance * 1_000);
        // In a burst everything is lost. The link is bad for the share `loss` of packets where bursts begin so often.
        let end = 1_000_000 / self.burst;
        let begin = end * self.loss / (1_000 - self.loss);
        let rate = self.rate * 1_000 / 8;
        LinkConfig {
            delay: Duration::from_millis(self.delay_ms),
            jitter: Duration::from_millis(self.jitter_ms),
            loss: Loss::Bursts {
                begin: Chance::millionths(begin),
                end: Chance::millionths(end),
                within: Chance::ALWAYS,
            },
            reorder: per_mille(self.reorder),
            reorder_delay: Duration::from_millis(self.delay_ms),
            duplicate: per_mille(self.duplicate),
            corrupt: per_mille(self.corrupt),
            rate: Some(rate),
            // Half a second's worth: slow links have long queues.
            queue: (rate / 2).max(16 * 1024),
            mtu: self.mtu,
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    // T2
    #[test]
    fn octets_arrive_over_every_rung_that_has_to_bear_and_the_last_one_breaks_nothing() {
        for seed in 0..2 * LADDER.len() as u64 {
            let run = Run { seed, trace: false };
            if let Err(failure) = check(run) {
                panic!("ladder {failure}; replay: cargo xtask sim --property ladder --seed {seed}");
            }
        }
    }

    #[test]
    fn each_rung_is_worse_than_the_one_before() {
        for pair in LADDER.windows(2) {
            let (better, worse) = (&pair[0], &pair[1]);
            assert!(better.delay_ms < worse.delay_ms && better.loss < worse.loss);
            assert!(better.rate > worse.rate && better.mtu >= worse.mtu);
            assert!(better.reorder <= worse.reorder && better.corrupt <= worse.corrupt);
        }
    }
}
