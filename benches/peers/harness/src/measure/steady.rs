//! Bulk data for a fixed time, however fast they come: for ways whose speed nobody knows before.

use std::time::Duration;

use anyhow::{Result, ensure};
use tokio::time::timeout;

use super::Plan;
use crate::report::Figures;
use crate::service::Request;
use crate::statistics::now;
use crate::{Client, Connection, Receiving, Sending};

/// More than comes in any time.
const ENDLESS: u64 = 1 << 50;

/// The share of the planned time for which data come before they count.
const WARM_UP: f64 = 0.25;

/// The server sends, and what counts is what this end has read.
pub(super) async fn measure(mut client: impl Client, plan: &Plan) -> Result<Figures> {
    client.prepare().await?;
    let mut connection = client.connect().await?;
    let (mut send, mut receive) = connection.open().await?;
    send.write(&Request::Give(ENDLESS).emit()).await?;
    read_for(&mut receive, plan.duration().mul_f64(WARM_UP)).await?;
    let octets = read_for(&mut receive, plan.duration()).await?;
    // The server is still sending: there is nothing to end in order.
    Ok(Figures::from([(
        "mbit_s",
        octets as f64 * 8e-6 / plan.seconds,
    )]))
}

/// Octets that come within so much time.
async fn read_for(receive: &mut impl Receiving, time: Duration) -> Result<u64> {
    let began = now();
    let mut octets = 0;
    while let Some(left) = time.checked_sub(began.elapsed()) {
        // What was not read when the time is over stays in the stream: no library takes octets before it has some to give.
        let Ok(read) = timeout(left, receive.read_bulk()).await else {
            break;
        };
        let read = read?;
        ensure!(read.is_some(), "the stream ended");
        octets += read.unwrap_or_default() as u64;
    }
    Ok(octets)
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::service::give;
    use crate::{Reading, Writing};

    #[tokio::test]
    async fn what_comes_in_time_counts_and_a_silence_ends_in_time() {
        let (here, there) = tokio::io::duplex(100_000);
        let mut send = Writing(here);
        give(&mut send, 70_000).await.unwrap();
        let mut receive = Reading::new(there);
        let octets = read_for(&mut receive, Duration::from_millis(20)).await;
        assert_eq!(octets.unwrap(), 70_000);
        send.finish().await.unwrap();
        assert!(
            read_for(&mut receive, Duration::from_secs(60))
                .await
                .is_err()
        );
    }
}
