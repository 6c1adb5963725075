//! quinn.

use std::process::ExitCode;
use std::sync::Arc;
use std::time::Duration;

use anyhow::{Result, ensure};
use bytes::Bytes;
use data_encoding::BASE64;
use harness::{Client, Connection, Peer, Receiving, Sending, Variant, Workload};
use quinn::congestion::CubicConfig;
use quinn::crypto::rustls::{QuicClientConfig, QuicServerConfig};
use quinn::{
    ClientConfig, Endpoint, EndpointConfig, Incoming, MtuDiscoveryConfig, RecvStream, SendStream,
    ServerConfig, TokioRuntime, TransportConfig,
};
use rustls::crypto::aws_lc_rs;
use rustls::pki_types::{CertificateDer, PrivatePkcs8KeyDer};
use serde::{Deserialize, Serialize};

/// How much one stream, and all of them, may have on the way.
const WINDOW: u32 = 8 * 1024 * 1024;

/// Asked for at the socket; the kernel may grant less.
const SOCKET_BUFFER: usize = 4 * 1024 * 1024;

/// The name in the certificate.
const NAME: &str = "localhost";

const ALPN: &[u8] = b"bench";

fn main() -> ExitCode {
    harness::run::<Quinn>()
}

struct Quinn;

impl Peer for Quinn {
    const VARIANTS: &'static [Variant] = &[
        Variant {
            name: "quinn",
            package: Some("quinn"),
            about: "1,452-byte packets from the start, CUBIC, windows of 8 MiB",
            workloads: Workload::ALL,
        },
        Variant {
            name: "quinn-6500",
            package: Some("quinn"),
            about: "the same with 6,500-byte packets",
            workloads: &[Workload::Stream, Workload::Streams8, Workload::Reverse],
        },
    ];

    type Client = Dialler;

    async fn serve(variant: &'static str, ready: fn(&str)) -> Result<()> {
        let made = rcgen::generate_simple_self_signed([NAME.to_owned()])?;
        let certificate = made.cert.der().clone();
        let key = PrivatePkcs8KeyDer::from(made.signing_key.serialize_der());
        let mut tls = rustls::ServerConfig::builder_with_provider(provider())
            .with_protocol_versions(&[&rustls::version::TLS13])?
            .with_no_client_auth()
            .with_single_cert(vec![certificate.clone()], key.into())?;
        tls.alpn_protocols = vec![ALPN.to_vec()];
        let mut config = ServerConfig::with_crypto(Arc::new(QuicServerConfig::try_from(tls)?));
        config.transport_config(Arc::new(transport(variant)?));
        let endpoint = bind(variant, Some(config))?;
        ready(&serde_json::to_string(&Place {
            address: endpoint.local_addr()?.to_string(),
            certificate: BASE64.encode(&certificate),
        })?);
        while let Some(incoming) = endpoint.accept().await {
            tokio::spawn(serve(incoming));
        }
        Ok(())
    }

    async fn client(variant: &'static str, address: &str) -> Result<Dialler> {
        let place: Place = serde_json::from_str(address)?;
        let certificate = BASE64.decode(place.certificate.as_bytes())?;
        let mut roots = rustls::RootCertStore::empty();
        roots.add(CertificateDer::from(certificate))?;
        let mut tls = rustls::ClientConfig::builder_with_provider(provider())
            .with_protocol_versions(&[&rustls::version::TLS13])?
            .with_root_certificates(roots)
            .with_no_client_auth();
        tls.alpn_protocols = vec![ALPN.to_vec()];
        // Each connection has the whole handshake.
        tls.resumption = rustls::client::Resumption::disabled();
        let mut config = ClientConfig::new(Arc::new(QuicClientConfig::try_from(tls)?));
        config.transport_config(Arc::new(transport(variant)?));
        Ok(Dialler {
            endpoint: bind(variant, None)?,
            config,
            server: place.address.parse()?,
        })
    }
}

/// What the client has to know.
#[derive(Deserialize, Serialize)]
struct Place {
    address: String,
    certificate: String,
}

fn provider() -> Arc<rustls::crypto::CryptoProvider> {
    Arc::new(aws_lc_rs::default_provider())
}

fn packet(variant: &str) -> u16 {
    if variant == "quinn-6500" {
        6_500
    } else {
        1_452
    }
}

fn transport(variant: &str) -> Result<TransportConfig> {
    let mut config = TransportConfig::default();
    let mut discovery = MtuDiscoveryConfig::default();
    discovery.upper_bound(packet(variant));
    config
        .initial_mtu(packet(variant))
        // Loopback carries them: that some were lost in a full buffer is no reason for smaller ones.
        .min_mtu(packet(variant))
        .mtu_discovery_config(Some(discovery))
        .congestion_controller_factory(Arc::new(CubicConfig::default()))
        .stream_receive_window(WINDOW.into())
        .receive_window(WINDOW.into())
        .send_window(WINDOW.into())
        .datagram_receive_buffer_size(Some(WINDOW as usize))
        .max_idle_timeout(Some(Duration::from_secs(600).try_into()?));
    Ok(config)
}

fn bind(variant: &str, server: Option<ServerConfig>) -> Result<Endpoint> {
    let socket = std::net::UdpSocket::bind("127.0.0.1:0")?;
    let buffers = socket2::SockRef::from(&socket);
    buffers.set_recv_buffer_size(SOCKET_BUFFER)?;
    buffers.set_send_buffer_size(SOCKET_BUFFER)?;
    let mut config = EndpointConfig::default();
    config.max_udp_payload_size(packet(variant))?;
    Ok(Endpoint::new(
        config,
        server,
        socket,
        Arc::new(TokioRuntime),
    )?)
}

async fn serve(incoming: Incoming) -> Result<()> {
    let connection = incoming.await?;
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
    config: ClientConfig,
    server: std::net::SocketAddr,
}

impl Client for Dialler {
    type Connection = Dialled;

    async fn connect(&mut self) -> Result<Dialled> {
        let connecting = self
            .endpoint
            .connect_with(self.config.clone(), self.server, NAME)?;
        Ok(Dialled(connecting.await?))
    }
}

struct Dialled(quinn::Connection);

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
        let Some(count) = self.0.read_chunks(&mut pieces).await? else {
            return Ok(None);
        };
        let length = pieces.iter().take(count).map(Bytes::len).sum();
        ensure!(length > 0, "a read without data");
        Ok(Some(length))
    }
}
