use std::collections::BTreeMap;
use std::net::{Ipv4Addr, SocketAddr};
use std::sync::Arc;
use std::time::Duration;

use keyway_handshake::Role;
use keyway_identity::{NodeId, SecretKey};
use keyway_transport::{
    Association, AssociationConfig, AssociationEvent, Batch, Incarnations, MemoryBudget,
    ReceiveError, Route,
};
use keyway_wire::{Cid, Packet, ServiceName, Slot, StreamId, StreamKind, Time};

use super::peer::{Peer, session};

/// The id that the peer's packets carry.
pub(super) const VICTIM_CID: Cid = Cid::new([0xaa; 7]);

/// The id that the victim's first packets carry. Those that follow are the peer's to issue.
const PEER_CID: Cid = Cid::new([0xbb; 7]);

/// Octets to an address that has proved nothing, for each octet from there (RFC 9000, 8).
const AMPLIFICATION_MAX: usize = 3;

/// Calls of one kind after which an association is held to do it for ever.
const CALLS_MAX: usize = 10_000;

/// Streams and flows that the user keeps in mind.
const STREAMS_MAX: usize = 64;

/// Whether a packet has been heard before.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Age {
    New,
    Old,
}

/// An association under attack, with a user, and a ledger of what must never happen.
pub(super) struct Victim {
    association: Association,
    now: Time,
    batch: Batch,
    streams: Vec<(StreamId, StreamKind)>,
    /// Octets from and to each address that was not asked for anything.
    strangers: BTreeMap<SocketAddr, (usize, usize)>,
    next_cid: u32,
    ended: bool,
}

impl Victim {
    pub(super) fn new() -> Self {
        let config = Arc::new(AssociationConfig::default());
        let parameters = config.parameters();
        let now = Time::from_micros(1_000_000);
        let incarnations = Incarnations {
            local: 1,
            remote: 2,
        };
        let mut association = Association::new(
            now,
            config,
            &MemoryBudget::new(1 << 30),
            node(0xaa),
            node(0xbb),
            incarnations,
            VICTIM_CID,
            PEER_CID,
            parameters,
            [3; 32],
        );
        let (slot, theirs) = (Slot::ALL[0], Slot::ALL[1]);
        association.install(now, session(Role::Responder), 1, slot, theirs, &[route(0)]);
        Self {
            association,
            now,
            batch: Batch::new(),
            streams: Vec::new(),
            strangers: BTreeMap::new(),
            next_cid: 0,
            ended: false,
        }
    }

    /// Takes a packet from one of the peer's addresses: a new one, or one that was heard before.
    pub(super) fn hear(&mut self, from: usize, packet: &[u8], age: Age) {
        let (now, route) = (self.now, route(from));
        let mut octets = packet.to_vec();
        let result = self
            .association
            .handle_data(now, route, None, None, &mut octets);
        self.association.batch_done(now);
        if from != 0 {
            self.strangers.entry(address(from)).or_default().0 += packet.len();
        }
        match result {
            Ok(()) => assert_eq!(age, Age::New, "a packet was accepted twice"),
            // What these keys have sealed is authentic as long as there are keys.
            Err(ReceiveError::Malformed(_) | ReceiveError::Unauthenticated(_)) => {
                panic!("{result:?}")
            }
            Err(_) => {}
        }
    }

    pub(super) fn pause(&mut self, milliseconds: u16) {
        self.now += Duration::from_millis(u64::from(milliseconds));
    }

    pub(super) fn open(&mut self, how: u8) {
        let kind = match how % 2 {
            0 => StreamKind::Bytes,
            _ => StreamKind::Datagrams,
        };
        if let Ok(stream) = self.association.open(kind, &service()) {
            self.keep(stream, kind);
        }
    }

    pub(super) fn write(&mut self, which: u8, octets: u16) {
        if let Some((stream, StreamKind::Bytes)) = self.stream(which) {
            let data = vec![0x55; usize::from(octets)];
            let written = self.association.write(stream, &data);
            assert!(written.unwrap_or(0) <= data.len());
        }
    }

    pub(super) fn end_stream(&mut self, which: u8, how: u8) {
        let Some((stream, _)) = self.stream(which) else {
            return;
        };
        match how % 3 {
            0 => self.association.finish(stream),
            1 => self.association.reset(stream, u64::from(how)),
            _ => self.association.stop(stream, u64::from(how)),
        }
    }

    pub(super) fn read(&mut self, which: u8, octets: u16) {
        if let Some((stream, StreamKind::Bytes)) = self.stream(which) {
            let mut data = vec![0; usize::from(octets)];
            let read = self.association.read(stream, &mut data);
            assert!(read.unwrap_or(0) <= data.len());
        }
    }

