//! `cargo xtask bench`: what each layer costs in time, and `cargo xtask bench counts`: in instructions; `cargo xtask bench peers`: Keyway
//! beside others, and `cargo xtask bench impaired`: beside quinn where the way is bad.

mod counts;
mod impaired;
mod peers;

use anyhow::Result;

use crate::process;

/// What `cargo xtask bench` can be told.
#[derive(clap::Args)]
#[command(args_conflicts_with_subcommands = true)]
pub(crate) struct Arguments {
    #[command(subcommand)]
    other: Option<Other>,
    /// Run only the benches whose name contains this
    filter: Option<String>,
}

#[derive(clap::Subcommand)]
enum Other {
    /// Count the instructions of what is benched, with valgrind, and compare with benches/results/counts.md
    Counts(counts::Arguments),
    /// Measure Keyway beside other transports, in processes of their own, and write benches/results
    Peers(peers::Arguments),
    /// Measure Keyway beside quinn over a way with little rate, delay and loss, and write benches/results/impaired.md
    Impaired(impaired::Arguments),
}

/// Builds and runs the benches.
///
/// # Errors
/// If they do not build or do not run to their end.
pub(crate) fn run(arguments: &Arguments) -> Result<()> {
    match &arguments.other {
        Some(Other::Counts(arguments)) => return counts::run(arguments),
        Some(Other::Peers(arguments)) => return peers::run(arguments),
        Some(Other::Impaired(arguments)) => return impaired::run(arguments),
        None => {}
    }
    let mut command = process::cargo();
    command
        .args(["bench", "--locked", "--package", "keyway-benches"])
        .args(["--bench", "layers"]);
    if let Some(filter) = &arguments.filter {
        command.args(["--", filter]);
    }
    process::run(&mut command)
}
