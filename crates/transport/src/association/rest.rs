//! What an association gives back when nobody uses it: most associations of a node with many are idle.

use std::time::Duration;

use keyway_wire::Time;

use super::Association;
use crate::recovery::AckOutcome;

/// From the last use to the rest: longer than the pauses of whoever asks and answers, and than nearly any round trip, so that
/// what was on its way has arrived or never will.
const REST_AFTER: Duration = Duration::from_secs(1);

impl Association {
    /// When there is something to give back: once after use, and with the keepalives after that, never in between.
    pub(super) fn rests_at(&self) -> Option<Time> {
        if self.sessions.is_at_rest() {
            return None;
        }
        let mut paths = self.paths.iter();
        let in_flight = paths.any(|path| path.recovery.unacked_since().is_some());
        (!in_flight).then(|| self.activity.last_use() + REST_AFTER)
    }

    /// Gives back what the next packet can have again: room that lists and queues have left over, and what ciphers make of
    /// their keys.
    pub(super) fn rest(&mut self) {
        self.sessions.rest();
        self.issued.rest();
        self.cids.rest();
        self.paths.rest();
        self.validations.rest();
        self.sightings.rest();
        self.responses.rest();
        self.pings.rest();
        self.streams.rest();
        self.outcome = AckOutcome::default();
    }
}
