use keyway_wire::{INIT_LEN, Init, MAC_LEN, Resp};

use super::*;
use crate::{HandshakeError, mac::Mac1Key};

// P4, R4.4
#[test]
fn an_init_with_any_bit_flipped_is_refused_before_any_exchange_of_keys() {
    let (bob, dial) = (bob(), dial(1));
    for bit in 0..(INIT_LEN - MAC_LEN) * 8 {
        let refused = read_init(&bob, &flipped(dial.packet(), bit)).unwrap_err();
        assert!(
            matches!(
                refused,
                HandshakeError::WrongMac1 | HandshakeError::Packet(_)
            ),
            "bit {bit}: {refused}"
        );
    }
}

// P4, P5, R4.7
#[test]
fn an_init_with_any_bit_flipped_by_one_who_knows_the_responder_is_refused() {
    let (bob, dial) = (bob(), dial(1));
    let key = Mac1Key::of(&bob.node_id());
    for bit in 0..(INIT_LEN - 2 * MAC_LEN) * 8 {
        let mut packet = flipped(dial.packet(), bit);
        key.finish(&mut packet);
        let refused = read_init(&bob, &packet).unwrap_err();
        let expected = match bit / 8 {
            0..3 => matches!(refused, HandshakeError::Packet(_)),
            3..10 => refused == HandshakeError::WrongSender,
            41 if bit % 8 == 7 => refused == HandshakeError::WeakKey,
            _ => refused == HandshakeError::Unauthenticated,
        };
        assert!(expected, "bit {bit}: {refused}");
    }
}

// P4
#[test]
fn an_init_of_any_other_length_is_refused() {
    let (bob, dial) = (bob(), dial(1));
    for length in 0..INIT_LEN {
        let refused = read_init(&bob, &dial.packet()[..length]).unwrap_err();
        assert!(
            matches!(refused, HandshakeError::Packet(_)),
            "length {length}: {refused}"
        );
    }
    let longer = [dial.packet(), &[0]].concat();
    assert!(matches!(
        read_init(&bob, &longer),
        Err(HandshakeError::Packet(_))
    ));
}

// H4, P4, R4.3
#[test]
fn a_dial_outlives_responses_with_any_bit_flipped() {
    let mut dial = dial(1);
    let (response, mut at_bob) = answer(dial.packet(), 2);
    for bit in 0..(response.len() - MAC_LEN) * 8 {
        let refused = dial.read_response(&flipped(&response, bit)).unwrap_err();
        let cheap = matches!(
            refused,
            HandshakeError::WrongMac1 | HandshakeError::WrongReceiver | HandshakeError::Packet(_)
        );
        assert!(cheap, "bit {bit}: {refused}");
    }
    assert_pair(&mut dial.read_response(&response).unwrap().2, &mut at_bob);
}

// H4, P4, P5, R4.3
#[test]
fn a_dial_outlives_responses_with_any_bit_flipped_by_one_who_knows_the_initiator() {
    let mut dial = dial(1);
    let (response, mut at_bob) = answer(dial.packet(), 2);
    let key = Mac1Key::of(&alice().node_id());
    let noise = Resp::NOISE_START..response.len() - 2 * MAC_LEN;
    // The sender CID is the next test's.
    for bit in (0..3 * 8).chain(10 * 8..noise.end * 8) {
        let mut packet = flipped(&response, bit);
        key.finish(&mut packet);
        let refused = dial.read_response(&packet).unwrap_err();
        let expected = match bit / 8 {
            0..3 => matches!(refused, HandshakeError::Packet(_)),
            10..17 => refused == HandshakeError::WrongReceiver,
            48 if bit % 8 == 7 => refused == HandshakeError::WeakKey,
            _ => refused == HandshakeError::Unauthenticated,
        };
        assert!(expected, "bit {bit}: {refused}");
    }
    assert_pair(&mut dial.read_response(&response).unwrap().2, &mut at_bob);
}

// H4, P5, R4.7
#[test]
fn the_responders_cid_is_the_sealed_one_whatever_the_header_says() {
    let mut dial = dial(1);
    let (mut response, mut at_bob) = answer(dial.packet(), 2);
    response[3..10].fill(0xee);
    Mac1Key::of(&alice().node_id()).finish(&mut response);
    let (_, cid, mut at_alice) = dial.read_response(&response).unwrap();
    assert_eq!(cid, BOB);
    assert_pair(&mut at_alice, &mut at_bob);
}

// H4, P4, R4.3
#[test]
fn a_dial_outlives_responses_of_any_other_length() {
    let mut dial = dial(1);
    let (response, mut at_bob) = answer(dial.packet(), 2);
    let key = Mac1Key::of(&alice().node_id());
    for length in 0..response.len() {
        let mut packet = response[..length].to_vec();
        assert!(dial.read_response(&packet).is_err(), "length {length}");
        if length >= 2 * MAC_LEN {
            key.finish(&mut packet);
            assert!(
                dial.read_response(&packet).is_err(),
                "length {length}, mac1 right"
            );
        }
    }
    for length in response.len() + 1..1_200 {
        let mut packet = response.clone();
        packet.resize(length, 0);
        key.finish(&mut packet);
        assert!(dial.read_response(&packet).is_err(), "length {length}");
    }
    assert_pair(&mut dial.read_response(&response).unwrap().2, &mut at_bob);
}

// H4, R4.3
#[test]
fn a_dial_outlives_responses_that_a_stranger_made_up() {
    use rand_core::Rng;
    let (mut dial, mut random) = (dial(1), rng(7));
    let (response, mut at_bob) = answer(dial.packet(), 2);
    let key = Mac1Key::of(&alice().node_id());
    for _ in 0..1_000 {
        let mut packet = response.clone();
        random.fill_bytes(&mut packet[Resp::NOISE_START..]);
        key.finish(&mut packet);
        assert!(dial.read_response(&packet).is_err());
    }
    assert_pair(&mut dial.read_response(&response).unwrap().2, &mut at_bob);
}

#[test]
fn an_init_cannot_carry_the_message_of_another() {
    let (one, other) = (dial(1), dial(2));
    let mut packet = one.packet().to_vec();
    packet[Init::NOISE.start + 32..Init::NOISE.end]
        .copy_from_slice(&other.packet()[Init::NOISE.start + 32..Init::NOISE.end]);
    Mac1Key::of(&bob().node_id()).finish(&mut packet);
    assert_eq!(
        read_init(&bob(), &packet).unwrap_err(),
        HandshakeError::Unauthenticated
    );
}

fn flipped(packet: &[u8], bit: usize) -> Vec<u8> {
    let mut packet = packet.to_vec();
    packet[bit / 8] ^= 1 << (bit % 8);
    packet
}
