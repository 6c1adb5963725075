//! A path with a bottleneck, in virtual time: senders that always have data, one link with a rate, a queue and faults, and
//! receivers that acknowledge as the transport does. Shows what the rules amount to together.

use std::cmp::Reverse;
use std::collections::BinaryHeap;
use std::ops::{Range, RangeInclusive};
use std::time::Duration;

use keyway_wire::Time;
use rand_chacha::ChaCha8Rng;
use rand_core::{Rng, SeedableRng};

use super::testing::{MAX_ACK_DELAY, ack_bytes, parse_ack};
use super::{AckOutcome, INITIAL_RTT, Recovery, SentPacket};

/// One direction has the bottleneck; ACKs come back without a queue.
struct Link {
    /// Octets a second.
    rate: f64,
    /// Octets that wait at most; more are dropped.
    queue: f64,
    /// Propagation, each way.
    one_way: Duration,
    /// Packets of a thousand that are lost at random.
    loss_per_mille: u32,
    /// Nothing passes, neither way.
    black_out: Range<Time>,
    /// From this time on, no packet larger than that many octets passes.
    shrinks: Option<(Time, u32)>,
    /// Packets that find more octets waiting are marked, if the ends speak ECN.
    marks_above: Option<f64>,
    /// Seconds, since packets take less than a microsecond on fast links.
    busy_until: f64,
    dropped: u64,
}

impl Link {
    fn new(megabits: f64, rtt_ms: u64, queue_in_bdp: f64) -> Self {
        let rate = megabits * 125_000.0;
        let rtt = Duration::from_millis(rtt_ms);
        Self {
            rate,
            queue: rate * rtt.as_secs_f64() * queue_in_bdp,
            one_way: rtt / 2,
            loss_per_mille: 0,
            black_out: Time::ZERO..Time::ZERO,
            shrinks: None,
            marks_above: None,
            busy_until: 0.0,
            dropped: 0,
        }
    }

    /// When a packet arrives at the other end, if it does, and whether it was marked.
    fn carry(&mut self, now: Time, size: u32, random: &mut ChaCha8Rng) -> Option<(Time, bool)> {
        let start = now
            .saturating_since(Time::ZERO)
            .as_secs_f64()
            .max(self.busy_until);
        let backlog = (start - now.saturating_since(Time::ZERO).as_secs_f64()) * self.rate;
        let too_large = self
            .shrinks
            .is_some_and(|(from, max)| now >= from && size > max);
        let unlucky = random.next_u32() % 1_000 < self.loss_per_mille;
        if backlog > self.queue || too_large || unlucky || self.black_out.contains(&now) {
            self.dropped += 1;
            return None;
        }
        self.busy_until = start + f64::from(size) / self.rate;
        let arrives = Time::ZERO + Duration::from_secs_f64(self.busy_until) + self.one_way;
        Some((
            arrives,
            self.marks_above.is_some_and(|above| backlog > above),
        ))
    }
}

/// Acknowledges every 32 packets, at once on a gap, and otherwise after 25 ms or a quarter of the round trip.
struct Receiver {
    /// Ascending; only the highest few are named.
    ranges: Vec<RangeInclusive<u64>>,
    pending: u32,
    marked: u64,
    largest_at: Time,
    delay: Duration,
    ack_at: Option<Time>,
}

impl Receiver {
    fn new(rtt: Duration) -> Self {
        let delay = MAX_ACK_DELAY.min(rtt / 4);
        Self {
            ranges: Vec::new(),
            pending: 0,
            marked: 0,
            largest_at: Time::ZERO,
            delay,
            ack_at: None,
        }
    }

