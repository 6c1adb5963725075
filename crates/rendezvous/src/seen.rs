//! What a reader remembers, so that no server can show it an older record than it has seen.

use std::collections::{BTreeMap, BTreeSet};

use keyway_identity::NodeId;
use keyway_wire::planted::{Fault, planted};

use crate::edition::{Edition, Succession};
use crate::record::Record;
use crate::wall::Wall;

/// The newest edition seen of each node, shared by all servers that a node asks.
///
/// Bounded: the records issued longest ago are forgotten first. To forget one opens no way back: from then on, of a node
/// that is not remembered only a record issued later than all that were forgotten is believed. What was forgotten has expired
/// as a rule, so that this costs nothing; only who looks up more than [`NODES_MAX`](Self::NODES_MAX) nodes within some
/// minutes may have to wait for a node's next refresh, a minute at most.
#[derive(Debug)]
pub struct SeenRecords {
    editions: BTreeMap<NodeId, Seen>,
    by_issue: BTreeSet<(Wall, NodeId)>,
    /// The latest time of issue among those that were forgotten.
    forgotten: Option<Wall>,
    nodes_max: usize,
}

#[derive(Debug)]
struct Seen {
    edition: Edition,
    /// The latest time of issue that this node ever named.
    issued: Wall,
}

/// The record is older than one that was seen, or may be; or of a rival process, or absurdly far ahead: not to be believed.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
pub enum WentBack {
    /// Another record of the node counts.
    #[error("a record with epoch {} and sequence {} was seen before", seen.epoch, seen.sequence)]
    Seen {
        /// The edition that counts.
        seen: Edition,
    },
    /// The node may be one of those that were forgotten. Its next record will be believed.
    #[error("it is older than records that were seen and forgotten")]
    Forgotten,
}

impl SeenRecords {
    /// Nodes remembered by default, at about 150 octets each.
    pub const NODES_MAX: usize = 16_384;

    /// Remembers nothing so far, and at most `nodes_max` nodes.
    pub const fn new(nodes_max: usize) -> Self {
        Self {
            editions: BTreeMap::new(),
            by_issue: BTreeSet::new(),
            forgotten: None,
            nodes_max,
        }
    }

    /// Looks at a verified record, and remembers it if it is the newest of its node.
    ///
    /// # Errors
    ///
    /// [`WentBack`] when it is not: whoever gave it is behind, or lies.
    pub fn accept(&mut self, record: &Record) -> Result<(), WentBack> {
        self.judge(record)?;
        let mut issued = record.issued;
        if let Some(known) = self.editions.get(&record.node) {
            self.by_issue.remove(&(known.issued, record.node));
            issued = issued.max(known.issued);
        }
        self.by_issue.insert((issued, record.node));
        let edition = record.edition();
        self.editions.insert(record.node, Seen { edition, issued });
        self.forget();
        Ok(())
    }

    /// Whether a record may follow what is known of its node.
    fn judge(&self, record: &Record) -> Result<(), WentBack> {
        let Some(known) = self.editions.get(&record.node) else {
            return match self.forgotten {
                Some(latest) if record.issued <= latest => Err(WentBack::Forgotten),
                _ => Ok(()),
            };
        };
        match record.edition().succession(known.edition) {
            Succession::Newer | Succession::Same => Ok(()),
            Succession::Older if planted(Fault::AcceptOldRecord) => Ok(()),
            Succession::Older | Succession::Rival | Succession::Absurd => Err(WentBack::Seen {
                seen: known.edition,
            }),
        }
    }

    /// Forgets what there is no room for.
    fn forget(&mut self) {
        while self.editions.len() > self.nodes_max
            && let Some((issued, node)) = self.by_issue.pop_first()
        {
            self.editions.remove(&node);
            self.forgotten = self.forgotten.max(Some(issued));
        }
    }
}

impl Default for SeenRecords {
    fn default() -> Self {
        Self::new(Self::NODES_MAX)
    }
}

#[cfg(test)]
mod tests {
    use std::time::Duration;

    use proptest::prelude::*;

    use super::*;
    use crate::record::tests::record;

