use std::borrow::Cow;

use crate::codes;

/// What the peer did that no honest peer does. The association closes with its code.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct Violation {
    /// One of [`codes`].
    pub(crate) code: u64,
    /// What happened, for the CLOSE and for the log.
    pub(crate) reason: Cow<'static, str>,
}

impl Violation {
    pub(crate) const fn new(code: u64, reason: &'static str) -> Self {
        Self {
            code,
            reason: Cow::Borrowed(reason),
        }
    }

    pub(crate) const fn protocol(reason: &'static str) -> Self {
        Self::new(codes::PROTOCOL_VIOLATION, reason)
    }

    pub(crate) const fn malformed(reason: &'static str) -> Self {
        Self::new(codes::MALFORMED, reason)
    }

    pub(crate) const fn cid_limit(reason: &'static str) -> Self {
        Self::new(codes::CID_LIMIT, reason)
    }

    pub(crate) const fn optimistic_ack() -> Self {
        Self::new(
            codes::OPTIMISTIC_ACK,
            "acknowledged a packet that was never sent",
        )
    }
}
