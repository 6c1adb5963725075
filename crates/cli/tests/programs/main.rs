//! Programs that others wrote, over the command, as their users run them. What is not installed is left out, which is said on stderr;
//! where `KEYWAY_TESTS_REQUIRE_PROGRAMS` is set, as CI does, it is a failure.

#![expect(
    clippy::unwrap_used,
    reason = "a test that meets what it does not expect has failed"
)]

mod curl;
mod dig;
#[path = "../harness/mod.rs"]
mod harness;
mod http;
mod netcat;
mod psql;
mod redis;
mod ssh;
mod tools;

use harness::{command, service, world};
