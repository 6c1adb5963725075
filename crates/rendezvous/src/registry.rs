//! The records that a server knows.

use std::collections::{BTreeMap, BTreeSet};

use keyway_identity::{NodeId, Signed};

use crate::edition::{Edition, Succession};
use crate::prefix::Prefix;
use crate::record::{CLOCK_SKEW_MAX, OutOfTime, RECORD_LIFETIME_MAX, Record};
use crate::wall::Wall;

/// Records in memory: the newest one of each node, until it expires.
///
/// Soft state: it may lose everything at any time, and the owners bring it back with their next refresh. Memory is
/// bounded by the number of records and their greatest length; work for each call grows with the logarithm of that
/// number.
#[derive(Clone, Debug)]
pub struct Registry {
    records: BTreeMap<NodeId, Stored>,
    /// What goes first when time passes.
    expiries: BTreeSet<(Wall, NodeId)>,
    /// Records from each prefix.
    by_prefix: BTreeMap<Prefix, usize>,
    records_max: usize,
    per_prefix_max: usize,
}

#[derive(Clone, Debug)]
struct Stored {
    record: Signed<Record>,
    kept_until: Wall,
    /// Where its node came from when it got its place.
    prefix: Option<Prefix>,
}

/// What storing a record changed.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Inserted {
    /// There was none of this node.
    New,
    /// A record of this node made room for it.
    Replaced,
    /// Exactly this edition is stored.
    Unchanged,
}

/// Why a record was not stored.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
pub enum RegistryError {
    /// The one that is stored is newer, or of another process of the same epoch, or too far behind.
    #[error("a record with epoch {} and sequence {} is stored", stored.epoch, stored.sequence)]
    Stale {
        /// The edition that stays.
        stored: Edition,
    },
    /// It does not hold at this time, by this clock.
    #[error(transparent)]
    OutOfTime(#[from] OutOfTime),
    /// There is no room for another node.
    #[error("no room for another record")]
    Full,
    /// There is no room for another node from the same network.
    #[error("no room for another record from this network")]
    Crowded,
}

impl Registry {
    /// An empty registry for at most `records_max` nodes, and `per_prefix_max` of one network.
    pub const fn new(records_max: usize, per_prefix_max: usize) -> Self {
        Self {
            records: BTreeMap::new(),
            expiries: BTreeSet::new(),
            by_prefix: BTreeMap::new(),
            records_max,
            per_prefix_max,
        }
    }

    /// Stores a record, if it is the newest of its node.
    ///
    /// # Errors
    ///
    /// [`RegistryError`] says why it was not stored. Nothing changed then.
    pub fn insert(
        &mut self,
        record: Signed<Record>,
        wall: Wall,
    ) -> Result<Inserted, RegistryError> {
        self.insert_from(record, wall, None)
    }

    /// The same, for a node that comes from this network. A node keeps the place that it has, wherever it comes from later.
    pub(crate) fn insert_from(
        &mut self,
        record: Signed<Record>,
        wall: Wall,
        prefix: Option<Prefix>,
    ) -> Result<Inserted, RegistryError> {
        record.value().check_time(wall)?;
        self.expire(wall);
        let (node, edition) = (record.value().node, record.value().edition());
        let known = self.records.get(&node);
        let known = known.map(|stored| (stored.record.value().edition(), stored.prefix));
        let (outcome, prefix) = match known {
            None if self.records.len() >= self.records_max => return Err(RegistryError::Full),
            None if self.is_crowded(prefix) => return Err(RegistryError::Crowded),
            None => (Inserted::New, prefix),
            Some((stored, place)) => match edition.succession(stored) {
                Succession::Newer => (Inserted::Replaced, place),
                Succession::Same => return Ok(Inserted::Unchanged),
                Succession::Older | Succession::Rival | Succession::Absurd => {
                    return Err(RegistryError::Stale { stored });
                }
            },
        };
        self.remove(&node);
        self.store(node, record, wall, prefix);
        Ok(outcome)
    }

    fn store(&mut self, node: NodeId, record: Signed<Record>, wall: Wall, prefix: Option<Prefix>) {
        let kept_until = kept_until(record.value(), wall);
        self.expiries.insert((kept_until, node));
        if let Some(prefix) = prefix {
            *self.by_prefix.entry(prefix).or_default() += 1;
        }
        let stored = Stored {
            record,
            kept_until,
            prefix,
        };
        self.records.insert(node, stored);
    }

