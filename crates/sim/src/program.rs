//! What a world expects of whatever runs on its hosts, and what it counts of it.

use std::collections::BTreeMap;
use std::net::SocketAddr;

use keyway_wire::Time;

use crate::sightings::Sightings;

/// What runs on a host: the same verbs as everywhere, with sockets already resolved to addresses.
pub trait Program {
    /// Takes in datagrams of `stride` octets each (the last may be shorter) that came from one sender at once.
    fn receive(
        &mut self,
        now: Time,
        remote: SocketAddr,
        local: SocketAddr,
        datagrams: &mut [u8],
        stride: usize,
    );

    /// Does what is due; nothing if nothing is.
    fn wake(&mut self, now: Time);

    /// When it wants to be woken; not later than `now` if it has something to do at once.
    fn wake_at(&self, now: Time) -> Option<Time>;

    /// Whether it passes packets of others on, which bear a relay's header then.
    fn is_relay(&self) -> bool {
        false
    }

    /// Hands over all that it has to send. Asked after everything else.
    fn poll_send(&mut self, now: Time, send: &mut dyn FnMut(SendTo<'_>));
}

/// A datagram that a program sends.
#[derive(Clone, Copy, Debug)]
pub struct SendTo<'a> {
    /// The socket's own address, as the host knows it.
    pub source: SocketAddr,
    /// Where it is to go.
    pub destination: SocketAddr,
    /// What it carries.
    pub payload: &'a [u8],
}

/// One way by which a host sends.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub struct Way {
    /// To which address.
    pub destination: SocketAddr,
    /// Whether the packets carry a relay's header, so that they are for somebody else in the end.
    pub relayed: bool,
}

/// What a host has done so far.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Counters {
    /// Datagrams sent.
    pub sent: u64,
    /// Datagrams received.
    pub received: u64,
    /// How often it was woken by the clock.
    pub wakes: u64,
    /// What an observer on the wire saw it send, and whither.
    pub sightings: BTreeMap<Way, Sightings>,
}
