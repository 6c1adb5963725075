//! A peer that follows no rules: it makes handshakes and packets by hand.
#![expect(
    clippy::unwrap_used,
    reason = "a test stops where something is not as it should be"
)]

use keyway_handshake::{
    Dial, InitPayload, LocalIdentity, RespPayload, Session, TransportParameters, read_init,
};
use keyway_identity::{NodeId, SecretKey};
use keyway_node::AssociationConfig;
use keyway_wire::{
    Candidate, Cid, CidSequence, DATA_HEADER_LEN, DataHeader, Frame, Resp, Slot, TAG_LEN,
    emit_candidates,
};
use rand_chacha::ChaCha20Rng;
use rand_core::SeedableRng;

/// One key, and the session that it made last.
pub(crate) struct Puppet {
    identity: LocalIdentity,
    pub(crate) id: NodeId,
    rng: ChaCha20Rng,
    pub(crate) cid: Cid,
    dial: Option<Dial>,
    session: Option<(Session, Cid, Slot)>,
    next_number: u64,
    pub(crate) counter: u64,
    pub(crate) generation: u64,
    pub(crate) incarnation: u64,
}

fn parameters() -> TransportParameters {
    AssociationConfig::default().parameters()
}

impl Puppet {
    pub(crate) fn new(seed: u8) -> Self {
        Self::with_key([seed; 32])
    }

    pub(crate) fn with_key(seed: [u8; 32]) -> Self {
        let secret = SecretKey::from_bytes(seed);
        Self {
            identity: LocalIdentity::new(&secret),
            id: secret.node_id(),
            rng: ChaCha20Rng::from_seed(seed),
            cid: Cid::new([seed[0]; Cid::LEN]),
            dial: None,
            session: None,
            next_number: 0,
            counter: 0,
            generation: 0,
            incarnation: 77,
        }
    }

    /// A new INIT to that node.
    pub(crate) fn init(&mut self, to: NodeId) -> Vec<u8> {
        self.counter += 1;
        let payload = InitPayload {
            initiator: self.id,
            versions: vec![1],
            epoch: 1,
            instance: 1,
            counter: self.counter,
            generation: self.generation,
            incarnation: self.incarnation,
            remembered: None,
            slot: Slot::ALL[0],
            parameters: parameters(),
        };
        let dial = Dial::new(&self.identity, &to, self.cid, &payload, &mut self.rng).unwrap();
        let packet = dial.packet().to_vec();
        self.dial = Some(dial);
        packet
    }

    /// The last INIT with the cookie of this COOKIE; nothing if that does not answer it.
    pub(crate) fn with_cookie(&self, packet: &[u8]) -> Vec<u8> {
        let dial = self.dial.as_ref().unwrap();
        match dial.read_cookie(packet) {
            Ok(cookie) => dial.packet_with(&cookie).to_vec(),
            Err(_) => Vec::new(),
        }
    }

    /// Takes the answer to the last INIT.
    pub(crate) fn take_resp(&mut self, packet: &[u8]) {
        let (resp, cid, session) = self.dial.as_mut().unwrap().read_response(packet).unwrap();
        self.session = Some((session, cid, resp.slot));
        self.next_number = 0;
    }

    /// Answers an INIT.
    pub(crate) fn answer(&mut self, init: &[u8]) -> Vec<u8> {
        let incoming = read_init(&self.identity, init).unwrap();
        let (cid, slot) = (incoming.sender(), incoming.payload().slot);
        let payload = RespPayload {
            versions: vec![1],
            epoch: 1,
            instance: 1,
            incarnation: self.incarnation,
            slot: Slot::ALL[0],
            parameters: parameters(),
        };
        let (packet, session) = incoming.respond(self.cid, &payload, &mut self.rng).unwrap();
        assert!(Resp::parse(&packet).is_ok());
        self.session = Some((session, cid, slot));
        self.next_number = 0;
        packet
    }

    /// What is in a packet to the CID of this sequence, if it is one of the last session.
    pub(crate) fn open(&mut self, sequence: CidSequence, packet: &[u8]) -> Option<Vec<u8>> {
        let header = DataHeader::parse(packet).ok()?;
        let (session, ..) = self.session.as_mut().unwrap();
        let mut sealed = packet[DATA_HEADER_LEN..].to_vec();
        let opened = session.open(
            header.phase,
            &packet[..DATA_HEADER_LEN],
            sequence,
            header.number,
            &mut sealed,
        );
        Some(opened.ok()?.payload.to_vec())
    }

    /// A packet of these frames, under the first CID that the other side gave.
    pub(crate) fn packet(&mut self, frames: &[Frame<'_>]) -> Vec<u8> {
        let mut payload = Vec::new();
        for frame in frames {
            let mut octets = vec![0; frame.len()];
            frame.emit(&mut octets);
            payload.extend_from_slice(&octets);
        }
        self.packet_of(&payload)
    }

    /// A packet that tells these candidates.
    pub(crate) fn candidates(&mut self, sequence: u64, list: &[Candidate]) -> Vec<u8> {
        let mut payload = vec![0; 1000];
        let len = emit_candidates(&mut payload, sequence, list);
        payload.truncate(len);
        self.packet_of(&payload)
    }

    /// A packet of these octets, under the first CID that the other side gave.
    pub(crate) fn packet_of(&mut self, payload: &[u8]) -> Vec<u8> {
        let (session, cid, slot) = self.session.as_mut().unwrap();
        let number = self.next_number;
        self.next_number += 1;
        let header = DataHeader {
            slot: *slot,
            phase: session.send_phase(),
            cid: *cid,
            number,
        };
        let mut packet = vec![0; DATA_HEADER_LEN];
        header.emit(&mut packet);
        packet.extend_from_slice(payload);
        packet.resize(packet.len() + TAG_LEN, 0);
        let (header, payload) = packet.split_at_mut(DATA_HEADER_LEN);
        session
            .seal(header, CidSequence(0), number, payload)
            .unwrap();
        packet
    }
}
