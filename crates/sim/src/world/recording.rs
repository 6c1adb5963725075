//! What somebody who sees every packet keeps of them.

use std::collections::BTreeSet;
use std::hash::{DefaultHasher, Hash, Hasher};

use crate::network::Packet;

/// How many packets of those that went by are kept: the older half goes when there are more.
const PACKETS_MAX: usize = 16_384;

/// The first octet of a relayed packet, and the octets of a relay's header.
const RELAYED: u8 = 5;
const RELAY_HEADER: usize = 9;

/// Packets that arrived as they were made. Not those that a link damaged, be it on the way to a relay: damaging them again could
/// restore what was sent, which would be no forgery.
#[derive(Debug, Default)]
pub(super) struct Recording {
    made: BTreeSet<u64>,
    packets: Vec<Packet>,
}

impl Recording {
    /// A host made a packet and sent it.
    pub(super) fn made(&mut self, payload: &[u8]) {
        self.made.insert(digest(payload));
    }

    /// A packet arrived at a site.
    pub(super) fn arrived(&mut self, packet: &Packet) {
        if !self.made.contains(&digest(&packet.payload)) {
            return;
        }
        if self.packets.len() == PACKETS_MAX {
            self.packets.drain(..PACKETS_MAX / 2);
        }
        self.packets.push(packet.clone());
    }

    pub(super) fn packets(&self) -> &[Packet] {
        &self.packets
    }
}

/// Of a packet below the relay's header, which a relay changes.
fn digest(payload: &[u8]) -> u64 {
    let inner = match payload {
        [RELAYED, ..] => payload.get(RELAY_HEADER..).unwrap_or_default(),
        _ => payload,
    };
    let mut hasher = DefaultHasher::new();
    inner.hash(&mut hasher);
    hasher.finish()
}
