use keyway_wire::{INIT_LEN, Init, Resp};

use super::*;
use crate::{
    HandshakeError, PayloadError,
    mac::Mac1Key,
    noise::{
        Noise,
        x25519::tests::{NOT_CANONICAL, SMALL_ORDER, hex},
    },
};

// A3
#[test]
fn an_init_for_another_responder_is_refused_even_if_mac1_is_made_to_fit() {
    let (dial, carol) = (dial(1), local(0xcc));
    assert_eq!(
        read_init(&carol, dial.packet()).unwrap_err(),
        HandshakeError::WrongMac1
    );
    let mut packet = dial.packet().to_vec();
    Mac1Key::of(&carol.node_id()).finish(&mut packet);
    assert_eq!(
        read_init(&carol, &packet).unwrap_err(),
        HandshakeError::Unauthenticated
    );
}

// A3
#[test]
fn an_answer_by_another_responder_is_refused() {
    let (alice, carol) = (alice(), local(0xcc));
    let mut to_bob = dial(1);
    // Carol answers what Alice says to her at the same time, under the same CID.
    let to_carol = Dial::new(
        &alice,
        &carol.node_id(),
        ALICE,
        &init_payload(alice.node_id()),
        &mut rng(1),
    )
    .unwrap();
    let incoming = read_init(&carol, to_carol.packet()).unwrap();
    let (response, _) = incoming.respond(BOB, &resp_payload(), &mut rng(2)).unwrap();
    assert_eq!(
        to_bob.read_response(&response).unwrap_err(),
        HandshakeError::Unauthenticated
    );
    let (response, mut at_bob) = answer(to_bob.packet(), 3);
    assert_pair(&mut to_bob.read_response(&response).unwrap().2, &mut at_bob);
}

// R4.2
#[test]
fn an_initiator_cannot_speak_in_the_name_of_another() {
    let (mallory, alice) = (local(0xee), alice());
    let init = init_of(&mallory, &bob().node_id(), &init_payload(alice.node_id()));
    assert_eq!(
        read_init(&bob(), &init).unwrap_err(),
        HandshakeError::WrongInitiator
    );
    // The same packet is fine in her own name.
    let init = init_of(&mallory, &bob().node_id(), &init_payload(mallory.node_id()));
    assert_eq!(read_init(&bob(), &init).unwrap().peer(), mallory.node_id());
    // And our own side does not even write it.
    let refused = Dial::new(
        &mallory,
        &bob().node_id(),
        ALICE,
        &init_payload(alice.node_id()),
        &mut rng(1),
    );
    assert_eq!(
        refused.unwrap_err(),
        HandshakeError::Payload(PayloadError::NotLocal)
    );
}

#[test]
fn a_responder_called_by_the_negative_of_its_key_refuses() {
    let bob = bob();
    let alias = negative(bob.node_id());
    assert_eq!(
        alias.to_x25519(),
        bob.node_id().to_x25519(),
        "one Noise key, two node ids"
    );
    let alice = alice();
    let dial = Dial::new(
        &alice,
        &alias,
        ALICE,
        &init_payload(alice.node_id()),
        &mut rng(1),
    )
    .unwrap();
    assert_eq!(
        read_init(&bob, dial.packet()).unwrap_err(),
        HandshakeError::WrongMac1
    );
    let mut packet = dial.packet().to_vec();
    bob.mac1.finish(&mut packet);
    assert_eq!(
        read_init(&bob, &packet).unwrap_err(),
        HandshakeError::Unauthenticated
    );
}

// R3.2
#[test]
fn a_key_and_its_negative_are_two_peers() {
    let alice = alice();
    let alias = negative(alice.node_id());
    let init = init_of(&alice, &bob().node_id(), &init_payload(alias));
    let incoming = read_init(&bob(), &init).unwrap();
    assert_eq!(incoming.peer(), alias);
    assert_ne!(incoming.peer(), alice.node_id());
}

// A2, R4.1
#[test]
fn weak_ephemeral_keys_are_refused_on_both_sides() {
    let mut dial = dial(1);
    let (response, mut at_bob) = answer(dial.packet(), 2);
    for point in SMALL_ORDER.map(hex).into_iter().chain([hex(NOT_CANONICAL)]) {
        let mut init = dial.packet().to_vec();
        init[Init::NOISE.start..Init::NOISE.start + 32].copy_from_slice(&point);
        bob().mac1.finish(&mut init);
        assert_eq!(
            read_init(&bob(), &init).unwrap_err(),
            HandshakeError::WeakKey,
            "{point:02x?}"
        );

        let mut forged = response.clone();
        forged[Resp::NOISE_START..Resp::NOISE_START + 32].copy_from_slice(&point);
        alice().mac1.finish(&mut forged);
        assert_eq!(
            dial.read_response(&forged).unwrap_err(),
            HandshakeError::WeakKey,
            "{point:02x?}"
        );
    }
    assert_pair(&mut dial.read_response(&response).unwrap().2, &mut at_bob);
}

/// An INIT as a hostile initiator makes it, who says what it likes.
pub(super) fn init_of(local: &LocalIdentity, responder: &NodeId, payload: &InitPayload) -> Vec<u8> {
    let mut packet = vec![0; INIT_LEN];
    Init::emit_header(ALICE, &mut packet);
    let mut noise = Noise::initiator(&local.static_key, responder);
    noise
        .write(
            &payload.encode(ALICE).unwrap(),
            &mut rng(1),
            &mut packet[Init::NOISE],
        )
        .unwrap();
    Mac1Key::of(responder).finish(&mut packet);
    packet
}

/// The other node id with the same X25519 form.
pub(super) fn negative(id: NodeId) -> NodeId {
    let mut octets = *id.as_bytes();
    octets[31] ^= 0x80;
    NodeId::from_bytes(octets).unwrap()
}
