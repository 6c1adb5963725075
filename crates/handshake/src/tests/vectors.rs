//! Our own vectors, for whoever writes the protocol again: one handshake and packets of three key phases.
//!
//! What the crate makes is compared with the file, and the keys and packets also with what the documented key schedule
//! gives when it is followed by hand.

use aws_lc_rs::{
    aead::{AES_256_GCM, Aad, LessSafeKey, Nonce, UnboundKey},
    digest::{SHA256, digest},
    hkdf::{HKDF_SHA256, KeyType, Prk},
    hmac::{HMAC_SHA256, Key, sign},
};
use data_encoding::HEXLOWER;
use keyway_wire::{DATA_HEADER_LEN, DataHeader, INIT_LEN, Init, MAC_LEN};
use serde::Serialize;

use super::*;
use crate::{Cookies, Role, noise::Noise};

const FILE: &str = concat!(
    env!("CARGO_MANIFEST_DIR"),
    "/../../proto/vectors/handshake.json"
);

/// Set to write the file instead of comparing with it, after a change of the protocol.
const WRITE: &str = "KEYWAY_WRITE_VECTORS";

#[derive(Serialize)]
struct Vectors {
    about: &'static str,
    protocol: &'static str,
    psk: String,
    prologue: String,
    initiator: Side,
    responder: Side,
    init: String,
    cookie: Given,
    response: String,
    handshake_hash: String,
    /// Noise's split: secrets of phase 0, initiator to responder and back.
    split: [String; 2],
    packets: Vec<Sealed>,
}

#[derive(Serialize)]
struct Side {
    secret_key: String,
    node_id: String,
    x25519_private: String,
    x25519_public: String,
    mac1_key: String,
    ephemeral_private: String,
    cid: String,
    /// Length, protobuf, and padding.
    payload: String,
}

/// What a responder under load answers to `init`, and what the initiator sends then.
#[derive(Serialize)]
struct Given {
    /// The responder's secret, and what it calls the source.
    secret: String,
    source: String,
    /// What the cookie is sealed under: a key, a nonce, and as associated data mac1 of `init`.
    key: String,
    nonce: String,
    /// Before it is sealed.
    cookie: String,
    packet: String,
    /// The last octets of `init`, sent again.
    mac2: String,
}

#[derive(Clone, Serialize)]
struct Sealed {
    from: &'static str,
    phase: u64,
    key: String,
    iv: String,
    sequence: u32,
    /// Eight octets: JSON's numbers are not exact beyond 2^53 everywhere.
    number: String,
    payload: String,
    packet: String,
}

#[test]
fn the_vectors_are_what_this_crate_makes() {
    let mut made = serde_json::to_string_pretty(&make()).unwrap();
    made.push('\n');
    if std::env::var_os(WRITE).is_some() {
        std::fs::write(FILE, &made).unwrap();
    }
    let kept = std::fs::read_to_string(FILE).unwrap();
    assert!(
        made == kept,
        "{FILE} differs; if the protocol is meant to change, run with {WRITE}=1"
    );
}

fn make() -> Vectors {
    let (alice, bob) = (
        SecretKey::from_bytes([0xaa; 32]),
        SecretKey::from_bytes([0xbb; 32]),
    );
    let (at_alice, at_bob) = (LocalIdentity::new(&alice), LocalIdentity::new(&bob));
    let said = InitPayload {
        remembered: Some(0x0123_4567_89ab_cdef),
        ..init_payload(alice.node_id())
    };
    let answered = resp_payload();
    let (e_alice, e_bob) = ([0x0a; 32], [0x0b; 32]);

    let mut dial = Dial::new(
        &at_alice,
        &bob.node_id(),
        ALICE,
        &said,
        &mut FixedRng(e_alice),
    )
    .unwrap();
    let init = dial.packet().to_vec();
    let mut noise = Noise::responder(&at_bob.static_key, &bob.node_id());
    noise.read(&init[Init::NOISE], &mut [0; INIT_LEN]).unwrap();
    noise
        .write(
            &answered.encode(BOB).unwrap(),
            &mut FixedRng(e_bob),
            &mut [0; INIT_LEN],
        )
        .unwrap();
    let split = noise.split();
    let (response, responder) = read_init(&at_bob, &init)
        .unwrap()
        .respond(BOB, &answered, &mut FixedRng(e_bob))
        .unwrap();
    let (_, _, initiator) = dial.read_response(&response).unwrap();
    let hash = *initiator.hash();
    assert_eq!(initiator.role(), Role::Initiator);

    let vectors = Vectors {
        about: "One handshake of Keyway and packets sealed with its keys. Octets are in hexadecimal.",
        protocol: "Noise_IKpsk2_25519_AESGCM_SHA256",
        psk: hex(&[0; 32]),
        prologue: hex(&[&b"keyway\x01"[..], bob.node_id().as_bytes()].concat()),
        initiator: side(
            [0xaa; 32],
            &alice,
            e_alice,
            ALICE,
            &said.encode(ALICE).unwrap(),
        ),
        responder: side([0xbb; 32], &bob, e_bob, BOB, &answered.encode(BOB).unwrap()),
        init: hex(&init),
        cookie: given(&dial_of(&at_alice, &bob, &said, e_alice), &at_bob),
        response: hex(&response),
        handshake_hash: hex(&hash),
        split: [hex(&split.0), hex(&split.1)],
        packets: packets(initiator, responder, split),
    };
    check_mac(&vectors.responder.mac1_key, &init);
    check_mac(&vectors.initiator.mac1_key, &response);
    assert_eq!(
        init[..Init::NOISE.start],
        [&[4, 1, 1][..], ALICE.as_bytes()].concat()
    );
    vectors
}

