use std::time::Duration;

use keyway_handshake::{Limits, OpenError, Opened, Role, SealError, Session};
use keyway_wire::{CidSequence, DataHeader, Slot, Time};

/// Sessions that were confirmed and are kept beside the one that seals.
const CONFIRMED_MAX: usize = 2;

/// Which sealing key a packet went out under: told apart well enough for as long as packets are in flight.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Default)]
pub(crate) struct KeyTag(pub(crate) u8);

/// When sessions and keys come and go.
#[derive(Clone, Copy, Debug)]
pub(crate) struct SessionTimes {
    pub(crate) lifetime: Duration,
    pub(crate) half_open_lifetime: Duration,
    pub(crate) rekey_after: Duration,
    pub(crate) rekey_after_as_responder: Duration,
    pub(crate) limits: Limits,
}

/// The sessions of an association, each in the slot that its handshake told the peer.
///
/// There are four slots: for the current session, the previous one, a handshake of our own that is pending, and one answer
/// to a handshake of the peer's that is not confirmed. Which session seals is decided alike on both sides: the highest
/// generation, and among equals, which a simultaneous handshake makes, the smaller handshake hash.
pub(crate) struct Sessions {
    slots: [Place; Slot::ALL.len()],
    sealing: Option<Slot>,
    next_tag: KeyTag,
    times: SessionTimes,
}

enum Place {
    Free,
    /// Named in an INIT of ours that is pending.
    Reserved,
    Live(Box<LiveSession>),
}

/// A session, and what time does to it.
pub(crate) struct LiveSession {
    session: Session,
    generation: u64,
    /// What the peer calls it: the slot in the headers that we write.
    remote_slot: Slot,
    installed: Time,
    /// When the peer was last sent what it needs to confirm the session.
    answered: Time,
    /// A responder seals nothing until the first packet has proved that the peer holds the keys too.
    confirmed: bool,
    /// When the first packet opened.
    proven: Option<Time>,
    last_opened: Time,
    tag: KeyTag,
    /// When a packet of the sealing key's phase was first acknowledged.
    phase_acked: Option<Time>,
    ratcheted_by_peer: Option<Time>,
    #[cfg(test)]
    phases: u64,
}

/// What opening a packet in a slot showed.
#[derive(Debug, PartialEq, Eq)]
pub(crate) struct SessionOpened<'a> {
    pub(crate) payload: &'a mut [u8],
    /// The first packet of a session that we answered: it is confirmed by it.
    pub(crate) confirmed: bool,
}

/// Why a packet was not opened.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum SessionOpenError {
    NoSession,
    Key(OpenError),
}

impl Sessions {
    pub(crate) fn new(times: SessionTimes) -> Self {
        Self {
            slots: [const { Place::Free }; Slot::ALL.len()],
            sealing: None,
            next_tag: KeyTag(0),
            times,
        }
    }

    /// A slot that a handshake may name. An answer that nobody confirmed gives way to a newer one, and a session that
    /// seals no more to one that will.
    pub(crate) fn free_slot(&self) -> Option<Slot> {
        let free = Slot::ALL
            .into_iter()
            .find(|slot| matches!(self.place(*slot), Place::Free));
        free.or_else(|| self.half_open())
            .or_else(|| self.oldest_spare())
    }

    /// Keeps a slot for a handshake that is pending. `false` if it is taken.
    pub(crate) fn reserve(&mut self, slot: Slot) -> bool {
        let replaceable = self.free_slot() == Some(slot) || matches!(self.place(slot), Place::Free);
        if replaceable {
            *self.place_mut(slot) = Place::Reserved;
        }
        replaceable
    }

    /// Gives a reserved slot back; of no effect on a session.
    pub(crate) fn release(&mut self, slot: Slot) {
        if matches!(self.place(slot), Place::Reserved) {
            *self.place_mut(slot) = Place::Free;
        }
    }

