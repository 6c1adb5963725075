//! How time passes: packets arrive, clocks strike, and what comes of it is sent.

use std::time::Duration;

use keyway_wire::Time;

use super::{Flight, Host, World};
use crate::failure::Failure;
use crate::network::{Arrival, HostId, Landing, Packet, Place};
use crate::program::{Program, SendTo, Way};
use crate::sightings::{Kind, Sighting};

/// How many datagrams of one sender a socket hands over at once if they come at the same time: what a GRO buffer holds.
const BATCH_MAX: usize = 45;

/// How often a host may be woken at one and the same time. An honest program does all that is due at the first.
const WAKES_MAX: u32 = 16;

impl<P: Program> World<P> {
    /// Lets everything happen up to `deadline`, or until `done` says so; whether it did.
    ///
    /// # Errors
    /// If a host asks to be woken again and again without letting time pass, or something is seen on a wire that must not be.
    pub fn run_until(
        &mut self,
        deadline: Time,
        mut done: impl FnMut(&Self) -> bool,
    ) -> Result<bool, Failure> {
        loop {
            self.wire.check()?;
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
        let wakes = self.hosts.iter().filter_map(|host| host.wake_at(self.now));
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
            if host.wake_at(self.now).is_none_or(|time| time > self.now) {
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
        let queue = &mut self.queue;
        let landing = self.network.land(self.now, place, packet.clone(), |next| {
            let Arrival {
                time,
                place,
                packet,
            } = next;
            queue.add(time, Flight { place, packet });
        });
        let Landing::Host(host, mut first) = landing else {
            return;
        };
        self.run_ahead(host, place, &packet);
        let mut buffer = std::mem::take(&mut first.payload);
        let stride = buffer.len();
        let count = 1 + self.gather(place, &packet, &mut buffer);
        if self.hosts[host.0].is_asleep {
            return;
        }
        first.payload = buffer;
        self.hosts[host.0].counters.received += count;
        self.hand_over(host, &mut first, stride);
    }

    /// Appends the packets of the same way and length that come at the same time; the last one may be shorter.
    fn gather(&mut self, place: Place, first: &Packet, buffer: &mut Vec<u8>) -> u64 {
        let stride = first.payload.len();
        let (mut count, mut last) = (1, stride);
        while count < BATCH_MAX && last == stride {
            let with_it = |next: &Flight| {
                let same_way = next.place == place
                    && next.packet.source == first.source
                    && next.packet.destination == first.destination;
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
        count as u64 - 1
    }

    /// If somebody overtakes packets on the way to this host, a copy comes before the packet does.
    fn run_ahead(&mut self, host: HostId, place: Place, packet: &Packet) {
        let Some(overtaking) = self.overtaking.as_mut() else {
            return;
        };
        if overtaking.host != host || !matches!(place, Place::Site(_)) {
            return;
        }
        let (source, is_spoilt) = (overtaking.source, overtaking.is_spoilt);
        overtaking.left = overtaking.left.saturating_sub(1);
        if overtaking.left == 0 {
            self.overtaking = None;
        }
        let mut copy = Packet {
            source,
            ..packet.clone()
        };
        let sighting = Sighting::of(&copy.payload);
        // A relay cannot tell.
        if is_spoilt && !sighting.relayed {
            spoil(&mut copy.payload, sighting.kind);
        }
        // What is due at this very moment goes out with whatever comes first.
        let has_dues = self.hosts[host.0]
            .wake_at(self.now)
            .is_some_and(|time| time <= self.now);
        let answers = self.inject(copy).map_or(0, |(_, answers)| answers);
        if is_spoilt && !sighting.relayed && !has_dues && answers > 0 {
            let what = format!("a spoilt {sighting} was answered with {answers} packets");
            self.wire.fail(self.now, what);
        }
    }

    /// Gives datagrams to a host, whatever way they came, and sends what comes of it.
    pub(super) fn hand_over(&mut self, host: HostId, datagrams: &mut Packet, stride: usize) {
        let Packet {
            source,
            destination,
            payload,
        } = datagrams;
        let is_known = self.network.is_anybodys(source.ip());
        for datagram in payload.chunks(stride.max(1)) {
            self.wire
                .received(self.now, host, (*source, is_known), datagram);
        }
        let program = &mut self.hosts[host.0].program;
        program.receive(self.now, *source, *destination, payload, stride);
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
        if let Some(recording) = &mut self.recording {
            recording.arrived(packet);
        }
    }

    pub(super) fn flush(&mut self, host: HostId) {
        let Self {
            now,
            queue,
            network,
            hosts,
            trace,
            wire,
            recording,
            ..
        } = self;
        let Host {
            program,
            counters,
            sent,
            ..
        } = &mut hosts[host.0];
        let is_relay = program.is_relay();
        program.poll_send(*now, &mut |SendTo {
                                          source,
                                          destination,
                                          payload,
                                      }| {
            counters.sent += 1;
            let sighting @ Sighting { kind, relayed } = Sighting::of(payload);
            let way = Way {
                destination,
                relayed,
            };
            counters.sightings.entry(way).or_default().note(kind);
            sent.note(*now, &[], payload, || "");
            let is_known = network.is_anybodys(destination.ip());
            let passed_on = relayed && is_relay;
            wire.sent(*now, host, (destination, is_known), payload, passed_on);
            if let Some(recording) = recording.as_mut().filter(|_| !passed_on) {
                recording.made(payload);
            }
            let packet = Packet {
                source,
                destination,
                payload: payload.to_vec(),
            };
            let passage = network.send(*now, host, packet, |arrival: Arrival| {
                let Arrival {
                    time,
                    place,
                    packet,
                } = arrival;
                queue.add(time, Flight { place, packet });
            });
            trace.note(*now, &[2, host.0 as u64], payload, || {
                let length = payload.len();
                format!(
                    "host {} -> {destination} {length} octets {sighting} {passage:?}",
                    host.0
                )
            });
        });
    }
}

impl<P: Program> Host<P> {
    /// When it is to be woken. It hears no clock while it sleeps.
    fn wake_at(&self, now: Time) -> Option<Time> {
        if self.is_asleep {
            None
        } else {
            self.program.wake_at(now)
        }
    }
}

/// Flips an octet of what shows that a packet is authentic: of the tag at its end, or of `mac1`, which is followed by `mac2`.
/// All of its bits: a link flips three at most, and must not be undone.
fn spoil(packet: &mut [u8], kind: Kind) {
    const MAC: usize = 16;
    let from_end = match kind {
        Kind::Init | Kind::Resp => MAC + 1,
        Kind::Data { .. } | Kind::Other => 1,
    };
    let place = packet.len().saturating_sub(from_end);
    if let Some(octet) = packet.get_mut(place) {
        *octet ^= 0xff;
    }
}
