//! Two associations with one stream from the one to the other, and the network between them, where nothing takes time but the way.

use std::sync::Arc;
use std::time::Duration;

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

/// After that, no acknowledgement is held back any more.
const PAUSE: Duration = Duration::from_millis(30);

/// Longer than anything that is measured takes in virtual time: there is no handshake here that would give new keys.
const FOREVER: Duration = Duration::from_secs(1 << 30);

/// What moves before anything is measured: windows are open and packets have their size after that.
const WARM_UP: usize = 1 << 20;

/// Two associations that have a path to each other.
pub(super) struct Ends {
    now: Time,
    sender: End,
    receiver: End,
    stream: StreamId,
    batch: Batch,
    /// What the application writes.
    data: Vec<u8>,
    /// What it reads into.
    out: Vec<u8>,
    next_cid: u32,
}

/// What leaves in one system call.
pub(super) struct Train {
    octets: Vec<u8>,
    segment: usize,
}

impl Train {
    pub(super) fn packets(&mut self) -> impl DoubleEndedIterator<Item = &mut [u8]> {
        self.octets.chunks_mut(self.segment)
    }
}

impl Ends {
    /// A pair that has moved something already.
    pub(super) fn warm() -> Self {
        let (mut sender, mut receiver) = (End::new(1, 2), End::new(2, 1));
        receiver.install(Role::Responder, sender.route);
        sender.install(Role::Initiator, receiver.route);
        let service = "bulk".parse().expect("a service name");
        let stream = sender
            .association
            .open(StreamKind::Bytes, &service)
            .expect("the first stream");
        let mut ends = Self {
            now: Time::ZERO,
            sender,
            receiver,
            stream,
            batch: Batch::new(),
            data: vec![7; 1 << 18],
            out: vec![0; 1 << 18],
            next_cid: 1,
        };
        ends.transfer(WARM_UP);
        ends
    }

    /// Moves so many octets over the stream.
    pub(super) fn transfer(&mut self, octets: usize) {
        let (mut written, mut read) = (0, 0);
        while read < octets {
            written += self.write(octets - written);
            let (moved, count) = self.round();
            read += count;
            if !moved {
                let timeouts =
                    [&self.sender, &self.receiver].map(|end| end.association.poll_timeout());
                let next = timeouts.into_iter().flatten().min();
                self.now = next.map_or(self.now, |at| at.max(self.now));
            }
        }
    }

    /// Brings everything to its end that is under way.
    pub(super) fn settle(&mut self) {
        while self.round().0 {}
        self.now += PAUSE;
        while self.round().0 {}
    }

    /// Writes up to so many octets, and tells how many there was room for.
    pub(super) fn write(&mut self, octets: usize) -> usize {
        let mut written = 0;
        while written < octets {
            let data = &self.data[..self.data.len().min(octets - written)];
            match self.sender.association.write(self.stream, data) {
                Ok(count) => written += count,
                Err(_) => break,
            }
        }
        written
    }

    /// The packets that carry so many octets, after everything else has come to its end.
    pub(super) fn flight(&mut self, octets: usize) -> Train {
        self.settle();
        assert_eq!(self.write(octets), octets, "there is room");
        let mut trains = self.depart();
        assert_eq!(trains.len(), 1, "a flight is one batch");
        trains.remove(0)
    }

    /// Everything that the sender has to send.
    pub(super) fn depart(&mut self) -> Vec<Train> {
        self.sender.depart(self.now, &mut self.batch)
    }

    /// Hands packets to the receiver.
    pub(super) fn arrive<'a>(&mut self, packets: impl Iterator<Item = &'a mut [u8]>) {
        self.receiver.arrive(self.now, self.sender.route, packets);
    }

    /// Everything that the receiver has to send.
    pub(super) fn answer(&mut self) -> Vec<Train> {
        self.now += DELAY;
        let answer = self.receiver.depart(self.now, &mut self.batch);
        self.now += DELAY;
        assert!(!answer.is_empty(), "a flight is acknowledged");
        answer
    }

    /// Hands that to the sender.
    pub(super) fn take_answer(&mut self, answer: Vec<Train>) {
        for mut train in answer {
            self.sender
                .arrive(self.now, self.receiver.route, train.packets());
        }
    }

    /// One round trip: whether anything was sent, and how many octets the application has read.
    fn round(&mut self) -> (bool, usize) {
        let departed = self.depart();
        let mut moved = !departed.is_empty();
        for mut train in departed {
            self.arrive(train.packets());
        }
        let read = self.read();
        self.now += DELAY;
        let answer = self.receiver.depart(self.now, &mut self.batch);
        moved |= !answer.is_empty();
        self.take_answer(answer);
        self.now += DELAY;
        self.react();
        (moved, read)
    }

    fn read(&mut self) -> usize {
        let mut read = 0;
        while let Ok(count) = self.receiver.association.read(self.stream, &mut self.out) {
            read += count;
        }
        read
    }

    fn react(&mut self) {
        for end in [&mut self.sender, &mut self.receiver] {
            while let Some(event) = end.association.poll_event() {
                if event == AssociationEvent::CidWanted {
                    let index = self.next_cid.to_be_bytes();
                    let cid = Cid::new([0, 9, 9, index[0], index[1], index[2], index[3]]);
                    end.association.issue_cid(cid);
                    self.next_cid += 1;
                }
            }
        }
    }
}

/// One of the two.
struct End {
    association: Association,
    /// Where its packets come from.
    route: Route,
}

impl End {
    fn new(local: u8, remote: u8) -> Self {
        let config = Arc::new(config());
        let parameters = config.parameters();
        let association = Association::new(
            Time::ZERO,
            config,
            &MemoryBudget::new(1 << 30),
            node(local),
            node(remote),
            Incarnations {
                local: u64::from(local),
                remote: u64::from(remote),
            },
            Cid::new([0, local, 0, 0, 0, 0, 0]),
            Cid::new([0, remote, 0, 0, 0, 0, 0]),
            parameters,
            [local; 32],
        );
        let route = Route::Direct {
            remote: ([192, 0, 2, local], 4100).into(),
        };
        Self { association, route }
    }

    fn install(&mut self, role: Role, other: Route) {
        let session = Session::dangerous_from_split(role, [0; 32], ([1; 32], [2; 32]));
        let slot = Slot::ALL[0];
        self.association
            .install(Time::ZERO, session, 1, slot, slot, &[other]);
    }

    fn depart(&mut self, now: Time, batch: &mut Batch) -> Vec<Train> {
        if self.association.poll_timeout().is_some_and(|at| at <= now) {
            self.association.handle_timeout(now);
        }
        let mut trains = Vec::new();
        while let Some(transmit) = self.association.poll_transmit(now, batch) {
            trains.push(Train {
                octets: batch.bytes().to_vec(),
                segment: transmit.segment_size,
            });
        }
        trains
    }

    fn arrive<'a>(&mut self, now: Time, from: Route, packets: impl Iterator<Item = &'a mut [u8]>) {
        for packet in packets {
            self.association
                .handle_data(now, from, None, None, packet)
                .expect("nothing is damaged");
        }
        self.association.batch_done(now);
    }
}

fn config() -> AssociationConfig {
    AssociationConfig {
        udp_payload_max: 1_452,
        rekey_after: FOREVER,
        rekey_after_as_responder: FOREVER,
        session_lifetime: FOREVER,
        ..AssociationConfig::default()
    }
}

fn node(seed: u8) -> NodeId {
    SecretKey::generate(&mut ChaCha20Rng::seed_from_u64(seed.into())).node_id()
}
