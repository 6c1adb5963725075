//! One address that is probed, and when.

use std::net::SocketAddr;
use std::time::Duration;

use keyway_wire::Time;

/// Where a target comes from. The order is that in which targets go that are due at the same time.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub(crate) enum Origin {
    /// An authentic packet of the peer came from there, so that its NAT lets packets out, and perhaps in.
    Seen,
    /// The peer said so.
    Told,
}

/// Probes to one target in a round: five within half a second, since both sides begin at about the same time and the
/// first ones of either open its own NAT only; then one each second while the news travel and slow NATs learn.
const PROBES: u32 = 12;

/// From one probe to the next one: after 100, 200, 300 and 500 ms, then each second.
fn pause_after(probes: u32) -> Duration {
    Duration::from_millis(match probes {
        0..=3 => 100,
        4 => 200,
        _ => 1000,
    })
}

/// What is due within this is not hurried: the pauses of the dense beginning.
const SOON: Duration = Duration::from_millis(200);

#[derive(Clone, Debug)]
pub(crate) struct Target {
    pub(crate) address: SocketAddr,
    pub(crate) origin: Origin,
    /// When the next probe is due; `None` after the last one of the round.
    pub(crate) due: Option<Time>,
    sent: u32,
}

impl Target {
    /// Due at once.
    pub(crate) const fn new(address: SocketAddr, origin: Origin, now: Time) -> Self {
        Self {
            address,
            origin,
            due: Some(now),
            sent: 0,
        }
    }

    /// Begins the round anew.
    pub(crate) const fn restart(&mut self, now: Time) {
        self.due = Some(now);
        self.sent = 0;
    }

    /// There is reason to believe that a probe gets through: begins anew, unless the next one is due soon anyway.
    pub(crate) fn hurry(&mut self, now: Time) {
        if self.due.is_none_or(|due| due > now + SOON) {
            self.restart(now);
        }
    }

    /// A probe was sent.
    pub(crate) fn sent(&mut self, now: Time) {
        self.sent += 1;
        self.due = (self.sent < PROBES).then(|| now + pause_after(self.sent));
    }

    /// No more probes in this round.
    pub(crate) const fn stop(&mut self) {
        self.due = None;
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn probes_are_dense_at_first_and_end() {
        let address = "192.0.2.7:4100".parse().unwrap();
        let mut target = Target::new(address, Origin::Told, Time::ZERO);
        let mut millis = Vec::new();
        while let Some(due) = target.due {
            millis.push(due.as_micros() / 1000);
            target.sent(due);
        }
        assert_eq!(
            millis,
            [
                0, 100, 200, 300, 500, 1500, 2500, 3500, 4500, 5500, 6500, 7500
            ]
        );
    }
}
