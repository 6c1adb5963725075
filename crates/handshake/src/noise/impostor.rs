//! What somebody achieves who has stolen the responder's key, and says that it is somebody else (key compromise
//! impersonation; Noise rev 34, 7.7: the first message of IK has grade 1).

use keyway_wire::{INIT_LEN, Init, RESP_LEN_MAX, Resp};

use super::lying::{Static, initiator};
use crate::{
    mac::Mac1Key,
    read_init,
    tests::{ALICE, BOB, alice, bob, init_payload, resp_payload, rng},
};

/// An INIT that says that it is Alice's.
fn init(state: &mut snow::HandshakeState) -> [u8; INIT_LEN] {
    let mut packet = [0; INIT_LEN];
    Init::emit_header(ALICE, &mut packet);
    let payload = init_payload(alice().node_id()).encode(ALICE).unwrap();
    let length = state
        .write_message(&payload, &mut packet[Init::NOISE])
        .unwrap();
    assert_eq!(length, Init::NOISE_LEN);
    Mac1Key::of(&bob().node_id()).finish(&mut packet);
    packet
}

// A6, R4.18
#[test]
fn who_has_stolen_a_key_can_say_hello_to_its_owner_in_anybodys_name_and_nothing_more() {
    for (says, true_alice) in [(Static::Honest, true), (Static::Impostor, false)] {
        let mut state = initiator(says);
        let incoming = read_init(&bob(), &init(&mut state)).unwrap();
        // Nothing in an INIT shows the difference: that is why it has no data, and nobody is told of it.
        assert_eq!(incoming.peer(), alice().node_id());
        let (packet, mut session) = incoming.respond(BOB, &resp_payload(), &mut rng(1)).unwrap();
        let resp = Resp::parse(&packet).unwrap();
        let read = state.read_message(resp.noise, &mut [0; RESP_LEN_MAX]);
        assert_eq!(read.is_ok(), true_alice, "the answer is for Alice");
        // And without its keys, no packet opens.
        let mut guess = [0; 40];
        assert!(
            session
                .open(false, &[0; 16], keyway_wire::CidSequence(0), 0, &mut guess)
                .is_err()
        );
    }
}
