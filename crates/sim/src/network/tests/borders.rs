//! Sites behind sites, hairpins, routers and firewalls.

use super::*;
use crate::nat::Dependence;

const CARRIER: [u8; 4] = [198, 51, 100, 9];

/// Two homes that use the same addresses, behind one carrier, and somebody in public.
struct Street {
    network: Network,
    carrier: SiteId,
    homes: [SiteId; 2],
    hosts: [HostId; 2],
    public: HostId,
}

fn street(carrier: NatConfig) -> Street {
    let mut network = Network::new(Random::new(1));
    let public = network.add_public_host(PUBLIC.into());
    let carrier = network.add_nat(None, CARRIER.into(), carrier);
    let homes = [[100, 64, 0, 2], [100, 64, 0, 3]]
        .map(|outside| network.add_nat(Some(carrier), outside.into(), NatConfig::full_cone()));
    let hosts = homes.map(|home| network.add_host(home, INSIDE.into()));
    Street {
        network,
        carrier,
        homes,
        hosts,
        public,
    }
}

impl Street {
    /// Sends from a host; gives the time of the arrival, who received what, if somebody did.
    fn pass(&mut self, host: HostId, destination: SocketAddr) -> Option<(HostId, Packet)> {
        let packet = Packet {
            source: SocketAddr::new(self.network.address_of(host), 4000),
            destination,
            payload: vec![1],
        };
        let mut arrivals = Vec::new();
        self.network
            .send(Time::ZERO, host, packet, |arrival| arrivals.push(arrival));
        land(&mut self.network, arrivals.pop()?)
    }
}

#[test]
fn two_homes_with_the_same_addresses_behind_one_carrier_are_told_apart() {
    let mut street = street(NatConfig::carrier());
    let mapped = street.hosts.map(|host| {
        let (to, packet) = street.pass(host, (PUBLIC, 4000).into()).unwrap();
        assert_eq!(
            (to, packet.source.ip()),
            (street.public, IpAddr::from(CARRIER))
        );
        packet.source
    });
    assert_ne!(mapped[0], mapped[1]);
    for (host, mapped) in street.hosts.into_iter().zip(mapped) {
        let (to, packet) = street.pass(street.public, mapped).unwrap();
        assert_eq!(
            (to, packet.destination),
            (host, SocketAddr::from((INSIDE, 4000)))
        );
    }
}

/// RFC 4787, REQ-9: with the external address as source.
#[test]
fn who_shares_a_nat_is_reached_under_its_public_address_if_it_hairpins() {
    let full_cone = NatConfig::full_cone();
    for hairpins in [false, true] {
        let carrier = NatConfig {
            hairpins,
            ..full_cone
        };
        let mut street = street(carrier);
        let [one, other] = street.hosts;
        let (_, packet) = street.pass(other, (PUBLIC, 4000).into()).unwrap();
        let of_other = packet.source;
        let (_, packet) = street.pass(one, (PUBLIC, 4000).into()).unwrap();
        let of_one = packet.source;
        let received = street.pass(one, of_other);
        let expected = hairpins.then_some((other, of_one));
        assert_eq!(
            received.map(|(host, packet)| (host, packet.source)),
            expected
        );
    }
}

#[test]
fn a_hairpinning_nat_filters_what_it_turns_round() {
    let mut street = street(NatConfig::carrier());
    let [one, other] = street.hosts;
    let (_, packet) = street.pass(other, (PUBLIC, 4000).into()).unwrap();
    let of_other = packet.source;
    assert_eq!(
        street.pass(one, of_other),
        None,
        "nobody there asked for it"
    );
    let (_, packet) = street.pass(one, (PUBLIC, 4000).into()).unwrap();
    street.pass(other, packet.source);
    assert!(street.pass(one, of_other).is_some());
}

#[test]
fn every_border_on_the_way_takes_its_time() {
    let mut street = street(NatConfig::carrier());
    let link = |millis| LinkConfig {
        delay: Duration::from_millis(millis),
        ..LinkConfig::default()
    };
    let (home, carrier) = (street.homes[0], street.carrier);
    assert_eq!(street.network.behind(home), Some(carrier));
    let public = street.network.site_of(street.public);
    street.network.set_link(home, carrier, link(20));
    street.network.set_link(carrier, public, link(30));
    let packet = Packet {
        source: (INSIDE, 4000).into(),
        destination: (PUBLIC, 4000).into(),
        payload: vec![1],
    };
    let mut arrivals = Vec::new();
    street
        .network
        .send(Time::ZERO, street.hosts[0], packet, |arrival| {
            arrivals.push(arrival)
        });
    let first = arrivals.pop().unwrap();
    assert_eq!(first.time, Time::from_micros(20_000));
    street
        .network
        .land(first.time, first.place, first.packet, |arrival| {
            arrivals.push(arrival)
        });
    assert_eq!(arrivals.pop().unwrap().time, Time::from_micros(50_000));
}

#[test]
fn a_router_shows_its_hosts_and_a_firewall_before_them_lets_in_answers_only() {
    let mut network = Network::new(Random::new(1));
    let at = |text: &str| -> SocketAddr { text.parse().unwrap() };
    let (client, server) = (at("[2001:db8:1::2]:4000"), at("[2001:db8:2::2]:4000"));
    let provider = network.add_router(None);
    let home = network.add_nat(Some(provider), ROUTER.into(), NatConfig::full_cone());
    network.set_firewall(home, Filter::new(Dependence::AddressDependent));
    let one = network.add_host(home, INSIDE.into());
    network.add_address(one, client.ip());
    let other = network.add_public_host(server.ip());
    let mut pass = |host, source, destination| {
        let packet = Packet {
            source,
            destination,
            payload: vec![1],
        };
        let mut arrivals = Vec::new();
        network.send(Time::ZERO, host, packet, |arrival| arrivals.push(arrival));
        land(&mut network, arrivals.pop()?)
    };
    assert_eq!(pass(other, server, client), None, "unasked");
    let (host, packet) = pass(one, client, server).unwrap();
    assert_eq!((host, packet.source), (other, client), "not translated");
    assert_eq!(pass(other, server, client).map(|(host, _)| host), Some(one));
    let nobody = at("[2001:db8:1::3]:4000");
    assert_eq!(pass(other, server, nobody), None);
}
