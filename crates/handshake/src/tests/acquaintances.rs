//! What is kept from one handshake for the next makes it cheaper, and nothing else.

use super::*;
use crate::HandshakeError;

/// `dialler` and `dialled` shake hands once. Returns both packets.
fn shake_hands(dialler: &LocalIdentity, dialled: &LocalIdentity, seed: u64) -> (Vec<u8>, Vec<u8>) {
    let mut dial = Dial::new(
        dialler,
        &dialled.node_id(),
        ALICE,
        &init_payload(dialler.node_id()),
        &mut rng(seed),
    )
    .unwrap();
    let init = dial.packet().to_vec();
    let incoming = read_init(dialled, &init).unwrap();
    assert_eq!(incoming.peer(), dialler.node_id());
    let (response, mut there) = incoming
        .respond(BOB, &resp_payload(), &mut rng(seed + 1))
        .unwrap();
    assert_pair(&mut dial.read_response(&response).unwrap().2, &mut there);
    (init, response)
}

// R4.2
#[test]
fn a_handshake_with_a_peer_that_is_known_has_the_same_octets_as_with_a_stranger() {
    let (alice, bob) = (alice(), bob());
    let first = shake_hands(&alice, &bob, 1);
    assert!(
        alice
            .static_key
            .node_id_of(&bob.node_id().to_x25519())
            .is_some()
    );
    assert!(
        bob.static_key
            .node_id_of(&alice.node_id().to_x25519())
            .is_some()
    );
    // Both know each other, both, one of them, and in the other direction.
    assert_eq!(shake_hands(&alice, &bob, 1), first);
    assert_eq!(shake_hands(&super::alice(), &bob, 1), first);
    assert_eq!(shake_hands(&alice, &super::bob(), 1), first);
    let back = shake_hands(&super::bob(), &super::alice(), 5);
    assert_eq!(shake_hands(&bob, &alice, 5), back);
}

// R4.2
#[test]
fn nobody_can_speak_in_the_name_of_a_peer_that_is_known() {
    let (alice, bob, mallory) = (alice(), bob(), local(0xee));
    shake_hands(&alice, &bob, 1);
    shake_hands(&mallory, &bob, 3);
    let said = init_payload(alice.node_id());
    let init = identities::init_of(&mallory, &bob.node_id(), &said);
    assert_eq!(
        read_init(&bob, &init).unwrap_err(),
        HandshakeError::WrongInitiator
    );
}

// R3.2
#[test]
fn a_key_and_its_negative_are_two_peers_whichever_is_known() {
    let (alice, bob) = (alice(), bob());
    shake_hands(&alice, &bob, 1);
    let alias = identities::negative(alice.node_id());
    let init = identities::init_of(&alice, &bob.node_id(), &init_payload(alias));
    let incoming = read_init(&bob, &init).unwrap();
    assert_eq!(incoming.peer(), alias);
    incoming.respond(BOB, &resp_payload(), &mut rng(2)).unwrap();
    shake_hands(&alice, &bob, 3);
}

#[test]
fn an_init_that_is_not_answered_is_not_remembered() {
    let (alice, bob) = (alice(), bob());
    let init = identities::init_of(&alice, &bob.node_id(), &init_payload(alice.node_id()));
    drop(read_init(&bob, &init).unwrap());
    let key = alice.node_id().to_x25519();
    assert_eq!(bob.static_key.node_id_of(&key), None);
}
