//! What a reader remembers, so that no server can show it an older record than it has seen.

use std::collections::BTreeMap;

use keyway_identity::NodeId;

use keyway_wire::planted::{Fault, planted};

use crate::edition::{Edition, Succession};
use crate::record::Record;

/// The newest edition seen of each node, shared by all servers that a node asks.
///
/// Bounded: of the nodes looked up, those seen longest ago are forgotten first. Only what was looked up gets in, so
/// that others cannot push anything out.
#[derive(Debug)]
pub struct SeenRecords {
    editions: BTreeMap<NodeId, Seen>,
    by_age: BTreeMap<u64, NodeId>,
    next: u64,
    nodes_max: usize,
}

#[derive(Debug)]
struct Seen {
    edition: Edition,
    age: u64,
}

/// The record is older than one that was seen, of a rival process, or absurdly far ahead: not to be believed.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
#[error("a record with epoch {} and sequence {} was seen before", seen.epoch, seen.sequence)]
pub struct WentBack {
    /// The edition that counts.
    pub seen: Edition,
}

impl SeenRecords {
    /// Nodes remembered by default, at about 120 octets each.
    pub const NODES_MAX: usize = 16_384;

    /// Remembers nothing so far, and at most `nodes_max` nodes.
    pub const fn new(nodes_max: usize) -> Self {
        Self {
            editions: BTreeMap::new(),
            by_age: BTreeMap::new(),
            next: 0,
            nodes_max,
        }
    }

    /// Looks at a verified record, and remembers it if it is the newest of its node.
    ///
    /// # Errors
    ///
    /// [`WentBack`] when it is not: whoever gave it is behind, or lies.
    pub fn accept(&mut self, record: &Record) -> Result<(), WentBack> {
        if let Some(known) = self.editions.get(&record.node) {
            match record.edition().succession(known.edition) {
                Succession::Newer | Succession::Same => {}
                Succession::Older if planted(Fault::AcceptOldRecord) => {}
                Succession::Older | Succession::Rival | Succession::Absurd => {
                    return Err(WentBack {
                        seen: known.edition,
                    });
                }
            }
            self.by_age.remove(&known.age);
        }
        let age = self.next;
        self.next += 1;
        self.by_age.insert(age, record.node);
        self.editions.insert(
            record.node,
            Seen {
                edition: record.edition(),
                age,
            },
        );
        while self.editions.len() > self.nodes_max {
            let Some((_, oldest)) = self.by_age.pop_first() else {
                break;
            };
            self.editions.remove(&oldest);
        }
        Ok(())
    }
}

impl Default for SeenRecords {
    fn default() -> Self {
        Self::new(Self::NODES_MAX)
    }
}

#[cfg(test)]
mod tests {
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
                Err(WentBack {
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

    #[test]
    fn the_node_seen_longest_ago_is_forgotten_first() {
        let mut seen = SeenRecords::new(2);
        for number in [1, 2, 1, 3] {
            seen.accept(&record(number, 5, 5)).unwrap();
        }
        assert_eq!(seen.editions.len(), 2);
        assert_eq!(seen.by_age.len(), 2);
        assert!(
            seen.accept(&record(1, 4, 1)).is_err(),
            "1 was seen again after 2"
        );
        assert!(seen.accept(&record(2, 4, 1)).is_ok(), "2 was forgotten");
    }
}
