//! No session seals longer than it may live.
//!
//! An observer sees the slot that a packet names, and handshakes. A host that goes on with the same slot under the same CID, and
//! has neither sent nor received an answer to a handshake meanwhile, goes on with the same session.

use std::collections::BTreeMap;
use std::time::Duration;

use keyway_wire::Time;

use super::numbers::cid_and_number;
use crate::network::HostId;
use crate::sightings::Kind;

/// The protocol's own limit.
const LIFETIME: Duration = Duration::from_secs(180);

/// Since when which session is seen to seal.
#[derive(Debug)]
pub(super) struct Sessions {
    lifetime: Duration,
    /// By sender and CID: the slot of its last packet, and since when it was that one.
    runs: BTreeMap<(HostId, [u8; 7]), (usize, Time)>,
    /// When a host last sent or received an answer.
    shook_hands: BTreeMap<HostId, Time>,
}

impl Default for Sessions {
    fn default() -> Self {
        Self {
            lifetime: LIFETIME,
            runs: BTreeMap::new(),
            shook_hands: BTreeMap::new(),
        }
    }
}

impl Sessions {
    pub(super) fn set_lifetime(&mut self, lifetime: Duration) {
        self.lifetime = lifetime;
    }

    /// Another process has come up at a host.
    pub(super) fn forget(&mut self, host: HostId) {
        self.runs.retain(|(owner, _), _| *owner != host);
    }

    pub(super) fn shook_hands(&mut self, now: Time, host: HostId) {
        self.shook_hands.insert(host, now);
    }

    pub(super) fn sent(
        &mut self,
        now: Time,
        host: HostId,
        kind: Kind,
        packet: &[u8],
    ) -> Option<String> {
        let Kind::Data { slot, .. } = kind else {
            return None;
        };
        let (cid, _) = cid_and_number(packet)?;
        let run = self.runs.entry((host, cid)).or_insert((slot, now));
        if run.0 != slot {
            *run = (slot, now);
        }
        let renewed = self.shook_hands.get(&host).copied().unwrap_or(Time::ZERO);
        let age = now.saturating_since(run.1.max(renewed));
        (age > self.lifetime).then(|| {
            format!(
                "the session in slot {slot} seals after {:.1} s",
                age.as_secs_f64()
            )
        })
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_session_that_goes_on_too_long_is_noticed_and_a_renewed_one_is_not() {
        let mut sessions = Sessions::default();
        let host = HostId(0);
        let seal = |sessions: &mut Sessions, seconds: u64, slot: usize| {
            let packet = [8; 16];
            let kind = Kind::Data { slot, phase: 0 };
            sessions.sent(Time::from_micros(seconds * 1_000_000), host, kind, &packet)
        };
        assert_eq!(seal(&mut sessions, 0, 0), None);
        assert_eq!(seal(&mut sessions, 170, 0), None);
        assert_eq!(seal(&mut sessions, 171, 1), None, "another session");
        assert_eq!(seal(&mut sessions, 350, 1), None);
        sessions.shook_hands(Time::from_micros(351_000_000), host);
        assert_eq!(seal(&mut sessions, 400, 1), None);
        assert!(seal(&mut sessions, 532, 1).is_some());
    }
}
