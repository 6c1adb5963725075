//! `cargo xtask bench`: the micro-benchmarks.

use anyhow::Result;

use crate::process;

/// What `cargo xtask bench` can be told.
#[derive(clap::Args)]
pub(crate) struct Arguments {
    /// Run only the benches whose name contains this
    filter: Option<String>,
}

/// Builds and runs the benches.
///
/// # Errors
/// If they do not build or do not run to their end.
pub(crate) fn run(arguments: &Arguments) -> Result<()> {
    let mut command = process::cargo();
    command.args(["bench", "--locked", "--package", "keyway-benches"]);
    if let Some(filter) = &arguments.filter {
        command.args(["--", filter]);
    }
    process::run(&mut command)
}
