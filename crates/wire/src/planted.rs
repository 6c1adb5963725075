//! Mistakes that somebody might make, for the simulator to find. It is of no worth if it does not.
//!
//! Without the feature `planted-faults`, which nothing but the simulator's hunt for them turns on, [`planted`] is `false` at compile
//! time, and nothing is left of the places that ask it. It is here because every crate that may be wrong depends on this one.

/// A mistake, and where it is made.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub enum Fault {
    /// Packets are opened again that were accepted before.
    SkipReplayCheck,
    /// A packet number counts as seen before the packet was opened.
    NoteBeforeAuthentic,
    /// A packet that cannot be opened ends the association.
    CloseWithoutAuthentic,
    /// A packet number is used twice.
    ReuseNumber,
    /// Keys are used for ever, and new ones are never asked for.
    NeverRekey,
    /// An address that has not answered gets as much as one likes.
    SkipAddressLimit,
    /// What was lost is not sent again.
    DropRetransmission,
    /// The end of a stream that was lost is not sent again.
    LoseEnd,
    /// A stream that was reset looks like one that ended.
    TruncateSilently,
    /// Octets that came twice are delivered twice.
    DeliverTwice,
    /// More is sent than the peer has granted.
    IgnoreFlowControl,
    /// An acknowledgement names packets that never came.
    AcknowledgeMissing,
    /// Nobody wakes up when an acknowledgement does not come.
    ForgetProbeTimeout,
    /// An INIT is worked on whatever its `mac1`.
    SkipMac1,
    /// Everybody's INIT is answered.
    AnswerStrangers,
    /// Every peer may use every service.
    SkipAllowList,
    /// A record is believed that is older than one that was seen.
    AcceptOldRecord,
    /// An association is continued with a peer that has lost it.
    ContinueAfterRestart,
    /// An association that has ended is kept for ever.
    KeepEnded,
    /// The peer of a moved path is believed without an answer from there.
    MoveWithoutProof,
}

impl Fault {
    /// All of them.
    pub const ALL: [Self; 20] = [
        Self::SkipReplayCheck,
        Self::NoteBeforeAuthentic,
        Self::CloseWithoutAuthentic,
        Self::ReuseNumber,
        Self::NeverRekey,
        Self::SkipAddressLimit,
        Self::DropRetransmission,
        Self::LoseEnd,
        Self::TruncateSilently,
        Self::DeliverTwice,
        Self::IgnoreFlowControl,
        Self::AcknowledgeMissing,
        Self::ForgetProbeTimeout,
        Self::SkipMac1,
        Self::AnswerStrangers,
        Self::SkipAllowList,
        Self::AcceptOldRecord,
        Self::ContinueAfterRestart,
        Self::KeepEnded,
        Self::MoveWithoutProof,
    ];
}

/// Whether this mistake is to be made.
#[cfg(not(feature = "planted-faults"))]
#[inline(always)]
#[must_use]
pub const fn planted(_: Fault) -> bool {
    false
}

#[cfg(feature = "planted-faults")]
pub use planting::{plant, planted};

#[cfg(feature = "planted-faults")]
mod planting {
    use std::cell::Cell;

    use super::Fault;

    thread_local! {
        static PLANTED: Cell<Option<Fault>> = const { Cell::new(None) };
    }

    /// Whether this mistake is to be made by the current thread.
    #[must_use]
    pub fn planted(fault: Fault) -> bool {
        PLANTED.get() == Some(fault)
    }

    /// Lets the current thread make a mistake from here on, or none.
    pub fn plant(fault: Option<Fault>) {
        PLANTED.set(fault);
    }
}
