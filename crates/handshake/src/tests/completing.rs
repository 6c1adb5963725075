use keyway_wire::{INIT_LEN, Packet, RESP_LEN_MAX};

use super::*;
use crate::{HandshakeError, Role, check_mac1, digest};

#[test]
fn a_handshake_gives_both_sides_one_session_and_what_the_other_said() {
    let (alice, bob) = (alice(), bob());
    let said = InitPayload {
        remembered: Some(77),
        ..init_payload(alice.node_id())
    };
    let mut dial = Dial::new(&alice, &bob.node_id(), ALICE, &said, &mut rng(1)).unwrap();
    assert_eq!(dial.packet().len(), INIT_LEN);

    let incoming = read_init(&bob, dial.packet()).unwrap();
    assert_eq!(incoming.peer(), alice.node_id());
    assert_eq!(incoming.payload(), &said);
    assert_eq!(incoming.sender(), ALICE);
    let (response, mut at_bob) = incoming.respond(BOB, &resp_payload(), &mut rng(2)).unwrap();
    assert!(response.len() <= RESP_LEN_MAX);

    let (answered, cid, mut at_alice) = dial.read_response(&response).unwrap();
    assert_eq!(answered, resp_payload());
    assert_eq!(cid, BOB);
    assert_eq!(
        (at_alice.role(), at_bob.role()),
        (Role::Initiator, Role::Responder)
    );
    assert_pair(&mut at_alice, &mut at_bob);
}

#[test]
fn the_same_randomness_gives_the_same_packets_and_other_randomness_others() {
    assert_eq!(dial(1).packet(), dial(1).packet());
    assert_ne!(dial(1).packet(), dial(2).packet());
    let init = dial(1).packet().to_vec();
    assert_eq!(answer(&init, 1).0, answer(&init, 1).0);
    assert_ne!(answer(&init, 1).0, answer(&init, 2).0);
}

#[test]
fn both_packets_are_addressed_by_mac1() {
    let dial = dial(1);
    let (response, _) = answer(dial.packet(), 2);
    assert!(check_mac1(&bob(), dial.packet()));
    assert!(!check_mac1(&alice(), dial.packet()));
    assert!(check_mac1(&alice(), &response));
    assert!(!check_mac1(&bob(), &response));
    // Nothing else has one.
    assert!(!check_mac1(&bob(), &[8; INIT_LEN]));
    assert!(!check_mac1(&bob(), &dial.packet()[1..]));
    assert!(!check_mac1(&bob(), &[]));
}

// R4.5
#[test]
fn mac2_is_zeros_and_not_looked_at() {
    let mut dial = dial(1);
    let mut init = dial.packet().to_vec();
    assert_eq!(init[INIT_LEN - 16..], [0; 16]);
    init[INIT_LEN - 16..].fill(0xc0);
    let incoming = read_init(&bob(), &init).unwrap();
    assert_eq!(digest(&init), digest(dial.packet()));
    let (mut response, mut at_bob) = incoming.respond(BOB, &resp_payload(), &mut rng(2)).unwrap();
    let end = response.len();
    assert_eq!(response[end - 16..], [0; 16]);
    response[end - 16..].fill(0xc0);
    assert_pair(&mut dial.read_response(&response).unwrap().2, &mut at_bob);
}

#[test]
fn a_repeated_init_has_the_digest_of_the_first_and_another_one_has_not() {
    let of = |seed| digest(dial(seed).packet()).unwrap();
    assert_eq!(of(1), of(1));
    assert_ne!(of(1), of(2));
    assert_eq!(digest(&dial(1).packet()[1..]), None);
}

// P1
#[test]
fn an_init_answered_twice_gives_sessions_that_have_nothing_in_common() {
    let mut dial = dial(1);
    let (first, mut at_bob_first) = answer(dial.packet(), 2);
    let (_, mut at_bob_second) = answer(dial.packet(), 3);
    let mut at_alice = dial.read_response(&first).unwrap().2;
    assert_ne!(at_alice.hash(), at_bob_second.hash());
    assert!(carry(&mut at_alice, &mut at_bob_second).is_err());
    assert_pair(&mut at_alice, &mut at_bob_first);
}

