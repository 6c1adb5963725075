//! What has to become of a pair: an upgrade to a direct path that could be had and is missed is a failure.
//!
//! # The reasons
//!
//! A NAT's *mapping* decides whether what a server sees of a node is of use to its peer: if it depends on the destination, the peer
//! meets another port. Its *filter* decides who has to send first. With several NATs in a row, the strictest of each counts.
//!
//! 1. **One is reached by whoever knows its address** (public, or a mapping and a filter that depend on nothing): whatever the other
//!    one is, its first probe arrives, and the answer goes to where it came from. Must.
//! 2. **Both mappings depend on nothing**: each one's probe goes to where the other one really is, and opens its own filter for it,
//!    however strict. What comes too early is dropped, what comes after is let in. Must.
//! 3. **One mapping depends on nothing and its filter on the address alone**: a probe to *any* port of the other one's address
//!    opens the filter, the other one's probe comes from a port that nobody knew, and is answered there. Must. (That the NAT of the
//!    other one has but one address is what these worlds have; RFC 4787 recommends as much for each host, REQ-2.)
//! 4. **One mapping depends on nothing, but its filter on the port**; the other's mapping depends on the destination. The one has to
//!    send to a port that the other's NAT is yet to choose. If ports come in a sequence, it can be predicted, unless others take it
//!    meanwhile. If they come at random, then with s sockets on the hard side, of which each has a mapping for the easy one's
//!    address, n probes to random ones of N ports miss them all with a chance of (1 - s/N)^n: 2 % for 256, 1,024 and 64,512. Both
//!    must succeed in 95 of 100 cases.
//! 5. **Both mappings depend on the destination, and both in sequence**: both ports can be predicted; the probes have to cross, so
//!    that neither side's first probe moves the sequence before the other's prediction is used. Must in 95 of 100 cases.
//! 6. **One in sequence, the other at random**: the predictable side has to send from a socket that has a mapping for the very port
//!    that it guesses, and each guess makes another mapping; the other one would have to hit that. It may happen.
//! 7. **Both at random**: both would have to guess right at once, once in 4 × 10^9. Cannot: the pair stays on the relay, and a node
//!    that tries nevertheless wastes its ports. So it counts as a failure if it does not stay there.
//!
//! Where the two networks touch:
//!
//! - **One NAT** for both: they are in the same network, and reach each other by their own addresses. Must, with hairpinning
//!   or without.
//! - **One carrier** before two homes: probes go to the carrier's external address, from inside. If it does not turn them round, nobody
//!   knows the addresses on the inside of the carrier: cannot. If it does, everything is as with two NATs in a row on each side:
//!   the carrier's filter counts too, and a sequence of the home's ports comes out of the carrier as ports in no order, within the
//!   home's block. Blocks are small, so that two sides that cannot be predicted may meet by chance.
//! - **IPv6** on both sides: firewalls keep out what was not asked for, but translate nothing, so that it is case 2. Must.

use serde::Serialize;

use super::{Cell, Setting};
use crate::nat::{Allocation, Dependence, NatConfig, NatKind};

/// Of so many hundred a pair that [`Demand::Mostly`] ends direct has to.
pub(super) const MOSTLY_PERCENT: u64 = 95;

/// What has to become of a pair.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize)]
#[serde(rename_all = "snake_case")]
pub enum Demand {
    /// It ends direct, always.
    Must,
    /// It ends direct in 95 of 100 cases.
    Mostly,
    /// It may end direct, or stay on the relay.
    May,
    /// It stays on the relay: there is no other way, or none that is worth a try.
    Cannot,
}

impl Demand {
    /// What has to become of the pair of a cell.
    #[must_use]
    pub fn of(cell: &Cell) -> Self {
        match cell.setting {
            Setting::OneNat | Setting::OneNatHairpin | Setting::Ipv6 => Self::Must,
            Setting::OneCarrier => Self::Cannot,
            Setting::Apart | Setting::Overlapping => {
                let [a, b] = [cell.a, cell.b].map(|kind| Difficulty::of(&kind.boxes()));
                between(a, b)
            }
            Setting::OneCarrierHairpin => {
                let [a, b] = [cell.a, cell.b].map(behind_carrier);
                match between(a, b) {
                    Self::Cannot => Self::May,
                    demand @ (Self::Must | Self::Mostly | Self::May) => demand,
                }
            }
        }
    }
}

fn behind_carrier(kind: NatKind) -> Difficulty {
    let mut boxes = kind.boxes();
    boxes.push(NatConfig::carrier());
    Difficulty::of(&boxes)
}

