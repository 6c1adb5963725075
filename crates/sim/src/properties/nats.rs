//! Each seed is a cell of the matrix: two nodes with NATs of some kind connect, and end direct if they must.
//!
//! What is to succeed in most cases only, no single run can show: `keyway-sim --matrix` counts.

use super::Report;
use crate::failure::Failure;
use crate::matrix::{Cell, Demand, Setting};
use crate::topology::{Run, since_beginning};

pub(super) fn check(run: Run) -> Result<Report, Failure> {
    let cells: Vec<Cell> = Setting::ALL.into_iter().flat_map(Setting::cells).collect();
    let place = usize::try_from(run.seed % cells.len() as u64).expect("fewer than there are cells");
    let cell = cells[place];
    let outcome = cell.run(run)?;
    let is_direct = outcome.direct.is_some();
    let Cell { setting, a, b } = cell;
    let facts = format!("{a} to {b}, {setting}");
    let trouble = match Demand::of(&cell) {
        _ if !outcome.connected => Some("did not connect"),
        Demand::Must if !is_direct => Some("stays on the relay"),
        Demand::Cannot if is_direct => Some("is direct, which cannot be"),
        Demand::Must | Demand::Mostly | Demand::May | Demand::Cannot => None,
    };
    if let Some(trouble) = trouble {
        return Err(Failure::new(outcome.ended, format!("{facts}: {trouble}")));
    }
    let way = if is_direct { "direct" } else { "relayed" };
    Ok(Report {
        time: since_beginning(outcome.ended),
        packets: outcome.packets,
        trace_hash: outcome.trace_hash,
        facts: format!("{facts}, {way}"),
        figure: outcome.direct,
    })
}
