//! Bulk data.

use anyhow::{Result, ensure};
use tokio::task::JoinSet;

use super::Plan;
use crate::process::{Lap, Stopwatch};
use crate::report::Figures;
use crate::service::{PIECE, Request, give, take};
use crate::{Client, Connection, Receiving, Sending};

/// What is sent before anything is measured: windows open, the packet size is found, and the speed shows.
const WARM_UP: u64 = 48 * 1024 * 1024;

/// The share of the planned time for which data go once more before it counts, with the speed that the first ones had.
const REHEARSAL: f64 = 0.25;

#[derive(Clone, Copy)]
pub(super) enum Direction {
    ToServer,
    ToClient,
}

/// Sends for about as long as planned.
pub(super) async fn measure(
    mut client: impl Client,
    streams: u64,
    direction: Direction,
    server: u32,
    plan: &Plan,
) -> Result<Figures> {
    client.prepare().await?;
    let mut connection = client.connect().await?;
    let first = transfer(&mut connection, streams, direction, server, WARM_UP).await?;
    let amount = amount(WARM_UP, first, REHEARSAL * plan.seconds);
    let second = transfer(&mut connection, streams, direction, server, amount).await?;
    let amount = self::amount(amount, second, plan.seconds);
    let lap = transfer(&mut connection, streams, direction, server, amount).await?;
    connection.close().await?;
    Ok(lap.bulk(amount, matches!(direction, Direction::ToServer)))
}

/// How much goes in so many seconds at the speed that was seen: whole pieces.
fn amount(sent: u64, lap: Lap, seconds: f64) -> u64 {
    let octets = sent as f64 / lap.took.as_secs_f64() * seconds;
    // The conversion saturates.
    ((octets / PIECE as f64) as u64).max(8) * PIECE as u64
}

async fn transfer<C: Connection>(
    connection: &mut C,
    streams: u64,
    direction: Direction,
    server: u32,
    amount: u64,
) -> Result<Lap> {
    let mut running = JoinSet::new();
    let mut opened = Vec::new();
    for _ in 0..streams {
        opened.push(connection.open().await?);
    }
    let stopwatch = Stopwatch::start(server)?;
    for (send, receive) in opened {
        running.spawn(one(send, receive, direction, amount / streams));
    }
    while let Some(finished) = running.join_next().await {
        finished??;
    }
    stopwatch.read()
}

async fn one(
    mut send: impl Sending,
    mut receive: impl Receiving,
    direction: Direction,
    amount: u64,
) -> Result<()> {
    match direction {
        Direction::ToServer => {
            send.write(&Request::Take(amount).emit()).await?;
            give(&mut send, amount).await?;
            let mut confirmed = [0; 8];
            receive.read(&mut confirmed).await?;
            ensure!(
                u64::from_be_bytes(confirmed) == amount,
                "the receiver confirms another amount"
            );
        }
        Direction::ToClient => {
            send.write(&Request::Give(amount).emit()).await?;
            take(&mut receive, amount).await?;
        }
    }
    send.finish().await
}

#[cfg(test)]
mod tests {
    use std::time::Duration;

    use super::*;

    fn lap(took: u64) -> Lap {
        Lap {
            took: Duration::from_secs(took),
            own_cpu: 3.0,
            server_cpu: 1.0,
        }
    }

    #[test]
    fn amounts_are_whole_pieces_and_never_nothing() {
        assert_eq!(amount(10 << 20, lap(1), 2.0), 20 << 20);
        assert_eq!(amount(10 << 20, lap(100), 2.0), 8 << 20);
    }
}