    /// Takes a packet; the link does not reorder. Returns whether an ACK is due at once.
    fn receive(&mut self, now: Time, number: u64, marked: bool) -> bool {
        self.marked += u64::from(marked);
        let in_order = self
            .ranges
            .last()
            .is_some_and(|range| *range.end() + 1 == number);
        match self.ranges.last_mut() {
            Some(range) if in_order => *range = *range.start()..=number,
            _ => self.ranges.push(number..=number),
        }
        if self.ranges.len() > 32 {
            self.ranges.remove(0);
        }
        self.largest_at = now;
        self.pending += 1;
        self.ack_at.get_or_insert(now + self.delay);
        !in_order || self.pending >= 32
    }

    fn ack(&mut self, now: Time) -> Vec<u8> {
        self.pending = 0;
        self.ack_at = None;
        let descending: Vec<_> = self.ranges.iter().rev().cloned().collect();
        ack_bytes(&descending, now.saturating_since(self.largest_at))
    }
}

struct Flow {
    recovery: Recovery<()>,
    out: AckOutcome<()>,
    receiver: Receiver,
    starts: Time,
    /// Arrivals: when, and how many octets.
    arrived: Vec<(Time, u32)>,
}

impl Flow {
    /// Megabits a second that arrived within a span of seconds.
    fn goodput(&self, seconds: Range<u64>) -> f64 {
        let span = Time::from_micros(seconds.start * 1_000_000)
            ..Time::from_micros(seconds.end * 1_000_000);
        let inside = self.arrived.iter().filter(|(at, _)| span.contains(at));
        let octets: u64 = inside.map(|(_, size)| u64::from(*size)).sum();
        octets as f64 * 8.0 / 1e6 / (seconds.end - seconds.start) as f64
    }
}

enum Event {
    Arrives {
        number: u64,
        size: u32,
        marked: bool,
    },
    AckDue,
    AckArrives {
        bytes: Vec<u8>,
        marked: u64,
    },
    Wake,
}

/// Events in order of time, and of their making where times are equal.
struct Entry(Time, u64, usize, Event);

impl PartialEq for Entry {
    fn eq(&self, other: &Self) -> bool {
        self.cmp(other).is_eq()
    }
}

impl Eq for Entry {}

impl PartialOrd for Entry {
    fn partial_cmp(&self, other: &Self) -> Option<std::cmp::Ordering> {
        Some(self.cmp(other))
    }
}

impl Ord for Entry {
    fn cmp(&self, other: &Self) -> std::cmp::Ordering {
        (self.0, self.1).cmp(&(other.0, other.1))
    }
}

struct World {
    now: Time,
    link: Link,
    flows: Vec<Flow>,
    random: ChaCha8Rng,
    events: BinaryHeap<Reverse<Entry>>,
    made: u64,
}

impl World {
    /// Flows that start at the given milliseconds.
    fn new(link: Link, starts_ms: &[u64], max_udp_payload: u32, seed: u64) -> Self {
        let rtt = link.one_way * 2;
        let flow = |ms: &u64| {
            let starts = Time::from_micros(*ms * 1_000);
            Flow {
                recovery: Recovery::new(starts, INITIAL_RTT, MAX_ACK_DELAY, max_udp_payload),
                out: AckOutcome::default(),
                receiver: Receiver::new(rtt),
                starts,
                arrived: Vec::new(),
            }
        };
        Self {
            now: Time::ZERO,
            link,
            flows: starts_ms.iter().map(flow).collect(),
            random: ChaCha8Rng::seed_from_u64(seed),
            events: BinaryHeap::new(),
            made: 0,
        }
    }

    fn run(mut self, seconds: u64) -> Self {
        for index in 0..self.flows.len() {
            self.at(self.flows[index].starts, index, Event::Wake);
        }
        let end = Time::from_micros(seconds * 1_000_000);
        while let Some(Reverse(Entry(at, _, index, event))) = self.events.pop() {
            if at > end {
                break;
            }
            self.now = at;
            self.handle(index, event);
        }
        self
    }

    fn at(&mut self, at: Time, index: usize, event: Event) {
        self.made += 1;
        self.events
            .push(Reverse(Entry(at, self.made, index, event)));
    }

