//! The world: hosts with their programs, the network between them, and the only clock.

use std::net::IpAddr;
use std::time::Duration;

use keyway_wire::Time;

use crate::failure::Failure;
use crate::network::{Arrival, HostId, Network, Packet, Place, SiteId};
use crate::program::{Counters, Program, SendTo, Way};
use crate::queue::EventQueue;
use crate::random::Random;
use crate::sightings::Sighting;
use crate::trace::Trace;

/// How many datagrams of one sender a socket hands over at once if they come at the same time: what a GRO buffer holds.
const BATCH_MAX: usize = 45;

/// How often a host may be woken at one and the same time. An honest program does all that is due at the first.
const WAKES_MAX: u32 = 16;

/// Hosts, network and clock. Everything that happens in it follows from its seed and from what its user does at which time.
#[derive(Debug)]
pub struct World<P> {
    now: Time,
    queue: EventQueue<Flight>,
    network: Network,
    hosts: Vec<Host<P>>,
    random: Random,
    trace: Trace,
    recorded: Option<Vec<Packet>>,
}

#[derive(Debug)]
struct Host<P> {
    program: P,
    counters: Counters,
    /// What this host alone has sent, and when.
    sent: Trace,
    /// How often it was woken at the present time.
    wakes_now: u32,
}

/// A packet that is going to come out at a place.
#[derive(Debug)]
struct Flight {
    place: Place,
    packet: Packet,
}

impl<P: Program> World<P> {
    /// An empty world at time zero.
    #[must_use]
    pub fn new(seed: u64, trace: Trace) -> Self {
        let mut random = Random::new(seed);
        let network = Network::new(random.fork());
        Self {
            now: Time::ZERO,
            queue: EventQueue::default(),
            network,
            hosts: Vec::new(),
            random,
            trace,
            recorded: None,
        }
    }

    /// What time it is.
    #[must_use]
    pub fn now(&self) -> Time {
        self.now
    }

    /// The sites and links.
    pub fn network(&mut self) -> &mut Network {
        &mut self.network
    }

    /// Chance, for whoever sets the world up.
    pub fn random(&mut self) -> &mut Random {
        &mut self.random
    }

    /// One number for everything that happened so far.
    #[must_use]
    pub fn trace_hash(&self) -> u64 {
        self.trace.hash()
    }

    /// Adds a host that everybody can reach.
    pub fn add_public_host(&mut self, address: IpAddr, program: P) -> HostId {
        let host = self.network.add_public_host(address);
        self.start(host, program)
    }

    /// Adds a NAT, with nobody behind it yet. It forgets a mapping after `timeout` without use.
    pub fn add_nat(&mut self, public: IpAddr, timeout: Duration) -> SiteId {
        self.network.add_nat(public, timeout)
    }

    /// Adds a host behind a NAT.
    pub fn add_host_behind(&mut self, nat: SiteId, address: IpAddr, program: P) -> HostId {
        let host = self.network.add_host(nat, address);
        self.start(host, program)
    }

    fn start(&mut self, host: HostId, program: P) -> HostId {
        self.hosts.push(Host {
            program,
            counters: Counters::default(),
            sent: Trace::new(false),
            wakes_now: 0,
        });
        host
    }

    /// What runs on a host.
    ///
    /// # Panics
    /// If the host is of another world; so do all methods that take one.
    #[must_use]
    pub fn program(&self, host: HostId) -> &P {
        &self.hosts[host.0].program
    }

    /// Lets the user act through a host's program at the present time, then sends what came of it.
    pub fn with<T>(&mut self, host: HostId, act: impl FnOnce(&mut P, Time) -> T) -> T {
        let result = act(&mut self.hosts[host.0].program, self.now);
        self.flush(host);
        result
    }

    /// What a host has done so far.
    #[must_use]
    pub fn counters(&self, host: HostId) -> &Counters {
        &self.hosts[host.0].counters
    }

    /// One number for everything that a host has sent so far, and when.
    #[must_use]
    pub fn sent_hash(&self, host: HostId) -> u64 {
        self.hosts[host.0].sent.hash()
    }

    /// Begins to keep a copy of every packet that arrives at a site.
    pub fn record(&mut self) {
        self.recorded = Some(Vec::new());
    }

    /// The packets recorded so far, with the addresses that they bore between the sites.
    #[must_use]
    pub fn recorded(&self) -> &[Packet] {
        self.recorded.as_deref().unwrap_or_default()
    }

    /// Lets a packet come out of nowhere, at once, as somebody can make it who writes any source that he likes. Gives how many
    /// datagrams its receiver sent because of it; nothing if a NAT kept it out or nobody is at that address.
    pub fn inject(&mut self, mut packet: Packet) -> Option<u64> {
        let site = self.network.site_at(packet.destination.ip())?;
        let host = self
            .network
            .deliver(self.now, Place::Site(site), &mut packet)?;
        let before = self.hosts[host.0].counters.sent;
        let length = packet.payload.len();
        self.hosts[host.0].program.receive(
            self.now,
            packet.source,
            packet.destination,
            &mut packet.payload,
            length,
        );
        self.flush(host);
        Some(self.hosts[host.0].counters.sent - before)
    }

