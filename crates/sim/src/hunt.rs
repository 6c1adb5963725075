//! The hunt for planted faults: what finds no mistake that was made on purpose finds none that was not.

use std::panic::{AssertUnwindSafe, catch_unwind};

use keyway_wire::planted::{Fault, plant};

use crate::properties::by_name;
use crate::topology::Run;

/// How a fault was found.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Found {
    /// The property that did not hold.
    pub property: &'static str,
    /// For this seed, the first of those tried.
    pub seed: u64,
    /// How that showed.
    pub how: String,
}

/// The property that is expected to find a fault.
fn property_of(fault: Fault) -> &'static str {
    match fault {
        // It takes a packet's place without a trace until that packet comes; two runs are compared to see it.
        Fault::NoteBeforeAuthentic => "forged",
        Fault::SkipReplayCheck
        | Fault::CloseWithoutAuthentic
        | Fault::ReuseNumber
        | Fault::NeverRekey
        | Fault::SkipAddressLimit
        | Fault::DropRetransmission
        | Fault::LoseEnd
        | Fault::TruncateSilently
        | Fault::DeliverTwice
        | Fault::IgnoreFlowControl
        | Fault::AcknowledgeMissing
        | Fault::ForgetProbeTimeout
        | Fault::SkipMac1
        | Fault::AnswerStrangers
        | Fault::SkipAllowList
        | Fault::AcceptOldRecord
        | Fault::ContinueAfterRestart
        | Fault::KeepEnded
        | Fault::MoveWithoutProof => "swarm",
    }
}

/// Makes a mistake in every run, until a run shows it; nothing if none of the first `seeds` does. Leaves no fault planted.
#[must_use]
pub fn hunt(fault: Fault, seeds: u64) -> Option<Found> {
    let property = by_name(property_of(fault))?;
    (0..seeds).find_map(|seed| {
        let run = Run { seed, trace: false };
        plant(Some(fault));
        // A mistake may break what the code takes for granted.
        let result = catch_unwind(AssertUnwindSafe(|| (property.check)(run)));
        plant(None);
        let how = match result {
            Ok(Ok(_)) => return None,
            Ok(Err(failure)) => failure.to_string(),
            Err(_) => "it panicked".to_owned(),
        };
        Some(Found {
            property: property.name,
            seed,
            how,
        })
    })
}
