//! `cargo xtask bench impaired`: Keyway beside quinn where the way is bad, and both on one link.
//!
//! The programs are those of `cargo xtask bench peers`. Between their two ends stands the program `impairment` of the same
//! workspace, which has a rate, a queue, a delay and losses. What they reach is far below what the machine allows, so that, unlike
//! there, the figures themselves can be compared with those of another day.

mod paper;
mod way;

use std::fs;

use anyhow::{Context, Result, bail, ensure};

use self::way::Way;
use super::peers::programs::Row;
use super::peers::results::{Outcome, Results};
use super::peers::{machine, paper as shown, programs};
use crate::{process, workspace};

/// The rows of the peers' programs that are measured, in the order of the table.
const ROWS: [&str; 2] = ["keyway", "quinn"];

/// Packets of a hundred that are lost, each way.
const LOSSES: [f64; 4] = [0.0, 0.1, 1.0, 3.0];

/// Round trips in ms.
const ROUND_TRIPS: [f64; 3] = [10.0, 50.0, 150.0];

/// The round trip of those who share a link, in ms.
const SHARED_ROUND_TRIP: f64 = 40.0;

/// Who shares a link: places in [`ROWS`].
const PAIRS: [[usize; 2]; 3] = [[0, 0], [0, 1], [1, 1]];

/// What `cargo xtask bench impaired` can be told.
#[derive(clap::Args)]
pub(crate) struct Arguments {
    /// How often each is measured
    #[arg(long, value_name = "N", default_value_t = 3)]
    rounds: usize,
    /// Mbit/s that the link carries
    #[arg(long, value_name = "N", default_value_t = 50.0)]
    rate: f64,
    /// Packets of a hundred that are held back for up to a quarter of the round trip, each way
    #[arg(long, value_name = "N", default_value_t = 0.0)]
    reorder: f64,
    /// How long one flow is measured, after a quarter of that without
    #[arg(long, value_name = "N", default_value_t = 6.0)]
    seconds: f64,
    /// The same for two flows on one link
    #[arg(long, value_name = "N", default_value_t = 30.0)]
    together: f64,
    /// Print the tables, and leave the file in benches/results as it is
    #[arg(long)]
    print_only: bool,
}

/// Builds the programs, measures in rounds, prints the tables and writes the file.
///
/// # Errors
/// If a program does not build, nothing can be measured, or the file cannot be written. A measurement that fails is told on the page.
pub(crate) fn run(arguments: &Arguments) -> Result<()> {
    let times = [arguments.seconds, arguments.together];
    ensure!(
        (1..=100).contains(&arguments.rounds)
            && times.iter().all(|time| (0.1..=600.0).contains(time))
            && (0.1..=100.0).contains(&arguments.rate)
            && (0.0..=100.0).contains(&arguments.reorder),
        "--rounds is from 1 to 100, times from 0.1 to 600 s, --rate from 0.1 to 100 Mbit/s, --reorder from 0 to 100"
    );
    let rows = build()?;
    let machine = machine::describe();
    let mut results = Results::default();
    for round in 0..arguments.rounds {
        measure_alone(&rows, arguments, round, &mut results);
        measure_together(&rows, arguments, round, &mut results);
    }
    let page = paper::write(&paper::Facts {
        rows: &rows,
        results: &results,
        machine,
        command: command_line(arguments),
        rate: arguments.rate,
    });
    println!("{page}");
    if results.is_empty() {
        bail!("nothing could be measured");
    }
    if !arguments.print_only {
        let file = workspace::root().join("benches/results/impaired.md");
        fs::write(&file, page).with_context(|| format!("cannot write {}", file.display()))?;
        eprintln!("wrote benches/results/impaired.md");
    }
    Ok(())
}

fn build() -> Result<Vec<Row>> {
    process::run(programs::cargo().args([
        "build",
        "--release",
        "--locked",
        "--package",
        way::PROGRAM,
    ]))?;
    let (rows, unbuilt) = programs::build(&ROWS.map(str::to_owned))?;
    ensure!(unbuilt.is_empty(), "{} does not build", unbuilt.join(", "));
    let find = |name: &&str| {
        let row = rows.iter().find(|row| row.name == *name).cloned();
        row.with_context(|| format!("no row `{name}`"))
    };
    ROWS.iter().map(find).collect()
}

