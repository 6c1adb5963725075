//! New handshakes by time, and new key phases by packet count, while data flows.

use std::sync::Arc;
use std::time::Duration;

use keyway_handshake::Limits;
use keyway_node::{AssociationConfig, Config};

use super::{Report, exchange, report};
use crate::failure::Failure;
use crate::link::LinkConfig;
use crate::topology::{Layout, Meeting, Run, all_done};

use super::transfer::faulty;

/// Octets each way.
const LENGTH: u64 = 5_000_000;

/// In every other run comes a new session every so often, instead of every two minutes.
const REKEY_AFTER: Duration = Duration::from_secs(1);

/// In the others, a new key phase after so many packets, instead of millions.
const PACKETS_PER_PHASE: u64 = 100;

/// How often keys have to change at least: a few times, whatever the seed.
const CHANGES_MIN: u64 = 2;

pub(super) fn check(run: Run) -> Result<Report, Failure> {
    let by_time = run.seed.is_multiple_of(2);
    let mut meeting = Meeting::new(run, Layout::Public, || config(by_time));
    // One run in two has all faults at once; the others are faster.
    let link = if run.seed % 4 < 2 {
        faulty(meeting.world.random())
    } else {
        LinkConfig {
            rate: Some(500_000),
            queue: 64 * 1024,
            ..LinkConfig::default()
        }
    };
    meeting.world.network().set_all_links(&link);
    let (ours, theirs) = exchange(&mut meeting.world, LENGTH);
    let (a, b) = (meeting.a, meeting.b);
    meeting.serve(b, theirs);
    meeting.dial(a, ours);
    meeting.run_until(
        Duration::from_secs(600),
        "5 MB have gone both ways",
        |world| all_done(world, a, 1) && all_done(world, b, 1),
    )?;
    for host in [a, b] {
        let diary = meeting.world.program(host).diary();
        meeting.ensure(diary.ended.is_empty(), || "an association ended".to_owned())?;
    }
    let changes = if by_time {
        sessions_after_the_first(&meeting)?
    } else {
        phases_after_the_first(&meeting)
    };
    meeting.ensure(changes >= CHANGES_MIN, || {
        format!("keys changed only {changes} times")
    })?;
    let kind = if by_time { "sessions" } else { "key phases" };
    Ok(report(&meeting, format!("{changes} more {kind}")))
}

/// How many handshakes came after the first one.
fn sessions_after_the_first(meeting: &Meeting) -> Result<u64, Failure> {
    let seen = [meeting.a, meeting.b].map(|host| meeting.seen_towards_peer(host));
    let used = seen.iter().all(|sightings| sightings.slots_used() > 1);
    meeting.ensure(used, || "only one session was used".to_owned())?;
    let [inits, responses] = [
        seen[0].inits + seen[1].inits,
        seen[0].responses + seen[1].responses,
    ];
    Ok(inits.min(responses).saturating_sub(1))
}

/// How often both sides changed to another phase, as an observer sees it.
fn phases_after_the_first(meeting: &Meeting) -> u64 {
    let changes = [meeting.a, meeting.b].map(|host| meeting.seen_towards_peer(host).phase_changes);
    changes.into_iter().min().unwrap_or_default()
}

/// Small limits, so that a minute sees what else takes hours.
fn config(by_time: bool) -> Config {
    let usual = AssociationConfig::default();
    let association = if by_time {
        AssociationConfig {
            rekey_after: REKEY_AFTER,
            rekey_after_as_responder: REKEY_AFTER + REKEY_AFTER / 4,
            ..usual
        }
    } else {
        AssociationConfig {
            session: Limits {
                packets_per_phase: PACKETS_PER_PHASE,
                ..Limits::default()
            },
            ..usual
        }
    };
    Config {
        association: Arc::new(association),
        ..Config::default()
    }
}
