//! Octets get through, whatever the network does to packets.

use std::time::Duration;

use super::link::{Faults, Side};
use super::pair::Pair;
use super::{direct, seeds};

const MIB: u64 = 1 << 20;

#[test]
fn octets_arrive_both_ways_over_a_good_network() {
    let mut pair = Pair::new(1, vec![direct(Faults::none(15))]);
    let took = pair.transfer(4 * MIB, Duration::from_secs(60));
    assert!(took < Duration::from_secs(2), "{took:?}");
    assert_eq!(pair.a.errors, []);
    assert_eq!(pair.b.errors, []);
}

// T1, R1.1
#[test]
fn no_octet_is_lost_added_or_moved_by_a_bad_network() {
    for seed in seeds(6) {
        let mut pair = Pair::new(seed, vec![direct(Faults::bad(15))]);
        let took = pair.transfer(10_000_000, Duration::from_secs(600));
        let stall = pair.a.longest_stall.max(pair.b.longest_stall);
        assert!(
            stall < Duration::from_secs(10),
            "seed {seed}: a stall of {stall:?} in {took:?}"
        );
    }
}

#[test]
fn a_batch_is_full_where_there_is_much_to_send() {
    let mut pair = Pair::new(1, vec![direct(Faults::none(2))]);
    pair.transfer(20 * MIB, Duration::from_secs(60));
    let traffic = pair.network.traffic(Side::A);
    assert!(traffic.packets / traffic.batches >= 8, "{traffic:?}");
    assert_eq!(pair.a.association.paths().next().unwrap().mtu, 1452);
}