/// What of its NATs matters to who wants to reach a node, the easiest first.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
enum Difficulty {
    /// Whoever knows its address reaches it.
    Open,
    /// Its port is known, and whoever it sent to may answer from any port.
    AnyPort,
    /// Its port is known, and whoever it sent to may answer from there.
    SamePort,
    /// Its next port can be predicted.
    Sequential,
    /// Its next port may be any.
    Random,
}

impl Difficulty {
    /// Of NATs in a row, the host's own first.
    fn of(boxes: &[NatConfig]) -> Self {
        let is_moving = |nat: &NatConfig| nat.mapping != Dependence::EndpointIndependent;
        if let Some(first) = boxes.iter().position(is_moving) {
            // Whatever is further out sees another socket for each port of that one.
            let in_sequence = |nat: &NatConfig| matches!(nat.ports, Allocation::Sequential { .. });
            let is_sequence = boxes[first..].iter().all(in_sequence);
            return if is_sequence {
                Self::Sequential
            } else {
                Self::Random
            };
        }
        match boxes.iter().map(|nat| nat.filter.depends).max() {
            None | Some(Dependence::EndpointIndependent) => Self::Open,
            Some(Dependence::AddressDependent) => Self::AnyPort,
            Some(Dependence::AddressAndPortDependent) => Self::SamePort,
        }
    }
}

fn between(one: Difficulty, other: Difficulty) -> Demand {
    match (one.min(other), one.max(other)) {
        (Difficulty::Open | Difficulty::AnyPort, _) => Demand::Must,
        (_, Difficulty::Open | Difficulty::AnyPort | Difficulty::SamePort) => Demand::Must,
        (Difficulty::SamePort, Difficulty::Sequential | Difficulty::Random) => Demand::Mostly,
        (Difficulty::Sequential, Difficulty::Sequential) => Demand::Mostly,
        (Difficulty::Sequential, Difficulty::Random) => Demand::May,
        (Difficulty::Random, _) => Demand::Cannot,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn demands(setting: Setting, a: NatKind) -> Vec<Demand> {
        let cells = setting.cells().into_iter().filter(|cell| cell.a == a);
        cells.map(|cell| Demand::of(&cell)).collect()
    }

    /// Columns: public, full cone, address-restricted, port-restricted, carrier-grade double, symmetric with sequential and
    /// with random ports.
    #[test]
    fn networks_apart_are_judged_by_their_nats() {
        use Demand::{Cannot, May, Mostly, Must};
        for (a, expected) in [
            (NatKind::Public, [Must; 7]),
            (NatKind::FullCone, [Must; 7]),
            (NatKind::AddressRestricted, [Must; 7]),
            (
                NatKind::PortRestricted,
                [Must, Must, Must, Must, Must, Mostly, Mostly],
            ),
            (
                NatKind::CarrierDouble,
                [Must, Must, Must, Must, Must, Mostly, Mostly],
            ),
            (
                NatKind::SymmetricSequential,
                [Must, Must, Must, Mostly, Mostly, Mostly, May],
            ),
            (
                NatKind::SymmetricRandom,
                [Must, Must, Must, Mostly, Mostly, May, Cannot],
            ),
        ] {
            assert_eq!(demands(Setting::Apart, a), expected, "{a}");
            assert_eq!(demands(Setting::Ipv6, a), [Must; 7], "{a}");
        }
    }

    #[test]
    fn who_shares_a_network_is_next_door_and_who_shares_a_carrier_needs_its_hairpin() {
        for kind in NatKind::ALL {
            for setting in [Setting::OneNat, Setting::OneNatHairpin] {
                assert!(demands(setting, kind).iter().all(|it| *it == Demand::Must));
            }
        }
        let home = NatKind::PortRestricted;
        assert_eq!(demands(Setting::OneCarrier, home), [Demand::Cannot; 5]);
        use Demand::{May, Mostly, Must};
        for (a, expected) in [
            (NatKind::FullCone, [Must, Must, Must, Mostly, Mostly]),
            (home, [Must, Must, Must, Mostly, Mostly]),
            (
                NatKind::SymmetricSequential,
                [Mostly, Mostly, Mostly, May, May],
            ),
        ] {
            assert_eq!(demands(Setting::OneCarrierHairpin, a), expected, "{a}");
        }
    }

    #[test]
    fn it_does_not_matter_who_dials() {
        for setting in Setting::ALL {
            for cell in setting.cells() {
                let turned = Cell {
                    a: cell.b,
                    b: cell.a,
                    ..cell
                };
                assert_eq!(Demand::of(&cell), Demand::of(&turned));
            }
        }
    }
}
