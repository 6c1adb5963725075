//! Keyway, through its public facade.

use std::process::ExitCode;

use anyhow::Result;
use bytes::Bytes;
use harness::{Client, Connection, Peer, Receiving, Sending, Variant, Workload};
use keyway::{
    Allow, DatagramSocket, Incoming, Limits, Node, NodeBuilder, PeerAddr, Rate, RecvHalf, SendHalf,
};
use tokio::io::{AsyncReadExt, AsyncWriteExt};

/// The one service, for streams and for datagrams.
const SERVICE: &str = "bench";

/// How much one read may give: a piece is smaller.
const READ_MAX: usize = 256 * 1024;

/// The row that polls for a moment before it sleeps.
const SPINNING: &str = "keyway-spinning";

/// The row with packets as large as they may be.
const LARGE: &str = "keyway-large";

fn main() -> ExitCode {
    harness::run::<Keyway>()
}

struct Keyway;

impl Peer for Keyway {
    const VARIANTS: &'static [Variant] = &[
        Variant {
            name: "keyway",
            package: Some("keyway"),
            about: "1,452-byte packets, CUBIC, windows that tune themselves; sleeps while it waits",
            workloads: Workload::ALL,
        },
        Variant {
            name: SPINNING,
            package: Some("keyway"),
            about: "the same, looking out for answers for 50 us before it sleeps: the default where there is more than one core",
            workloads: &[Workload::Stream, Workload::Ping, Workload::Connect],
        },
        Variant {
            name: LARGE,
            package: Some("keyway"),
            about: "the same with the packets that path MTU discovery finds, which is the default",
            workloads: &[Workload::Stream, Workload::Streams8, Workload::Reverse],
        },
    ];

    type Client = Dialler;

    async fn serve(variant: &'static str, ready: fn(&str)) -> Result<()> {
        let node = builder(variant)?.bind().await?;
        let mut listener = node.listen(SERVICE).allow(Allow::any()).start()?;
        let peer = PeerAddr::new(node.node_id(), node.local_addresses());
        ready(&peer.to_string());
        loop {
            match listener.accept_any().await? {
                Incoming::Stream(stream) => {
                    let (receive, send) = stream.into_split();
                    tokio::spawn(harness::serve_stream(Writing(send), Reading(receive)));
                }
                Incoming::Datagrams(socket) => {
                    tokio::spawn(count(socket));
                }
                other => anyhow::bail!("something new was opened: {other:?}"),
            }
        }
    }

    async fn client(variant: &'static str, address: &str) -> Result<Dialler> {
        Ok(Dialler {
            variant,
            peer: address.parse()?,
            bound: None,
        })
    }
}

/// The settings of a row.
fn builder(variant: &str) -> Result<NodeBuilder> {
    let unbounded = Rate::new(1_000_000, 1_000_000);
    let builder = if variant == LARGE {
        Node::builder()
    } else {
        Node::builder().udp_payload_max(1_452)
    };
    Ok(builder
        .spin(variant == SPINNING)
        .bind_address("127.0.0.1:0".parse()?)
        .limits(Limits {
            // What is measured is what a connection costs, not how many of them strangers are granted.
            handshakes: unbounded,
            handshakes_per_source: unbounded,
            strangers: unbounded,
            ..Limits::default()
        }))
}

async fn count(socket: DatagramSocket) {
    let mut datagram = [0; 2048];
    while socket.recv(&mut datagram).await.is_ok() {
        harness::count_datagram();
    }
}

/// Two nodes share one association, however many streams they open: each connection is of a node of its own.
struct Dialler {
    variant: &'static str,
    peer: PeerAddr,
    bound: Option<Node>,
}

impl Client for Dialler {
    type Connection = Dialled;

    /// A key and a socket are had once, as by the clients of other libraries.
    async fn prepare(&mut self) -> Result<()> {
        self.bound = Some(builder(self.variant)?.bind().await?);
        Ok(())
    }

    async fn connect(&mut self) -> Result<Dialled> {
        let node = match self.bound.take() {
            Some(node) => node,
            None => builder(self.variant)?.bind().await?,
        };
        let first = node.connect(self.peer.clone(), SERVICE).await?;
        Ok(Dialled {
            node,
            peer: self.peer.clone(),
            first: Some(first),
            datagrams: None,
        })
    }
}

struct Dialled {
    node: Node,
    peer: PeerAddr,
    /// The stream that connecting gave.
    first: Option<keyway::Stream>,
    datagrams: Option<DatagramSocket>,
}

impl Connection for Dialled {
    type Send = Writing;
    type Receive = Reading;

    async fn open(&mut self) -> Result<(Self::Send, Self::Receive)> {
        let stream = match self.first.take() {
            Some(first) => first,
            None => self.node.connect(self.peer.clone(), SERVICE).await?,
        };
        let (receive, send) = stream.into_split();
        Ok((Writing(send), Reading(receive)))
    }

    async fn send_datagram(&mut self, datagram: &Bytes) -> Result<()> {
        let socket = match &mut self.datagrams {
            Some(socket) => socket,
            none => none.insert(self.node.datagrams(self.peer.clone(), SERVICE).await?),
        };
        Ok(socket.send(datagram).await?)
    }

    async fn close(self) -> Result<()> {
        Ok(self.node.close().await?)
    }
}

struct Writing(SendHalf);

impl Sending for Writing {
    async fn write(&mut self, message: &[u8]) -> Result<()> {
        Ok(self.0.write_all(message).await?)
    }

    /// Without a copy.
    async fn write_bulk(&mut self, piece: &Bytes) -> Result<()> {
        Ok(self.0.write_chunk(piece.clone()).await?)
    }

    async fn finish(&mut self) -> Result<()> {
        Ok(self.0.shutdown().await?)
    }
}

struct Reading(RecvHalf);

impl Receiving for Reading {
    async fn read(&mut self, message: &mut [u8]) -> Result<()> {
        self.0.read_exact(message).await?;
        Ok(())
    }

    /// Without a copy: pieces as they were put together.
    async fn read_bulk(&mut self) -> Result<Option<usize>> {
        let chunk = self.0.read_chunk(READ_MAX).await?;
        Ok(chunk.map(|chunk| chunk.len()))
    }
}
