mod live;

use std::time::Duration;

use keyway_handshake::{Limits, OpenError, Opened, Role, Session};
use keyway_wire::planted::{Fault, planted};
use keyway_wire::{CidSequence, DataHeader, Slot, Time};

pub(crate) use self::live::LiveSession;

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
            awake: false,
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
            .open(header, sequence, header_octets, sealed)
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

    /// Whether nothing was sealed or opened since [`rest`](Self::rest).
    pub(crate) fn is_at_rest(&self) -> bool {
        self.live().all(|(_, live)| !live.awake)
    }

    /// Gives back what the next packet can have again.
    pub(crate) fn rest(&mut self) {
        self.live_mut().for_each(LiveSession::rest);
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
        if planted(Fault::NeverRekey) {
            return None;
        }
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

    /// How many sealing keys there were before the current one: sessions and key phases, modulo 256.
    #[cfg(test)]
    pub(crate) fn keys_before(&self) -> u64 {
        self.sealing_session()
            .map_or(0, |live| u64::from(live.tag.0))
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
        if planted(Fault::NeverRekey) {
            return None;
        }
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

#[cfg(test)]
mod tests;
