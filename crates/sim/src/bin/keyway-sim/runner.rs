//! Seeds on all cores: each run is one thread's alone, so that threads change nothing in it.
#![expect(
    clippy::disallowed_methods,
    reason = "measures for how long real people wait; no run sees it"
)]

use std::io::{IsTerminal, Write, stderr, stdout};
use std::num::NonZero;
use std::panic::{AssertUnwindSafe, catch_unwind};
use std::path::Path;
use std::process::ExitCode;
use std::sync::Mutex;
use std::thread;
use std::time::{Duration, Instant};

use keyway_sim::{Property, Report, Run};

use crate::arguments::Arguments;
use crate::stored::shrink_and_store;

/// Runs everything that was asked for and tells how it went.
pub(crate) fn run(arguments: &Arguments) -> ExitCode {
    let end = arguments.within.map(|within| Instant::now() + within);
    let mut failed = false;
    let mut waiting = u32::try_from(arguments.properties.len()).unwrap_or(u32::MAX);
    for property in &arguments.properties {
        // Of the time that is left, every property that still waits gets as much as this one.
        let now = Instant::now();
        let deadline = end.map(|end| now + end.saturating_duration_since(now) / waiting.max(1));
        waiting -= 1;
        let tally = run_property(arguments, *property, deadline);
        failed |= tally.failed > 0;
        say(&tally.line(property));
        if let Some(line) = tally.distribution() {
            say(&line);
        }
        if let (Some(seed), Some(folder)) = (tally.first_failed, &arguments.store)
            && property.name == "swarm"
        {
            store(seed, folder);
        }
    }
    if failed {
        ExitCode::FAILURE
    } else {
        ExitCode::SUCCESS
    }
}

/// Keeps what failed, so that it can be played again whatever becomes of the generator.
fn store(seed: u64, folder: &Path) {
    say("making the scenario smaller ...");
    match shrink_and_store(seed, folder) {
        Ok(file) => say(&format!(
            "       stored: cargo xtask sim --scenario {}",
            file.display()
        )),
        Err(error) => say(&format!("       cannot store it: {error}")),
    }
}

/// How a property fared so far.
#[derive(Debug)]
struct Tally {
    next: u64,
    end: u64,
    passed: u64,
    failed: u64,
    first_failed: Option<u64>,
    virtual_time: Duration,
    packets: u64,
    figures: Vec<Duration>,
    start: Instant,
}

fn run_property(arguments: &Arguments, property: Property, deadline: Option<Instant>) -> Tally {
    let seeds = &arguments.seeds;
    let most = property
        .seeds_max
        .map_or(u64::MAX, |most| seeds.start.saturating_add(most));
    let tally = Mutex::new(Tally {
        next: seeds.start,
        end: seeds.end.min(most),
        passed: 0,
        failed: 0,
        first_failed: None,
        virtual_time: Duration::ZERO,
        packets: 0,
        figures: Vec::new(),
        start: Instant::now(),
    });
    let workers = thread::available_parallelism().map_or(1, NonZero::get);
    thread::scope(|scope| {
        for _ in 0..workers {
            scope.spawn(|| work(arguments, property, deadline, &tally));
        }
    });
    if stderr().is_terminal() {
        eprint!("\r\x1b[K");
    }
    tally
        .into_inner()
        .expect("no thread panics while it holds the tally")
}

fn work(
    arguments: &Arguments,
    property: Property,
    deadline: Option<Instant>,
    tally: &Mutex<Tally>,
) {
    let late = || deadline.is_some_and(|deadline| Instant::now() >= deadline);
    while !late() {
        let Some(seed) = lock(tally).take() else {
            return;
        };
        let run = Run {
            seed,
            trace: arguments.trace,
        };
        // A panic is a failure like any other, and only we know the seed that leads to it.
        let result = catch_unwind(AssertUnwindSafe(|| (property.check)(run)));
        let mut tally = lock(tally);
        match result {
            Ok(Ok(report)) => tally.passed(property, seed, &report, arguments.replay),
            Ok(Err(failure)) => tally.failed(property, seed, &failure.to_string()),
            Err(_) => tally.failed(property, seed, "it panicked"),
        }
        tally.progress(property);
    }
}

/// Prints a line. Who has closed our standard output does not want to read on, and that is no failure.
fn say(line: &str) {
    let _ = writeln!(stdout(), "{line}");
}

fn lock(tally: &Mutex<Tally>) -> std::sync::MutexGuard<'_, Tally> {
    tally
        .lock()
        .expect("no thread panics while it holds the tally")
}

impl Tally {
    fn take(&mut self) -> Option<u64> {
        let seed = self.next;
        (seed < self.end).then(|| self.next += 1).map(|()| seed)
    }

    fn passed(&mut self, property: Property, seed: u64, report: &Report, tell: bool) {
        self.passed += 1;
        self.virtual_time += report.time;
        self.packets += report.packets;
        self.figures.extend(report.figure);
        if tell {
            say(&format!(
                "{} seed={seed}: {:.3} s, {} packets, trace {:016x}; {}",
                property.name,
                report.time.as_secs_f64(),
                report.packets,
                report.trace_hash,
                report.facts
            ));
        }
    }

    fn failed(&mut self, property: Property, seed: u64, what: &str) {
        self.failed += 1;
        self.first_failed = Some(self.first_failed.map_or(seed, |first| first.min(seed)));
        let name = property.name;
        say(&format!(
            "FAILED {name} seed={seed} {what}\n       replay: cargo xtask sim --seed {seed} {name}"
        ));
    }

    /// A line that is written over again and again: for people who watch, not for files.
    fn progress(&self, property: Property) {
        if stderr().is_terminal() {
            let done = self.passed + self.failed;
            eprint!(
                "\r{:<16} {done} seeds, {} failed",
                property.name, self.failed
            );
            // If it cannot be shown, nothing is lost.
            let _ = stderr().flush();
        }
    }

    /// How the figures of a property are spread, if it has some and they are many.
    fn distribution(&self) -> Option<String> {
        let mut figures = self.figures.clone();
        figures.sort_unstable();
        let last = figures.len().checked_sub(1).filter(|last| *last > 0)?;
        let at = |percent: usize| figures[last * percent / 100].as_secs_f64();
        let [half, most, nearly_all, all] = [50, 90, 99, 100].map(at);
        Some(format!(
            "                 p50 {half:.3} s, p90 {most:.3} s, p99 {nearly_all:.3} s, at most {all:.3} s"
        ))
    }

    fn line(&self, property: &Property) -> String {
        let left_out = self.end - self.next;
        let left_out = if left_out > 0 {
            format!(", {left_out} left out for want of time")
        } else {
            String::new()
        };
        format!(
            "{:<16} {} seeds passed, {} failed{left_out}  ({:.1} s for {:.0} s and {} packets of simulated time)",
            property.name,
            self.passed,
            self.failed,
            self.start.elapsed().as_secs_f64(),
            self.virtual_time.as_secs_f64(),
            self.packets,
        )
    }
}
