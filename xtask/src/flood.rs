//! `cargo xtask flood`: junk beside honest use, on loopback, with figures.

use anyhow::{Result, ensure};

use crate::process;

/// What `cargo xtask flood` can be told.
#[derive(clap::Args)]
pub(crate) struct Arguments {
    /// How long the junk comes; as long again is without it
    #[arg(long, value_name = "N", default_value_t = 30)]
    seconds: u32,
    /// Packets of junk a second
    #[arg(long, value_name = "N", default_value_t = 50_000)]
    rate: u32,
}

/// Runs the flood test of the command, built for speed.
///
/// # Errors
/// If junk was answered, or honest users had less than the test's figures promise them.
pub(crate) fn run(arguments: &Arguments) -> Result<()> {
    ensure!(
        (4..=600).contains(&arguments.seconds) && arguments.rate > 0,
        "--seconds is from 4 to 600, and --rate above 0"
    );
    let mut command = process::cargo();
    command
        .args(["test", "--release", "--locked", "--quiet"])
        .args(["--package", "keyway-cli", "--test", "flood"])
        .args(["--", "--nocapture", "--exact"])
        .arg("a_flood_of_junk_gets_nothing_and_hinders_nobody")
        .env("KEYWAY_FLOOD_SECONDS", arguments.seconds.to_string())
        .env("KEYWAY_FLOOD_RATE", arguments.rate.to_string());
    process::run(&mut command)
}
