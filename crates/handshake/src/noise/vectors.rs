//! Vectors of another implementation, run through our resolver.

use std::sync::Arc;

use data_encoding::HEXLOWER;
use serde::Deserialize;
use snow::{Builder, HandshakeState};

use super::{
    NO_PSK, PROTOCOL,
    resolver::{EphemeralSecret, Resolver},
    static_key::StaticKey,
    x25519::{Agreements, tests::hex},
};
use crate::tests::FixedRng;

const VECTORS: &str = include_str!("../../../../proto/vectors/noise-cacophony.json");

#[derive(Deserialize)]
struct File {
    vectors: Vec<Vector>,
}

#[derive(Deserialize)]
struct Vector {
    protocol_name: String,
    init_prologue: String,
    #[serde(default)]
    init_psks: Vec<String>,
    init_static: String,
    init_ephemeral: String,
    init_remote_static: String,
    resp_prologue: String,
    #[serde(default)]
    resp_psks: Vec<String>,
    resp_static: String,
    resp_ephemeral: String,
    handshake_hash: String,
    messages: Vec<Message>,
}

#[derive(Deserialize)]
struct Message {
    payload: String,
    ciphertext: String,
}

#[test]
fn the_vectors_of_cacophony_come_out() {
    let file: File = serde_json::from_str(VECTORS).unwrap();
    let names: Vec<&str> = file
        .vectors
        .iter()
        .map(|vector| vector.protocol_name.as_str())
        .collect();
    assert_eq!(names, ["Noise_IK_25519_AESGCM_SHA256", PROTOCOL]);
    file.vectors.iter().for_each(run);
}

#[test]
fn the_ephemeral_secret_is_given_out_once() {
    use snow::types::Random;
    let mut secret = EphemeralSecret::default();
    assert_eq!(secret.try_fill_bytes(&mut [0; 32]), Err(snow::Error::Rng));
    secret.draw(&mut FixedRng([7; 32]));
    let mut out = [0; 32];
    assert_eq!(secret.try_fill_bytes(&mut out), Ok(()));
    assert_eq!(out, [7; 32]);
    assert_eq!(secret.try_fill_bytes(&mut out), Err(snow::Error::Rng));
    secret.draw(&mut FixedRng([7; 32]));
    assert_eq!(secret.try_fill_bytes(&mut [0; 31]), Err(snow::Error::Rng));
}

fn run(vector: &Vector) {
    let mut initiator = side(
        vector,
        &vector.init_static,
        &vector.init_ephemeral,
        &vector.init_psks,
        true,
    );
    let mut responder = side(
        vector,
        &vector.resp_static,
        &vector.resp_ephemeral,
        &vector.resp_psks,
        false,
    );
    let (handshake, transport) = vector.messages.split_at(2);
    deliver(
        &handshake[0],
        |text, out| initiator.write_message(text, out),
        |text, out| responder.read_message(text, out),
    );
    deliver(
        &handshake[1],
        |text, out| responder.write_message(text, out),
        |text, out| initiator.read_message(text, out),
    );
    for side in [&initiator, &responder] {
        assert_eq!(
            HEXLOWER.encode(side.get_handshake_hash()),
            vector.handshake_hash
        );
    }
    assert_eq!(
        initiator.dangerously_get_raw_split(),
        responder.dangerously_get_raw_split()
    );
    let (mut initiator, mut responder) = (
        initiator.into_transport_mode().unwrap(),
        responder.into_transport_mode().unwrap(),
    );
    for pair in transport.chunks(2) {
        deliver(
            &pair[0],
            |text, out| initiator.write_message(text, out),
            |text, out| responder.read_message(text, out),
        );
        deliver(
            &pair[1],
            |text, out| responder.write_message(text, out),
            |text, out| initiator.read_message(text, out),
        );
    }
}

/// One message from one side to the other, which must be the vector's.
fn deliver(
    message: &Message,
    write: impl FnOnce(&[u8], &mut [u8]) -> Result<usize, snow::Error>,
    read: impl FnOnce(&[u8], &mut [u8]) -> Result<usize, snow::Error>,
) {
    let (mut sealed, mut opened) = ([0; 256], [0; 256]);
    let length = write(&decode(&message.payload), &mut sealed).unwrap();
    assert_eq!(HEXLOWER.encode(&sealed[..length]), message.ciphertext);
    let length = read(&sealed[..length], &mut opened).unwrap();
    assert_eq!(HEXLOWER.encode(&opened[..length]), message.payload);
}

fn side(
    vector: &Vector,
    static_key: &str,
    ephemeral: &str,
    psks: &[String],
    initiator: bool,
) -> HandshakeState {
    let secret = EphemeralSecret::default();
    secret.draw(&mut FixedRng(hex(ephemeral)));
    let resolver = Resolver {
        static_key: Arc::new(StaticKey::new(&hex(static_key))),
        ephemeral: secret,
        agreements: Agreements::default(),
    };
    let prologue = decode(if initiator {
        &vector.init_prologue
    } else {
        &vector.resp_prologue
    });
    let psk = psks.first().map_or(NO_PSK, |psk| hex(psk));
    let remote = hex(&vector.init_remote_static);
    let params = vector.protocol_name.parse().unwrap();
    let builder = Builder::with_resolver(params, Box::new(resolver))
        .prologue(&prologue)
        .unwrap();
    let builder = builder
        .local_private_key(&[])
        .unwrap()
        .psk(2, &psk)
        .unwrap();
    if initiator {
        builder
            .remote_public_key(&remote)
            .unwrap()
            .build_initiator()
            .unwrap()
    } else {
        builder.build_responder().unwrap()
    }
}

fn decode(text: &str) -> Vec<u8> {
    HEXLOWER.decode(text.as_bytes()).unwrap()
}
