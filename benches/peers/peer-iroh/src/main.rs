//! iroh, with addresses that are known: no relay, no look-up.

use std::process::ExitCode;
use std::time::Duration;

use anyhow::{Result, ensure};
use bytes::Bytes;
use harness::{Client, Connection, Peer, Receiving, Sending, Variant, Workload};
use iroh::endpoint::{
    Incoming, MtuDiscoveryConfig, QuicTransportConfig, RecvStream, SendStream, presets,
};
use iroh::{Endpoint, EndpointAddr, RelayMode};

/// How much one stream, and all of them, may have on the way. With 16 MiB it overruns the receiver's socket, and is slower.
const WINDOW: u32 = 8 * 1024 * 1024;

/// The length of packets.
const PACKET: u16 = 1_452;

const ALPN: &[u8] = b"bench";

fn main() -> ExitCode {
    harness::run::<Iroh>()
}

struct Iroh;

impl Peer for Iroh {
    const VARIANTS: &'static [Variant] = &[Variant {
        name: "iroh",
        package: Some("iroh"),
        about: "1,452-byte packets from the start, CUBIC, windows of 8 MiB, known addresses, no relay",
        workloads: Workload::ALL,
    }];

    type Client = Dialler;

    async fn serve(_: &'static str, ready: fn(&str)) -> Result<()> {
        let endpoint = bind().await?;
        let address = EndpointAddr::new(endpoint.id());
        let address = endpoint
            .bound_sockets()
            .into_iter()
            .fold(address, EndpointAddr::with_ip_addr);
        ready(&serde_json::to_string(&address)?);
        while let Some(incoming) = endpoint.accept().await {
            tokio::spawn(serve(incoming));
        }
        Ok(())
    }

    async fn client(_: &'static str, address: &str) -> Result<Dialler> {
        Ok(Dialler {
            endpoint: bind().await?,
            server: serde_json::from_str(address)?,
        })
    }
}

async fn bind() -> Result<Endpoint> {
    let mut discovery = MtuDiscoveryConfig::default();
    discovery.upper_bound(PACKET);
    let transport = QuicTransportConfig::builder()
        .initial_mtu(PACKET)
        // Loopback carries them: that some were lost in a full buffer is no reason for smaller ones.
        .min_mtu(PACKET)
        .mtu_discovery_config(Some(discovery))
        .stream_receive_window(WINDOW.into())
        .receive_window(WINDOW.into())
        .send_window(WINDOW.into())
        .datagram_receive_buffer_size(Some(WINDOW as usize))
        .max_idle_timeout(Some(Duration::from_secs(600).try_into()?))
        .build();
    Ok(Endpoint::builder(presets::Minimal)
        .relay_mode(RelayMode::Disabled)
        .clear_ip_transports()
        .bind_addr("127.0.0.1:0")?
        .alpns(vec![ALPN.to_vec()])
        // Each connection has the whole handshake.
        .max_tls_tickets(0)
        .transport_config(transport)
        .bind()
        .await?)
}

async fn serve(incoming: Incoming) -> Result<()> {
    let connection = incoming.accept()?.await?;
    let datagrams = connection.clone();
    tokio::spawn(async move {
        while datagrams.read_datagram().await.is_ok() {
            harness::count_datagram();
        }
    });
    loop {
        let (send, receive) = connection.accept_bi().await?;
        tokio::spawn(harness::serve_stream(Writing(send), Reading(receive)));
    }
}

struct Dialler {
    endpoint: Endpoint,
    server: EndpointAddr,
}

impl Client for Dialler {
    type Connection = Dialled;

    async fn connect(&mut self) -> Result<Dialled> {
        let connection = self.endpoint.connect(self.server.clone(), ALPN).await?;
        Ok(Dialled(connection))
    }
}

struct Dialled(iroh::endpoint::Connection);

impl Connection for Dialled {
    type Send = Writing;
    type Receive = Reading;

    async fn open(&mut self) -> Result<(Writing, Reading)> {
        let (send, receive) = self.0.open_bi().await?;
        Ok((Writing(send), Reading(receive)))
    }

    async fn send_datagram(&mut self, datagram: &Bytes) -> Result<()> {
        Ok(self.0.send_datagram_wait(datagram.clone()).await?)
    }

    async fn close(self) -> Result<()> {
        self.0.close(0_u8.into(), b"");
        Ok(())
    }
}

struct Writing(SendStream);

impl Sending for Writing {
    async fn write(&mut self, message: &[u8]) -> Result<()> {
        Ok(self.0.write_all(message).await?)
    }

    /// Without a copy.
    async fn write_bulk(&mut self, piece: &Bytes) -> Result<()> {
        Ok(self.0.write_chunk(piece.clone()).await?)
    }

    async fn finish(&mut self) -> Result<()> {
        Ok(self.0.finish()?)
    }
}

struct Reading(RecvStream);

impl Receiving for Reading {
    async fn read(&mut self, message: &mut [u8]) -> Result<()> {
        Ok(self.0.read_exact(message).await?)
    }

    /// Without a copy: packets' contents as they are.
    async fn read_bulk(&mut self) -> Result<Option<usize>> {
        let mut pieces = [const { Bytes::new() }; 32];
        let Some(count) = self.0.read_many_chunks(&mut pieces).await? else {
            return Ok(None);
        };
        let length: usize = pieces.iter().take(count).map(Bytes::len).sum();
        ensure!(length > 0, "a read without data");
        Ok(Some(length))
    }
}
