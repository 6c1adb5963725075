//! What processes hold while time goes by.
#![expect(
    clippy::disallowed_methods,
    reason = "what is measured is a rise by the hour"
)]

use std::fmt::Write as _;
use std::fs;
use std::io::{IsTerminal, Write as _};
use std::path::{Path, PathBuf};
use std::time::{Duration, Instant};

use crate::slope::Slope;

/// The first part of the time, in which buffers grow to what the traffic needs, is not looked at.
const WARM_UP: f64 = 0.35;

/// Samples in all. More would tell no more.
const SAMPLES: u32 = 240;

/// Octets by the hour that a process may rise.
const RISE_MAX: f64 = 1024.0 * 1024.0;

/// And so much, however short the time: an allocator takes memory from the system in steps like these.
const STEP_MAX: f64 = 2.0 * 1024.0 * 1024.0;

/// Descriptors that may be in use beyond those at another time: connections come and go.
const DESCRIPTORS_MAX: f64 = 8.0;

/// A process and what it held.
struct Watched {
    name: &'static str,
    in_proc: PathBuf,
    resident: Vec<(f64, f64)>,
    descriptors: Vec<(f64, f64)>,
}

pub(crate) struct Watch {
    processes: Vec<Watched>,
    start: Instant,
    duration: Duration,
    /// Keeps nobody from sleeping: waiting for what never comes.
    pause: (std::sync::mpsc::Sender<()>, std::sync::mpsc::Receiver<()>),
}

/// What there is to say at the end.
pub(crate) struct Verdict {
    pub(crate) flat: bool,
    pub(crate) text: String,
}

impl Watch {
    pub(crate) fn new(processes: Vec<(&'static str, PathBuf)>, duration: Duration) -> Self {
        let processes = processes.into_iter().map(|(name, in_proc)| Watched {
            name,
            in_proc,
            resident: Vec::new(),
            descriptors: Vec::new(),
        });
        Self {
            processes: processes.collect(),
            start: Instant::now(),
            duration,
            pause: std::sync::mpsc::channel(),
        }
    }

    /// Waits for the next sample and takes it. False once the time is over.
    pub(crate) fn go_on(&mut self) -> bool {
        let _ = self.pause.1.recv_timeout(self.duration / SAMPLES);
        let passed = self.start.elapsed();
        for process in &mut self.processes {
            let at = passed.as_secs_f64();
            process.resident.push((at, resident(&process.in_proc)));
            process
                .descriptors
                .push((at, descriptors(&process.in_proc)));
        }
        self.show(passed);
        passed < self.duration
    }

    /// Progress, where somebody sees it.
    fn show(&self, passed: Duration) {
        let mut stderr = std::io::stderr();
        if !stderr.is_terminal() {
            return;
        }
        let mut line = format!(
            "\r{:5} s of {} s",
            passed.as_secs(),
            self.duration.as_secs()
        );
        for process in &self.processes {
            let mebibytes = process.resident.last().unwrap().1 / RISE_MAX;
            let descriptors = process.descriptors.last().unwrap().1;
            write!(
                line,
                "; {} {mebibytes:.1} MiB, {descriptors} open",
                process.name
            )
            .unwrap();
        }
        if passed >= self.duration {
            line.push('\n');
        }
        let _ = stderr.write_all(line.as_bytes());
    }

    pub(crate) fn verdict(&self) -> Verdict {
        let mut verdict = Verdict {
            flat: true,
            text: String::new(),
        };
        for process in &self.processes {
            let warm_up = |points: &[(f64, f64)]| {
                let from = WARM_UP * self.duration.as_secs_f64();
                let warm: Vec<_> = points
                    .iter()
                    .copied()
                    .filter(|point| point.0 >= from)
                    .collect();
                Slope::of(&warm)
            };
            let (resident, descriptors) =
                (warm_up(&process.resident), warm_up(&process.descriptors));
            let allowed = STEP_MAX.max(RISE_MAX * resident.seconds / 3600.0);
            let flat =
                resident.certain_rise() <= allowed && descriptors.certain_rise() <= DESCRIPTORS_MAX;
            verdict.flat &= flat;
            writeln!(
                verdict.text,
                "{:8} {} {:.1} MiB, rising by {:.2} MiB/h (± {:.2}); {} descriptors, by {:.2}/h (± {:.2})",
                process.name,
                if flat { "flat:" } else { "GROWS:" },
                process.resident.last().unwrap().1 / RISE_MAX,
                resident.per_hour() / RISE_MAX,
                3600.0 * resident.error / RISE_MAX,
                process.descriptors.last().unwrap().1,
                descriptors.per_hour(),
                3600.0 * descriptors.error,
            )
            .unwrap();
        }
        verdict
    }
}

fn resident(in_proc: &Path) -> f64 {
    let text = fs::read_to_string(in_proc.join("smaps_rollup")).unwrap();
    let line = text.lines().find(|line| line.starts_with("Rss:")).unwrap();
    1024.0
        * line
            .split_whitespace()
            .nth(1)
            .unwrap()
            .parse::<f64>()
            .unwrap()
}

fn descriptors(in_proc: &Path) -> f64 {
    let count = fs::read_dir(in_proc.join("fd")).unwrap().count();
    f64::from(u32::try_from(count).unwrap())
}
