//! Datagrams.

use std::time::Duration;

use anyhow::{Result, bail, ensure};
use bytes::Bytes;

use super::Plan;
use crate::process;
use crate::report::Figures;
use crate::service::{Request, give};
use crate::statistics::now;
use crate::{Client, Connection, Receiving, Sending};

/// The length of a datagram.
const DATAGRAM: usize = 1_200;

/// What goes over a stream before: packets have to be found large enough for a datagram.
const WARM_UP: u64 = 16 * 1024 * 1024;

/// How many datagrams are sent between two looks at the clock.
const PER_READING: u64 = 64;

/// When the last ones have arrived: as long as that, the count was the same.
const QUIET: Duration = Duration::from_millis(100);

pub(super) async fn measure(mut client: impl Client, plan: &Plan) -> Result<Figures> {
    client.prepare().await?;
    let mut connection = client.connect().await?;
    let (mut send, mut receive) = connection.open().await?;
    send.write(&Request::Take(WARM_UP).emit()).await?;
    give(&mut send, WARM_UP).await?;
    receive.read(&mut [0; 8]).await?;
    send.finish().await?;

    let datagram = Bytes::from(vec![0xa5; DATAGRAM]);
    let (start, mut sent) = (now(), 0_u64);
    while start.elapsed() < plan.duration() {
        for _ in 0..PER_READING {
            connection.send_datagram(&datagram).await?;
        }
        sent += PER_READING;
    }
    let (arrived, nanoseconds) = settled(&mut connection).await?;
    ensure!(arrived > 0 && nanoseconds > 0, "no datagram arrived");
    connection.close().await?;
    Ok(process::datagrams(sent, arrived, nanoseconds as f64 * 1e-9))
}

/// What the server counted, once it counts no more.
async fn settled(connection: &mut impl Connection) -> Result<(u64, u64)> {
    let mut last = None;
    // What is still on its way is at most a queue.
    for _ in 0..50 {
        let (mut send, mut receive) = connection.open().await?;
        send.write(&Request::CountDatagrams.emit()).await?;
        let mut answer = [0; 16];
        receive.read(&mut answer).await?;
        send.finish().await?;
        let (count, nanoseconds) = answer.split_at(8);
        let seen = (number(count), number(nanoseconds));
        if last == Some(seen) {
            return Ok(seen);
        }
        last = Some(seen);
        tokio::time::sleep(QUIET).await;
    }
    bail!("datagrams arrive long after the last was sent")
}

fn number(octets: &[u8]) -> u64 {
    octets
        .iter()
        .fold(0, |number, octet| number << 8 | u64::from(*octet))
}
