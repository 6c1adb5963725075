//! Where probes may go.

use std::net::{IpAddr, Ipv4Addr, Ipv6Addr, SocketAddr};

use crate::local::LocalCandidates;

/// How far an address reaches.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Scope {
    /// This machine.
    Loopback,
    /// The network segment of one interface.
    Link,
    /// Everything else, private networks included: whether it reaches us, only a probe can tell.
    Wide,
}

/// Whether a probe may be sent to an address that a peer named.
///
/// Never to what is not one host (unspecified, multicast, broadcast, reserved), to port 0, to the metadata service of a
/// cloud, to an IPv4 address in disguise (mapped, or embedded in a transition prefix where the inner one would be
/// refused), or to ourselves. To loopback and link-local addresses only if a server has seen us under an address of
/// that scope: then there are others on this machine or link, and the peer may be one of them. A link-local IPv6
/// address without its interface (which the wire does not carry) leads nowhere.
///
/// ```
/// use keyway_nat::{LocalCandidates, may_probe};
///
/// let local = LocalCandidates::default();
/// assert!(may_probe("198.51.100.7:61000".parse().unwrap(), &local));
/// assert!(!may_probe("127.0.0.1:22".parse().unwrap(), &local));
/// assert!(!may_probe("169.254.169.254:80".parse().unwrap(), &local)); // metadata of a cloud
/// ```
pub fn may_probe(address: SocketAddr, local: &LocalCandidates) -> bool {
    if address.port() == 0 || !is_one_host(address.ip()) || local.is_own(address) {
        return false;
    }
    match scope(address.ip()) {
        Scope::Wide => true,
        Scope::Link if lacks_interface(address) => false,
        scope @ (Scope::Loopback | Scope::Link) => local.was_seen_in(scope),
    }
}

/// Whether a probe may be sent to where an authentic packet came from.
///
/// Loopback and link-local addresses are among them: whoever sent from there is on this machine or link. Not what
/// cannot be one host, nor a metadata service, nor another spelling of an IPv4 address, nor port 0: somebody wrote that
/// address into the packet who is not there.
pub fn may_answer(address: SocketAddr) -> bool {
    address.port() != 0 && is_one_host(address.ip())
}

pub(crate) fn scope(ip: IpAddr) -> Scope {
    let (loopback, link) = match ip {
        IpAddr::V4(v4) => (v4.is_loopback(), v4.is_link_local()),
        IpAddr::V6(v6) => (v6.is_loopback(), v6.is_unicast_link_local()),
    };
    match (loopback, link) {
        (true, _) => Scope::Loopback,
        (_, true) => Scope::Link,
        _ => Scope::Wide,
    }
}

/// Whether the address can be that of one host that is not a metadata service, and has no second spelling.
pub(crate) fn is_one_host(ip: IpAddr) -> bool {
    !METADATA.contains(&ip)
        && match ip {
            IpAddr::V4(v4) => is_one_host_v4(v4),
            IpAddr::V6(v6) => is_one_host_v6(v6),
        }
}

/// Where clouds answer questions about the machine, some of them secret, to whoever can send from it: most of them,
/// Alibaba, and Amazon over IPv6.
const METADATA: [IpAddr; 3] = [
    IpAddr::V4(Ipv4Addr::new(169, 254, 169, 254)),
    IpAddr::V4(Ipv4Addr::new(100, 100, 100, 200)),
    IpAddr::V6(Ipv6Addr::new(0xfd00, 0x0ec2, 0, 0, 0, 0, 0, 0x0254)),
];

/// Outside of 0.0.0.0/8 (this network), 224.0.0.0/4 (multicast) and 240.0.0.0/4 (reserved, broadcast): RFC 6890.
///
/// A directed broadcast address cannot be told without the netmask; systems refuse to send there.
fn is_one_host_v4(ip: Ipv4Addr) -> bool {
    (1..224).contains(&ip.octets()[0])
}

fn is_one_host_v6(ip: Ipv6Addr) -> bool {
    if ip.is_unspecified() || ip.is_multicast() || ip.to_ipv4_mapped().is_some() {
        return false;
    }
    embedded_v4(ip).is_none_or(|inner| {
        let inner = IpAddr::V4(inner);
        is_one_host(inner) && scope(inner) == Scope::Wide
    })
}

/// The IPv4 address to which a translator or tunnel would send: NAT64 (RFC 6052), 6to4 (RFC 3056), and the abolished
/// "IPv4-compatible" form.
fn embedded_v4(ip: Ipv6Addr) -> Option<Ipv4Addr> {
    let last = |octets: [u8; 16]| Ipv4Addr::new(octets[12], octets[13], octets[14], octets[15]);
    match ip.segments() {
        [0x0064, 0xff9b, 0, 0, 0, 0, _, _] => Some(last(ip.octets())),
        [0x2002, high, low, ..] => {
            Some(Ipv4Addr::from_bits(u32::from(high) << 16 | u32::from(low)))
        }
        [0, 0, 0, 0, 0, 0, _, _] if !ip.is_loopback() => Some(last(ip.octets())),
        _ => None,
    }
}

