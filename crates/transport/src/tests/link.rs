//! What lies between the two ends: links with faults, and the packets under way on them.

use std::collections::{BTreeMap, BTreeSet};
use std::net::SocketAddr;
use std::time::Duration;

use keyway_wire::{Cid, DataHeader, RELAY_HEADER_LEN, Time, Token};
use rand_chacha::ChaCha20Rng;
use rand_core::{Rng, SeedableRng};

use crate::{Batch, Channel, Route, Transmit};

/// One of the two ends.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub(super) enum Side {
    A,
    B,
}

impl Side {
    pub(super) fn other(self) -> Self {
        match self {
            Self::A => Self::B,
            Self::B => Self::A,
        }
    }
}

/// What a link does to packets; the same in both directions.
#[derive(Clone, Copy, Debug)]
pub(super) struct Faults {
    pub(super) delay: Duration,
    /// Per mille of the packets.
    pub(super) loss: u64,
    pub(super) reorder: u64,
    pub(super) duplicate: u64,
    pub(super) corrupt: u64,
    /// Octets of UDP payload that pass.
    pub(super) mtu: usize,
    /// Octets a second, and octets that may queue; unlimited if zero.
    pub(super) rate: u64,
    pub(super) queue: u64,
}

impl Faults {
    pub(super) fn none(delay_ms: u64) -> Self {
        let delay = Duration::from_millis(delay_ms);
        Self {
            delay,
            loss: 0,
            reorder: 0,
            duplicate: 0,
            corrupt: 0,
            mtu: 1452,
            rate: 0,
            queue: 0,
        }
    }

    /// T1: 5 % loss, 3 % reorder, 2 % duplication, 1 % corruption.
    pub(super) fn bad(delay_ms: u64) -> Self {
        Self {
            loss: 50,
            reorder: 30,
            duplicate: 20,
            corrupt: 10,
            ..Self::none(delay_ms)
        }
    }
}

/// A way between the ends: each knows it by another route.
#[derive(Clone, Debug)]
pub(super) struct Link {
    /// What A calls it: B's address, or A's end of a channel.
    pub(super) at_a: Route,
    /// What B calls it.
    pub(super) at_b: Route,
    pub(super) faults: Faults,
    /// Nothing passes from A, from B.
    pub(super) cut_from_a: bool,
    pub(super) cut_from_b: bool,
    /// When the sending queue of each direction is empty.
    free_at: [Time; 2],
}

impl Link {
    pub(super) fn direct(
        address_of_a: SocketAddr,
        address_of_b: SocketAddr,
        faults: Faults,
    ) -> Self {
        let (at_a, at_b) = (
            Route::Direct {
                remote: address_of_b,
            },
            Route::Direct {
                remote: address_of_a,
            },
        );
        Self {
            at_a,
            at_b,
            faults,
            cut_from_a: false,
            cut_from_b: false,
            free_at: [Time::ZERO; 2],
        }
    }

    pub(super) fn relayed(server: u32, faults: Faults) -> Self {
        let octet = u8::try_from(server % 100).unwrap_or_default();
        let channel = |mark| Route::Relay {
            channel: Channel {
                server,
                token: Token::new([octet, mark, 3, 4, 5, 6, 7, 8]),
            },
        };
        let (at_a, at_b) = (channel(1), channel(2));
        Self {
            at_a,
            at_b,
            faults,
            cut_from_a: false,
            cut_from_b: false,
            free_at: [Time::ZERO; 2],
        }
    }

    pub(super) fn cut(&mut self, cut: bool) {
        self.cut_from_a = cut;
        self.cut_from_b = cut;
    }

    pub(super) fn route(&self, side: Side) -> Route {
        match side {
            Side::A => self.at_a,
            Side::B => self.at_b,
        }
    }

    fn is_cut(&self, from: Side) -> bool {
        match from {
            Side::A => self.cut_from_a,
            Side::B => self.cut_from_b,
        }
    }
}

/// A packet that arrives, without a relay header.
#[derive(Clone, Debug)]
pub(super) struct Delivery {
    pub(super) to: Side,
    pub(super) route: Route,
    pub(super) packet: Vec<u8>,
}

/// All links, and what is under way.
pub(super) struct Network {
    pub(super) links: Vec<Link>,
    under_way: BTreeMap<(Time, u64), Delivery>,
    sequence: u64,
    random: ChaCha20Rng,
    /// Packets and octets of UDP payload sent by each side, whether they arrive or not.
    pub(super) sent: [Traffic; 2],
    by_route: BTreeMap<(Side, Route), u64>,
    /// Packet numbers that each side has used under each id: none may come twice, or a nonce would.
    used: BTreeSet<(Side, Cid, u64)>,
    /// Copies of everything that arrives, while somebody records.
    pub(super) recording: Option<Vec<Delivery>>,
}

#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub(super) struct Traffic {
    pub(super) batches: u64,
    pub(super) packets: u64,
    pub(super) octets: u64,
    pub(super) largest: usize,
    /// Octets to routes that are no link.
    pub(super) astray: u64,
}

impl Network {
    pub(super) fn new(seed: u64, links: Vec<Link>) -> Self {
        let random = ChaCha20Rng::seed_from_u64(seed);
        Self {
            links,
            under_way: BTreeMap::new(),
            sequence: 0,
            random,
            sent: Default::default(),
            by_route: BTreeMap::new(),
            used: BTreeSet::new(),
            recording: None,
        }
    }

