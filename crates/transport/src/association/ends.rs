//! How an association ends.

use keyway_wire::Time;

use super::Association;
use super::close::{Closing, Phase};
use super::violation::Violation;
use crate::{EndReason, codes};

impl Association {
    /// Closes the association: CLOSE is sent until the peer says the same, at most for three probe timeouts, and then
    /// [`Ended`](crate::AssociationEvent::Ended) follows. What was not delivered is lost. Without a session it ends at once.
    ///
    /// `reason` is for people; what goes beyond [`CLOSE_REASON_LEN_MAX`](keyway_wire::CLOSE_REASON_LEN_MAX) octets is cut.
    pub fn close(&mut self, now: Time, code: u64, reason: &str) {
        self.begin_close(now, code, reason, EndReason::Local);
    }

    /// Ends the association without a word to the peer, who has no use for one: it has come back without its state
    /// ([`EndReason::PeerRestarted`]), say.
    pub fn end(&mut self, reason: EndReason) {
        if self.is_ended() {
            return;
        }
        self.phase = Phase::Ended;
        self.sessions.end();
        self.streams.end(reason.clone());
        self.events.end(reason);
    }

    /// The peer did what no honest peer does.
    pub(super) fn violate(&mut self, now: Time, violation: Violation) {
        let Violation { code, reason } = violation;
        tracing::debug!(remote = ?self.remote, code, %reason, "the peer broke the protocol");
        let end = EndReason::Violation {
            code,
            reason: reason.clone(),
        };
        self.begin_close(now, code, &reason, end);
    }

    /// The peer says CLOSE.
    pub(super) fn on_close(&mut self, code: u64, text: &str) {
        match std::mem::replace(&mut self.phase, Phase::Ended) {
            Phase::Open => {
                let reason = EndReason::Peer {
                    code,
                    reason: text.to_owned(),
                };
                self.streams.end(reason.clone());
                self.phase = Phase::Answering(reason);
                if self.closing_path().is_none() || !self.sessions.can_seal() {
                    self.finish_answering();
                }
            }
            Phase::Closing(closing) => {
                self.phase = Phase::Closing(closing);
                self.finish_closing();
            }
            phase @ (Phase::Answering(_) | Phase::Ended) => self.phase = phase,
        }
    }

    /// The peer has heard, or has had its time.
    pub(super) fn finish_closing(&mut self) {
        if let Phase::Closing(closing) = &self.phase {
            let reason = closing.reason.clone();
            self.end(reason);
        }
    }

    /// The answer to the peer's CLOSE has gone out.
    pub(super) fn finish_answering(&mut self) {
        if let Phase::Answering(reason) = &self.phase {
            let reason = reason.clone();
            self.end(reason);
        }
    }

    fn begin_close(&mut self, now: Time, code: u64, text: &str, reason: EndReason) {
        if !self.is_open() {
            return;
        }
        let Some(pto) = self.closing_path().filter(|_| self.sessions.can_seal()) else {
            return self.end(reason);
        };
        let pto = self
            .paths
            .get(pto)
            .map_or(crate::recovery::INITIAL_RTT, |path| {
                path.recovery.pto_base()
            });
        self.streams.end(reason.clone());
        let closing = Closing::new(now, code, text, reason, pto);
        self.phase = Phase::Closing(Box::new(closing));
    }
}

/// What the answer to a CLOSE says.
pub(super) const ANSWER: u64 = codes::NONE;
