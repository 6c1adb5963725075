//! A first connection over a link that loses a third of all packets each way.

use std::time::Duration;

use keyway_node::Config;

use super::{Report, exchange, report};
use crate::failure::Failure;
use crate::host::CONNECT_DEADLINE;
use crate::link::LinkConfig;
use crate::loss::Loss;
use crate::random::Chance;
use crate::topology::{Layout, Meeting, Run, all_done, since_beginning};

pub(super) fn check(run: Run) -> Result<Report, Failure> {
    let mut meeting = Meeting::new(run, Layout::Public, Config::default);
    let (a, b) = (meeting.a, meeting.b);
    let link = LinkConfig {
        delay: Duration::from_millis(1) + meeting.world.random().up_to(Duration::from_millis(149)),
        loss: Loss::Independent(Chance::percent(30)),
        ..LinkConfig::default()
    };
    meeting.world.network().set_all_links(&link);
    let (ours, theirs) = exchange(&mut meeting.world, 2_000);
    meeting.serve(b, theirs);
    meeting.dial(a, ours);
    let connected = move |world: &crate::world::World<crate::host::NodeHost>| {
        !world.program(a).diary().connected.is_empty()
    };
    meeting.run_until(CONNECT_DEADLINE, "a connection is made", connected)?;
    let after = since_beginning(meeting.world.now());
    meeting.run_until(Duration::from_secs(120), "a small exchange", |world| {
        all_done(world, a, 1) && all_done(world, b, 1)
    })?;
    Ok(report(
        &meeting,
        format!("connected after {} ms", after.as_millis()),
    ))
}