    pub(super) fn traffic(&self, side: Side) -> Traffic {
        self.sent[side as usize]
    }

    /// Octets that a side sent to a route.
    pub(super) fn traffic_to(&self, side: Side, route: Route) -> u64 {
        self.by_route
            .get(&(side, route))
            .copied()
            .unwrap_or_default()
    }

    /// When the next packet arrives.
    pub(super) fn next(&self) -> Option<Time> {
        self.under_way.keys().next().map(|(time, _)| *time)
    }

    /// What arrives now, in order.
    pub(super) fn arrivals(&mut self, now: Time) -> Vec<Delivery> {
        let mut arrived = Vec::new();
        while let Some(entry) = self.under_way.first_entry()
            && entry.key().0 <= now
        {
            let delivery = entry.remove();
            // What queues before a cut is cut off as well.
            let link = self
                .links
                .iter()
                .find(|link| link.route(delivery.to) == delivery.route);
            if link.is_none_or(|link| !link.is_cut(delivery.to.other())) {
                arrived.push(delivery);
            }
        }
        if let Some(recording) = &mut self.recording {
            recording.extend(arrived.iter().cloned());
        }
        arrived
    }

    /// The packet to `side` that arrives last, and when.
    pub(super) fn latest_to(&self, side: Side) -> Option<(Time, Delivery)> {
        let latest = self
            .under_way
            .iter()
            .rev()
            .find(|(_, delivery)| delivery.to == side);
        latest.map(|((at, _), delivery)| (*at, delivery.clone()))
    }

    /// Takes that packet out.
    pub(super) fn take_latest_to(&mut self, side: Side) -> Option<(Time, Delivery)> {
        let latest = self
            .under_way
            .iter()
            .rev()
            .find(|(_, delivery)| delivery.to == side);
        let key = latest.map(|(key, _)| *key)?;
        self.under_way
            .remove(&key)
            .map(|delivery| (key.0, delivery))
    }

    /// Sends what is in a batch, and checks that it is well formed.
    pub(super) fn transmit(&mut self, now: Time, from: Side, transmit: Transmit, batch: &Batch) {
        assert_eq!(batch.bytes().len(), transmit.len);
        assert!(transmit.segment_size > 0 && transmit.segment_size <= transmit.len);
        self.sent[from as usize].batches += 1;
        for segment in batch.bytes().chunks(transmit.segment_size) {
            self.send(now, from, transmit.route, segment);
        }
    }

    /// Sends one packet as it goes over the wire.
    pub(super) fn send(&mut self, now: Time, from: Side, route: Route, packet: &[u8]) {
        let traffic = &mut self.sent[from as usize];
        traffic.packets += 1;
        traffic.octets += packet.len() as u64;
        traffic.largest = traffic.largest.max(packet.len());
        *self.by_route.entry((from, route)).or_default() += packet.len() as u64;
        let Some(index) = self.links.iter().position(|link| link.route(from) == route) else {
            traffic.astray += packet.len() as u64;
            return;
        };
        let inner = match route {
            Route::Direct { .. } => packet,
            Route::Relay { channel } => {
                assert_eq!(
                    (packet[0], &packet[1..9]),
                    (5, channel.token.as_bytes().as_slice())
                );
                &packet[RELAY_HEADER_LEN..]
            }
        };
        if let Ok(header) = DataHeader::parse(inner) {
            assert!(
                self.used.insert((from, header.cid, header.number)),
                "{from:?} used {header:?} twice"
            );
        }
        let faults = self.links[index].faults;
        if self.links[index].is_cut(from) || packet.len() > faults.mtu || self.chance(faults.loss) {
            return;
        }
        let Some(queued) = self.queue(now, from, index, packet.len()) else {
            return;
        };
        let copies = 1 + u64::from(self.chance(faults.duplicate));
        for _ in 0..copies {
            let mut inner = inner.to_vec();
            if self.chance(faults.corrupt) {
                let bit = self.random.next_u64() % (inner.len() as u64 * 8);
                inner[(bit / 8) as usize] ^= 1 << (bit % 8);
            }
            let late = if self.chance(faults.reorder) {
                self.random.next_u64() % 5_000
            } else {
                0
            };
            let at = queued + faults.delay + Duration::from_micros(late);
            self.deliver(
                at,
                Delivery {
                    to: from.other(),
                    route: self.links[index].route(from.other()),
                    packet: inner,
                },
            );
        }
    }

    /// Has a packet arrive at a time, wherever it comes from.
    pub(super) fn deliver(&mut self, at: Time, delivery: Delivery) {
        self.sequence += 1;
        self.under_way.insert((at, self.sequence), delivery);
    }

    fn chance(&mut self, per_mille: u64) -> bool {
        per_mille > 0 && self.random.next_u64() % 1000 < per_mille
    }

    /// When the packet leaves the queue of a slow link; `None` if that is full.
    fn queue(&mut self, now: Time, from: Side, index: usize, octets: usize) -> Option<Time> {
        let link = &mut self.links[index];
        if link.faults.rate == 0 {
            return Some(now);
        }
        let free_at = &mut link.free_at[from as usize];
        let waiting = free_at.saturating_since(now).as_secs_f64() * link.faults.rate as f64;
        if waiting > link.faults.queue as f64 {
            return None;
        }
        *free_at =
            (*free_at).max(now) + Duration::from_secs_f64(octets as f64 / link.faults.rate as f64);
        Some(*free_at)
    }
}
