//! A NAT forgets its mappings in the middle of a transfer, as a router does that restarts: everything comes from another port.

use std::time::Duration;

use keyway_node::Config;

use super::{Report, exchange, report};
use crate::failure::Failure;
use crate::link::LinkConfig;
use crate::loss::Loss;
use crate::random::Chance;
use crate::topology::{Layout, Meeting, Run, all_done, exchanges};

/// Octets each way: ten seconds at the rate below.
const LENGTH: u64 = 5_000_000;

/// What every link carries, in octets a second.
const RATE: u64 = 500_000;

/// The longest time that may pass without an octet.
const STALL_MAX: Duration = Duration::from_secs(10);

pub(super) fn check(run: Run) -> Result<Report, Failure> {
    let mut meeting = Meeting::new(run, Layout::BehindNats, Config::default);
    let (a, b) = (meeting.a, meeting.b);
    let (site_a, site_b) = (meeting.site(a), meeting.site(b));
    // One run in two has no direct way at all, so that it is the relay that has to follow.
    let relayed = run.seed.is_multiple_of(2);
    meeting.world.network().set_cut(site_a, site_b, relayed);
    let link = LinkConfig {
        delay: Duration::from_millis(5) + meeting.world.random().up_to(Duration::from_millis(30)),
        // Radio: five packets lost in a row now and then.
        loss: Loss::Bursts {
            begin: Chance::percent(1),
            end: Chance::percent(20),
            within: Chance::percent(50),
        },
        rate: Some(RATE),
        queue: 64 * 1024,
        ..LinkConfig::default()
    };
    meeting.world.network().set_all_links(&link);
    let (ours, theirs) = exchange(&mut meeting.world, LENGTH);
    meeting.serve(b, theirs);
    meeting.await_registered(b)?;
    meeting.dial(a, ours);
    let before = Duration::from_secs(2) + meeting.world.random().up_to(Duration::from_secs(4));
    meeting.run_for(before)?;
    let both = meeting.world.random().below(4) == 0;
    let sites = if both {
        vec![site_a, site_b]
    } else {
        vec![site_a]
    };
    for site in sites {
        if let Some(nat) = meeting.world.network().nat(site) {
            nat.rebind();
        }
    }
    meeting.run_until(
        Duration::from_secs(200),
        "5 MB have gone both ways",
        |world| all_done(world, a, 1) && all_done(world, b, 1),
    )?;
    let now = meeting.world.now();
    let waits = [a, b]
        .into_iter()
        .flat_map(|host| exchanges(&meeting.world, host))
        .map(|exchange| exchange.longest_wait(now));
    let longest = waits.max().unwrap_or_default();
    meeting.ensure(longest <= STALL_MAX, || {
        format!("nothing came for {} ms", longest.as_millis())
    })?;
    let way = if relayed { "relayed" } else { "direct" };
    Ok(report(
        &meeting,
        format!("{way}, longest wait {} ms", longest.as_millis()),
    ))
}
