use keyway_wire::planted::{Fault, planted};
use keyway_wire::{Cid, CidSequence, Frame, NewCidFrame, RetireCidFrame};

use super::issued_cids::CIDS_MAX;
use super::violation::Violation;
use crate::range_set::RangeSet;

/// Gaps in the sequences of ids that the peer issued. An honest peer leaves none; some are in flight.
const GAPS_MAX: usize = 32;

/// An id of the peer's that we send under. It belongs to one path, whose packet numbers count under it.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct RemoteCid {
    pub(crate) sequence: CidSequence,
    pub(crate) cid: Cid,
}

/// The id that all probes of routes share which no path has, so that a path's own id is seen on that path only.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
struct ProbeCid {
    id: RemoteCid,
    next_number: u64,
}

/// The ids that the peer issued: in reserve, for probes, and on their way out. Those in use belong to their paths.
pub(crate) struct RemoteCids {
    /// Sequences ever issued.
    seen: RangeSet,
    /// In reserve, ascending.
    spares: Vec<RemoteCid>,
    probe: Option<ProbeCid>,
    /// In use by paths, or for the probes.
    used: Vec<CidSequence>,
    /// Retired, and the peer is not known to know.
    retired: Vec<Retired>,
    /// The peer wants no id below this one to be used.
    retire_prior_to: CidSequence,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
struct Retired {
    sequence: CidSequence,
    sent: bool,
}

impl RemoteCids {
    /// `first` is the one that the handshake named.
    pub(crate) fn new(first: Cid) -> Self {
        let mut seen = RangeSet::new();
        seen.insert_one(0);
        Self {
            seen,
            spares: vec![RemoteCid {
                sequence: CidSequence(0),
                cid: first,
            }],
            probe: None,
            used: Vec::new(),
            retired: Vec::new(),
            retire_prior_to: CidSequence(0),
        }
    }

    /// Takes an id into reserve.
    pub(crate) fn on_new_cid(&mut self, frame: NewCidFrame) -> Result<(), Violation> {
        if frame.retire_prior_to > frame.sequence {
            return Err(Violation::protocol(
                "a new connection id that retires itself",
            ));
        }
        let sequence = u64::from(frame.sequence.0);
        if self.seen.contains(sequence) {
            return self.repeated(frame);
        }
        if self
            .seen
            .try_insert(sequence..sequence + 1, GAPS_MAX)
            .is_none()
        {
            return Err(Violation::cid_limit("connection ids out of order"));
        }
        self.retire_prior_to(frame.retire_prior_to)?;
        if frame.sequence < self.retire_prior_to {
            return self.retire(frame.sequence);
        }
        if self.spares.len() + self.used.len() >= CIDS_MAX {
            return Err(Violation::cid_limit("more connection ids than are kept"));
        }
        let index = self
            .spares
            .partition_point(|spare| spare.sequence < frame.sequence);
        self.spares.insert(
            index,
            RemoteCid {
                sequence: frame.sequence,
                cid: frame.cid,
            },
        );
        Ok(())
    }

    /// The lowest id in reserve, for a path.
    pub(crate) fn take(&mut self) -> Option<RemoteCid> {
        if self.spares.is_empty() {
            return None;
        }
        let spare = self.spares.remove(0);
        self.used.push(spare.sequence);
        Some(spare)
    }

    /// Whether there is an id in reserve.
    pub(crate) fn has_spare(&self) -> bool {
        !self.spares.is_empty()
    }

    /// Whether probes can be sent.
    pub(crate) fn can_probe(&self) -> bool {
        self.probe.is_some() || !self.spares.is_empty()
    }

    /// The id that probes share, and a packet number under it that is used up by asking.
    pub(crate) fn probe(&mut self) -> Option<(RemoteCid, u64)> {
        if self.probe.is_none() {
            self.probe = self.take().map(|id| ProbeCid { id, next_number: 0 });
        }
        let probe = self.probe.as_mut()?;
        let number = probe.next_number;
        // 2^62 packets take longer than anything lasts; beyond, the session refuses to seal.
        probe.next_number = number.saturating_add(u64::from(!planted(Fault::ReuseNumber)));
        Some((probe.id, number))
    }

    /// Gives up an id that a path used.
    pub(crate) fn retire(&mut self, sequence: CidSequence) -> Result<(), Violation> {
        self.used.retain(|used| *used != sequence);
        if self
            .retired
            .iter()
            .all(|retired| retired.sequence != sequence)
        {
            self.retired.push(Retired {
                sequence,
                sent: false,
            });
        }
        // RFC 9000, 5.1.2: the peer must not make us remember more and more that it does not acknowledge.
        if self.retired.len() > 2 * CIDS_MAX {
            return Err(Violation::cid_limit(
                "does not take note of retired connection ids",
            ));
        }
        Ok(())
    }

    /// Whether the peer asked for this id to be given up.
    pub(crate) fn is_unwanted(&self, sequence: CidSequence) -> bool {
        sequence < self.retire_prior_to
    }

