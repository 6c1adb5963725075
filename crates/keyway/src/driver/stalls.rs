//! Associations that wait in vain, and the patience of their streams.

use std::collections::BTreeMap;
use std::time::Duration;

use keyway_node::AssociationKey;
use keyway_wire::Time;

use super::Driver;
use super::channels::Channels;

/// Since when which association has waited for an acknowledgement.
#[derive(Debug)]
pub(super) struct Stalls {
    since: BTreeMap<AssociationKey, Time>,
    /// How long the node waits before it says so: that much has passed already when it does.
    notice: Duration,
}

impl Stalls {
    pub(super) const fn new(notice: Duration) -> Self {
        Self {
            since: BTreeMap::new(),
            notice,
        }
    }

    pub(super) fn begin(&mut self, now: Time, association: AssociationKey) {
        self.since.entry(association).or_insert(now - self.notice);
    }

    pub(super) fn end(&mut self, association: AssociationKey) {
        self.since.remove(&association);
    }

    pub(super) fn contains(&self, association: AssociationKey) -> bool {
        self.since.contains_key(&association)
    }

    /// When the next stream loses its patience.
    pub(super) fn next(&self, channels: &Channels) -> Option<Time> {
        self.since
            .iter()
            .filter_map(|(association, since)| channels.patience_end(*association, *since))
            .min()
    }
}

impl Driver {
    pub(super) fn end_impatient_streams(&mut self, now: Time) {
        if self
            .stalls
            .next(&self.channels)
            .is_none_or(|next| next > now)
        {
            return;
        }
        for (association, since) in self.stalls.since.clone() {
            self.channels
                .end_impatient(&mut self.node, now, association, since, &mut self.wakes);
        }
    }
}
