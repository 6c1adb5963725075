mod borders;

use std::time::Duration;

use super::*;

const PUBLIC: [u8; 4] = [203, 0, 113, 9];
const ROUTER: [u8; 4] = [198, 51, 100, 1];
const INSIDE: [u8; 4] = [192, 168, 1, 2];
const NEIGHBOUR: [u8; 4] = [192, 168, 1, 3];

struct Home {
    network: Network,
    public: HostId,
    inside: HostId,
    neighbour: HostId,
}

fn home() -> Home {
    let mut network = Network::new(Random::new(1));
    let public = network.add_public_host(PUBLIC.into());
    let simple = NatConfig::simple(Duration::from_secs(30));
    let router = network.add_nat(None, ROUTER.into(), simple);
    let inside = network.add_host(router, INSIDE.into());
    let neighbour = network.add_host(router, NEIGHBOUR.into());
    Home {
        network,
        public,
        inside,
        neighbour,
    }
}

impl Home {
    /// Sends from a host and delivers at once; gives the passage, and who received what, if somebody did.
    fn pass(
        &mut self,
        host: HostId,
        destination: SocketAddr,
    ) -> (Passage, Option<(HostId, Packet)>) {
        let source = SocketAddr::new(self.network.address_of(host), 4000);
        let packet = Packet {
            source,
            destination,
            payload: vec![1],
        };
        let mut arrivals = Vec::new();
        let passage = self
            .network
            .send(Time::ZERO, host, packet, |arrival| arrivals.push(arrival));
        let received = arrivals
            .pop()
            .and_then(|arrival| land(&mut self.network, arrival));
        (passage, received)
    }
}

#[test]
fn a_host_behind_a_nat_reaches_out_and_is_answered() {
    let mut home = home();
    let (_, received) = home.pass(home.inside, (PUBLIC, 4000).into());
    let (host, packet) = received.unwrap();
    assert_eq!(host, home.public);
    assert_eq!(packet.source.ip(), IpAddr::from(ROUTER));
    let (_, answer) = home.pass(home.public, packet.source);
    let (host, packet) = answer.unwrap();
    assert_eq!(host, home.inside);
    assert_eq!(packet.destination, SocketAddr::from((INSIDE, 4000)));
}

#[test]
fn nobody_reaches_a_host_behind_a_nat_unasked() {
    let mut home = home();
    let (passage, received) = home.pass(home.public, (ROUTER, 50_000).into());
    assert_eq!((passage, received), (Passage::Link(Fate::Carried), None));
    let (passage, received) = home.pass(home.public, (INSIDE, 4000).into());
    assert_eq!((passage, received), (Passage::NoRoute, None));
}

#[test]
fn neighbours_talk_without_their_router() {
    let mut home = home();
    let (passage, received) = home.pass(home.inside, (NEIGHBOUR, 4000).into());
    let (host, packet) = received.unwrap();
    assert_eq!((passage, host), (Passage::Inside, home.neighbour));
    assert_eq!(packet.source, SocketAddr::from((INSIDE, 4000)));
}

#[test]
fn a_simple_router_does_not_turn_packets_round() {
    let mut home = home();
    let (_, received) = home.pass(home.neighbour, (PUBLIC, 4000).into());
    let mapped = received.unwrap().1.source;
    assert_eq!(home.pass(home.inside, mapped), (Passage::NoRoute, None));
}

#[test]
fn a_cut_is_between_two_sites_only() {
    let mut home = home();
    let other = home.network.add_public_host([203, 0, 113, 10].into());
    let (one, two) = (
        home.network.site_of(home.public),
        home.network.site_of(home.inside),
    );
    home.network.set_cut(one, two, true);
    assert_eq!(
        home.pass(home.inside, (PUBLIC, 4000).into()).0,
        Passage::Link(Fate::Cut)
    );
    assert_eq!(
        home.pass(home.public, (ROUTER, 4000).into()).0,
        Passage::Link(Fate::Cut)
    );
    assert_eq!(
        home.pass(other, (PUBLIC, 4000).into()).0,
        Passage::Link(Fate::Carried)
    );
    home.network.set_cut(one, two, false);
    assert_eq!(
        home.pass(home.inside, (PUBLIC, 4000).into()).0,
        Passage::Link(Fate::Carried)
    );
}

#[test]
fn links_can_be_configured_one_direction_at_a_time_or_all_at_once() {
    let mut home = home();
    let (one, two) = (
        home.network.site_of(home.public),
        home.network.site_of(home.inside),
    );
    home.network.set_link(
        two,
        one,
        LinkConfig {
            mtu: 0,
            ..LinkConfig::default()
        },
    );
    assert_eq!(
        home.pass(home.inside, (PUBLIC, 4000).into()).0,
        Passage::Link(Fate::TooLong)
    );
    assert_eq!(
        home.pass(home.public, (ROUTER, 4000).into()).0,
        Passage::Link(Fate::Carried)
    );
    home.network.set_all_links(&LinkConfig {
        mtu: 0,
        ..LinkConfig::default()
    });
    assert_eq!(
        home.pass(home.public, (ROUTER, 4000).into()).0,
        Passage::Link(Fate::TooLong)
    );
}

/// Where an arrival ends, whatever way it still has to go.
fn land(network: &mut Network, arrival: Arrival) -> Option<(HostId, Packet)> {
    let mut arrivals = vec![arrival];
    while let Some(next) = arrivals.pop() {
        let onward = |arrival| arrivals.push(arrival);
        match network.land(next.time, next.place, next.packet, onward) {
            Landing::Host(host, packet) => return Some((host, packet)),
            Landing::Onward | Landing::Nobody => {}
        }
    }
    None
}
