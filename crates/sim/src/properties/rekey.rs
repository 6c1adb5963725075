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

/// Every so often comes a new session, instead of every two minutes.
const REKEY_AFTER: Duration = Duration::from_secs(2);

/// And after so many packets a new key phase, instead of millions.
const PACKETS_PER_PHASE: u64 = 300;

pub(super) fn check(run: Run) -> Result<Report, Failure> {
    let mut meeting = Meeting::new(run, Layout::Public, config);
    // One seed in two has all faults at once; the others have room for many key phases in one session.
    let link = if run.seed.is_multiple_of(2) {
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
    let seen = [a, b].map(|host| meeting.seen_towards_peer(host));
    for sightings in &seen {
        meeting.ensure(sightings.slots_used() >= 3, || {
            format!("only {} sessions were used", sightings.slots_used())
        })?;
        meeting.ensure(sightings.by_phase.iter().all(|count| *count > 0), || {
            "only one key phase was used".to_owned()
        })?;
    }
    for host in [a, b] {
        let diary = meeting.world.program(host).diary();
        meeting.ensure(diary.ended.is_empty(), || "an association ended".to_owned())?;
    }
    let handshakes: u64 = seen.iter().map(|sightings| sightings.responses).sum();
    Ok(report(&meeting, format!("{handshakes} handshake answers")))
}

/// Small limits, so that a minute sees what else takes hours.
fn config() -> Config {
    let association = AssociationConfig {
        rekey_after: REKEY_AFTER,
        rekey_after_as_responder: REKEY_AFTER + REKEY_AFTER / 4,
        session: Limits {
            packets_per_phase: PACKETS_PER_PHASE,
            ..Limits::default()
        },
        ..AssociationConfig::default()
    };
    Config {
        association: Arc::new(association),
        ..Config::default()
    }
}
