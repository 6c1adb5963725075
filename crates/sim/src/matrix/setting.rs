//! How the networks of the two nodes lie to each other.

use std::fmt;
use std::str::FromStr;

use serde::Serialize;

use super::Cell;
use crate::nat::NatKind;

/// How the networks of the two nodes lie to each other.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Serialize)]
#[serde(rename_all = "snake_case")]
pub enum Setting {
    /// Each has a network of its own, with addresses that the other's does not have.
    Apart,
    /// The same, but both networks use the same addresses: at the peer's own address there is somebody else.
    Overlapping,
    /// Both are in the same network behind one NAT, which does not turn packets round.
    OneNat,
    /// The same with a NAT that does.
    OneNatHairpin,
    /// Each has a home of its own behind one carrier's NAT, which does not turn packets round.
    OneCarrier,
    /// The same with a carrier's NAT that does.
    OneCarrierHairpin,
    /// As [`Apart`](Self::Apart), and both have IPv6 as well, behind firewalls where there are NATs for IPv4.
    Ipv6,
}

impl Setting {
    /// All of them.
    pub const ALL: [Self; 7] = [
        Self::Apart,
        Self::Overlapping,
        Self::OneNat,
        Self::OneNatHairpin,
        Self::OneCarrier,
        Self::OneCarrierHairpin,
        Self::Ipv6,
    ];

    /// The pairs for which it makes sense, dialler first.
    #[must_use]
    pub fn cells(self) -> Vec<Cell> {
        let pairs = NatKind::ALL
            .into_iter()
            .flat_map(|a| NatKind::ALL.map(|b| (a, b)));
        pairs
            .filter(|(a, b)| self.suits(*a, *b))
            .map(|(a, b)| Cell {
                setting: self,
                a,
                b,
            })
            .collect()
    }

    fn suits(self, a: NatKind, b: NatKind) -> bool {
        let at_home = |kind| !matches!(kind, NatKind::Public | NatKind::CarrierDouble);
        match self {
            Self::Apart | Self::Ipv6 => true,
            Self::Overlapping => a != NatKind::Public && b != NatKind::Public,
            Self::OneNat | Self::OneNatHairpin => a == b && a != NatKind::Public,
            Self::OneCarrier | Self::OneCarrierHairpin => at_home(a) && at_home(b),
        }
    }

    /// Whether both are in the same network.
    pub(super) const fn is_one_network(self) -> bool {
        matches!(self, Self::OneNat | Self::OneNatHairpin)
    }

    /// Its name on the command line.
    #[must_use]
    pub const fn name(self) -> &'static str {
        match self {
            Self::Apart => "apart",
            Self::Overlapping => "overlapping",
            Self::OneNat => "one_nat",
            Self::OneNatHairpin => "one_nat_hairpin",
            Self::OneCarrier => "one_carrier",
            Self::OneCarrierHairpin => "one_carrier_hairpin",
            Self::Ipv6 => "ipv6",
        }
    }
}

impl fmt::Display for Setting {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        formatter.pad(self.name())
    }
}

impl FromStr for Setting {
    type Err = String;

    fn from_str(text: &str) -> Result<Self, String> {
        let known = Self::ALL.into_iter().find(|setting| setting.name() == text);
        known.ok_or_else(|| format!("there is no setting {text}"))
    }
}
