use keyway_wire::{CANDIDATES_MAX, Candidate, CandidatesFrame, emit_candidates};

/// Octets of the longest frame: kind, sequence, count, and 32 IPv6 addresses.
const LEN_MAX: usize = 1 + 8 + 1 + CANDIDATES_MAX * (1 + 1 + 16 + 2);

/// Our addresses as the peer is told them: CANDIDATES, the whole list each time, repeated until it arrived.
#[derive(Debug, Default)]
pub(crate) struct LocalCandidates {
    list: Vec<Candidate>,
    sequence: u64,
    waiting: bool,
}

impl LocalCandidates {
    /// Replaces the list. One that is the same is not said again; what goes beyond the most that a frame holds is left out.
    pub(crate) fn set(&mut self, candidates: &[Candidate]) {
        let candidates = candidates.get(..CANDIDATES_MAX).unwrap_or(candidates);
        if self.list == candidates {
            return;
        }
        self.list = candidates.to_vec();
        self.sequence = self.sequence.saturating_add(1);
        self.waiting = true;
    }

    /// Whether the list waits to be said.
    pub(crate) fn is_waiting(&self) -> bool {
        self.waiting
    }

    /// Writes the frame if it waits and fits, and says which it is.
    pub(crate) fn write(&mut self, out: &mut [u8]) -> Option<(usize, u64)> {
        // Written short, it would hide candidates until the next change.
        if !self.waiting || out.len() < LEN_MAX {
            return None;
        }
        let len = emit_candidates(out, self.sequence, &self.list);
        if len == 0 {
            return None;
        }
        self.waiting = false;
        Some((len, self.sequence))
    }

    /// The frame of that sequence was lost: say it again, unless the list has changed.
    pub(crate) fn on_lost(&mut self, sequence: u64) {
        self.waiting |= self.sequence == sequence && sequence > 0;
    }
}

/// Which of the peer's lists is the newest.
#[derive(Debug, Default)]
pub(crate) struct RemoteCandidates {
    newest: Option<u64>,
}

impl RemoteCandidates {
    /// The list, if it is newer than every one before.
    pub(crate) fn accept(&mut self, frame: &CandidatesFrame<'_>) -> Option<Vec<Candidate>> {
        if self.newest.is_some_and(|newest| frame.sequence <= newest) {
            return None;
        }
        self.newest = Some(frame.sequence);
        Some(frame.candidates.iter().collect())
    }
}

#[cfg(test)]
mod tests {
    use keyway_wire::{CandidateKind, Frame, Frames};

    use super::*;

    fn candidate(port: u16) -> Candidate {
        Candidate {
            kind: CandidateKind::Host,
            address: ([192, 0, 2, 1], port).into(),
        }
    }

    fn said(local: &mut LocalCandidates, remote: &mut RemoteCandidates) -> Option<Vec<Candidate>> {
        let mut out = [0; 1200];
        let (len, _) = local.write(&mut out)?;
        match Frames::new(&out[..len]).next() {
            Some(Ok(Frame::Candidates(frame))) => remote.accept(&frame),
            other => panic!("{other:?}"),
        }
    }

    #[test]
    fn a_list_replaces_the_one_before_and_is_said_once() {
        let (mut local, mut remote) = (LocalCandidates::default(), RemoteCandidates::default());
        assert_eq!(said(&mut local, &mut remote), None);
        local.set(&[candidate(1)]);
        local.set(&[candidate(2), candidate(3)]);
        assert_eq!(
            said(&mut local, &mut remote),
            Some(vec![candidate(2), candidate(3)])
        );
        local.set(&[candidate(2), candidate(3)]);
        assert_eq!(said(&mut local, &mut remote), None);
        local.set(&[]);
        assert_eq!(said(&mut local, &mut remote), Some(vec![]));
    }

    #[test]
    fn a_lost_list_is_said_again_and_a_late_one_changes_nothing() {
        let (mut local, mut remote) = (LocalCandidates::default(), RemoteCandidates::default());
        local.set(&[candidate(1)]);
        let mut late = [0; 1200];
        let (len, sequence) = local.write(&mut late).expect("it waits");
        local.on_lost(sequence);
        assert_eq!(said(&mut local, &mut remote), Some(vec![candidate(1)]));
        local.set(&[candidate(2)]);
        local.on_lost(sequence);
        assert_eq!(said(&mut local, &mut remote), Some(vec![candidate(2)]));
        let Some(Ok(Frame::Candidates(frame))) = Frames::new(&late[..len]).next() else {
            panic!("written above")
        };
        assert_eq!(remote.accept(&frame), None);
    }

    #[test]
    fn no_more_are_said_than_a_frame_holds() {
        let many: Vec<_> = (1..100).map(candidate).collect();
        let (mut local, mut remote) = (LocalCandidates::default(), RemoteCandidates::default());
        local.set(&many);
        assert_eq!(
            said(&mut local, &mut remote).map(|list| list.len()),
            Some(CANDIDATES_MAX)
        );
    }
}
