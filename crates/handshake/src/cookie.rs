//! Cookies and `mac2`: the proof that an initiator receives where its INIT comes from (WireGuard paper, 5.3 and 5.4.7).
//!
//! ```text
//!   initiator                                                    responder under load
//!       | INIT, mac2 zeros ------------------------------------------> |  no Diffie–Hellman
//!       | <-- COOKIE { cookie of that source } sealed, bound to mac1 - |  keeps nothing
//!       | INIT, the same, mac2 by the cookie ------------------------> |  worked on
//! ```
//!
//! A cookie is HMAC-SHA256 over the source under a secret of the responder's, cut to 16 octets. So the responder keeps no
//! state for whom it gave one, and whoever writes another's address as its own does not get that one's cookie.

use std::fmt;

use aws_lc_rs::{
    aead::{AES_256_GCM, Aad, LessSafeKey, Nonce, UnboundKey},
    digest::{Context, SHA256},
    hmac::{HMAC_SHA256, Key, sign},
};
use keyway_identity::NodeId;
use keyway_wire::{
    COOKIE_LEN, COOKIE_NONCE_LEN, COOKIE_PLAIN_LEN, COOKIE_SEALED_LEN, Cookie, Init, MAC_LEN,
};
use rand_core::CryptoRng;
use subtle::ConstantTimeEq;
use zeroize::Zeroizing;

use crate::{error::HandshakeError, local::LocalIdentity};

/// Keeps the key that seals cookies apart from other uses of the node id.
const LABEL: &[u8] = b"keyway v1 cookie";

/// The key under which a responder seals its cookies: SHA-256(label ‖ node id). Whoever knows the node id can compute it;
/// what a COOKIE proves is that its sender knows that, and has seen `mac1` of the INIT.
pub(crate) struct CookieKey(LessSafeKey);

impl CookieKey {
    pub(crate) fn of(responder: &NodeId) -> Self {
        let mut context = Context::new(&SHA256);
        context.update(LABEL);
        context.update(responder.as_bytes());
        let key = UnboundKey::new(&AES_256_GCM, context.finish().as_ref())
            .expect("SHA-256 yields a key of AES-256");
        Self(LessSafeKey::new(key))
    }

    /// Opens the cookie that answers the INIT with this `mac1`.
    pub(crate) fn open(
        &self,
        packet: &Cookie<'_>,
        mac1: &[u8; MAC_LEN],
    ) -> Result<ReceivedCookie, HandshakeError> {
        let mut sealed = Zeroizing::new(*packet.sealed);
        let nonce = Nonce::assume_unique_for_key(*packet.nonce);
        let opened = self
            .0
            .open_in_place(nonce, Aad::from(mac1), sealed.as_mut())
            .map_err(|_| HandshakeError::Unauthenticated)?;
        let cookie = opened
            .first_chunk()
            .ok_or(HandshakeError::Unauthenticated)?;
        Ok(ReceivedCookie(Zeroizing::new(*cookie)))
    }

    fn seal(
        &self,
        cookie: &[u8; COOKIE_PLAIN_LEN],
        nonce: &[u8; COOKIE_NONCE_LEN],
        mac1: &[u8; MAC_LEN],
    ) -> [u8; COOKIE_SEALED_LEN] {
        let mut sealed = [0; COOKIE_SEALED_LEN];
        let (plain, room) = sealed.split_at_mut(COOKIE_PLAIN_LEN);
        plain.copy_from_slice(cookie);
        let tag = self
            .0
            .seal_in_place_separate_tag(
                Nonce::assume_unique_for_key(*nonce),
                Aad::from(mac1),
                plain,
            )
            .expect("AES-GCM seals 16 octets");
        room.copy_from_slice(tag.as_ref());
        sealed
    }
}

/// What a responder needs to give cookies and to know them again: two secrets, the current one and the one before.
///
/// To be [rotated](Self::rotate) every 120 s while cookies are given: then each is good for at least that long, and for at
/// most twice as long.
pub struct Cookies {
    current: Key,
    previous: Key,
}