    /// Takes a session over. An initiator's is confirmed at once: the answer to its INIT proved the responder.
    pub(crate) fn install(
        &mut self,
        now: Time,
        mut session: Session,
        generation: u64,
        local_slot: Slot,
        remote_slot: Slot,
    ) {
        session.set_limits(self.times.limits);
        let confirmed = session.role() == Role::Initiator;
        if !confirmed && let Some(older) = self.half_open() {
            self.remove(older);
        }
        let tag = self.take_tag();
        let live = LiveSession {
            session,
            generation,
            remote_slot,
            installed: now,
            answered: now,
            confirmed,
            proven: None,
            last_opened: now,
            tag,
            phase_acked: None,
            ratcheted_by_peer: None,
            #[cfg(test)]
            phases: 0,
        };
        self.remove(local_slot);
        *self.place_mut(local_slot) = Place::Live(Box::new(live));
        self.select();
    }

    /// The answer that nobody has confirmed went out once more.
    pub(crate) fn on_answered(&mut self, now: Time) {
        self.live_mut()
            .filter(|live| !live.confirmed)
            .for_each(|live| live.answered = now);
    }

    /// Opens a packet in the session that its header names. What fails to open leaves no trace but in the count of
    /// failures.
    pub(crate) fn open<'a>(
        &mut self,
        now: Time,
        header: &DataHeader,
        sequence: CidSequence,
        header_octets: &[u8],
        sealed: &'a mut [u8],
    ) -> Result<SessionOpened<'a>, SessionOpenError> {
        let lifetime = self.times.lifetime;
        let Place::Live(live) = self.place_mut(header.slot) else {
            return Err(SessionOpenError::NoSession);
        };
        if live.installed + lifetime <= now {
            return Err(SessionOpenError::NoSession);
        }
        let Opened { payload, ratcheted } = live
            .session
            .open(header.phase, header_octets, sequence, header.number, sealed)
            .map_err(SessionOpenError::Key)?;
        live.last_opened = now;
        live.proven.get_or_insert(now);
        if ratcheted {
            live.ratcheted_by_peer = Some(now);
        }
        let confirmed = !std::mem::replace(&mut live.confirmed, true);
        if confirmed {
            self.select();
        }
        Ok(SessionOpened { payload, confirmed })
    }

    /// The session that seals, unless it is too old.
    pub(crate) fn sealing(&mut self, now: Time) -> Option<&mut LiveSession> {
        let lifetime = self.times.lifetime;
        self.sealing_session_mut()
            .filter(|live| now < live.installed + lifetime)
    }

    /// Whether there is an answer to a handshake that is not confirmed.
    pub(crate) fn has_half_open(&self) -> bool {
        self.half_open().is_some()
    }

    /// Whether something can be sealed.
    pub(crate) fn can_seal(&self) -> bool {
        self.sealing.is_some()
    }

    /// The sealing key is used up: nothing is sealed until there is another session.
    pub(crate) fn exhaust(&mut self) {
        if let Some(slot) = self.sealing {
            self.remove(slot);
            self.select();
        }
    }

    /// Whether there was a session once, and neither one nor a handshake is left.
    pub(crate) fn is_spent(&self) -> bool {
        self.next_tag != KeyTag(0) && self.slots.iter().all(|place| matches!(place, Place::Free))
    }

    /// The generation of the session that seals.
    pub(crate) fn generation(&self) -> Option<u64> {
        self.sealing_session().map(|live| live.generation)
    }

    /// A packet that was sealed under `tag` was acknowledged.
    pub(crate) fn on_acked(&mut self, now: Time, tag: KeyTag) {
        if let Some(live) = self.sealing_session_mut()
            && live.tag == tag
        {
            live.phase_acked.get_or_insert(now);
        }
    }

    /// When the session that seals should have a successor.
    pub(crate) fn rekey_due(&self) -> Option<Time> {
        let live = self.sealing_session()?;
        let after = match live.session.role() {
            Role::Initiator => self.times.rekey_after,
            Role::Responder => self.times.rekey_after_as_responder,
        };
        Some(live.installed + after)
    }

    /// Drops what is over, and moves to the next key phase where that is due. `linger` is three PTO of the slowest path.
    pub(crate) fn handle_timeout(&mut self, now: Time, linger: Duration) {
        for slot in Slot::ALL {
            if self.end_of(slot, linger).is_some_and(|end| end <= now) {
                self.remove(slot);
            }
        }
        self.live_mut()
            .for_each(|live| live.forget_previous_phase(now, linger));
        self.select();
        let next_tag = self.next_tag;
        if let Some(live) = self.sealing_session_mut()
            && live.ratchet_at(linger).is_some_and(|at| at <= now)
        {
            live.ratchet(next_tag);
            self.take_tag();
        }
    }

    /// When [`handle_timeout`](Self::handle_timeout) has something to do.
    pub(crate) fn next_timeout(&self, linger: Duration) -> Option<Time> {
        let ends = Slot::ALL
            .into_iter()
            .filter_map(|slot| self.end_of(slot, linger));
        let phases = self
            .live()
            .filter_map(|(_, live)| live.ratcheted_by_peer.map(|since| since + linger));
        let ratchet = self
            .sealing_session()
            .and_then(|live| live.ratchet_at(linger));
        ends.chain(phases).chain(ratchet).min()
    }

    /// Key phases that the sealing direction has gone through since the handshake.
    #[cfg(test)]
    pub(crate) fn key_phases(&self) -> u64 {
        self.sealing_session().map_or(0, |live| live.phases)
    }

    /// Which session is where, and how far it has come.
    #[cfg(test)]
    pub(crate) fn fingerprint(&self) -> String {
        let live = self.live().map(|(slot, live)| {
            let LiveSession {
                generation,
                confirmed,
                proven,
                last_opened,
                ratcheted_by_peer,
                ..
            } = live;
            format!(
                "{slot:?} {generation} {confirmed} {proven:?} {last_opened:?} {ratcheted_by_peer:?}"
            )
        });
        format!("{:?} {:?}", self.sealing, live.collect::<Vec<_>>())
    }

    /// Drops every session: nothing is sealed or opened any more.
    pub(crate) fn end(&mut self) {
        Slot::ALL.into_iter().for_each(|slot| self.remove(slot));
    }

    /// When the session in `slot` is over.
    fn end_of(&self, slot: Slot, linger: Duration) -> Option<Time> {
        let Place::Live(live) = self.place(slot) else {
            return None;
        };
        let hard = live.installed + self.times.lifetime;
        if !live.confirmed {
            return Some(hard.min(live.answered + self.times.half_open_lifetime));
        }
        if self.sealing == Some(slot) {
            return Some(hard);
        }
        // The peer may go on with this session until it has the keys of the next one, so the time runs from the first
        // packet under those.
        let superseded = self.sealing_session().and_then(|sealing| sealing.proven);
        Some(superseded.map_or(hard, |since| hard.min(since.max(live.last_opened) + linger)))
    }

    /// Decides which session seals, and bounds how many others stay.
    fn select(&mut self) {
        let best = self
            .live()
            .filter(|(_, live)| live.confirmed)
            .min_by_key(|(_, live)| (std::cmp::Reverse(live.generation), *live.session.hash()))
            .map(|(slot, _)| slot);
        self.sealing = best;
        while self.live().filter(|(_, live)| live.confirmed).count() > CONFIRMED_MAX
            && let Some(slot) = self.oldest_spare()
        {
            self.remove(slot);
        }
    }

    fn half_open(&self) -> Option<Slot> {
        self.live()
            .find(|(_, live)| !live.confirmed)
            .map(|(slot, _)| slot)
    }

    /// Of the confirmed sessions that do not seal, the one that was longest unused.
    fn oldest_spare(&self) -> Option<Slot> {
        let spares = self
            .live()
            .filter(|(slot, live)| live.confirmed && self.sealing != Some(*slot));
        spares
            .min_by_key(|(_, live)| live.last_opened)
            .map(|(slot, _)| slot)
    }

    fn take_tag(&mut self) -> KeyTag {
        let tag = self.next_tag;
        self.next_tag = KeyTag(tag.0.wrapping_add(1));
        tag
    }

    fn remove(&mut self, slot: Slot) {
        *self.place_mut(slot) = Place::Free;
        if self.sealing == Some(slot) {
            self.sealing = None;
        }
    }

    fn place(&self, slot: Slot) -> &Place {
        &self.slots[slot.index()]
    }

    fn place_mut(&mut self, slot: Slot) -> &mut Place {
        &mut self.slots[slot.index()]
    }

    fn live(&self) -> impl Iterator<Item = (Slot, &LiveSession)> {
        Slot::ALL
            .into_iter()
            .filter_map(|slot| match self.place(slot) {
                Place::Live(live) => Some((slot, live.as_ref())),
                Place::Free | Place::Reserved => None,
            })
    }

    fn live_mut(&mut self) -> impl Iterator<Item = &mut LiveSession> {
        self.slots.iter_mut().filter_map(|place| match place {
            Place::Live(live) => Some(live.as_mut()),
            Place::Free | Place::Reserved => None,
        })
    }

    fn sealing_session(&self) -> Option<&LiveSession> {
        match self.place(self.sealing?) {
            Place::Live(live) => Some(live),
            Place::Free | Place::Reserved => None,
        }
    }

    fn sealing_session_mut(&mut self) -> Option<&mut LiveSession> {
        match self.place_mut(self.sealing?) {
            Place::Live(live) => Some(live),
            Place::Free | Place::Reserved => None,
        }
    }
}

