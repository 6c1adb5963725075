//! s2n-quic.

use std::future::poll_fn;
use std::net::SocketAddr;
use std::process::ExitCode;
use std::time::Duration;

use anyhow::{Context, Result, anyhow, bail};
use bytes::Bytes;
use harness::{Connection, Peer, Receiving, Sending, Variant, Workload};
use s2n_quic::client::Connect;
use s2n_quic::connection::Handle;
use s2n_quic::provider::datagram::default::{Endpoint, Receiver, Sender};
use s2n_quic::provider::io::tokio::{Builder as IoBuilder, Provider as Io};
use s2n_quic::provider::limits::Limits;
use s2n_quic::stream::{BidirectionalStream, ReceiveStream, SendStream};
use s2n_quic::{Client, Server};
use serde::{Deserialize, Serialize};

/// How much one stream, and all of them, may have on the way. With 16 MiB it overruns the receiver's socket, and is slower.
const WINDOW: u64 = 8 * 1024 * 1024;

/// Asked for at the socket; the kernel may grant less.
const SOCKET_BUFFER: usize = 4 * 1024 * 1024;

/// Datagrams that may wait at either end.
const DATAGRAMS: usize = 4_096;

/// With the headers of IPv4 and UDP it makes packets of 1,452 octets.
const MTU: u16 = 1_452 + 28;

/// The name in the certificate.
const NAME: &str = "localhost";

fn main() -> ExitCode {
    harness::run::<S2nQuic>()
}

struct S2nQuic;

impl Peer for S2nQuic {
    const VARIANTS: &'static [Variant] = &[Variant {
        name: "s2n-quic",
        package: Some("s2n-quic"),
        about: "1,452-byte packets from the start, CUBIC, windows of 8 MiB",
        workloads: Workload::ALL,
    }];

    type Client = Dialler;

    async fn serve(_: &'static str, ready: fn(&str)) -> Result<()> {
        let made = rcgen::generate_simple_self_signed([NAME.to_owned()])?;
        let (certificate, key) = (made.cert.pem(), made.signing_key.serialize_pem());
        let mut server = Server::builder()
            .with_tls((certificate.as_str(), key.as_str()))
            .map_err(|error| anyhow!("TLS: {error}"))?
            .with_io(io()?)?
            .with_limits(limits()?)?
            .with_datagram(datagrams()?)?
            .start()
            .context("cannot start the server")?;
        ready(&serde_json::to_string(&Place {
            address: server.local_addr()?.to_string(),
            certificate,
        })?);
        while let Some(connection) = server.accept().await {
            tokio::spawn(serve(connection));
        }
        bail!("the server has ended")
    }

    async fn client(_: &'static str, address: &str) -> Result<Dialler> {
        let place: Place = serde_json::from_str(address)?;
        let client = Client::builder()
            .with_tls(place.certificate.as_str())
            .map_err(|error| anyhow!("TLS: {error}"))?
            .with_io(io()?)?
            .with_limits(limits()?)?
            .with_datagram(datagrams()?)?
            .start()
            .context("cannot start the client")?;
        let server: SocketAddr = place.address.parse()?;
        Ok(Dialler { client, server })
    }
}

/// What the client has to know.
#[derive(Deserialize, Serialize)]
struct Place {
    address: String,
    certificate: String,
}

fn io() -> Result<Io> {
    let builder: IoBuilder = Io::builder();
    let loopback: SocketAddr = "127.0.0.1:0".parse()?;
    Ok(builder
        .with_receive_address(loopback)?
        .with_send_buffer_size(SOCKET_BUFFER)?
        .with_recv_buffer_size(SOCKET_BUFFER)?
        .with_max_mtu(MTU)?
        .with_initial_mtu(MTU)?
        // Loopback carries them: that some were lost in a full buffer is no reason for smaller ones.
        .with_base_mtu(MTU)?
        .build()?)
}

fn limits() -> Result<Limits> {
    Ok(Limits::new()
        .with_data_window(WINDOW)?
        .with_bidirectional_local_data_window(WINDOW)?
        .with_bidirectional_remote_data_window(WINDOW)?
        .with_max_send_buffer_size(u32::try_from(WINDOW)?)?
        .with_max_idle_timeout(Duration::from_secs(600))?)
}