    fn handle(&mut self, index: usize, event: Event) {
        let flow = &mut self.flows[index];
        match event {
            Event::Arrives {
                number,
                size,
                marked,
            } => {
                flow.arrived.push((self.now, size));
                if flow.receiver.receive(self.now, number, marked) {
                    self.send_ack(index);
                } else if let Some(due) = flow.receiver.ack_at {
                    self.at(due, index, Event::AckDue);
                }
            }
            Event::AckDue if flow.receiver.ack_at.is_some_and(|due| due <= self.now) => {
                self.send_ack(index)
            }
            Event::AckDue => {}
            Event::AckArrives { bytes, marked } => {
                flow.recovery
                    .on_ack(self.now, &parse_ack(&bytes), true, &mut flow.out)
                    .expect("an honest peer");
                flow.recovery.on_ecn_ce(marked);
                self.send(index);
            }
            Event::Wake => {
                flow.recovery.on_timeout(self.now, &mut flow.out);
                self.send(index);
            }
        }
    }

    fn send_ack(&mut self, index: usize) {
        let receiver = &mut self.flows[index].receiver;
        let (bytes, marked) = (receiver.ack(self.now), receiver.marked);
        if !self.link.black_out.contains(&self.now) {
            self.at(
                self.now + self.link.one_way,
                index,
                Event::AckArrives { bytes, marked },
            );
        }
    }

    /// Sends what is allowed, as the transport does: a probe for the packet size first, then full packets.
    fn send(&mut self, index: usize) {
        self.flows[index].out.acked.clear();
        self.flows[index].out.lost.clear();
        if let Some(size) = self.flows[index].recovery.mtu_probe(self.now) {
            self.send_packet(index, size, true);
        }
        loop {
            let recovery = &mut self.flows[index].recovery;
            let packet = recovery.mtu();
            let allowance = recovery.send_allowance(self.now);
            let count = allowance / usize::try_from(packet).unwrap();
            if count == 0 {
                break;
            }
            for _ in 0..count {
                self.send_packet(index, packet, false);
            }
        }
        let recovery = &self.flows[index].recovery;
        let wake = [recovery.timeout(), recovery.pacing_deadline()]
            .into_iter()
            .flatten()
            .min();
        self.at(
            wake.expect("there is always data in flight"),
            index,
            Event::Wake,
        );
    }

    fn send_packet(&mut self, index: usize, size: u32, mtu_probe: bool) {
        let recovery = &mut self.flows[index].recovery;
        let number = recovery.next_number(&mut self.random);
        let packet = SentPacket {
            number,
            sent_at: self.now,
            size,
            ack_eliciting: true,
            in_flight: true,
            mtu_probe,
            tag: 0,
            frames: (),
        };
        recovery.on_sent(self.now, packet);
        assert!(recovery.window() >= 2 * u64::from(recovery.mtu()));
        if let Some((at, marked)) = self.link.carry(self.now, size, &mut self.random) {
            self.at(
                at,
                index,
                Event::Arrives {
                    number,
                    size,
                    marked,
                },
            );
        }
    }
}

/// Seconds after the start.
fn at(seconds: u64) -> Time {
    Time::from_micros(seconds * 1_000_000)
}

#[test]
fn one_flow_fills_a_fast_path() {
    let world = World::new(Link::new(100.0, 50, 1.0), &[0], 1_452, 1).run(8);
    let (early, later) = (world.flows[0].goodput(1..3), world.flows[0].goodput(3..8));
    assert!(early >= 80.0, "{early} of 100 Mbit/s in seconds 1 to 3");
    assert!(later >= 90.0, "{later} of 100 Mbit/s after that");
}

#[test]
fn one_flow_fills_a_slow_path() {
    let world = World::new(Link::new(1.0, 100, 2.0), &[0], 1_452, 1).run(20);
    let goodput = world.flows[0].goodput(1..20);
    assert!(goodput >= 0.95, "{goodput} of 1 Mbit/s");
}

