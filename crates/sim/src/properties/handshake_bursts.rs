//! A first connection over a link that loses a third of all packets each way, up to three in a row.

use std::time::Duration;

use keyway_node::Config;

use super::{Report, report};
use crate::applications::Plan;
use crate::failure::Failure;
use crate::host::CONNECT_DEADLINE;
use crate::link::LinkConfig;
use crate::loss::Loss;
use crate::random::Chance;
use crate::topology::{Layout, Meeting, Run, since_beginning};

/// Half of the round trip.
const DELAY: Duration = Duration::from_millis(15);

/// Packets lost, of a hundred.
const LOSS: u32 = 30;

pub(super) fn check(run: Run) -> Result<Report, Failure> {
    let mut meeting = Meeting::new(run, Layout::Public, Config::default);
    let (a, b) = (meeting.a, meeting.b);
    meeting.world.network().set_all_links(&LinkConfig {
        delay: DELAY,
        loss: Loss::AtMost {
            chance: Chance::percent(LOSS),
            in_a_row: 3,
        },
        ..LinkConfig::default()
    });
    meeting.serve(b, Plan::Echo);
    meeting.dial(a, Plan::Echo);
    meeting.run_until(CONNECT_DEADLINE, "a connection is made", |world| {
        !world.program(a).diary().connected.is_empty()
    })?;
    let after = since_beginning(meeting.world.now());
    let facts = format!("connected after {} ms", after.as_millis());
    Ok(Report {
        figure: Some(after),
        ..report(&meeting, facts)
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    // H1
    #[test]
    fn of_a_thousand_connections_half_take_half_a_second_and_one_in_a_hundred_six() {
        let mut times: Vec<Duration> = (0..1_000)
            .map(|seed| {
                let run = Run { seed, trace: false };
                let report = check(run).unwrap_or_else(|failure| panic!("seed {seed} {failure}"));
                report.figure.expect("how long it took")
            })
            .collect();
        times.sort_unstable();
        let (half, most) = (times[500], times[990]);
        assert!(half <= Duration::from_millis(600), "{half:?}");
        assert!(most <= Duration::from_secs(6), "{most:?}");
    }
}
