//! What the kernel knows about a process: its core, its CPU time, its memory.

use std::fs;
use std::time::{Duration, Instant};

use anyhow::{Context, Result};
use rustix::process::{Resource, Rlimit, getrlimit, setrlimit};
use rustix::thread::{CpuSet, sched_setaffinity};

use crate::report::Figures;
use crate::statistics::now;

/// Keeps this process on one core. Has to be called before there are other threads.
///
/// # Errors
/// If there is no such core.
pub(crate) fn pin(core: usize) -> Result<()> {
    let mut set = CpuSet::new();
    set.set(core);
    sched_setaffinity(None, &set).with_context(|| format!("cannot run on core {core}"))
}

/// Lets the process open as many files as it may: thousands of connections may have a socket each.
pub(crate) fn raise_file_limit() -> Result<()> {
    let limit = getrlimit(Resource::Nofile);
    let raised = Rlimit {
        current: limit.maximum,
        maximum: limit.maximum,
    };
    setrlimit(Resource::Nofile, raised).context("cannot raise the limit of open files")
}

/// Resident memory of a process, in octets.
pub(crate) fn resident(process: u32) -> Result<u64> {
    let path = format!("/proc/{process}/status");
    let status = fs::read_to_string(&path).with_context(|| format!("cannot read {path}"))?;
    parse_resident(&status).with_context(|| format!("no VmRSS in {path}"))
}

fn parse_resident(status: &str) -> Option<u64> {
    let line = status
        .lines()
        .find_map(|line| line.strip_prefix("VmRSS:"))?;
    let kib: u64 = line.trim().strip_suffix(" kB")?.parse().ok()?;
    Some(kib * 1024)
}

/// CPU time of all threads of a process, in the kernel and outside, in seconds.
fn cpu_seconds(process: u32) -> Result<f64> {
    let path = format!("/proc/{process}/stat");
    let stat = fs::read_to_string(&path).with_context(|| format!("cannot read {path}"))?;
    let ticks = parse_cpu_ticks(&stat).with_context(|| format!("{path} is not as expected"))?;
    Ok(ticks as f64 / rustix::param::clock_ticks_per_second() as f64)
}

/// Fields 14 and 15 (proc_pid_stat(5)), counted after the name, which may contain anything.
fn parse_cpu_ticks(stat: &str) -> Option<u64> {
    let (_, fields) = stat.rsplit_once(')')?;
    let mut fields = fields.split_ascii_whitespace().skip(11);
    let user: u64 = fields.next()?.parse().ok()?;
    let system: u64 = fields.next()?.parse().ok()?;
    Some(user + system)
}

/// Time that passes, and CPU time that this process and the server spend meanwhile.
pub struct Stopwatch {
    server: u32,
    started: Instant,
    own_cpu: f64,
    server_cpu: f64,
}

/// What a [`Stopwatch`] showed.
#[derive(Clone, Copy, Debug)]
pub struct Lap {
    /// Time that passed.
    pub took: Duration,
    /// CPU seconds of this process.
    pub own_cpu: f64,
    /// CPU seconds of the server.
    pub server_cpu: f64,
}

impl Lap {
    /// The figures of so many octets of bulk data, which `up` says went from this process to the server.
    #[must_use]
    pub fn bulk(self, octets: u64, up: bool) -> Figures {
        let gib = octets as f64 / f64::from(1 << 30);
        let (sender, receiver) = if up {
            (self.own_cpu, self.server_cpu)
        } else {
            (self.server_cpu, self.own_cpu)
        };
        Figures::from([
            ("gbit_s", octets as f64 * 8e-9 / self.took.as_secs_f64()),
            ("sender_cpu_s_per_gib", sender / gib),
            ("receiver_cpu_s_per_gib", receiver / gib),
            ("cpu_s_per_gib", (sender + receiver) / gib),
        ])
    }

    /// The figures of datagrams.
    #[must_use]
    pub fn datagrams(self, sent: u64, arrived: u64) -> Figures {
        datagrams(sent, arrived, self.took.as_secs_f64())
    }
}

/// The figures of datagrams that arrived within so many seconds.
pub(crate) fn datagrams(sent: u64, arrived: u64, seconds: f64) -> Figures {
    Figures::from([
        ("per_second", arrived as f64 / seconds),
        ("arrived_percent", arrived as f64 / sent as f64 * 100.0),
    ])
}

impl Stopwatch {
    /// Starts it.
    ///
    /// # Errors
    /// If there is no such process.
    pub fn start(server: u32) -> Result<Self> {
        let own_cpu = cpu_seconds(std::process::id())?;
        let server_cpu = cpu_seconds(server)?;
        Ok(Self {
            server,
            started: now(),
            own_cpu,
            server_cpu,
        })
    }

    /// What it shows.
    ///
    /// # Errors
    /// If the server has gone.
    pub fn read(&self) -> Result<Lap> {
        let took = self.started.elapsed();
        Ok(Lap {
            took,
            own_cpu: cpu_seconds(std::process::id())? - self.own_cpu,
            server_cpu: cpu_seconds(self.server)? - self.server_cpu,
        })
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn cpu_time_is_found_behind_a_name_with_blanks_and_parentheses() {
        let stat = "42 (a (b) c) S 1 42 42 0 -1 4194560 100 0 0 0 250 50 3 4 20 0 1 0 5 6 7";
        assert_eq!(parse_cpu_ticks(stat), Some(300));
        assert_eq!(parse_cpu_ticks("42 (short) S 1"), None);
        assert_eq!(parse_cpu_ticks(""), None);
    }

    #[test]
    fn resident_memory_is_told_in_octets() {
        assert_eq!(
            parse_resident("Name:\tx\nVmRSS:\t    12 kB\n"),
            Some(12 * 1024)
        );
        assert_eq!(parse_resident("Name:\tx\n"), None);
    }

    #[test]
    fn cpu_time_belongs_to_the_side_that_spent_it() {
        let lap = Lap {
            took: Duration::from_secs(1),
            own_cpu: 3.0,
            server_cpu: 1.0,
        };
        let up = lap.bulk(1 << 30, true);
        assert_eq!(up["sender_cpu_s_per_gib"], 3.0);
        assert_eq!(up["receiver_cpu_s_per_gib"], 1.0);
        let down = lap.bulk(1 << 30, false);
        assert_eq!(down["sender_cpu_s_per_gib"], 1.0);
        assert_eq!(down["cpu_s_per_gib"], 4.0);
        assert!((up["gbit_s"] - 8.59).abs() < 0.01);
    }

    #[test]
    fn the_kernel_tells_both_of_this_process() {
        assert!(resident(std::process::id()).unwrap() > 100 * 1024);
        assert!(cpu_seconds(std::process::id()).unwrap() >= 0.0);
    }
}