fn side(seed: [u8; 32], key: &SecretKey, ephemeral: [u8; 32], cid: Cid, payload: &[u8]) -> Side {
    let id = key.node_id();
    Side {
        secret_key: hex(&seed),
        node_id: hex(id.as_bytes()),
        x25519_private: hex(key.to_x25519().as_ref()),
        x25519_public: hex(&id.to_x25519()),
        mac1_key: hex(digest(&SHA256, &[b"keyway v1 mac1", &id.as_bytes()[..]].concat()).as_ref()),
        ephemeral_private: hex(&ephemeral),
        cid: hex(cid.as_bytes()),
        payload: hex(payload),
    }
}

fn dial_of(from: &LocalIdentity, to: &SecretKey, said: &InitPayload, ephemeral: [u8; 32]) -> Dial {
    let rng = &mut FixedRng(ephemeral);
    Dial::new(from, &to.node_id(), ALICE, said, rng).unwrap()
}

/// A cookie for an initiator at 192.0.2.1, port 4100, made by this crate and by hand.
fn given(dial: &Dial, at_bob: &LocalIdentity) -> Given {
    let (secret, random, source) = ([0x5e; 32], [0x0c; 32], [4, 192, 0, 2, 1, 0x10, 0x04]);
    let cookies = Cookies::new(&mut FixedRng(secret));
    let init = dial.packet();
    let packet = cookies
        .answer(at_bob, init, &source, &mut FixedRng(random))
        .unwrap();
    let again = dial.packet_with(&dial.read_cookie(&packet).unwrap());
    assert!(cookies.check_mac2(&again, &source));

    let id = at_bob.node_id();
    let key = digest(&SHA256, &[b"keyway v1 cookie", &id.as_bytes()[..]].concat());
    let hmac = |key: &[u8], message: &[u8]| {
        sign(&Key::new(HMAC_SHA256, key), message).as_ref()[..MAC_LEN].to_vec()
    };
    let cookie = hmac(&secret, &source);
    let mut sealed = cookie.clone();
    LessSafeKey::new(UnboundKey::new(&AES_256_GCM, key.as_ref()).unwrap())
        .seal_in_place_append_tag(
            Nonce::try_assume_unique_for_key(&random[..12]).unwrap(),
            Aad::from(&init[Init::MAC1]),
            &mut sealed,
        )
        .unwrap();
    let by_hand = [&[4, 3, 1][..], ALICE.as_bytes(), &random[..12], &sealed].concat();
    assert_eq!(packet[..], by_hand);
    let mac2 = hmac(&cookie, &again[..Init::MAC2.start]);
    assert_eq!(again[Init::MAC2], mac2);
    Given {
        secret: hex(&secret),
        source: hex(&source),
        key: hex(key.as_ref()),
        nonce: hex(&random[..12]),
        cookie: hex(&cookie),
        packet: hex(&packet),
        mac2: hex(&mac2),
    }
}

fn check_mac(key: &str, packet: &[u8]) {
    let (covered, macs) = packet.split_at(packet.len() - 2 * MAC_LEN);
    let tag = sign(&Key::new(HMAC_SHA256, &unhex(key)), covered);
    assert_eq!(macs, [&tag.as_ref()[..MAC_LEN], &[0; MAC_LEN]].concat());
}

