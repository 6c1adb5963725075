//! The committed corpora: each fuzz target has one, and the tests of the fuzz package replay it on stable.

use std::fs;

use anyhow::{Context, Result, bail};

use crate::step::Outcome;
use crate::{fuzz, process};

/// Each target has inputs in `fuzz/corpus`, no corpus is left without its target, and every input passes.
pub(super) fn check() -> Result<Outcome> {
    let targets = fuzz::targets()?;
    let mut inputs = 0;
    for target in &targets {
        let folder = fuzz::corpus(target);
        let count = fs::read_dir(&folder)
            .with_context(|| format!("{target} has no corpus in {}", folder.display()))?
            .count();
        if count == 0 {
            bail!("the corpus of {target} is empty");
        }
        inputs += count;
    }
    let all = fuzz::corpus("");
    for entry in fs::read_dir(&all).with_context(|| format!("cannot list {}", all.display()))? {
        let name = entry?.file_name().to_string_lossy().into_owned();
        if !targets.contains(&name) {
            bail!("fuzz/corpus/{name} belongs to no target");
        }
    }
    // Of the whole workspace, so that the features, and with them what `test` has built, are the same.
    let mut replay = process::cargo();
    replay.args(["test", "--workspace", "--locked", "--quiet"]);
    process::run(replay.args(["--test", fuzz::REPLAY]))?;
    Ok(Outcome::Passed(format!(
        "{inputs} inputs of {} targets",
        targets.len()
    )))
}
