//! A flow of datagrams both ways over a bad link.

use std::time::Duration;

use keyway_node::Config;

use super::transfer::faulty;
use super::{Report, report};
use crate::applications::{Application, DatagramPlan, Datagrams, Plan};
use crate::failure::Failure;
use crate::host::NodeHost;
use crate::network::HostId;
use crate::topology::{Layout, Meeting, Run};
use crate::world::World;

/// How many datagrams each side sends.
const COUNT: u64 = 400;

/// The time between two: slow enough for the window that a loss rate of 5 % leaves, so that none is lost in the sender's queue.
const PERIOD: Duration = Duration::from_millis(40);

/// How many of them have to come at least: what 5 % loss and 1 % corruption leave, with a wide margin.
const RECEIVED_MIN: usize = 340;

pub(super) fn check(run: Run) -> Result<Report, Failure> {
    let mut meeting = Meeting::new(run, Layout::Public, Config::default);
    let link = faulty(meeting.world.random());
    meeting.world.network().set_all_links(&link);
    let random = meeting.world.random();
    let plan = Plan::Datagrams(DatagramPlan {
        name: random.below(u64::MAX),
        count: COUNT,
        period: PERIOD,
        size: 8 + random.index(1_000),
    });
    let (a, b) = (meeting.a, meeting.b);
    meeting.serve(b, plan);
    meeting.dial(a, plan);
    meeting.run_until(Duration::from_secs(60), "all datagrams are sent", |world| {
        [a, b]
            .iter()
            .all(|host| flows(world, *host).any(|flow| flow.due().is_none()))
    })?;
    meeting.run_for(Duration::from_secs(2))?;
    let received = [a, b].map(|host| {
        flows(&meeting.world, host)
            .map(Datagrams::received)
            .sum::<usize>()
    });
    let fewest = received.into_iter().min().unwrap_or_default();
    meeting.ensure(fewest >= RECEIVED_MIN, || {
        format!("only {fewest} of {COUNT} datagrams came")
    })?;
    Ok(report(
        &meeting,
        format!("{} and {} of {COUNT} came", received[0], received[1]),
    ))
}

fn flows(world: &World<NodeHost>, host: HostId) -> impl Iterator<Item = &Datagrams> {
    world
        .program(host)
        .applications()
        .filter_map(|application| match application {
            Application::Datagrams(datagrams) => Some(datagrams),
            Application::Exchange(_) | Application::Echo(_) => None,
        })
}
