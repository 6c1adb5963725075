//! Who may send in: a bounded table of who was sent to, and when last.

use std::collections::BTreeMap;
use std::net::SocketAddr;

use keyway_wire::Time;

use super::config::{Filter, Peers};

/// Of each `K`, a mapping or an inside address, to whom something was sent.
#[derive(Clone, Debug)]
pub(super) struct Permissions<K> {
    filter: Filter,
    used: BTreeMap<(K, Peers), Time>,
}

impl<K: Copy + Ord> Permissions<K> {
    pub(super) const fn new(filter: Filter) -> Self {
        Self {
            filter,
            used: BTreeMap::new(),
        }
    }

    /// Something went out to `remote`, which may answer from now on. If there is no room for that, another entry is forgotten:
    /// gives whose it was, if it was the last one there.
    pub(super) fn sent(&mut self, now: Time, key: K, remote: SocketAddr) -> Option<K> {
        let entry = (key, self.filter.depends.peers(remote));
        self.used.insert(entry, now);
        if self.used.len() <= self.filter.capacity.max(1) {
            return None;
        }
        let others = self.used.iter().filter(|(other, _)| **other != entry);
        let (oldest, _) = others.min_by_key(|(_, used)| **used)?;
        let oldest = *oldest;
        self.used.remove(&oldest);
        (!self.has_some(oldest.0)).then_some(oldest.0)
    }

    /// Whether what comes from `remote` is let in.
    pub(super) fn lets_in(&mut self, now: Time, key: K, remote: SocketAddr) -> bool {
        let entry = (key, self.filter.depends.peers(remote));
        let Some(used) = self.used.get_mut(&entry) else {
            return false;
        };
        let is_fresh = now.saturating_since(*used) < self.filter.lifetime;
        if is_fresh && self.filter.refresh_inbound {
            *used = now;
        }
        is_fresh
    }

    /// Forgets what is too old.
    pub(super) fn forget_stale(&mut self, now: Time) {
        let lifetime = self.filter.lifetime;
        self.used
            .retain(|_, used| now.saturating_since(*used) < lifetime);
    }

    /// Whether anything is remembered of this one.
    pub(super) fn has_some(&self, key: K) -> bool {
        let first = self.used.range((key, Peers::All)..).next();
        first.is_some_and(|((other, _), _)| *other == key)
    }

    /// How many entries there are.
    pub(super) fn len(&self) -> usize {
        self.used.len()
    }

    pub(super) fn clear(&mut self) {
        self.used.clear();
    }
}
