//! The command as its users meet it: processes, exit codes, lines on stdout, and local sockets. Everything stays on the loopback,
//! ports are the system's choice, and nothing sleeps: tests wait for events, each with a deadline.

#![expect(
    clippy::unwrap_used,
    reason = "a test that meets what it does not expect has failed"
)]

mod breaking;
mod bridging;
mod command;
mod datagrams;
mod ending;
mod failures;
mod identity;
mod measuring;
mod piping;
mod secrets;
mod server;
mod service;
mod unix_sockets;
mod usage;
mod world;
