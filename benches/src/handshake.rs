//! What does it cost to agree on keys?
//!
//! Unit: one step of a handshake on one side. A handshake of strangers is four Diffie–Hellman computations and a fresh key on each
//! side, at some 25 and 9 µs: both sides together should stay near 250 µs. What an INIT costs before it is refused is what a flood costs.

use std::hint::black_box;
use std::time::Duration;

use keyway_handshake::{
    Dial, Incoming, InitPayload, LocalIdentity, RespPayload, TransportParameters, check_mac1,
    read_init,
};
use keyway_identity::SecretKey;
use keyway_wire::{Cid, Slot};
use rand_chacha::ChaCha20Rng;
use rand_core::SeedableRng;

use crate::{Amount, Meter};

const ALICE: Cid = Cid::new([1; 7]);
const BOB: Cid = Cid::new([2; 7]);
const PARAMETERS: TransportParameters = TransportParameters {
    max_data: 1 << 20,
    max_stream_data: 1 << 20,
    max_streams: 100,
    max_datagram: 1_100,
    max_udp_payload: 1_452,
    max_ack_delay: Duration::from_millis(25),
};

/// Each step that costs a Diffie–Hellman computation, and the one that keeps strangers from causing any. Who has dialled or answered
/// a peer before has less to compute.
pub(crate) fn steps(meter: &mut impl Meter) {
    let (alice, bob) = (local(1), local(2));
    let (says, answers) = (init_payload(&alice), resp_payload());
    let dial = |alice: &LocalIdentity, rng: &mut ChaCha20Rng| {
        Dial::new(alice, &bob.node_id(), ALICE, &says, rng).expect("valid")
    };
    let read = |bob: &LocalIdentity, init: &[u8]| read_init(bob, init).expect("authentic");
    let respond = |incoming: Incoming, rng: &mut ChaCha20Rng| {
        incoming.respond(BOB, &answers, rng).expect("valid")
    };
    let seeded = || ChaCha20Rng::seed_from_u64(3);
    // They know each other from here on.
    let init = dial(&alice, &mut seeded()).packet().to_vec();
    respond(read(&bob, &init), &mut seeded());
    let mut misdirected = init.clone();
    misdirected[500] ^= 1;

    let one = Amount::One;
    meter.measure("handshake/refuse an INIT by its mac1", one, || {
        check_mac1(&bob, black_box(&misdirected))
    });
    meter.measure_prepared(
        "handshake/write INIT to a stranger",
        one,
        seeded,
        |_| local(1),
        |rng, alice| (dial(&alice, rng), alice),
    );
    let mut rng = seeded();
    meter.measure("handshake/write INIT to a known peer", one, || {
        dial(&alice, &mut rng)
    });
    meter.measure_prepared(
        "handshake/read INIT of a stranger",
        one,
        || (),
        |()| local(2),
        |(), bob| (read(&bob, &init), bob),
    );
    meter.measure("handshake/read INIT of a known peer", one, || {
        read(&bob, black_box(&init))
    });
    meter.measure_prepared(
        "handshake/write RESP",
        one,
        seeded,
        |_| read(&bob, &init),
        |rng, incoming| respond(incoming, rng),
    );
    meter.measure_prepared(
        "handshake/read RESP",
        one,
        seeded,
        |rng| {
            let dial = dial(&alice, rng);
            let answer = respond(read(&bob, dial.packet()), rng);
            (dial, answer.0)
        },
        |_, (mut dial, response)| dial.read_response(&response).expect("authentic"),
    );
}

fn local(seed: u8) -> LocalIdentity {
    LocalIdentity::new(&SecretKey::from_bytes([seed; SecretKey::LEN]))
}

fn init_payload(local: &LocalIdentity) -> InitPayload {
    InitPayload {
        initiator: local.node_id(),
        versions: vec![1],
        epoch: 1,
        instance: 2,
        counter: 3,
        generation: 4,
        incarnation: 5,
        remembered: None,
        slot: Slot::ALL[0],
        parameters: PARAMETERS,
    }
}

fn resp_payload() -> RespPayload {
    RespPayload {
        versions: vec![1],
        epoch: 1,
        instance: 2,
        incarnation: 3,
        slot: Slot::ALL[0],
        parameters: PARAMETERS,
    }
}