#[test]
fn a_shallow_queue_is_not_overflowed_by_bursts() {
    // Room for nine packets, a tenth of the bandwidth-delay product. Bursts of ten with each acknowledgement leave a tenth.
    let world = World::new(Link::new(20.0, 50, 0.1), &[0], 1_452, 1).run(30);
    let goodput = world.flows[0].goodput(5..30);
    assert!(goodput >= 0.6 * 20.0, "{goodput} of 20 Mbit/s");
}

#[test]
fn two_flows_share_a_path() {
    for seed in 0..2 {
        let world = World::new(Link::new(20.0, 20, 1.0), &[0, 2_000], 1_452, seed).run(40);
        let [first, second] = [0, 1].map(|index| world.flows[index].goodput(10..40));
        let share = first / (first + second);
        assert!(
            (0.4..=0.6).contains(&share),
            "seed {seed}: {first} and {second} Mbit/s"
        );
        assert!(
            first + second >= 0.9 * 20.0,
            "seed {seed}: {first} and {second} Mbit/s"
        );
    }
}

#[test]
fn one_loss_in_a_hundred_leaves_what_reno_would_have() {
    // RFC 9438, 5.2 and figure 5: 1.2 packets per root of the loss rate and round trip. The round trip is 50 ms, and half of
    // the 12.5 ms for which the receiver may wait.
    let expected = 1.2 * 1_452.0 * 8.0 / 0.01_f64.sqrt() / 0.056_25 / 1e6;
    let seeds = 0..4;
    let goodputs = seeds.map(|seed| {
        let link = Link {
            loss_per_mille: 10,
            ..Link::new(100.0, 50, 1.0)
        };
        World::new(link, &[0], 1_452, seed).run(60).flows[0].goodput(5..60)
    });
    let goodputs: Vec<f64> = goodputs.collect();
    let mean = goodputs.iter().sum::<f64>() / 4.0;
    assert!(
        mean >= 0.9 * expected,
        "{goodputs:?} Mbit/s, where {expected} is due"
    );
}

#[test]
fn a_flow_is_back_two_seconds_after_a_black_out_at_the_latest() {
    for end in [8, 10, 15] {
        let link = Link {
            black_out: at(5)..at(end),
            ..Link::new(10.0, 50, 1.0)
        };
        let world = World::new(link, &[0], 1_452, 1).run(end + 10);
        let flow = &world.flows[0];
        let (back, _) = flow
            .arrived
            .iter()
            .find(|(time, _)| *time > at(end))
            .expect("it comes back");
        let waited = back.saturating_since(at(end));
        assert!(
            waited <= Duration::from_millis(2_050),
            "{waited:?} after {} s of silence",
            end - 5
        );
        let goodput = flow.goodput(end + 3..end + 10);
        assert!(goodput >= 0.9 * 10.0, "{goodput} of 10 Mbit/s");
    }
}

#[test]
fn a_path_that_loses_large_packets_from_one_moment_on_recovers() {
    let link = Link {
        shrinks: Some((at(5), 1_280)),
        ..Link::new(10.0, 50, 1.0)
    };
    let world = World::new(link, &[0], 1_452, 1).run(20);
    assert_eq!(world.flows[0].recovery.mtu(), 1_200);
    let goodput = world.flows[0].goodput(10..20);
    assert!(
        goodput >= 0.9 * 10.0,
        "{goodput} of 10 Mbit/s, five seconds later"
    );
}

#[test]
fn marks_keep_the_queue_from_overflowing() {
    let link = Link::new(20.0, 50, 1.0);
    let link = Link {
        marks_above: Some(link.queue / 4.0),
        ..link
    };
    let world = World::new(link, &[0], 1_452, 1).run(20);
    let goodput = world.flows[0].goodput(3..20);
    assert!(goodput >= 0.9 * 20.0, "{goodput} of 20 Mbit/s");
    assert_eq!(world.link.dropped, 0);
}
