//! What does it cost to agree on keys, to seal, and to open?
//!
//! Units: time for one step of a handshake on one side; time for one packet, also as octets per second. A handshake is four
//! Diffie–Hellman computations and a fresh key on each side, at some 25 and 9 µs: both sides together should stay near
//! 250 µs. Sealing and opening should cost what AES-256-GCM costs (270 ns for 1,200 octets), because nothing is allocated
//! or copied beside it. What a stranger's INIT costs before it is refused is what a flood costs.

use std::hint::black_box;
use std::time::Duration;

use criterion::{BatchSize, Criterion, Throughput, criterion_group, criterion_main};
use keyway_handshake::{
    Dial, InitPayload, LocalIdentity, RespPayload, Role, Session, TransportParameters, check_mac1,
    read_init,
};
use keyway_identity::SecretKey;
use keyway_wire::{Cid, CidSequence, DATA_HEADER_LEN, Slot};
use rand_chacha::ChaCha20Rng;
use rand_core::SeedableRng;

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

/// Each step that costs a Diffie–Hellman computation, and the one that keeps strangers from causing any.
fn handshake(c: &mut Criterion) {
    let (alice, bob) = (local(1), local(2));
    let mut rng = ChaCha20Rng::seed_from_u64(3);
    let (says, answers) = (init_payload(&alice), resp_payload());
    let mut dial = || Dial::new(&alice, &bob.node_id(), ALICE, &says, &mut rng).expect("valid");
    let init = dial().packet().to_vec();
    let mut strangers = init.clone();
    strangers[500] ^= 1;

    let mut group = c.benchmark_group("handshake");
    group.bench_function("refuse a stranger's INIT", |b| {
        b.iter(|| check_mac1(&bob, black_box(&strangers)));
    });
    group.bench_function("write INIT", |b| b.iter(&mut dial));
    group.bench_function("read INIT", |b| {
        b.iter(|| read_init(&bob, black_box(&init)).expect("authentic"));
    });
    let mut rng = ChaCha20Rng::seed_from_u64(4);
    group.bench_function("write RESP", |b| {
        b.iter_batched(
            || read_init(&bob, &init).expect("authentic"),
            |incoming| incoming.respond(BOB, &answers, &mut rng).expect("valid"),
            BatchSize::SmallInput,
        );
    });
    group.bench_function("read RESP", |b| {
        b.iter_batched(
            || {
                let dial = dial();
                let incoming = read_init(&bob, dial.packet()).expect("authentic");
                let mut rng = ChaCha20Rng::seed_from_u64(5);
                let answer = incoming.respond(BOB, &answers, &mut rng).expect("valid");
                (dial, answer.0)
            },
            |(mut dial, response)| dial.read_response(&response).expect("authentic"),
            BatchSize::SmallInput,
        );
    });
    group.finish();
}

/// Packets of the first size that every path carries, of the one that most carry, and of jumbo frames.
fn record_layer(c: &mut Criterion) {
    for packet in [1_200, 1_452, 8_900] {
        let mut group = c.benchmark_group(format!("record layer/{packet} octets"));
        group.throughput(Throughput::Bytes(packet as u64));
        let (header, sequence) = ([9; DATA_HEADER_LEN], CidSequence(0));
        let mut buffer = vec![0x5a; packet - DATA_HEADER_LEN];
        group.bench_function("seal", |b| {
            let (mut session, mut number) = (session(Role::Initiator), 0);
            b.iter(|| {
                number += 1;
                if session.ratchet_due() {
                    session.ratchet();
                }
                session.seal(&header, sequence, number, black_box(&mut buffer))
            });
        });
        let mut sealed = vec![0x5a; packet - DATA_HEADER_LEN];
        session(Role::Initiator)
            .seal(&header, sequence, 1, &mut sealed)
            .expect("the first");
        group.bench_function("open, and a copy", |b| {
            let mut receiver = session(Role::Responder);
            b.iter(|| {
                buffer.copy_from_slice(black_box(&sealed));
                receiver
                    .open(false, &header, sequence, 1, &mut buffer)
                    .expect("authentic")
                    .payload[0]
            });
        });
        group.bench_function("refuse a forged one, and a copy", |b| {
            let mut receiver = session(Role::Responder);
            b.iter(|| {
                buffer.copy_from_slice(black_box(&sealed));
                receiver
                    .open(false, &header, sequence, 2, &mut buffer)
                    .is_err()
            });
        });
        group.finish();
    }
    c.bench_function("record layer/ratchet", |b| {
        let mut session = session(Role::Initiator);
        b.iter(|| session.ratchet());
    });
}

fn local(seed: u8) -> LocalIdentity {
    LocalIdentity::new(&SecretKey::from_bytes([seed; SecretKey::LEN]))
}

fn session(role: Role) -> Session {
    Session::dangerous_from_split(role, [0; 32], ([1; 32], [2; 32]))
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

criterion_group!(benches, handshake, record_layer);
criterion_main!(benches);
