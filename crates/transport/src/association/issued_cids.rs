use std::time::Duration;

use keyway_wire::{Cid, CidSequence, Frame, NewCidFrame, RetireCidFrame, Time};

use super::receive_space::ReceiveSpace;
use super::violation::Violation;

/// Ids of one side that are in use at the same time, those in reserve included. The protocol's: a peer that issues more is
/// not honest. Eight spares, one for each of eight paths, one for probes, and as many again on their way out.
pub(crate) const CIDS_MAX: usize = 32;

/// Ids that the peer has retired and that still receive what is on its way. An honest peer retires at most what it holds.
const RETIRING_MAX: usize = 32;

/// The ids that we issued, under which the peer sends to us.
///
/// Each is a number space of its own with its own replay window, allocated when the first packet comes. Sequences grow by
/// one with each id and are never reused, so a nonce never repeats.
pub(crate) struct IssuedCids {
    cids: Vec<IssuedCid>,
    next_sequence: u32,
    /// Ids that the node was asked for and has not given yet.
    asked: usize,
    spare: usize,
}

/// One id that we issued.
pub(crate) struct IssuedCid {
    pub(crate) sequence: CidSequence,
    pub(crate) cid: Cid,
    announcement: Announcement,
    /// The first authentic packet makes it.
    pub(crate) space: Option<Box<ReceiveSpace>>,
    /// When the peer said that it uses the id no more.
    retired: Option<Time>,
}

/// What the peer knows of an id.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Announcement {
    Waiting,
    Sent,
    Arrived,
}

impl IssuedCids {
    /// `first` is the one that the handshake named.
    pub(crate) fn new(first: Cid, spare: usize) -> Self {
        let first = IssuedCid {
            sequence: CidSequence(0),
            cid: first,
            announcement: Announcement::Arrived,
            space: None,
            retired: None,
        };
        Self {
            cids: vec![first],
            next_sequence: 1,
            asked: 0,
            spare,
        }
    }

    /// The id that a handshake names: the oldest that is in use.
    pub(crate) fn current(&self) -> Cid {
        let active = self.cids.iter().find(|issued| issued.retired.is_none());
        // The peer may retire everything it has; what it holds in vain is then as good as any.
        active
            .or(self.cids.first())
            .map_or(Cid::new([0; Cid::LEN]), |issued| issued.cid)
    }

    /// All ids for which packets are accepted.
    pub(crate) fn cids(&self) -> impl Iterator<Item = Cid> {
        self.cids.iter().map(|issued| issued.cid)
    }

    pub(crate) fn by_cid(&mut self, cid: &Cid) -> Option<&mut IssuedCid> {
        self.cids.iter_mut().find(|issued| issued.cid == *cid)
    }

    pub(crate) fn by_sequence(&mut self, sequence: CidSequence) -> Option<&mut IssuedCid> {
        self.cids
            .iter_mut()
            .find(|issued| issued.sequence == sequence)
    }

    /// All number spaces under which something was received.
    pub(crate) fn spaces(&self) -> impl Iterator<Item = (CidSequence, &ReceiveSpace)> {
        self.cids
            .iter()
            .filter_map(|issued| Some((issued.sequence, issued.space.as_deref()?)))
    }

    pub(crate) fn spaces_mut(&mut self) -> impl Iterator<Item = (CidSequence, &mut ReceiveSpace)> {
        self.cids
            .iter_mut()
            .filter_map(|issued| Some((issued.sequence, issued.space.as_deref_mut()?)))
    }

    /// How many more ids the node should be asked for; each is asked for once.
    pub(crate) fn take_wanted(&mut self) -> usize {
        let active = self.cids.iter().filter(|issued| issued.retired.is_none());
        let (active, spare) = active.fold((0, 0), |(active, spare), issued| {
            (
                active + 1,
                spare + usize::from(issued.space.is_none() && issued.sequence != CidSequence(0)),
            )
        });
        let wanted = self.spare.saturating_sub(spare + self.asked);
        let wanted = wanted.min(CIDS_MAX.saturating_sub(active + self.asked));
        self.asked += wanted;
        wanted
    }

