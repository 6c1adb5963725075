//! What stands between an INIT and the work that it costs: load, cookies, and how often a source may ask.
//!
//! ```text
//!   mac1 valid, not answered before
//!        │
//!        ├─ through a relay: counted against the node id that the relay names
//!        ▼
//!   load ── calm ────────────────────────────────┐
//!        └─ under load: mac2? ── no ──▶ COOKIE    │
//!                         yes, counted by address ┤
//!                                                 ▼
//!                       budget of all handshakes ── Diffie–Hellman ── strangers' budget, node id ── answer
//! ```
//!
//! Sources are counted only where they are proved: nobody can use up the share of an address that it cannot receive at.

mod load;
mod sources;

use std::net::{IpAddr, SocketAddr};
use std::time::Duration;

use keyway_handshake::{Cookies, LocalIdentity};
use keyway_identity::NodeId;
use keyway_wire::{COOKIE_LEN, Time};
use rand_chacha::ChaCha20Rng;
use rand_core::SeedableRng;

use self::load::Load;
pub(crate) use self::sources::{Source, Sources};
use crate::limits::Limits;

/// Age at which a secret for cookies is replaced (WireGuard paper, 5.4.7): a cookie is good for that long at least.
const SECRET_LIFETIME: Duration = Duration::from_secs(120);

/// Where an INIT came from.
#[derive(Copy, Clone, Eq, PartialEq, Debug)]
pub(crate) enum Origin {
    /// This address, which anybody may have written there.
    Direct(SocketAddr),
    /// This node, as an authenticated relay says.
    Relayed(NodeId),
}

impl Origin {
    /// What a cookie for it is bound to. The first octet keeps the kinds apart, as their lengths do.
    fn octets(&self) -> Vec<u8> {
        match self {
            Self::Relayed(node) => [&[0][..], node.as_bytes()].concat(),
            Self::Direct(address) => {
                let port = address.port().to_be_bytes();
                match address.ip().to_canonical() {
                    IpAddr::V4(ip) => [&[4][..], &ip.octets(), &port].concat(),
                    IpAddr::V6(ip) => [&[6][..], &ip.octets(), &port].concat(),
                }
            }
        }
    }

    fn source(&self) -> Source {
        match self {
            Self::Direct(address) => Source::of_address(*address),
            Self::Relayed(node) => Source::Relayed(*node),
        }
    }
}

/// What to do about an INIT.
#[derive(Clone, Eq, PartialEq, Debug)]
pub(crate) enum Verdict {
    /// Read it.
    Work,
    /// Send this COOKIE and forget it.
    Prove([u8; COOKIE_LEN]),
    /// Forget it.
    Drop,
}

/// The state of all that. Bounded by [`Limits::sources_max`], whatever arrives.
#[derive(Debug)]
pub(crate) struct Defence {
    load: Load,
    sources: Sources,
    /// When the budget of all handshakes is full again, and that of strangers.
    handshakes: Time,
    strangers: Time,
    rng: ChaCha20Rng,
    /// The secrets, and when they were drawn: not before anybody needs a cookie.
    cookies: Option<(Cookies, Time)>,
}

impl Defence {
    /// The seed must be random and secret: cookies follow from it.
    pub(crate) fn new(limits: &Limits, seed: [u8; 32]) -> Self {
        Self {
            load: Load::new(limits.handshakes),
            sources: Sources::new(limits.handshakes_per_source, limits.sources_max),
            handshakes: Time::ZERO,
            strangers: Time::ZERO,
            rng: ChaCha20Rng::from_seed(seed),
            cookies: None,
        }
    }

    /// Judges an INIT whose `mac1` is valid and that was not answered before. Costs a few HMACs.
    pub(crate) fn judge(
        &mut self,
        now: Time,
        limits: &Limits,
        local: &LocalIdentity,
        origin: &Origin,
        init: &[u8],
    ) -> Verdict {
        let relayed = matches!(origin, Origin::Relayed(_));
        if relayed && !self.sources.take(now, origin.source()) {
            return Verdict::Drop;
        }
        if self.load.on_init(now) {
            let octets = origin.octets();
            self.renew_cookies(now);
            let Some((cookies, _)) = &self.cookies else {
                return Verdict::Drop;
            };
            if !cookies.check_mac2(init, &octets) {
                let cookie = cookies.answer(local, init, &octets, &mut self.rng);
                return cookie.map_or(Verdict::Drop, Verdict::Prove);
            }
            if !relayed && !self.sources.take(now, origin.source()) {
                return Verdict::Drop;
            }
        }
        match limits.handshakes.take(now, &mut self.handshakes) {
            true => Verdict::Work,
            false => Verdict::Drop,
        }
    }

    /// Whether a stranger may be attended to. If not, there are too many of them: the node is under load.
    pub(crate) fn admits_stranger(&mut self, now: Time, limits: &Limits) -> bool {
        let admitted = limits.strangers.take(now, &mut self.strangers);
        if !admitted {
            self.load.raise(now);
        }
        admitted
    }

    /// Whether this node, which has proved its key, may shake hands once more.
    pub(crate) fn admits_peer(&mut self, now: Time, peer: NodeId) -> bool {
        self.sources.take(now, Source::Peer(peer))
    }

    /// Forgets sources that did nothing lately.
    pub(crate) fn handle_timeout(&mut self, now: Time) {
        self.sources.handle_timeout(now);
    }

    /// When there is something to forget.
    pub(crate) fn poll_timeout(&self) -> Option<Time> {
        self.sources.poll_timeout()
    }

    fn renew_cookies(&mut self, now: Time) {
        let rng = &mut self.rng;
        let (cookies, drawn) = self.cookies.get_or_insert_with(|| (Cookies::new(rng), now));
        let age = now.saturating_since(*drawn);
        if age >= 2 * SECRET_LIFETIME {
            // Nobody needed one for long, and the cookies by the current secret are too old as well.
            *cookies = Cookies::new(&mut self.rng);
            *drawn = now;
        } else if age >= SECRET_LIFETIME {
            cookies.rotate(&mut self.rng);
            *drawn = now;
        }
    }
}

#[cfg(test)]
mod tests;
