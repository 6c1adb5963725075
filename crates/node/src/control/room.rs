//! Room for newcomers: which association goes when there are too many.
//!
//! Whoever is let in can vanish without a word, and its association waits a day for it. Where everybody is let in, anybody can make
//! as many of those as there may be: so one that is silent gives way to one that speaks. Not to an INIT, which anybody can
//! make, but to a newcomer that has proved its key.

use std::time::Duration;

use keyway_identity::NodeId;
use keyway_transport::EndReason;
use keyway_wire::Time;

use super::Control;
use crate::keys::AssociationKey;
use crate::worker::Worker;

/// Silence after which an association may have to go. A peer that is there sends a keepalive every 25 s, as long as the
/// association is used.
const SILENT_AFTER: Duration = Duration::from_secs(60);

/// How many are found by one search through all associations, so that a search is not the price of each newcomer.
const FOUND_MAX: usize = 64;

/// From a search that found nothing to the next one.
const SEARCH_PAUSE: Duration = Duration::from_secs(1);

/// What goes first: those whom no service names, before those whom one does; those to whom no path leads, before those who
/// may only sleep; and of these, who has been silent longest.
type Rank = (bool, bool, Time, AssociationKey);

/// Associations that may go, as of the last search.
#[derive(Debug, Default)]
pub(super) struct Dispensable {
    /// The first to go is the last in the list.
    found: Vec<AssociationKey>,
    searched: Option<Time>,
}

impl Control {
    /// Whether there may be another association, be it at the cost of one that is silent.
    pub(super) fn has_room(&mut self, worker: &Worker, now: Time) -> bool {
        self.associations() < self.config.limits.associations_max
            || self.dispensable(worker, now).is_some()
    }

    /// Ends silent associations until there are not too many, if there are as many.
    pub(super) fn make_room(&mut self, worker: &mut Worker, now: Time) {
        while self.associations() > self.config.limits.associations_max
            && let Some(key) = self.dispensable(worker, now)
        {
            self.finish(worker, now, key, EndReason::Displaced);
        }
    }

    /// Associations that somebody has confirmed.
    fn associations(&self) -> usize {
        self.owners.len() - self.half_open.len()
    }

    fn dispensable(&mut self, worker: &Worker, now: Time) -> Option<AssociationKey> {
        while let Some(key) = self.dispensable.found.last().copied() {
            if self.rank(worker, now, key).is_some() {
                return Some(key);
            }
            self.dispensable.found.pop();
        }
        let searched = self.dispensable.searched;
        if searched.is_some_and(|time| now.saturating_since(time) < SEARCH_PAUSE) {
            return None;
        }
        self.dispensable.searched = Some(now);
        let owners = self.owners.keys();
        let mut ranks: Vec<Rank> = owners
            .filter_map(|key| self.rank(worker, now, *key))
            .collect();
        ranks.sort_unstable();
        ranks.truncate(FOUND_MAX);
        let keys = ranks.into_iter().rev().map(|(.., key)| key);
        self.dispensable.found = keys.collect();
        self.dispensable.found.last().copied()
    }

    /// Where an association stands among those that may go; `None` where it may not.
    fn rank(&self, worker: &Worker, now: Time, key: AssociationKey) -> Option<Rank> {
        let id: &NodeId = self.owners.get(&key)?;
        let peer = self.peers.get(id)?;
        let association = worker.get(key)?;
        let heard = association.last_heard();
        let may_go = peer.association == Some(key)
            && peer.server.is_none()
            && now.saturating_since(heard) >= SILENT_AFTER;
        let reachable = association.selected_route().is_some();
        may_go.then(|| (self.policy.names(id), reachable, heard, key))
    }
}
