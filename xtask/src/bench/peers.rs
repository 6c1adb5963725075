//! `cargo xtask bench peers`: Keyway beside other transports, beside kernel TCP, and beside what kernel and cipher leave to any of them.
//!
//! Each is a program of the workspace in `benches/peers`, with two roles in two processes on two cores. They take turns within each
//! round, because a machine's speed drifts: only ratios within a round say something.

pub(super) mod machine;
pub(super) mod measurement;
pub(super) mod paper;
pub(super) mod programs;
pub(super) mod results;

use std::fs;
use std::io::Write;
use std::num::NonZeroUsize;
use std::path::Path;
use std::process::Stdio;

use anyhow::{Context, Result, bail, ensure};

use self::measurement::Plan;
use self::programs::Row;
use self::results::{Outcome, Results};
use crate::{process, workspace};

/// What can be measured, in the order in which it is: the names that the programs have for it.
const WORKLOADS: [&str; 7] = [
    "stream",
    "streams8",
    "reverse",
    "ping",
    "connect",
    "datagrams",
    "memory",
];

/// What `cargo xtask bench peers` can be told.
#[derive(clap::Args)]
pub(crate) struct Arguments {
    /// Build and measure only these: folders of benches/peers, without `peer-`
    #[arg(long, value_name = "NAME", value_delimiter = ',')]
    peers: Vec<String>,
    /// How often each is measured
    #[arg(long, value_name = "N", default_value_t = 5)]
    rounds: usize,
    /// Measure only these
    #[arg(long, value_name = "NAME", value_delimiter = ',', value_parser = WORKLOADS, default_values = WORKLOADS)]
    workloads: Vec<String>,
    /// How long each bulk transfer, and the like, shall take
    #[arg(long, value_name = "N", default_value_t = 2.0)]
    seconds: f64,
    /// The numbers of idle connections at which memory is read: 100, 1000, 10000
    #[arg(long, value_name = "N", value_delimiter = ',', default_value = "1000")]
    idle: Vec<usize>,
    /// Print the table, and leave the files in benches/results as they are
    #[arg(long)]
    print_only: bool,
}

/// Builds the programs, measures in rounds, prints the table and writes the files.
///
/// # Errors
/// If nothing can be measured, or the files cannot be written. A peer that does not build or fails is told in the table, and
/// does not hold up the others.
pub(crate) fn run(arguments: &Arguments) -> Result<()> {
    ensure!(
        (1..=100).contains(&arguments.rounds) && (0.1..=60.0).contains(&arguments.seconds),
        "--rounds is from 1 to 100, and --seconds from 0.1 to 60"
    );
    ensure!(
        std::thread::available_parallelism().is_ok_and(|cores| cores > NonZeroUsize::MIN),
        "both ends need a core of their own, and there is only one"
    );
    let (rows, unbuilt) = programs::build(&arguments.peers)?;
    let machine = machine::describe();
    let results = measure(&rows, arguments);
    let paper = paper::write(&paper::Facts {
        rows: &rows,
        unbuilt: &unbuilt,
        results: &results,
        machine,
        command: command_line(arguments),
    });
    println!("{paper}");
    if results.is_empty() {
        bail!("nothing could be measured");
    }
    if !arguments.print_only {
        save(&paper, &results, &rows)?;
    }
    Ok(())
}

/// Every round has each workload, and each workload every row, so that what is compared was measured within seconds.
fn measure(rows: &[Row], arguments: &Arguments) -> Results {
    let plan = Plan {
        seconds: arguments.seconds,
        idle: arguments.idle.clone(),
    };
    let mut results = Results::default();
    for round in 0..arguments.rounds {
        for workload in &arguments.workloads {
            eprintln!("round {} of {}: {workload}", round + 1, arguments.rounds);
            // Another one comes first each time: whatever the one before leaves behind, it leaves to all.
            let turn = round % rows.len().max(1);
            for row in rows[turn..].iter().chain(&rows[..turn]) {
                if !row.workloads.contains(workload) {
                    continue;
                }
                let outcome =
                    measurement::run(row, workload, &plan).map_err(|error| format!("{error:#}"));
                eprintln!("    {:<20} {}", row.name, summary(&outcome));
                results.add(round, &row.name, workload, outcome);
            }
        }
    }
    results
}

fn summary(outcome: &Outcome) -> String {
    match outcome {
        Ok(figures) => figures
            .iter()
            .map(|(name, value)| format!("{name} {}", paper::number(*value)))
            .collect::<Vec<_>>()
            .join(", "),
        Err(reason) => format!("failed: {reason}"),
    }
}

fn save(paper: &str, results: &Results, rows: &[Row]) -> Result<()> {
    let folder = workspace::root().join("benches/results");
    fs::create_dir_all(&folder).with_context(|| format!("cannot make {}", folder.display()))?;
    let file = folder.join("peers.md");
    fs::write(&file, paper).with_context(|| format!("cannot write {}", file.display()))?;
    plot(&folder.join("peers.svg"), results, rows)?;
    eprintln!("wrote benches/results/peers.md and benches/results/peers.svg");
    Ok(())
}

/// Draws with the program `plot` of the other workspace: its library is for nobody who only builds Keyway.
fn plot(file: &Path, results: &Results, rows: &[Row]) -> Result<()> {
    let mut command = programs::cargo();
    command
        .args([
            "run",
            "--release",
            "--locked",
            "--quiet",
            "--package",
            "plot",
            "--",
        ])
        .arg(file)
        .stdin(Stdio::piped());
    process::announce(&command);
    let mut child = command
        .spawn()
        .with_context(|| process::cannot_start(&command))?;
    let mut input = child.stdin.take().context("no way to the plot")?;
    input.write_all(paper::bars(results, rows).to_string().as_bytes())?;
    drop(input);
    ensure!(child.wait()?.success(), "cannot draw {}", file.display());
    Ok(())
}

/// What to type for the same again.
fn command_line(arguments: &Arguments) -> String {
    let mut line = format!("cargo xtask bench peers --rounds {}", arguments.rounds);
    if !arguments.peers.is_empty() {
        line += &format!(" --peers {}", arguments.peers.join(","));
    }
    if arguments.workloads.len() < WORKLOADS.len() {
        line += &format!(" --workloads {}", arguments.workloads.join(","));
    }
    let idle: Vec<String> = arguments.idle.iter().map(ToString::to_string).collect();
    line + &format!(" --seconds {} --idle {}", arguments.seconds, idle.join(","))
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

    fn parse(line: &str) -> Arguments {
        Line::try_parse_from(line.split(' ')).unwrap().arguments
    }

    #[test]
    fn the_command_in_the_table_is_the_command_that_was_given() {
        let whole = "cargo xtask bench peers --rounds 5 --seconds 2 --idle 1000";
        assert_eq!(command_line(&parse("peers")), whole);
        let some = "cargo xtask bench peers --rounds 3 --peers quinn,keyway --workloads stream,ping --seconds 1.5 --idle 1000,10000";
        let arguments = some.strip_prefix("cargo xtask bench ").unwrap();
        assert_eq!(command_line(&parse(arguments)), some);
    }

    #[test]
    fn a_workload_that_nobody_knows_is_refused() {
        assert!(Line::try_parse_from(["peers", "--workloads", "smell"]).is_err());
    }
}
