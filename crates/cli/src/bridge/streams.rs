//! Octets both ways between a local stream socket and a Keyway stream, each direction ending on its own.

use std::io;
use std::sync::atomic::{AtomicU64, Ordering};

use keyway::{RecvHalf, SendHalf, Stream, WriteError, codes};
use tokio::io::{AsyncRead, AsyncReadExt, AsyncWrite, AsyncWriteExt};
use tokio::net::{TcpStream, UnixStream, tcp, unix};
use tracing::{debug, warn};

use crate::ending::Hold;
use crate::exit::{Exit, Failure};

/// One copy buffer for each direction. As large as what one GSO batch carries, so that a busy connection moves whole batches.
const BUFFER_LEN: usize = 64 * 1024;

/// A local connection.
pub(crate) trait Local: Send + 'static {
    /// From here on whatever drops the connection, even the end of this process, makes the other end see a break, until what it is told
    /// has come to its [end](End::release).
    fn guard(&self);

    /// The two directions.
    fn split(&mut self) -> (impl AsyncRead + Unpin + Send, impl End);
}

/// The direction towards the other end of a local connection.
pub(crate) trait End: AsyncWrite + Unpin + Send {
    /// Takes [`guard`](Local::guard) back: the other end has been told everything.
    fn release(&self);
}

impl Local for TcpStream {
    fn guard(&self) {
        // With a linger time of zero, closing sends RST (socket(7), SO_LINGER).
        if let Err(error) = self.set_zero_linger() {
            debug!(%error, "a break of this connection will look like its end");
        }
    }

    fn split(&mut self) -> (impl AsyncRead + Unpin + Send, impl End) {
        self.split()
    }
}

impl End for tcp::WriteHalf<'_> {
    #[expect(
        deprecated,
        reason = "dropping blocks where a linger time is set; this takes it away"
    )]
    fn release(&self) {
        if let Err(error) = self.as_ref().set_linger(None) {
            debug!(%error, "the end of this connection may look like a break");
        }
    }
}

impl Local for UnixStream {
    // Unix sockets know no reset: the end is all that the other side can be shown.
    fn guard(&self) {}

    fn split(&mut self) -> (impl AsyncRead + Unpin + Send, impl End) {
        self.split()
    }
}

impl End for unix::WriteHalf<'_> {
    fn release(&self) {}
}

/// Carries octets both ways until both directions have ended. Where one breaks, the other end sees a break, never a clean end:
/// half a file must not look like a whole one.
///
/// When the command ends, what moves may go on moving for a while; the rest is left to the end of the node, which delivers what
/// was written and does not pass it for the whole.
pub(crate) async fn join(mut local: impl Local, stream: Stream, hold: Hold) {
    local.guard();
    let peer = stream.peer();
    let service = stream.service().to_owned();
    let moved = AtomicU64::new(0);
    let (mut receive, mut send) = stream.into_split();
    let outcome = {
        let (reader, writer) = local.split();
        let both = async {
            tokio::try_join!(
                upload(reader, &mut send, &moved),
                download(&mut receive, writer, &moved)
            )
        };
        tokio::pin!(both);
        tokio::select! {
            biased;
            outcome = &mut both => outcome,
            () = hold.until_quiet(&moved) => both.await,
        }
    };
    match outcome {
        Ok((sent, received)) => {
            debug!(%peer, service, sent, received, "connection done");
        }
        Err(error) => {
            send.reset(codes::ABANDONED);
            receive.stop(codes::ABANDONED);
            let failure = Failure::from(error);
            if failure.exit == Exit::Refused {
                warn!(%peer, service, "{failure}");
            } else {
                debug!(%peer, service, "connection broke: {failure}");
            }
        }
    }
}

/// From the local side to the peer.
async fn upload(
    mut from: impl AsyncRead + Unpin,
    to: &mut SendHalf,
    moved: &AtomicU64,
) -> io::Result<u64> {
    let mut buffer = vec![0; BUFFER_LEN];
    let mut total = 0;
    loop {
        let len = from.read(&mut buffer).await?;
        if len == 0 {
            to.shutdown().await?;
            return Ok(total);
        }
        match to.write_all(&buffer[..len]).await {
            // The peer has heard enough, and may still have something to say.
            Err(error) if is_enough(&error) => return Ok(total),
            written => written?,
        }
        moved.fetch_add(len as u64, Ordering::Relaxed);
        total += len as u64;
    }
}

/// From the peer to the local side.
async fn download(from: &mut RecvHalf, mut to: impl End, moved: &AtomicU64) -> io::Result<u64> {
    let mut buffer = vec![0; BUFFER_LEN];
    let mut total = 0;
    loop {
        let len = from.read(&mut buffer).await?;
        if len == 0 {
            to.shutdown().await?;
            to.release();
            return Ok(total);
        }
        to.write_all(&buffer[..len]).await?;
        moved.fetch_add(len as u64, Ordering::Relaxed);
        total += len as u64;
    }
}

/// Whether a write failed because the peer needs no more, which is no failure.
pub(crate) fn is_enough(error: &io::Error) -> bool {
    let write = error
        .get_ref()
        .and_then(|inner| inner.downcast_ref::<WriteError>());
    matches!(write, Some(WriteError::Stopped { code: codes::NONE }))
}
