//! Associations that wait in vain, and the patience of their streams.

use std::collections::BTreeMap;
use std::time::Duration;

use keyway_node::AssociationKey;
use keyway_wire::Time;

use super::Driver;

/// Patience is looked at again after this time at the latest: the application may have shortened it meanwhile.
const CHECK_INTERVAL_MAX: Duration = Duration::from_secs(10);

/// Since when which association has waited for an acknowledgement.
#[derive(Debug)]
pub(super) struct Stalls {
    since: BTreeMap<AssociationKey, Time>,
    /// How long the node waits before it says so: that much has passed already when it does.
    notice: Duration,
    /// When to look at the patience of their streams next; never if there are none.
    check: Option<Time>,
}

impl Stalls {
    pub(super) const fn new(notice: Duration) -> Self {
        Self {
            since: BTreeMap::new(),
            notice,
            check: None,
        }
    }

    pub(super) fn begin(&mut self, now: Time, association: AssociationKey) {
        self.since.entry(association).or_insert(now - self.notice);
        self.check = Some(now);
    }

    pub(super) fn end(&mut self, association: AssociationKey) {
        self.since.remove(&association);
    }

    pub(super) fn contains(&self, association: AssociationKey) -> bool {
        self.since.contains_key(&association)
    }

    /// When to look at patience next.
    pub(super) const fn next(&self) -> Option<Time> {
        self.check
    }
}

impl Driver {
    /// Ends the streams whose patience is over, if it is time to look.
    pub(super) fn end_impatient_streams(&mut self, now: Time) {
        if self.stalls.check.is_none_or(|check| now < check) {
            return;
        }
        let mut next = None;
        for (association, since) in &self.stalls.since {
            self.channels
                .end_impatient(&mut self.node, now, *association, *since, &mut self.wakes);
            let left = self.channels.patience_end(*association, *since);
            next = [next, left].into_iter().flatten().min();
        }
        self.stalls.check = next.map(|next: Time| next.min(now + CHECK_INTERVAL_MAX));
    }
}
