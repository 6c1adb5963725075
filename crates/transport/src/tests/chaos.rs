//! Everything at once, drawn from a seed: links that fail and heal, addresses that change, handshakes from both sides,
//! forged copies, streams that come and go. Whatever happens, octets arrive as they were written, and once the network is
//! well again, all of them do.

use std::time::Duration;

use keyway_wire::StreamId;

use super::link::{Delivery, Faults, Link, Side};
use super::pair::Pair;
use super::{address, direct, seeds};
use crate::{AssociationEvent, Route};

const SECOND: Duration = Duration::from_secs(1);

/// A link on which the transfer lasts for most of the time.
fn slow(delay_ms: u64) -> Faults {
    Faults {
        rate: 50_000,
        queue: 50_000,
        ..Faults::bad(delay_ms)
    }
}

struct Chaos {
    pair: Pair,
    next_port: u16,
    /// Streams that one side gave up.
    abandoned: Vec<StreamId>,
    trace: Vec<String>,
}

impl Chaos {
    fn new(seed: u64) -> Self {
        let links = vec![
            Link::relayed(0, slow(30)),
            direct(slow(10)),
            Link::direct(address(11, 4100), address(12, 4200), slow(25)),
        ];
        let pair = Pair::new(seed, links);
        Self {
            pair,
            next_port: 5000,
            abandoned: Vec::new(),
            trace: Vec::new(),
        }
    }

    fn draw(&mut self, below: u64) -> u64 {
        self.pair.a.random() % below
    }

    fn side(&mut self) -> Side {
        if self.draw(2) == 0 { Side::A } else { Side::B }
    }

    fn link(&mut self) -> usize {
        usize::try_from(self.draw(3)).unwrap()
    }

    /// One thing happens.
    fn disturb(&mut self) {
        let (side, index, now) = (self.side(), self.link(), self.pair.now);
        let what = self.draw(17);
        self.trace
            .push(format!("{now:?} {what} {side:?} link {index}"));
        match what {
            0 => self.pair.network.links[index].cut(true),
            1 => self.pair.network.links[index].cut_from_a = true,
            2 => self.pair.network.links[index].cut_from_b = true,
            3 | 4 => self.pair.network.links[index].cut(false),
            5 => self.rebind(index, side),
            6 => self.pair.end(side).dial(now),
            7 => {
                let route = self.pair.network.links[index].route(side);
                self.pair.end(side).association.add_route(now, route);
            }
            8 => {
                let route = self.pair.network.links[index].route(side);
                self.pair.end(side).association.probe(now, route);
            }
            9 => {
                let route = self.pair.network.links[index].route(side);
                self.pair.end(side).association.remove_route(now, route);
            }
            10 => {
                let (loss, mtu) = (
                    self.draw(200),
                    [65_535, 1452, 1280, 1200][self.side() as usize * 2 + self.side() as usize],
                );
                let faults = Faults {
                    loss,
                    mtu,
                    ..slow(5 + self.draw(40))
                };
                self.pair.network.links[index].faults = faults;
            }
            11 => self.forge(side),
            12 => drop(self.pair.end(side).association.ping(now)),
            13 => self.black_out(),
            14 => self.replay(),
            _ => self.abandon(side),
        }
        self.update_routes();
    }

    /// One side's address on a direct link changes.
    fn rebind(&mut self, index: usize, side: Side) {
        self.next_port += 1;
        let port = self.next_port;
        let link = &mut self.pair.network.links[index];
        let route = match side {
            Side::A => &mut link.at_b,
            Side::B => &mut link.at_a,
        };
        if let Route::Direct { remote } = route {
            remote.set_port(port);
        }
    }

    /// A copy of a packet that is under way arrives first, from elsewhere.
    fn forge(&mut self, side: Side) {
        if let Some((_, latest)) = self.pair.network.latest_to(side) {
            let route = Route::Direct {
                remote: address(66, 6),
            };
            let soon = self.pair.now + Duration::from_micros(1);
            self.pair
                .network
                .deliver(soon, Delivery { route, ..latest });
        }
    }

    /// Nothing passes for so long that the keys grow too old.
    fn black_out(&mut self) {
        if self.draw(4) > 0 {
            return;
        }
        let cuts: Vec<_> = self
            .pair
            .network
            .links
            .iter()
            .map(|link| (link.cut_from_a, link.cut_from_b))
            .collect();
        self.pair
            .network
            .links
            .iter_mut()
            .for_each(|link| link.cut(true));
        self.pair.run_for(200 * SECOND);
        for (link, (from_a, from_b)) in self.pair.network.links.iter_mut().zip(cuts) {
            (link.cut_from_a, link.cut_from_b) = (from_a, from_b);
        }
    }

