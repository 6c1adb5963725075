//! Streams of octets.

use std::future::poll_fn;
use std::io;
use std::pin::Pin;
use std::sync::Arc;
use std::task::{Context, Poll};
use std::time::Duration;

use bytes::Bytes;
use keyway_identity::NodeId;
use tokio::io::{AsyncRead, AsyncWrite, ReadBuf};

use crate::error::{ReadError, WriteError};
use crate::pipe::{Ends, ReceiveEnd, SendEnd};
use crate::shared::Claim;

/// A reliable, ordered stream of octets each way, between this node and one peer, for one service.
///
/// It reads and writes as a TCP connection does, with the differences that matter here:
///
/// - The peer is who it says: [`peer`](Self::peer) is proven.
/// - It survives changes of address, of path and of keys. What ends it is an application, a peer that restarted, or the end
///   of its [patience](Self::set_patience).
/// - Each direction ends on its own: `shutdown` is a half-close, and the other direction goes on.
///
/// # Dropping
///
/// A dropped stream is finished in the background: what was written is delivered, then the end; what the peer still
/// sends is refused. (While the thread panics, the stream is reset instead, so that half a message does not pass for a whole one.)
/// A program that exits right afterwards should wait for [`Node::close`](crate::Node::close).
///
/// # Errors
///
/// The source of each [`io::Error`] is a [`ReadError`](crate::ReadError) or a [`WriteError`](crate::WriteError).
/// A peer that has no such service, or not for this node, answers with [`io::ErrorKind::ConnectionRefused`]; that shows at
/// the first read, or at a write some round trip later, because a stream is announced without waiting for consent.
///
/// # Cancel safety
///
/// All of tokio's reading and writing methods keep what they say about cancel safety: a dropped `read` or `write` has moved
/// nothing; `read_exact`, `write_all` and `copy` may have moved a part.
///
/// ```
/// # use keyway::{Allow, Node, PeerAddr};
/// # use tokio::io::{AsyncReadExt, AsyncWriteExt};
/// # #[tokio::main]
/// # async fn main() -> Result<(), Box<dyn std::error::Error>> {
/// # let bob = Node::builder().bind_address("127.0.0.1:0".parse()?).bind().await?;
/// # let alice = Node::builder().bind_address("127.0.0.1:0".parse()?).bind().await?;
/// # let mut listener = bob.listen("greeting").allow(Allow::only([alice.node_id()])).start()?;
/// # let peer = PeerAddr::new(bob.node_id(), bob.local_addresses());
/// # tokio::spawn(async move {
/// #     let mut stream = listener.accept().await.unwrap();
/// #     let mut text = String::new();
/// #     stream.read_to_string(&mut text).await.unwrap();
/// #     stream.write_all(text.to_uppercase().as_bytes()).await.unwrap();
/// # });
/// let mut stream = alice.connect(peer, "greeting").await?;
/// stream.write_all(b"hello").await?;
/// stream.shutdown().await?;
///
/// let mut answer = String::new();
/// stream.read_to_string(&mut answer).await?;
/// assert_eq!(answer, "HELLO");
/// # Ok(())
/// # }
/// ```
#[derive(Debug)]
pub struct Stream {
    receive: RecvHalf,
    send: SendHalf,
}

impl Stream {
    pub(crate) fn new(ends: Ends, claim: &Arc<Claim>) -> Self {
        Self {
            receive: RecvHalf {
                end: ends.receive,
                _claim: Arc::clone(claim),
            },
            send: SendHalf {
                end: ends.send,
                _claim: Arc::clone(claim),
            },
        }
    }

    /// Who is at the other end, proven by its key.
    #[must_use]
    pub fn peer(&self) -> NodeId {
        self.send.peer()
    }

    /// The service that the stream is for.
    #[must_use]
    pub fn service(&self) -> &str {
        self.send.end.0.service().as_str()
    }

