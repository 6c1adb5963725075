//! Initiators that lie about their static key, for tests: snow with a Diffie–Hellman that says what it likes.

use snow::{
    Builder, HandshakeState,
    params::{CipherChoice, DHChoice, HashChoice},
    resolvers::CryptoResolver,
    types::{Cipher, Dh, Hash, Random},
};

use super::{
    NO_PSK, PROTOCOL, prologue,
    resolver::{EphemeralSecret, Resolver},
    x25519::Agreements,
};
use crate::tests::{FixedRng, alice, bob};

/// What an initiator says its static key is, and what it computes with.
#[derive(Clone, Copy)]
pub(super) enum Static {
    /// Alice's, with Alice's private key.
    Honest,
    /// This one. Every result of its exchanges is zeros.
    Weak([u8; 32]),
    /// Alice's, said by somebody who has stolen Bob's private key: what Alice and Bob share can be computed with either of
    /// their keys, and nothing else that Alice's would be good for.
    Impostor,
}

/// Somebody who is about to write message 1 to Bob.
pub(super) fn initiator(says: Static) -> HandshakeState {
    let ephemeral = EphemeralSecret::default();
    ephemeral.draw(&mut FixedRng([7; 32]));
    let static_key = match says {
        Static::Honest | Static::Weak(_) => alice().static_key,
        Static::Impostor => bob().static_key,
    };
    let honest = Resolver {
        static_key,
        ephemeral,
        agreements: Agreements::default(),
    };
    let prologue = prologue(&bob().node_id());
    let remote = bob().node_id().to_x25519();
    Builder::with_resolver(
        PROTOCOL.parse().unwrap(),
        Box::new(LyingResolver { honest, says }),
    )
    .prologue(&prologue)
    .and_then(|builder| builder.local_private_key(&[]))
    .and_then(|builder| builder.psk(2, &NO_PSK))
    .and_then(|builder| builder.remote_public_key(&remote))
    .and_then(Builder::build_initiator)
    .unwrap()
}

struct LyingResolver {
    honest: Resolver,
    says: Static,
}

impl CryptoResolver for LyingResolver {
    fn resolve_rng(&self) -> Option<Box<dyn Random>> {
        self.honest.resolve_rng()
    }

    fn resolve_dh(&self, choice: &DHChoice) -> Option<Box<dyn Dh>> {
        Some(Box::new(LyingKey {
            honest: self.honest.resolve_dh(choice)?,
            says: self.says,
            claimed: match self.says {
                Static::Weak(key) => key,
                Static::Honest | Static::Impostor => alice().node_id().to_x25519(),
            },
            is_static: false,
        }))
    }

    fn resolve_hash(&self, choice: &HashChoice) -> Option<Box<dyn Hash>> {
        self.honest.resolve_hash(choice)
    }

    fn resolve_cipher(&self, choice: &CipherChoice) -> Option<Box<dyn Cipher>> {
        self.honest.resolve_cipher(choice)
    }
}

/// Honest as an ephemeral key; as a static key, what [`Static`] says.
struct LyingKey {
    honest: Box<dyn Dh>,
    says: Static,
    claimed: [u8; 32],
    is_static: bool,
}

impl Dh for LyingKey {
    fn name(&self) -> &'static str {
        self.honest.name()
    }

    fn pub_len(&self) -> usize {
        self.honest.pub_len()
    }

    fn priv_len(&self) -> usize {
        self.honest.priv_len()
    }

    fn set(&mut self, privkey: &[u8]) {
        self.is_static = true;
        self.honest.set(privkey);
    }

    fn generate(&mut self, rng: &mut dyn Random) -> Result<(), snow::Error> {
        self.honest.generate(rng)
    }

    fn pubkey(&self) -> &[u8] {
        if self.is_static {
            &self.claimed
        } else {
            self.honest.pubkey()
        }
    }

    fn privkey(&self) -> &[u8] {
        self.honest.privkey()
    }

    fn dh(&self, pubkey: &[u8], out: &mut [u8]) -> Result<(), snow::Error> {
        match self.says {
            Static::Weak(_) if self.is_static => {
                out[..32].fill(0);
                Ok(())
            }
            // The thief's half of what Alice and Bob share.
            Static::Impostor if self.is_static && pubkey[..32] == bob().node_id().to_x25519() => {
                self.honest.dh(&self.claimed, out)
            }
            Static::Honest | Static::Weak(_) | Static::Impostor => self.honest.dh(pubkey, out),
        }
    }
}
