//! Seeds on all cores: each run is one thread's alone, so that threads change nothing in it.
#![expect(
    clippy::disallowed_methods,
    reason = "measures for how long real people wait; no run sees it"
)]

use std::io::{IsTerminal, Write, stderr};
use std::num::NonZero;
use std::panic::{AssertUnwindSafe, catch_unwind};
use std::process::ExitCode;
use std::sync::Mutex;
use std::thread;
use std::time::{Duration, Instant};

use keyway_sim::{Property, Report, Run};

use crate::arguments::Arguments;

/// Runs everything that was asked for and tells how it went.
pub(crate) fn run(arguments: &Arguments) -> ExitCode {
    let start = Instant::now();
    let deadline = arguments.within.map(|within| start + within);
    let mut failed = false;
    for property in &arguments.properties {
        let tally = run_property(arguments, *property, deadline);
        failed |= tally.failed > 0;
        println!("{}", tally.line(property));
    }
    if failed {
        ExitCode::FAILURE
    } else {
        ExitCode::SUCCESS
    }
}

/// How a property fared so far.
#[derive(Debug)]
struct Tally {
    next: u64,
    end: u64,
    passed: u64,
    failed: u64,
    virtual_time: Duration,
    packets: u64,
    start: Instant,
}

fn run_property(arguments: &Arguments, property: Property, deadline: Option<Instant>) -> Tally {
    let tally = Mutex::new(Tally {
        next: arguments.seeds.start,
        end: arguments.seeds.end,
        passed: 0,
        failed: 0,
        virtual_time: Duration::ZERO,
        packets: 0,
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
        if tell {
            println!(
                "{} seed={seed}: {:.3} s, {} packets, trace {:016x}; {}",
                property.name,
                report.time.as_secs_f64(),
                report.packets,
                report.trace_hash,
                report.facts
            );
        }
    }

    fn failed(&mut self, property: Property, seed: u64, what: &str) {
        self.failed += 1;
        let name = property.name;
        println!(
            "FAILED {name} seed={seed} {what}\n       replay: cargo xtask sim --property {name} --seed {seed}"
        );
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