fn lacks_interface(address: SocketAddr) -> bool {
    matches!(address, SocketAddr::V6(v6) if v6.scope_id() == 0)
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    fn address(text: &str) -> SocketAddr {
        text.parse().unwrap()
    }

    fn at_home() -> LocalCandidates {
        let mut local = LocalCandidates::default();
        local.set_hosts(&[address("192.168.1.5:4100"), address("127.0.0.1:4100")]);
        local.observed(0, address("198.51.100.7:4100"));
        local
    }

    // L9, R6, R8.13
    #[test]
    fn tricks_are_not_probed() {
        for text in [
            "0.0.0.0:1",
            "0.1.2.3:1",
            "224.0.0.1:1",
            "239.255.255.250:1900",
            "240.0.0.1:1",
            "255.255.255.255:1",
            "192.0.2.7:0",
            "127.0.0.1:1",
            "127.255.0.3:1",
            "169.254.1.1:1",
            "169.254.169.254:80",
            "100.100.100.200:80",
            "[::]:1",
            "[::1]:1",
            "[ff02::1]:1",
            "[ff0e::1]:1",
            "[fe80::1]:1",
            "[fe80::1%3]:1",
            "[fd00:ec2::254]:80",
            "[::ffff:192.0.2.7]:1",
            "[::ffff:127.0.0.1]:1",
            "[::127.0.0.1]:1",
            "[::0.0.0.2]:1",
            "[64:ff9b::7f00:1]:1",
            "[64:ff9b::a9fe:a9fe]:1",
            "[64:ff9b::e000:1]:1",
            "[2002:7f00:1::1]:1",
            "[2002:a9fe:a9fe::1]:1",
            "[2001:db8::1]:0",
        ] {
            assert!(!may_probe(address(text), &at_home()), "{text}");
        }
    }

    // L9
    #[test]
    fn a_sender_is_answered_where_one_can_be() {
        for text in [
            "192.0.2.7:1",
            "127.0.0.1:5000",
            "169.254.1.1:1",
            "[::1]:1",
            "[fe80::1]:1",
        ] {
            assert!(may_answer(address(text)), "{text}");
        }
        for text in [
            "0.0.0.0:1",
            "224.0.0.1:1",
            "255.255.255.255:1",
            "169.254.169.254:80",
            "[ff02::1]:1",
            "[::ffff:127.0.0.1]:1",
            "192.0.2.7:0",
        ] {
            assert!(!may_answer(address(text)), "{text}");
        }
    }

    #[test]
    fn addresses_of_hosts_are_probed_private_ones_too() {
        for text in [
            "192.0.2.7:1",
            "10.1.2.3:4100",
            "192.168.1.6:4100",
            "172.16.0.1:65535",
            "100.64.0.1:1",
            "[2001:db8::1]:1",
            "[fd12:3456::1]:1",
            "[64:ff9b::c000:207]:1",
            "[2002:c000:207::1]:1",
        ] {
            assert!(may_probe(address(text), &at_home()), "{text}");
        }
    }

    #[test]
    fn ourselves_are_not_probed_but_another_port_of_our_address_is() {
        assert!(!may_probe(address("192.168.1.5:4100"), &at_home()));
        assert!(may_probe(address("192.168.1.5:4101"), &at_home()));
    }

    // R8.13
    #[test]
    fn loopback_is_probed_only_where_a_server_sees_us_there() {
        let mut local = at_home();
        local.observed(1, address("127.0.0.1:4100"));
        assert!(may_probe(address("127.0.0.1:5000"), &local));
        assert!(may_probe(address("[::1]:5000"), &local));
        assert!(!may_probe(address("169.254.1.1:5000"), &local));
        assert!(
            !may_probe(address("127.0.0.1:4100"), &local),
            "that is ourselves"
        );
    }

    // R8.13
    #[test]
    fn a_link_is_probed_only_where_a_server_sees_us_there() {
        let mut local = at_home();
        local.observed(1, address("169.254.3.4:4100"));
        assert!(may_probe(address("169.254.1.1:5000"), &local));
        assert!(may_probe(address("[fe80::1%3]:5000"), &local));
        assert!(
            !may_probe(address("[fe80::1]:5000"), &local),
            "no interface, no way"
        );
        assert!(
            !may_probe(address("169.254.169.254:80"), &local),
            "not even then"
        );
        assert!(!may_probe(address("127.0.0.1:5000"), &local));
    }

    proptest! {
        // L9, R8.13: whatever the spelling, what is probed is one unicast host of wide scope.
        #[test]
        fn no_ipv4_address_slips_through(bits: u32, port: u16) {
            let ip = Ipv4Addr::from_bits(bits);
            let allowed = may_probe(SocketAddr::new(ip.into(), port), &at_home());
            let refused = port == 0
                || ip.octets()[0] == 0
                || ip.is_loopback()
                || ip.is_link_local()
                || ip.is_multicast()
                || ip.octets()[0] >= 240
                || ip == Ipv4Addr::new(100, 100, 100, 200);
            prop_assert_eq!(allowed, !refused);
            let mapped = SocketAddr::new(ip.to_ipv6_mapped().into(), port);
            prop_assert!(!may_probe(mapped, &at_home()));
        }

        #[test]
        fn no_ipv6_address_slips_through(bits: u128, prefix in 0usize..6, port in 1u16..) {
            let bits = match prefix {
                0 => bits,
                1 => bits & 0xffff_ffff | 0x0064_ff9b << 96,
                2 => bits >> 16 | 0x2002 << 112,
                3 => bits & 0xffff_ffff,
                4 => bits >> 10 | 0xfe80 << 112,
                _ => bits >> 8 | 0xff << 120,
            };
            let ip = Ipv6Addr::from_bits(bits);
            if may_probe(SocketAddr::new(ip.into(), port), &at_home()) {
                prop_assert!(!ip.is_multicast() && !ip.is_unspecified() && !ip.is_loopback());
                prop_assert!(!ip.is_unicast_link_local() && ip.to_ipv4_mapped().is_none());
                if let Some(inner) = embedded_v4(ip) {
                    prop_assert!(may_probe(SocketAddr::new(inner.into(), port), &LocalCandidates::default()));
                }
            }
        }
    }
}
