use keyway_wire::{Cid, CidSequence, Frame, NewCidFrame, RetireCidFrame};

use super::violation::Violation;
use crate::range_set::RangeSet;

/// Gaps in the sequences of ids that the peer issued. An honest peer leaves none; some are in flight.
const GAPS_MAX: usize = 32;

/// An id of the peer's that we send under: a number space of ours, from which each number is taken once.
#[derive(Debug, PartialEq, Eq)]
pub(crate) struct RemoteCid {
    pub(crate) sequence: CidSequence,
    pub(crate) cid: Cid,
    /// The number of the next packet. Goes on across sessions and never back.
    next_number: u64,
}

impl RemoteCid {
    pub(crate) fn new(sequence: CidSequence, cid: Cid) -> Self {
        Self {
            sequence,
            cid,
            next_number: 0,
        }
    }

    /// The number of the next packet, which is then used up.
    pub(crate) fn take_number(&mut self) -> u64 {
        let number = self.next_number;
        // 2^64 packets take longer than anything lasts; the session refuses to seal the last number.
        self.next_number = number.saturating_add(1);
        number
    }

    /// Leaves the next number out: who acknowledges it has not received it (RFC 9000, 21.4).
    pub(crate) fn skip_number(&mut self) {
        self.next_number = self.next_number.saturating_add(1);
    }

    /// The number that the next packet will have.
    pub(crate) fn next_number(&self) -> u64 {
        self.next_number
    }
}

/// The ids that the peer issued: in reserve, for probes, and on their way out. Those in use belong to their paths.
pub(crate) struct RemoteCids {
    /// Sequences ever issued.
    seen: RangeSet,
    /// In reserve, ascending.
    spares: Vec<(CidSequence, Cid)>,
    /// All probes of pairs that are not validated yet go under this one, so that a path's own id is seen on that path only.
    probe: Option<RemoteCid>,
    /// In use by paths, or for the probes.
    used: Vec<CidSequence>,
    /// Retired, and the peer is not known to know.
    retired: Vec<Retired>,
    /// The peer wants no id below this one to be used.
    retire_prior_to: CidSequence,
    active_max: usize,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
struct Retired {
    sequence: CidSequence,
    sent: bool,
}

impl RemoteCids {
    /// `active_max` bounds what the peer may have us keep.
    pub(crate) fn new(active_max: usize) -> Self {
        let mut seen = RangeSet::new();
        seen.insert_one(0);
        Self {
            seen,
            spares: Vec::new(),
            probe: None,
            used: vec![CidSequence(0)],
            retired: Vec::new(),
            retire_prior_to: CidSequence(0),
            active_max,
        }
    }

    /// Takes an id into reserve. The first one becomes the id of the probes.
    pub(crate) fn on_new_cid(&mut self, frame: NewCidFrame) -> Result<(), Violation> {
        if frame.retire_prior_to > frame.sequence {
            return Err(Violation::protocol(
                "a new connection id that retires itself",
            ));
        }
        if self.seen.contains(u64::from(frame.sequence.0)) {
            return self.repeated(frame);
        }
        let sequence = u64::from(frame.sequence.0);
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
        if self.spares.len() + self.used.len() >= self.active_max {
            return Err(Violation::cid_limit("more connection ids than are kept"));
        }
        let index = self
            .spares
            .partition_point(|(sequence, _)| *sequence < frame.sequence);
        self.spares.insert(index, (frame.sequence, frame.cid));
        if self.probe.is_none() {
            self.probe = self.take();
        }
        Ok(())
    }

    /// The lowest id in reserve, for a path that was validated.
    pub(crate) fn take(&mut self) -> Option<RemoteCid> {
        if self.spares.is_empty() {
            return None;
        }
        let (sequence, cid) = self.spares.remove(0);
        self.used.push(sequence);
        Some(RemoteCid::new(sequence, cid))
    }

    /// The id that probes use.
    pub(crate) fn probe(&mut self) -> Option<&mut RemoteCid> {
        self.probe.as_mut()
    }

