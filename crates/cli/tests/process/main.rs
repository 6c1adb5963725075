//! The command as its users meet it: processes, exit codes, lines on stdout, and local sockets. Everything stays on the loopback,
//! ports are the system's choice, and nothing sleeps: tests wait for events, each with a deadline.

#![expect(
    clippy::unwrap_used,
    reason = "a test that meets what it does not expect has failed"
)]

mod breaking;
mod bridging;
mod datagrams;
mod ending;
mod failures;
#[path = "../harness/mod.rs"]
mod harness;
mod identity;
mod killing;
mod logging;
mod measuring;
mod piping;
mod secrets;
mod server;
mod unix_sockets;
mod usage;

use harness::{command, service, world};
