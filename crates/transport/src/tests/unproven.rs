//! Addresses that packets seem to come from: until one has proved itself, it gets little and takes nothing over.

use std::time::Duration;

use keyway_wire::{Frame, Frames};

use super::link::{Delivery, Faults, Side};
use super::pair::Pair;
use super::paths::{MIB, SECOND, finish, relayed_first};
use super::{address, direct, seeds};
use crate::{AssociationConfig, AssociationEvent, Route};

// F5, R8.9, R8.10
#[test]
fn the_answer_to_a_copied_challenge_counts_with_the_probes_that_follow() {
    for seed in seeds(6) {
        let mut pair = Pair::new(seed, vec![direct(Faults::none(20))]);
        pair.transfer(20_000, 60 * SECOND);
        pair.run_for(SECOND);
        let forged = Route::Direct {
            remote: address(66, 666),
        };
        let challenge = [[0x1a, 1, 2, 3, 4, 5, 6, 7, 8].as_slice(), &[0; 1159]].concat();
        assert!(matches!(
            Frames::new(&challenge).next(),
            Some(Ok(Frame::PathChallenge(_)))
        ));
        let now = pair.now;
        let mut packet = pair.a.association.seal_frames(now, &challenge);
        let (came, b) = (packet.len(), &mut pair.b.association);
        b.handle_data(now, forged, None, None, &mut packet).unwrap();
        let before = pair.network.traffic(Side::B).astray;
        // A node looks for the peer wherever authentic packets come from.
        for _ in 0..8 {
            let now = pair.now;
            pair.b.association.probe_back(now, forged);
            pair.run_for(SECOND / 4);
        }
        let sent = pair.network.traffic(Side::B).astray - before;
        assert!((1..=3 * came as u64).contains(&(sent as u64)), "{sent}");
    }
}

// F5, R8.10
#[test]
fn an_address_that_did_not_answer_gets_at_most_three_times_what_came() {
    let mut pair = Pair::new(1, vec![direct(Faults::none(15))]);
    pair.run_for(SECOND);
    pair.b.send_stream(4 * MIB);
    let forged = Route::Direct {
        remote: address(66, 666),
    };
    let before = pair.network.traffic(Side::B).astray;
    // A real packet of A's is diverted: it arrives from elsewhere only, again and again, and nobody answers there.
    let mut diverted = 0;
    for _ in 0..50 {
        pair.run_for(Duration::from_millis(5));
        if let Some((at, latest)) = pair.network.take_latest_to(Side::B) {
            diverted += latest.packet.len() as u64;
            pair.network.deliver(
                at,
                Delivery {
                    route: forged,
                    ..latest
                },
            );
        }
    }
    pair.run_for(10 * SECOND);
    let astray = pair.network.traffic(Side::B).astray - before;
    assert!(
        astray > 0 && astray <= 3 * diverted,
        "{astray} for {diverted}"
    );
    assert_ne!(pair.b.selected(), Some(forged));
}

/// A handshake whose INIT came over both links, so that RESP went to both.
fn answered_on_both(faults: Faults) -> Pair {
    let mut links = relayed_first(faults);
    links.swap(0, 1);
    let mut pair = Pair::without_session(1, links, AssociationConfig::default());
    let routes = [pair.network.links[0].at_b, pair.network.links[1].at_b];
    pair.shake(1, &routes);
    pair
}

// F5, R8.8
#[test]
fn a_responder_that_is_not_sure_of_the_address_answers_at_once_and_asks() {
    let mut pair = answered_on_both(Faults::none(20));
    let start = pair.now;
    let (from_a, from_b) = pair.start_transfer(2000);
    let done = pair.run_until(SECOND, |pair| pair.has_arrived(from_a, from_b, 2000));
    assert!(done, "{}", pair.describe());
    assert_eq!(
        pair.now.saturating_since(start),
        Duration::from_millis(40),
        "no round trip is lost"
    );
    pair.run_for(SECOND);
    let validated = pair
        .b
        .association
        .paths()
        .filter(|path| path.validated)
        .count();
    assert_eq!(validated, 2, "and the relay is at hand as well");
    assert!(pair.b.selected().unwrap().is_direct());
}

