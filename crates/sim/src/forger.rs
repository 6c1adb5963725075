//! Somebody who sees every packet and can send any, from any address, but has no key.

use std::net::{IpAddr, SocketAddr};

use crate::network::Packet;
use crate::random::Random;
use crate::sightings::{Kind, Sighting, below_relay};

/// Octets at the front of a packet that mean something to whoever has no key: they are flipped more often than others.
const HEADER: usize = 32;

/// The last octets of a handshake packet: `mac2`, which nobody looks at as long as there is no load.
const MAC2: usize = 16;

/// Which forgeries are made of a packet.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Stage {
    /// It may belong to a handshake that is pending: an exact copy of a handshake packet is as good as the original, and is answered as that was.
    Handshake,
    /// It is old: a copy is a replay.
    Established,
}

/// Makes forgeries out of what it has seen.
#[derive(Debug)]
pub struct Forger {
    random: Random,
    /// Where it is at home.
    own: SocketAddr,
}

impl Forger {
    /// A forger whose ideas follow from a seed.
    #[must_use]
    pub fn new(seed: u64) -> Self {
        Self {
            random: Random::new(!seed),
            own: SocketAddr::from(([203, 0, 113, 66], 666)),
        }
    }

    /// A forgery, made of one of `models`; nothing if there is none. It is like nothing in `seen`, unless the stage allows copies.
    /// Goes to where its model went, or to one of `others`.
    pub fn forge(
        &mut self,
        models: &[Packet],
        seen: &[Packet],
        others: &[SocketAddr],
        stage: Stage,
    ) -> Option<Packet> {
        let mut packet = self.choose(models)?.clone();
        self.damage(&mut packet, seen, stage);
        if self.random.below(4) == 0 {
            packet.source = self.own;
        } else if self.random.below(4) == 0 {
            packet.source.set_port(packet.source.port() ^ 1);
        }
        if self.random.below(4) == 0 {
            packet.destination = others[self.random.index(others.len())];
        }
        Some(packet)
    }

    /// A packet of a kind drawn first, so that rare kinds have their turn.
    pub(crate) fn choose<'a>(&mut self, seen: &'a [Packet]) -> Option<&'a Packet> {
        let turn = self.random.below(5);
        let wanted = |packet: &&Packet| {
            let Sighting { kind, relayed } = Sighting::of(&packet.payload);
            match turn {
                0 => kind == Kind::Init,
                1 => kind == Kind::Resp,
                2 => matches!(kind, Kind::Data { .. }) && !relayed,
                3 => relayed,
                _ => true,
            }
        };
        let count = seen.iter().filter(wanted).count();
        seen.iter().filter(wanted).nth(self.random.index(count))
    }

    fn damage(&mut self, packet: &mut Packet, seen: &[Packet], stage: Stage) {
        let payload = &mut packet.payload;
        let handshake = matches!(Sighting::of(payload).kind, Kind::Init | Kind::Resp);
        let spared = if handshake { MAC2 } else { 0 };
        match self.random.below(6) {
            0 => payload.truncate(self.random.index(payload.len())),
            1 => {
                let extra = self.random.index(31);
                payload.extend_from_slice(&self.random.bytes()[..1 + extra]);
            }
            2 => {
                // The front of one packet with the rest of another.
                let other = &seen[self.random.index(seen.len())].payload;
                let seam = self
                    .random
                    .index(payload.len().min(other.len()).saturating_sub(spared));
                let front = payload[..seam].to_vec();
                *payload = [&front, &other[seam..]].concat();
                // What somebody made is no forgery, whichever way it comes.
                let made = |packet: &Packet| below_relay(&packet.payload) == below_relay(payload);
                if seen.iter().any(made) {
                    self.flip(payload, spared);
                }
            }
            3 if stage == Stage::Established => {}
            _ => self.flip(payload, spared),
        }
    }

    /// Flips one bit, but not in the last `spared` octets.
    fn flip(&mut self, payload: &mut [u8], spared: usize) {
        let length = payload.len().saturating_sub(spared);
        let reach = if self.random.below(2) == 0 {
            length
        } else {
            length.min(HEADER)
        };
        let index = self.random.index(reach);
        if let Some(octet) = payload.get_mut(index) {
            *octet ^= 1 << self.random.below(8);
        }
    }
}

