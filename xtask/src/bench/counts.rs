//! `cargo xtask bench counts`: instructions for each operation that `cargo xtask bench` takes the time of.
//!
//! Time drifts with the machine; what callgrind counts is the same in each run, so that a change of one per cent shows. The
//! program `counts` of the benches runs one case at a time, and callgrind counts in one function of it alone.

mod paper;

use std::collections::BTreeMap;
use std::fs;
use std::path::{Path, PathBuf};

use anyhow::{Context, Result, ensure};
use serde_json::Value;

use crate::{process, workspace};

/// How often each operation runs: a multiple of 8, since a random generator makes 256 octets at a time and a key takes 32.
const REPEATS: u32 = 16;

/// The program's function in which instructions count, however the compiler decorates its name.
const COUNTED: &str = "*counted*";

/// Copies that glibc makes with one instruction that repeats itself count once for each octet, which says nothing: let it take its loops.
const COPIES: &str =
    "glibc.cpu.x86_rep_movsb_threshold=0x40000000:glibc.cpu.x86_rep_stosb_threshold=0x40000000";

/// What is compared with, and what `--write` writes.
const FILE: &str = "benches/results/counts.md";

/// What `cargo xtask bench counts` can be told.
#[derive(clap::Args)]
pub(crate) struct Arguments {
    /// Count only the cases whose name contains this
    filter: Option<String>,
    /// Write benches/results/counts.md, with which the next ones are compared
    #[arg(long, conflicts_with = "filter")]
    write: bool,
}

/// Instructions for one operation, by the name of the case.
type Counts = BTreeMap<String, f64>;

/// Builds the program, counts case by case, and prints the counts beside those that are committed.
///
/// # Errors
/// If there is no valgrind, no case of that name, or a case cannot be counted; or the file cannot be read or written.
pub(crate) fn run(arguments: &Arguments) -> Result<()> {
    ensure!(
        process::succeeds(process::program("valgrind").arg("--version")),
        "no valgrind: get it with `apt-get install valgrind`, or from where your system has its packages"
    );
    let program = build()?;
    let cases = process::output(&mut process::program(&program))?;
    let filter = arguments.filter.as_deref().unwrap_or_default();
    let cases: Vec<&str> = cases.lines().filter(|name| name.contains(filter)).collect();
    ensure!(!cases.is_empty(), "no case has `{filter}` in its name");
    let file = workspace::root().join(FILE);
    let before = fs::read_to_string(&file).unwrap_or_default();
    let before = paper::parse(&before);
    println!("{}", paper::heading());
    let mut counts = Vec::new();
    for case in cases {
        let count = count(&program, case).with_context(|| format!("cannot count `{case}`"))?;
        println!("{}", paper::row(case, count, before.get(case).copied()));
        counts.push((case, count));
    }
    if arguments.write {
        let page = paper::page(&counts, &tools()?);
        fs::write(&file, page).with_context(|| format!("cannot write {}", file.display()))?;
        eprintln!("wrote {FILE}");
    }
    Ok(())
}

/// Builds the program as benches are built, and says where it is.
fn build() -> Result<PathBuf> {
    let mut command = process::cargo();
    command
        .args(["build", "--profile", "bench", "--locked"])
        .args(["--package", "keyway-benches", "--bin", "counts"])
        .arg("--message-format=json-render-diagnostics");
    process::announce(&command);
    executable(&process::output(&mut command)?).context("cargo told of no executable")
}

/// The executable that cargo's messages, one JSON object a line, tell of.
fn executable(messages: &str) -> Option<PathBuf> {
    messages
        .lines()
        .filter_map(|line| serde_json::from_str::<Value>(line).ok())
        .find_map(|message| message["executable"].as_str().map(PathBuf::from))
}

/// Instructions for one operation of this case.
fn count(program: &Path, case: &str) -> Result<f64> {
    let mut command = process::program("valgrind");
    command
        .args(["--tool=callgrind", "--callgrind-out-file=/dev/null"])
        .args(["--log-fd=1", "--collect-atstart=no"])
        .arg(format!("--toggle-collect={COUNTED}"))
        .arg(program)
        .args([case, &REPEATS.to_string()])
        .env("GLIBC_TUNABLES", COPIES);
    let log = process::output(&mut command)?;
    let collected = collected(&log).with_context(|| format!("callgrind said:\n{log}"))?;
    ensure!(collected > 0, "the program has no function `{COUNTED}`");
    // Far below 2^53.
    Ok(collected as f64 / f64::from(REPEATS))
}

/// The number in callgrind's last words, such as `==7== Collected : 1234`.
fn collected(log: &str) -> Option<u64> {
    let line = log
        .lines()
        .rev()
        .find(|line| line.contains("Collected :"))?;
    line.rsplit(' ').next()?.parse().ok()
}

/// What counts depend on beside the sources.
fn tools() -> Result<Vec<String>> {
    ["rustc", "cc", "valgrind"]
        .into_iter()
        .map(|tool| {
            let version = process::output(process::program(tool).arg("--version"))?;
            Ok(version.lines().next().unwrap_or_default().to_owned())
        })
        .collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_executable_is_found_among_messages_of_libraries() {
        let messages = "{\"reason\":\"compiler-artifact\",\"executable\":null}\n\
            {\"reason\":\"compiler-artifact\",\"executable\":\"/t/release/counts\"}\n\
            {\"reason\":\"build-finished\",\"success\":true}\n";
        assert_eq!(
            executable(messages),
            Some(PathBuf::from("/t/release/counts"))
        );
        assert_eq!(executable("{\"executable\":null}"), None);
    }

    #[test]
    fn the_count_is_in_callgrinds_last_words() {
        let log = "==7== Callgrind, a call-graph generating cache profiler\n==7== \n==7== Events    : Ir\n==7== Collected : 42600\n==7== \n==7== I   refs:      42,600\n";
        assert_eq!(collected(log), Some(42_600));
        assert_eq!(collected("==7== Callgrind"), None);
    }
}
