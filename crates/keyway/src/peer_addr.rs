//! Who to reach, and perhaps where.

use std::fmt;
use std::net::SocketAddr;
use std::str::FromStr;

use keyway_identity::{NodeId, ParseNodeIdError};

use crate::host_port::{HostPort, HostPortError};

/// Addresses that one peer or server may have, at most. Each of them is dialled.
const ADDRESSES_MAX: usize = 8;

/// A peer to reach: its node id, and where it might be if somebody knows.
///
/// The id alone is enough where the nodes share a server. Addresses are hints: they are tried beside all other ways, and a wrong
/// one does no harm, because whoever answers there has to prove the key. In text, `<id>`, or `<id>@host:port`, with more of them
/// after commas:
///
/// ```
/// use keyway::PeerAddr;
///
/// # fn main() -> Result<(), keyway::ParseAddrError> {
/// # let id = keyway::SecretKey::from_bytes([7; 32]).node_id();
/// let peer: PeerAddr = format!("{id}@192.0.2.7:4100,[2001:db8::1]:4100,host.example:4100").parse()?;
/// assert_eq!(peer.node_id(), id);
/// assert_eq!(PeerAddr::from(id).to_string(), id.to_string());
/// # Ok(())
/// # }
/// ```
#[derive(Clone, Debug, PartialEq, Eq, Hash)]
pub struct PeerAddr {
    node: NodeId,
    hints: Vec<HostPort>,
}

impl PeerAddr {
    /// A peer, and addresses where it may be.
    pub fn new(node: NodeId, hints: impl IntoIterator<Item = SocketAddr>) -> Self {
        Self {
            node,
            hints: hints
                .into_iter()
                .take(ADDRESSES_MAX)
                .map(HostPort::Address)
                .collect(),
        }
    }

    /// Who it is.
    #[must_use]
    pub const fn node_id(&self) -> NodeId {
        self.node
    }

    pub(crate) fn hints(&self) -> &[HostPort] {
        &self.hints
    }
}

impl From<NodeId> for PeerAddr {
    fn from(node: NodeId) -> Self {
        Self {
            node,
            hints: Vec::new(),
        }
    }
}

impl From<&Self> for PeerAddr {
    fn from(peer: &Self) -> Self {
        peer.clone()
    }
}

impl FromStr for PeerAddr {
    type Err = ParseAddrError;

    fn from_str(text: &str) -> Result<Self, ParseAddrError> {
        let (node, hints) = parse(text)?;
        Ok(Self { node, hints })
    }
}

impl fmt::Display for PeerAddr {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write(f, &self.node, &self.hints)
    }
}

/// A rendezvous server: its node id, and where it is.
///
/// In text `<id>@host:port`, as `keyway server` prints it; more addresses follow after commas. Unlike a [`PeerAddr`] it has at
/// least one: a server is where finding begins. Names are resolved again from time to time.
///
/// ```
/// use keyway::ServerAddr;
///
/// # let id = keyway::SecretKey::from_bytes([7; 32]).node_id();
/// let server: ServerAddr = format!("{id}@relay.example.org:4433").parse().unwrap();
/// assert_eq!(server.node_id(), id);
/// let error = format!("{id}").parse::<ServerAddr>().unwrap_err();
/// assert_eq!(error.to_string(), "a server needs an address: write `<id>@host:port`");
/// ```
#[derive(Clone, Debug, PartialEq, Eq, Hash)]
pub struct ServerAddr {
    node: NodeId,
    addresses: Vec<HostPort>,
}

impl ServerAddr {
    /// A server at one address.
    #[must_use]
    pub fn new(node: NodeId, address: SocketAddr) -> Self {
        Self {
            node,
            addresses: vec![HostPort::Address(address)],
        }
    }

    /// Who it is.
    #[must_use]
    pub const fn node_id(&self) -> NodeId {
        self.node
    }

    pub(crate) fn addresses(&self) -> &[HostPort] {
        &self.addresses
    }
}

impl FromStr for ServerAddr {
    type Err = ParseAddrError;

    fn from_str(text: &str) -> Result<Self, ParseAddrError> {
        let (node, addresses) = parse(text)?;
        if addresses.is_empty() {
            return Err(ParseAddrError::NoAddress);
        }
        Ok(Self { node, addresses })
    }
}

impl fmt::Display for ServerAddr {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write(f, &self.node, &self.addresses)
    }
}

