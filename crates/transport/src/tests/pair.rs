//! Two ends, the links between them, and virtual time that jumps from one event to the next.

use std::sync::Arc;
use std::time::Duration;

use keyway_wire::{Slot, StreamId, Time};

use super::end::{End, identity, shake};
use super::link::{Link, Network, Side};
use crate::{AssociationConfig, AssociationEvent, Batch, Route};

/// Calls of `poll_transmit` at one point in time before it counts as endless: a window of 64 MiB in the smallest batches.
const TRANSMITS_MAX: usize = 100_000;

pub(super) struct Pair {
    pub(super) now: Time,
    pub(super) a: End,
    pub(super) b: End,
    pub(super) network: Network,
    batch: Batch,
    /// Wake-ups because of timers.
    pub(super) wakeups: u64,
}

impl Pair {
    /// Two ends with a session on the first link, of which A was the initiator; nothing has been sent under it yet.
    pub(super) fn new(seed: u64, links: Vec<Link>) -> Self {
        Self::with_config(seed, links, AssociationConfig::default())
    }

    pub(super) fn with_config(seed: u64, links: Vec<Link>, config: AssociationConfig) -> Self {
        let mut pair = Self::without_session(seed, links, config);
        let route = pair.network.links[0].at_b;
        pair.shake(seed, &[route]);
        pair
    }

    /// Gives both ends a session, for which B has answered on `routes`.
    pub(super) fn shake(&mut self, seed: u64, routes: &[Route]) {
        let (slot_a, slot_b) = (Slot::ALL[0], Slot::ALL[1]);
        let (a, b) = (&mut self.a, &mut self.b);
        let (ours, theirs) = shake(&a.identity, &b.identity, (slot_a, slot_b), &a.config, seed);
        let route = self.network.links[0].at_a;
        b.association
            .install(self.now, theirs, 1, slot_b, slot_a, routes);
        a.association
            .install(self.now, ours, 1, slot_a, slot_b, &[route]);
    }

    pub(super) fn without_session(seed: u64, links: Vec<Link>, config: AssociationConfig) -> Self {
        let config = Arc::new(config);
        let end = |mark: u8, other: u8| {
            let (local, remote) = (
                identity(seed ^ u64::from(mark)),
                identity(seed ^ u64::from(other)),
            );
            End::new(&config, local, &remote, mark, other, seed)
        };
        let (mut a, mut b) = (end(0xaa, 0xbb), end(0xbb, 0xaa));
        a.routes = links.iter().map(|link| link.at_a).collect();
        b.routes = links.iter().map(|link| link.at_b).collect();
        let network = Network::new(seed, links);
        Self {
            now: Time::from_micros(1_000_000),
            a,
            b,
            network,
            batch: Batch::new(),
            wakeups: 0,
        }
    }

    pub(super) fn end(&mut self, side: Side) -> &mut End {
        match side {
            Side::A => &mut self.a,
            Side::B => &mut self.b,
        }
    }

    /// Runs until `done`, at most for `limit`; whether it came to that.
    pub(super) fn run_until(
        &mut self,
        limit: Duration,
        mut done: impl FnMut(&mut Self) -> bool,
    ) -> bool {
        let deadline = self.now + limit;
        loop {
            self.settle();
            if done(self) {
                return true;
            }
            // Looking may have asked for something.
            self.settle();
            let Some(next) = self.next_event().filter(|next| *next <= deadline) else {
                self.now = deadline;
                self.settle();
                return done(self);
            };
            assert!(next > self.now, "time stands still at {:?}", self.now);
            self.now = next;
            self.deliver();
            for side in [Side::A, Side::B] {
                let now = self.now;
                let association = &mut self.end(side).association;
                if association.poll_timeout().is_some_and(|at| at <= now) {
                    association.handle_timeout(now);
                    self.wakeups += 1;
                }
            }
        }
    }

    pub(super) fn run_for(&mut self, time: Duration) {
        self.run_until(time, |_| false);
    }

    /// Streams of that many octets both ways, to their end, on both sides; returns how long it took.
    pub(super) fn transfer(&mut self, octets: u64, limit: Duration) -> Duration {
        let start = self.now;
        let (from_a, from_b) = self.start_transfer(octets);
        let done = self.run_until(limit, |pair| pair.has_arrived(from_a, from_b, octets));
        assert!(done, "{octets} octets did not arrive: {}", self.describe());
        self.now.saturating_since(start)
    }

