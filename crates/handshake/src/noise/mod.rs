//! Noise_IKpsk2 (Noise rev 34, 7.5 and 9.4), run by snow over the cryptography in this folder.

#[cfg(test)]
mod impostor;
#[cfg(test)]
mod lying;
mod resolver;
pub(crate) mod static_key;
mod symmetric;
#[cfg(test)]
mod vectors;
#[cfg(test)]
mod weak_static;
pub(crate) mod x25519;

use std::sync::Arc;

use keyway_identity::NodeId;
use keyway_wire::VERSION;
use rand_core::CryptoRng;
use snow::{Builder, HandshakeState};

use self::{
    resolver::{EphemeralSecret, Resolver},
    static_key::StaticKey,
    x25519::{Agreements, X25519_LEN},
};
use crate::{
    error::HandshakeError,
    session::{KEY_LEN, Role, Session},
};

/// The one suite there is.
const PROTOCOL: &str = "Noise_IKpsk2_25519_AESGCM_SHA256";

/// The preshared key of two sides that share none. The pattern has a place for one so that a later version can use it
/// without another pattern.
const NO_PSK: [u8; 32] = [0; 32];

/// Octets of Noise message 1 around its payload: the ephemeral key, the sealed static key, the payload's tag.
pub(crate) const MESSAGE_1_OVERHEAD: usize = X25519_LEN + X25519_LEN + 16 + 16;

/// Octets of Noise message 2 around its payload: the ephemeral key and the payload's tag.
pub(crate) const MESSAGE_2_OVERHEAD: usize = X25519_LEN + 16;

/// A handshake under way: between two messages, on either side.
pub(crate) struct Noise {
    state: HandshakeState,
    ephemeral: EphemeralSecret,
    static_key: Arc<StaticKey>,
    agreements: Agreements,
    role: Role,
}

impl Noise {
    /// The side that knows whom it wants to reach.
    pub(crate) fn initiator(static_key: &Arc<StaticKey>, responder: &NodeId) -> Self {
        Self::new(static_key, responder, Role::Initiator)
    }

    /// The side that is called by its own node id.
    pub(crate) fn responder(static_key: &Arc<StaticKey>, responder: &NodeId) -> Self {
        Self::new(static_key, responder, Role::Responder)
    }

    fn new(static_key: &Arc<StaticKey>, responder: &NodeId, role: Role) -> Self {
        let (ephemeral, agreements) = (EphemeralSecret::default(), Agreements::default());
        let resolver = Resolver {
            static_key: Arc::clone(static_key),
            ephemeral: ephemeral.clone(),
            agreements: agreements.clone(),
        };
        let prologue = prologue(responder);
        let remote = static_key.public_of(responder);
        // The resolver brings the static key; snow only has to know that there is one.
        let builder = PROTOCOL.parse().and_then(|params| {
            Builder::with_resolver(params, Box::new(resolver))
                .prologue(&prologue)?
                .local_private_key(&[])?
                .psk(2, &NO_PSK)
        });
        let state = builder.and_then(|builder| match role {
            Role::Initiator => builder.remote_public_key(&remote)?.build_initiator(),
            Role::Responder => builder.build_responder(),
        });
        let state = state.expect("our resolver has all that the protocol name asks for");
        Self {
            state,
            ephemeral,
            static_key: Arc::clone(static_key),
            agreements,
            role,
        }
    }

    /// Writes the next message, with a fresh ephemeral key from `rng`, to the front of `out` and returns its length.
    ///
    /// # Errors
    /// If `out` is too short, or the other side's key is weak. Nothing has been written that means anything.
    pub(crate) fn write(
        &mut self,
        payload: &[u8],
        rng: &mut dyn CryptoRng,
        out: &mut [u8],
    ) -> Result<usize, HandshakeError> {
        self.ephemeral.draw(rng);
        self.state.write_message(payload, out).map_err(into_error)
    }

    /// Reads the next message and writes its payload to the front of `out`. Returns the payload's length.
    ///
    /// # Errors
    /// If it is not authentic. The handshake is as before, waiting for the same message.
    pub(crate) fn read(&mut self, message: &[u8], out: &mut [u8]) -> Result<usize, HandshakeError> {
        self.state.read_message(message, out).map_err(into_error)
    }

    /// The other side's static key: what it called us with, or by.
    pub(crate) fn remote_static(&self) -> Option<&[u8]> {
        self.state.get_remote_static()
    }

    /// The node id that this static key was checked to belong to in an earlier handshake, if there was one.
    pub(crate) fn known_remote(&self) -> Option<NodeId> {
        self.static_key.node_id_of(self.remote_static()?)
    }

    /// Keeps what both static keys agree on for the next handshake with this peer, whose node id was checked. To be called after the
    /// first message, and for a peer that is welcome: who comes in puts somebody else out.
    pub(crate) fn remember(&self, peer: NodeId) {
        let shared = self
            .remote_static()
            .and_then(|key| self.agreements.take(key));
        if let Some((public, shared)) = shared {
            self.static_key.remember(peer, public, shared);
        }
    }

    /// The session, after the second message. snow's own cipher states are dropped unused.
    pub(crate) fn into_session(mut self) -> Session {
        debug_assert!(self.state.is_handshake_finished(), "there are two messages");
        let hash = self.state.get_handshake_hash();
        let hash = hash.try_into().expect("SHA-256 yields 32 octets");
        Session::dangerous_from_split(self.role, hash, self.split())
    }

    /// The secrets of the session: initiator to responder, and back.
    pub(crate) fn split(&mut self) -> ([u8; KEY_LEN], [u8; KEY_LEN]) {
        self.state.dangerously_get_raw_split()
    }
}

/// What both sides must agree on before the first octet: `keyway`, the version, and the responder's node id, 39 octets.
///
/// The node id is there because the static key says less: two node ids that differ in a sign have the same X25519 form.
fn prologue(responder: &NodeId) -> Vec<u8> {
    [&b"keyway"[..], &[VERSION], responder.as_bytes()].concat()
}

fn into_error(error: snow::Error) -> HandshakeError {
    if error == snow::Error::Dh {
        HandshakeError::WeakKey
    } else {
        HandshakeError::Unauthenticated
    }
}