    /// Lets everything happen up to `deadline`, or until `done` says so; whether it did.
    ///
    /// # Errors
    /// If a host asks to be woken again and again without letting time pass.
    pub fn run_until(
        &mut self,
        deadline: Time,
        mut done: impl FnMut(&Self) -> bool,
    ) -> Result<bool, Failure> {
        loop {
            if done(self) {
                return Ok(true);
            }
            let Some(next) = self.next_time().filter(|next| *next <= deadline) else {
                self.set_now(deadline);
                return Ok(false);
            };
            self.set_now(next);
            match self.queue.pop_due(self.now) {
                Some(flight) => self.arrive(flight),
                None => self.wake_due()?,
            }
        }
    }

    /// Lets everything happen for so long.
    ///
    /// # Errors
    /// As [`World::run_until`].
    pub fn run_for(&mut self, duration: Duration) -> Result<(), Failure> {
        self.run_until(self.now + duration, |_| false).map(|_| ())
    }

    fn next_time(&self) -> Option<Time> {
        let wakes = self
            .hosts
            .iter()
            .filter_map(|host| host.program.wake_at(self.now));
        wakes.chain(self.queue.next_time()).min()
    }

    /// Time only passes forwards: what was due earlier is due now.
    fn set_now(&mut self, time: Time) {
        if time > self.now {
            self.now = time;
            self.hosts.iter_mut().for_each(|host| host.wakes_now = 0);
        }
    }

    fn wake_due(&mut self) -> Result<(), Failure> {
        for index in 0..self.hosts.len() {
            let host = &mut self.hosts[index];
            if host
                .program
                .wake_at(self.now)
                .is_none_or(|time| time > self.now)
            {
                continue;
            }
            host.wakes_now += 1;
            host.counters.wakes += 1;
            if host.wakes_now > WAKES_MAX {
                return Err(Failure::new(
                    self.now,
                    format!("host {index} wants to be woken again and again"),
                ));
            }
            host.program.wake(self.now);
            self.flush(HostId(index));
        }
        Ok(())
    }

    /// Delivers a packet together with those that came with it, as a socket with receive offload does.
    fn arrive(&mut self, flight: Flight) {
        let Flight { place, packet } = flight;
        self.note_arrival(&packet);
        let (source, destination, stride) =
            (packet.source, packet.destination, packet.payload.len());
        let mut first = packet;
        let host = self.network.deliver(self.now, place, &mut first);
        let mut buffer = std::mem::take(&mut first.payload);
        let mut count = 1;
        let mut last = stride;
        while count < BATCH_MAX && last == stride {
            let with_it = |next: &Flight| {
                let same_way = next.place == place
                    && next.packet.source == source
                    && next.packet.destination == destination;
                same_way && (1..=stride).contains(&next.packet.payload.len())
            };
            let Some(next) = self.queue.pop_due_if(self.now, with_it) else {
                break;
            };
            self.note_arrival(&next.packet);
            last = next.packet.payload.len();
            buffer.extend_from_slice(&next.packet.payload);
            count += 1;
        }
        let Some(host) = host else {
            return;
        };
        let Host {
            program, counters, ..
        } = &mut self.hosts[host.0];
        counters.received += count as u64;
        program.receive(
            self.now,
            first.source,
            first.destination,
            &mut buffer,
            stride,
        );
        self.flush(host);
    }

    fn note_arrival(&mut self, packet: &Packet) {
        let Packet {
            source,
            destination,
            payload,
        } = packet;
        self.trace.note(self.now, &[1], payload, || {
            format!(
                "{source} => {destination} {} octets {}",
                payload.len(),
                Sighting::of(payload)
            )
        });
        if let Some(recorded) = &mut self.recorded {
            recorded.push(packet.clone());
        }
    }

    fn flush(&mut self, host: HostId) {
        let Self {
            now,
            queue,
            network,
            hosts,
            trace,
            ..
        } = self;
        let Host {
            program,
            counters,
            sent,
            ..
        } = &mut hosts[host.0];
        program.poll_send(*now, &mut |SendTo {
                                          source,
                                          destination,
                                          payload,
                                      }| {
            counters.sent += 1;
            let Sighting { kind, relayed } = Sighting::of(payload);
            counters
                .sightings
                .entry(Way {
                    destination,
                    relayed,
                })
                .or_default()
                .note(kind);
            sent.note(*now, &[], payload, || "");
            let packet = Packet {
                source,
                destination,
                payload: payload.to_vec(),
            };
            let passage = network.send(
                *now,
                host,
                packet,
                |Arrival {
                     time,
                     place,
                     packet,
                 }| {
                    queue.add(time, Flight { place, packet });
                },
            );
            trace.note(*now, &[2, host.0 as u64], payload, || {
                format!(
                    "host {} -> {destination} {} octets {} {passage:?}",
                    host.0,
                    payload.len(),
                    Sighting::of(payload)
                )
            });
        });
    }
}

#[cfg(test)]
mod tests {
    use std::net::SocketAddr;

    use super::*;
    use crate::link::LinkConfig;
    use crate::loss::Loss;
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
        assert_eq!(world.inject(forged((ONE, 1).into())), Some(0));
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
}
