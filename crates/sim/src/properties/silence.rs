//! Somebody dials who is not allowed.

use std::time::Duration;

use keyway_node::{Allow, Config};

use super::{Report, exchange, report};
use crate::failure::Failure;
use crate::host::CONNECT_DEADLINE;
use crate::link::LinkConfig;
use crate::loss::Loss;
use crate::random::{Chance, Random};
use crate::topology::{Layout, Meeting, Run};
use keyway_identity::SecretKey;

pub(super) fn check(run: Run) -> Result<Report, Failure> {
    let layout = match run.seed % 3 {
        0 => Layout::Public,
        1 => Layout::PublicWithServer,
        _ => Layout::BehindNats,
    };
    let mut meeting = Meeting::new(run, layout, Config::default);
    let (a, b) = (meeting.a, meeting.b);
    let loss = Loss::Independent(Chance::percent(5));
    meeting.world.network().set_all_links(&LinkConfig {
        loss,
        ..LinkConfig::default()
    });
    let (ours, theirs) = exchange(&mut meeting.world, 1_000);
    let somebody_else = SecretKey::from_bytes(Random::new(run.seed).bytes()).node_id();
    meeting.serve_to(b, Allow::Only([somebody_else].into()), theirs);
    if layout != Layout::Public {
        meeting.await_registered(b)?;
    }
    let before = meeting.seen_towards_peer(b);
    meeting.dial(a, ours);
    // A little longer than the deadline: what comes late would still be an answer.
    meeting.run_for(CONNECT_DEADLINE + Duration::from_secs(5))?;

    let answers = meeting.seen_towards_peer(b).since(&before).total();
    meeting.ensure(answers == 0, || {
        format!("{answers} packets went back to who is not allowed")
    })?;
    let tries = meeting.seen_towards_peer(a).inits;
    meeting.ensure(tries > 3, || {
        format!("the dialler tried only {tries} times")
    })?;
    let (dialler, dialled) = (
        meeting.world.program(a).diary(),
        meeting.world.program(b).diary(),
    );
    meeting.ensure(dialled.incoming.is_empty(), || {
        "a stream was let in".to_owned()
    })?;
    meeting.ensure(dialler.connected.is_empty(), || {
        "a connection was made".to_owned()
    })?;
    meeting.ensure(dialler.not_connected.len() == 1, || {
        "the dialler was not told once".to_owned()
    })?;
    Ok(report(&meeting, format!("{tries} tries")))
}