fn parse(text: &str) -> Result<(NodeId, Vec<HostPort>), ParseAddrError> {
    let (node, addresses) = match text.split_once('@') {
        Some((node, addresses)) => (node, Some(addresses)),
        None => (text, None),
    };
    let node = node.parse().map_err(ParseAddrError::NodeId)?;
    let mut parsed = Vec::new();
    for (index, address) in addresses
        .into_iter()
        .flat_map(|list| list.split(','))
        .enumerate()
    {
        if index == ADDRESSES_MAX {
            return Err(ParseAddrError::TooMany { max: ADDRESSES_MAX });
        }
        let at = |problem| ParseAddrError::Address {
            position: index + 1,
            text: address.to_owned(),
            problem,
        };
        parsed.push(HostPort::parse(address).map_err(at)?);
    }
    Ok((node, parsed))
}

fn write(f: &mut fmt::Formatter<'_>, node: &NodeId, addresses: &[HostPort]) -> fmt::Result {
    write!(f, "{node}")?;
    for (index, address) in addresses.iter().enumerate() {
        write!(f, "{}{address}", if index == 0 { '@' } else { ',' })?;
    }
    Ok(())
}

/// Why a text is not the address of a peer or a server.
///
/// ```
/// use keyway::PeerAddr;
///
/// # let id = keyway::SecretKey::from_bytes([7; 32]).node_id();
/// let error = format!("{id}@192.0.2.7:4100,192.0.2.8").parse::<PeerAddr>().unwrap_err();
/// assert_eq!(error.to_string(), "address 2, `192.0.2.8`: the port is missing: write `host:port`");
/// ```
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[non_exhaustive]
pub enum ParseAddrError {
    /// What stands before the `@` is not a node id.
    #[error("node id: {0}")]
    NodeId(ParseNodeIdError),
    /// One of the addresses after the `@` is wrong.
    #[error("address {position}, `{text}`: {problem}")]
    Address {
        /// Which one, counted from 1.
        position: usize,
        /// The address as it was given.
        text: String,
        /// What is wrong with it.
        problem: HostPortError,
    },
    /// More addresses than are ever dialled.
    #[error("more than {max} addresses")]
    TooMany {
        /// How many may be given.
        max: usize,
    },
    /// A server without an address.
    #[error("a server needs an address: write `<id>@host:port`")]
    NoAddress,
}

#[cfg(test)]
mod tests {
    use keyway_identity::SecretKey;

    use super::*;

    fn id() -> NodeId {
        SecretKey::from_bytes([9; 32]).node_id()
    }

    #[test]
    fn what_is_printed_is_read_back() {
        for addresses in [
            "",
            "@192.0.2.7:4100",
            "@192.0.2.7:4100,[2001:db8::1]:9",
            "@host.example:4433",
        ] {
            let text = format!("{}{addresses}", id());
            assert_eq!(text.parse::<PeerAddr>().unwrap().to_string(), text);
        }
        let server = ServerAddr::new(id(), "192.0.2.1:4433".parse().unwrap());
        assert_eq!(server.to_string().parse(), Ok(server));
    }

    #[test]
    fn a_wrong_node_id_is_told_from_a_wrong_address() {
        let typo = format!("{}@192.0.2.7:4100", id()).replacen(|_: char| true, "8", 1);
        assert!(matches!(
            typo.parse::<PeerAddr>(),
            Err(ParseAddrError::NodeId(_))
        ));
        assert!(matches!(
            "".parse::<PeerAddr>(),
            Err(ParseAddrError::NodeId(_))
        ));
    }

    #[test]
    fn a_wrong_address_is_told_with_its_place() {
        let error = format!("{}@192.0.2.7:4100,2001:db8::1:4100", id())
            .parse::<PeerAddr>()
            .unwrap_err();
        assert_eq!(
            error.to_string(),
            "address 2, `2001:db8::1:4100`: an IPv6 address needs brackets: write `[2001:db8::1]:port`"
        );
        let error = format!("{}@", id()).parse::<PeerAddr>().unwrap_err();
        assert_eq!(error.to_string(), "address 1, ``: the host is missing");
    }

    #[test]
    fn addresses_are_bounded() {
        let many = ["192.0.2.7:4100"; ADDRESSES_MAX + 1].join(",");
        assert_eq!(
            format!("{}@{many}", id()).parse::<PeerAddr>(),
            Err(ParseAddrError::TooMany { max: ADDRESSES_MAX })
        );
        let hints = vec!["192.0.2.7:4100".parse().unwrap(); 100];
        assert_eq!(PeerAddr::new(id(), hints).hints().len(), ADDRESSES_MAX);
    }
}
