//! The workloads, from the side that measures.

mod connect;
mod datagrams;
mod memory;
mod ping;
mod steady;
mod transfer;

use std::time::Duration;

use anyhow::Result;
use serde::Serialize;

use crate::Client;
use crate::report::Figures;

/// What is measured.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, clap::ValueEnum)]
#[serde(rename_all = "kebab-case")]
pub enum Workload {
    /// Bulk data on one stream, from the client to the server
    Stream,
    /// Bulk data on eight streams of one connection
    Streams8,
    /// Bulk data on one stream, from the server to the client
    Reverse,
    /// Bulk data on one stream, from the server to the client, for a fixed time
    Steady,
    /// A message of 64 octets, back and forth on one stream
    Ping,
    /// A connection of its own up to the first octet that comes back on it, one after the other
    Connect,
    /// Datagrams of 1,200 octets, as fast as they arrive
    Datagrams,
    /// Resident memory of the server with one idle connection, and with many
    Memory,
}

impl Workload {
    /// All of them.
    pub const ALL: &'static [Self] = &[
        Self::Stream,
        Self::Streams8,
        Self::Reverse,
        Self::Steady,
        Self::Ping,
        Self::Connect,
        Self::Datagrams,
        Self::Memory,
    ];
}

/// How much is measured.
#[derive(Clone, Debug, clap::Args)]
pub struct Plan {
    /// How long bulk data, datagrams and connects are measured, about
    #[arg(long, default_value_t = 2.0)]
    pub seconds: f64,
    /// The round trips of `ping`
    #[arg(long, default_value_t = 5_000)]
    pub pings: u32,
    /// The idle connections of `memory`: memory is read at each of these numbers
    #[arg(long, value_delimiter = ',', default_value = "1000")]
    pub idle: Vec<usize>,
}

impl Plan {
    /// How long bulk data, datagrams and connects are measured, about.
    #[must_use]
    pub fn duration(&self) -> Duration {
        Duration::from_secs_f64(self.seconds)
    }
}

/// Runs one workload.
pub(crate) async fn measure(
    client: impl Client,
    workload: Workload,
    server: u32,
    plan: &Plan,
) -> Result<Figures> {
    use transfer::Direction::{ToClient, ToServer};
    match workload {
        Workload::Stream => transfer::measure(client, 1, ToServer, server, plan).await,
        Workload::Streams8 => transfer::measure(client, 8, ToServer, server, plan).await,
        Workload::Reverse => transfer::measure(client, 1, ToClient, server, plan).await,
        Workload::Steady => steady::measure(client, plan).await,
        Workload::Ping => ping::measure(client, plan).await,
        Workload::Connect => connect::measure(client, plan).await,
        Workload::Datagrams => datagrams::measure(client, plan).await,
        Workload::Memory => memory::measure(client, server, plan).await,
    }
}
