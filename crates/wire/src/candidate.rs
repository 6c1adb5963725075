use std::net::SocketAddr;

/// How a node came to know an address under which it may be reached. RFC 8445, 5.1.1, has the words.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum CandidateKind {
    /// An address of one of its interfaces.
    Host,
    /// What others saw its packets come from, through a NAT.
    Reflexive,
    /// What a router promised to forward (PCP, NAT-PMP, UPnP).
    Mapped,
}

impl CandidateKind {
    pub(crate) const fn octet(self) -> u8 {
        match self {
            Self::Host => 0,
            Self::Reflexive => 1,
            Self::Mapped => 2,
        }
    }

    pub(crate) const fn from_octet(octet: u8) -> Option<Self> {
        match octet {
            0 => Some(Self::Host),
            1 => Some(Self::Reflexive),
            2 => Some(Self::Mapped),
            _ => None,
        }
    }
}

/// An address under which a node may be reached.
///
/// ```
/// use keyway_wire::{Candidate, CandidateKind};
///
/// let seen = Candidate { kind: CandidateKind::Reflexive, address: "198.51.100.7:4100".parse().unwrap() };
/// assert_ne!(seen.kind, CandidateKind::Host);
/// ```
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct Candidate {
    /// How the node came to know it.
    pub kind: CandidateKind,
    /// The address, canonical (see [`crate::canonical_address`]).
    pub address: SocketAddr,
}
