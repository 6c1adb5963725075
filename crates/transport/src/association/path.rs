use std::net::IpAddr;
use std::time::Duration;

use keyway_wire::{DATA_HEADER_LEN, TAG_LEN, Time};

use super::allowance::Allowance;
use super::observation::Observation;
use super::remote_cids::RemoteCid;
use crate::recovery::Recovery;
use crate::route::Tier;
use crate::sent_frame::SentFrames;
use crate::{PathInfo, Route};

/// Names a path for as long as the association lasts; never used for another.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub(crate) struct PathId(pub(crate) u32);

/// Probe timeouts without an answer after which a path is given up (unbacked, that is one timeout apart).
const CHECKS: u32 = 3;

/// The shortest time after which a silent path is asked whether it still works, while the peer uses another: a peer that
/// prefers another path for good makes one packet a second of it.
const QUIET_MIN: Duration = Duration::from_secs(1);

/// Octets in front of and behind the frames of a packet.
pub(crate) const PACKET_OVERHEAD: usize = DATA_HEADER_LEN + TAG_LEN;

/// What is known about a path.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Health {
    /// The peer's first packet came from there, and nobody has shown that ours arrive. In use as long as there is no
    /// other, within the limit for such addresses.
    Provisional,
    /// Packets go through both ways, as far as is known.
    Live,
    /// Nothing was answered. Tried again now and then.
    Dead,
}

/// One way for packets, and everything whose lifetime is that of the way.
#[derive(Debug)]
pub(crate) struct Path {
    pub(crate) id: PathId,
    pub(crate) route: Route,
    pub(crate) local: Option<IpAddr>,
    pub(crate) health: Health,
    /// The peer's id for packets on this path. A path that has none yet carries nothing.
    pub(crate) cid: Option<RemoteCid>,
    pub(crate) recovery: Recovery<SentFrames>,
    pub(crate) allowance: Allowance,
    /// What the peer is told about the address that its packets come from.
    pub(crate) observation: Observation,
    /// The newest of what the peer says about the address that ours come from.
    pub(crate) observed: Option<u64>,
    /// A PING should go out, to keep the path open or to see whether it still is.
    pub(crate) ping: bool,
    /// The next packet should be of full size: it lets a peer that does not know yet whether we are here answer at length.
    pub(crate) pad: bool,
    pub(crate) last_sent: Time,
    /// When the last authentic packet came from here.
    pub(crate) last_heard: Time,
    pub(crate) sent: u64,
    pub(crate) received: u64,
    /// Checks made since anything was acknowledged, since when they count, and when the last one was.
    checks: u32,
    checked_since: Time,
    checked_at: Time,
}

/// What a check of a path that owes an acknowledgement came to.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Check {
    /// It is late for the first time.
    Late,
    /// It is late again.
    StillLate,
    /// It has been late for too long.
    Dead,
}

impl Path {
    pub(crate) fn new(
        now: Time,
        id: PathId,
        route: Route,
        health: Health,
        recovery: Recovery<SentFrames>,
    ) -> Self {
        // A relay forwards only between two that both want it, so nobody else is hit by what goes through it.
        let limited = health == Health::Provisional && route.is_direct();
        let allowance = if limited {
            Allowance::NOTHING
        } else {
            Allowance::UNLIMITED
        };
        Self {
            id,
            route,
            local: None,
            health,
            cid: None,
            recovery,
            allowance,
            observation: Observation::default(),
            observed: None,
            ping: false,
            pad: false,
            last_sent: now,
            last_heard: now,
            sent: 0,
            received: 0,
            checks: 0,
            checked_since: Time::ZERO,
            checked_at: Time::ZERO,
        }
    }

    /// Whether packets can go out here at all.
    pub(crate) fn is_usable(&self) -> bool {
        self.health != Health::Dead && self.cid.is_some()
    }

    /// Whether as much may be sent there as one likes.
    pub(crate) fn is_proven(&self) -> bool {
        self.allowance == Allowance::UNLIMITED
    }

    pub(crate) fn is_live(&self) -> bool {
        self.health == Health::Live && self.cid.is_some()
    }