    // V2, R10.3
    #[test]
    fn a_reader_never_goes_back() {
        let mut seen = SeenRecords::default();
        let newest = record(1, 5, 5);
        assert_eq!(seen.accept(&newest), Ok(()));
        for (epoch, sequence) in [(5, 4), (4, 99), (u64::MAX, 0)] {
            let refused = seen.accept(&record(1, epoch, sequence));
            assert_eq!(
                refused,
                Err(WentBack::Seen {
                    seen: newest.edition()
                })
            );
        }
        assert_eq!(
            seen.accept(&newest),
            Ok(()),
            "the same again is no step back"
        );
        assert_eq!(
            seen.accept(&record(2, 1, 1)),
            Ok(()),
            "another node is another matter"
        );
        assert_eq!(seen.accept(&record(1, 6, 0)), Ok(()));
        assert!(seen.accept(&newest).is_err());
    }

    // R10.3
    #[test]
    fn a_rival_process_of_the_same_epoch_is_not_believed() {
        let mut seen = SeenRecords::default();
        seen.accept(&record(1, 5, 5)).unwrap();
        let mut rival = record(1, 5, 6);
        rival.instance = 78;
        assert!(seen.accept(&rival).is_err());
    }

    /// A record of this edition, issued so many seconds later than others.
    fn issued(number: u8, epoch: u64, sequence: u64, later: u64) -> Record {
        let mut record = record(number, epoch, sequence);
        record.issued = record.issued.saturating_add(Duration::from_secs(later));
        record.expiry = record.issued.saturating_add(Duration::from_secs(300));
        record
    }

    // V2
    #[test]
    fn a_reader_that_has_forgotten_a_node_does_not_go_back_either() {
        let mut seen = SeenRecords::new(2);
        seen.accept(&issued(1, 5, 5, 10)).unwrap();
        for number in 2..6 {
            let later = 20 + u64::from(number);
            seen.accept(&issued(number, 5, 5, later)).unwrap();
        }
        assert_eq!((seen.editions.len(), seen.by_issue.len()), (2, 2));
        // Everything that came before what was forgotten, and that itself.
        for (sequence, later) in [(1, 0), (4, 9), (5, 10)] {
            let refused = seen.accept(&issued(1, 5, sequence, later));
            assert_eq!(refused, Err(WentBack::Forgotten));
        }
        assert_eq!(
            seen.accept(&issued(1, 5, 6, 70)),
            Ok(()),
            "its next refresh"
        );
    }

    #[test]
    fn what_was_issued_longest_ago_is_forgotten_first() {
        let mut seen = SeenRecords::new(2);
        seen.accept(&issued(1, 5, 5, 30)).unwrap();
        seen.accept(&issued(2, 5, 5, 10)).unwrap();
        seen.accept(&issued(3, 5, 5, 20)).unwrap();
        assert!(matches!(
            seen.accept(&issued(1, 5, 4, 29)),
            Err(WentBack::Seen { .. })
        ));
        // Others that were not seen so far are believed, if they are newer than what was forgotten.
        assert_eq!(seen.accept(&issued(4, 1, 1, 11)), Ok(()));
        assert_eq!(seen.accept(&issued(5, 1, 1, 9)), Err(WentBack::Forgotten));
    }

    #[test]
    fn a_clock_that_went_back_at_the_owner_hides_nothing_from_who_remembers_it() {
        let mut seen = SeenRecords::new(2);
        seen.accept(&issued(1, 5, 5, 100)).unwrap();
        assert_eq!(seen.accept(&issued(1, 6, 1, 0)), Ok(()));
        assert!(seen.accept(&issued(1, 5, 6, 160)).is_err());
    }

    proptest! {
        /// Whatever is looked up, and however little is remembered: of no node an edition is believed after a newer one.
        #[test]
        fn no_reader_ever_goes_back(steps in proptest::collection::vec((1_u8..8, 0_u64..40), 1..200)) {
            let mut seen = SeenRecords::new(2);
            let mut newest = BTreeMap::new();
            for (number, sequence) in steps {
                // Owners publish in order: the sequence tells the time of issue.
                if seen.accept(&issued(number, 5, sequence, sequence / 2)).is_ok() {
                    let before = newest.insert(number, sequence).unwrap_or(0);
                    prop_assert!(sequence >= before, "{sequence} after {before}");
                }
                prop_assert!(seen.editions.len() <= 2 && seen.by_issue.len() == seen.editions.len());
            }
        }
    }
}
