//! Round trips of a small message.

use anyhow::Result;

use super::Plan;
use crate::report::Figures;
use crate::service::Request;
use crate::statistics::{Timings, now};
use crate::{Client, Connection, Receiving, Sending};

/// The length of a message.
const MESSAGE: usize = 64;

/// Round trips before the measured ones.
const WARM_UP: u32 = 500;

pub(super) async fn measure(mut client: impl Client, plan: &Plan) -> Result<Figures> {
    client.prepare().await?;
    let mut connection = client.connect().await?;
    let (mut send, mut receive) = connection.open().await?;
    send.write(&Request::Echo(MESSAGE as u64).emit()).await?;
    let mut message = [0xa5; MESSAGE];
    let mut timings = Timings::default();
    for round in 0..WARM_UP + plan.pings {
        let start = now();
        send.write(&message).await?;
        receive.read(&mut message).await?;
        if round >= WARM_UP {
            timings.push(start.elapsed());
        }
    }
    send.finish().await?;
    connection.close().await?;
    Ok(timings.round_trips())
}
