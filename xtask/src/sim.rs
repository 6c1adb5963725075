//! `cargo xtask sim`: the simulator's properties over many seeds.

use anyhow::Result;

use crate::process;

/// What `cargo xtask sim` can be told; handed on to the simulator as it is.
#[derive(clap::Args)]
pub(crate) struct Arguments {
    /// Run this many seeds of each property, from 0 on [default: 100]
    #[arg(long, value_name = "N", conflicts_with = "seed")]
    seeds: Option<u64>,
    /// Replay this one seed
    #[arg(long, value_name = "S")]
    seed: Option<u64>,
    /// Run only this property (`--property help` lists them)
    #[arg(long, value_name = "NAME")]
    property: Option<String>,
    /// Print every packet's fate (only with --seed)
    #[arg(long, requires = "seed")]
    trace: bool,
}

/// Builds the simulator for speed, and runs it.
///
/// # Errors
/// If a property fails for a seed; the simulator has said how to replay it.
pub(crate) fn run(arguments: &Arguments) -> Result<()> {
    let mut command = simulator();
    for (flag, value) in [("--seeds", arguments.seeds), ("--seed", arguments.seed)] {
        if let Some(value) = value {
            command.args([flag, &value.to_string()]);
        }
    }
    if let Some(property) = &arguments.property {
        command.args(["--property", property]);
    }
    if arguments.trace {
        command.arg("--trace");
    }
    process::run(&mut command)
}

/// The simulator, built in release, awaiting its arguments.
pub(crate) fn simulator() -> std::process::Command {
    let mut command = process::cargo();
    command.args([
        "run",
        "--release",
        "--locked",
        "--quiet",
        "--package",
        "keyway-sim",
        "--",
    ]);
    command
}
