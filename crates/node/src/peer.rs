//! What control knows about one other node.

use std::collections::BTreeSet;
use std::net::SocketAddr;

use keyway_handshake::InitPayload;
use keyway_nat::Punching;
use keyway_transport::Channel;
use keyway_wire::{Cid, Time};

use crate::cookies::HeldCookies;
use crate::dial::Dialing;
use crate::keys::{AssociationKey, ConnectId};

/// Associations of one peer that wait for confirmation. One is the rule; a second appears when the peer restarts just then,
/// and replayed INITs must not push the true one out.
pub(crate) const HALF_OPEN_PER_PEER_MAX: usize = 4;

/// Address hints kept for one peer.
pub(crate) const HINTS_MAX: usize = 8;

/// An answer that we gave to an INIT, with an association that exists only if the initiator proves that it got the answer.
#[derive(Copy, Clone, Debug)]
pub(crate) struct HalfOpen {
    pub(crate) association: AssociationKey,
    /// Which start of the initiator this is.
    pub(crate) epoch: u64,
    pub(crate) opened: Opened,
}

/// Which INIT of which process a session came from. Confirmed ones are remembered: at or below is a replay.
#[derive(Copy, Clone, Eq, PartialEq, Debug)]
pub(crate) struct Opened {
    pub(crate) instance: u64,
    pub(crate) counter: u64,
}

impl Opened {
    pub(crate) fn by(init: &InitPayload) -> Self {
        Self {
            instance: init.instance,
            counter: init.counter,
        }
    }
}

/// Everything that outlives one handshake with one peer.
#[derive(Debug)]
pub(crate) struct Peer {
    /// Our half of the association's name, for the association that is or the next one. Drawn anew when an association ends.
    pub(crate) incarnation: u64,
    /// The CID that names the next new association to us, whichever handshake makes it: ours or the peer's.
    pub(crate) next_cid: Option<Cid>,
    pub(crate) association: Option<AssociationKey>,
    pub(crate) half_open: Vec<HalfOpen>,
    /// The INIT that is pending: 2 KiB, which most peers are without at most times.
    pub(crate) dial: Option<Box<Dialing>>,
    /// The INIT answered last inside the association that is.
    pub(crate) answered: Option<Opened>,
    pub(crate) confirmed: Option<Opened>,
    pub(crate) hints: Vec<SocketAddr>,
    pub(crate) waiting: Vec<ConnectId>,
    /// When the association last asked for a handshake: a rekey is due, or no path is left. It asks again as long as it wants one.
    pub(crate) handshake_wanted: Option<Time>,
    /// The peer's place in our list of servers.
    pub(crate) server: Option<u32>,
    /// Relay channels to the peer, at most one for each server.
    pub(crate) channels: Vec<Channel>,
    /// Servers that relayed between us: when one comes back, it is asked for a channel again.
    pub(crate) relayed_through: BTreeSet<u32>,
    pub(crate) punching: Punching,
    /// What the peer gave us while it was under load.
    pub(crate) cookies: HeldCookies,
    /// It asked for us through a relay a moment ago. Its INIT may not have been worked on, for want of a cookie or for too many
    /// others: the channel stays open for those that follow.
    pub(crate) expected: bool,
}

impl Peer {
    pub(crate) fn new(incarnation: u64) -> Self {
        Self {
            incarnation,
            next_cid: None,
            association: None,
            half_open: Vec::new(),
            dial: None,
            answered: None,
            confirmed: None,
            hints: Vec::new(),
            waiting: Vec::new(),
            handshake_wanted: None,
            server: None,
            channels: Vec::new(),
            relayed_through: BTreeSet::new(),
            punching: Punching::default(),
            cookies: HeldCookies::default(),
            expected: false,
        }
    }

    /// Whether anything on our side asks for a handshake with this peer.
    pub(crate) fn is_wanted(&self) -> bool {
        self.handshake_wanted.is_some()
            || !self.waiting.is_empty()
            || (self.server.is_some() && self.association.is_none())
    }

    /// Whether nothing would be lost by forgetting this peer. A confirmed counter is kept only as long as the peer has
    /// something: replaying an INIT of a forgotten association makes a half-open answer that nobody can confirm.
    pub(crate) fn is_idle(&self) -> bool {
        self.association.is_none()
            && self.half_open.is_empty()
            && self.dial.is_none()
            && self.server.is_none()
            && !self.expected
            && !self.is_wanted()
    }

    /// Whether this INIT is a copy or was given up: a node sends one INIT at a time, so that what is not newer than the last one
    /// that was answered is one of the two. Copies of the last one itself get the answer that is kept, and are not asked about.
    pub(crate) fn has_answered(&self, init: &InitPayload) -> bool {
        let half_open = self.half_open.iter().map(|half| half.opened);
        half_open
            .chain(self.answered)
            .chain(self.confirmed)
            .any(|last| last.instance == init.instance && init.counter <= last.counter)
    }

    pub(crate) fn add_hints(&mut self, hints: &[SocketAddr]) {
        for hint in hints {
            if !self.hints.contains(hint) {
                self.hints.insert(0, *hint);
            }
        }
        self.hints.truncate(HINTS_MAX);
    }

    /// The channel through this server, as a new one replaces it.
    pub(crate) fn set_channel(&mut self, channel: Channel) -> Option<Channel> {
        match self
            .channels
            .iter_mut()
            .find(|known| known.server == channel.server)
        {
            Some(known) if *known == channel => None,
            Some(known) => Some(std::mem::replace(known, channel)),
            None => {
                self.channels.push(channel);
                None
            }
        }
    }
}
