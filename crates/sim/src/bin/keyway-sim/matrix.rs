//! The matrix of NATs, as a table or as JSON.

use std::io::{Write, stdout};
use std::num::NonZero;
use std::ops::Range;
use std::panic::{AssertUnwindSafe, catch_unwind};
use std::process::ExitCode;
use std::sync::Mutex;
use std::thread;

use keyway_sim::{Cell, Failure, NatKind, Outcome, Row, Run, Setting};

/// Which cells are to be run, and how they are told of.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub(crate) struct Matrix {
    /// These settings; networks apart if none is named.
    pub(crate) settings: Vec<Setting>,
    /// This pair alone, dialler first.
    pub(crate) pair: Option<(NatKind, NatKind)>,
    pub(crate) json: bool,
}

impl Matrix {
    fn settings(&self) -> &[Setting] {
        if self.settings.is_empty() {
            &[Setting::Apart]
        } else {
            &self.settings
        }
    }

    fn cells(&self, setting: Setting) -> Vec<Cell> {
        let cells = setting.cells().into_iter();
        let wanted = |cell: &Cell| self.pair.is_none_or(|pair| pair == (cell.a, cell.b));
        cells.filter(wanted).collect()
    }
}

/// Runs all cells that are wanted, and tells of each; fails if one is not as it has to be.
pub(crate) fn run(matrix: &Matrix, seeds: &Range<u64>, trace: bool) -> ExitCode {
    let mut rows = Vec::new();
    let mut broken = 0;
    for setting in matrix.settings() {
        let cells = matrix.cells(*setting);
        if !matrix.json && !cells.is_empty() {
            say(&format!("{setting}\n{}", Row::header()));
        }
        for cell in cells {
            let (outcomes, failures) = play(&cell, seeds, trace);
            broken += failures;
            let row = Row::of(&cell, &outcomes);
            if !matrix.json {
                say(&row.to_string());
            }
            rows.push(row);
        }
    }
    if matrix.json {
        let text = serde_json::to_string_pretty(&rows).expect("names and finite numbers");
        say(&text);
    }
    if rows.is_empty() {
        eprintln!("error: there is no such pair in this setting");
        return ExitCode::from(2);
    }
    if broken == 0 && rows.iter().all(Row::passed) {
        ExitCode::SUCCESS
    } else {
        ExitCode::FAILURE
    }
}

/// Runs a cell with all seeds, on all cores; the outcomes, and how many runs had none.
fn play(cell: &Cell, seeds: &Range<u64>, trace: bool) -> (Vec<Outcome>, u64) {
    let left = Mutex::new(seeds.clone());
    let results = Mutex::new((Vec::new(), 0));
    let workers = thread::available_parallelism().map_or(1, NonZero::get);
    let work = || {
        loop {
            let next = left.lock().expect("no thread panics here").next();
            let Some(seed) = next else { return };
            // A panic is a failure like any other, and only we know the seed that leads to it.
            let result = catch_unwind(AssertUnwindSafe(|| cell.run(Run { seed, trace })));
            let result = result.unwrap_or_else(|_| Err(Failure::panicked()));
            let mut results = results.lock().expect("no thread panics here");
            match result {
                Ok(outcome) => results.0.push(outcome),
                Err(failure) => {
                    results.1 += 1;
                    eprintln!("FAILED {failure}\n       replay: {}", replay(cell, seed));
                }
            }
        }
    };
    thread::scope(|scope| {
        for _ in 0..workers {
            scope.spawn(work);
        }
    });
    results.into_inner().expect("no thread panics here")
}

fn replay(cell: &Cell, seed: u64) -> String {
    let Cell { setting, a, b } = cell;
    format!("cargo xtask sim --matrix --setting {setting} --pair {a},{b} --seed {seed} --trace")
}

/// Prints a line. Who has closed our standard output does not want to read on, and that is no failure.
fn say(line: &str) {
    let _ = writeln!(stdout(), "{line}");
}
