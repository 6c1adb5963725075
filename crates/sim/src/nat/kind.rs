//! The kinds of NATs that people tell apart, by name.

use std::fmt;
use std::str::FromStr;

use serde::{Deserialize, Serialize};

use super::config::NatConfig;

/// What stands between a host and the internet.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum NatKind {
    /// Nothing.
    Public,
    /// [`NatConfig::full_cone`].
    FullCone,
    /// [`NatConfig::address_restricted`].
    AddressRestricted,
    /// [`NatConfig::port_restricted`].
    PortRestricted,
    /// [`NatConfig::port_restricted`] at home, and behind the provider's [`NatConfig::carrier`].
    CarrierDouble,
    /// [`NatConfig::symmetric_sequential`].
    SymmetricSequential,
    /// [`NatConfig::symmetric_random`].
    SymmetricRandom,
}

impl NatKind {
    /// All of them, the easiest first.
    pub const ALL: [Self; 7] = [
        Self::Public,
        Self::FullCone,
        Self::AddressRestricted,
        Self::PortRestricted,
        Self::CarrierDouble,
        Self::SymmetricSequential,
        Self::SymmetricRandom,
    ];

    /// Its NATs, the host's own first.
    #[must_use]
    pub fn boxes(self) -> Vec<NatConfig> {
        match self {
            Self::Public => Vec::new(),
            Self::FullCone => vec![NatConfig::full_cone()],
            Self::AddressRestricted => vec![NatConfig::address_restricted()],
            Self::PortRestricted => vec![NatConfig::port_restricted()],
            Self::CarrierDouble => vec![NatConfig::port_restricted(), NatConfig::carrier()],
            Self::SymmetricSequential => vec![NatConfig::symmetric_sequential()],
            Self::SymmetricRandom => vec![NatConfig::symmetric_random()],
        }
    }

    /// Its name, as it is written in scenarios and on the command line.
    #[must_use]
    pub const fn name(self) -> &'static str {
        match self {
            Self::Public => "public",
            Self::FullCone => "full_cone",
            Self::AddressRestricted => "address_restricted",
            Self::PortRestricted => "port_restricted",
            Self::CarrierDouble => "carrier_double",
            Self::SymmetricSequential => "symmetric_sequential",
            Self::SymmetricRandom => "symmetric_random",
        }
    }
}

impl fmt::Display for NatKind {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        formatter.pad(self.name())
    }
}

impl FromStr for NatKind {
    type Err = String;

    fn from_str(text: &str) -> Result<Self, String> {
        let known = Self::ALL.into_iter().find(|kind| kind.name() == text);
        known.ok_or_else(|| format!("there is no NAT of the kind {text}"))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_kind_is_read_by_the_name_that_it_is_written_with_there_and_in_scenarios() {
        for kind in NatKind::ALL {
            assert_eq!(kind.name().parse(), Ok(kind));
            let written = serde_json::to_string(&kind).unwrap();
            assert_eq!(written, format!("\"{kind}\""));
        }
        assert!("cone".parse::<NatKind>().is_err());
    }
}
