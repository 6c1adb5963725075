use std::net::SocketAddr;
use std::time::Duration;

use super::*;
use crate::link::LinkConfig;
use crate::loss::Loss;
use crate::program::SendTo;
use crate::random::Chance;

/// Sends a number to its peer each time its alarm rings, and keeps what it received.
#[derive(Default)]
struct Counter {
    own: Option<SocketAddr>,
    peer: Option<SocketAddr>,
    alarm: Option<Time>,
    period: Duration,
    burst: u8,
    pending: Vec<Vec<u8>>,
    batches: Vec<(SocketAddr, usize, usize)>,
}

impl Program for Counter {
    fn receive(
        &mut self,
        _: Time,
        remote: SocketAddr,
        _: SocketAddr,
        datagrams: &mut [u8],
        stride: usize,
    ) {
        self.batches.push((remote, datagrams.len(), stride));
    }

    fn wake(&mut self, now: Time) {
        if self.alarm.is_some_and(|alarm| alarm <= now) {
            self.alarm = Some(now + self.period);
            self.pending
                .extend((0..self.burst).map(|number| vec![number; 100]));
        }
    }

    fn wake_at(&self, _: Time) -> Option<Time> {
        self.alarm
    }

    fn poll_send(&mut self, _: Time, send: &mut dyn FnMut(SendTo<'_>)) {
        if let (Some(source), Some(destination)) = (self.own, self.peer) {
            self.pending.drain(..).for_each(|payload| {
                send(SendTo {
                    source,
                    destination,
                    payload: &payload,
                })
            });
        }
    }
}

const ONE: [u8; 4] = [203, 0, 113, 1];
const TWO: [u8; 4] = [203, 0, 113, 2];

/// A host that sends bursts of three each 100 ms, and one that listens.
fn world(seed: u64) -> (World<Counter>, HostId, HostId) {
    let mut world = World::new(seed, Trace::new(false));
    let sender = Counter {
        own: Some((ONE, 1).into()),
        peer: Some((TWO, 2).into()),
        alarm: Some(Time::from_micros(5)),
        period: Duration::from_millis(100),
        burst: 3,
        ..Counter::default()
    };
    let one = world.add_public_host(ONE.into(), sender);
    let two = world.add_public_host(TWO.into(), Counter::default());
    (world, one, two)
}

#[test]
fn packets_of_one_moment_arrive_as_one_batch() {
    let (mut world, one, two) = world(1);
    world.run_for(Duration::from_millis(50)).unwrap();
    assert_eq!(world.program(two).batches, [((ONE, 1).into(), 300, 100); 1]);
    world.run_for(Duration::from_millis(200)).unwrap();
    assert_eq!(world.program(two).batches.len(), 3);
    assert_eq!(
        (world.counters(one).sent, world.counters(two).received),
        (9, 9)
    );
    assert_eq!(world.now(), Time::from_micros(250_000));
}

#[test]
fn a_run_ends_when_its_condition_holds() {
    let (mut world, _, two) = world(1);
    let arrived = world.run_until(Time::from_micros(1_000_000), |world| {
        world.counters(two).received > 0
    });
    assert_eq!(arrived, Ok(true));
    assert_eq!(world.now(), Time::from_micros(10_005));
}

#[test]
fn a_program_that_never_lets_time_pass_is_noticed() {
    let (mut world, one, _) = world(1);
    world.with(one, |program, _| program.period = Duration::ZERO);
    assert!(world.run_for(Duration::from_secs(1)).is_err());
}

#[test]
fn the_same_seed_gives_the_same_trace_and_another_seed_another_one() {
    let hash = |seed| {
        let (mut world, ..) = world(seed);
        let loss = Loss::Independent(Chance::percent(50));
        world.network().set_all_links(&LinkConfig {
            loss,
            ..LinkConfig::default()
        });
        world.run_for(Duration::from_secs(3)).unwrap();
        world.trace_hash()
    };
    assert_eq!(hash(1), hash(1));
    assert_ne!(hash(1), hash(2));
}

#[test]
fn an_injected_packet_reaches_its_host_at_once_and_answers_are_counted() {
    let (mut world, one, two) = world(1);
    let forged = |destination| Packet {
        source: (TWO, 2).into(),
        destination,
        payload: vec![1, 2],
    };
    assert_eq!(world.inject(forged((ONE, 1).into())), Some((one, 0)));
    assert_eq!(world.program(one).batches, [((TWO, 2).into(), 2, 2)]);
    assert_eq!(world.inject(forged(([9, 9, 9, 9], 1).into())), None);
    world.with(two, |program, _| program.own = Some((TWO, 2).into()));
    assert_eq!(world.counters(two).sent, 0);
}

#[test]
fn what_arrives_is_recorded_on_demand() {
    let (mut world, ..) = world(1);
    world.record();
    world.run_for(Duration::from_millis(50)).unwrap();
    let payloads: Vec<_> = world
        .recorded()
        .iter()
        .map(|packet| packet.payload[0])
        .collect();
    assert_eq!(payloads, [0, 1, 2]);
}

#[test]
fn what_a_link_damaged_is_not_recorded() {
    let (mut world, ..) = world(1);
    world.record();
    world.network().set_all_links(&LinkConfig {
        corrupt: Chance::percent(100),
        ..LinkConfig::default()
    });
    world.run_for(Duration::from_millis(50)).unwrap();
    assert_eq!(world.recorded(), []);
}