/// Packets of both directions, of several sequences, and of three phases of the initiator's.
fn packets(
    mut initiator: Session,
    mut responder: Session,
    split: ([u8; 32], [u8; 32]),
) -> Vec<Sealed> {
    let mut made = Vec::new();
    let mut phase = 0;
    for (from_initiator, ratchet, sequence, number) in [
        (true, false, 0, 0),
        (false, false, 0, 0),
        (true, false, 1, 0x0102_0304_0506_0708),
        (true, true, 0, 1),
        (true, true, u32::MAX, (1 << 62) - 1),
        (false, false, 7, 1),
    ] {
        let (from, to) = match from_initiator {
            true => (&mut initiator, &mut responder),
            false => (&mut responder, &mut initiator),
        };
        if ratchet {
            from.ratchet();
            phase += 1;
        }
        let (name, secret, slot, cid, phase) = match from_initiator {
            true => ("initiator", split.0, resp_payload().slot, BOB, phase),
            false => ("responder", split.1, Slot::ALL[1], ALICE, 0),
        };
        let (key, iv) = schedule(secret, phase);
        let header = DataHeader {
            slot,
            phase: from.send_phase(),
            cid,
            number,
        };
        let payload = b"a payload of 30 octets in all.";
        let packet = by_hand(&key, iv, header, sequence, payload);

        let mut sealed = [&packet[..DATA_HEADER_LEN], payload, &[0; TAG_LEN]].concat();
        let (head, body) = sealed.split_at_mut(DATA_HEADER_LEN);
        from.seal(head, CidSequence(sequence), number, body)
            .unwrap();
        assert_eq!(sealed, packet, "phase {phase} of {name}");
        let (head, body) = sealed.split_at_mut(DATA_HEADER_LEN);
        let opened = to
            .open(header.phase, head, CidSequence(sequence), number, body)
            .unwrap();
        assert_eq!(
            (&*opened.payload, opened.ratcheted),
            (&payload[..], ratchet)
        );

        made.push(Sealed {
            from: name,
            phase,
            key: hex(&key),
            iv: hex(&iv),
            sequence,
            number: hex(&number.to_be_bytes()),
            payload: hex(payload),
            packet: hex(&packet),
        });
    }
    made
}

/// Key and IV of a phase, from the split.
fn schedule(mut secret: [u8; 32], phase: u64) -> ([u8; 32], [u8; 12]) {
    for _ in 0..phase {
        secret = expand(&secret, b"keyway v1 phase");
    }
    (
        expand(&secret, b"keyway v1 key"),
        expand(&secret, b"keyway v1 iv"),
    )
}

fn expand<const LENGTH: usize>(secret: &[u8], label: &[u8]) -> [u8; LENGTH] {
    struct Length(usize);
    impl KeyType for Length {
        fn len(&self) -> usize {
            self.0
        }
    }
    let mut out = [0; LENGTH];
    let prk = Prk::new_less_safe(HKDF_SHA256, secret);
    prk.expand(&[label], Length(LENGTH))
        .unwrap()
        .fill(&mut out)
        .unwrap();
    out
}

fn by_hand(
    key: &[u8; 32],
    iv: [u8; 12],
    header: DataHeader,
    sequence: u32,
    payload: &[u8],
) -> Vec<u8> {
    let counter = u128::from(sequence) << 64 | u128::from(header.number);
    let mut nonce = [0; 16];
    nonce[4..].copy_from_slice(&iv);
    let nonce = (u128::from_be_bytes(nonce) ^ counter).to_be_bytes();
    let mut packet = vec![0; DATA_HEADER_LEN];
    header.emit(&mut packet);
    let key = LessSafeKey::new(UnboundKey::new(&AES_256_GCM, key).unwrap());
    let mut sealed = payload.to_vec();
    let nonce = Nonce::try_assume_unique_for_key(&nonce[4..]).unwrap();
    key.seal_in_place_append_tag(nonce, Aad::from(&packet), &mut sealed)
        .unwrap();
    packet.extend(sealed);
    packet
}

fn hex(octets: &[u8]) -> String {
    HEXLOWER.encode(octets)
}

fn unhex(text: &str) -> Vec<u8> {
    HEXLOWER.decode(text.as_bytes()).unwrap()
}
