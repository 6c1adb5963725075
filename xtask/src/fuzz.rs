//! `cargo xtask fuzz`: the fuzz targets, each for some seconds, starting from the corpora in `fuzz/corpus`.

use std::fs;
use std::path::PathBuf;

use anyhow::{Context, Result, bail, ensure};

use crate::process;
use crate::step::{Outcome, Steps};
use crate::workspace;

/// The package that holds the targets.
pub(crate) const PACKAGE: &str = "keyway-fuzz";

/// The test of that package that replays the corpora.
pub(crate) const REPLAY: &str = "corpus";

/// How long a target runs in CI.
const CI_SECONDS: u64 = 10;

/// libFuzzer's seed in CI, so that two runs of the same code look at much the same inputs. Any number but 0 would do.
const CI_SEED: u32 = 1;

/// When a target has run enough.
#[derive(Clone, Copy)]
enum Bound {
    Seconds(u64),
    Executions(u64),
}

impl Bound {
    fn flag(self) -> String {
        match self {
            Self::Seconds(seconds) => format!("-max_total_time={seconds}"),
            Self::Executions(executions) => format!("-runs={executions}"),
        }
    }
}

/// How much of what libFuzzer has to say is shown.
#[derive(Clone, Copy)]
enum Talk {
    Little,
    All,
}

impl Talk {
    fn verbosity(self) -> &'static str {
        match self {
            Self::Little => "-verbosity=0",
            Self::All => "-verbosity=1",
        }
    }
}

/// What `cargo xtask fuzz` can be told.
#[derive(clap::Args)]
pub(crate) struct Arguments {
    /// The target to run; without it, the targets are listed
    target: Option<String>,
    /// How long to run each target
    #[arg(long, value_name = "N", default_value_t = 60)]
    seconds: u64,
    /// Run each target this many times instead, however long that takes
    #[arg(long, value_name = "N", conflicts_with = "seconds")]
    executions: Option<u64>,
    /// Run all targets, one after the other
    #[arg(long, conflicts_with = "target")]
    all: bool,
}

/// Runs one target or all of them.
///
/// # Errors
/// If the tools are missing, the target is unknown, or a target found a crash.
pub(crate) fn run(arguments: &Arguments) -> Result<()> {
    let targets = targets()?;
    let chosen = match &arguments.target {
        Some(target) => {
            ensure!(
                targets.contains(target),
                "there is no target `{target}`; there are: {}",
                targets.join(", ")
            );
            vec![target.clone()]
        }
        None if arguments.all => targets,
        None => {
            println!("Targets (name one, or say --all):");
            targets.iter().for_each(|target| println!("  {target}"));
            return Ok(());
        }
    };
    if let Some(missing) = missing_tool() {
        bail!("{missing}");
    }
    let (bound, flags) = match arguments.executions {
        Some(executions) => (
            Bound::Executions(executions),
            format!("--executions {executions}"),
        ),
        None => (
            Bound::Seconds(arguments.seconds),
            format!("--seconds {}", arguments.seconds),
        ),
    };
    build()?;
    let mut steps = Steps::default();
    for target in &chosen {
        let alone = format!("cargo xtask fuzz {target} {flags}");
        steps.run("fuzz", &alone, || {
            fuzz(target, bound, None, Talk::All)?;
            Ok(Outcome::Passed(target.clone()))
        });
    }
    steps.finish()
}

/// The same as one step of `ci`: every target for a few seconds, where the tools exist.
pub(crate) fn check() -> Result<Outcome> {
    if let Some(missing) = missing_tool() {
        return Ok(Outcome::Skipped(missing));
    }
    let targets = targets()?;
    ensure!(!targets.is_empty(), "the package {PACKAGE} has no targets");
    build()?;
    for target in &targets {
        fuzz(
            target,
            Bound::Seconds(CI_SECONDS),
            Some(CI_SEED),
            Talk::Little,
        )
        .with_context(|| format!("again with `cargo xtask fuzz {target}`"))?;
    }
    Ok(Outcome::Passed(format!(
        "{} targets, {} s each",
        targets.len(),
        CI_SECONDS
    )))
}

/// The names of all targets.
///
/// # Errors
/// If the workspace has no package of fuzz targets.
pub(crate) fn targets() -> Result<Vec<String>> {
    let package = workspace::packages()?
        .into_iter()
        .find(|package| package.name == PACKAGE)
        .with_context(|| format!("the workspace has no package {PACKAGE}"))?;
    Ok(package.binaries)
}

/// Where the committed inputs of a target lie.
pub(crate) fn corpus(target: &str) -> PathBuf {
    workspace::root().join("fuzz/corpus").join(target)
}

/// Builds all targets at once: one after the other, each would wait for the linker of the one before.
fn build() -> Result<()> {
    process::run(nightly().args(["fuzz", "build", "--sanitizer", "none"]))
}

/// Runs one target. What it finds stays below `target/`, so that the committed corpus changes only on purpose.
fn fuzz(target: &str, bound: Bound, seed: Option<u32>, talk: Talk) -> Result<()> {
    let found = workspace::root().join("target/fuzz-corpus").join(target);
    fs::create_dir_all(&found).with_context(|| format!("cannot make {}", found.display()))?;
    let mut command = nightly();
    // Nothing here is unsafe, so that a sanitizer would find nothing; without it, a target is several times faster.
    command
        .args(["fuzz", "run", "--sanitizer", "none", target])
        .arg(&found)
        .arg(corpus(target));
    command.args([
        "--",
        &bound.flag(),
        &format!("-seed={}", seed.unwrap_or(0)),
        "-timeout=10",
        "-print_final_stats=1",
        talk.verbosity(),
    ]);
    process::run(&mut command)
}

/// What is missing for fuzzing, and how to get it.
fn missing_tool() -> Option<String> {
    // rustup is not to install it by itself: that would be a surprise of many megabytes.
    if !process::succeeds(nightly().arg("--version").env("RUSTUP_AUTO_INSTALL", "0")) {
        return Some(
            "no nightly toolchain: get it with `rustup toolchain install nightly`".to_owned(),
        );
    }
    if !process::succeeds(nightly().args(["fuzz", "--version"])) {
        return Some("no cargo-fuzz: get it with `cargo install --locked cargo-fuzz`".to_owned());
    }
    None
}

/// cargo of the nightly toolchain: libFuzzer's instrumentation needs it. By rustup's proxy, hence not the cargo that
/// started us.
fn nightly() -> std::process::Command {
    let mut command = process::program("cargo");
    // Optimising across crates anew for each target takes minutes, and gains little for runs of seconds.
    command
        .arg("+nightly")
        .env("CARGO_PROFILE_RELEASE_LTO", "off");
    command
}
