//! `cargo xtask test`: every test of the workspace, told in few lines.

use std::io::{BufRead, BufReader};
use std::process::Stdio;

use anyhow::{Context, Result, bail};

use crate::process;
use crate::step::{Outcome, Steps};

const ALONE: &str = "cargo xtask test";

/// Builds and runs all tests: unit, integration and documentation tests, and the replay of the fuzz corpora.
///
/// # Errors
/// If anything does not build or a test fails.
pub(crate) fn run() -> Result<()> {
    let mut steps = Steps::default();
    steps.run("test", ALONE, check);
    steps.finish()
}

/// The same as one step of `ci`.
pub(crate) fn check() -> Result<Outcome> {
    // Built first and on its own, so that cargo's progress is seen and the rest is the tests' own output.
    process::run(process::cargo().args([
        "test",
        "--workspace",
        "--locked",
        "--no-run",
        "--quiet",
    ]))?;
    let mut command = process::cargo();
    command
        .args(["test", "--workspace", "--locked", "--no-fail-fast"])
        .stdout(Stdio::piped());
    process::announce(&command);
    let mut child = command
        .spawn()
        .with_context(|| process::cannot_start(&command))?;
    let stdout = child.stdout.take().context("the tests have no output")?;
    let mut totals = Totals::default();
    for line in BufReader::new(stdout).lines() {
        if let Some(line) = totals.digest(&line.context("cannot read what the tests print")?) {
            println!("{line}");
        }
    }
    let status = child.wait()?;
    if !status.success() {
        bail!(
            "{} passed, {} failed ({status})",
            totals.passed,
            totals.failed
        );
    }
    if totals.ignored > 0 {
        bail!(
            "{} tests are ignored: a test that nobody runs shows nothing",
            totals.ignored
        );
    }
    Ok(Outcome::Passed(format!("{} tests", totals.passed)))
}

/// Sums what the test programs report, and decides which of their lines are worth showing.
#[derive(Default)]
struct Totals {
    passed: u64,
    failed: u64,
    ignored: u64,
}

impl Totals {
    /// What to print for a line of output: nothing for a test that passed, all that is said about one that did not.
    fn digest(&mut self, line: &str) -> Option<String> {
        let trimmed = line.trim();
        if let Some(result) = trimmed.strip_prefix("test result: ") {
            let passed = count(result, " passed");
            let failed = count(result, " failed");
            self.passed += passed;
            self.failed += failed;
            self.ignored += count(result, " ignored");
            return match (passed, failed) {
                (0, 0) => None,
                (_, 0) => Some(format!("       {passed} passed")),
                (_, _) => Some(format!("       {passed} passed, {failed} FAILED")),
            };
        }
        let passing = trimmed.starts_with("test ") && trimmed.ends_with(" ... ok");
        let announcing =
            trimmed.starts_with("running ") && trimmed.trim_end_matches('s').ends_with(" test");
        if trimmed.is_empty() || passing || announcing {
            return None;
        }
        Some(line.to_owned())
    }
}

/// The number directly before `label`, as in `12 passed`.
fn count(result: &str, label: &str) -> u64 {
    let Some((before, _)) = result.split_once(label) else {
        return 0;
    };
    before
        .rsplit(' ')
        .next()
        .and_then(|number| number.parse().ok())
        .unwrap_or(0)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn passing_tests_are_counted_in_one_line() {
        let mut totals = Totals::default();
        let lines = [
            "",
            "running 2 tests",
            "test tests::one ... ok",
            "test src/lib.rs - (line 3) ... ok",
            "test result: ok. 2 passed; 0 failed; 0 ignored; 0 measured; 0 filtered out; finished in 0.00s",
        ];
        let shown: Vec<_> = lines
            .iter()
            .filter_map(|line| totals.digest(line))
            .collect();
        assert_eq!(shown, ["       2 passed"]);
        assert_eq!((totals.passed, totals.failed, totals.ignored), (2, 0, 0));
    }

    #[test]
    fn all_that_a_failing_test_says_is_shown() {
        let mut totals = Totals::default();
        let lines = [
            "running 1 test",
            "test tests::one ... FAILED",
            "thread 'tests::one' panicked at src/lib.rs:7:9:",
            "test result: FAILED. 12 passed; 1 failed; 3 ignored; 0 measured; 0 filtered out; finished in 0.00s",
        ];
        let shown: Vec<_> = lines
            .iter()
            .filter_map(|line| totals.digest(line))
            .collect();
        assert_eq!(shown, [lines[1], lines[2], "       12 passed, 1 FAILED"]);
        assert_eq!((totals.passed, totals.failed, totals.ignored), (12, 1, 3));
    }

    #[test]
    fn programs_without_tests_are_not_mentioned() {
        let mut totals = Totals::default();
        assert_eq!(totals.digest("running 0 tests"), None);
        assert_eq!(
            totals.digest("test result: ok. 0 passed; 0 failed; 0 ignored; 0 measured"),
            None
        );
    }
}