    /// How long the stream waits while the peer acknowledges nothing of what was sent; then it ends with
    /// [`ConnectionError::TimedOut`](crate::ConnectionError::TimedOut), in both directions. Until then a peer may be asleep, offline, or on its way to another network.
    ///
    /// A peer of which nothing is waited for is asked for a sign of life meanwhile, so that the stream ends a quarter of its patience
    /// later at most; half a minute later where it has more than 100 s.
    ///
    /// Without a word it is what the [builder](crate::NodeBuilder::patience) says. Less than 5 s counts as 5 s: before that, a stall is not
    /// told from loss.
    pub fn set_patience(&self, patience: Duration) {
        self.send.end.0.set_patience(patience);
    }

    /// Gives up both directions, at once: what the peer has not read yet may be lost, and its reads and writes fail with `code`, one
    /// of [`codes`](crate::codes) or the application's own. The halves can be given up one by one.
    pub fn reset(mut self, code: u64) {
        self.send.reset(code);
        self.receive.stop(code);
    }

    /// The two directions, borrowed: for one task that reads and writes at the same time.
    pub const fn split(&mut self) -> (&mut RecvHalf, &mut SendHalf) {
        (&mut self.receive, &mut self.send)
    }

    /// The two directions, each for a task of its own. They are independent: dropping one leaves the other alone.
    #[must_use]
    pub fn into_split(self) -> (RecvHalf, SendHalf) {
        (self.receive, self.send)
    }
}

/// The reading direction of a [`Stream`]. Dropping it tells the peer that nothing more will be read.
///
/// ```no_run
/// # async fn run(stream: keyway::Stream) -> std::io::Result<()> {
/// use keyway::codes;
/// use tokio::io::AsyncReadExt;
///
/// let (mut receive, _send) = stream.into_split();
/// let kind = receive.read_u8().await?;
/// if kind != 1 {
///     receive.stop(codes::APPLICATION + 1); // the peer's writes fail with this code
/// }
/// # Ok(())
/// # }
/// ```
#[derive(Debug)]
pub struct RecvHalf {
    end: ReceiveEnd,
    _claim: Arc<Claim>,
}

impl RecvHalf {
    /// Who is at the other end, proven by its key.
    #[must_use]
    pub fn peer(&self) -> NodeId {
        self.end.0.peer()
    }

    /// Octets as they lie in memory, in one piece of at most `max`, without copying them: for those who move bulk data or pass
    /// it on. Waits until there are some; `None` at the end of the stream. A piece keeps up to 64 KiB of memory alive. Who asks for none gets
    /// an empty piece at once.
    ///
    /// # Errors
    /// [`ReadError`], as for reading into a buffer.
    ///
    /// # Cancel safety
    /// If the future is dropped before it is ready, nothing was read.
    pub async fn read_chunk(&mut self, max: usize) -> Result<Option<Bytes>, ReadError> {
        poll_fn(|context| self.end.0.poll_read_chunk(context, max)).await
    }

    /// Gives up reading: the peer's writes fail with `code`. What was not read is dropped; reads from here on find the end.
    pub fn stop(&mut self, code: u64) {
        self.end.0.stop(code);
    }
}

/// The writing direction of a [`Stream`]. Dropping it finishes the stream: the peer reads all that was written, then the end.
///
/// ```no_run
/// # async fn run(stream: keyway::Stream) -> std::io::Result<()> {
/// use tokio::io::{AsyncReadExt, AsyncWriteExt};
///
/// let (mut receive, mut send) = stream.into_split();
/// let writing = tokio::spawn(async move {
///     send.write_all(b"question").await?;
///     send.shutdown().await // the peer reads the end; this side still reads
/// });
/// let mut answer = String::new();
/// receive.read_to_string(&mut answer).await?;
/// writing.await?
/// # }
/// ```
#[derive(Debug)]
pub struct SendHalf {
    end: SendEnd,
    _claim: Arc<Claim>,
}

impl SendHalf {
    /// Who is at the other end, proven by its key.
    #[must_use]
    pub fn peer(&self) -> NodeId {
        self.end.0.peer()
    }