// F5, R8.8, R8.10
#[test]
fn a_responder_that_is_not_sure_of_the_address_sends_no_more_than_three_times_what_came() {
    let mut pair = answered_on_both(Faults::none(20));
    pair.b.send_stream(MIB);
    // The second packet, a full one, comes from an address where nobody is, and nothing else comes.
    pair.settle();
    pair.a.send_stream(1_100);
    pair.settle();
    let forged = Route::Direct {
        remote: address(66, 6),
    };
    let (at, second) = pair.network.take_latest_to(Side::B).unwrap();
    let size = second.packet.len() as u64;
    assert!(size > 1_000, "{size}");
    pair.network
        .links
        .iter_mut()
        .for_each(|link| link.cut(true));
    pair.network.links[0].at_b = forged;
    pair.network.links[0].cut_from_a = false;
    pair.network.deliver(
        at,
        Delivery {
            route: forged,
            ..second
        },
    );
    pair.run_until(SECOND, |pair| pair.b.association.is_confirmed());
    pair.network.links[0].cut(true);
    pair.run_for(10 * SECOND);
    let sent = pair.network.traffic_to(Side::B, forged);
    assert!(sent > 2 * size && sent <= 3 * size, "{sent} for {size}");
}

// F5
#[test]
fn copies_of_an_init_from_elsewhere_bring_that_address_no_more_than_what_they_allow() {
    let mut pair = Pair::new(1, vec![direct(Faults::none(10))]);
    pair.transfer(1000, 10 * SECOND);
    let forged = Route::Direct {
        remote: address(99, 1),
    };
    // The INIT came from its sender, and a copy of it from somebody else; both were answered.
    let own = pair.network.links[0].at_b;
    pair.shake(2, &[own, forged]);
    pair.start_transfer(MIB);
    pair.run_for(60 * SECOND);
    let to_forged = pair.network.traffic_to(Side::B, forged);
    assert!(to_forged > 0, "it might be a way to the peer");
    assert!(
        to_forged <= 2 * keyway_wire::INIT_LEN as u64,
        "{to_forged} octets"
    );
}

// F5, M3
#[test]
fn where_packets_seemed_to_come_from_gets_three_times_their_octets_at_most() {
    let mut pair = Pair::new(1, vec![direct(Faults::none(10))]);
    pair.transfer(1000, 10 * SECOND);
    let forged = Route::Direct {
        remote: address(99, 1),
    };
    // Nothing came from there: there is nothing to send back.
    pair.b.association.probe_back(pair.now, forged);
    pair.run_for(SECOND);
    assert_eq!(pair.network.traffic_to(Side::B, forged), 0);
    // A packet of A's is copied, and the copy is first.
    let now = pair.now;
    pair.a.association.ping(now);
    let mut batch = crate::Batch::new();
    assert!(pair.a.association.poll_transmit(now, &mut batch).is_some());
    let mut copy = batch.bytes().to_vec();
    let octets = copy.len();
    let taken = pair
        .b
        .association
        .handle_data(now, forged, None, None, &mut copy);
    assert_eq!(taken, Ok(()));
    pair.b.association.batch_done(now);
    for _ in 0..12 {
        pair.b.association.probe_back(pair.now, forged);
        pair.run_for(Duration::from_millis(700));
    }
    let sent = pair.network.traffic_to(Side::B, forged);
    assert!(sent <= 3 * octets as u64, "{sent} octets for {octets}");
}

// M3, R8.12: copies of A's packets reach B first, from an address that is not A's.
#[test]
fn copies_from_a_forged_source_do_not_take_the_path_over() {
    for seed in seeds(10) {
        let mut pair = Pair::new(
            seed,
            vec![direct(Faults {
                rate: 2_000_000,
                queue: 200_000,
                ..Faults::none(15)
            })],
        );
        let forged = Route::Direct {
            remote: address(66, 666),
        };
        let octets = 4 * MIB;
        let streams = pair.start_transfer(octets);
        for _ in 0..40 {
            pair.network.recording = Some(Vec::new());
            pair.run_for(Duration::from_millis(20));
            // The latest packet from A that is still under way is overtaken by its copy.
            let (at, latest) = pair
                .network
                .latest_to(Side::B)
                .expect("there is always one");
            let early = at - Duration::from_millis(1);
            pair.network.deliver(
                early.max(pair.now + Duration::from_micros(1)),
                Delivery {
                    route: forged,
                    ..latest
                },
            );
        }
        let stall = finish(&mut pair, streams, octets);
        assert!(stall < Duration::from_millis(500), "seed {seed}: {stall:?}");
        assert_ne!(pair.b.selected(), Some(forged));
        assert_eq!(pair.b.count(|event| matches!(event, AssociationEvent::Selected { route, .. } if *route == forged)), 0);
        let copied = 40 * 1452;
        assert!(
            pair.network.traffic(Side::B).astray <= 3 * copied,
            "{:?}",
            pair.network.traffic(Side::B)
        );
        assert!(
            pair.b
                .count(|event| *event == AssociationEvent::ProbedFrom(forged))
                > 0
        );
    }
}
