//! Cookies: who gets one, and what it is good for.

use keyway_wire::{COOKIE_LEN, INIT_LEN, Init};
use proptest::prelude::*;

use super::*;
use crate::{Cookies, HandshakeError, check_mac1, digest};

const HERE: &[u8] = b"192.0.2.1:4100";
const ELSEWHERE: &[u8] = b"192.0.2.1:4101";

fn cookies() -> Cookies {
    Cookies::new(&mut rng(9))
}

/// Bob's COOKIE for this INIT.
fn given(cookies: &Cookies, init: &[u8], source: &[u8]) -> [u8; COOKIE_LEN] {
    cookies.answer(&bob(), init, source, &mut rng(10)).unwrap()
}

// R4.26, R4.27
#[test]
fn an_init_with_a_cookie_is_the_same_init_and_is_known_by_its_source() {
    let (dial, cookies) = (dial(1), cookies());
    let cookie = given(&cookies, dial.packet(), HERE);
    let cookie = dial.read_cookie(&cookie).unwrap();
    let again = dial.packet_with(&cookie);
    assert!(cookies.check_mac2(&again, HERE));
    assert!(check_mac1(&bob(), &again));
    assert_eq!(digest(&again), digest(dial.packet()));
    assert_eq!(again[..Init::MAC2.start], dial.packet()[..Init::MAC2.start]);
    assert!(read_init(&bob(), &again).is_ok());
}

// F2, R4.26
#[test]
fn a_cookie_is_worth_nothing_to_another_source_or_another_responder() {
    let (dial, cookies) = (dial(1), cookies());
    let cookie = given(&cookies, dial.packet(), HERE);
    let again = dial.packet_with(&dial.read_cookie(&cookie).unwrap());
    assert!(!cookies.check_mac2(&again, ELSEWHERE));
    assert!(!Cookies::new(&mut rng(11)).check_mac2(&again, HERE));
    assert!(!cookies.check_mac2(dial.packet(), HERE), "zeros");
}

// R4.27
#[test]
fn a_cookie_outlives_one_rotation_and_not_two() {
    let (dial, mut cookies) = (dial(1), cookies());
    let cookie = given(&cookies, dial.packet(), HERE);
    let again = dial.packet_with(&dial.read_cookie(&cookie).unwrap());
    cookies.rotate(&mut rng(12));
    assert!(cookies.check_mac2(&again, HERE));
    cookies.rotate(&mut rng(13));
    assert!(!cookies.check_mac2(&again, HERE));
}

// R4.28, P1
#[test]
fn a_cookie_is_taken_for_the_init_that_it_answers_and_no_other() {
    let (first, second, cookies) = (dial(1), dial(2), cookies());
    let cookie = given(&cookies, first.packet(), HERE);
    assert!(first.read_cookie(&cookie).is_ok());
    let error = second.read_cookie(&cookie).unwrap_err();
    assert_eq!(error, HandshakeError::Unauthenticated);
    // Somebody who is not Bob, but would like to be.
    let forged = cookies
        .answer(&local(0xcc), first.packet(), HERE, &mut rng(10))
        .unwrap();
    assert!(first.read_cookie(&forged).is_err());
}

// P4, P5
#[test]
fn every_shorter_length_and_every_changed_bit_of_a_cookie_is_refused() {
    let (dial, cookies) = (dial(1), cookies());
    let cookie = given(&cookies, dial.packet(), HERE);
    for length in 0..COOKIE_LEN {
        assert!(dial.read_cookie(&cookie[..length]).is_err(), "{length}");
    }
    for bit in 0..8 * COOKIE_LEN {
        let mut changed = cookie;
        changed[bit / 8] ^= 1 << (bit % 8);
        assert!(dial.read_cookie(&changed).is_err(), "bit {bit}");
    }
}

// P5
#[test]
fn every_changed_bit_of_an_init_with_a_cookie_voids_its_mac2() {
    let (dial, cookies) = (dial(1), cookies());
    let cookie = given(&cookies, dial.packet(), HERE);
    let again = dial.packet_with(&dial.read_cookie(&cookie).unwrap());
    for bit in 0..8 * INIT_LEN {
        let mut changed = again;
        changed[bit / 8] ^= 1 << (bit % 8);
        assert!(!cookies.check_mac2(&changed, HERE), "bit {bit}");
    }
}

#[test]
fn after_the_response_no_cookie_is_wanted() {
    let (mut dial, cookies) = (dial(1), cookies());
    let init = dial.packet().to_vec();
    dial.read_response(&answer(&init, 2).0).unwrap();
    let cookie = given(&cookies, &init, HERE);
    let error = dial.read_cookie(&cookie).unwrap_err();
    assert_eq!(error, HandshakeError::Finished);
}

proptest! {
    #[test]
    fn no_octets_pass_for_a_mac2(octets in proptest::collection::vec(any::<u8>(), 0..1_200), mac2: [u8; 16]) {
        prop_assert!(!cookies().check_mac2(&octets, HERE));
        let mut init = dial(1).packet().to_vec();
        init[Init::MAC2].copy_from_slice(&mac2);
        prop_assert!(!cookies().check_mac2(&init, HERE));
    }
}