    /// What the choice between paths goes by: smaller is better.
    pub(crate) fn tier(&self) -> Tier {
        self.route.tier()
    }

    /// Octets of a whole UDP payload that a packet may have now, the relay's header included.
    pub(crate) fn mtu(&self) -> usize {
        usize::try_from(self.recovery.mtu()).unwrap_or(usize::MAX)
    }

    /// The same while the peer answers.
    pub(crate) fn full_mtu(&self) -> usize {
        usize::try_from(self.recovery.path_mtu()).unwrap_or(usize::MAX)
    }

    /// Octets of frames that a packet of full size holds.
    pub(crate) fn frame_room(&self) -> usize {
        self.full_mtu()
            .saturating_sub(PACKET_OVERHEAD + self.route.overhead())
    }

    /// Whether it has been silent in both directions for so long that its state is a matter of belief. An answer that is
    /// owed counts: [`check`](Self::check) has an eye on that.
    pub(crate) fn is_quiet(&self, now: Time) -> bool {
        let silence = self.recovery.pto_base().saturating_mul(CHECKS);
        let since = self.last_heard.max(self.last_sent);
        self.recovery.unacked_since().is_none() && since + silence.max(QUIET_MIN) <= now
    }

    /// When the next check is due: an acknowledgement is owed, and one more probe timeout has passed without any. Counted from
    /// the last check, so that whoever slept through many of them makes one, and gives the peer time to answer. Where there is
    /// no alternative, and patience is left after the last of [`CHECKS`], it ends with one more: checks in between would decide
    /// nothing, and wake whoever runs on a battery at each probe timeout.
    pub(crate) fn check_at(&self, last_patience: Option<Duration>) -> Option<Time> {
        if self.health == Health::Dead {
            return None;
        }
        let since = self.recovery.unacked_since()?;
        let checks = if since == self.checked_since {
            self.checks
        } else {
            0
        };
        let last = if checks > 0 { self.checked_at } else { since };
        let next = last + self.recovery.pto_base();
        Some(match last_patience {
            Some(patience) if checks >= CHECKS => next.max(since + patience),
            Some(_) | None => next,
        })
    }

    /// Checks the path if that is due. Without an alternative it is given up only after `last_patience`: to leave it has
    /// no use then, and a path that loses much should not be left.
    pub(crate) fn check(&mut self, now: Time, last_patience: Option<Duration>) -> Option<Check> {
        if self.check_at(last_patience).is_none_or(|at| at > now) {
            return None;
        }
        let since = self.recovery.unacked_since()?;
        if since != self.checked_since {
            self.checked_since = since;
            self.checks = 0;
        }
        self.checks = self.checks.saturating_add(1);
        self.checked_at = now;
        let patience = last_patience.unwrap_or_default();
        if self.checks >= CHECKS && since + patience <= now {
            return Some(Check::Dead);
        }
        Some(if self.checks == 1 {
            Check::Late
        } else {
            Check::StillLate
        })
    }

    /// Takes note of what was sent here.
    pub(crate) fn on_transmit(&mut self, now: Time, octets: usize) {
        self.last_sent = now;
        self.sent = self.sent.saturating_add(octets as u64);
        self.allowance.on_sent(octets);
    }

    /// Takes note of an authentic packet from here.
    pub(crate) fn on_arrival(&mut self, now: Time, local: Option<IpAddr>, octets: usize) {
        self.last_heard = now;
        self.local = local.or(self.local);
        self.received = self.received.saturating_add(octets as u64);
        self.allowance.on_received(octets);
    }

    pub(crate) fn info(&self, selected: bool) -> PathInfo {
        let rtt = self.recovery.rtt();
        PathInfo {
            route: self.route,
            local: self.local,
            validated: self.health == Health::Live,
            selected,
            rtt: rtt.first_sample_at().map(|_| rtt.smoothed()),
            mtu: self.full_mtu(),
            congestion_window: self.recovery.window(),
            in_flight: self.recovery.in_flight(),
            sent: self.sent,
            received: self.received,
        }
    }
}
