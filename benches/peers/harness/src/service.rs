//! The serving side of the workloads. A stream begins with a request: one octet says what to do, eight how much.

use std::sync::atomic::{AtomicU64, Ordering};
use std::sync::{LazyLock, Mutex, PoisonError};
use std::time::Instant;

use anyhow::{Result, bail, ensure};
use bytes::Bytes;

use crate::statistics::now;
use crate::{Receiving, Sending};

/// One piece of bulk data.
pub(crate) const PIECE: usize = 1024 * 1024;

/// How many datagrams arrive between two looks at the clock, which would cost the faster libraries a percent each time.
const DATAGRAMS_PER_READING: u64 = 64;

/// What the client asks for at the beginning of a stream.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Request {
    /// Read so many octets, and confirm them by their number.
    Take(u64),
    /// Write so many octets, and finish.
    Give(u64),
    /// Send back messages of so many octets, until the end.
    Echo(u64),
    /// Tell what datagrams arrived so far.
    CountDatagrams,
}

impl Request {
    pub(crate) const LEN: usize = 9;

    pub(crate) fn emit(self) -> [u8; Self::LEN] {
        let (kind, amount) = match self {
            Self::Take(amount) => (0, amount),
            Self::Give(amount) => (1, amount),
            Self::Echo(amount) => (2, amount),
            Self::CountDatagrams => (3, 0),
        };
        let mut octets = [kind; Self::LEN];
        octets[1..].copy_from_slice(&amount.to_be_bytes());
        octets
    }

    pub(crate) fn parse(octets: [u8; Self::LEN]) -> Result<Self> {
        let [kind, amount @ ..] = octets;
        let amount = u64::from_be_bytes(amount);
        Ok(match kind {
            0 => Self::Take(amount),
            1 => Self::Give(amount),
            2 => Self::Echo(amount),
            3 => Self::CountDatagrams,
            other => bail!("no such request: {other}"),
        })
    }
}

/// Serves one stream, until the client has what it asked for.
///
/// # Errors
/// If the connection ends before.
pub async fn serve_stream(mut send: impl Sending, mut receive: impl Receiving) -> Result<()> {
    let mut request = [0; Request::LEN];
    receive.read(&mut request).await?;
    match Request::parse(request)? {
        Request::Take(amount) => {
            take(&mut receive, amount).await?;
            send.write(&amount.to_be_bytes()).await?;
        }
        Request::Give(amount) => give(&mut send, amount).await?,
        Request::Echo(size) => {
            // Messages are small: the size is in the hands of our own client.
            let mut message = vec![0; usize::try_from(size)?];
            while receive.read(&mut message).await.is_ok() {
                send.write(&message).await?;
            }
        }
        Request::CountDatagrams => {
            let seen = arrivals();
            let mut answer = [0; 16];
            answer[..8].copy_from_slice(&seen.0.to_be_bytes());
            answer[8..].copy_from_slice(&seen.1.to_be_bytes());
            send.write(&answer).await?;
        }
    }
    send.finish().await?;
    // The client closes its direction when it has everything; a stream that is dropped before might take its end along.
    while let Ok(Some(_)) = receive.read_bulk().await {}
    Ok(())
}

/// Reads exactly so many octets.
pub(crate) async fn take(receive: &mut impl Receiving, amount: u64) -> Result<()> {
    let mut left = amount;
    while left > 0 {
        let Some(length) = receive.read_bulk().await? else {
            bail!("the stream ended {left} octets early");
        };
        ensure!(length as u64 <= left, "the stream is longer than was said");
        left -= length as u64;
    }
    Ok(())
}

/// Writes exactly so many octets, all of the same memory.
pub(crate) async fn give(send: &mut impl Sending, amount: u64) -> Result<()> {
    static DATA: LazyLock<Bytes> = LazyLock::new(|| Bytes::from(vec![0xa5; PIECE]));
    let mut left = amount;
    while left > 0 {
        let length = left.min(PIECE as u64);
        // At most PIECE, so that the conversion loses nothing.
        send.write_bulk(&DATA.slice(..length as usize)).await?;
        left -= length;
    }
    Ok(())
}

/// Datagrams that arrived.
static ARRIVED: AtomicU64 = AtomicU64::new(0);
/// When the first of them came; and the latest at which the clock was read, with how many there were by then.
static SPAN: Mutex<Option<(Instant, Instant, u64)>> = Mutex::new(None);

/// Counts a datagram that arrived. The server's counter is one for all its connections.
pub fn count_datagram() {
    let count = ARRIVED.fetch_add(1, Ordering::Relaxed) + 1;
    if count == 1 || count.is_multiple_of(DATAGRAMS_PER_READING) {
        let mut span = SPAN.lock().unwrap_or_else(PoisonError::into_inner);
        let now = now();
        let first = span.map_or(now, |(first, ..)| first);
        *span = Some((first, now, count));
    }
}

/// How many datagrams arrived while the clock was read, and within how many nanoseconds.
fn arrivals() -> (u64, u64) {
    let span = *SPAN.lock().unwrap_or_else(PoisonError::into_inner);
    span.map_or((0, 0), |(first, last, count)| {
        let nanoseconds = last.duration_since(first).as_nanos();
        (count, u64::try_from(nanoseconds).unwrap_or(u64::MAX))
    })
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::{Reading, Writing};

    #[test]
    fn requests_arrive_as_they_were_meant() {
        let requests = [
            Request::Take(u64::MAX),
            Request::Give(1),
            Request::Echo(64),
            Request::CountDatagrams,
        ];
        for request in requests {
            assert_eq!(Request::parse(request.emit()).unwrap(), request);
        }
        assert!(Request::parse([9; Request::LEN]).is_err());
    }

    #[tokio::test]
    async fn a_stream_that_ends_early_or_late_is_no_figure() {
        for (sent, expected) in [(100, 101), (100, 99)] {
            let (here, there) = tokio::io::duplex(1024);
            let mut send = Writing(here);
            give(&mut send, sent).await.unwrap();
            send.finish().await.unwrap();
            let mut receive = Reading::new(there);
            assert!(take(&mut receive, expected).await.is_err());
        }
    }

    #[tokio::test]
    async fn what_was_asked_for_is_served() {
        let (here, there) = tokio::io::duplex(4096);
        let (read, write) = tokio::io::split(there);
        let serving = tokio::spawn(serve_stream(Writing(write), Reading::new(read)));
        let (read, write) = tokio::io::split(here);
        let (mut send, mut receive) = (Writing(write), Reading::new(read));
        send.write(&Request::Take(10_000).emit()).await.unwrap();
        give(&mut send, 10_000).await.unwrap();
        let mut confirmed = [0; 8];
        receive.read(&mut confirmed).await.unwrap();
        assert_eq!(u64::from_be_bytes(confirmed), 10_000);
        send.finish().await.unwrap();
        serving.await.unwrap().unwrap();
    }
}
