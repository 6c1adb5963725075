//! libp2p over TCP, Noise and yamux.

use std::process::ExitCode;
use std::time::Duration;

use anyhow::{Context, Result, bail};
use futures::StreamExt;
use harness::{Client, Connection, Peer, Reading, Variant, Workload, Writing};
use libp2p::core::multiaddr::Protocol;
use libp2p::swarm::SwarmEvent;
use libp2p::{Multiaddr, PeerId, StreamProtocol, Swarm, SwarmBuilder, noise, tcp, yamux};
use libp2p_stream::{Behaviour, Control};
use tokio::io::{ReadHalf, WriteHalf};
use tokio::task::JoinHandle;
use tokio_util::compat::{Compat, FuturesAsyncReadCompatExt};

const PROTOCOL: StreamProtocol = StreamProtocol::new("/bench/1");

fn main() -> ExitCode {
    harness::run::<Libp2p>()
}

struct Libp2p;

impl Peer for Libp2p {
    const VARIANTS: &'static [Variant] = &[Variant {
        name: "libp2p",
        package: Some("libp2p"),
        about: "TCP, Noise, yamux, as they come; no datagrams; the kernel's congestion control",
        workloads: &[
            Workload::Stream,
            Workload::Streams8,
            Workload::Reverse,
            Workload::Ping,
            Workload::Connect,
            Workload::Memory,
        ],
    }];

    type Client = Dialler;

    async fn serve(_: &'static str, ready: fn(&str)) -> Result<()> {
        let mut swarm = swarm()?;
        let mut incoming = swarm.behaviour().new_control().accept(PROTOCOL)?;
        swarm.listen_on("/ip4/127.0.0.1/tcp/0".parse()?)?;
        tokio::spawn(async move {
            while let Some((_, stream)) = incoming.next().await {
                let (receive, send) = tokio::io::split(stream.compat());
                tokio::spawn(harness::serve_stream(Writing(send), Reading::new(receive)));
            }
        });
        loop {
            if let SwarmEvent::NewListenAddr { address, .. } = swarm.select_next_some().await {
                ready(
                    &address
                        .with(Protocol::P2p(*swarm.local_peer_id()))
                        .to_string(),
                );
            }
        }
    }

    async fn client(_: &'static str, address: &str) -> Result<Dialler> {
        let address: Multiaddr = address.parse()?;
        let Some(Protocol::P2p(server)) = address.iter().last() else {
            bail!("the server says no name");
        };
        Ok(Dialler {
            address,
            server,
            made: None,
        })
    }
}

fn swarm() -> Result<Swarm<Behaviour>> {
    let swarm = SwarmBuilder::with_new_identity()
        .with_tokio()
        .with_tcp(
            tcp::Config::default().nodelay(true),
            noise::Config::new,
            yamux::Config::default,
        )?
        .with_behaviour(|_| Behaviour::new())?
        .with_swarm_config(|config| config.with_idle_connection_timeout(Duration::from_secs(600)))
        .build();
    Ok(swarm)
}

/// Two swarms keep their connection: each further one is of a swarm of its own.
struct Dialler {
    address: Multiaddr,
    server: PeerId,
    made: Option<Swarm<Behaviour>>,
}

impl Client for Dialler {
    type Connection = Dialled;

    async fn prepare(&mut self) -> Result<()> {
        self.made = Some(swarm()?);
        Ok(())
    }

    async fn connect(&mut self) -> Result<Dialled> {
        let mut swarm = self.made.take().context("not prepared")?;
        swarm.dial(self.address.clone())?;
        loop {
            match swarm.select_next_some().await {
                SwarmEvent::ConnectionEstablished { .. } => break,
                SwarmEvent::OutgoingConnectionError { error, .. } => return Err(error.into()),
                _ => {}
            }
        }
        let control = swarm.behaviour().new_control();
        let server = self.server;
        let driver = tokio::spawn(async move {
            loop {
                swarm.select_next_some().await;
            }
        });
        Ok(Dialled {
            control,
            server,
            driver,
        })
    }
}

struct Dialled {
    control: Control,
    server: PeerId,
    driver: JoinHandle<()>,
}

type Stream = Compat<libp2p::Stream>;

impl Connection for Dialled {
    type Send = Writing<WriteHalf<Stream>>;
    type Receive = Reading<ReadHalf<Stream>>;

    async fn open(&mut self) -> Result<(Self::Send, Self::Receive)> {
        let stream = self.control.open_stream(self.server, PROTOCOL).await?;
        let (receive, send) = tokio::io::split(stream.compat());
        Ok((Writing(send), Reading::new(receive)))
    }

    async fn close(self) -> Result<()> {
        self.driver.abort();
        Ok(())
    }
}