    /// Writes all of a piece without copying it, if it has more than 1 KiB: it is shared until the peer has acknowledged it.
    /// Waits while the stream's buffer is full.
    ///
    /// # Errors
    /// [`WriteError`], as for writing from a buffer.
    ///
    /// # Cancel safety
    /// If the future is dropped before it is ready, a part may have been written, as with `write_all`.
    ///
    /// ```no_run
    /// # async fn run(mut from: keyway::RecvHalf, mut to: keyway::SendHalf) -> Result<(), Box<dyn std::error::Error>> {
    /// // Passes a stream on.
    /// while let Some(chunk) = from.read_chunk(65_536).await? {
    ///     to.write_chunk(chunk).await?;
    /// }
    /// # Ok(())
    /// # }
    /// ```
    pub async fn write_chunk(&mut self, mut chunk: Bytes) -> Result<(), WriteError> {
        while !chunk.is_empty() {
            poll_fn(|context| self.end.0.poll_write_chunk(context, &mut chunk)).await?;
        }
        Ok(())
    }

    /// Gives up writing, at once: what the peer has not read yet may be lost, and its reads fail with `code`.
    pub fn reset(&mut self, code: u64) {
        self.end.0.reset(code);
    }
}

impl AsyncRead for RecvHalf {
    fn poll_read(
        self: Pin<&mut Self>,
        context: &mut Context<'_>,
        buffer: &mut ReadBuf<'_>,
    ) -> Poll<io::Result<()>> {
        self.end
            .0
            .poll_read(context, buffer)
            .map_err(io::Error::from)
    }
}

impl AsyncWrite for SendHalf {
    fn poll_write(
        self: Pin<&mut Self>,
        context: &mut Context<'_>,
        data: &[u8],
    ) -> Poll<io::Result<usize>> {
        self.end
            .0
            .poll_write(context, data)
            .map_err(io::Error::from)
    }

    fn poll_write_vectored(
        self: Pin<&mut Self>,
        context: &mut Context<'_>,
        slices: &[io::IoSlice<'_>],
    ) -> Poll<io::Result<usize>> {
        self.end
            .0
            .poll_write_vectored(context, slices)
            .map_err(io::Error::from)
    }

    fn is_write_vectored(&self) -> bool {
        true
    }

    /// Ready at once: what is written is sent without being asked to.
    fn poll_flush(self: Pin<&mut Self>, _: &mut Context<'_>) -> Poll<io::Result<()>> {
        Poll::Ready(Ok(()))
    }

    /// Half-close: the peer reads what was written, then the end. Ready at once; the delivery goes on in the background.
    fn poll_shutdown(self: Pin<&mut Self>, _: &mut Context<'_>) -> Poll<io::Result<()>> {
        Poll::Ready(self.end.0.finish().map_err(io::Error::from))
    }
}

impl AsyncRead for Stream {
    fn poll_read(
        mut self: Pin<&mut Self>,
        context: &mut Context<'_>,
        buffer: &mut ReadBuf<'_>,
    ) -> Poll<io::Result<()>> {
        Pin::new(&mut self.receive).poll_read(context, buffer)
    }
}

impl AsyncWrite for Stream {
    fn poll_write(
        mut self: Pin<&mut Self>,
        context: &mut Context<'_>,
        data: &[u8],
    ) -> Poll<io::Result<usize>> {
        Pin::new(&mut self.send).poll_write(context, data)
    }

    fn poll_write_vectored(
        mut self: Pin<&mut Self>,
        context: &mut Context<'_>,
        slices: &[io::IoSlice<'_>],
    ) -> Poll<io::Result<usize>> {
        Pin::new(&mut self.send).poll_write_vectored(context, slices)
    }

    fn is_write_vectored(&self) -> bool {
        self.send.is_write_vectored()
    }

    fn poll_flush(mut self: Pin<&mut Self>, context: &mut Context<'_>) -> Poll<io::Result<()>> {
        Pin::new(&mut self.send).poll_flush(context)
    }

    fn poll_shutdown(mut self: Pin<&mut Self>, context: &mut Context<'_>) -> Poll<io::Result<()>> {
        Pin::new(&mut self.send).poll_shutdown(context)
    }
}