impl LiveSession {
    /// The slot and the key phase that the next packet's header names.
    pub(crate) fn header_bits(&self) -> (Slot, bool) {
        (self.remote_slot, self.session.send_phase())
    }

    pub(crate) fn tag(&self) -> KeyTag {
        self.tag
    }

    /// Seals one packet in place: `payload_and_tag` ends in room for the tag.
    pub(crate) fn seal(
        &mut self,
        header: &[u8],
        sequence: CidSequence,
        number: u64,
        payload_and_tag: &mut [u8],
    ) -> Result<(), SealError> {
        self.session.seal(header, sequence, number, payload_and_tag)
    }

    /// When the next key phase may begin, if it is due: a packet of this phase was acknowledged, so the peer follows, and
    /// three PTO later nothing of the phase before is on its way (RFC 9001, 6.1 and 6.5).
    fn ratchet_at(&self, linger: Duration) -> Option<Time> {
        if !self.session.ratchet_due() {
            return None;
        }
        self.phase_acked.map(|acked| acked + linger)
    }

    fn ratchet(&mut self, tag: KeyTag) {
        self.session.ratchet();
        #[cfg(test)]
        {
            self.phases += 1;
        }
        self.tag = tag;
        self.phase_acked = None;
    }

    fn forget_previous_phase(&mut self, now: Time, linger: Duration) {
        if self
            .ratcheted_by_peer
            .is_some_and(|since| since + linger <= now)
        {
            self.ratcheted_by_peer = None;
            self.session.forget_previous_phase();
        }
    }
}

