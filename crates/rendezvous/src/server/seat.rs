//! What a server keeps of one client.

use keyway_identity::NodeId;
use keyway_wire::Time;

use crate::framing::{MessageReader, append};
use crate::limits::Limits;
use crate::message::{ProtocolError, ToClient};
use crate::prefix::Prefix;

/// Octets that may wait for a client. One that leaves more unread is closed.
const OUTPUT_MAX: usize = 256 * 1024;

/// Offers wait only behind less than this, so that others cannot fill a client's queue.
const OFFERS_BEHIND_MAX: usize = 64 * 1024;

/// Requests that may be refused in a row for coming too fast, before the client counts as hostile.
const REFUSED_MAX: u32 = 1000;

#[derive(Clone, Debug)]
pub(super) struct Seat {
    pub(super) node: NodeId,
    /// Where it comes from, if that counts.
    pub(super) prefix: Option<Prefix>,
    pub(super) reader: MessageReader,
    /// The client has published a record of its own: it wants to be found, and channels to it may be opened.
    pub(super) registered: bool,
    pub(super) blocked: bool,
    /// Stands in the queue of those that have output.
    pub(super) ready: bool,
    output: Vec<u8>,
    shut: bool,
    /// When it may do each of these as often at once as ever.
    requests: Time,
    publishes: Time,
    offers: Time,
    refused: u32,
}

/// The client does not read what is for it.
#[derive(Debug)]
pub(super) struct Overflow;

impl Seat {
    pub(super) fn new(now: Time, node: NodeId, prefix: Option<Prefix>) -> Self {
        Self {
            node,
            prefix,
            reader: MessageReader::default(),
            registered: false,
            blocked: false,
            ready: false,
            output: Vec::new(),
            shut: false,
            requests: now,
            publishes: now,
            offers: now,
            refused: 0,
        }
    }

    /// Nothing is read from this client or sent to it any more; it is about to be closed.
    pub(super) fn shut(&mut self) {
        self.shut = true;
        self.registered = false;
        self.output = Vec::new();
        self.reader = MessageReader::default();
    }

    pub(super) const fn is_shut(&self) -> bool {
        self.shut
    }

    /// Whether another request may be served. It is told so if not; `Flood` when it does not heed that.
    pub(super) fn may_ask(&mut self, now: Time, limits: &Limits) -> Result<bool, ProtocolError> {
        let allowed = limits.requests.take(now, &mut self.requests);
        self.count_refusals(allowed)
    }

    /// Whether another record may be looked at: its signature and the keys in it cost more than other requests.
    pub(super) fn may_publish(
        &mut self,
        now: Time,
        limits: &Limits,
    ) -> Result<bool, ProtocolError> {
        let allowed = limits.publishes.take(now, &mut self.publishes);
        self.count_refusals(allowed)
    }

    fn count_refusals(&mut self, allowed: bool) -> Result<bool, ProtocolError> {
        self.refused = if allowed { 0 } else { self.refused + 1 };
        if self.refused > REFUSED_MAX {
            return Err(ProtocolError::Flood);
        }
        Ok(allowed)
    }

    /// Whether this client can be bothered with another offer.
    pub(super) fn may_be_offered(&mut self, now: Time, limits: &Limits) -> bool {
        self.output.len() < OFFERS_BEHIND_MAX && limits.offers.take(now, &mut self.offers)
    }

    pub(super) fn push(&mut self, message: ToClient) -> Result<(), Overflow> {
        if self.shut {
            return Ok(());
        }
        append(&message.into_wire(), &mut self.output);
        if self.output.len() > OUTPUT_MAX {
            self.shut();
            return Err(Overflow);
        }
        Ok(())
    }

    pub(super) const fn has_output(&self) -> bool {
        !self.output.is_empty()
    }

    pub(super) fn take_output(&mut self) -> Option<Vec<u8>> {
        let sendable = !self.blocked && self.has_output();
        sendable.then(|| std::mem::take(&mut self.output))
    }
}
