//! Both sides dial at once.

use std::time::Duration;

use keyway_node::Config;

use super::{Report, exchange, report};
use crate::applications::Plan;
use crate::failure::Failure;
use crate::link::LinkConfig;
use crate::loss::Loss;
use crate::random::Chance;
use crate::topology::{Layout, Meeting, Run, all_done};

/// Octets each way in each exchange.
const LENGTH: u64 = 100_000;

/// How much later the second one dials, at most.
const APART_MAX: Duration = Duration::from_millis(200);

pub(super) fn check(run: Run) -> Result<Report, Failure> {
    let layout = match run.seed % 3 {
        0 => Layout::Public,
        1 => Layout::PublicWithServer,
        _ => Layout::BehindNats,
    };
    let mut meeting = Meeting::new(run, layout, Config::default);
    let (a, b) = (meeting.a, meeting.b);
    let link = LinkConfig {
        delay: Duration::from_millis(1) + meeting.world.random().up_to(Duration::from_millis(99)),
        // In one run of two some handshake packets are lost, so that tries cross in other ways.
        loss: if run.seed.is_multiple_of(2) {
            Loss::None
        } else {
            Loss::Independent(Chance::percent(20))
        },
        ..LinkConfig::default()
    };
    meeting.world.network().set_all_links(&link);
    let (ours, theirs) = exchange(&mut meeting.world, LENGTH);
    // Each serves the plan that answers what the other one dials with.
    meeting.serve(a, theirs);
    meeting.serve(b, theirs);
    if layout != Layout::Public {
        meeting.await_registered(a)?;
        meeting.await_registered(b)?;
    }
    let apart = meeting.world.random().up_to(APART_MAX);
    meeting.dial(a, ours);
    meeting.run_for(apart)?;
    meeting.dial(b, ours);
    meeting.run_until(
        Duration::from_secs(60),
        "both dials have led to an exchange",
        |world| all_done(world, a, 2) && all_done(world, b, 2),
    )?;
    // Loss may look like the end of the path, which asks for new keys: what is looked at here is the meeting alone.
    meeting
        .world
        .network()
        .set_all_links(&LinkConfig::default());
    meeting.run_for(Duration::from_secs(5))?;
    settled(&mut meeting, ours)?;
    Ok(report(&meeting, format!("{} us apart", apart.as_micros())))
}

/// Whether two nodes that are connected use one association and one session, and nothing is left of others.
fn settled(meeting: &mut Meeting, ours: Plan) -> Result<(), Failure> {
    let (a, b) = (meeting.a, meeting.b);
    for (name, host) in [("a", a), ("b", b)] {
        let peer = meeting.id(meeting.other(host));
        let program = meeting.world.program(host);
        let (association, diary) = (program.association_of(&peer), program.diary());
        let same = diary
            .connected
            .iter()
            .all(|(_, connected, _)| Some(*connected) == association);
        meeting.ensure(same, || format!("{name} was connected more than once"))?;
        let over = diary
            .ended
            .iter()
            .any(|(_, ended, _)| Some(*ended) == association);
        meeting.ensure(!over, || format!("{name}'s association ended"))?;
    }
    // Of all handshakes only one goes on: whatever is sent from now on is sealed under its keys alone.
    let before = [a, b].map(|host| meeting.seen_towards_peer(host));
    meeting.open(a, ours)?;
    meeting.run_until(Duration::from_secs(30), "one more exchange", |world| {
        all_done(world, a, 3) && all_done(world, b, 3)
    })?;
    for ((name, host), before) in [("a", a), ("b", b)].into_iter().zip(before) {
        let seen = meeting.seen_towards_peer(host).since(&before);
        meeting.ensure(seen.slots_used() == 1, || {
            format!(
                "{name} sends under the keys of {} sessions",
                seen.slots_used()
            )
        })?;
        meeting.ensure(seen.inits + seen.responses == 0, || {
            format!("{name} goes on shaking hands")
        })?;
    }
    Ok(())
}