    /// The node's answer: an id that is announced to the peer. `false` if there is no sequence left for it.
    pub(crate) fn issue(&mut self, cid: Cid) -> bool {
        self.asked = self.asked.saturating_sub(1);
        let Some(next) = self.next_sequence.checked_add(1) else {
            return false;
        };
        self.cids.push(IssuedCid {
            sequence: CidSequence(self.next_sequence),
            cid,
            announcement: Announcement::Waiting,
            space: None,
            retired: None,
        });
        self.next_sequence = next;
        true
    }

    /// Gives back room that is left over.
    pub(crate) fn rest(&mut self) {
        self.cids.shrink_to_fit();
        self.spaces_mut().for_each(|(_, space)| space.rest());
    }

    /// Whether an id waits to be announced.
    pub(crate) fn has_announcement(&self) -> bool {
        self.cids
            .iter()
            .any(|issued| issued.announcement == Announcement::Waiting)
    }

    /// Writes one NEW_CID, if one waits and fits, and says for which.
    pub(crate) fn write_announcement(&mut self, out: &mut [u8]) -> Option<(usize, CidSequence)> {
        let issued = self
            .cids
            .iter_mut()
            .find(|issued| issued.announcement == Announcement::Waiting)?;
        let frame = Frame::NewCid(NewCidFrame {
            sequence: issued.sequence,
            retire_prior_to: CidSequence(0),
            cid: issued.cid,
        });
        if frame.len() > out.len() {
            return None;
        }
        issued.announcement = Announcement::Sent;
        Some((frame.emit(out), issued.sequence))
    }

    pub(crate) fn on_announcement_acked(&mut self, sequence: CidSequence) {
        if let Some(issued) = self.by_sequence(sequence) {
            issued.announcement = Announcement::Arrived;
        }
    }

    pub(crate) fn on_announcement_lost(&mut self, sequence: CidSequence) {
        if let Some(issued) = self.by_sequence(sequence)
            && issued.announcement == Announcement::Sent
            && issued.retired.is_none()
        {
            issued.announcement = Announcement::Waiting;
        }
    }

    /// The peer uses an id no more. It receives what is on its way until [`expire`](Self::expire) takes it.
    pub(crate) fn on_retire(&mut self, now: Time, frame: RetireCidFrame) -> Result<(), Violation> {
        if frame.sequence.0 >= self.next_sequence {
            return Err(Violation::protocol(
                "retired a connection id that was never issued",
            ));
        }
        if let Some(issued) = self.by_sequence(frame.sequence) {
            issued.retired.get_or_insert(now);
            issued.announcement = Announcement::Arrived;
        }
        let retiring = self
            .cids
            .iter()
            .filter(|issued| issued.retired.is_some())
            .count();
        if retiring > RETIRING_MAX {
            return Err(Violation::cid_limit(
                "retired connection ids faster than they can be replaced",
            ));
        }
        Ok(())
    }

    /// When the next retired id is forgotten, if that happens `linger` after its retirement.
    pub(crate) fn next_expiry(&self, linger: Duration) -> Option<Time> {
        self.cids
            .iter()
            .filter_map(|issued| issued.retired)
            .min()
            .map(|retired| retired + linger)
    }

    /// Forgets an id that was retired `linger` ago: no packet under it is accepted from here on.
    pub(crate) fn expire(&mut self, now: Time, linger: Duration) -> Option<Cid> {
        let due = |issued: &IssuedCid| {
            issued
                .retired
                .is_some_and(|retired| retired + linger <= now)
        };
        let index = self.cids.iter().position(due)?;
        Some(self.cids.remove(index).cid)
    }
}

#[cfg(test)]
mod tests {
    use std::net::SocketAddr;

    use keyway_wire::Frames;

    use super::*;
    use crate::Route;

    fn cid(octet: u8) -> Cid {
        Cid::new([octet; Cid::LEN])
    }

    fn issued() -> IssuedCids {
        let mut cids = IssuedCids::new(cid(0), 8);
        for octet in 1..=cids.take_wanted() {
            assert!(cids.issue(cid(u8::try_from(octet).unwrap())));
        }
        cids
    }

    fn use_up(cids: &mut IssuedCids, sequence: u32) {
        let remote: SocketAddr = "192.0.2.1:4100".parse().unwrap();
        let issued = cids.by_sequence(CidSequence(sequence)).expect("issued");
        issued.space = Some(Box::new(ReceiveSpace::new(Route::Direct { remote })));
    }

