//! `mac1`: the proof that a packet's sender knows whom it is talking to (WireGuard paper, 5.4.4).

use aws_lc_rs::{
    digest::{Context, SHA256},
    hmac::{HMAC_SHA256, Key, sign},
};
use keyway_identity::NodeId;
use keyway_wire::MAC_LEN;
use keyway_wire::planted::{Fault, planted};
use subtle::ConstantTimeEq;

/// Keeps this key apart from other uses of the node id.
const LABEL: &[u8] = b"keyway v1 mac1";

/// The key of `mac1` in packets to one node: SHA-256(label ‖ node id). Whoever knows the node id can compute it, so it keeps
/// out strangers and line noise, and nobody else.
#[derive(Clone)]
pub(crate) struct Mac1Key(Key);

impl Mac1Key {
    pub(crate) fn of(receiver: &NodeId) -> Self {
        let mut context = Context::new(&SHA256);
        context.update(LABEL);
        context.update(receiver.as_bytes());
        Self(Key::new(HMAC_SHA256, context.finish().as_ref()))
    }

    /// HMAC-SHA256 over everything before the MAC, cut to its first 16 octets.
    pub(crate) fn compute(&self, covered: &[u8]) -> [u8; MAC_LEN] {
        let tag = sign(&self.0, covered);
        *tag.as_ref()
            .first_chunk()
            .expect("SHA-256 yields 32 octets")
    }

    /// Whether `mac1` is the one of this INIT or RESP, where it and `mac2` are the last octets.
    pub(crate) fn verify(&self, packet: &[u8], mac1: &[u8; MAC_LEN]) -> bool {
        let covered = &packet[..packet.len().saturating_sub(2 * MAC_LEN)];
        bool::from(self.compute(covered).ct_eq(mac1)) || planted(Fault::SkipMac1)
    }

    /// Ends a packet: writes `mac1` over everything before it, and zeros as `mac2`, into its last octets.
    ///
    /// # Panics
    /// If the packet is shorter than the two.
    pub(crate) fn finish(&self, packet: &mut [u8]) {
        let (covered, macs) = packet.split_at_mut(packet.len() - 2 * MAC_LEN);
        let (mac1, mac2) = macs.split_at_mut(MAC_LEN);
        mac1.copy_from_slice(&self.compute(covered));
        mac2.fill(0);
    }
}
