//! One measurement over a bad way: servers, the way, and clients, in processes of their own.

use std::time::Duration;

use anyhow::{Context, Result, bail, ensure};

use crate::bench::peers::measurement::{Line, Running, START};
use crate::bench::peers::programs::Row;
use crate::bench::peers::results::Figures;
use crate::{process, workspace};

/// The program that is the way.
pub(super) const PROGRAM: &str = "impairment";

/// Octets of a full packet.
const PACKET: f64 = 1_452.0;

/// Packets for which there is room at least.
const QUEUE_PACKETS_MIN: f64 = 32.0;

/// What the way is like.
#[derive(Clone, Copy, Debug)]
pub(super) struct Way {
    /// Mbit/s.
    pub(super) rate: f64,
    /// Milliseconds.
    pub(super) round_trip: f64,
    /// Packets of a hundred, each way.
    pub(super) loss: f64,
    /// Packets of a hundred, each way.
    pub(super) reorder: f64,
    /// Chance follows from it.
    pub(super) seed: usize,
}

impl Way {
    /// Octets that may wait: as many as are in flight when the link is full and nobody waits.
    pub(super) fn queue(&self) -> f64 {
        let in_flight = self.rate * 125.0 * self.round_trip;
        in_flight.max(QUEUE_PACKETS_MIN * PACKET)
    }

    /// Mbit/s that CUBIC gets through by its response function (RFC 9438, 5.1, with C = 0.4 and beta = 0.7), or Reno, where that is
    /// more (4.3); and never more than the link carries.
    pub(super) fn predicted(&self) -> f64 {
        let (loss, seconds) = (self.loss / 100.0, self.round_trip / 1_000.0);
        let cubic = 1.054 * (seconds / loss).powf(0.75);
        let reno = (1.5 / loss).sqrt();
        (cubic.max(reno) * PACKET * 8e-6 / seconds).min(self.rate)
    }

    fn start(&self, servers: &[String]) -> Result<Running> {
        let program = workspace::root().join("target/peers/release").join(PROGRAM);
        let mut command = process::program(program);
        for server in servers {
            command.args(["--to", server]);
        }
        let settings = [
            ("--rate", self.rate),
            ("--queue", self.queue()),
            ("--rtt", self.round_trip),
            ("--loss", self.loss),
            ("--reorder", self.reorder),
        ];
        for (name, value) in settings {
            command.args([name, &value.to_string()]);
        }
        Running::start(command.args(["--seed", &self.seed.to_string()]))
    }
}

/// Measures these rows at the same time, in fresh processes, for so many seconds.
///
/// # Errors
/// If one of them fails, says nothing in time, or something else than figures.
pub(super) fn run(way: &Way, rows: &[&Row], seconds: f64) -> Result<Vec<Figures>> {
    let mut servers = Vec::new();
    for (index, row) in rows.iter().enumerate() {
        let mut command = process::program(&row.program);
        command.args(["serve", &row.name, "--core", core(index)]);
        let mut server = Running::start(&mut command)?;
        let said = ready(&mut server).context("the server")?;
        servers.push((server, said));
    }
    let addresses = servers.iter().map(|(_, said)| address(said));
    let addresses = addresses.collect::<Result<Vec<_>>>()?;
    let mut between = way.start(&addresses)?;
    let fronts = ready(&mut between).context("the way")?;
    let fronts: Vec<&str> = fronts.split(' ').collect();
    ensure!(
        fronts.len() == rows.len(),
        "the way has {} ends",
        fronts.len()
    );
    let mut clients = Vec::new();
    for (index, row) in rows.iter().enumerate() {
        let (server, said) = &servers[index];
        let mut command = process::program(&row.program);
        command
            .args(["measure", &row.name, "steady", "--core", core(index + 1)])
            .args(["--server", &server.id().to_string()])
            .args(["--address", &said.replace(&addresses[index], fronts[index])])
            .args(["--seconds", &seconds.to_string()]);
        clients.push(Running::start(&mut command)?);
    }
    let deadline = Duration::from_secs_f64(20.0 + 2.0 * seconds);
    let figures = clients.iter_mut().map(|client| figures(client, deadline));
    figures.collect()
}

fn ready(program: &mut Running) -> Result<String> {
    match program.line(START)? {
        Line::Ready(said) => Ok(said),
        Line::Figures(_) => bail!("has figures before it was asked"),
    }
}

fn figures(client: &mut Running, deadline: Duration) -> Result<Figures> {
    match client.line(deadline).context("the client")? {
        Line::Figures(figures) => Ok(figures),
        Line::Ready(_) => bail!("the client wants to be connected to"),
    }
}

/// The ends of a flow have one core each, and flows change over.
fn core(index: usize) -> &'static str {
    if index.is_multiple_of(2) { "0" } else { "1" }
}

/// The address in what a server said, whatever else it said: all of them are on loopback.
fn address(said: &str) -> Result<String> {
    const HOST: &str = "127.0.0.1:";
    let start = said
        .find(HOST)
        .with_context(|| format!("no address in `{said}`"))?;
    let digits = said[start + HOST.len()..].chars();
    let port: String = digits.take_while(char::is_ascii_digit).collect();
    Ok(format!("{HOST}{port}"))
}

#[cfg(test)]
mod tests {
    use super::*;

    fn way(loss: f64, round_trip: f64) -> Way {
        Way {
            rate: 50.0,
            round_trip,
            loss,
            reorder: 0.0,
            seed: 1,
        }
    }

    #[test]
    fn an_address_is_found_whatever_is_around_it() {
        for said in ["k@127.0.0.1:4100", r#"{"address":"127.0.0.1:4100","x":1}"#] {
            assert_eq!(address(said).unwrap(), "127.0.0.1:4100");
        }
        assert!(address("localhost").is_err());
    }

    #[test]
    fn the_queue_holds_what_is_in_flight_and_some_packets_at_least() {
        assert_eq!(way(0.0, 40.0).queue(), 250_000.0);
        assert_eq!(way(0.0, 1.0).queue(), 46_464.0);
    }

    #[test]
    fn the_equation_is_reno_s_where_that_is_more_and_bounded_by_the_link() {
        assert_eq!(way(0.0, 50.0).predicted(), 50.0);
        // 12.2 packets a round trip.
        assert!((way(1.0, 50.0).predicted() - 2.85).abs() < 0.01);
        // 45.2, where Reno would have 38.7.
        assert!((way(0.1, 150.0).predicted() - 3.50).abs() < 0.02);
    }
}
