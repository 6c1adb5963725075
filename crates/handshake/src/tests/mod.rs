//! Whole handshakes, honest and otherwise.

mod acquaintances;
mod completing;
mod cookies;
mod forged;
mod identities;
mod payloads;
mod vectors;

use std::{convert::Infallible, time::Duration};

use keyway_identity::{NodeId, SecretKey};
use keyway_wire::{Cid, CidSequence, Slot, TAG_LEN};
use rand_chacha::ChaCha20Rng;
use rand_core::{SeedableRng, TryCryptoRng, TryRng};

use crate::{
    Dial, InitPayload, LocalIdentity, OpenError, RespPayload, Session, TransportParameters,
    read_init,
};

pub(crate) const ALICE: Cid = Cid::new([0xa1, 1, 2, 3, 4, 5, 6]);
pub(crate) const BOB: Cid = Cid::new([0xb0, 6, 5, 4, 3, 2, 1]);

pub(crate) fn local(seed: u8) -> LocalIdentity {
    LocalIdentity::new(&SecretKey::from_bytes([seed; 32]))
}

/// Alice, who dials.
pub(crate) fn alice() -> LocalIdentity {
    local(0xaa)
}

/// Bob, who is dialled.
pub(crate) fn bob() -> LocalIdentity {
    local(0xbb)
}

pub(crate) fn rng(seed: u64) -> ChaCha20Rng {
    ChaCha20Rng::seed_from_u64(seed)
}

pub(crate) fn parameters() -> TransportParameters {
    TransportParameters {
        max_data: 1 << 20,
        max_stream_data: 1 << 20,
        max_streams: 100,
        max_datagram: 1_100,
        max_udp_payload: 65_507,
        max_ack_delay: Duration::from_millis(25),
    }
}

pub(crate) fn init_payload(initiator: NodeId) -> InitPayload {
    InitPayload {
        initiator,
        versions: vec![1],
        epoch: 3,
        instance: 0x1111_2222_3333_4444,
        counter: 1,
        generation: 0,
        incarnation: 0x5555_6666_7777_8888,
        remembered: None,
        slot: Slot::ALL[1],
        parameters: parameters(),
    }
}

pub(crate) fn resp_payload() -> RespPayload {
    RespPayload {
        versions: vec![1],
        epoch: 4,
        instance: 0x9999_aaaa_bbbb_cccc,
        incarnation: 0xdddd_eeee_ffff_0000,
        slot: Slot::ALL[2],
        parameters: parameters(),
    }
}

/// Alice dials Bob.
pub(crate) fn dial(seed: u64) -> Dial {
    let alice = alice();
    Dial::new(
        &alice,
        &bob().node_id(),
        ALICE,
        &init_payload(alice.node_id()),
        &mut rng(seed),
    )
    .unwrap()
}

/// Bob answers.
pub(crate) fn answer(init: &[u8], seed: u64) -> (Vec<u8>, Session) {
    read_init(&bob(), init)
        .unwrap()
        .respond(BOB, &resp_payload(), &mut rng(seed))
        .unwrap()
}

/// Whether these are the two ends of one handshake.
pub(crate) fn assert_pair(one: &mut Session, other: &mut Session) {
    assert_eq!(one.hash(), other.hash());
    assert_ne!(one.role(), other.role());
    assert_eq!(carry(one, other), Ok(b"payload".to_vec()));
    assert_eq!(carry(other, one), Ok(b"payload".to_vec()));
}

pub(crate) fn carry(from: &mut Session, to: &mut Session) -> Result<Vec<u8>, OpenError> {
    let mut packet = [&b"payload"[..], &[0; TAG_LEN]].concat();
    from.seal(b"header", CidSequence(0), 0, &mut packet)
        .unwrap();
    to.open(from.send_phase(), b"header", CidSequence(0), 0, &mut packet)
        .map(|opened| opened.payload.to_vec())
}

/// A generator that gives the same 32 octets again and again: for vectors.
pub(crate) struct FixedRng(pub(crate) [u8; 32]);

impl TryRng for FixedRng {
    type Error = Infallible;

    fn try_next_u32(&mut self) -> Result<u32, Infallible> {
        Ok(u32::from_le_bytes(*self.0.first_chunk().unwrap()))
    }

    fn try_next_u64(&mut self) -> Result<u64, Infallible> {
        Ok(u64::from_le_bytes(*self.0.first_chunk().unwrap()))
    }

    fn try_fill_bytes(&mut self, out: &mut [u8]) -> Result<(), Infallible> {
        out.chunks_mut(32)
            .for_each(|chunk| chunk.copy_from_slice(&self.0[..chunk.len()]));
        Ok(())
    }
}

impl TryCryptoRng for FixedRng {}