#[cfg(test)]
mod tests {
    use keyway_wire::{Cid, DATA_HEADER_LEN, TAG_LEN};

    use super::*;

    const LINGER: Duration = Duration::from_millis(900);
    const SEQUENCE: CidSequence = CidSequence(0);

    /// The two ends of a handshake of which the parties differ in nothing but their keys.
    fn handshake(octet: u8) -> (Session, Session) {
        let split = ([octet; 32], [octet ^ 0xff; 32]);
        let end = |role| Session::dangerous_from_split(role, [octet; 32], split);
        (end(Role::Initiator), end(Role::Responder))
    }

    fn sessions() -> Sessions {
        Sessions::new(SessionTimes {
            lifetime: Duration::from_secs(180),
            half_open_lifetime: Duration::from_secs(10),
            rekey_after: Duration::from_secs(120),
            rekey_after_as_responder: Duration::from_secs(150),
            limits: Limits {
                packets_per_phase: 4,
                ..Limits::default()
            },
        })
    }

    fn slot(index: u8) -> Slot {
        Slot::new(index).expect("below four")
    }

    fn at(millis: u64) -> Time {
        Time::from_micros(millis * 1000)
    }

    /// Two ends joined by handshakes; both use the same slot numbers.
    struct Ends {
        initiator: Sessions,
        responder: Sessions,
        number: u64,
    }

