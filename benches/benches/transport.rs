//! How much do two associations cost beside the network?
//!
//! Octets go from one association to the other in this process: framing, sealing, opening, loss recovery, congestion
//! control, acknowledgements and both copies, for sender and receiver together, with nothing lost. Batches arrive whole
//! and at once, and virtual time moves by 100 us a round trip. The unit is octets a second of one core for both ends.

use std::hint::black_box;
use std::sync::Arc;
use std::time::Duration;

use criterion::{Criterion, Throughput, criterion_group, criterion_main};
use keyway_handshake::{Role, Session};
use keyway_identity::{NodeId, SecretKey};
use keyway_transport::{
    Association, AssociationConfig, AssociationEvent, Batch, Incarnations, MemoryBudget, Route,
};
use keyway_wire::{Cid, Slot, StreamId, StreamKind, Time};
use rand_chacha::ChaCha20Rng;
use rand_core::SeedableRng;

/// Half of a round trip.
const DELAY: Duration = Duration::from_micros(50);

struct Ends {
    now: Time,
    sender: Association,
    receiver: Association,
    route_to_receiver: Route,
    route_to_sender: Route,
    batch: Batch,
    next_cid: u32,
}

fn node(seed: u64) -> NodeId {
    SecretKey::generate(&mut ChaCha20Rng::seed_from_u64(seed)).node_id()
}

fn association(local: u8, remote: u8) -> Association {
    let config = Arc::new(AssociationConfig::default());
    let parameters = config.parameters();
    Association::new(
        Time::ZERO,
        config,
        &MemoryBudget::new(1 << 30),
        node(u64::from(local)),
        node(u64::from(remote)),
        Incarnations {
            local: u64::from(local),
            remote: u64::from(remote),
        },
        Cid::new([0, local, 0, 0, 0, 0, 0]),
        Cid::new([0, remote, 0, 0, 0, 0, 0]),
        parameters,
        [local; 32],
    )
}

impl Ends {
    fn new() -> Self {
        let route = |host: u8| Route::Direct {
            remote: ([192, 0, 2, host], 4100).into(),
        };
        let (route_to_receiver, route_to_sender) = (route(2), route(1));
        let (mut sender, mut receiver) = (association(1, 2), association(2, 1));
        let session = |role| Session::dangerous_from_split(role, [0; 32], ([1; 32], [2; 32]));
        let (now, slot) = (Time::ZERO, Slot::ALL[0]);
        receiver.install(
            now,
            session(Role::Responder),
            1,
            slot,
            slot,
            &[route_to_sender],
        );
        sender.install(
            now,
            session(Role::Initiator),
            1,
            slot,
            slot,
            &[route_to_receiver],
        );
        let batch = Batch::new();
        Self {
            now,
            sender,
            receiver,
            route_to_receiver,
            route_to_sender,
            batch,
            next_cid: 1,
        }
    }

    /// Hands everything that one side sends to the other; whether there was anything.
    fn deliver(&mut self, from_sender: bool) -> bool {
        let (from, to, route) = if from_sender {
            (&mut self.sender, &mut self.receiver, self.route_to_sender)
        } else {
            (&mut self.receiver, &mut self.sender, self.route_to_receiver)
        };
        if from.poll_timeout().is_some_and(|at| at <= self.now) {
            from.handle_timeout(self.now);
        }
        let mut any = false;
        while let Some(transmit) = from.poll_transmit(self.now, &mut self.batch) {
            any = true;
            // The copy stands for the network's.
            let mut octets = self.batch.bytes().to_vec();
            for packet in octets.chunks_mut(transmit.segment_size) {
                to.handle_data(self.now, route, None, None, packet)
                    .expect("nothing is damaged");
            }
            to.batch_done(self.now);
        }
        any
    }

    fn react(&mut self) {
        for association in [&mut self.sender, &mut self.receiver] {
            while let Some(event) = association.poll_event() {
                if event == AssociationEvent::CidWanted {
                    let index = self.next_cid.to_be_bytes();
                    association
                        .issue_cid(Cid::new([0, 9, 9, index[0], index[1], index[2], index[3]]));
                    self.next_cid += 1;
                }
            }
        }
    }

    /// Moves so many octets over a stream that was opened before.
    fn transfer(&mut self, stream: StreamId, data: &[u8], octets: usize, out: &mut [u8]) {
        let (mut written, mut read) = (0, 0);
        while read < octets {
            while written < octets
                && let Ok(count) = self
                    .sender
                    .write(stream, &data[..data.len().min(octets - written)])
            {
                written += count;
            }
            let sent = self.deliver(true);
            while let Ok(count) = self.receiver.read(stream, out) {
                read += count;
            }
            self.now += DELAY;
            let answered = self.deliver(false);
            self.now += DELAY;
            self.react();
            if !sent && !answered {
                let timeouts = [self.sender.poll_timeout(), self.receiver.poll_timeout()];
                self.now = timeouts
                    .into_iter()
                    .flatten()
                    .min()
                    .map_or(self.now, |at| at.max(self.now));
            }
        }
    }
}

/// How many octets a second do two associations move through one core?
fn bulk(criterion: &mut Criterion) {
    const OCTETS: usize = 16 << 20;
    let mut ends = Ends::new();
    let service = "bulk".parse().expect("a service name");
    let stream = ends
        .sender
        .open(StreamKind::Bytes, &service)
        .expect("the first stream");
    let (data, mut out) = (vec![7; 1 << 18], vec![0; 1 << 18]);
    ends.transfer(stream, &data, OCTETS, &mut out);
    let mut group = criterion.benchmark_group("transport");
    group
        .throughput(Throughput::Bytes(OCTETS as u64))
        .sample_size(20);
    group.bench_function("bulk, both ends", |bencher| {
        bencher.iter(|| ends.transfer(stream, &data, OCTETS, black_box(&mut out)));
    });
    group.finish();
}

criterion_group!(benches, bulk);
criterion_main!(benches);
