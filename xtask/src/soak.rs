//! `cargo xtask soak`: mixed traffic for as long as one wants, and whether any process grows.

use std::io::{IsTerminal, stdout};

use anyhow::{Result, ensure};

use crate::process;

/// What `cargo xtask soak` can be told.
#[derive(clap::Args)]
pub(crate) struct Arguments {
    /// For how long
    #[arg(long, value_name = "N", default_value_t = 60.0)]
    minutes: f64,
}

/// Runs the soak test of the command for as long as it is told to.
///
/// # Errors
/// If the traffic breaks, or a process grows.
pub(crate) fn run(arguments: &Arguments) -> Result<()> {
    ensure!(
        arguments.minutes.is_finite() && arguments.minutes > 0.0,
        "--minutes is a number above 0, such as 60"
    );
    if !stdout().is_terminal() {
        eprintln!(
            "the verdict comes after {} minutes; a terminal sees more meanwhile",
            arguments.minutes
        );
    }
    let mut command = process::cargo();
    command
        .args(["test", "--locked", "--quiet", "--package", "keyway-cli"])
        .args(["--test", "soak", "--", "--nocapture"])
        .env("KEYWAY_SOAK_MINUTES", arguments.minutes.to_string());
    process::run(&mut command)
}
