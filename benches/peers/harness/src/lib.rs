//! What the measured programs have in common: their two roles, the workloads, and the figures that they report.
//!
//! A program measures one library. It implements [`Peer`] and calls [`run`]; everything else is the same for all, so that the
//! figures differ by the libraries alone. `serve` waits for the other role; `measure` runs one [`Workload`] against it and
//! prints one line of JSON. `cargo xtask bench peers` starts both, each on a core of its own.

mod measure;
mod process;
mod report;
mod role;
mod service;
mod statistics;
mod stream;

use std::future::Future;

use anyhow::{Result, bail};
use bytes::Bytes;

pub use measure::{Plan, Workload};
pub use process::{Lap, Stopwatch};
pub use report::Figures;
pub use role::{announce, run, run_with};
pub use service::{count_datagram, serve_stream};
pub use statistics::{Timings, now};
pub use stream::{Reading, Writing};

/// One row of the table: a library with one set of settings.
#[derive(Clone, Copy, Debug, serde::Serialize)]
pub struct Variant {
    /// What the row is called: lower case, digits and dashes.
    pub name: &'static str,
    /// The package whose version is told beside the row; none where it is the kernel.
    pub package: Option<&'static str>,
    /// The settings in a few words.
    pub about: &'static str,
    /// What can be measured with it.
    pub workloads: &'static [Workload],
}

/// A library that is measured.
///
/// Everything runs on one tokio runtime with one thread, on the core that the process is pinned to.
pub trait Peer: 'static {
    /// The rows that the program fills.
    const VARIANTS: &'static [Variant];

    /// The end that opens connections.
    type Client: Client;

    /// Binds to loopback, tells `ready` what [`client`](Self::client) needs to know, and serves for ever: each incoming stream goes
    /// to [`serve_stream`], in a task of its own, and each datagram is [counted](count_datagram).
    fn serve(variant: &'static str, ready: fn(&str)) -> impl Future<Output = Result<()>>;

    /// Sets up the end that opens connections to `address`, which is what the server told.
    fn client(variant: &'static str, address: &str) -> impl Future<Output = Result<Self::Client>>;
}

/// The end that opens connections.
pub trait Client {
    /// One connection.
    type Connection: Connection;

    /// What an application does once and before it needs to connect, such as to bind a socket: it is not part of the time that
    /// connecting takes.
    fn prepare(&mut self) -> impl Future<Output = Result<()>> {
        async { Ok(()) }
    }

    /// Opens a connection of its own: with a handshake, and without what an earlier one may have left for speed.
    fn connect(&mut self) -> impl Future<Output = Result<Self::Connection>>;
}

/// One connection, at the end that opened it.
pub trait Connection {
    /// The writing half of a stream.
    type Send: Sending;
    /// The reading half of a stream.
    type Receive: Receiving;

    /// Opens a stream in both directions.
    fn open(&mut self) -> impl Future<Output = Result<(Self::Send, Self::Receive)>>;

    /// Sends one datagram, waiting while the queue is full.
    fn send_datagram(&mut self, _: &Bytes) -> impl Future<Output = Result<()>> {
        async { bail!("this library has no datagrams") }
    }

    /// Says goodbye.
    fn close(self) -> impl Future<Output = Result<()>>;
}

/// The writing half of a stream.
pub trait Sending: Send + 'static {
    /// Writes a message, all of it.
    fn write(&mut self, message: &[u8]) -> impl Future<Output = Result<()>> + Send;

    /// Writes a piece of bulk data, all of it: by whatever call the library has that is fastest.
    fn write_bulk(&mut self, piece: &Bytes) -> impl Future<Output = Result<()>> + Send {
        self.write(piece)
    }

    /// Tells the reader that this was all.
    fn finish(&mut self) -> impl Future<Output = Result<()>> + Send;
}

/// The reading half of a stream.
pub trait Receiving: Send + 'static {
    /// Fills `message`.
    fn read(&mut self, message: &mut [u8]) -> impl Future<Output = Result<()>> + Send;

    /// Reads whatever is there, by whatever call the library has that is fastest, and gives its length; nothing at the end.
    fn read_bulk(&mut self) -> impl Future<Output = Result<Option<usize>>> + Send;
}
