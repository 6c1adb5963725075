use std::cell::RefCell;
use std::ops::Range;
use std::time::Duration;

use aws_lc_rs::{digest, hmac};
use keyway_handshake::{
    Dial, HandshakeError, InitPayload, LocalIdentity, TransportParameters, read_init,
};
use keyway_identity::{NodeId, SecretKey};
use keyway_wire::{Cid, MAC_LEN, Packet, Slot};
use rand_chacha::ChaCha20Rng;
use rand_core::SeedableRng;

thread_local! {
    /// Two nodes, made once: their keys cost more than an input.
    static NODES: RefCell<Nodes> = RefCell::new(Nodes::new());
}

struct Nodes {
    responder: LocalIdentity,
    dialler: NodeId,
    /// Waits for a RESP that nobody but the responder can make.
    dial: Dial,
}

/// Octets of a RESP that hold its receiver's CID.
const RECEIVER: Range<usize> = 10..17;

/// Where a pending dial receives.
const CID: Cid = Cid::new([0xc1; 7]);

/// A handshake packet from somebody who knows the node ids and no secret: a correct `mac1` opens no door.
///
/// Of the first octet, bit 0 says whether the input gets the `mac1` of its receiver, bit 1 whether it gets the CID that a
/// pending dial waits for. What comes after it is the packet.
pub fn handshake(data: &[u8]) {
    let Some((&how, packet)) = data.split_first() else {
        return;
    };
    NODES.with_borrow_mut(|nodes| nodes.take(how, packet.to_vec()));
}

impl Nodes {
    fn new() -> Self {
        let identity = |octet| LocalIdentity::new(&SecretKey::from_bytes([octet; 32]));
        let (responder, dialler) = (identity(0xbb), identity(0xaa));
        let says = InitPayload {
            initiator: dialler.node_id(),
            versions: vec![1],
            epoch: 1,
            instance: 2,
            counter: 3,
            generation: 0,
            incarnation: 4,
            remembered: None,
            slot: Slot::ALL[0],
            parameters: TransportParameters {
                max_data: 1 << 20,
                max_stream_data: 1 << 20,
                max_streams: 100,
                max_datagram: 0,
                max_udp_payload: 1_452,
                max_ack_delay: Duration::from_millis(25),
            },
        };
        let mut random = ChaCha20Rng::from_seed([1; 32]);
        let dial = Dial::new(&dialler, &responder.node_id(), CID, &says, &mut random)
            .expect("a payload as nodes send it");
        Self {
            dialler: dialler.node_id(),
            responder,
            dial,
        }
    }

    fn take(&mut self, how: u8, mut packet: Vec<u8>) {
        let (is_init, is_resp) = match Packet::parse(&packet) {
            Ok(parsed) => (
                matches!(parsed, Packet::Init(_)),
                matches!(parsed, Packet::Resp(_)),
            ),
            Err(_) => (false, false),
        };
        if is_resp && how & 2 != 0 {
            packet[RECEIVER].copy_from_slice(CID.as_bytes());
        }
        let receiver = if is_resp {
            self.dialler
        } else {
            self.responder.node_id()
        };
        if (is_init || is_resp) && how & 1 != 0 {
            finish(&receiver, &mut packet);
        }
        self.refuse(&packet);
    }

    /// Neither side takes it, and the pending dial still waits.
    fn refuse(&mut self, packet: &[u8]) {
        // The vectors have the one INIT that was made with a key. It names the true responder.
        if let Ok(incoming) = read_init(&self.responder, packet) {
            assert_eq!(incoming.peer(), self.dialler, "an INIT out of nothing");
        }
        match self.dial.read_response(packet) {
            Ok(_) => panic!("a RESP out of nothing"),
            Err(HandshakeError::Finished) => panic!("the dial was ended by a forgery"),
            Err(_) => {}
        }
    }
}

/// Puts the `mac1` there that PROTOCOL.md describes: anybody can who knows the receiver's node id.
fn finish(receiver: &NodeId, packet: &mut [u8]) {
    let label = [&b"keyway v1 mac1"[..], receiver.as_bytes()].concat();
    let key = digest::digest(&digest::SHA256, &label);
    let key = hmac::Key::new(hmac::HMAC_SHA256, key.as_ref());
    let at = packet.len() - 2 * MAC_LEN;
    let tag = hmac::sign(&key, &packet[..at]);
    packet[at..at + MAC_LEN].copy_from_slice(&tag.as_ref()[..MAC_LEN]);
}