    /// Whether an acknowledgement of packets up to `largest` under an id that no path uses can be honest. It is of no use:
    /// it was a probe's, or a path's that is gone.
    pub(crate) fn may_acknowledge(&self, sequence: CidSequence, largest: u64) -> bool {
        match &self.probe {
            Some(probe) if probe.id.sequence == sequence => largest < probe.next_number,
            Some(_) | None => {
                let issued = self.seen.contains(u64::from(sequence.0));
                issued && self.spares.iter().all(|spare| spare.sequence != sequence)
            }
        }
    }

    /// Gives back room that is left over.
    pub(crate) fn rest(&mut self) {
        self.seen.shrink();
        self.spares.shrink_to_fit();
        self.used.shrink_to_fit();
        self.retired.shrink_to_fit();
    }

    /// Whether a retirement waits to be said.
    pub(crate) fn has_retirement(&self) -> bool {
        self.retired.iter().any(|retired| !retired.sent)
    }

    /// Writes one RETIRE_CID, if one waits and fits, and says of which.
    pub(crate) fn write_retirement(&mut self, out: &mut [u8]) -> Option<(usize, CidSequence)> {
        let retired = self.retired.iter_mut().find(|retired| !retired.sent)?;
        let frame = Frame::RetireCid(RetireCidFrame {
            sequence: retired.sequence,
        });
        if frame.len() > out.len() {
            return None;
        }
        retired.sent = true;
        Some((frame.emit(out), retired.sequence))
    }

    pub(crate) fn on_retirement_acked(&mut self, sequence: CidSequence) {
        self.retired.retain(|retired| retired.sequence != sequence);
    }

    pub(crate) fn on_retirement_lost(&mut self, sequence: CidSequence) {
        self.retired
            .iter_mut()
            .filter(|retired| retired.sequence == sequence)
            .for_each(|retired| retired.sent = false);
    }

    #[cfg(test)]
    pub(crate) fn len(&self) -> usize {
        self.spares.len() + self.used.len() + self.retired.len() + self.seen.range_count()
    }

    /// A frame that came twice says the same thing twice.
    fn repeated(&self, frame: NewCidFrame) -> Result<(), Violation> {
        match self
            .spares
            .iter()
            .find(|spare| spare.sequence == frame.sequence)
        {
            Some(spare) if spare.cid != frame.cid => {
                Err(Violation::cid_limit("one sequence for two connection ids"))
            }
            Some(_) | None => Ok(()),
        }
    }

    fn retire_prior_to(&mut self, bound: CidSequence) -> Result<(), Violation> {
        if bound <= self.retire_prior_to {
            return Ok(());
        }
        self.retire_prior_to = bound;
        let unwanted = self.spares.partition_point(|spare| spare.sequence < bound);
        let unwanted: Vec<_> = self.spares.drain(..unwanted).collect();
        unwanted
            .into_iter()
            .try_for_each(|spare| self.retire(spare.sequence))?;
        if let Some(probe) = self.probe
            && probe.id.sequence < bound
        {
            self.probe = None;
            self.retire(probe.id.sequence)?;
        }
        Ok(())
    }
}

#[cfg(test)]
mod tests {
    use keyway_wire::Frames;

    use super::*;

    fn frame(sequence: u32) -> NewCidFrame {
        let octet = u8::try_from(sequence % 256).unwrap();
        NewCidFrame {
            sequence: CidSequence(sequence),
            retire_prior_to: CidSequence(0),
            cid: Cid::new([octet; Cid::LEN]),
        }
    }

    fn cids(sequences: impl IntoIterator<Item = u32>) -> RemoteCids {
        let mut cids = RemoteCids::new(Cid::new([0; Cid::LEN]));
        sequences
            .into_iter()
            .for_each(|sequence| cids.on_new_cid(frame(sequence)).expect("honest"));
        cids
    }

    fn retirements(cids: &mut RemoteCids) -> Vec<u32> {
        let mut out = [0; 16];
        std::iter::from_fn(|| {
            let (len, sequence) = cids.write_retirement(&mut out)?;
            assert!(matches!(
                Frames::new(&out[..len]).next(),
                Some(Ok(Frame::RetireCid(_)))
            ));
            Some(sequence.0)
        })
        .collect()
    }

    fn take(cids: &mut RemoteCids) -> Option<u32> {
        cids.take().map(|cid| cid.sequence.0)
    }

    // R8.3, R8.4
    #[test]
    fn paths_take_the_lowest_and_the_probes_share_one() {
        let mut cids = cids([3, 1, 2]);
        assert_eq!(take(&mut cids), Some(0));
        let probes: Vec<_> = (0..3)
            .filter_map(|_| cids.probe())
            .map(|(id, number)| (id.sequence.0, number))
            .collect();
        assert_eq!(probes, [(1, 0), (1, 1), (1, 2)]);
        assert_eq!(
            (take(&mut cids), take(&mut cids), take(&mut cids)),
            (Some(2), Some(3), None)
        );
        assert!(cids.can_probe());
    }