    /// Whether probes can be sent.
    pub(crate) fn has_probe(&self) -> bool {
        self.probe.is_some()
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
        if self.retired.len() > 2 * self.active_max {
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

    /// Whether an acknowledgement of packet `largest` under an id that no path uses can be honest. They are of no use: it
    /// was a probe's, or a path's that is gone.
    pub(crate) fn may_acknowledge(&self, sequence: CidSequence, largest: u64) -> bool {
        match &self.probe {
            Some(probe) if probe.sequence == sequence => largest < probe.next_number,
            Some(_) | None => {
                self.seen.contains(u64::from(sequence.0))
                    && self.spares.iter().all(|(spare, _)| *spare != sequence)
            }
        }
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

    /// A frame that came twice says the same thing twice.
    fn repeated(&self, frame: NewCidFrame) -> Result<(), Violation> {
        match self
            .spares
            .iter()
            .find(|(sequence, _)| *sequence == frame.sequence)
        {
            Some((_, cid)) if *cid != frame.cid => {
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
        let unwanted = self
            .spares
            .partition_point(|(sequence, _)| *sequence < bound);
        let unwanted: Vec<_> = self.spares.drain(..unwanted).collect();
        unwanted
            .into_iter()
            .try_for_each(|(sequence, _)| self.retire(sequence))?;
        if self
            .probe
            .as_ref()
            .is_some_and(|probe| probe.sequence < bound)
            && let Some(probe) = self.probe.take()
        {
            self.retire(probe.sequence)?;
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
        let mut cids = RemoteCids::new(16);
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

    #[test]
    fn the_first_spare_serves_the_probes_and_paths_take_the_lowest() {
        let mut cids = cids([3, 1, 2]);
        assert_eq!(
            cids.probe().map(|probe| probe.sequence),
            Some(CidSequence(3)),
            "it came first"
        );
        assert_eq!(cids.take().map(|cid| cid.sequence), Some(CidSequence(1)));
        assert_eq!(cids.take().map(|cid| cid.sequence), Some(CidSequence(2)));
        assert_eq!(cids.take(), None);
    }

    #[test]
    fn a_number_is_taken_once() {
        let mut cid = RemoteCid::new(CidSequence(4), Cid::new([4; Cid::LEN]));
        assert_eq!((cid.take_number(), cid.take_number()), (0, 1));
        cid.skip_number();
        assert_eq!(cid.next_number(), 3);
        assert_eq!(cid.take_number(), 3);
    }

    #[test]
    fn an_announcement_that_comes_twice_is_taken_once() {
        let mut cids = cids([1, 2, 2, 1]);
        assert_eq!(cids.take().map(|cid| cid.sequence), Some(CidSequence(2)));
        assert_eq!(cids.take(), None);
        assert_eq!(cids.on_new_cid(frame(2)), Ok(()), "also when it is in use");
        assert_eq!(cids.take(), None);
    }

    #[test]
    fn one_sequence_for_two_ids_is_a_violation() {
        let mut cids = cids([1, 2]);
        let other = NewCidFrame {
            cid: Cid::new([0xee; Cid::LEN]),
            ..frame(2)
        };
        assert!(cids.on_new_cid(other).is_err());
    }

    #[test]
    fn a_flood_of_ids_is_a_violation() {
        let mut cids = RemoteCids::new(16);
        let taken = (1..100)
            .take_while(|sequence| cids.on_new_cid(frame(*sequence)).is_ok())
            .count();
        assert_eq!(taken, 15, "with the first one that makes sixteen");
    }

    #[test]
    fn ids_with_gaps_between_them_cost_a_bounded_memory() {
        let mut cids = RemoteCids::new(16);
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

    #[test]
    fn a_retirement_is_repeated_until_it_is_acknowledged() {
        let mut cids = cids([1, 2]);
        let used = cids.take().expect("in reserve");
        assert_eq!(cids.retire(used.sequence), Ok(()));
        assert_eq!(retirements(&mut cids), [2]);
        assert!(!cids.has_retirement());
        cids.on_retirement_lost(CidSequence(2));
        assert_eq!(retirements(&mut cids), [2]);
        cids.on_retirement_acked(CidSequence(2));
        cids.on_retirement_lost(CidSequence(2));
        assert!(!cids.has_retirement());
    }

    #[test]
    fn what_the_peer_wants_retired_is_given_up() {
        let mut cids = cids([1, 2, 3]);
        let request = NewCidFrame {
            retire_prior_to: CidSequence(3),
            ..frame(5)
        };
        assert_eq!(cids.on_new_cid(request), Ok(()));
        assert_eq!(retirements(&mut cids), [2, 1]);
        assert!(cids.is_unwanted(CidSequence(0)) && !cids.is_unwanted(CidSequence(3)));
        assert_eq!(
            cids.probe().map(|probe| probe.sequence),
            Some(CidSequence(3))
        );
        assert_eq!(
            cids.on_new_cid(NewCidFrame {
                retire_prior_to: CidSequence(0),
                ..frame(4)
            }),
            Ok(())
        );
        assert_eq!(cids.take().map(|cid| cid.sequence), Some(CidSequence(4)));
    }

    #[test]
    fn a_peer_that_has_ids_retired_without_end_is_stopped() {
        let mut cids = RemoteCids::new(16);
        let taken = (1..1000)
            .map(|sequence| NewCidFrame {
                retire_prior_to: CidSequence(sequence),
                ..frame(sequence)
            })
            .take_while(|frame| cids.on_new_cid(*frame).is_ok())
            .count();
        assert!(taken <= 34, "{taken}");
    }

    #[test]
    fn only_what_was_sent_can_be_acknowledged() {
        let mut cids = cids([1, 2, 3]);
        assert!(
            !cids.may_acknowledge(CidSequence(1), 0),
            "no probe was sent yet"
        );
        cids.probe().expect("the first spare").take_number();
        assert!(cids.may_acknowledge(CidSequence(1), 0));
        assert!(!cids.may_acknowledge(CidSequence(1), 1));
        assert!(!cids.may_acknowledge(CidSequence(2), 0), "it is in reserve");
        assert!(
            !cids.may_acknowledge(CidSequence(77), 0),
            "it was never issued"
        );
        let used = cids.take().expect("in reserve");
        cids.retire(used.sequence).expect("few are");
        assert!(
            cids.may_acknowledge(used.sequence, 9),
            "late, from a path that is gone"
        );
    }
}
