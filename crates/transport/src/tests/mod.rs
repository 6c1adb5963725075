//! Two associations against each other, over links that lose, repeat, reorder and damage packets, in virtual time.
#![expect(
    clippy::wildcard_enum_match_arm,
    reason = "each test cares about one event of many"
)]

mod chaos;
mod end;
mod ending;
mod hostile;
mod idle;
mod link;
mod pair;
mod paths;
mod rekey;
mod streams;
mod transfer;

use std::net::SocketAddr;

use self::link::{Faults, Link};

/// The seeds of a test: `count` of them, or as many as `KEYWAY_SEEDS` says, from `KEYWAY_SEED` on.
fn seeds(count: u64) -> std::ops::Range<u64> {
    let number = |name: &str| {
        std::env::var(name)
            .ok()
            .and_then(|value| value.parse::<u64>().ok())
    };
    let first = number("KEYWAY_SEED").unwrap_or(0);
    let count = number("KEYWAY_SEEDS").unwrap_or(count);
    first..first.saturating_add(count)
}

fn address(host: u8, port: u16) -> SocketAddr {
    ([192, 0, 2, host], port).into()
}

/// A direct link between the usual addresses.
fn direct(faults: Faults) -> Link {
    Link::direct(address(1, 4100), address(2, 4200), faults)
}
