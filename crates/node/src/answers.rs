//! Answers already given: an identical INIT arrives over several routes, and again when RESP was lost.

use std::collections::{BTreeMap, BTreeSet, VecDeque};
use std::time::Duration;

use keyway_identity::NodeId;
use keyway_wire::Time;

use crate::keys::AssociationKey;

/// How often one INIT is answered in all, and for how long. Ten seconds is where an honest dialler makes a new INIT; until then
/// it sends this one 13 times, over two routes as a rule. An answer is a seventh of its question.
const REPEATS_MAX: u32 = 32;
const LIFETIME: Duration = Duration::from_secs(10);

/// How many answers are kept: as many as associations may be half open.
const ANSWERS_MAX: usize = 1024;

#[derive(Debug)]
struct Answer {
    peer: NodeId,
    association: AssociationKey,
    packet: Vec<u8>,
    given: u32,
    since: Time,
}

/// RESP packets by the hash of the INIT that they answer.
#[derive(Debug, Default)]
pub(crate) struct Answers {
    by_digest: BTreeMap<[u8; 32], Answer>,
    /// Those that may be given again, by whom they were given to: one handshake that is confirmed must not cost a look at all
    /// others, nor at the earlier ones of the same peer.
    by_peer: BTreeSet<(NodeId, [u8; 32])>,
    oldest_first: VecDeque<[u8; 32]>,
}

/// What is known about an INIT from its hash alone.
#[derive(Debug)]
pub(crate) enum Known<'a> {
    /// Never seen: read it.
    New,
    /// Seen and answered: the same answer again.
    Again {
        association: AssociationKey,
        packet: &'a [u8],
    },
    /// Seen and answered often enough: silence.
    Enough,
}

impl Answers {
    pub(crate) fn look_up(&mut self, now: Time, digest: &[u8; 32]) -> Known<'_> {
        self.expire(now);
        match self.by_digest.get_mut(digest) {
            None => Known::New,
            Some(answer) if answer.given >= REPEATS_MAX => Known::Enough,
            Some(answer) => {
                answer.given += 1;
                Known::Again {
                    association: answer.association,
                    packet: &answer.packet,
                }
            }
        }
    }

    pub(crate) fn remember(
        &mut self,
        now: Time,
        digest: [u8; 32],
        peer: NodeId,
        association: AssociationKey,
        packet: Vec<u8>,
    ) {
        if self.oldest_first.len() >= ANSWERS_MAX {
            self.forget_oldest();
        }
        self.by_digest.insert(
            digest,
            Answer {
                peer,
                association,
                packet,
                given: 1,
                since: now,
            },
        );
        self.by_peer.insert((peer, digest));
        self.oldest_first.push_back(digest);
    }

    /// Gives no answer of the peer's again: one of its handshakes is confirmed, so that it has what it needs, and whoever sends
    /// an old INIT once more is somebody else.
    pub(crate) fn close(&mut self, peer: &NodeId) {
        self.end(peer, |_| true);
    }

    /// Gives no answer again that leads into this association of the peer's: it is forgotten.
    pub(crate) fn silence(&mut self, peer: &NodeId, association: AssociationKey) {
        self.end(peer, |answer| answer.association == association);
    }

    fn end(&mut self, peer: &NodeId, concerned: impl Fn(&Answer) -> bool) {
        let all = (*peer, [0; 32])..=(*peer, [u8::MAX; 32]);
        let answers = &mut self.by_digest;
        let ended = self.by_peer.extract_if(all, |(_, digest)| {
            answers.get(digest).is_none_or(&concerned)
        });
        let ended: Vec<_> = ended.collect();
        for (_, digest) in ended {
            if let Some(answer) = answers.get_mut(&digest) {
                answer.given = REPEATS_MAX;
            }
        }
    }

    fn expire(&mut self, now: Time) {
        while let Some(answer) = self
            .oldest_first
            .front()
            .and_then(|digest| self.by_digest.get(digest))
        {
            if now.saturating_since(answer.since) < LIFETIME {
                return;
            }
            self.forget_oldest();
        }
    }

    fn forget_oldest(&mut self) {
        if let Some(digest) = self.oldest_first.pop_front()
            && let Some(answer) = self.by_digest.remove(&digest)
        {
            self.by_peer.remove(&(answer.peer, digest));
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use keyway_identity::SecretKey;

    fn peer() -> NodeId {
        SecretKey::from_bytes([7; 32]).node_id()
    }

    // R4.16
    #[test]
    fn an_identical_init_gets_the_same_answer_eight_times_in_all() {
        let mut answers = Answers::default();
        answers.remember(
            Time::ZERO,
            [1; 32],
            peer(),
            AssociationKey(1),
            vec![1, 2, 3],
        );
        for _ in 1..REPEATS_MAX {
            assert!(matches!(
                answers.look_up(Time::ZERO, &[1; 32]),
                Known::Again {
                    packet: [1, 2, 3],
                    ..
                }
            ));
        }
        assert!(matches!(
            answers.look_up(Time::ZERO, &[1; 32]),
            Known::Enough
        ));
        assert!(matches!(answers.look_up(Time::ZERO, &[2; 32]), Known::New));
    }

    // R4.16
    #[test]
    fn nobody_gets_an_answer_again_whose_handshake_is_confirmed() {
        let mut answers = Answers::default();
        let other = SecretKey::from_bytes([8; 32]).node_id();
        answers.remember(Time::ZERO, [1; 32], peer(), AssociationKey(1), vec![1]);
        answers.remember(Time::ZERO, [2; 32], other, AssociationKey(2), vec![2]);
        answers.close(&peer());
        assert_eq!(answers.by_peer, [(other, [2; 32])].into());
        let known = |answers: &mut Answers, digest| {
            matches!(answers.look_up(Time::ZERO, &digest), Known::Enough)
        };
        assert!(known(&mut answers, [1; 32]));
        assert!(!known(&mut answers, [2; 32]));
    }

    #[test]
    fn an_answer_into_a_forgotten_association_is_not_given_again_and_others_of_the_peer_are() {
        let mut answers = Answers::default();
        answers.remember(Time::ZERO, [1; 32], peer(), AssociationKey(1), vec![1]);
        answers.remember(Time::ZERO, [2; 32], peer(), AssociationKey(2), vec![2]);
        answers.silence(&peer(), AssociationKey(1));
        let known = |answers: &mut Answers, digest| {
            matches!(answers.look_up(Time::ZERO, &digest), Known::Enough)
        };
        assert!(known(&mut answers, [1; 32]));
        assert!(!known(&mut answers, [2; 32]));
    }

    // R4.16
    #[test]
    fn an_answer_is_forgotten_after_ten_seconds_and_their_number_is_bounded() {
        let mut answers = Answers::default();
        for number in 0..2000_u32 {
            let mut digest = [0; 32];
            digest[..4].copy_from_slice(&number.to_be_bytes());
            answers.remember(Time::ZERO, digest, peer(), AssociationKey(1), vec![0]);
        }
        assert_eq!(answers.by_digest.len(), ANSWERS_MAX);
        assert!(matches!(
            answers.look_up(Time::ZERO + LIFETIME, &[0; 32]),
            Known::New
        ));
        assert!(answers.by_digest.is_empty() && answers.oldest_first.is_empty());
        assert!(answers.by_peer.is_empty());
    }
}
