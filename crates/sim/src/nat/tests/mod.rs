//! NATs, row by row of RFC 4787.

mod guesses;
mod ports;

use std::time::Duration;

use super::*;

const TIMEOUT: Duration = Duration::from_secs(30);

const DEPENDENCES: [Dependence; 3] = [
    Dependence::EndpointIndependent,
    Dependence::AddressDependent,
    Dependence::AddressAndPortDependent,
];

fn nat(config: NatConfig) -> Nat {
    Nat::new([198, 51, 100, 1].into(), config, Random::new(7))
}

fn simple() -> Nat {
    nat(NatConfig::simple(TIMEOUT))
}

fn remote(last: u8, port: u16) -> SocketAddr {
    SocketAddr::from(([203, 0, 113, last], port))
}

fn host(last: u8) -> SocketAddr {
    SocketAddr::from(([192, 168, 1, last], 4000))
}

fn inside() -> SocketAddr {
    host(2)
}

impl Nat {
    /// The port under which a packet goes out at the beginning of time.
    fn out(&mut self, inside: SocketAddr, remote: SocketAddr) -> u16 {
        self.outbound(Time::ZERO, inside, remote).unwrap().port()
    }

    /// Whether a packet comes in at the beginning of time.
    fn lets_in(&mut self, port: u16, remote: SocketAddr) -> bool {
        self.inbound(Time::ZERO, port, remote).is_some()
    }
}

/// RFC 4787, 4.1: the three rows of its table.
#[test]
fn a_mapping_is_used_again_for_what_it_does_not_depend_on() {
    for mapping in DEPENDENCES {
        let mut nat = nat(NatConfig {
            mapping,
            ..NatConfig::simple(TIMEOUT)
        });
        let first = nat.out(inside(), remote(1, 1));
        let [again, other_port, other] =
            [remote(1, 1), remote(1, 2), remote(2, 1)].map(|to| nat.out(inside(), to) == first);
        let expected = match mapping {
            Dependence::EndpointIndependent => [true, true],
            Dependence::AddressDependent => [true, false],
            Dependence::AddressAndPortDependent => [false, false],
        };
        assert!(again);
        assert_eq!([other_port, other], expected, "{mapping:?}");
        let other_socket = SocketAddr::from(([192, 168, 1, 2], 4001));
        assert_ne!(nat.out(other_socket, remote(1, 1)), first);
    }
}

/// RFC 4787, 5: the three rows of its table. Whatever the filter, nobody is let in before something went out.
#[test]
fn a_filter_lets_in_exactly_whom_it_cannot_tell_from_one_who_was_sent_to() {
    for depends in DEPENDENCES {
        let mut nat = nat(NatConfig {
            filter: Filter::new(depends),
            ..NatConfig::simple(TIMEOUT)
        });
        assert!(!nat.lets_in(50_000, remote(1, 1)));
        let port = nat.out(inside(), remote(1, 1));
        assert_eq!(
            nat.inbound(Time::ZERO, port, remote(1, 1)),
            Some(inside()),
            "{depends:?}"
        );
        let [other_port, other] = [remote(1, 2), remote(2, 1)].map(|from| nat.lets_in(port, from));
        let expected = match depends {
            Dependence::EndpointIndependent => [true, true],
            Dependence::AddressDependent => [true, false],
            Dependence::AddressAndPortDependent => [false, false],
        };
        assert_eq!([other_port, other], expected, "{depends:?}");
        assert!(!nat.lets_in(port ^ 1, remote(1, 1)), "another port");
    }
}

#[test]
fn who_was_sent_to_through_one_mapping_may_not_answer_to_another() {
    let mut nat = nat(NatConfig::symmetric_random());
    let one = nat.out(inside(), remote(1, 1));
    let other = nat.out(inside(), remote(2, 2));
    assert!(nat.lets_in(one, remote(1, 1)) && nat.lets_in(other, remote(2, 2)));
    assert!(!nat.lets_in(one, remote(2, 2)) && !nat.lets_in(other, remote(1, 1)));
}

