//! Mixed traffic for as long as one wants, and what the processes hold meanwhile: `cargo xtask soak --minutes N`. As one of all tests
//! it takes some seconds, which shows that it works.

#![expect(
    clippy::unwrap_used,
    reason = "a test that meets what it does not expect has failed"
)]

#[path = "../harness/mod.rs"]
mod harness;
mod slope;
mod traffic;
mod watch;

use std::time::Duration;

use harness::{command, service, world};
use traffic::Traffic;
use watch::Watch;

/// How many minutes to go on.
const MINUTES: &str = "KEYWAY_SOAK_MINUTES";

/// Without a word.
const SECONDS: f64 = 12.0;

// Q10, with three processes on one machine and no loss.
#[test]
fn mixed_traffic_makes_no_process_grow() {
    let minutes = std::env::var(MINUTES).map(|text| text.parse::<f64>());
    let seconds = minutes.map_or(SECONDS, |minutes| {
        60.0 * minutes.expect("a number of minutes")
    });
    let mut traffic = Traffic::new();
    let mut watch = Watch::new(traffic.processes(), Duration::from_secs_f64(seconds));
    traffic.start();
    while watch.go_on() {
        traffic.assert_alive();
    }
    let said = watch.verdict();
    let carried = traffic.stop();
    println!("{carried}\n{}", said.text);
    assert!(said.flat, "something grows:\n{}", said.text);
}
