//! A bad way through the network, in userspace: rate, queue, delay, loss and reordering, the same each time for one seed.
//!
//! Packets from the servers to the clients have to pass a bottleneck that all flows share. Those from the clients to the servers
//! are delayed, lost and reordered in the same way, but there is room for all of them.

mod channel;
mod relay;

use std::net::SocketAddr;

use anyhow::{Result, ensure};
use clap::Parser;

use channel::{Channel, Conditions};
use relay::{Relay, millis};

/// What the way is like.
#[derive(Parser)]
struct Arguments {
    /// A server; packets to the address that is told for it go there
    #[arg(long = "to", value_name = "ADDRESS", required = true)]
    servers: Vec<SocketAddr>,
    /// Mbit/s of UDP payload that pass from all servers to their clients
    #[arg(long, value_name = "N")]
    rate: f64,
    /// Octets that may wait before that
    #[arg(long, value_name = "N")]
    queue: f64,
    /// The round trip in ms, half of it each way
    #[arg(long, value_name = "N")]
    rtt: f64,
    /// Packets of a hundred that are lost, each way
    #[arg(long, value_name = "N", default_value_t = 0.0)]
    loss: f64,
    /// Packets of a hundred that are held back, for a quarter of the round trip at most, each way
    #[arg(long, value_name = "N", default_value_t = 0.0)]
    reorder: f64,
    /// Chance follows from this
    #[arg(long, value_name = "N", default_value_t = 1)]
    seed: u64,
}

fn main() -> Result<()> {
    let arguments = Arguments::parse();
    ensure!(
        (0.001..=100_000.0).contains(&arguments.rate) && (0.0..=60_000.0).contains(&arguments.rtt),
        "--rate is from 0.001 to 100,000 Mbit/s, --rtt from 0 to 60,000 ms"
    );
    let back = Conditions {
        rate: None,
        queue: arguments.queue,
        delay: millis(arguments.rtt / 2.0),
        loss: arguments.loss / 100.0,
        reorder: arguments.reorder / 100.0,
        hold: millis(arguments.rtt / 4.0),
    };
    let forth = Conditions {
        rate: Some(arguments.rate * 125_000.0),
        ..back
    };
    let relay = Relay::new(
        &arguments.servers,
        Channel::new(forth, arguments.seed),
        // What one direction draws is not what the other one does.
        Channel::new(back, !arguments.seed),
    )?;
    let fronts: Vec<String> = relay.fronts()?.iter().map(ToString::to_string).collect();
    harness::announce(&fronts.join(" "));
    relay.run()
}
