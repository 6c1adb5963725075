//! Kernel TCP without encryption: what the application's side of all the others costs at least.

use std::process::ExitCode;

use anyhow::{Context, Result};
use harness::{Client, Connection, Peer, Reading, Variant, Workload, Writing, serve_stream};
use socket2::SockRef;
use tokio::net::tcp::{OwnedReadHalf, OwnedWriteHalf};
use tokio::net::{TcpListener, TcpStream};

fn main() -> ExitCode {
    harness::run::<Tcp>()
}

struct Tcp;

impl Peer for Tcp {
    const VARIANTS: &'static [Variant] = &[Variant {
        name: "tcp",
        package: None,
        about: "kernel TCP, no encryption, CUBIC; a stream is a connection",
        workloads: &[
            Workload::Stream,
            Workload::Streams8,
            Workload::Reverse,
            Workload::Ping,
            Workload::Connect,
        ],
    }];

    type Client = Address;

    async fn serve(_: &'static str, ready: fn(&str)) -> Result<()> {
        let listener = TcpListener::bind("127.0.0.1:0").await?;
        ready(&listener.local_addr()?.to_string());
        loop {
            let (receive, send) = tuned(listener.accept().await?.0)?.into_split();
            tokio::spawn(serve_stream(Writing(send), Reading::new(receive)));
        }
    }

    async fn client(_: &'static str, address: &str) -> Result<Address> {
        Ok(Address(address.to_owned()))
    }
}

/// Where the server is.
struct Address(String);

impl Client for Address {
    type Connection = Tied;

    async fn connect(&mut self) -> Result<Tied> {
        let first = tuned(TcpStream::connect(&self.0).await?)?;
        Ok(Tied {
            address: self.0.clone(),
            first: Some(first),
        })
    }
}

/// The connections to one server: the one that was made first, and one for each further stream.
struct Tied {
    address: String,
    first: Option<TcpStream>,
}

impl Connection for Tied {
    type Send = Writing<OwnedWriteHalf>;
    type Receive = Reading<OwnedReadHalf>;

    async fn open(&mut self) -> Result<(Self::Send, Self::Receive)> {
        let stream = match self.first.take() {
            Some(first) => first,
            None => tuned(TcpStream::connect(&self.address).await?)?,
        };
        let (receive, send) = stream.into_split();
        Ok((Writing(send), Reading::new(receive)))
    }

    async fn close(self) -> Result<()> {
        Ok(())
    }
}

/// The same congestion control as the others; the kernel tunes its buffers by itself.
fn tuned(stream: TcpStream) -> Result<TcpStream> {
    SockRef::from(&stream)
        .set_tcp_congestion(b"cubic")
        .context("this kernel has no CUBIC")?;
    stream.set_nodelay(true)?;
    Ok(stream)
}