/// Whether a relay may pass this on to the other end of a channel, as it comes from the channel's own address and bears its
/// token: the relay has no key for what is inside, and the other end will know.
#[must_use]
pub(crate) fn is_for_relay(packet: &Packet, seen: &[Packet], relay: IpAddr) -> bool {
    const TOKEN: std::ops::Range<usize> = 1..9;
    let token = |packet: &Packet| packet.payload.get(TOKEN).map(<[u8]>::to_vec);
    packet.payload.first() == Some(&5)
        && packet.destination.ip() == relay
        && seen.iter().any(|known| {
            known.payload.first() == Some(&5)
                && known.destination == packet.destination
                && known.source == packet.source
                && token(known) == token(packet)
        })
}

#[cfg(test)]
mod tests {
    use std::collections::BTreeSet;

    use super::*;

    fn seen() -> Vec<Packet> {
        let packet = |first: &[u8], length: usize| {
            let mut payload = vec![0x55; length];
            payload[..first.len()].copy_from_slice(first);
            Packet {
                source: ([192, 0, 2, 1], 1).into(),
                destination: ([192, 0, 2, 2], 2).into(),
                payload,
            }
        };
        let mut seen = vec![
            packet(&[4, 1], 1120),
            packet(&[4, 2], 300),
            packet(&[5, 9, 9, 9, 9, 9, 9, 9, 9, 8], 100),
        ];
        seen.extend((0..100).map(|_| packet(&[8], 1200)));
        seen
    }

    #[test]
    fn while_hands_are_shaken_nothing_is_sent_as_it_was() {
        let (seen, mut forger) = (seen(), Forger::new(1));
        for _ in 0..5_000 {
            let forged = forger
                .forge(&seen, &seen, &[seen[0].source], Stage::Handshake)
                .unwrap();
            assert!(seen.iter().all(|packet| packet.payload != forged.payload));
            let mac2_only = seen[..2].iter().any(|packet| {
                let authentic = packet.payload.len() - MAC2;
                forged.payload.len() == packet.payload.len()
                    && forged.payload[..authentic] == packet.payload[..authentic]
            });
            assert!(!mac2_only);
        }
    }

    #[test]
    fn later_copies_are_sent_too_and_all_kinds_have_their_turn() {
        let (seen, mut forger) = (seen(), Forger::new(1));
        let forged: Vec<_> = (0..2_000)
            .filter_map(|_| forger.forge(&seen, &seen, &[seen[0].source], Stage::Established))
            .collect();
        let copies = forged
            .iter()
            .filter(|forged| seen.iter().any(|packet| packet.payload == forged.payload));
        assert!(copies.count() > 100);
        let kinds: BTreeSet<String> = forged
            .iter()
            .map(|forged| Sighting::of(&forged.payload).to_string())
            .collect();
        assert!(kinds.len() > 4, "{kinds:?}");
        let sources: BTreeSet<SocketAddr> = forged.iter().map(|forged| forged.source).collect();
        assert_eq!(sources.len(), 3);
    }

    #[test]
    fn without_anything_seen_there_is_nothing_to_forge() {
        assert!(
            Forger::new(1)
                .forge(&[], &[], &[], Stage::Established)
                .is_none()
        );
    }

    #[test]
    fn a_relay_may_pass_on_what_bears_a_token_from_its_own_address() {
        let seen = seen();
        let relay = seen[2].destination.ip();
        let mut changed = seen[2].clone();
        changed.payload.truncate(50);
        assert!(is_for_relay(&changed, &seen, relay));
        changed.payload[3] ^= 1;
        assert!(!is_for_relay(&changed, &seen, relay));
        let elsewhere = Packet {
            source: ([192, 0, 2, 9], 1).into(),
            ..seen[2].clone()
        };
        assert!(!is_for_relay(&elsewhere, &seen, relay));
        assert!(!is_for_relay(&seen[3], &seen, relay));
    }
}
