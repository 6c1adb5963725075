//! What honest users do meanwhile: one transfer that goes on all the time, and new nodes that connect.
#![expect(
    clippy::disallowed_methods,
    reason = "what is measured is how long things take"
)]

use std::io::{self, Read, Write};
use std::net::TcpStream;
use std::sync::atomic::{AtomicU64, Ordering};
use std::time::{Duration, Instant};

use keyway::{Node, PeerAddr};
use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::runtime::Runtime;

/// How long a connection is waited for.
const DEADLINE: Duration = Duration::from_secs(10);

/// Octets that have come through to where the transfer ends.
static DRAINED: AtomicU64 = AtomicU64::new(0);

/// Says everything again.
pub(crate) fn echo(mut connection: TcpStream) -> io::Result<()> {
    let mut buffer = [0; 1024];
    loop {
        match connection.read(&mut buffer)? {
            0 => return Ok(()),
            count => connection.write_all(&buffer[..count])?,
        }
    }
}

/// Counts what comes.
pub(crate) fn drain(mut connection: TcpStream) -> io::Result<()> {
    let mut buffer = vec![0; 1 << 18];
    loop {
        match connection.read(&mut buffer)? {
            0 => return Ok(()),
            count => DRAINED.fetch_add(count as u64, Ordering::Relaxed),
        };
    }
}

pub(crate) struct Honest {
    runtime: Runtime,
    peer: PeerAddr,
}

/// What came of one phase.
pub(crate) struct Phase {
    octets: u64,
    took: Duration,
    /// From the dial to the first echoed octet, sorted; of those that got that far.
    dials: Vec<Duration>,
}

impl Honest {
    /// Begins with the transfer.
    pub(crate) fn new(peer: PeerAddr) -> Self {
        let runtime = Runtime::new().unwrap();
        runtime.spawn(transfer(peer.clone()));
        Self { runtime, peer }
    }

    /// Makes so many connections within this time, one after the other, each by a new node.
    pub(crate) fn spend(&mut self, time: Duration, dials: u32) -> Phase {
        let (start, drained) = (Instant::now(), DRAINED.load(Ordering::Relaxed));
        let mut times = self.runtime.block_on(async {
            let mut times = Vec::new();
            let mut turns = tokio::time::interval(time / dials);
            turns.set_missed_tick_behavior(tokio::time::MissedTickBehavior::Delay);
            for _ in 0..dials {
                turns.tick().await;
                let dial = connect(self.peer.clone());
                times.extend(tokio::time::timeout(DEADLINE, dial).await.ok());
            }
            turns.tick().await;
            times
        });
        times.sort_unstable();
        Phase {
            octets: DRAINED.load(Ordering::Relaxed) - drained,
            took: start.elapsed(),
            dials: times,
        }
    }
}

impl Phase {
    /// Bits a second.
    pub(crate) fn goodput(&self) -> f64 {
        8.0 * self.octets as f64 / self.took.as_secs_f64()
    }

    pub(crate) fn median(&self) -> Duration {
        self.dials[self.dials.len() / 2]
    }

    pub(crate) fn slowest(&self) -> Duration {
        *self.dials.last().expect("some connection")
    }

    pub(crate) fn made_within(&self, time: Duration) -> usize {
        self.dials.iter().filter(|took| **took <= time).count()
    }
}

/// Writes for ever.
async fn transfer(peer: PeerAddr) {
    let node = Node::builder().bind().await.unwrap();
    let mut stream = node.connect(peer, "drain").await.unwrap();
    let piece = vec![0x5a; 1 << 16];
    while stream.write_all(&piece).await.is_ok() {}
}

/// A new node, from its first packet to the first octet that comes back.
async fn connect(peer: PeerAddr) -> Duration {
    let node = Node::builder().bind().await.unwrap();
    let start = Instant::now();
    let mut stream = node.connect(peer, "echo").await.unwrap();
    stream.write_all(b"!").await.unwrap();
    let mut answer = [0];
    stream.read_exact(&mut answer).await.unwrap();
    let took = start.elapsed();
    node.close().await.unwrap();
    took
}
