//! `keyway perf`: throughput as an application sees it.
//!
//! The measuring side opens streams, or a flow of datagrams, to the service `perf` and says in nine octets which way data goes
//! (`u` to the server, `d` from it) and for how many milliseconds (big-endian). What counts is what the receiver received: of
//! uploaded streams the server tells the number of octets in eight octets at the end, of datagrams it tells the number so far,
//! again and again.

mod client;
mod serve;

use std::time::Duration;

use keyway::{DatagramError, DatagramSocket};

use crate::arguments::Perf;
use crate::exit::{Exit, Failure};

/// The service's name.
const SERVICE: &str = "perf";

/// Octets written and read at once: one batch of packets.
const CHUNK: usize = 64 * 1024;

/// How often the receiver of datagrams tells how many octets it has.
const REPORT_EVERY: Duration = Duration::from_millis(100);

/// The longest run that a server lends itself to.
const RUN_MAX: Duration = Duration::from_secs(24 * 60 * 60);

/// Which way data goes.
#[derive(Copy, Clone, Debug, PartialEq, Eq)]
enum Direction {
    Up,
    Down,
}

/// The first nine octets of a stream, and the first datagram of a flow: given again until the server's first one comes.
#[derive(Copy, Clone, Debug, PartialEq, Eq)]
struct Order {
    direction: Direction,
    duration: Duration,
}

impl Order {
    const LEN: usize = 9;

    fn emit(self) -> [u8; Self::LEN] {
        let mut octets = [0; Self::LEN];
        octets[0] = match self.direction {
            Direction::Up => b'u',
            Direction::Down => b'd',
        };
        let millis = u64::try_from(self.duration.as_millis()).unwrap_or(u64::MAX);
        octets[1..].copy_from_slice(&millis.to_be_bytes());
        octets
    }

    fn parse(octets: &[u8]) -> Option<Self> {
        let octets: &[u8; Self::LEN] = octets.try_into().ok()?;
        let [direction, millis @ ..] = *octets;
        let direction = match direction {
            b'u' => Direction::Up,
            b'd' => Direction::Down,
            _ => return None,
        };
        let duration = Duration::from_millis(u64::from_be_bytes(millis)).min(RUN_MAX);
        Some(Self {
            direction,
            duration,
        })
    }
}

/// Sends one datagram as large as the path takes. Where the path changes meanwhile to one that takes less, none is sent, and the
/// next has the right size.
async fn send_largest(flow: &DatagramSocket, chunk: &[u8]) -> Result<(), DatagramError> {
    let len = flow.max_size().min(chunk.len());
    match flow.send(&chunk[..len]).await {
        Err(DatagramError::TooLarge { .. }) => Ok(()),
        sent => sent,
    }
}

pub(crate) async fn run(arguments: Perf) -> Result<Exit, Failure> {
    match arguments.peer.clone() {
        Some(peer) => client::run(arguments, peer).await,
        None => serve::run(arguments).await,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_order_is_read_as_it_was_written_and_never_runs_for_ever() {
        let order = Order {
            direction: Direction::Down,
            duration: Duration::from_millis(1500),
        };
        assert_eq!(Order::parse(&order.emit()), Some(order));
        let endless = Order {
            direction: Direction::Up,
            duration: Duration::MAX,
        };
        assert_eq!(
            Order::parse(&endless.emit()).map(|order| order.duration),
            Some(RUN_MAX)
        );
        assert_eq!(Order::parse(b"x12345678"), None);
        assert_eq!(Order::parse(b"u1234567"), None);
    }
}