// P1
#[test]
fn a_response_counts_once() {
    let mut dial = dial(1);
    let (response, _) = answer(dial.packet(), 2);
    let (other, _) = answer(dial.packet(), 3);
    assert!(dial.read_response(&response).is_ok());
    assert_eq!(
        dial.read_response(&response).unwrap_err(),
        HandshakeError::Finished
    );
    assert_eq!(
        dial.read_response(&other).unwrap_err(),
        HandshakeError::Finished
    );
}

// P1
#[test]
fn a_response_to_an_earlier_init_is_refused_and_the_true_one_still_counts() {
    let (earlier, mut dial) = (dial(1), dial(9));
    let (stale, _) = answer(earlier.packet(), 2);
    assert_eq!(
        dial.read_response(&stale).unwrap_err(),
        HandshakeError::Unauthenticated
    );
    let (response, mut at_bob) = answer(dial.packet(), 3);
    assert_pair(&mut dial.read_response(&response).unwrap().2, &mut at_bob);
}

// P1
#[test]
fn packets_reflected_to_their_sender_are_refused() {
    let mut dial = dial(1);
    let (response, _) = answer(dial.packet(), 2);
    assert_eq!(
        read_init(&alice(), dial.packet()).unwrap_err(),
        HandshakeError::WrongMac1
    );
    assert!(matches!(
        read_init(&bob(), &response),
        Err(HandshakeError::Packet(_))
    ));
    let init = dial.packet().to_vec();
    assert!(matches!(
        dial.read_response(&init),
        Err(HandshakeError::Packet(_))
    ));
}

// R4.23
#[test]
fn simultaneous_handshakes_both_complete_with_hashes_that_both_sides_can_order() {
    let (alice, bob) = (alice(), bob());
    let mut from_alice = dial(1);
    let mut from_bob = Dial::new(
        &bob,
        &alice.node_id(),
        BOB,
        &init_payload(bob.node_id()),
        &mut rng(2),
    )
    .unwrap();
    let (to_alice, mut a_at_bob) = answer(from_alice.packet(), 3);
    let incoming = read_init(&alice, from_bob.packet()).unwrap();
    let (to_bob, mut b_at_alice) = incoming
        .respond(ALICE, &resp_payload(), &mut rng(4))
        .unwrap();
    let mut a_at_alice = from_alice.read_response(&to_alice).unwrap().2;
    let mut b_at_bob = from_bob.read_response(&to_bob).unwrap().2;
    assert_pair(&mut a_at_alice, &mut a_at_bob);
    assert_pair(&mut b_at_bob, &mut b_at_alice);
    assert_ne!(a_at_alice.hash(), b_at_alice.hash());
}

#[test]
fn everything_can_move_to_another_thread() {
    fn can_move<T: Send + Sync>() {}
    can_move::<LocalIdentity>();
    can_move::<Dial>();
    can_move::<crate::Incoming>();
    can_move::<Session>();
}

#[test]
fn debug_output_holds_no_key() {
    let dial = dial(1);
    assert_eq!(
        format!("{dial:?}"),
        "Dial { sender: Cid(a1010203040506), finished: false, .. }"
    );
    assert_eq!(
        format!("{:?}", bob()),
        format!("LocalIdentity {{ node_id: {:?}, .. }}", bob().node_id())
    );
    let incoming = format!("{:?}", read_init(&bob(), dial.packet()).unwrap());
    assert!(
        incoming.starts_with("Incoming { payload: InitPayload {") && incoming.ends_with(".. }")
    );
}

#[test]
fn what_is_sent_is_what_the_wire_format_says() {
    let dial = dial(1);
    let Ok(Packet::Init(init)) = Packet::parse(dial.packet()) else {
        panic!("an INIT")
    };
    assert_eq!(init.sender, ALICE);
    let (response, _) = answer(dial.packet(), 2);
    let Ok(Packet::Resp(response)) = Packet::parse(&response) else {
        panic!("a RESP")
    };
    assert_eq!((response.sender, response.receiver), (BOB, ALICE));
}