impl Cookies {
    /// Draws both secrets.
    pub fn new(rng: &mut dyn CryptoRng) -> Self {
        Self {
            current: fresh_secret(rng),
            previous: fresh_secret(rng),
        }
    }

    /// Draws a new secret. Cookies by the one before the current one are void from here on.
    pub fn rotate(&mut self, rng: &mut dyn CryptoRng) {
        self.previous = std::mem::replace(&mut self.current, fresh_secret(rng));
    }

    /// Whether `mac2` of this INIT is by a cookie that was given to `source`: the octets that name where it came from, in
    /// one spelling, such as the address and port. Two HMACs for each secret, compared in constant time; none where `mac2`
    /// is zeros, and none for any other packet.
    #[must_use]
    pub fn check_mac2(&self, init: &[u8], source: &[u8]) -> bool {
        let Ok(parsed) = Init::parse(init) else {
            return false;
        };
        if *parsed.mac2 == [0; MAC_LEN] {
            return false;
        }
        let by = |secret| mac2(&cookie_of(secret, source), init).ct_eq(parsed.mac2);
        (by(&self.current) | by(&self.previous)).into()
    }

    /// The COOKIE that answers this INIT from `source`. The receiver was to verify `mac1` before. `None` where the packet
    /// is no INIT.
    ///
    /// The nonce is 96 random bits under a key that does not change. Should two of them meet (after 2^32 COOKIEs, once in
    /// 2^33), that helps only somebody who does not know this node's id, but sees its packets, to forge a COOKIE: who
    /// sees them can drop them as well.
    pub fn answer(
        &self,
        local: &LocalIdentity,
        init: &[u8],
        source: &[u8],
        rng: &mut dyn CryptoRng,
    ) -> Option<[u8; COOKIE_LEN]> {
        let parsed = Init::parse(init).ok()?;
        let mut nonce = [0; COOKIE_NONCE_LEN];
        rng.fill_bytes(&mut nonce);
        let cookie = cookie_of(&self.current, source);
        let sealed = local.cookie.seal(&cookie, &nonce, parsed.mac1);
        let mut packet = [0; COOKIE_LEN];
        Cookie {
            receiver: parsed.sender,
            nonce: &nonce,
            sealed: &sealed,
        }
        .emit(&mut packet);
        Some(packet)
    }
}

impl fmt::Debug for Cookies {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Cookies").finish_non_exhaustive()
    }
}

/// A cookie that a responder gave us. Good for INITs to that responder, on the route on which it came, for 120 s.
#[derive(Clone)]
pub struct ReceivedCookie(Zeroizing<[u8; COOKIE_PLAIN_LEN]>);

impl ReceivedCookie {
    /// Writes `mac2` into an INIT.
    ///
    /// # Panics
    /// If the packet is shorter than an INIT.
    pub(crate) fn finish(&self, init: &mut [u8]) {
        let mac2 = mac2(&self.0, init);
        init[Init::MAC2].copy_from_slice(&mac2);
    }
}

impl fmt::Debug for ReceivedCookie {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("ReceivedCookie(..)")
    }
}

fn fresh_secret(rng: &mut dyn CryptoRng) -> Key {
    let mut secret = Zeroizing::new([0; 32]);
    rng.fill_bytes(secret.as_mut());
    Key::new(HMAC_SHA256, secret.as_ref())
}

fn cookie_of(secret: &Key, source: &[u8]) -> Zeroizing<[u8; COOKIE_PLAIN_LEN]> {
    Zeroizing::new(cut(secret, source))
}

/// HMAC-SHA256 under the cookie over everything in an INIT before `mac2`, cut to 16 octets.
fn mac2(cookie: &[u8; COOKIE_PLAIN_LEN], init: &[u8]) -> [u8; MAC_LEN] {
    cut(&Key::new(HMAC_SHA256, cookie), &init[..Init::MAC2.start])
}

fn cut(key: &Key, message: &[u8]) -> [u8; MAC_LEN] {
    let tag = sign(key, message);
    *tag.as_ref()
        .first_chunk()
        .expect("SHA-256 yields 32 octets")
}