    // R8.4
    #[test]
    fn without_a_spare_there_are_no_probes() {
        let mut cids = cids([]);
        assert_eq!(take(&mut cids), Some(0));
        assert!(!cids.can_probe());
        assert_eq!(cids.probe(), None);
    }

    #[test]
    fn an_announcement_that_comes_twice_is_taken_once() {
        let mut cids = cids([1, 1]);
        assert_eq!(
            (take(&mut cids), take(&mut cids), take(&mut cids)),
            (Some(0), Some(1), None)
        );
        assert_eq!(cids.on_new_cid(frame(1)), Ok(()), "also when it is in use");
        assert_eq!(take(&mut cids), None);
    }

    // R8.1
    #[test]
    fn one_sequence_for_two_ids_is_a_violation() {
        let mut cids = cids([1, 2]);
        let other = NewCidFrame {
            cid: Cid::new([0xee; Cid::LEN]),
            ..frame(2)
        };
        assert!(cids.on_new_cid(other).is_err());
    }

    // R8.2
    #[test]
    fn a_flood_of_ids_is_a_violation() {
        let mut cids = RemoteCids::new(Cid::new([0; Cid::LEN]));
        let taken = (1..100)
            .take_while(|sequence| cids.on_new_cid(frame(*sequence)).is_ok())
            .count();
        assert_eq!(taken, CIDS_MAX - 1, "the first one counts as well");
    }

    #[test]
    fn ids_with_gaps_between_them_cost_a_bounded_memory() {
        let mut cids = RemoteCids::new(Cid::new([0; Cid::LEN]));
        let mut taken = 0;
        for sequence in (2..1000).step_by(2) {
            if cids.on_new_cid(frame(sequence)).is_err() {
                break;
            }
            taken += 1;
            if let Some(cid) = cids.take() {
                cids.retire(cid.sequence).expect("acknowledged below");
                cids.on_retirement_acked(cid.sequence);
            }
        }
        assert_eq!(taken, GAPS_MAX - 1);
    }

    // R8.6
    #[test]
    fn a_retirement_is_repeated_until_it_is_acknowledged() {
        let mut cids = cids([1, 2]);
        let used = cids.take().expect("in reserve");
        assert_eq!(cids.retire(used.sequence), Ok(()));
        assert_eq!(retirements(&mut cids), [0]);
        assert!(!cids.has_retirement());
        cids.on_retirement_lost(CidSequence(0));
        assert_eq!(retirements(&mut cids), [0]);
        cids.on_retirement_acked(CidSequence(0));
        cids.on_retirement_lost(CidSequence(0));
        assert!(!cids.has_retirement());
    }

    // R8.6
    #[test]
    fn what_the_peer_wants_retired_is_given_up() {
        let mut cids = cids([1, 2, 3]);
        assert_eq!(
            take(&mut cids),
            Some(0),
            "a path keeps it until it has another"
        );
        cids.probe().expect("in reserve");
        let request = NewCidFrame {
            retire_prior_to: CidSequence(3),
            ..frame(5)
        };
        assert_eq!(cids.on_new_cid(request), Ok(()));
        assert_eq!(retirements(&mut cids), [2, 1]);
        assert!(cids.is_unwanted(CidSequence(0)) && !cids.is_unwanted(CidSequence(3)));
        assert_eq!(
            cids.probe().map(|(id, number)| (id.sequence.0, number)),
            Some((3, 0))
        );
        assert_eq!(
            cids.on_new_cid(NewCidFrame {
                retire_prior_to: CidSequence(0),
                ..frame(4)
            }),
            Ok(())
        );
        assert_eq!(take(&mut cids), Some(4));
    }

    #[test]
    fn a_peer_that_has_ids_retired_without_end_is_stopped() {
        let mut cids = RemoteCids::new(Cid::new([0; Cid::LEN]));
        let taken = (1..1000)
            .map(|sequence| NewCidFrame {
                retire_prior_to: CidSequence(sequence),
                ..frame(sequence)
            })
            .take_while(|frame| cids.on_new_cid(*frame).is_ok())
            .count();
        assert!(taken <= 2 * CIDS_MAX + 2, "{taken}");
    }

    // R6.7
    #[test]
    fn only_what_was_sent_can_be_acknowledged() {
        let mut cids = cids([1, 2, 3]);
        let used = cids.take().expect("in reserve");
        assert!(!cids.may_acknowledge(CidSequence(1), 0), "it is in reserve");
        cids.probe().expect("in reserve");
        assert!(cids.may_acknowledge(CidSequence(1), 0));
        assert!(!cids.may_acknowledge(CidSequence(1), 1));
        assert!(
            !cids.may_acknowledge(CidSequence(77), 0),
            "it was never issued"
        );
        cids.retire(used.sequence).expect("few are");
        assert!(
            cids.may_acknowledge(used.sequence, 9),
            "late, from a path that is gone"
        );
    }
}
