//! Streams of libraries that read and write as tokio does.

use anyhow::Result;
use tokio::io::{AsyncRead, AsyncReadExt, AsyncWrite, AsyncWriteExt};

use crate::{Receiving, Sending};

/// How much one read may give. Larger ones were no faster for any library that reads into a buffer.
const READ_MAX: usize = 256 * 1024;

/// The writing half of a stream that implements [`AsyncWrite`].
pub struct Writing<W>(pub W);

impl<W: AsyncWrite + Send + Unpin + 'static> Sending for Writing<W> {
    async fn write(&mut self, message: &[u8]) -> Result<()> {
        self.0.write_all(message).await?;
        // Some libraries keep small messages until they are told.
        Ok(self.0.flush().await?)
    }

    async fn finish(&mut self) -> Result<()> {
        Ok(self.0.shutdown().await?)
    }
}

/// The reading half of a stream that implements [`AsyncRead`].
pub struct Reading<R> {
    half: R,
    /// Allocated at the first bulk read: idle connections have none.
    buffer: Vec<u8>,
}

impl<R> Reading<R> {
    /// Reads from `half`.
    pub const fn new(half: R) -> Self {
        Self {
            half,
            buffer: Vec::new(),
        }
    }
}

impl<R: AsyncRead + Send + Unpin + 'static> Receiving for Reading<R> {
    async fn read(&mut self, message: &mut [u8]) -> Result<()> {
        self.half.read_exact(message).await?;
        Ok(())
    }

    async fn read_bulk(&mut self) -> Result<Option<usize>> {
        self.buffer.resize(READ_MAX, 0);
        let length = self.half.read(&mut self.buffer).await?;
        Ok((length > 0).then_some(length))
    }
}
