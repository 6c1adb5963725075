//! Steps: each is announced, timed, and told how to be run alone when it fails.
#![expect(
    clippy::disallowed_methods,
    reason = "a tool for people: it measures how long they waited"
)]

use std::time::{Duration, Instant};

use anyhow::{Result, bail};

/// What became of a step that did not fail.
pub(crate) enum Outcome {
    /// It passed; the text adds a fact (may be empty).
    Passed(String),
    /// It could not run here, for this reason, and that is no failure.
    Skipped(String),
}

/// Runs steps one after the other and remembers how each went. A step that fails does not stop the next: who waited
/// for one run should learn everything.
#[derive(Default)]
pub(crate) struct Steps {
    finished: Vec<Finished>,
}

struct Finished {
    name: &'static str,
    took: Duration,
    verdict: Verdict,
}

enum Verdict {
    Passed(String),
    Skipped(String),
    Failed { alone: String },
}

impl Steps {
    /// Announces and runs one step; `alone` is the command that runs just this step.
    pub(crate) fn run(
        &mut self,
        name: &'static str,
        alone: &str,
        work: impl FnOnce() -> Result<Outcome>,
    ) {
        eprintln!("\n== {name}");
        let start = Instant::now();
        let result = work();
        let took = start.elapsed();
        let verdict = match result {
            Ok(Outcome::Passed(fact)) => Verdict::Passed(fact),
            Ok(Outcome::Skipped(reason)) => Verdict::Skipped(reason),
            Err(error) => {
                eprintln!("error: {error:#}");
                Verdict::Failed {
                    alone: alone.to_owned(),
                }
            }
        };
        let finished = Finished {
            name,
            took,
            verdict,
        };
        eprintln!("{}", finished.line());
        self.finished.push(finished);
    }

    /// Prints the summary of all steps.
    ///
    /// # Errors
    /// If a step failed; the message names each and how to run it alone.
    pub(crate) fn finish(self) -> Result<()> {
        if self.finished.len() > 1 {
            let total: Duration = self.finished.iter().map(|step| step.took).sum();
            eprintln!("\n== summary ({})", seconds(total));
            for step in &self.finished {
                eprintln!("{}", step.line());
            }
        }
        let failed: Vec<String> = self.finished.iter().filter_map(Finished::failure).collect();
        if failed.is_empty() {
            return Ok(());
        }
        bail!("{}", failed.join("\n       "));
    }
}

impl Finished {
    fn line(&self) -> String {
        let (mark, rest) = match &self.verdict {
            Verdict::Passed(fact) => ("ok", fact.as_str()),
            Verdict::Skipped(reason) => ("SKIPPED", reason.as_str()),
            Verdict::Failed { .. } => ("FAILED", ""),
        };
        let head = format!("   {:<12} {mark:<7} {:>8}", self.name, seconds(self.took));
        if rest.is_empty() {
            head
        } else {
            format!("{head}  {rest}")
        }
    }

    fn failure(&self) -> Option<String> {
        match &self.verdict {
            Verdict::Failed { alone } => Some(format!(
                "step `{}` failed; run it alone with `{alone}`",
                self.name
            )),
            Verdict::Passed(_) | Verdict::Skipped(_) => None,
        }
    }
}

fn seconds(duration: Duration) -> String {
    format!("{:.1} s", duration.as_secs_f64())
}

#[cfg(test)]
mod tests {
    use anyhow::anyhow;

    use super::*;

    #[test]
    fn steps_that_pass_or_are_skipped_make_no_failure() {
        let mut steps = Steps::default();
        steps.run("one", "cargo xtask ci one", || {
            Ok(Outcome::Passed(String::new()))
        });
        steps.run("two", "cargo xtask ci two", || {
            Ok(Outcome::Skipped("no nightly".to_owned()))
        });
        assert!(steps.finished[1].line().contains("SKIPPED"));
        assert!(steps.finished[1].line().contains("no nightly"));
        assert!(steps.finish().is_ok());
    }

    #[test]
    fn a_failure_stops_no_other_step_and_tells_how_to_run_it_alone() {
        let mut steps = Steps::default();
        let mut second_ran = false;
        steps.run("one", "cargo xtask ci one", || Err(anyhow!("broken")));
        steps.run("two", "cargo xtask ci two", || {
            second_ran = true;
            Ok(Outcome::Passed(String::new()))
        });
        let error = steps.finish().unwrap_err().to_string();
        assert!(second_ran);
        assert!(error.contains("`one` failed; run it alone with `cargo xtask ci one`"));
        assert!(!error.contains("`two`"));
    }
}
