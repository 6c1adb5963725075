//! What an observer on the wire can tell without any key.

use std::fmt;

/// The first octet of a relayed packet, and the octets of a relay's header.
const RELAYED: u8 = 5;
const RELAY_HEADER: usize = 9;

/// The kind of a packet, by its first octets.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Kind {
    /// The first packet of a handshake.
    Init,
    /// Its answer.
    Resp,
    /// A sealed packet: the receiver's session slot, and the key phase.
    Data {
        /// 0 to 3.
        slot: usize,
        /// 0 or 1.
        phase: usize,
    },
    /// Something else.
    Other,
}

/// One packet as it was seen.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Sighting {
    /// What kind of packet it is, below the relay's header if there is one.
    pub kind: Kind,
    /// Whether it goes through a relay.
    pub relayed: bool,
}

impl Sighting {
    /// What can be told of a packet.
    #[must_use]
    pub fn of(payload: &[u8]) -> Self {
        Self {
            kind: Kind::of(below_relay(payload)),
            relayed: payload.first() == Some(&RELAYED),
        }
    }
}

/// A packet without the relay's header, which a relay changes: what its maker made.
pub(crate) fn below_relay(payload: &[u8]) -> &[u8] {
    match payload {
        [RELAYED, ..] => payload.get(RELAY_HEADER..).unwrap_or_default(),
        _ => payload,
    }
}

impl Kind {
    fn of(packet: &[u8]) -> Self {
        match packet {
            [4, 1, ..] => Self::Init,
            [4, 2, ..] => Self::Resp,
            [first @ 8..=15, ..] => Self::Data {
                slot: usize::from(first >> 1 & 3),
                phase: usize::from(first & 1),
            },
            _ => Self::Other,
        }
    }
}

impl fmt::Display for Sighting {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        if self.relayed {
            formatter.write_str("relayed ")?;
        }
        match self.kind {
            Kind::Init => formatter.write_str("INIT"),
            Kind::Resp => formatter.write_str("RESP"),
            Kind::Data { slot, phase } => write!(formatter, "DATA slot {slot} phase {phase}"),
            Kind::Other => formatter.write_str("?"),
        }
    }
}

/// How many packets of each kind were seen.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Sightings {
    /// First packets of handshakes.
    pub inits: u64,
    /// Answers to them.
    pub responses: u64,
    /// Sealed packets by the receiver's session slot.
    pub by_slot: [u64; 4],
    /// How often a sealed packet bore another key phase than the one before it under the same slot.
    pub phase_changes: u64,
    /// Packets of no known kind.
    pub others: u64,
    phases: [Option<usize>; 4],
}

impl Sightings {
    pub(crate) fn note(&mut self, kind: Kind) {
        match kind {
            Kind::Init => self.inits += 1,
            Kind::Resp => self.responses += 1,
            Kind::Data { slot, phase } => {
                self.by_slot[slot] += 1;
                let before = self.phases[slot].replace(phase);
                self.phase_changes += u64::from(before.is_some_and(|before| before != phase));
            }
            Kind::Other => self.others += 1,
        }
    }

    /// Both together.
    #[must_use]
    pub fn and(mut self, other: &Self) -> Self {
        self.inits += other.inits;
        self.responses += other.responses;
        self.by_slot
            .iter_mut()
            .zip(other.by_slot)
            .for_each(|(sum, count)| *sum += count);
        self.phase_changes += other.phase_changes;
        self.others += other.others;
        self
    }

    /// What was seen since an earlier look.
    #[must_use]
    pub fn since(&self, earlier: &Self) -> Self {
        let difference = |now: &[u64], then: &[u64], index: usize| now[index] - then[index];
        Self {
            inits: self.inits - earlier.inits,
            responses: self.responses - earlier.responses,
            by_slot: std::array::from_fn(|slot| difference(&self.by_slot, &earlier.by_slot, slot)),
            phase_changes: self.phase_changes - earlier.phase_changes,
            phases: self.phases,
            others: self.others - earlier.others,
        }
    }

    /// How many packets of all kinds were seen.
    #[must_use]
    pub fn total(&self) -> u64 {
        self.inits + self.responses + self.by_slot.iter().sum::<u64>() + self.others
    }

    /// In how many session slots sealed packets were seen.
    #[must_use]
    pub fn slots_used(&self) -> usize {
        self.by_slot.iter().filter(|count| **count > 0).count()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_packet_is_told_by_its_first_octets() {
        let seen = |payload: &[u8]| Sighting::of(payload).to_string();
        assert_eq!(seen(&[4, 1, 1]), "INIT");
        assert_eq!(seen(&[4, 2, 1]), "RESP");
        assert_eq!(seen(&[0b1101]), "DATA slot 2 phase 1");
        assert_eq!(
            seen(&[5, 0, 0, 0, 0, 0, 0, 0, 0, 8]),
            "relayed DATA slot 0 phase 0"
        );
        assert_eq!(seen(&[5]), "relayed ?");
        assert_eq!(seen(&[]), "?");
    }

    #[test]
    fn sightings_are_counted_added_and_compared() {
        let mut sightings = Sightings::default();
        sightings.note(Kind::Init);
        let earlier = sightings.clone();
        sightings.note(Kind::Data { slot: 0, phase: 0 });
        sightings.note(Kind::Data { slot: 1, phase: 1 });
        sightings.note(Kind::Data { slot: 1, phase: 0 });
        let since = sightings.since(&earlier);
        assert_eq!(
            (since.inits, since.by_slot, since.phase_changes),
            (0, [1, 2, 0, 0], 1)
        );
        assert_eq!((since.slots_used(), since.total()), (2, 3));
        assert_eq!(since.and(&earlier), sightings);
    }
}
