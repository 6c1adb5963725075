//! Whoever has no key: sends again what went by, and changes it. Nobody may answer, and no timer may move.

use std::net::SocketAddr;

use keyway_wire::Time;

use super::actor::Actor;
use crate::forger::{Forger, Stage as Copies, is_for_relay};
use crate::network::{HostId, Packet};
use crate::program::Program;
use crate::random::Random;
use crate::sightings::{Kind, Sighting};
use crate::world::World;

pub(super) struct Attacker {
    forger: Forger,
    random: Random,
}

/// What can be seen of a host from outside, without waiting for what it does next.
#[derive(Debug, PartialEq, Eq)]
struct Look {
    wake_at: Option<Time>,
    heard: u64,
}

impl Attacker {
    pub(super) fn new(seed: u64) -> Self {
        Self {
            forger: Forger::new(seed),
            random: Random::new(seed.rotate_left(32)),
        }
    }

    /// Sends packets that went by before. A copy may be the first to arrive, if the packet itself was lost or came too early to
    /// be understood; so each is sent twice, and the second copy is the one that may not have any effect.
    // P1
    pub(super) fn replay(&mut self, world: &mut World<Actor>, count: u64) -> Result<(), String> {
        for _ in 0..count {
            let Some(packet) = self.forger.choose(world.recorded()).cloned() else {
                return Ok(());
            };
            let Sighting { kind, relayed } = Sighting::of(&packet.payload);
            let mut again = packet.clone();
            if self.random.below(4) == 0 {
                again.source.set_port(again.source.port() ^ 1);
            }
            if world.inject(packet).is_none() {
                continue;
            }
            // An INIT whose handshake is not over may come over several routes, and is answered there a few times.
            let answers = u64::from(kind == Kind::Init || relayed);
            strike(world, again, answers, "a packet that came before")?;
        }
        Ok(())
    }

    /// Sends packets that are like those that went by, and are not authentic.
    // P4, P5
    pub(super) fn forge(
        &mut self,
        world: &mut World<Actor>,
        addresses: &[SocketAddr],
        count: u64,
    ) -> Result<(), String> {
        for _ in 0..count {
            let seen = world.recorded();
            let Some(forged) = self.forger.forge(seen, seen, addresses, Copies::Handshake) else {
                return Ok(());
            };
            let relay = forged.destination.ip();
            let answers = u64::from(is_for_relay(&forged, seen, relay));
            strike(world, forged, answers, "a forged packet")?;
        }
        Ok(())
    }
}

/// Sends a packet that may be answered so often. If it may not be answered at all, nothing else may come of it either.
fn strike(
    world: &mut World<Actor>,
    packet: Packet,
    answers_max: u64,
    what: &str,
) -> Result<(), String> {
    let sighting = Sighting::of(&packet.payload);
    let (source, destination) = (packet.source, packet.destination);
    let hosts: Vec<HostId> = world.hosts().collect();
    let before: Vec<Look> = hosts.iter().map(|host| look(world, *host)).collect();
    let Some((host, answers)) = world.inject(packet) else {
        return Ok(());
    };
    let shown = format!("{what} ({sighting} from {source} to {destination})");
    if answers > answers_max {
        return Err(format!("{shown} was answered with {answers} packets"));
    }
    let after = look(world, host);
    let place = hosts.iter().position(|known| *known == host);
    let before = place.map(|place| &before[place]);
    if answers_max == 0 && before.is_some_and(|before| *before != after) {
        return Err(format!("{shown} changed something: {before:?}, {after:?}"));
    }
    Ok(())
}

fn look(world: &World<Actor>, host: HostId) -> Look {
    let actor = world.program(host);
    Look {
        wake_at: actor.wake_at(world.now()),
        heard: actor.heard(),
    }
}
