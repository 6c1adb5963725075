//! A pending INIT: what was sent, when it goes out again, and where it asked for a relay channel.

use std::collections::BTreeSet;
use std::time::Duration;

use keyway_handshake::Dial;
use keyway_transport::Route;
use keyway_wire::{Cid, Slot, Time};
use rand_core::Rng;

/// Sendings at the last pause of the schedule before the pauses grow: a minute of them.
const PATIENT_SENDINGS: usize = 56;
/// By how much each pause is longer then.
const GROWTH: Duration = Duration::from_millis(500);
/// The longest pause. Whoever waits for so long can wait for this; and whichever of the two has news (packets to send, another
/// address, a server that came back) begins anew.
const PAUSE_MAX: Duration = Duration::from_secs(15);

/// One pending INIT of ours. The same octets go out at each retry and on every route; the responder answers each copy with
/// the same RESP.
#[derive(Debug)]
pub(crate) struct Dialing {
    pub(crate) dial: Dial,
    /// The CID that the INIT names: the responder's RESP comes back to it.
    pub(crate) cid: Cid,
    /// Where the session will live on our side.
    pub(crate) slot: Slot,
    pub(crate) generation: u64,
    pub(crate) created: Time,
    /// Sendings so far, of this INIT and of those that it replaced.
    pub(crate) sendings: usize,
    /// Servers that were asked for a channel with this INIT inside; they pass it on, so it need not go out twice.
    pub(crate) asked: BTreeSet<u32>,
    /// Routes on which the last sending was repeated at once, with the cookie that came back: one repetition for each, so that
    /// whoever repeats a COOKIE does not make us repeat the INIT.
    pub(crate) repeated: BTreeSet<Route>,
}

impl Dialing {
    /// How long to wait for an answer to the sending just made: the schedule, and after a minute of it ever longer, up to
    /// [`PAUSE_MAX`]; with up to a tenth more at random, so that two nodes that dial each other through a lossy link do not stay
    /// in step.
    pub(crate) fn pause(&self, retries: &[Duration; 7], rng: &mut impl Rng) -> Duration {
        let step = self.sendings.saturating_sub(1).min(retries.len() - 1);
        let late = self
            .sendings
            .saturating_sub(retries.len() + PATIENT_SENDINGS);
        let growth = u32::try_from(late).unwrap_or(u32::MAX);
        let pause =
            (retries[step] + GROWTH.saturating_mul(growth)).min(PAUSE_MAX.max(retries[step]));
        let jitter = u64::from(rng.next_u32() % 100);
        pause + pause.saturating_mul(u32::try_from(jitter).unwrap_or(0)) / 1000
    }
}