    fn retire(cids: &mut IssuedCids, sequence: u32) -> Result<(), Violation> {
        cids.on_retire(
            Time::ZERO,
            RetireCidFrame {
                sequence: CidSequence(sequence),
            },
        )
    }

    fn announced(cids: &mut IssuedCids) -> Vec<u32> {
        let mut out = [0; 32];
        std::iter::from_fn(|| {
            let (len, sequence) = cids.write_announcement(&mut out)?;
            assert!(matches!(
                Frames::new(&out[..len]).next(),
                Some(Ok(Frame::NewCid(_)))
            ));
            Some(sequence.0)
        })
        .collect()
    }

    // R8.2
    #[test]
    fn eight_spares_are_out_and_each_used_one_is_replaced() {
        let mut cids = issued();
        assert_eq!(announced(&mut cids), [1, 2, 3, 4, 5, 6, 7, 8]);
        assert_eq!(cids.take_wanted(), 0);
        use_up(&mut cids, 3);
        assert_eq!(cids.take_wanted(), 1);
        assert_eq!(
            cids.take_wanted(),
            0,
            "what was asked for is not asked for again"
        );
        assert!(cids.issue(cid(9)));
        assert_eq!(announced(&mut cids), [9]);
    }

    // R8.2
    #[test]
    fn a_peer_that_uses_every_id_gets_no_more_than_the_limit() {
        let mut cids = issued();
        for sequence in 1..100 {
            if cids.by_sequence(CidSequence(sequence)).is_some() {
                use_up(&mut cids, sequence);
            }
            for _ in 0..cids.take_wanted() {
                assert!(cids.issue(cid(0xff)));
            }
        }
        assert_eq!(cids.cids().count(), CIDS_MAX);
    }

    #[test]
    fn a_lost_announcement_goes_out_again_and_an_acknowledged_one_does_not() {
        let mut cids = issued();
        assert_eq!(announced(&mut cids).len(), 8);
        cids.on_announcement_acked(CidSequence(2));
        cids.on_announcement_lost(CidSequence(2));
        cids.on_announcement_lost(CidSequence(5));
        assert!(cids.has_announcement());
        assert_eq!(announced(&mut cids), [5]);
    }

    // R5.5, R8.6
    #[test]
    fn a_retired_id_receives_for_a_while_and_is_then_forgotten() {
        let linger = Duration::from_millis(300);
        let mut cids = issued();
        assert_eq!(retire(&mut cids, 0), Ok(()));
        assert_eq!(cids.current(), cid(1));
        assert!(cids.by_cid(&cid(0)).is_some());
        assert_eq!(cids.next_expiry(linger), Some(Time::ZERO + linger));
        assert_eq!(cids.expire(Time::from_micros(299_999), linger), None);
        assert_eq!(
            cids.expire(Time::from_micros(300_000), linger),
            Some(cid(0))
        );
        assert!(cids.by_cid(&cid(0)).is_none());
        assert_eq!(retire(&mut cids, 0), Ok(()), "the frame may come twice");
        assert_eq!(cids.next_expiry(linger), None);
    }

    // R8.6
    #[test]
    fn retiring_what_was_never_issued_is_a_violation() {
        let mut cids = issued();
        assert!(retire(&mut cids, 8).is_ok());
        assert!(retire(&mut cids, 9).is_err());
        assert!(retire(&mut cids, u32::MAX).is_err());
    }

    // CVE-2024-22189: each retirement costs us a new id, so a flood of them has an end.
    #[test]
    fn a_flood_of_retirements_is_a_violation() {
        let mut cids = issued();
        let mut retired = 0;
        let violated = (0..1000).any(|sequence| {
            retired = sequence;
            let result = retire(&mut cids, sequence);
            for _ in 0..cids.take_wanted() {
                assert!(cids.issue(cid(0xff)));
            }
            result.is_err()
        });
        assert!(violated && retired == u32::try_from(RETIRING_MAX).unwrap());
    }

    // R7.1
    #[test]
    fn sequences_end_before_they_would_repeat() {
        let mut cids = issued();
        cids.next_sequence = u32::MAX - 1;
        assert!(cids.issue(cid(1)));
        assert!(!cids.issue(cid(2)));
        assert!(!cids.issue(cid(3)));
    }
}
