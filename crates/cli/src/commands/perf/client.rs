//! The side that measures.

use std::io::{self, IsTerminal};
use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};
use std::time::{Duration, Instant};

use keyway::{DatagramError, DatagramSocket, Node, PeerAddr, Stream};
use serde::Serialize;
use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::task::JoinSet;

use super::{CHUNK, Direction, Order, SERVICE, send_largest};
use crate::arguments::Perf;
use crate::commands::ping;
use crate::exit::{Exit, Failure};
use crate::reach::Reach;
use crate::{output, signals};

/// How long to wait, after sending datagrams, for the last report: several reports' time.
const LAST_REPORT: Duration = Duration::from_millis(500);

/// How long to wait for the server's first datagram before the order is given again: a round trip between continents.
const ORDER_AGAIN: Duration = Duration::from_millis(300);

/// The object of `--json`.
#[derive(Serialize)]
struct Figures {
    gbit_per_s: f64,
    bytes: u64,
    seconds: f64,
    path: &'static str,
}

pub(super) async fn run(arguments: Perf, peer: PeerAddr) -> Result<Exit, Failure> {
    let mut builder = arguments.node.builder(crate::commands::NOT_ON_LISTS)?;
    if let Some(patience) = arguments.patience.patience {
        builder = builder.patience(patience).connect_timeout(patience);
    }
    let node = builder.bind().await?;
    let reach = Reach::new(&node, &arguments.node, [&peer])?;
    let moved = Arc::new(AtomicU64::new(0));
    let outcome = tokio::select! {
        outcome = measure(&node, &reach, &peer, &arguments, &moved) => outcome.map(Some),
        // A measurement ends by itself, so a closed stdin, which scripts often leave behind, means nothing.
        () = signals::told_to_end() => Ok(None),
    };
    let paths = node.paths(peer.node_id()).await;
    let path = paths
        .iter()
        .find(|path| path.selected)
        .map_or("unknown", |path| ping::describe(&path.route).0);
    crate::commands::close(&node).await;
    let outcome = outcome
        .map_err(|failure| failure.if_refused(": does it run `keyway perf --serve --allow …`?"));
    if let Some((bytes, took)) = outcome? {
        report(bytes, took, path, arguments.json)?;
    }
    Ok(Exit::Done)
}

fn report(bytes: u64, took: Duration, path: &'static str, json: bool) -> Result<(), Failure> {
    let seconds = took.as_secs_f64();
    let figures = Figures {
        gbit_per_s: bytes as f64 * 8.0 / seconds / 1e9,
        bytes,
        seconds,
        path,
    };
    if json {
        return output::json(&figures);
    }
    let (mebibytes, rate) = (bytes as f64 / f64::from(1 << 20), figures.gbit_per_s);
    output::line(format_args!(
        "{mebibytes:.1} MiB in {seconds:.2} s: {rate:.3} Gbit/s, {path}"
    ))
}

/// Octets that the receiver received, and in what time.
#[expect(
    clippy::disallowed_methods,
    reason = "a measurement is about real time"
)]
async fn measure(
    node: &Node,
    reach: &Reach,
    peer: &PeerAddr,
    arguments: &Perf,
    moved: &Arc<AtomicU64>,
) -> Result<(u64, Duration), Failure> {
    let mut runs = start(node, reach, peer, arguments, moved).await?;
    let begin = Instant::now();
    let show = io::stdout().is_terminal() && !arguments.json;
    let ticker = show.then(|| tokio::spawn(tell_each_second(Arc::clone(moved))));
    let mut total = 0;
    let mut outcome = Ok(());
    while let Some(run) = runs.join_next().await {
        match run.map_err(Failure::new).and_then(|bytes| bytes) {
            Ok(bytes) => total += bytes,
            Err(failure) => outcome = Err(failure),
        }
    }
    let took = begin.elapsed();
    if let Some(ticker) = ticker {
        ticker.abort();
    }
    outcome?;
    // Datagrams have no end to wait for: what counts is the time in which they were sent.
    let took = if arguments.datagrams {
        arguments.seconds
    } else {
        took
    };
    Ok((total, took))
}

/// Starts the streams, or the flow.
async fn start(
    node: &Node,
    reach: &Reach,
    peer: &PeerAddr,
    arguments: &Perf,
    moved: &Arc<AtomicU64>,
) -> Result<JoinSet<Result<u64, Failure>>, Failure> {
    let order = Order {
        direction: if arguments.reverse {
            Direction::Down
        } else {
            Direction::Up
        },
        duration: arguments.seconds,
    };
    let mut runs = JoinSet::new();
    if arguments.datagrams {
        let flow = match node.datagrams(peer, SERVICE).await {
            Ok(flow) => flow,
            Err(error) => return Err(reach.explain(error).await),
        };
        runs.spawn(run_flow(flow, order, Arc::clone(moved)));
        return Ok(runs);
    }
    for _ in 0..arguments.streams {
        let stream = match node.connect(peer, SERVICE).await {
            Ok(stream) => stream,
            Err(error) => return Err(reach.explain(error).await),
        };
        let moved = Arc::clone(moved);
        runs.spawn(async move {
            run_stream(stream, order, moved)
                .await
                .map_err(Failure::from)
        });
    }
    Ok(runs)
}

async fn tell_each_second(moved: Arc<AtomicU64>) {
    let mut second = tokio::time::interval(Duration::from_secs(1));
    second.tick().await;
    let mut before = 0;
    for number in 1_u64.. {
        second.tick().await;
        let so_far = moved.load(Ordering::Relaxed);
        let rate = (so_far - before) as f64 * 8.0 / 1e9;
        if output::line(format_args!("{number:>4} s  {rate:.3} Gbit/s")).is_err() {
            return;
        }
        before = so_far;
    }
}

