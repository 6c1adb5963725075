//! A first connection over a link that loses a third of all packets each way.

use std::time::Duration;

use keyway_node::Config;

use super::{Report, report};
use crate::applications::{Content, Plan};
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
    meeting.serve(b, Plan::Echo);
    let request = Content {
        name: meeting.world.random().below(u64::MAX),
        length: 2_000,
    };
    meeting.dial(
        a,
        Plan::Exchange {
            outgoing: request,
            incoming: request,
        },
    );
    meeting.run_until(CONNECT_DEADLINE, "a connection is made", |world| {
        !world.program(a).diary().connected.is_empty()
    })?;
    let after = since_beginning(meeting.world.now());
    meeting.run_until(Duration::from_secs(120), "a request was echoed", |world| {
        all_done(world, a, 1)
    })?;
    Ok(report(
        &meeting,
        format!("connected after {} ms", after.as_millis()),
    ))
}
