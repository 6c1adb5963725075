//! The Noise handshake of Keyway and its record layer: from a node id to keys, and from keys to sealed packets.
//!
//! ```text
//!    initiator                                     responder
//!
//!    Dial::new ──────── INIT, 1,120 octets ──────▶ read_init ──▶ Incoming
//!        │                                                          │ policy decides
//!    Dial::read_response ◀──── RESP, ≤ 1,120 ─────── Incoming::respond
//!        │                                                          │
//!        ▼                                                          ▼
//!    Session, used at once ──────── DATA ────────▶ Session, silent until it has opened a packet
//! ```
//!
//! ```
//! use std::time::Duration;
//!
//! use keyway_handshake::{Dial, InitPayload, LocalIdentity, RespPayload, TransportParameters, read_init};
//! use keyway_identity::SecretKey;
//! use keyway_wire::{Cid, CidSequence, Slot, TAG_LEN};
//! use rand_core::SeedableRng;
//!
//! # fn main() -> Result<(), Box<dyn std::error::Error>> {
//! # let mut rng = rand_chacha::ChaCha20Rng::seed_from_u64(1);
//! let alice = LocalIdentity::new(&SecretKey::generate(&mut rng));
//! let bob = LocalIdentity::new(&SecretKey::generate(&mut rng));
//! let parameters = TransportParameters {
//!     max_data: 1 << 20,
//!     max_stream_data: 1 << 20,
//!     max_streams: 100,
//!     max_datagram: 0,
//!     max_udp_payload: 1_452,
//!     max_ack_delay: Duration::from_millis(25),
//! };
//!
//! // Alice knows Bob's node id and nothing else.
//! let says = InitPayload {
//!     initiator: alice.node_id(),
//!     versions: vec![1],
//!     epoch: 1,
//!     instance: 0x6b65_7977,
//!     counter: 1,
//!     generation: 0,
//!     incarnation: 0x6179_2d61,
//!     remembered: None,
//!     slot: Slot::ALL[0],
//!     parameters,
//! };
//! let mut dial = Dial::new(&alice, &bob.node_id(), Cid::new([0, 1, 2, 3, 4, 5, 6]), &says, &mut rng)?;
//!
//! // Bob decides whether to answer, and is silent otherwise.
//! let incoming = read_init(&bob, dial.packet())?;
//! assert_eq!(incoming.peer(), alice.node_id());
//! let answers =
//!     RespPayload { versions: vec![1], epoch: 1, instance: 7, incarnation: 8, slot: Slot::ALL[0], parameters };
//! let (response, mut at_bob) = incoming.respond(Cid::new([0, 6, 5, 4, 3, 2, 1]), &answers, &mut rng)?;
//!
//! // Any number of forged responses may have come before the true one.
//! let (heard, cid, mut at_alice) = dial.read_response(&response)?;
//! assert_eq!((heard, cid.worker()), (answers, 0));
//!
//! let mut packet = [&b"hello"[..], &[0; TAG_LEN]].concat();
//! at_alice.seal(b"header", CidSequence(0), 0, &mut packet)?;
//! let opened = at_bob.open(false, b"header", CidSequence(0), 0, &mut packet)?;
//! assert_eq!(opened.payload, b"hello");
//! # Ok(())
//! # }
//! ```
//!
//! # What is fixed
//!
//! - `Noise_IKpsk2_25519_AESGCM_SHA256` (Noise rev 34) and nothing else; the preshared key is zeros. snow runs the pattern,
//!   aws-lc-rs computes. The prologue is `keyway`, the protocol version, and the responder's node id.
//! - The static key is the X25519 form of the node's Ed25519 key. Two node ids, of a key and of its negative, share one
//!   form, so the handshake names both sides by their node ids, and whoever keeps state keeps it by those.
//! - `mac1` ends both packets: HMAC-SHA256 under SHA-256(`keyway v1 mac1` ‖ the receiver's node id), over all octets before
//!   it, cut to 16. `mac2` is zeros, or in an INIT the answer to a COOKIE: [`Cookies`] at the responder, which keeps no
//!   state for it, and [`Dial::read_cookie`] at the initiator. When cookies are asked for is the node's decision.
//! - Payloads are `proto/handshake.proto`. The key schedule of a [`Session`] is HKDF with the labels `keyway v1 key`,
//!   `keyway v1 iv` and `keyway v1 phase`; `proto/vectors/handshake.json` has every step of one handshake.
//!
//! # What is promised
//!
//! - No packet makes anything here panic, and what is not authentic changes nothing but a count of failures.
//! - No Diffie–Hellman before `mac1`; no public key that is weak or not canonical, in any place; no result of zeros.
//! - An authentic INIT may still be a replay, and its sender may still be an impostor who has stolen the responder's key:
//!   nothing in it is worth acting upon before the session has opened a packet.
//! - Keys and secrets held here are wiped when dropped. snow's own hash chain is not (its state lives until RESP was
//!   read or written); it never sees the static private key.
//!
//! # What is left to others
//!
//! Retries, time limits, rate limits and policy; which INIT is a repetition (by [`digest`] and
//! [`InitPayload::counter`]); the choice among simultaneous sessions; packet numbers, replay windows, and when to ratchet.
//! There is no clock here, and randomness is an argument.

mod cookie;
mod dial;
mod error;
mod generated;
mod incoming;
mod local;
mod mac;
mod noise;
mod parameters;
mod payload;
mod session;
#[cfg(test)]
mod tests;

pub use self::{
    cookie::{Cookies, ReceivedCookie},
    dial::Dial,
    error::{HandshakeError, PayloadError},
    incoming::{Incoming, digest, read_init},
    local::{LocalIdentity, check_mac1},
    parameters::{ACK_DELAY_LIMIT, TransportParameters, UDP_PAYLOAD_MIN},
    payload::{InitPayload, RespPayload, VERSIONS_MAX},
    session::{
        FAILED_OPENS, Limits, OpenError, Opened, PACKETS_PER_PHASE, PACKETS_PER_PHASE_MAX, Role,
        SealError, Session,
    },
};
