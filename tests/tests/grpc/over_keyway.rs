//! What a program writes to have tonic's transport on streams of a node, in place of TCP connections.

use std::io;
use std::pin::Pin;
use std::task::{Context, Poll};

use hyper_util::rt::TokioIo;
use keyway::{Listener, Node, NodeId, PeerAddr, Stream};
use tokio::io::{AsyncRead, AsyncWrite, ReadBuf};
use tokio_stream::wrappers::ReceiverStream;
use tonic::transport::server::Connected;
use tonic::transport::{Channel, Endpoint, Error};

/// A channel to the peer's service `grpc`.
pub(crate) async fn channel(node: &Node, peer: PeerAddr) -> Result<Channel, Error> {
    let node = node.clone();
    let connector = tower::service_fn(move |_| {
        let (node, peer) = (node.clone(), peer.clone());
        async move {
            let stream = node.connect(peer, "grpc").await?;
            Ok::<_, io::Error>(TokioIo::new(stream))
        }
    });
    // The name is for the `:authority` of requests alone: who the peer is, its key says.
    Endpoint::from_static("http://mirror")
        .connect_with_connector(connector)
        .await
}

/// The streams that a listener accepts, as tonic's server takes them.
pub(crate) fn incoming(mut listener: Listener) -> ReceiverStream<io::Result<Connection>> {
    let (sender, receiver) = tokio::sync::mpsc::channel(1);
    tokio::spawn(async move {
        while let Ok(stream) = listener.accept().await {
            if sender.send(Ok(Connection(stream))).await.is_err() {
                return;
            }
        }
    });
    ReceiverStream::new(receiver)
}

/// A stream that tells tonic's handlers who is at the other end.
pub(crate) struct Connection(Stream);

impl Connected for Connection {
    type ConnectInfo = NodeId;

    fn connect_info(&self) -> NodeId {
        self.0.peer()
    }
}

impl AsyncRead for Connection {
    fn poll_read(
        mut self: Pin<&mut Self>,
        context: &mut Context<'_>,
        buffer: &mut ReadBuf<'_>,
    ) -> Poll<io::Result<()>> {
        Pin::new(&mut self.0).poll_read(context, buffer)
    }
}

impl AsyncWrite for Connection {
    fn poll_write(
        mut self: Pin<&mut Self>,
        context: &mut Context<'_>,
        octets: &[u8],
    ) -> Poll<io::Result<usize>> {
        Pin::new(&mut self.0).poll_write(context, octets)
    }

    fn poll_flush(mut self: Pin<&mut Self>, context: &mut Context<'_>) -> Poll<io::Result<()>> {
        Pin::new(&mut self.0).poll_flush(context)
    }

    fn poll_shutdown(mut self: Pin<&mut Self>, context: &mut Context<'_>) -> Poll<io::Result<()>> {
        Pin::new(&mut self.0).poll_shutdown(context)
    }
}
