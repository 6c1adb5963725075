//! Connections, one after the other.

use anyhow::Result;

use super::Plan;
use crate::report::Figures;
use crate::service::Request;
use crate::statistics::{Timings, now};
use crate::{Client, Connection, Receiving, Sending};

/// Connects before the measured ones.
const WARM_UP: usize = 20;

pub(super) async fn measure(mut client: impl Client, plan: &Plan) -> Result<Figures> {
    let mut timings = Timings::default();
    for _ in 0..WARM_UP {
        once(&mut client, &mut Timings::default()).await?;
    }
    while timings.total() < plan.seconds && timings.count() < 10_000 {
        once(&mut client, &mut timings).await?;
    }
    Ok(Figures::from([
        ("p50_ms", timings.percentile(50) * 1e3),
        ("p99_ms", timings.percentile(99) * 1e3),
        ("per_second", timings.count() as f64 / timings.total()),
    ]))
}

/// One connection: the time up to the first octet is added to `timings`, what comes before and after it is not.
async fn once(client: &mut impl Client, timings: &mut Timings) -> Result<()> {
    client.prepare().await?;
    let start = now();
    let mut connection = client.connect().await?;
    let (mut send, mut receive) = connection.open().await?;
    let mut first = [0; Request::LEN + 1];
    first[..Request::LEN].copy_from_slice(&Request::Echo(1).emit());
    send.write(&first).await?;
    receive.read(&mut [0]).await?;
    timings.push(start.elapsed());
    send.finish().await?;
    // What is on its way arrives before the next one begins, so that nobody measures the end of the one before.
    while receive.read_bulk().await?.is_some() {}
    connection.close().await
}
