//! Which port a mapping gets.

use std::collections::BTreeSet;

use super::*;

/// RFC 4787, 4.2.1: port preservation; REQ-3: no port is shared.
#[test]
fn a_port_is_preserved_unless_another_host_has_it() {
    let mut nat = nat(NatConfig::port_restricted());
    assert_eq!(nat.out(host(2), remote(1, 1)), 4000);
    let other = nat.out(host(3), remote(1, 1));
    assert_ne!(other, 4000);
    assert_eq!(nat.inbound(Time::ZERO, 4000, remote(1, 1)), Some(host(2)));
    assert_eq!(nat.inbound(Time::ZERO, other, remote(1, 1)), Some(host(3)));
    let later = Time::ZERO + LIFETIME;
    let third = nat.outbound(later, host(4), remote(1, 1)).unwrap();
    assert_eq!(third.port(), 4000, "the first has not used it for long");
}

#[test]
fn a_symmetric_nat_with_sequential_ports_gives_each_destination_the_port_after_the_last() {
    for step in [1, 2, 7] {
        let mut nat = nat(NatConfig {
            ports: Allocation::Sequential {
                step,
                others_per_second: 0,
            },
            ..NatConfig::symmetric_sequential()
        });
        let first = nat.out(inside(), remote(1, 1));
        let ports: Vec<u16> = (2..6).map(|to| nat.out(inside(), remote(to, 1))).collect();
        let expected: Vec<u16> = (1..5).map(|number| first + number * step).collect();
        assert_eq!(ports, expected);
        assert_eq!(nat.out(inside(), remote(1, 1)), first);
        assert_eq!(nat.out(host(3), remote(1, 1)), first + 5 * step);
    }
}

#[test]
fn in_a_sequence_other_hosts_take_ports_too() {
    let mut nat = nat(NatConfig {
        ports: Allocation::Sequential {
            step: 1,
            others_per_second: 4,
        },
        ..NatConfig::symmetric_sequential()
    });
    let first = nat.out(inside(), remote(1, 1));
    let second = nat.outbound(Time::from_micros(2_000_000), inside(), remote(2, 1));
    assert_eq!(second.unwrap().port(), first + 8 + 1);
    let third = nat.outbound(Time::from_micros(2_000_000), inside(), remote(3, 1));
    assert_eq!(third.unwrap().port(), first + 8 + 2);
}

#[test]
fn a_sequence_begins_anew_after_the_last_port_and_leaves_out_taken_ones() {
    let mut nat = nat(NatConfig {
        ports: Allocation::Sequential {
            step: 1,
            others_per_second: 0,
        },
        first_port: 65_532,
        ..NatConfig::symmetric_sequential()
    });
    let ports: BTreeSet<u16> = (0..4).map(|to| nat.out(inside(), remote(to, 1))).collect();
    assert_eq!(ports, (65_532..=65_535).collect());
    assert_eq!(
        nat.outbound(Time::ZERO, inside(), remote(5, 1)),
        None,
        "all are taken"
    );
}

/// RFC 6888, REQ-4; RFC 7422.
#[test]
fn each_subscriber_has_a_block_of_ports_and_no_more() {
    let mut nat = nat(NatConfig {
        mapping: Dependence::AddressAndPortDependent,
        ports: Allocation::Block { size: 16 },
        ..NatConfig::carrier()
    });
    let one: BTreeSet<u16> = (0..16)
        .map(|port| nat.out(host(2), remote(1, port)))
        .collect();
    assert_eq!(one, (1_024..1_040).collect());
    assert_eq!(nat.outbound(Time::ZERO, host(2), remote(1, 16)), None);
    let other = nat.out(host(3), remote(1, 1));
    assert!((1_040..1_056).contains(&other), "{other}");
}

#[test]
fn ports_of_a_block_come_in_no_order_and_hosts_without_a_block_get_none() {
    let mut nat = nat(NatConfig {
        mapping: Dependence::AddressAndPortDependent,
        ports: Allocation::Block { size: 512 },
        first_port: 65_000,
        ..NatConfig::carrier()
    });
    let ports: Vec<u16> = (0..9)
        .map(|port| nat.out(host(2), remote(1, port)))
        .collect();
    assert!(!ports.is_sorted(), "{ports:?}");
    assert_eq!(nat.outbound(Time::ZERO, host(3), remote(1, 1)), None);
}

#[test]
fn random_ports_are_spread_over_all_that_there_are() {
    let mut nat = nat(NatConfig::symmetric_random());
    let ports: Vec<u16> = (0..1_000)
        .map(|port| nat.out(inside(), remote(1, port)))
        .collect();
    assert!(ports.iter().all(|port| *port >= 1_024));
    let distinct: BTreeSet<u16> = ports.iter().copied().collect();
    assert_eq!(distinct.len(), ports.len());
    let low = ports.iter().filter(|port| **port < 33_280).count();
    assert!((400..600).contains(&low), "{low}");
}
