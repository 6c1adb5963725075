//! What happens to an initiator whose static key is a point of small order.

use snow::{
    Builder,
    params::{CipherChoice, DHChoice, HashChoice},
    resolvers::CryptoResolver,
    types::{Cipher, Dh, Hash, Random},
};

use super::{
    NO_PSK, Noise, PROTOCOL, prologue,
    resolver::{EphemeralSecret, Resolver},
    x25519::tests::{NOT_CANONICAL, SMALL_ORDER, hex},
};
use crate::{
    HandshakeError,
    tests::{FixedRng, alice, bob},
};

// A2
#[test]
fn weak_static_keys_are_refused() {
    for point in SMALL_ORDER.map(hex).into_iter().chain([hex(NOT_CANONICAL)]) {
        let message = message_1(Some(point));
        let refused =
            Noise::responder(&bob().static_key, &bob().node_id()).read(&message, &mut [0; 64]);
        assert_eq!(refused, Err(HandshakeError::WeakKey), "{point:02x?}");
    }
    // The same message with an honest key is read, so nothing else is wrong with it.
    let read =
        Noise::responder(&bob().static_key, &bob().node_id()).read(&message_1(None), &mut [0; 64]);
    assert_eq!(read, Ok(7));
}

/// Message 1 to Bob under this static key. Whatever its private key is, the result of its exchange with Bob is zeros, so
/// who does not check takes the message for authentic.
fn message_1(weak: Option<[u8; 32]>) -> Vec<u8> {
    let ephemeral = EphemeralSecret::default();
    ephemeral.draw(&mut FixedRng([7; 32]));
    let honest = Resolver {
        static_key: alice().static_key,
        ephemeral,
    };
    let prologue = prologue(&bob().node_id());
    let remote = bob().node_id().to_x25519();
    let mut state = Builder::with_resolver(
        PROTOCOL.parse().unwrap(),
        Box::new(WeakResolver { honest, weak }),
    )
    .prologue(&prologue)
    .and_then(|builder| builder.local_private_key(&[]))
    .and_then(|builder| builder.psk(2, &NO_PSK))
    .and_then(|builder| builder.remote_public_key(&remote))
    .and_then(Builder::build_initiator)
    .unwrap();
    let mut message = vec![0; 200];
    let length = state.write_message(b"payload", &mut message).unwrap();
    message.truncate(length);
    message
}

struct WeakResolver {
    honest: Resolver,
    weak: Option<[u8; 32]>,
}

impl CryptoResolver for WeakResolver {
    fn resolve_rng(&self) -> Option<Box<dyn Random>> {
        self.honest.resolve_rng()
    }

    fn resolve_dh(&self, choice: &DHChoice) -> Option<Box<dyn Dh>> {
        let honest = self.honest.resolve_dh(choice)?;
        Some(Box::new(WeakStatic {
            honest,
            weak: self.weak,
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

/// Honest as an ephemeral key, and the weak one as a static key.
struct WeakStatic {
    honest: Box<dyn Dh>,
    weak: Option<[u8; 32]>,
    is_static: bool,
}

impl Dh for WeakStatic {
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
        match &self.weak {
            Some(weak) if self.is_static => weak,
            _ => self.honest.pubkey(),
        }
    }

    fn privkey(&self) -> &[u8] {
        self.honest.privkey()
    }

    fn dh(&self, pubkey: &[u8], out: &mut [u8]) -> Result<(), snow::Error> {
        if self.weak.is_some() && self.is_static {
            out[..32].fill(0);
            return Ok(());
        }
        self.honest.dh(pubkey, out)
    }
}