    pub(super) fn exchange_datagrams(&mut self, which: u8, octets: u16) {
        if let Some((flow, StreamKind::Datagrams)) = self.stream(which) {
            let data = vec![0x66; usize::from(octets)];
            let fits = data.len() <= self.association.max_datagram();
            let sent = self.association.send_datagram(flow, &data);
            assert!(fits || sent.is_err(), "a datagram that no packet holds");
            let mut count = 0;
            while self.association.recv_datagram(flow).is_some() {
                count += 1;
                assert!(count < CALLS_MAX, "datagrams without end");
            }
        }
    }

    pub(super) fn ping(&mut self) {
        self.association.ping(self.now);
    }

    /// What a node does with addresses: adds, probes and forgets routes. Those it asks for are no strangers.
    pub(super) fn use_routes(&mut self, how: u8) {
        let which = usize::from(how % 4);
        match how / 4 % 3 {
            0 => self.association.add_route(self.now, route(3 + which)),
            1 => self.association.probe(self.now, route(3 + which)),
            _ => self.association.remove_route(self.now, route(which)),
        }
    }

    pub(super) fn close(&mut self, code: u8) {
        self.association.close(self.now, u64::from(code), "enough");
    }

    /// Lets the association do all that it wants at this time, and checks that this has an end.
    pub(super) fn settle(&mut self, peer: &mut Peer) {
        for _ in 0..CALLS_MAX {
            let sent = self.send(peer);
            let heard = self.react();
            let due = self
                .association
                .poll_timeout()
                .is_some_and(|at| at <= self.now);
            if due {
                self.association.handle_timeout(self.now);
            }
            if !sent && !heard && !due {
                return;
            }
        }
        panic!("it comes to no rest");
    }

    /// Sends one batch, if there is something.
    fn send(&mut self, peer: &mut Peer) -> bool {
        let Some(transmit) = self.association.poll_transmit(self.now, &mut self.batch) else {
            return false;
        };
        let octets = self.batch.bytes();
        assert_eq!(octets.len(), transmit.len);
        if let Route::Direct { remote } = transmit.route
            && let Some((from, to)) = self.strangers.get_mut(&remote)
        {
            *to += octets.len();
            assert!(
                *to <= AMPLIFICATION_MAX * *from,
                "{to} octets to {remote} for {from} from there"
            );
        }
        for packet in octets.chunks(transmit.segment_size) {
            let Ok(Packet::Data(header)) = Packet::parse(packet) else {
                panic!("it sends what is no data packet");
            };
            // The sequences of ids that the peer issued later are its own affair.
            if header.cid == PEER_CID {
                peer.see(0, header.number);
            }
        }
        true
    }

    /// Takes all events. Whether there were any.
    fn react(&mut self) -> bool {
        let mut count = 0;
        while let Some(event) = self.association.poll_event() {
            count += 1;
            assert!(count < CALLS_MAX, "events without end");
            assert!(!self.ended, "{event:?} after the end");
            #[expect(
                clippy::wildcard_enum_match_arm,
                reason = "this user does without the others"
            )]
            match event {
                AssociationEvent::Opened { stream, kind, .. } => self.keep(stream, kind),
                AssociationEvent::CidWanted => self.issue_cid(),
                AssociationEvent::Ended(_) => self.ended = true,
                _ => {}
            }
        }
        count > 0
    }

    fn issue_cid(&mut self) {
        self.next_cid += 1;
        let [a, b, c, d] = self.next_cid.to_be_bytes();
        self.association
            .issue_cid(Cid::new([0xaa, 0xaa, 0xaa, a, b, c, d]));
    }

    fn keep(&mut self, stream: StreamId, kind: StreamKind) {
        if self.streams.len() < STREAMS_MAX {
            self.streams.push((stream, kind));
        }
    }

    fn stream(&self, which: u8) -> Option<(StreamId, StreamKind)> {
        let index = usize::from(which).checked_rem(self.streams.len())?;
        Some(self.streams[index])
    }
}

fn node(octet: u8) -> NodeId {
    SecretKey::from_bytes([octet; 32]).node_id()
}

fn service() -> ServiceName {
    "echo".parse().expect("a service name")
}

fn address(which: usize) -> SocketAddr {
    let port = u16::try_from(which).expect("few addresses");
    SocketAddr::from((Ipv4Addr::new(192, 0, 2, 1), 4_000 + port))
}

fn route(which: usize) -> Route {
    Route::Direct {
        remote: address(which),
    }
}
