//! This node's side of every handshake.

use std::{fmt, sync::Arc};

use keyway_identity::{NodeId, SecretKey};
use keyway_wire::Packet;

use crate::{cookie::CookieKey, mac::Mac1Key, noise::static_key::StaticKey};

/// A node's own static identity, ready for use: made once, used for each handshake.
///
/// Holds the X25519 form of the secret key inside the cryptographic library, which wipes it. It also holds what that key and those of
/// peers of late agree on, which makes the next handshake with them cheaper; that is wiped when it goes.
pub struct LocalIdentity {
    node_id: NodeId,
    pub(crate) static_key: Arc<StaticKey>,
    pub(crate) mac1: Mac1Key,
    pub(crate) cookie: CookieKey,
}

impl LocalIdentity {
    /// Computes what every handshake of this key needs.
    #[must_use]
    pub fn new(secret_key: &SecretKey) -> Self {
        let node_id = secret_key.node_id();
        Self {
            node_id,
            static_key: Arc::new(StaticKey::new(&secret_key.to_x25519())),
            mac1: Mac1Key::of(&node_id),
            cookie: CookieKey::of(&node_id),
        }
    }

    /// What others know this node by.
    #[must_use]
    pub fn node_id(&self) -> NodeId {
        self.node_id
    }
}

impl fmt::Debug for LocalIdentity {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("LocalIdentity")
            .field("node_id", &self.node_id)
            .finish_non_exhaustive()
    }
}

/// Whether an INIT or a RESP is addressed to this node: `mac1` verifies. False for any other packet.
///
/// One HMAC, no Diffie–Hellman: it comes first where many packets arrive. [`read_init`](crate::read_init) and
/// [`Dial::read_response`](crate::Dial::read_response) check it as well.
#[must_use]
pub fn check_mac1(local: &LocalIdentity, packet: &[u8]) -> bool {
    match Packet::parse(packet) {
        Ok(Packet::Init(init)) => local.mac1.verify(packet, init.mac1),
        Ok(Packet::Resp(resp)) => local.mac1.verify(packet, resp.mac1),
        Ok(Packet::Cookie(_) | Packet::Data(_) | Packet::Relay(_)) | Err(_) => false,
    }
}