    impl Ends {
        fn new() -> Self {
            Self {
                initiator: sessions(),
                responder: sessions(),
                number: 0,
            }
        }

        fn shake(&mut self, now: Time, octet: u8, generation: u64, at_slot: u8) {
            let (initiator, responder) = handshake(octet);
            self.initiator
                .install(now, initiator, generation, slot(at_slot), slot(at_slot));
            self.responder
                .install(now, responder, generation, slot(at_slot), slot(at_slot));
        }

        /// One packet from the initiator; what the responder said to it.
        fn send(&mut self, now: Time) -> Result<bool, SessionOpenError> {
            self.number += 1;
            packet(&mut self.initiator, &mut self.responder, now, self.number)
        }

        fn reply(&mut self, now: Time) -> Result<bool, SessionOpenError> {
            self.number += 1;
            packet(&mut self.responder, &mut self.initiator, now, self.number)
        }
    }

    fn packet(
        from: &mut Sessions,
        to: &mut Sessions,
        now: Time,
        number: u64,
    ) -> Result<bool, SessionOpenError> {
        let live = from.sealing(now).ok_or(SessionOpenError::NoSession)?;
        let (slot, phase) = live.header_bits();
        let header = DataHeader {
            slot,
            phase,
            cid: Cid::new([1; Cid::LEN]),
            number,
        };
        let mut octets = [0; DATA_HEADER_LEN];
        header.emit(&mut octets);
        let mut sealed = [0x55; 5 + TAG_LEN];
        live.seal(&octets, SEQUENCE, number, &mut sealed)
            .expect("few packets");
        let opened = to.open(now, &header, SEQUENCE, &octets, &mut sealed)?;
        assert_eq!(opened.payload, [0x55; 5]);
        Ok(opened.confirmed)
    }

    #[test]
    fn a_responder_seals_nothing_until_the_first_packet_came() {
        let mut ends = Ends::new();
        ends.shake(at(0), 1, 1, 0);
        assert!(ends.initiator.can_seal() && !ends.responder.can_seal());
        assert_eq!(ends.reply(at(1)), Err(SessionOpenError::NoSession));
        assert_eq!(ends.send(at(2)), Ok(true));
        assert_eq!(ends.send(at(3)), Ok(false));
        assert_eq!(ends.reply(at(4)), Ok(false));
    }

    #[test]
    fn both_sides_turn_to_the_next_generation() {
        let mut ends = Ends::new();
        ends.shake(at(0), 1, 1, 0);
        ends.send(at(1)).expect("confirms");
        ends.shake(at(100), 9, 2, 1);
        assert_eq!(
            (ends.initiator.generation(), ends.responder.generation()),
            (Some(2), Some(1))
        );
        assert_eq!(
            ends.reply(at(101)),
            Ok(false),
            "the old session still opens"
        );
        assert_eq!(ends.send(at(102)), Ok(true));
        assert_eq!(ends.responder.generation(), Some(2));
    }