fn datagrams() -> Result<Endpoint> {
    Ok(Endpoint::builder()
        .with_send_capacity(DATAGRAMS)?
        .with_recv_capacity(DATAGRAMS)?
        .build()?)
}

async fn serve(mut connection: s2n_quic::Connection) -> Result<()> {
    let handle = connection.handle();
    tokio::spawn(async move {
        while received(&handle).await.is_ok() {
            harness::count_datagram();
        }
    });
    while let Some(stream) = connection.accept_bidirectional_stream().await? {
        let (receive, send) = halves(stream);
        tokio::spawn(harness::serve_stream(send, receive));
    }
    Ok(())
}

async fn received(handle: &Handle) -> Result<Bytes> {
    poll_fn(|context| {
        handle
            .datagram_mut(|receiver: &mut Receiver| receiver.poll_recv_datagram(context))
            .map_or_else(
                |error| std::task::Poll::Ready(Err(anyhow!("{error}"))),
                |polled| polled.map_err(|error| anyhow!("{error}")),
            )
    })
    .await
}

fn halves(stream: BidirectionalStream) -> (Reading, Writing) {
    let (receive, send) = stream.split();
    let rest = Bytes::new();
    (Reading { receive, rest }, Writing(send))
}

struct Dialler {
    client: Client,
    server: SocketAddr,
}

impl harness::Client for Dialler {
    type Connection = Dialled;

    async fn connect(&mut self) -> Result<Dialled> {
        let connect = Connect::new(self.server).with_server_name(NAME);
        let mut connection = self.client.connect(connect).await?;
        connection.keep_alive(true)?;
        Ok(Dialled(connection))
    }
}

struct Dialled(s2n_quic::Connection);

impl Connection for Dialled {
    type Send = Writing;
    type Receive = Reading;

    async fn open(&mut self) -> Result<(Writing, Reading)> {
        let (receive, send) = halves(self.0.open_bidirectional_stream().await?);
        Ok((send, receive))
    }

    async fn send_datagram(&mut self, datagram: &Bytes) -> Result<()> {
        let mut datagram = datagram.clone();
        poll_fn(|context| {
            self.0
                .datagram_mut(|sender: &mut Sender| {
                    sender.poll_send_datagram(&mut datagram, context)
                })
                .map_or_else(
                    |error| std::task::Poll::Ready(Err(anyhow!("{error}"))),
                    |polled| polled.map_err(|error| anyhow!("{error}")),
                )
        })
        .await
    }

    async fn close(self) -> Result<()> {
        self.0.close(0_u8.into());
        Ok(())
    }
}

struct Writing(SendStream);

impl Sending for Writing {
    async fn write(&mut self, message: &[u8]) -> Result<()> {
        Ok(self.0.send(Bytes::copy_from_slice(message)).await?)
    }

    /// Without a copy.
    async fn write_bulk(&mut self, piece: &Bytes) -> Result<()> {
        Ok(self.0.send(piece.clone()).await?)
    }

    async fn finish(&mut self) -> Result<()> {
        Ok(self.0.finish()?)
    }
}

struct Reading {
    receive: ReceiveStream,
    /// What came with a message, and lies behind it.
    rest: Bytes,
}

impl Receiving for Reading {
    async fn read(&mut self, message: &mut [u8]) -> Result<()> {
        let mut filled = 0;
        while filled < message.len() {
            if self.rest.is_empty() {
                self.rest = self.receive.receive().await?.context("the stream ended")?;
            }
            let length = self.rest.len().min(message.len() - filled);
            message[filled..filled + length].copy_from_slice(&self.rest.split_to(length));
            filled += length;
        }
        Ok(())
    }

    /// Without a copy: packets' contents as they are.
    async fn read_bulk(&mut self) -> Result<Option<usize>> {
        if !self.rest.is_empty() {
            return Ok(Some(std::mem::take(&mut self.rest).len()));
        }
        let mut pieces = [const { Bytes::new() }; 32];
        let (count, open) = self.receive.receive_vectored(&mut pieces).await?;
        let length: usize = pieces.iter().take(count).map(Bytes::len).sum();
        Ok((open || length > 0).then_some(length))
    }
}
