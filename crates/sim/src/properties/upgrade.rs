//! Two nodes behind NATs begin over the relay; the direct path opens while they transfer.

use std::time::Duration;

use keyway_node::{Config, PathKind};
use keyway_wire::Time;

use super::{Report, exchange, report};
use crate::failure::Failure;
use crate::host::NodeHost;
use crate::link::LinkConfig;
use crate::network::HostId;
use crate::topology::{Layout, Meeting, Run, all_done, exchanges};
use crate::world::World;

/// Octets each way: ten seconds at the rate below, so that the direct path opens in the middle.
const LENGTH: u64 = 10_000_000;

/// What every link carries, in octets a second.
const RATE: u64 = 1_000_000;

/// When the way between the two opens, where it does not from the start.
const OPENS: Time = Time::from_micros(6_000_000);

/// When the transfer begins: long enough after the start for both to be registered.
const BEGINS: Duration = Duration::from_secs(3);

pub(super) fn check(run: Run) -> Result<Report, Failure> {
    let mut meeting = Meeting::new(run, Layout::BehindNats, Config::default);
    let link = LinkConfig {
        delay: Duration::from_millis(5) + meeting.world.random().up_to(Duration::from_millis(30)),
        rate: Some(RATE),
        queue: 128 * 1024,
        ..LinkConfig::default()
    };
    meeting.world.network().set_all_links(&link);
    let (a, b) = (meeting.a, meeting.b);
    let (site_a, site_b) = (meeting.site(a), meeting.site(b));
    let opens_late = meeting.world.random().below(3) > 0;
    meeting.world.network().set_cut(site_a, site_b, opens_late);

    let (ours, theirs) = exchange(&mut meeting.world, LENGTH);
    meeting.serve(b, theirs);
    meeting.run_for(BEGINS)?;
    meeting.dial(a, ours);
    let mut early = 0;
    if opens_late {
        early = transfer_over_relay(&mut meeting)?;
        meeting.world.network().set_cut(site_a, site_b, false);
    }
    meeting.run_until(
        Duration::from_secs(120),
        "10 MB have gone both ways",
        |world| all_done(world, a, 1) && all_done(world, b, 1),
    )?;
    for (name, host) in [("a", a), ("b", b)] {
        let direct = direct_since(&meeting.world, host);
        meeting.ensure(direct.is_some(), || {
            format!("{name} still sends over the relay")
        })?;
    }
    let stalls = meeting.world.program(a).diary().stalls.len()
        + meeting.world.program(b).diary().stalls.len();
    meeting.ensure(stalls == 0, || "a stall of five seconds".to_owned())?;
    Ok(report(
        &meeting,
        format!("{early} octets before the way opened"),
    ))
}

/// Transfers until the direct way is to open; gives how much came by then, over the relay alone.
fn transfer_over_relay(meeting: &mut Meeting) -> Result<u64, Failure> {
    let (a, b) = (meeting.a, meeting.b);
    let rest = OPENS.saturating_since(meeting.world.now());
    meeting.run_for(rest)?;
    let early = exchanges(&meeting.world, a)
        .map(crate::applications::Exchange::read)
        .sum();
    meeting.ensure(early > 0 && early < LENGTH, || {
        format!("{early} octets came before the way opened")
    })?;
    let direct = [a, b]
        .into_iter()
        .find_map(|host| direct_since(&meeting.world, host));
    meeting.ensure(direct.is_none(), || {
        "a direct path was found where there is none".to_owned()
    })?;
    Ok(early)
}

/// Since when a host sends to its peer directly, if it does so in the end.
fn direct_since(world: &World<NodeHost>, host: HostId) -> Option<Time> {
    let diary = world.program(host).diary();
    let (_, with_peer, _) = *diary
        .paths
        .iter()
        .find(|(_, _, path)| matches!(path, PathKind::Relay { .. }))?;
    let (since, _, path) = diary
        .paths
        .iter()
        .rfind(|(_, association, _)| *association == with_peer)?;
    matches!(path, PathKind::Direct { .. }).then_some(*since)
}
