//! `cargo xtask ci`: what CI runs, word for word. Each check can be named to run alone.

mod arrows;
mod corpora;
mod papers;

use anyhow::Result;
use clap::ValueEnum;

use crate::step::{Outcome, Steps};
use crate::{fuzz, process, proto, requirements, sim, test};

/// How many seeds of each property CI runs: seeds 0, 1, 2 and so on, the same ones each time.
const SEEDS: u64 = 100;

/// How long the simulator may begin new seeds in CI, so that a slow machine cannot use up the time of all else.
const SECONDS: u64 = 600;

/// The planted fault that the simulator has to find in every run of CI, and within how many seeds. All of them: `cargo xtask sim
/// --faults`.
const CANARY: &str = "SkipReplayCheck";
const CANARY_SEEDS: u64 = 100;

/// What `cargo xtask ci` can be told.
#[derive(clap::Args)]
pub(crate) struct Arguments {
    /// Run only these checks
    #[arg(value_enum)]
    checks: Vec<Check>,
}

/// The checks, in the order in which they run: what is asked most often first, then from quick to slow, such that
/// each finds most of what it needs built by those before.
#[derive(Clone, Copy, PartialEq, Eq, ValueEnum)]
enum Check {
    /// Every test of the workspace, as `cargo xtask test`
    Test,
    /// rustfmt finds nothing to change
    Format,
    /// The generated code is what proto/*.proto gives
    Generated,
    /// A crate depends only on crates above it, and cores on nothing that does I/O
    Arrows,
    /// The files and sections that the papers name exist
    Papers,
    /// Each rule of proto/PROTOCOL.md has a test, or a reason in proto/untested.txt
    Requirements,
    /// Each fuzz target has a corpus, and every target accepts all of it
    Corpora,
    /// cargo-deny: banned crates, licences, sources
    Deny,
    /// clippy without a warning, on all targets
    Clippy,
    /// rustdoc without a warning
    Docs,
    /// No build of the command or the library has planted faults
    Unplanted,
    /// The simulator's properties over fixed seeds, built for speed; and it finds a fault that is planted
    Sim,
    /// Each fuzz target for ten seconds, where nightly and cargo-fuzz exist
    Fuzz,
}

/// Runs the named checks, or all of them.
///
/// # Errors
/// If a check fails; the message names each that did and how to run it alone.
pub(crate) fn run(arguments: &Arguments) -> Result<()> {
    let checks = match arguments.checks.as_slice() {
        [] => Check::value_variants(),
        chosen => chosen,
    };
    let mut steps = Steps::default();
    for check in checks {
        let name = check.name();
        steps.run(name, &format!("cargo xtask ci {name}"), || check.run());
    }
    steps.finish()
}

impl Check {
    /// As one types it.
    fn name(self) -> &'static str {
        match self {
            Self::Test => "test",
            Self::Format => "format",
            Self::Generated => "generated",
            Self::Arrows => "arrows",
            Self::Papers => "papers",
            Self::Requirements => "requirements",
            Self::Corpora => "corpora",
            Self::Deny => "deny",
            Self::Clippy => "clippy",
            Self::Docs => "docs",
            Self::Unplanted => "unplanted",
            Self::Sim => "sim",
            Self::Fuzz => "fuzz",
        }
    }

    fn run(self) -> Result<Outcome> {
        match self {
            Self::Test => test::check(),
            Self::Format => cargo(&["fmt", "--all", "--check"]),
            Self::Generated => proto::check(),
            Self::Arrows => arrows::check(),
            Self::Papers => papers::check(),
            Self::Requirements => requirements::check(),
            Self::Corpora => corpora::check(),
            Self::Deny => deny(),
            Self::Clippy => cargo(&[
                "clippy",
                "--workspace",
                "--all-targets",
                "--locked",
                "--quiet",
                "--",
                "-D",
                "warnings",
            ]),
            Self::Docs => docs(),
            Self::Unplanted => sim::check_unplanted(),
            Self::Sim => simulator(),
            Self::Fuzz => fuzz::check(),
        }
    }
}

fn cargo(arguments: &[&str]) -> Result<Outcome> {
    process::run(process::cargo().args(arguments))?;
    Ok(Outcome::Passed(String::new()))
}

fn docs() -> Result<Outcome> {
    let mut command = process::cargo();
    command
        .args(["doc", "--workspace", "--no-deps", "--locked", "--quiet"])
        .env("RUSTDOCFLAGS", "-D warnings");
    process::run(&mut command)?;
    Ok(Outcome::Passed(String::new()))
}

/// Advisories need a database from the network and change without a change of ours: they are no part of this.
fn deny() -> Result<Outcome> {
    if !process::succeeds(process::cargo().args(["deny", "--version"])) {
        anyhow::bail!("no cargo-deny: get it with `cargo install --locked cargo-deny`");
    }
    cargo(&[
        "deny",
        "--locked",
        "--workspace",
        "check",
        "--hide-inclusion-graph",
        "bans",
        "licenses",
        "sources",
    ])
}

fn simulator() -> Result<Outcome> {
    let mut command = sim::simulator();
    command.args([
        "--seeds",
        &SEEDS.to_string(),
        "--within",
        &SECONDS.to_string(),
    ]);
    process::run(&mut command)?;
    // Who finds nothing may be blind.
    let mut canary = sim::simulator();
    canary.args(["--fault", CANARY, "--seeds", &CANARY_SEEDS.to_string()]);
    process::run(&mut canary)?;
    Ok(Outcome::Passed(format!("{SEEDS} seeds each, and {CANARY}")))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_check_is_named_as_the_command_line_names_it() {
        for check in Check::value_variants() {
            let typed = check.to_possible_value().unwrap();
            assert_eq!(typed.get_name(), check.name());
        }
    }
}