/// RFC 4787, REQ-5 and 4.3.
#[test]
fn a_mapping_ends_when_nothing_was_sent_from_inside_for_long() {
    let mut nat = simple();
    let first = nat.out(inside(), remote(1, 1));
    let just_in_time = Time::ZERO + TIMEOUT - Duration::from_micros(1);
    assert_eq!(
        nat.inbound(just_in_time, first, remote(1, 1)),
        Some(inside())
    );
    let late = Time::ZERO + TIMEOUT;
    assert_eq!(nat.inbound(late, first, remote(1, 1)), None);
    let second = nat.outbound(late, inside(), remote(1, 1)).unwrap();
    assert_ne!(second.port(), first);
    assert_eq!(nat.inbound(late, first, remote(1, 1)), None);
    assert_eq!(
        NatConfig::port_restricted().filter.lifetime,
        Duration::from_secs(120)
    );
}

/// RFC 4787, REQ-6.
#[test]
fn sending_keeps_a_mapping_and_its_permission() {
    let mut nat = simple();
    let first = nat.out(inside(), remote(1, 1));
    let mut now = Time::ZERO;
    for _ in 0..10 {
        now += TIMEOUT / 2;
        let port = nat.outbound(now, inside(), remote(2, 2)).unwrap().port();
        assert_eq!(port, first);
    }
    assert_eq!(nat.inbound(now, first, remote(2, 2)), Some(inside()));
    assert_eq!(nat.inbound(now, first, remote(1, 1)), None);
}

/// RFC 4787, REQ-6: inbound refresh is allowed, and off unless asked for.
#[test]
fn what_comes_in_keeps_a_mapping_only_where_that_is_configured() {
    for refresh_inbound in [false, true] {
        let usual = NatConfig::simple(TIMEOUT);
        let mut nat = nat(NatConfig {
            filter: Filter {
                refresh_inbound,
                ..usual.filter
            },
            ..usual
        });
        let first = nat.out(inside(), remote(1, 1));
        let mut now = Time::ZERO;
        for _ in 0..4 {
            now += TIMEOUT / 2;
            nat.inbound(now, first, remote(1, 1));
        }
        let is_kept = nat.inbound(now, first, remote(1, 1)).is_some();
        assert_eq!(is_kept, refresh_inbound);
        let port = nat.outbound(now, inside(), remote(1, 1)).unwrap().port();
        assert_eq!(port == first, refresh_inbound);
    }
}

#[test]
fn the_table_is_bounded_and_what_was_used_least_lately_goes() {
    let usual = NatConfig::port_restricted();
    let mut nat = nat(NatConfig {
        filter: Filter {
            capacity: 3,
            ..usual.filter
        },
        ..usual
    });
    let second = |number: u64| Time::from_micros(number * 1_000_000);
    for (at, to) in [(0, 1), (1, 2), (2, 3), (3, 1), (4, 4)] {
        nat.outbound(second(at), inside(), remote(to, 1));
    }
    assert_eq!(nat.entries(), 3);
    let may_answer = [1, 2, 3, 4].map(|from| nat.inbound(second(4), 4000, remote(from, 1)));
    assert_eq!(
        may_answer.map(|inside| inside.is_some()),
        [true, false, true, true]
    );
    // Three of another host push out all of the first, with its mapping.
    for to in 1..4 {
        nat.outbound(second(5), host(3), remote(to, 1));
    }
    assert_eq!(
        nat.outbound(second(6), host(4), remote(1, 1))
            .map(|at| at.port()),
        Some(4000)
    );
}

#[test]
fn after_a_restart_old_ports_are_dead_and_random_ones_differ() {
    let mut nat = simple();
    let first = nat.out(inside(), remote(1, 1));
    nat.rebind();
    assert!(!nat.lets_in(first, remote(1, 1)));
    assert_ne!(nat.out(inside(), remote(1, 1)), first);
}

/// What makes a kind a kind, seen from outside: whether the mapping changes, and who may answer.
#[test]
fn kinds_are_what_their_names_say() {
    use Dependence::{
        AddressAndPortDependent as Exact, AddressDependent as Address, EndpointIndependent as None,
    };
    let behaviours = NatKind::ALL.map(|kind| {
        let boxes = kind.boxes();
        let mapping = boxes.iter().map(|nat| nat.mapping).max();
        let filtering = boxes.iter().map(|nat| nat.filter.depends).max();
        mapping.zip(filtering)
    });
    let expected = [
        Option::None,
        Some((None, None)),
        Some((None, Address)),
        Some((None, Exact)),
        Some((None, Exact)),
        Some((Exact, Exact)),
        Some((Exact, Exact)),
    ];
    assert_eq!(behaviours, expected);
    assert_eq!(NatKind::CarrierDouble.boxes().len(), 2);
}
