use std::fmt;
use std::net::SocketAddr;

use keyway_wire::{RELAY_HEADER_LEN, Token};

/// One way for packets to reach the peer, as the association sees it.
///
/// What it names is decided outside: the association never resolves an address and never opens a socket. A route is
/// compared as a whole; a peer behind a rebinding NAT has another route.
#[derive(Copy, Clone, Eq, PartialEq, Ord, PartialOrd, Hash)]
pub enum Route {
    /// Straight to a UDP address.
    Direct {
        /// Where the peer's packets come from and ours go.
        remote: SocketAddr,
    },
    /// Through a relay channel. Each packet carries the relay header in front.
    Relay {
        /// The channel at the relay.
        channel: Channel,
    },
}

/// One end of a channel at a relay server.
#[derive(Copy, Clone, Eq, PartialEq, Ord, PartialOrd, Hash, Debug)]
pub struct Channel {
    /// The node's own index of its association with the server; the node resolves it to an address.
    pub server: u32,
    /// What the server gave this end to put in front of each packet.
    pub token: Token,
}

/// How good a kind of route is in principle: a lower tier is always preferred to a higher one.
#[derive(Copy, Clone, Eq, PartialEq, Ord, PartialOrd, Hash, Debug)]
pub(crate) enum Tier {
    Direct,
    Relayed,
}

impl Route {
    /// Whether packets go straight to the peer, without a relay.
    #[must_use]
    pub const fn is_direct(&self) -> bool {
        matches!(self, Self::Direct { .. })
    }

    /// Octets that stand in front of each packet on this route.
    #[inline]
    #[must_use]
    pub const fn overhead(&self) -> usize {
        match self {
            Self::Direct { .. } => 0,
            Self::Relay { .. } => RELAY_HEADER_LEN,
        }
    }

    pub(crate) const fn tier(&self) -> Tier {
        match self {
            Self::Direct { .. } => Tier::Direct,
            Self::Relay { .. } => Tier::Relayed,
        }
    }
}

impl fmt::Debug for Route {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Direct { remote } => write!(f, "direct {remote}"),
            Self::Relay { channel } => write!(f, "relay {}", channel.server),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn relayed(server: u32) -> Route {
        Route::Relay {
            channel: Channel {
                server,
                token: Token::new([7; 8]),
            },
        }
    }

    #[test]
    fn a_direct_route_is_of_a_better_tier_than_a_relayed_one() {
        let direct = Route::Direct {
            remote: "192.0.2.1:9".parse().unwrap(),
        };
        assert!(direct.tier() < relayed(0).tier());
        assert!(direct.is_direct() && !relayed(0).is_direct());
    }

    #[test]
    fn only_relayed_packets_carry_a_header_in_front() {
        let direct = Route::Direct {
            remote: "[2001:db8::1]:9".parse().unwrap(),
        };
        assert_eq!(direct.overhead(), 0);
        assert_eq!(relayed(3).overhead(), RELAY_HEADER_LEN);
    }

    #[test]
    fn the_token_of_a_channel_is_not_printed() {
        assert_eq!(format!("{:?}", relayed(3)), "relay 3");
        assert!(
            !format!(
                "{:?}",
                Channel {
                    server: 3,
                    token: Token::new([7; 8])
                }
            )
            .contains('7')
        );
    }
}