/// One flow at a time: each way has all rows after each other, with the same losses.
fn measure_alone(rows: &[Row], arguments: &Arguments, round: usize, results: &mut Results) {
    for (loss, round_trip) in cells() {
        let way = way(arguments, round, loss, round_trip);
        let cell = cell(loss, round_trip);
        // Another one comes first each time.
        let turn = round % rows.len().max(1);
        for row in rows[turn..].iter().chain(&rows[..turn]) {
            let outcome = way::run(&way, &[row], arguments.seconds)
                .map(|figures| figures.into_iter().next().unwrap_or_default())
                .map_err(|error| format!("{error:#}"));
            tell(round, &format!("{cell}, {}", row.name), &outcome);
            results.add(round, &row.name, &cell, outcome);
        }
    }
}

/// Two flows at a time. They begin at the same moment; who connects first changes from round to round.
fn measure_together(rows: &[Row], arguments: &Arguments, round: usize, results: &mut Results) {
    let way = way(arguments, round, 0.0, SHARED_ROUND_TRIP);
    for pair in PAIRS {
        let [one, other] = pair.map(|place| &rows[place]);
        let cell = pair_name(&one.name, &other.name);
        let turned = round % 2 == 1;
        let order = if turned { [other, one] } else { [one, other] };
        let mut outcomes = match way::run(&way, &order, arguments.together) {
            Ok(figures) => figures.into_iter().map(Ok).collect(),
            Err(error) => vec![Err(format!("{error:#}")); 2],
        };
        if turned {
            outcomes.reverse();
        }
        for (side, outcome) in ["one", "other"].into_iter().zip(outcomes) {
            tell(round, &format!("{cell}, {side}"), &outcome);
            results.add(round, side, &cell, outcome);
        }
    }
}

fn tell(round: usize, what: &str, outcome: &Outcome) {
    match outcome {
        Ok(figures) => {
            let speed = figures.get(FIGURE).copied().unwrap_or_default();
            eprintln!(
                "round {}: {what}: {} Mbit/s",
                round + 1,
                shown::number(speed)
            );
        }
        Err(reason) => eprintln!("round {}: {what} failed: {reason}", round + 1),
    }
}

/// What the programs call the speed.
const FIGURE: &str = "mbit_s";

fn cells() -> impl Iterator<Item = (f64, f64)> {
    let losses = LOSSES.into_iter();
    losses.flat_map(|loss| ROUND_TRIPS.map(|round_trip| (loss, round_trip)))
}

fn cell(loss: f64, round_trip: f64) -> String {
    format!("{loss} % lost, {round_trip} ms")
}

fn pair_name(one: &str, other: &str) -> String {
    format!("{one} and {other}")
}

fn way(arguments: &Arguments, round: usize, loss: f64, round_trip: f64) -> Way {
    Way {
        rate: arguments.rate,
        round_trip,
        loss,
        reorder: arguments.reorder,
        seed: round + 1,
    }
}

/// What to type for the same again.
fn command_line(arguments: &Arguments) -> String {
    let Arguments {
        rounds,
        rate,
        reorder,
        seconds,
        together,
        print_only: _,
    } = arguments;
    format!(
        "cargo xtask bench impaired --rounds {rounds} --rate {rate} --reorder {reorder} --seconds {seconds} --together {together}"
    )
}

#[cfg(test)]
mod tests {
    use clap::Parser;

    use super::*;

    #[derive(Parser)]
    struct Line {
        #[command(flatten)]
        arguments: Arguments,
    }

    #[test]
    fn the_command_in_the_page_is_the_command_that_was_given() {
        let typed = "cargo xtask bench impaired --rounds 2 --rate 20 --reorder 0.5 --seconds 1.5 --together 10";
        let arguments = typed.strip_prefix("cargo xtask bench ").unwrap();
        let parsed = Line::try_parse_from(arguments.split(' ')).unwrap();
        assert_eq!(command_line(&parsed.arguments), typed);
    }
}
