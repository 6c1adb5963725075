//! Addresses that one party has together.

use std::net::IpAddr;

/// The network that a client comes from: the first 24 bits of an IPv4 address, the first 48 of an IPv6 address (what one site gets,
/// RFC 6177). Keys cost nothing, and so do the addresses of one network; networks do cost something.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub(crate) enum Prefix {
    V4([u8; 3]),
    V6([u8; 6]),
}

impl Prefix {
    /// `None` for this machine's own addresses: whoever is on it need not come over the network to do harm, and a proxy
    /// in front of a server makes all clients come from there.
    pub(crate) fn of(address: IpAddr) -> Option<Self> {
        let address = address.to_canonical();
        if address.is_loopback() {
            return None;
        }
        Some(match address {
            IpAddr::V4(ip) => {
                let [a, b, c, _] = ip.octets();
                Self::V4([a, b, c])
            }
            IpAddr::V6(ip) => {
                let [a, b, c, d, e, f, ..] = ip.octets();
                Self::V6([a, b, c, d, e, f])
            }
        })
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn of(text: &str) -> Option<Prefix> {
        Prefix::of(text.parse().unwrap())
    }

    #[test]
    fn neighbours_share_a_prefix_however_they_are_spelled() {
        assert_eq!(of("192.0.2.1"), of("192.0.2.254"));
        assert_eq!(of("192.0.2.1"), of("::ffff:192.0.2.9"));
        assert_eq!(of("2001:db8:1::1"), of("2001:db8:1:ffff::2"));
        assert_ne!(of("192.0.2.1"), of("192.0.3.1"));
        assert_ne!(of("2001:db8:1::1"), of("2001:db8:2::1"));
    }

    #[test]
    fn this_machine_has_no_prefix() {
        for text in ["127.0.0.1", "::1", "::ffff:127.0.0.1"] {
            assert_eq!(of(text), None);
        }
    }
}