    #[test]
    fn simultaneous_handshakes_settle_on_the_smaller_hash_on_both_sides() {
        for (first, second) in [(3, 7), (7, 3)] {
            let mut ends = Ends::new();
            ends.shake(at(0), first, 1, 0);
            let (initiator, responder) = handshake(second);
            // The other side asked at the same time: roles are the other way round.
            ends.responder
                .install(at(0), initiator, 1, slot(1), slot(1));
            ends.initiator
                .install(at(0), responder, 1, slot(1), slot(1));
            assert_eq!(ends.send(at(1)), Ok(true));
            assert!(ends.reply(at(1)).is_ok());
            ends.reply(at(2)).expect("each has confirmed the other");
            ends.send(at(2)).expect("each has confirmed the other");
            let hash = |sessions: &Sessions| {
                *sessions
                    .sealing_session()
                    .expect("confirmed")
                    .session
                    .hash()
            };
            assert_eq!(
                (hash(&ends.initiator), hash(&ends.responder)),
                ([3; 32], [3; 32])
            );
        }
    }

    #[test]
    fn the_previous_session_opens_until_three_ptos_after_the_next_one_was_used() {
        let mut ends = Ends::new();
        ends.shake(at(0), 1, 1, 0);
        ends.send(at(1)).expect("confirms");
        let (initiator, _lost) = handshake(9);
        ends.initiator
            .install(at(1000), initiator, 2, slot(1), slot(1));
        ends.initiator.handle_timeout(at(60_000), LINGER);
        assert_eq!(
            ends.reply(at(60_000)),
            Ok(false),
            "the peer never heard of the next one"
        );
        let mut ends = Ends::new();
        ends.shake(at(0), 1, 1, 0);
        ends.send(at(1)).expect("confirms");
        ends.shake(at(1000), 9, 2, 1);
        ends.send(at(1001)).expect("confirms");
        assert_eq!(ends.responder.next_timeout(LINGER), Some(at(1901)));
        ends.responder.handle_timeout(at(1900), LINGER);
        assert_eq!(ends.responder.live().count(), 2);
        ends.responder.handle_timeout(at(1901), LINGER);
        assert_eq!(ends.responder.live().count(), 1);
    }

    #[test]
    fn an_answer_that_nobody_confirms_is_dropped_and_a_newer_one_replaces_it() {
        let mut responder = sessions();
        responder.install(at(0), handshake(1).1, 1, slot(0), slot(0));
        responder.install(at(5), handshake(2).1, 1, slot(1), slot(1));
        assert_eq!(responder.live().count(), 1);
        assert_eq!(responder.next_timeout(LINGER), Some(at(10_005)));
        responder.handle_timeout(at(10_005), LINGER);
        assert_eq!(responder.live().count(), 0);
        assert_eq!(responder.next_timeout(LINGER), None);
    }

    #[test]
    fn an_answer_that_is_given_again_waits_again() {
        let mut responder = sessions();
        responder.install(at(0), handshake(1).1, 1, slot(0), slot(0));
        responder.on_answered(at(6_000));
        assert_eq!(responder.next_timeout(LINGER), Some(at(16_000)));
        responder.handle_timeout(at(15_999), LINGER);
        assert_eq!(responder.live().count(), 1);
    }

    #[test]
    fn there_is_a_slot_for_every_handshake_that_may_be_under_way() {
        let mut ends = Ends::new();
        ends.shake(at(0), 1, 1, 0);
        ends.send(at(0)).expect("confirms");
        ends.shake(at(1), 2, 2, 1);
        ends.send(at(1)).expect("confirms");
        let pending = ends.responder.free_slot().expect("two are in use");
        assert!(ends.responder.reserve(pending));
        let answer = ends.responder.free_slot().expect("one is left");
        ends.responder
            .install(at(2), handshake(3).1, 3, answer, slot(0));
        assert_eq!(
            ends.responder.free_slot(),
            Some(answer),
            "a newer answer replaces an unconfirmed one"
        );
        ends.responder.release(pending);
        assert_eq!(ends.responder.free_slot(), Some(pending));
    }

