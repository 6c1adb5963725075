//! Whither nothing goes, and whither only so much.

use std::collections::BTreeMap;
use std::net::{IpAddr, SocketAddr};

use crate::network::HostId;
use crate::sightings::Kind;

/// To an address that has not answered yet (RFC 9000, 8).
const FACTOR: u64 = 3;

/// What hosts sent to addresses at which nobody is, and what seemed to come from there. Somebody forged it all, and never
/// answers, so that such an address is never validated.
#[derive(Debug, Default)]
pub(super) struct Addresses {
    forged: BTreeMap<(HostId, SocketAddr), Account>,
}

#[derive(Debug, Default)]
struct Account {
    received: u64,
    sent: u64,
    /// What of it were handshake packets, which prove nothing about who sent them.
    handshakes: u64,
}

impl Addresses {
    pub(super) fn received(&mut self, host: HostId, source: SocketAddr, octets: u64) {
        self.forged.entry((host, source)).or_default().received += octets;
    }

    pub(super) fn sent(
        &mut self,
        host: HostId,
        (destination, is_known): (SocketAddr, bool),
        kind: Kind,
        octets: u64,
    ) -> Option<String> {
        if is_out_of_bounds(destination.ip()) {
            return Some("nothing may go to such an address".to_owned());
        }
        if is_known {
            return None;
        }
        let account = self.forged.entry((host, destination)).or_default();
        account.sent += octets;
        if matches!(kind, Kind::Init | Kind::Resp) {
            account.handshakes += octets;
        }
        let Account {
            received,
            sent,
            handshakes,
        } = *account;
        (sent > FACTOR * received || handshakes > received).then(|| {
            format!(
                "{sent} octets, {handshakes} of handshakes, went where nobody has answered from, and {received} came from there"
            )
        })
    }
}

/// Loopback, multicast, broadcast, and no address at all, also where it is written as an IPv6 one.
fn is_out_of_bounds(address: IpAddr) -> bool {
    let address = address.to_canonical();
    let broadcast = matches!(address, IpAddr::V4(address) if address.is_broadcast());
    address.is_loopback() || address.is_multicast() || address.is_unspecified() || broadcast
}

#[cfg(test)]
mod tests {
    use super::*;

    const HOST: HostId = HostId(0);
    const DATA: Kind = Kind::Data { slot: 0, phase: 0 };

    fn at(address: &str) -> SocketAddr {
        address.parse().unwrap()
    }

    // F4, F5
    #[test]
    fn where_nobody_is_gets_back_three_times_what_came_and_once_before_a_handshake() {
        let nobody = (at("203.0.113.66:1"), false);
        let mut addresses = Addresses::default();
        addresses.received(HOST, nobody.0, 100);
        assert_eq!(addresses.sent(HOST, nobody, Kind::Resp, 100), None);
        assert_eq!(addresses.sent(HOST, nobody, DATA, 200), None);
        assert!(addresses.sent(HOST, nobody, DATA, 1).is_some());
        let mut addresses = Addresses::default();
        addresses.received(HOST, nobody.0, 100);
        assert!(addresses.sent(HOST, nobody, Kind::Resp, 101).is_some());
        let somebody = (at("203.0.113.1:1"), true);
        assert_eq!(addresses.sent(HOST, somebody, DATA, 1_000), None);
    }

    #[test]
    fn some_addresses_get_nothing() {
        for address in [
            "127.0.0.1:1",
            "0.0.0.0:1",
            "224.0.0.1:1",
            "255.255.255.255:1",
            "[::ffff:127.0.0.1]:1",
            "[ff02::1]:1",
        ] {
            let mut addresses = Addresses::default();
            let breach = addresses.sent(HOST, (at(address), true), DATA, 1);
            assert!(breach.is_some(), "{address}");
        }
    }
}