    fn is_crowded(&self, prefix: Option<Prefix>) -> bool {
        let taken = prefix.and_then(|prefix| self.by_prefix.get(&prefix));
        prefix.is_some() && taken.copied().unwrap_or(0) >= self.per_prefix_max
    }

    /// The record of a node, if it holds at `wall`.
    pub fn get(&self, node: &NodeId, wall: Wall) -> Option<&Signed<Record>> {
        let stored = self.records.get(node)?;
        (wall <= stored.kept_until).then_some(&stored.record)
    }

    /// Forgets the record of a node.
    pub fn remove(&mut self, node: &NodeId) {
        let Some(stored) = self.records.remove(node) else {
            return;
        };
        self.expiries.remove(&(stored.kept_until, *node));
        if let Some(prefix) = stored.prefix
            && let Some(taken) = self.by_prefix.get_mut(&prefix)
        {
            *taken -= 1;
            if *taken == 0 {
                self.by_prefix.remove(&prefix);
            }
        }
    }

    /// Forgets what does not hold any more. [`get`](Self::get) does not need it; it gives the memory back.
    pub fn expire(&mut self, wall: Wall) {
        while let Some((kept_until, node)) = self.expiries.first().copied() {
            if wall <= kept_until {
                break;
            }
            self.remove(&node);
        }
    }

    /// How many records are stored.
    pub fn len(&self) -> usize {
        self.records.len()
    }

    /// Whether no record is stored.
    pub fn is_empty(&self) -> bool {
        self.records.is_empty()
    }
}

/// The expiry, with the skew of clocks that is allowed; but never longer than a record could live that was issued just
/// now, in case our own clock is set back meanwhile.
fn kept_until(record: &Record, wall: Wall) -> Wall {
    let expiry = record.expiry.saturating_add(CLOCK_SKEW_MAX);
    expiry.min(wall.saturating_add(RECORD_LIFETIME_MAX + CLOCK_SKEW_MAX))
}

#[cfg(test)]
mod tests {
    use std::time::Duration;

    use proptest::prelude::*;

    use super::*;
    use crate::record::tests::{NOW, key, record, signed};

    fn registry() -> Registry {
        Registry::new(3, 2)
    }

    fn later(seconds: u64) -> Wall {
        NOW.saturating_add(Duration::from_secs(seconds))
    }

    #[test]
    fn a_stored_record_is_found_until_it_expires() {
        let mut registry = registry();
        let record = signed(1, record(1, 1, 1));
        assert_eq!(registry.insert(record.clone(), NOW), Ok(Inserted::New));
        let node = key(1).node_id();
        assert_eq!(registry.get(&node, later(360)), Some(&record));
        assert_eq!(registry.get(&node, later(361)), None);
        assert_eq!(registry.get(&key(2).node_id(), NOW), None);
        registry.expire(later(360));
        assert_eq!(registry.len(), 1);
        registry.expire(later(361));
        assert!(registry.is_empty());
        assert!(registry.expiries.is_empty());
    }

    // V2, C4, R10.3
    #[test]
    fn an_older_record_never_replaces_a_newer_one() {
        let mut registry = registry();
        registry.insert(signed(1, record(1, 5, 5)), NOW).unwrap();
        let stored = record(1, 5, 5).edition();
        for (epoch, sequence) in [(5, 4), (4, 9), (0, 0)] {
            let old = signed(1, record(1, epoch, sequence));
            assert_eq!(
                registry.insert(old, NOW),
                Err(RegistryError::Stale { stored })
            );
        }
        let mut rival = record(1, 5, 6);
        rival.instance = 78;
        assert_eq!(
            registry.insert(signed(1, rival), NOW),
            Err(RegistryError::Stale { stored })
        );
        let same = signed(1, record(1, 5, 5));
        assert_eq!(registry.insert(same, NOW), Ok(Inserted::Unchanged));
        assert_eq!(
            registry.insert(signed(1, record(1, 6, 0)), NOW),
            Ok(Inserted::Replaced)
        );
        assert_eq!(registry.len(), 1);
        assert_eq!(registry.expiries.len(), 1);
    }

