//! How a NAT behaves, in the terms of RFC 4787.

use std::net::{IpAddr, SocketAddr};
use std::time::Duration;

use serde::{Deserialize, Serialize};

/// How long a NAT remembers what went out, if nothing else is said: the shortest that RFC 4787 (REQ-5) and, for firewalls,
/// RFC 6092 (3.2.3) allow.
pub(crate) const LIFETIME: Duration = Duration::from_secs(120);

/// How many entries a table has, if nothing else is said. Chosen: that of a small home router.
const CAPACITY: usize = 4_096;

/// The first port of those that belong to nobody (RFC 6335, 6).
const DYNAMIC_PORTS: u16 = 49_152;

/// The first port above those of the system (RFC 6335, 6): a NAT that needs many gives away all of these.
const USER_PORTS: u16 = 1_024;

/// What of a remote address makes a difference to a mapping (RFC 4787, 4.1) or to a filter (RFC 4787, 5).
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Dependence {
    /// Nothing.
    EndpointIndependent,
    /// Its IP address.
    AddressDependent,
    /// Its IP address and its port.
    AddressAndPortDependent,
}

impl Dependence {
    /// All remote addresses that are one and the same to it.
    pub(super) fn peers(self, remote: SocketAddr) -> Peers {
        match self {
            Self::EndpointIndependent => Peers::All,
            Self::AddressDependent => Peers::At(remote.ip()),
            Self::AddressAndPortDependent => Peers::Exactly(remote),
        }
    }
}

/// Remote addresses between which a NAT does not distinguish.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub(super) enum Peers {
    All,
    At(IpAddr),
    Exactly(SocketAddr),
}

/// Which port a new mapping gets (RFC 4787, 4.2). Never one that another mapping has (REQ-3).
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Allocation {
    /// The one that the host itself uses; if that is taken, a random one.
    Preserving,
    /// The one after the last.
    Sequential {
        /// How far after the last.
        step: u16,
        /// How many ports the other hosts behind the NAT take in a second, on average.
        #[serde(default)]
        others_per_second: u32,
    },
    /// A random one of so many that belong to this host alone (RFC 7422), in the order in which hosts come. Who has used
    /// them up gets no more (RFC 6888, REQ-4).
    Block {
        /// How many.
        size: u16,
    },
    /// Any.
    Random,
}

/// What is let in, and what is remembered for it. NATs and firewalls share it.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Filter {
    /// What of a remote address makes a difference.
    pub depends: Dependence,
    /// How long it is remembered that something went out. A mapping lives as long as the last that is remembered of it.
    pub lifetime: Duration,
    /// Whether what comes in is a reason to remember longer, too; what goes out always is (RFC 4787, REQ-6).
    pub refresh_inbound: bool,
    /// How many entries there may be: pairs of a mapping and remote addresses that are one to the filter. If there are more, the
    /// one that was used least lately is forgotten.
    pub capacity: usize,
}

impl Filter {
    /// A filter that distinguishes so much, and is as usual otherwise.
    #[must_use]
    pub const fn new(depends: Dependence) -> Self {
        Self {
            depends,
            lifetime: LIFETIME,
            refresh_inbound: false,
            capacity: CAPACITY,
        }
    }
}

/// How a NAT behaves. It has one external address, so that pooling (RFC 4787, REQ-2) is no question.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct NatConfig {
    /// When one socket behind it is given another port for another destination.
    pub mapping: Dependence,
    /// Whom it lets in.
    pub filter: Filter,
    /// Which port a new mapping gets.
    pub ports: Allocation,
    /// The lowest port that it gives away, where it does not preserve the host's own.
    pub first_port: u16,
    /// Whether hosts behind it reach each other under its external address. The packets bear that address as their source, too
    /// (RFC 4787, REQ-9a).
    pub hairpins: bool,
}

impl NatConfig {
    /// The simple NAT of most worlds: endpoint-independent mapping to random ports, address- and port-dependent filtering.
    #[must_use]
    pub const fn simple(lifetime: Duration) -> Self {
        Self {
            mapping: Dependence::EndpointIndependent,
            filter: Filter {
                lifetime,
                ..Filter::new(Dependence::AddressAndPortDependent)
            },
            ports: Allocation::Random,
            first_port: DYNAMIC_PORTS,
            hairpins: false,
        }
    }

    /// A home router that lets everybody in who knows the port.
    #[must_use]
    pub const fn full_cone() -> Self {
        Self::cone(Dependence::EndpointIndependent)
    }

    /// A home router that lets in whom the host sent to, from any port.
    #[must_use]
    pub const fn address_restricted() -> Self {
        Self::cone(Dependence::AddressDependent)
    }

    /// A home router that lets in whom the host sent to, from that port alone.
    #[must_use]
    pub const fn port_restricted() -> Self {
        Self::cone(Dependence::AddressAndPortDependent)
    }

    /// A carrier's NAT: endpoint-independent mapping (RFC 6888, REQ-1), a block of ports for each subscriber, hairpinning. Its
    /// filter is stricter than REQ-7 recommends, as those that are met often are.
    #[must_use]
    pub const fn carrier() -> Self {
        Self {
            mapping: Dependence::EndpointIndependent,
            filter: Filter {
                capacity: 16 * CAPACITY,
                ..Filter::new(Dependence::AddressAndPortDependent)
            },
            ports: Allocation::Block { size: 1_024 },
            first_port: USER_PORTS,
            hairpins: true,
        }
    }

    /// Another mapping for each destination, each at the port after the last one. Others behind it take one in a second, too.
    #[must_use]
    pub const fn symmetric_sequential() -> Self {
        Self::symmetric(Allocation::Sequential {
            step: 1,
            others_per_second: 1,
        })
    }

    /// Another mapping for each destination, at any port.
    #[must_use]
    pub const fn symmetric_random() -> Self {
        Self::symmetric(Allocation::Random)
    }

    const fn cone(filtering: Dependence) -> Self {
        Self {
            mapping: Dependence::EndpointIndependent,
            filter: Filter::new(filtering),
            ports: Allocation::Preserving,
            first_port: USER_PORTS,
            hairpins: false,
        }
    }

    const fn symmetric(ports: Allocation) -> Self {
        Self {
            mapping: Dependence::AddressAndPortDependent,
            filter: Filter::new(Dependence::AddressAndPortDependent),
            ports,
            first_port: USER_PORTS,
            hairpins: false,
        }
    }
}
