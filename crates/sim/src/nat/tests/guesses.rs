//! What guessing at ports can come to, with packets between NATs alone: the demands of the matrix rest on it.

use super::*;

/// Sockets on the side whose ports are not known, probes of the other side, and tries.
const SOCKETS: u16 = 256;
const PROBES: u16 = 1_024;
const TRIES: u64 = 400;

/// The server that has seen both.
fn server() -> SocketAddr {
    remote(1, 4100)
}

fn socket(number: u16) -> SocketAddr {
    SocketAddr::from(([192, 168, 1, 2], 10_000 + number))
}

/// A NAT with another address than that of [`nat`], and other chances.
fn far_nat(config: NatConfig, seed: u64) -> Nat {
    Nat::new([203, 0, 113, 99].into(), config, Random::new(seed))
}

/// How often something happens, of a hundred.
fn percent(happens: impl Fn(u64) -> bool) -> u64 {
    (0..TRIES).filter(|seed| happens(*seed)).count() as u64 * 100 / TRIES
}

#[test]
fn many_sockets_behind_random_ports_are_found_by_many_probes_in_95_of_100_cases() {
    let found = percent(|seed| {
        let mut easy = nat(NatConfig::port_restricted());
        let mut hard = far_nat(NatConfig::symmetric_random(), seed);
        let known = easy.outbound(Time::ZERO, inside(), server()).unwrap();
        for number in 0..SOCKETS {
            hard.out(socket(number), known);
        }
        let mut guesses = Random::new(!seed);
        (0..PROBES).any(|_| {
            let guess = 1_024 + u16::try_from(guesses.below(64_512)).unwrap();
            let probe = easy.out(inside(), SocketAddr::new(hard.public(), guess));
            assert_eq!(probe, known.port(), "the easy side is where it was");
            hard.lets_in(guess, known)
        })
    });
    // (1 - 256 / 64,512)^1,024 is 1.7 %.
    assert!((95..100).contains(&found), "{found} %");
}

#[test]
fn a_socket_behind_random_ports_is_as_good_as_never_found_by_a_few_probes() {
    let found = percent(|seed| {
        let mut hard = far_nat(NatConfig::symmetric_random(), seed);
        let seen = hard.out(inside(), server());
        hard.out(inside(), remote(2, 2));
        (0..12).any(|offset| hard.lets_in(seen.wrapping_add(offset), remote(2, 2)))
    });
    assert_eq!(found, 0);
}

#[test]
fn a_port_in_sequence_is_among_the_next_few_even_if_others_take_some() {
    let found = percent(|seed| {
        let mut hard = far_nat(NatConfig::symmetric_sequential(), seed);
        let seen = hard.out(inside(), server());
        // What the server saw goes to the peer, and the peer's probes come back: half a second.
        let later = Time::from_micros(500_000);
        let mapped = hard.outbound(later, inside(), remote(2, 2)).unwrap().port();
        (1..=4).any(|offset| seen.wrapping_add(offset) == mapped)
    });
    assert!(found >= 95, "{found} %");
}