    /// What has arrived since the last time arrives again, some of it from elsewhere.
    fn replay(&mut self) {
        let recorded = self
            .pair
            .network
            .recording
            .replace(Vec::new())
            .unwrap_or_default();
        for (index, delivery) in (0..).zip(recorded.into_iter().rev().take(100)) {
            let route = match index % 3 {
                0 => Route::Direct {
                    remote: address(66, 6),
                },
                _ => delivery.route,
            };
            let at = self.pair.now + Duration::from_micros(1 + index);
            self.pair
                .network
                .deliver(at, Delivery { route, ..delivery });
        }
    }

    /// A stream is opened and given up half way, by its writer or by its reader.
    fn abandon(&mut self, side: Side) {
        let id = self.pair.end(side).send_stream(300_000);
        self.pair.run_for(Duration::from_millis(40));
        if self.draw(2) == 0 {
            self.pair.end(side).give_up(id);
            self.pair.end(side).association.reset(id, 70_000);
        } else {
            self.pair.end(side.other()).association.stop(id, 70_000);
        }
        self.abandoned.push(id);
    }

    /// Handshakes are tried wherever the peer may be.
    fn update_routes(&mut self) {
        for side in [Side::A, Side::B] {
            let routes = self
                .pair
                .network
                .links
                .iter()
                .map(|link| link.route(side))
                .collect();
            self.pair.end(side).routes = routes;
        }
    }

    fn heal(&mut self) {
        self.trace.push(format!("{:?} healed", self.pair.now));
        for index in 0..self.pair.network.links.len() {
            let link = &mut self.pair.network.links[index];
            link.cut(false);
            link.faults = Faults::none(20);
            for side in [Side::A, Side::B] {
                let (now, route) = (self.pair.now, self.pair.network.links[index].route(side));
                self.pair.end(side).association.add_route(now, route);
            }
        }
    }
}

#[test]
fn whatever_happens_octets_arrive_once_the_network_is_well_again() {
    let (seeds, mut finished_early) = (seeds(25), 0);
    let count = seeds.total();
    for seed in seeds {
        let mut chaos = Chaos::new(seed);
        // An answer to a handshake that nobody confirms ends by itself.
        chaos
            .pair
            .run_until(10 * SECOND, |pair| pair.b.association.is_confirmed());
        let octets = 1_500_000;
        let streams = chaos.pair.start_transfer(octets);
        for _ in 0..40 {
            let pause = Duration::from_micros(chaos.draw(1_500_000) * chaos.draw(3));
            chaos.pair.run_for(pause);
            chaos.disturb();
            for end in [&chaos.pair.a, &chaos.pair.b] {
                assert_eq!(end.ended(), None, "{}", chaos.trace.join("\n"));
            }
        }
        let early = chaos.pair.has_arrived(streams.0, streams.1, octets);
        finished_early += u64::from(early);
        chaos.heal();
        let done = chaos.pair.run_until(90 * SECOND, |pair| {
            pair.has_arrived(streams.0, streams.1, octets)
        });
        let Chaos {
            mut pair, trace, ..
        } = chaos;
        assert!(
            done,
            "seed {seed}: {}\n{}",
            trace.join("\n"),
            pair.describe()
        );
        pair.run_for(30 * SECOND);
        assert!(
            pair.a.association.is_drained() && pair.b.association.is_drained(),
            "seed {seed}"
        );
        for end in [&pair.a, &pair.b] {
            assert_eq!(end.ended(), None, "seed {seed}: {}", trace.join("\n"));
            assert!(
                end.selected().is_some_and(|route| route.is_direct()),
                "seed {seed}: {}",
                trace.join("\n")
            );
            // It may be where the first packet of a session came from, but nobody ever answered there.
            let forged = Route::Direct {
                remote: address(66, 6),
            };
            let validated =
                |event: &AssociationEvent| *event == AssociationEvent::RouteValidated(forged);
            assert_eq!(end.count(validated), 0, "{}", trace.join("\n"));
        }
        assert!(pair.a.association.kept() < 100 && pair.b.association.kept() < 100);
    }
    assert!(
        finished_early * 4 <= count,
        "{finished_early} were not disturbed to the end"
    );
}
