//! A large transfer both ways over a bad link.

use std::time::Duration;

use keyway_node::Config;

use super::{Report, exchange, report};
use crate::failure::Failure;
use crate::link::LinkConfig;
use crate::loss::Loss;
use crate::random::{Chance, Random};
use crate::topology::{Layout, Meeting, Run, all_done, exchanges};

/// Octets each way.
const LENGTH: u64 = 10_000_000;

/// The longest time that may pass without an octet, while there are some to come.
const STALL_MAX: Duration = Duration::from_secs(10);

/// Within this time it has to be over. A loss rate of 5 % leaves CUBIC, as Reno before it, some 1.22/sqrt(0.05) packets per round
/// trip: 7,000 packets take 1,300 round trips, or 130 s where one takes 100 ms.
const DEADLINE: Duration = Duration::from_secs(900);

pub(super) fn check(run: Run) -> Result<Report, Failure> {
    transfer(run, Duration::ZERO)
}

/// The transfer, with both directions cut for a while after three seconds.
fn transfer(run: Run, cut: Duration) -> Result<Report, Failure> {
    let mut meeting = Meeting::new(run, Layout::Public, Config::default);
    let (a, b) = (meeting.a, meeting.b);
    // The way there is not the way back.
    let (site_a, site_b) = (meeting.site(a), meeting.site(b));
    for (from, to) in [(site_a, site_b), (site_b, site_a)] {
        let link = faulty(meeting.world.random());
        meeting.world.network().set_link(from, to, link);
    }
    let (ours, theirs) = exchange(&mut meeting.world, LENGTH);
    meeting.serve(b, theirs);
    meeting.dial(a, ours);
    if !cut.is_zero() {
        meeting.run_for(Duration::from_secs(3))?;
        meeting.world.network().set_cut(site_a, site_b, true);
        meeting.run_for(cut)?;
        meeting.world.network().set_cut(site_a, site_b, false);
    }
    meeting.run_until(DEADLINE, "10 MB have gone both ways", |world| {
        all_done(world, a, 1) && all_done(world, b, 1)
    })?;
    let now = meeting.world.now();
    let waits = [a, b]
        .into_iter()
        .flat_map(|host| exchanges(&meeting.world, host))
        .map(|exchange| exchange.longest_wait(now));
    let longest = waits.max().unwrap_or_default();
    meeting.ensure(longest <= STALL_MAX, || {
        format!("nothing came for {} ms", longest.as_millis())
    })?;
    Ok(report(
        &meeting,
        format!("longest wait {} ms", longest.as_millis()),
    ))
}

/// All faults at once; how far apart the two are is up to the seed.
pub(super) fn faulty(random: &mut Random) -> LinkConfig {
    LinkConfig {
        delay: Duration::from_millis(2) + random.up_to(Duration::from_millis(48)),
        jitter: random.up_to(Duration::from_millis(3)),
        loss: Loss::Independent(Chance::percent(5)),
        reorder: Chance::percent(3),
        reorder_delay: Duration::from_millis(1) + random.up_to(Duration::from_millis(9)),
        duplicate: Chance::percent(2),
        corrupt: Chance::percent(1),
        ..LinkConfig::default()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_stall_is_noticed_and_a_short_one_is_survived() {
        let run = Run {
            seed: 1,
            trace: false,
        };
        let stalled = transfer(run, STALL_MAX + Duration::from_secs(1))
            .unwrap_err()
            .to_string();
        assert!(stalled.contains("nothing came for"), "{stalled}");
        assert!(transfer(run, Duration::from_secs(4)).is_ok());
    }
}