    #[test]
    fn a_session_ends_at_its_age_whatever_happens() {
        let mut ends = Ends::new();
        ends.shake(at(0), 1, 1, 0);
        ends.send(at(1)).expect("confirms");
        assert_eq!(ends.send(at(179_999)), Ok(false));
        assert_eq!(ends.send(at(180_000)), Err(SessionOpenError::NoSession));
        assert_eq!(ends.initiator.next_timeout(LINGER), Some(at(180_000)));
        ends.initiator.handle_timeout(at(180_000), LINGER);
        assert!(!ends.initiator.can_seal());
    }

    #[test]
    fn the_initiator_asks_for_new_keys_before_the_responder() {
        let mut ends = Ends::new();
        ends.shake(at(0), 1, 1, 0);
        ends.send(at(1)).expect("confirms");
        assert_eq!(ends.initiator.rekey_due(), Some(at(120_000)));
        assert_eq!(ends.responder.rekey_due(), Some(at(150_000)));
    }

    // T7: key phases, with a limit of four packets.
    #[test]
    fn a_key_phase_ends_only_when_it_was_acknowledged_three_ptos_ago() {
        let mut ends = Ends::new();
        ends.shake(at(0), 1, 1, 0);
        for _ in 0..4 {
            ends.send(at(1)).expect("in phase 0");
        }
        let tag = ends.initiator.sealing(at(1)).expect("confirmed").tag();
        assert_eq!(
            ends.initiator.next_timeout(LINGER),
            Some(at(180_000)),
            "nothing was acknowledged"
        );
        ends.initiator
            .on_acked(at(2), KeyTag(tag.0.wrapping_add(1)));
        assert_eq!(
            ends.initiator.next_timeout(LINGER),
            Some(at(180_000)),
            "another key's packet"
        );
        ends.initiator.on_acked(at(2), tag);
        assert_eq!(ends.initiator.next_timeout(LINGER), Some(at(902)));
        ends.initiator.handle_timeout(at(901), LINGER);
        assert!(
            !ends
                .initiator
                .sealing(at(901))
                .expect("confirmed")
                .header_bits()
                .1
        );
        ends.initiator.handle_timeout(at(902), LINGER);
        assert!(
            ends.initiator
                .sealing(at(902))
                .expect("confirmed")
                .header_bits()
                .1
        );
        assert_eq!(ends.send(at(903)), Ok(false));
        assert_eq!(
            ends.responder.next_timeout(LINGER),
            Some(at(1803)),
            "the old phase is forgotten"
        );
        ends.responder.handle_timeout(at(1803), LINGER);
        assert_eq!(ends.send(at(1804)), Ok(false));
    }

    #[test]
    fn what_is_not_authentic_changes_nothing() {
        let mut ends = Ends::new();
        ends.shake(at(0), 1, 1, 0);
        let cid = Cid::new([1; Cid::LEN]);
        let header = DataHeader {
            slot: slot(0),
            phase: false,
            cid,
            number: 5,
        };
        let mut octets = [0; DATA_HEADER_LEN];
        header.emit(&mut octets);
        let mut sealed = [9; 40];
        let forged = ends
            .responder
            .open(at(1), &header, SEQUENCE, &octets, &mut sealed);
        assert_eq!(
            forged,
            Err(SessionOpenError::Key(OpenError::Unauthenticated))
        );
        assert!(!ends.responder.can_seal(), "it confirms nothing");
        let elsewhere = DataHeader {
            slot: slot(3),
            ..header
        };
        let stray = ends
            .responder
            .open(at(1), &elsewhere, SEQUENCE, &octets, &mut sealed);
        assert_eq!(stray, Err(SessionOpenError::NoSession));
    }
}