    #[test]
    fn records_out_of_their_time_are_refused() {
        let mut registry = registry();
        let early = registry.insert(signed(1, record(1, 1, 1)), Wall(NOW.0 - 61));
        assert_eq!(early, Err(OutOfTime::FromTheFuture.into()));
        let late = registry.insert(signed(1, record(1, 1, 1)), later(361));
        assert_eq!(late, Err(OutOfTime::Expired.into()));
        assert!(registry.is_empty());
    }

    // V7
    #[test]
    fn a_full_registry_refuses_strangers_and_refreshes_those_it_knows() {
        let mut registry = registry();
        for number in 1..=3 {
            registry
                .insert(signed(number, record(number, 1, 1)), NOW)
                .unwrap();
        }
        assert_eq!(
            registry.insert(signed(4, record(4, 1, 1)), NOW),
            Err(RegistryError::Full)
        );
        assert_eq!(
            registry.insert(signed(2, record(2, 1, 2)), NOW),
            Ok(Inserted::Replaced)
        );
        // Room that time has made is used.
        let mut fresh = record(4, 1, 1);
        (fresh.issued, fresh.expiry) = (later(400), later(500));
        assert_eq!(
            registry.insert(signed(4, fresh), later(400)),
            Ok(Inserted::New)
        );
        assert_eq!(registry.len(), 1);
    }

    // V7
    #[test]
    fn one_network_gets_a_share_and_who_has_a_place_keeps_it() {
        let prefix = |text: &str| Prefix::of(text.parse().unwrap());
        let (here, there) = (prefix("192.0.2.1"), prefix("2001:db8::1"));
        let mut registry = registry();
        for number in 1..=2 {
            let stored = registry.insert_from(signed(number, record(number, 1, 1)), NOW, here);
            assert_eq!(stored, Ok(Inserted::New));
        }
        let third = || signed(3, record(3, 1, 1));
        let refused = registry.insert_from(third(), NOW, here);
        assert_eq!(refused, Err(RegistryError::Crowded));
        let refreshed = registry.insert_from(signed(1, record(1, 1, 2)), NOW, here);
        assert_eq!(refreshed, Ok(Inserted::Replaced));
        assert_eq!(registry.insert_from(third(), NOW, there), Ok(Inserted::New));
        // Elsewhere by now, it still has the place that it got here.
        let moved = registry.insert_from(signed(2, record(2, 1, 2)), NOW, there);
        assert_eq!(moved, Ok(Inserted::Replaced));
        registry.remove(&key(3).node_id());
        let refused = registry.insert_from(third(), NOW, here);
        assert_eq!(refused, Err(RegistryError::Crowded));
        registry.remove(&key(2).node_id());
        assert_eq!(registry.insert_from(third(), NOW, here), Ok(Inserted::New));
        registry.expire(later(1000));
        assert!(registry.is_empty() && registry.by_prefix.is_empty());
    }

    #[test]
    fn a_clock_set_back_does_not_keep_records_for_ever() {
        let mut registry = registry();
        let mut ahead = record(1, 1, 1);
        (ahead.issued, ahead.expiry) = (later(60), later(360));
        registry.insert(signed(1, ahead), NOW).unwrap();
        assert!(registry.get(&key(1).node_id(), later(360)).is_some());
        assert_eq!(registry.get(&key(1).node_id(), later(361)), None);
    }

    proptest! {
        #[test]
        fn a_node_never_goes_back_while_its_record_holds(
            steps in proptest::collection::vec((1u8..4, 0u64..4, 0u64..4, 0u64..100), 1..60),
        ) {
            let mut registry = registry();
            let mut wall = NOW;
            for (number, epoch, sequence, seconds) in steps {
                wall = wall.saturating_add(Duration::from_secs(seconds));
                let mut record = record(number, epoch, sequence);
                (record.issued, record.expiry) = (wall, wall.saturating_add(RECORD_LIFETIME_MAX));
                let known = registry.get(&record.node, wall).map(|known| known.value().edition());
                let stored = registry.insert(signed(number, record.clone()), wall).is_ok();
                let expected = known.is_none_or(|known| {
                    (record.epoch, record.sequence) >= (known.epoch, known.sequence)
                });
                prop_assert_eq!(stored, expected);
                prop_assert_eq!(registry.len(), registry.expiries.len());
                let now = registry.get(&record.node, wall).map(|known| known.value().edition());
                if let (Some(now), Some(before)) = (now, known) {
                    prop_assert!((now.epoch, now.sequence) >= (before.epoch, before.sequence));
                }
            }
        }
    }
}
