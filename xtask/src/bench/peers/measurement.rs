//! One measurement: a server, a client, and one line from each.

use std::io::{BufRead, BufReader};
use std::process::{Child, ChildStdin, ChildStdout, Command, Stdio};
use std::sync::mpsc;
use std::time::Duration;

use anyhow::{Context, Result, anyhow, bail};
use serde_json::Value;

use super::programs::Row;
use super::results::Figures;
use crate::process;

/// The core of each end.
const SERVER_CORE: &str = "0";
const CLIENT_CORE: &str = "1";

/// How long a server may take until it can be connected to.
pub(in crate::bench) const START: Duration = Duration::from_secs(20);

/// How much is measured.
pub(in crate::bench) struct Plan {
    pub(in crate::bench) seconds: f64,
    pub(in crate::bench) idle: Vec<usize>,
}

impl Plan {
    /// When a measurement is given up. Whatever its speed, it takes a small multiple of what was planned; only connections are
    /// many.
    fn deadline(&self, workload: &str) -> Duration {
        let connections = match workload {
            "memory" => self.idle.iter().max().copied().unwrap_or(0),
            _ => 0,
        };
        let seconds = 40.0 + 4.0 * self.seconds + connections as f64 / 50.0;
        Duration::from_secs_f64(seconds)
    }
}

/// Measures one workload of one row, in fresh processes.
///
/// # Errors
/// If an end fails, says nothing in time, or something else than figures.
pub(in crate::bench) fn run(row: &Row, workload: &str, plan: &Plan) -> Result<Figures> {
    let mut command = process::program(&row.program);
    command.args(["serve", &row.name, "--core", SERVER_CORE]);
    let mut server = Running::start(&mut command)?;
    let address = match server.line(START).context("the server")? {
        Line::Ready(address) => address,
        Line::Figures(_) => bail!("the server has figures before it was asked"),
    };
    let idle: Vec<String> = plan.idle.iter().map(ToString::to_string).collect();
    let mut command = process::program(&row.program);
    command
        .args(["measure", &row.name, workload, "--core", CLIENT_CORE])
        .args(["--server", &server.id().to_string()])
        .args(["--address", &address])
        .args(["--seconds", &plan.seconds.to_string()])
        .args(["--idle", &idle.join(",")]);
    let mut client = Running::start(&mut command)?;
    match client.line(plan.deadline(workload)).context("the client")? {
        Line::Figures(figures) => Ok(figures),
        Line::Ready(_) => bail!("the client wants to be connected to"),
    }
}

/// A process that ends when this is dropped.
pub(in crate::bench) struct Running {
    child: Child,
    /// Open, because a server ends with its standard input.
    _input: Option<ChildStdin>,
    output: Option<ChildStdout>,
}

impl Running {
    pub(in crate::bench) fn start(command: &mut Command) -> Result<Self> {
        let mut child = command
            .stdin(Stdio::piped())
            .stdout(Stdio::piped())
            .spawn()
            .with_context(|| process::cannot_start(command))?;
        Ok(Self {
            _input: child.stdin.take(),
            output: child.stdout.take(),
            child,
        })
    }

    /// The number of the process.
    pub(in crate::bench) fn id(&self) -> u32 {
        self.child.id()
    }

    /// The first line that it prints.
    pub(in crate::bench) fn line(&mut self, deadline: Duration) -> Result<Line> {
        let output = self.output.take().context("has told everything")?;
        let (tell, told) = mpsc::channel();
        // Ends with the process.
        std::thread::spawn(move || {
            let mut line = String::new();
            let read = BufReader::new(output).read_line(&mut line);
            // Nobody may be waiting any more.
            let _ = tell.send(read.map(|_| line));
        });
        let line = told
            .recv_timeout(deadline)
            .map_err(|_| anyhow!("said nothing within {} s", deadline.as_secs()))??;
        parse(&line)
    }
}

impl Drop for Running {
    fn drop(&mut self) {
        // Both fail only if it has ended already.
        let _ = self.child.kill();
        let _ = self.child.wait();
    }
}

/// What a program may say.
#[derive(Debug, PartialEq)]
pub(in crate::bench) enum Line {
    Ready(String),
    Figures(Figures),
}

fn parse(line: &str) -> Result<Line> {
    if line.is_empty() {
        bail!("ended without a word");
    }
    let value: Value =
        serde_json::from_str(line).with_context(|| format!("said `{}`", line.trim()))?;
    if let Some(reason) = value["failed"].as_str() {
        bail!("{reason}");
    }
    if let Some(address) = value["ready"].as_str() {
        return Ok(Line::Ready(address.to_owned()));
    }
    let figures = value["figures"]
        .as_object()
        .with_context(|| format!("said `{}`", line.trim()))?;
    figures
        .iter()
        .map(|(name, figure)| {
            let figure = figure
                .as_f64()
                .filter(|figure| figure.is_finite())
                .with_context(|| format!("`{name}` is not a number"))?;
            Ok((name.clone(), figure))
        })
        .collect::<Result<_>>()
        .map(Line::Figures)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_line_is_an_address_figures_or_a_failure() {
        let ready = parse(r#"{"ready":"127.0.0.1:1"}"#).unwrap();
        assert_eq!(ready, Line::Ready("127.0.0.1:1".to_owned()));
        let figures = parse(r#"{"figures":{"gbit_s":7.5,"p50_us":81}}"#).unwrap();
        let expected = [("gbit_s".to_owned(), 7.5), ("p50_us".to_owned(), 81.0)];
        assert_eq!(figures, Line::Figures(expected.into()));
        let failed = parse(r#"{"failed":"the stream ended"}"#).unwrap_err();
        assert_eq!(failed.to_string(), "the stream ended");
    }

    #[test]
    fn anything_else_is_told_as_it_was_said() {
        for (line, told) in [
            ("", "ended without a word"),
            ("thread panicked", "thread panicked"),
            ("{}", "{}"),
            (r#"{"figures":{"gbit_s":null}}"#, "`gbit_s`"),
        ] {
            let error = format!("{:#}", parse(line).unwrap_err());
            assert!(error.contains(told), "{error}");
        }
    }

    #[test]
    fn a_process_that_says_nothing_is_given_up() {
        // `cat` waits for its input, which stays open.
        let mut silent = Running::start(&mut process::program("cat")).unwrap();
        let error = silent.line(Duration::from_millis(10)).unwrap_err();
        assert!(error.to_string().contains("said nothing"));
    }

    #[test]
    fn many_connections_get_more_time() {
        let plan = Plan {
            seconds: 2.0,
            idle: vec![1_000, 10_000],
        };
        assert_eq!(plan.deadline("stream"), Duration::from_secs(48));
        assert_eq!(plan.deadline("memory"), Duration::from_secs(248));
    }
}
