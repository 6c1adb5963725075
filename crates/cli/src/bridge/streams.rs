//! Octets both ways between a local stream socket and a Keyway stream, each direction ending on its own.

use keyway::{Stream, codes};
use tokio::io::{AsyncRead, AsyncWrite};
use tokio::net::{TcpStream, UnixStream};
use tracing::debug;

/// One copy buffer for each direction. As large as what one GSO batch carries, so that a busy connection moves whole batches.
const BUFFER_LEN: usize = 64 * 1024;

/// A local connection that can be broken off visibly.
pub(crate) trait Local: AsyncRead + AsyncWrite + Unpin + Send + 'static {
    /// Makes the other end see an error instead of an orderly end.
    fn abort(self);
}

impl Local for TcpStream {
    fn abort(self) {
        // With a linger time of zero, closing sends RST (tcp(7), SO_LINGER).
        if let Err(error) = self.set_zero_linger() {
            debug!(%error, "cannot reset a connection; it is closed");
        }
    }
}

impl Local for UnixStream {
    // Unix sockets know no reset: the end is all that the other side can be shown.
    fn abort(self) {}
}

/// Carries octets both ways until both directions have ended. Where one breaks, the other end sees a break, never a clean end:
/// half a file must not look like a whole one.
pub(crate) async fn join(mut local: impl Local, mut stream: Stream) {
    match tokio::io::copy_bidirectional_with_sizes(&mut local, &mut stream, BUFFER_LEN, BUFFER_LEN)
        .await
    {
        Ok((sent, received)) => debug!(peer = %stream.peer(), sent, received, "stream done"),
        Err(error) => {
            debug!(peer = %stream.peer(), %error, "stream broke");
            stream.reset(codes::ABANDONED);
            local.abort();
        }
    }
}