    pub(super) fn start_transfer(&mut self, octets: u64) -> (StreamId, StreamId) {
        let now = self.now;
        self.a.restart_stall_clock(now);
        self.b.restart_stall_clock(now);
        let from_a = self.a.send_stream(octets);
        let from_b = self.b.send_stream(octets);
        (from_a, from_b)
    }

    pub(super) fn has_arrived(&self, from_a: StreamId, from_b: StreamId, octets: u64) -> bool {
        let arrived = |end: &End, id| {
            end.sinks
                .get(&id)
                .is_some_and(|sink| sink.finished && sink.read == octets)
        };
        arrived(&self.b, from_a) && arrived(&self.a, from_b)
    }

    pub(super) fn describe(&self) -> String {
        let end = |end: &End| {
            format!(
                "{:?} sinks {:?} events {:?}\n  timeout {:?} errors {:?}",
                end.association,
                end.sinks,
                end.events,
                end.association.poll_timeout(),
                end.errors.len(),
            )
        };
        format!(
            "at {:?}\nA: {}\nB: {}",
            self.now,
            end(&self.a),
            end(&self.b)
        )
    }

    /// Lets both ends send, and react to what they are told, until neither has anything to do at this time.
    pub(super) fn settle(&mut self) {
        for _ in 0..100 {
            let mut busy = false;
            for side in [Side::A, Side::B] {
                busy |= self.settle_end(side);
            }
            if !busy {
                return;
            }
        }
        panic!("neither end comes to rest: {}", self.describe());
    }

    fn settle_end(&mut self, side: Side) -> bool {
        let now = self.now;
        let mut busy = self.end(side).react(now);
        for (route, packet) in self.end(side).dial_packets(now) {
            self.send_whole(side, route, &packet);
        }
        let mut batch = std::mem::take(&mut self.batch);
        for count in 0.. {
            assert!(
                count < TRANSMITS_MAX,
                "sends without end: {}",
                self.describe()
            );
            let association = &mut self.end(side).association;
            let promised = association.poll_timeout().is_some_and(|at| at <= now);
            let Some(transmit) = association.poll_transmit(now, &mut batch) else {
                break;
            };
            // Only probes for larger packets are sent in passing.
            let is_mtu_probe = transmit.len == transmit.segment_size && transmit.len > 1200;
            assert!(
                promised || is_mtu_probe,
                "sent without notice: {transmit:?} {}",
                self.describe()
            );
            self.network.transmit(now, side, transmit, &batch);
            busy = true;
        }
        self.batch = batch;
        busy |= self.end(side).react(now);
        let association = &mut self.end(side).association;
        if association.poll_timeout().is_some_and(|at| at <= now) {
            association.handle_timeout(now);
            return true;
        }
        busy
    }

    /// Sends a packet that is no data, with a relay header where the route wants one.
    fn send_whole(&mut self, side: Side, route: Route, packet: &[u8]) {
        let mut whole = Vec::new();
        if let Route::Relay { channel } = route {
            whole.push(5);
            whole.extend_from_slice(channel.token.as_bytes());
        }
        whole.extend_from_slice(packet);
        self.network.send(self.now, side, route, &whole);
    }

    fn deliver(&mut self) {
        let now = self.now;
        for mut delivery in self.network.arrivals(now) {
            let answers = self
                .end(delivery.to)
                .receive(now, delivery.route, &mut delivery.packet);
            for (route, packet) in answers {
                self.send_whole(delivery.to, route, &packet);
            }
        }
        self.a.association.batch_done(now);
        self.b.association.batch_done(now);
    }

    fn next_event(&self) -> Option<Time> {
        let ends = [&self.a, &self.b];
        let timers = ends
            .iter()
            .flat_map(|end| [end.association.poll_timeout(), end.next_dial()]);
        timers.flatten().chain(self.network.next()).min()
    }
}

/// Whether an event says that another path carries data.
pub(super) fn is_selected(event: &AssociationEvent) -> bool {
    matches!(event, AssociationEvent::Selected { .. })
}
