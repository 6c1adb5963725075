//! Two associations against each other, over links that lose, repeat, reorder and damage packets, in virtual time.
#![expect(
    clippy::wildcard_enum_match_arm,
    reason = "each test cares about one event of many"
)]

mod chaos;
mod dead_paths;
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
mod unproven;

use std::net::SocketAddr;

use self::link::{Faults, Link};

/// The seeds of a test: `count` of them, or as many as `KEYWAY_SEEDS` says, from `KEYWAY_SEED` on. A test that fails says
/// which it was.
fn seeds(count: u64) -> Seeds {
    let number = |name: &str| {
        std::env::var(name)
            .ok()
            .and_then(|value| value.parse::<u64>().ok())
    };
    let first = number("KEYWAY_SEED").unwrap_or(0);
    let count = number("KEYWAY_SEEDS").unwrap_or(count);
    Seeds {
        next: first,
        end: first.saturating_add(count),
    }
}

struct Seeds {
    next: u64,
    end: u64,
}

impl Seeds {
    fn total(&self) -> u64 {
        self.end - self.next
    }
}

impl Iterator for Seeds {
    type Item = u64;

    fn next(&mut self) -> Option<u64> {
        let seed = self.next;
        self.next += 1;
        (seed < self.end).then_some(seed)
    }
}

impl Drop for Seeds {
    fn drop(&mut self) {
        if std::thread::panicking() {
            let seed = self.next - 1;
            eprintln!(
                "to replay: KEYWAY_SEED={seed} KEYWAY_SEEDS=1 cargo test -p keyway-transport"
            );
        }
    }
}

fn address(host: u8, port: u16) -> SocketAddr {
    ([192, 0, 2, host], port).into()
}

/// A direct link between the usual addresses.
fn direct(faults: Faults) -> Link {
    Link::direct(address(1, 4100), address(2, 4200), faults)
}
