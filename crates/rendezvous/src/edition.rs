//! Which of two records of a node is the newer one.

/// The furthest that an epoch may lie ahead of the one known before. So far that no honest node gets there, and
/// so near that a single absurd epoch (a defect, a stolen key) does not use up all of them.
pub const EPOCH_JUMP_MAX: u64 = 1 << 40;

/// What orders the records of one node: the start of the identity (epoch), the process (instance), the record
/// (sequence).
///
/// ```
/// use keyway_rendezvous::{Edition, Succession};
///
/// let before = Edition { epoch: 5, instance: 1, sequence: 9 };
/// let restarted = Edition { epoch: 6, instance: 2, sequence: 1 };
/// assert_eq!(restarted.succession(before), Succession::Newer);
/// assert_eq!(before.succession(restarted), Succession::Older);
/// ```
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub struct Edition {
    /// Grows with every start of the identity.
    pub epoch: u64,
    /// Random; tells two processes with one epoch apart.
    pub instance: u64,
    /// Grows with every record of an instance.
    pub sequence: u64,
}

/// What a record is to the one that is known already.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Succession {
    /// A later start, or a later record of the same process.
    Newer,
    /// The same edition.
    Same,
    /// An earlier start, or an earlier record of the same process: a replay, or a reader of old state.
    Older,
    /// Another process with the same epoch. Whoever came first stays, until one of the two takes a higher epoch.
    Rival,
    /// An epoch further ahead than [`EPOCH_JUMP_MAX`].
    Absurd,
}

impl Edition {
    /// What `self` is to `known`.
    pub fn succession(self, known: Self) -> Succession {
        let ahead = self.epoch.checked_sub(known.epoch);
        match ahead {
            None => Succession::Older,
            Some(0) if self.instance != known.instance => Succession::Rival,
            Some(0) if self.sequence < known.sequence => Succession::Older,
            Some(0) if self.sequence == known.sequence => Succession::Same,
            Some(0..=EPOCH_JUMP_MAX) => Succession::Newer,
            Some(_) => Succession::Absurd,
        }
    }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    fn edition(epoch: u64, instance: u64, sequence: u64) -> Edition {
        Edition {
            epoch,
            instance,
            sequence,
        }
    }

    // V2
    #[test]
    fn epochs_count_before_sequences_and_instances_divide_an_epoch() {
        let known = edition(5, 1, 10);
        for (other, expected) in [
            (edition(5, 1, 10), Succession::Same),
            (edition(5, 1, 11), Succession::Newer),
            (edition(5, 1, 9), Succession::Older),
            (edition(5, 2, 11), Succession::Rival),
            (edition(5, 2, 10), Succession::Rival),
            (edition(6, 2, 0), Succession::Newer),
            (edition(4, 1, 99), Succession::Older),
            (edition(4, 2, 99), Succession::Older),
        ] {
            assert_eq!(other.succession(known), expected, "{other:?}");
        }
    }

    #[test]
    fn an_absurd_epoch_is_neither_newer_nor_older() {
        let known = edition(5, 1, 10);
        let furthest = 5 + EPOCH_JUMP_MAX;
        assert_eq!(edition(furthest, 2, 0).succession(known), Succession::Newer);
        assert_eq!(
            edition(furthest + 1, 2, 0).succession(known),
            Succession::Absurd
        );
        assert_eq!(
            edition(u64::MAX, 2, 0).succession(known),
            Succession::Absurd
        );
    }

    proptest! {
        #[test]
        fn of_two_editions_at_most_one_is_newer(a in any::<[u64; 3]>(), b in any::<[u64; 3]>(), near: bool) {
            let limit = |value: u64| if near { value % 3 } else { value };
            let [a, b] = [a, b].map(|it| edition(limit(it[0]), limit(it[1]), limit(it[2])));
            match a.succession(b) {
                Succession::Newer | Succession::Absurd => prop_assert_eq!(b.succession(a), Succession::Older),
                Succession::Same => prop_assert_eq!(a, b),
                Succession::Rival => prop_assert_eq!(b.succession(a), Succession::Rival),
                Succession::Older => {
                    prop_assert!(matches!(b.succession(a), Succession::Newer | Succession::Absurd));
                }
            }
        }
    }
}
