//! The side that is measured against.

use std::time::Instant;

use keyway::{DatagramSocket, Incoming, Stream};
use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tracing::debug;

use super::{CHUNK, Direction, Order, REPORT_EVERY, SERVICE, send_largest};
use crate::arguments::Perf;
use crate::exit::{Exit, Failure};
use crate::reach::Reach;
use crate::{output, signals};

pub(super) async fn run(arguments: Perf) -> Result<Exit, Failure> {
    let allow = crate::commands::allow(&arguments.allow, "keyway perf --serve")?;
    let node = arguments
        .node
        .builder(crate::commands::ID_CHANGES)?
        .bind()
        .await?;
    let reach = Reach::new(&node, &arguments.node, [])?;
    // One listener yields streams and flows; each kind is waited for on its own.
    let mut listener = node.listen(SERVICE).allow(allow).start()?;
    output::line(format_args!("ready {}", node.node_id()))?;
    let serve = async {
        loop {
            match listener.accept_any().await {
                Ok(Incoming::Stream(stream)) => {
                    tokio::spawn(async { note(serve_stream(stream).await) });
                }
                Ok(Incoming::Datagrams(flow)) => {
                    tokio::spawn(async { note(serve_flow(flow).await) });
                }
                Ok(_) => {}
                Err(_) => return reach.node_failed().await,
            }
        }
    };
    tokio::select! {
        failure = serve => return Err(failure),
        () = signals::asked_to_end() => {}
    }
    crate::commands::close(&node).await;
    Ok(Exit::Done)
}

fn note<E: std::fmt::Display>(outcome: Result<(), E>) {
    if let Err(error) = outcome {
        debug!(%error, "a measurement broke off");
    }
}

#[expect(
    clippy::disallowed_methods,
    reason = "a measurement is about real time"
)]
async fn serve_stream(mut stream: Stream) -> std::io::Result<()> {
    let mut order = [0; Order::LEN];
    stream.read_exact(&mut order).await?;
    let Some(order) = Order::parse(&order) else {
        stream.reset(keyway::codes::ABANDONED);
        return Ok(());
    };
    let mut chunk = vec![0; CHUNK];
    match order.direction {
        Direction::Up => {
            let mut total = 0_u64;
            loop {
                match stream.read(&mut chunk).await? {
                    0 => break,
                    len => total += len as u64,
                }
            }
            stream.write_all(&total.to_be_bytes()).await?;
        }
        Direction::Down => {
            let start = Instant::now();
            while start.elapsed() < order.duration {
                stream.write_all(&chunk).await?;
            }
        }
    }
    stream.shutdown().await
}

#[expect(
    clippy::disallowed_methods,
    reason = "a measurement is about real time"
)]
pub(super) async fn serve_flow(flow: DatagramSocket) -> Result<(), keyway::DatagramError> {
    let mut buffer = vec![0; CHUNK];
    let len = flow.recv(&mut buffer).await?;
    let Some(order) = Order::parse(&buffer[..len]) else {
        return Ok(());
    };
    match order.direction {
        Direction::Up => {
            let mut total = 0_u64;
            let mut report = tokio::time::interval(REPORT_EVERY);
            loop {
                tokio::select! {
                    received = flow.recv(&mut buffer) => total += received? as u64,
                    _ = report.tick() => flow.send(&total.to_be_bytes()).await?,
                }
            }
        }
        Direction::Down => {
            let start = Instant::now();
            while start.elapsed() < order.duration {
                send_largest(&flow, &buffer).await?;
            }
            Ok(())
        }
    }
}
