//! What has to hold after every event, in every world.
//!
//! | what | where it is looked at |
//! |---|---|
//! | 1. every stream read is a prefix of what was written, in order, once | `applications/`, `scenario/actor/call.rs` |
//! | 2. a datagram is delivered at most once, and unchanged | `applications/`, `scenario/actor/flow.rs` |
//! | 3. no nonce seals two packets: numbers grow under each CID | [`numbers`] |
//! | 4. no session seals longer than it may live | [`sessions`] |
//! | 5. a packet that came twice is taken once: the second copy neither has an answer nor moves a timer | `scenario/attack.rs` |
//! | 6. what is not authentic does neither, and nothing that follows is different | `scenario/attack.rs`, `properties/forged.rs` |
//! | 7. to an address that nobody answered from goes three times what came from there at most, once before a handshake | [`addresses`] |
//! | 8. who may not be served gets nothing but silence, and no stream in | [`strangers`], `scenario/actor/mod.rs` |
//! | 9. a reader's record of a node never goes back | `scenario/actor/mod.rs` |
//! | 10. both ends agree that they share an association, and a round trip over it works | `scenario/play.rs` |
//! | 12. no timer storm: a host is woken a few times at one moment and a few times in an idle minute | `world/running.rs`, `scenario/play.rs` |
//! | 13. nothing goes to loopback, multicast or broadcast | [`addresses`] |
//! | 15. after healing everybody who may be connected is, and all streams are drained | `scenario/play.rs` |
//! | 16. at the end nothing is left | `scenario/play.rs` |
//!
//! Not looked at: that a node never holds more than its limits allow (11; tests of the node and of its parts do that), and that nothing
//! is sealed between a copy of a machine and the next handshake (14; copies are not noticed yet).
//!
//! Those with a module here need no knowledge of what runs on the hosts: they are looked at on the wire, in every world.

mod addresses;
mod numbers;
mod sessions;
mod strangers;

use std::net::{IpAddr, SocketAddr};
use std::time::Duration;

use keyway_wire::Time;

use crate::failure::Failure;
use crate::network::HostId;
use crate::sightings::{Kind, Sighting};
use addresses::Addresses;
use numbers::Numbers;
use sessions::Sessions;
use strangers::Strangers;

/// Octets of a relay's header.
const RELAY_HEADER: usize = 9;

/// Sees every packet that a host sends and receives.
#[derive(Debug, Default)]
pub(crate) struct Wire {
    numbers: Numbers,
    sessions: Sessions,
    addresses: Addresses,
    strangers: Strangers,
    failure: Option<Failure>,
}

impl Wire {
    /// How long a session may seal in this world.
    pub(crate) fn set_session_lifetime(&mut self, lifetime: Duration) {
        self.sessions.set_lifetime(lifetime);
    }

    /// From here on, `host` serves nobody at `address` and is not served there: it may knock, and nothing else.
    pub(crate) fn make_strangers(&mut self, host: HostId, address: IpAddr) {
        self.strangers.add(host, address);
    }

    /// Another process has come up at a host, without the state of the one before.
    pub(crate) fn restarted(&mut self, host: HostId) {
        self.numbers.has_new_keys(host);
        self.sessions.forget(host);
    }

    /// A host sent a datagram. `is_known` says whether somebody may be at the destination, `passed_on` whether the packet
    /// inside is another's.
    pub(crate) fn sent(
        &mut self,
        now: Time,
        host: HostId,
        (destination, is_known): (SocketAddr, bool),
        datagram: &[u8],
        passed_on: bool,
    ) {
        let Sighting { kind, relayed } = Sighting::of(datagram);
        if kind == Kind::Resp && !passed_on {
            self.shook_hands(now, host);
        }
        let octets = datagram.len() as u64;
        let mut breach = self
            .addresses
            .sent(host, (destination, is_known), kind, octets)
            .or_else(|| self.strangers.sent(host, destination.ip(), kind));
        if !passed_on {
            let packet = inside(datagram, relayed);
            breach = breach
                .or_else(|| self.numbers.sent(host, packet))
                .or_else(|| self.sessions.sent(now, host, kind, packet));
        }
        if let Some(breach) = breach {
            self.fail(now, format!("host {} to {destination}: {breach}", host.0));
        }
    }

    /// Something must not be; of several, the first one counts.
    pub(crate) fn fail(&mut self, now: Time, what: String) {
        self.failure.get_or_insert_with(|| Failure::new(now, what));
    }

    /// A host received a datagram.
    pub(crate) fn received(
        &mut self,
        now: Time,
        host: HostId,
        (source, is_known): (SocketAddr, bool),
        datagram: &[u8],
    ) {
        let Sighting { kind, .. } = Sighting::of(datagram);
        if kind == Kind::Resp {
            self.shook_hands(now, host);
        }
        if !is_known {
            self.addresses.received(host, source, datagram.len() as u64);
        }
    }

    fn shook_hands(&mut self, now: Time, host: HostId) {
        self.numbers.has_new_keys(host);
        self.sessions.shook_hands(now, host);
    }

    /// The first breach, if there was one.
    pub(crate) fn check(&self) -> Result<(), Failure> {
        self.failure.clone().map_or(Ok(()), Err)
    }
}

/// The packet below the relay's header, if there is one.
fn inside(datagram: &[u8], relayed: bool) -> &[u8] {
    let skipped = if relayed { RELAY_HEADER } else { 0 };
    datagram.get(skipped..).unwrap_or_default()
}
