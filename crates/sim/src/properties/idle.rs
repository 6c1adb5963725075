//! A pair that nobody uses, for minutes and for hours, and then uses again.

use std::time::Duration;

use keyway_node::Config;

use super::{Report, exchange, report};
use crate::failure::Failure;
use crate::topology::{Layout, Meeting, Run, all_done};

/// Octets each way in each exchange.
const LENGTH: u64 = 10_000;

/// How often a node may be woken in a minute in which nobody wants anything of it.
const WAKES_MAX: u64 = 100;

/// How many packets it may send in such a minute: some for each association that is kept alive each 25 s, and their answers.
const PACKETS_MAX: u64 = 60;

/// How long a pair that wakes up may take for an exchange.
const AWAKE: Duration = Duration::from_secs(10);

pub(super) fn check(run: Run) -> Result<Report, Failure> {
    let layout = match run.seed % 3 {
        0 => Layout::Public,
        1 => Layout::PublicWithServer,
        _ => Layout::BehindNats,
    };
    let mut meeting = Meeting::new(run, layout, Config::default);
    let (a, b) = (meeting.a, meeting.b);
    let (ours, theirs) = exchange(&mut meeting.world, LENGTH);
    meeting.serve(b, theirs);
    if layout != Layout::Public {
        meeting.await_registered(b)?;
    }
    meeting.dial(a, ours);
    meeting.run_until(AWAKE, "an exchange", |world| {
        all_done(world, a, 1) && all_done(world, b, 1)
    })?;
    // Long enough for rekeys, or for falling asleep, or for the sleeping pair's NATs to forget everything.
    let rest = Duration::from_secs(180) + meeting.world.random().up_to(Duration::from_secs(3_600));
    rest_for(&mut meeting, rest)?;
    meeting.open(a, ours)?;
    meeting.run_until(AWAKE, "an exchange after a rest", |world| {
        all_done(world, a, 2) && all_done(world, b, 2)
    })?;
    Ok(report(&meeting, format!("rested for {} s", rest.as_secs())))
}

/// Minute for minute without anything to do.
fn rest_for(meeting: &mut Meeting, rest: Duration) -> Result<(), Failure> {
    const MINUTE: Duration = Duration::from_secs(60);
    let hosts = [meeting.a, meeting.b];
    // What the exchange left to do belongs to it.
    meeting.run_for(MINUTE)?;
    for _ in 1..rest.as_secs() / MINUTE.as_secs() {
        let before = hosts.map(|host| meeting.world.counters(host).clone());
        meeting.run_for(MINUTE)?;
        for (host, before) in hosts.into_iter().zip(before) {
            let now = meeting.world.counters(host);
            let (wakes, packets) = (now.wakes - before.wakes, now.sent - before.sent);
            meeting.ensure(wakes <= WAKES_MAX, || {
                format!("woken {wakes} times in an idle minute")
            })?;
            meeting.ensure(packets <= PACKETS_MAX, || {
                format!("{packets} packets sent in an idle minute")
            })?;
        }
    }
    Ok(())
}