async fn run_stream(stream: Stream, order: Order, moved: Arc<AtomicU64>) -> io::Result<u64> {
    match order.direction {
        Direction::Up => send_octets(stream, order, &moved).await,
        Direction::Down => receive_octets(stream, order, &moved).await,
    }
}

/// Sends for as long as ordered. How many octets arrived, as the server tells.
#[expect(
    clippy::disallowed_methods,
    reason = "a measurement is about real time"
)]
async fn send_octets(mut stream: Stream, order: Order, moved: &AtomicU64) -> io::Result<u64> {
    stream.write_all(&order.emit()).await?;
    let chunk = vec![0; CHUNK];
    let start = Instant::now();
    while start.elapsed() < order.duration {
        stream.write_all(&chunk).await?;
        moved.fetch_add(chunk.len() as u64, Ordering::Relaxed);
    }
    stream.shutdown().await?;
    let mut total = [0; 8];
    stream.read_exact(&mut total).await?;
    Ok(u64::from_be_bytes(total))
}

async fn receive_octets(mut stream: Stream, order: Order, moved: &AtomicU64) -> io::Result<u64> {
    stream.write_all(&order.emit()).await?;
    stream.shutdown().await?;
    let mut chunk = vec![0; CHUNK];
    let mut total = 0_u64;
    loop {
        let len = stream.read(&mut chunk).await? as u64;
        if len == 0 {
            return Ok(total);
        }
        total += len;
        moved.fetch_add(len, Ordering::Relaxed);
    }
}

/// Gives the order, and again until the server's first datagram shows that it has it: a datagram may be lost. How long that
/// first one is.
async fn begin(
    flow: &DatagramSocket,
    order: Order,
    first: &mut [u8],
) -> Result<usize, DatagramError> {
    loop {
        flow.send(&order.emit()).await?;
        if let Ok(received) = tokio::time::timeout(ORDER_AGAIN, flow.recv(first)).await {
            return received;
        }
    }
}

async fn run_flow(
    flow: DatagramSocket,
    order: Order,
    moved: Arc<AtomicU64>,
) -> Result<u64, Failure> {
    match order.direction {
        Direction::Up => send_datagrams(&flow, order, &moved).await,
        Direction::Down => receive_datagrams(&flow, order, &moved).await,
    }
}

#[expect(
    clippy::disallowed_methods,
    reason = "a measurement is about real time"
)]
async fn send_datagrams(
    flow: &DatagramSocket,
    order: Order,
    moved: &AtomicU64,
) -> Result<u64, Failure> {
    let chunk = vec![0; CHUNK];
    let mut report = [0; 8];
    let mut received = 0;
    begin(flow, order, &mut report).await?;
    let start = Instant::now();
    while start.elapsed() < order.duration {
        tokio::select! {
            biased;
            told = flow.recv(&mut report) => {
                told?;
                received = u64::from_be_bytes(report);
                moved.store(received, Ordering::Relaxed);
            }
            sent = send_largest(flow, &chunk) => sent?,
        }
    }
    while let Ok(told) = tokio::time::timeout(LAST_REPORT, flow.recv(&mut report)).await {
        told?;
        let total = u64::from_be_bytes(report);
        if total == received {
            break;
        }
        received = total;
    }
    Ok(received)
}

async fn receive_datagrams(
    flow: &DatagramSocket,
    order: Order,
    moved: &AtomicU64,
) -> Result<u64, Failure> {
    let mut buffer = vec![0; CHUNK];
    let mut total = begin(flow, order, &mut buffer).await? as u64;
    moved.fetch_add(total, Ordering::Relaxed);
    let run = async {
        loop {
            let len = flow.recv(&mut buffer).await? as u64;
            total += len;
            moved.fetch_add(len, Ordering::Relaxed);
        }
    };
    let ended: Result<Result<(), DatagramError>, _> =
        tokio::time::timeout(order.duration + LAST_REPORT, run).await;
    match ended {
        // The server's end of the flow is the end of the run.
        Ok(Err(DatagramError::Closed)) | Err(_) => Ok(total),
        Ok(Err(error)) => Err(error.into()),
        Ok(Ok(())) => Ok(total),
    }
}

#[cfg(test)]
mod tests {
    use keyway::{Allow, Incoming};

    use super::super::serve::serve_flow;
    use super::*;

    async fn node() -> Node {
        let builder = Node::builder().bind_address("127.0.0.1:0".parse().unwrap());
        builder.bind().await.unwrap()
    }

    async fn octets_where_the_first_order_is_lost(direction: Direction) -> u64 {
        let (client, server) = (node().await, node().await);
        let mut listener = server.listen(SERVICE).allow(Allow::any()).start().unwrap();
        let address = PeerAddr::new(server.node_id(), [server.local_addresses()[0]]);
        tokio::spawn(async move {
            let Ok(Incoming::Datagrams(flow)) = listener.accept_any().await else {
                panic!("a flow was opened");
            };
            flow.recv(&mut [0; CHUNK]).await.unwrap();
            let _ = serve_flow(flow).await;
        });
        let order = Order {
            direction,
            duration: Duration::from_millis(200),
        };
        let flow = client.datagrams(address, SERVICE).await.unwrap();
        let moved = Arc::new(AtomicU64::new(0));
        run_flow(flow, order, moved).await.unwrap()
    }

    #[tokio::test]
    async fn an_order_that_is_lost_is_given_again() {
        assert!(octets_where_the_first_order_is_lost(Direction::Up).await > 0);
        assert!(octets_where_the_first_order_is_lost(Direction::Down).await > 0);
    }
}
