//! Memory of idle connections.

use std::time::Duration;

use anyhow::{Context, Result};

use super::Plan;
use crate::report::Figures;
use crate::service::Request;
use crate::{Client, Connection, Receiving, Sending, process};

/// How long a server may tidy up before its memory is read.
const REST: Duration = Duration::from_secs(1);

/// The names of the figures by the number of connections.
const NAMES: [(usize, &str); 3] = [
    (100, "kib_each_at_100"),
    (1_000, "kib_each_at_1000"),
    (10_000, "kib_each_at_10000"),
];

/// Opens connections, uses each once, and reads what the server has in memory: each is what it adds to the first one.
pub(super) async fn measure(mut client: impl Client, server: u32, plan: &Plan) -> Result<Figures> {
    let mut open = vec![idle(&mut client).await?];
    let first = at_rest(server).await?;
    let mut figures = Figures::from([("mib_at_1", first as f64 / f64::from(1 << 20))]);
    let mut counts = plan.idle.clone();
    counts.sort_unstable();
    for count in counts {
        let (_, name) = NAMES
            .into_iter()
            .find(|(known, _)| *known == count)
            .context("memory is read at 100, 1000 and 10000 connections")?;
        while open.len() < count {
            let connection = idle(&mut client)
                .await
                .with_context(|| format!("connection {}", open.len() + 1))?;
            open.push(connection);
        }
        let grown = at_rest(server).await? as f64 - first as f64;
        figures.insert(name, grown / 1024.0 / (count - 1) as f64);
    }
    Ok(figures)
}

/// A connection on which an octet went back and forth, so that it is known to be complete at both ends.
async fn idle<C: Client>(client: &mut C) -> Result<C::Connection> {
    client.prepare().await?;
    let mut connection = client.connect().await?;
    let (mut send, mut receive) = connection.open().await?;
    send.write(&Request::Echo(1).emit()).await?;
    send.write(&[1]).await?;
    receive.read(&mut [0]).await?;
    send.finish().await?;
    // The end of the stream: the server has nothing open any more.
    while receive.read_bulk().await?.is_some() {}
    Ok(connection)
}

async fn at_rest(server: u32) -> Result<u64> {
    tokio::time::sleep(REST).await;
    process::resident(server)
}
