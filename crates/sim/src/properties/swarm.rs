//! A scenario that is all up to the seed.

use super::Report;
use crate::failure::Failure;
use crate::scenario::Scenario;
use crate::topology::Run;

pub(super) fn check(run: Run) -> Result<Report, Failure> {
    let scenario = Scenario::from_seed(run.seed);
    if run.trace {
        eprintln!("{}", scenario.to_text());
    }
    let played = scenario.play(run.trace)?;
    let (hosts, steps) = (scenario.hosts.len(), scenario.steps.len());
    let errands = played.errands;
    Ok(Report {
        time: played.time,
        packets: played.packets,
        trace_hash: played.trace_hash,
        facts: format!("{hosts} hosts, {steps} steps, {errands} errands"),
        figure: None,
    })
}
