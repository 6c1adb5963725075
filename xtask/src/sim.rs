//! `cargo xtask sim`: the simulator's properties over many seeds.
#![expect(
    clippy::disallowed_methods,
    reason = "a tool for people: whoever names no seeds gets some that nobody has tried"
)]

use std::path::PathBuf;
use std::time::{SystemTime, UNIX_EPOCH};

use anyhow::{Result, bail};

use crate::step::Outcome;
use crate::{process, workspace};

/// The feature that plants faults, and that nothing but the simulator may turn on.
const FAULTS: &str = "planted-faults";

/// What `cargo xtask sim` can be told; handed on to the simulator as it is.
#[derive(clap::Args)]
pub(crate) struct Arguments {
    /// Run only these properties (`help` lists them)
    #[arg(value_name = "PROPERTY")]
    properties: Vec<String>,
    /// Run this many seeds of each property, the same ones each time; without it, 100 that nobody has tried
    #[arg(long, value_name = "N", conflicts_with = "seed")]
    seeds: Option<u64>,
    /// Begin with this seed
    #[arg(long, value_name = "S", conflicts_with = "seed")]
    from: Option<u64>,
    /// Replay this one seed
    #[arg(long, value_name = "S")]
    seed: Option<u64>,
    /// Run only this property, as if it were named at the end
    #[arg(long, value_name = "NAME")]
    property: Option<String>,
    /// Print every packet's fate (only with --seed or --scenario)
    #[arg(long)]
    trace: bool,
    /// Play the scenario of this file
    #[arg(long, value_name = "FILE")]
    scenario: Option<PathBuf>,
    /// Hunt for every planted fault
    #[arg(long)]
    faults: bool,
    /// Hunt for this planted fault alone
    #[arg(long, value_name = "NAME")]
    fault: Option<String>,
    /// Let every kind of NAT meet every other, ten times or --seeds times, and print what became of each pair
    #[arg(long, conflicts_with_all = ["properties", "property", "scenario", "faults", "fault"])]
    matrix: bool,
    /// How the networks of the matrix lie to each other; `all` for all that there are
    #[arg(long, value_name = "NAME", requires = "matrix")]
    setting: Option<String>,
    /// Only this pair of the matrix, dialler first
    #[arg(long, value_name = "A,B", requires = "matrix")]
    pair: Option<String>,
    /// Print the matrix as JSON
    #[arg(long, requires = "matrix")]
    json: bool,
}

/// Builds the simulator for speed, and runs it.
///
/// # Errors
/// If a property fails for a seed, or a pair of the matrix is not as it has to be; the simulator has said how to replay it.
pub(crate) fn run(arguments: &Arguments) -> Result<()> {
    let mut command = simulator();
    let hunts = arguments.faults || arguments.fault.is_some();
    let names_seeds = arguments.seeds.is_some() || arguments.seed.is_some();
    let is_fresh = !names_seeds && !hunts && !arguments.matrix && arguments.scenario.is_none();
    let from = arguments.from.or_else(|| is_fresh.then(fresh_base));
    if let Some(base) = from.filter(|_| is_fresh) {
        println!("fresh seeds from {base} on; the same again: --from {base} --seeds 100");
    }
    for (flag, value) in [
        ("--seeds", arguments.seeds),
        ("--seed", arguments.seed),
        ("--from", from),
    ] {
        if let Some(value) = value {
            command.args([flag, &value.to_string()]);
        }
    }
    for property in arguments.properties.iter().chain(&arguments.property) {
        command.args(["--property", property]);
    }
    if let Some(file) = &arguments.scenario {
        command.arg("--scenario").arg(file);
    }
    for (flag, name) in [
        ("--fault", &arguments.fault),
        ("--setting", &arguments.setting),
        ("--pair", &arguments.pair),
    ] {
        if let Some(name) = name {
            command.args([flag, name]);
        }
    }
    for (flag, is_on) in [
        ("--trace", arguments.trace),
        ("--faults", arguments.faults),
        ("--matrix", arguments.matrix),
        ("--json", arguments.json),
    ] {
        if is_on {
            command.arg(flag);
        }
    }
    // What fails is kept where the tests play it again.
    command
        .arg("--store")
        .arg(workspace::root().join("crates/sim/scenarios"));
    process::run(&mut command)
}

/// Some number that nobody has used: the microseconds since 1970.
fn fresh_base() -> u64 {
    let since = SystemTime::now().duration_since(UNIX_EPOCH);
    since.map_or(0, |since| {
        u64::try_from(since.as_micros()).unwrap_or(u64::MAX / 2)
    })
}

/// The simulator, built in release, awaiting its arguments. Faults can be planted in it, so that one build does for both; without
/// being told so it plants none.
pub(crate) fn simulator() -> std::process::Command {
    let mut command = process::cargo();
    command.args([
        "run",
        "--release",
        "--locked",
        "--quiet",
        "--package",
        "keyway-sim",
        "--features",
        FAULTS,
        "--",
    ]);
    command
}

/// Nobody who builds the command, or uses the library, gets planted faults.
///
/// # Errors
/// If one would.
pub(crate) fn check_unplanted() -> Result<Outcome> {
    for package in ["keyway", "keyway-cli"] {
        let mut command = process::cargo();
        command.args([
            "tree",
            "--locked",
            "--package",
            package,
            "--edges",
            "features,no-dev",
            "--all-features",
        ]);
        let output = command.output()?;
        if !output.status.success() {
            bail!("cargo tree fails for {package}");
        }
        if String::from_utf8_lossy(&output.stdout).contains(FAULTS) {
            bail!("{package} turns on {FAULTS}");
        }
    }
    Ok(Outcome::Passed(format!("{FAULTS} is off")))
}
