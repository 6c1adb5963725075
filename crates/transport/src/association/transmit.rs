//! Packets to send: what is due, in which order, and how it is put into batches.

use std::net::IpAddr;

use keyway_wire::{CloseFrame, Frame, PathChallengeFrame, PathResponseFrame, Time};
use rand_core::Rng;
use smallvec::SmallVec;

use super::Association;
use super::allowance::Allowance;
use super::assembly::{Draft, FULL_SIZE, ROOM_MIN};
use super::close::Phase;
use super::ends::ANSWER;
use super::packet::PacketWriter;
use super::path::{Path, PathId};
use super::validation::{Purpose, Validation};
use crate::{Batch, Route, Transmit};

/// Octets that a challenge takes when it may not be of full size: headers, the frame, the tag.
pub(super) const CHALLENGE_MIN: usize = 64;

/// Something that may be sent.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Task {
    /// CLOSE, or the answer to one.
    Close,
    /// The answer to a challenge.
    Respond,
    /// A challenge to the validation of that index.
    Challenge(usize),
    /// Whatever waits, with the acknowledgements.
    Data(PathId),
    /// A packet that asks for an acknowledgement, whatever the congestion window says.
    Ping(PathId),
    /// Acknowledgements alone.
    Ack(PathId),
}

impl Association {
    /// Fills `batch` with packets for one route. To be called until it returns `None`; then the next time something can be
    /// sent is [`poll_timeout`](Self::poll_timeout).
    pub fn poll_transmit(&mut self, now: Time, batch: &mut Batch) -> Option<Transmit> {
        batch.clear();
        let transmit = self.next_transmit(now, batch);
        if transmit.is_none() && self.is_open() && self.rests_at().is_some_and(|at| at <= now) {
            self.rest();
        }
        transmit
    }

    fn next_transmit(&mut self, now: Time, batch: &mut Batch) -> Option<Transmit> {
        self.asked = false;
        self.sessions.sealing(now)?;
        self.update_packet_room();
        let mut due = SmallVec::<[Task; 8]>::new();
        self.tasks(&mut |when, task| {
            if when <= now {
                due.push(task);
            }
        });
        for task in due {
            let transmit = self.perform(now, task, batch);
            if transmit.is_some() {
                self.note_waiting(now, false);
                return transmit;
            }
            batch.clear();
        }
        self.send_mtu_probe(now, batch)
    }

    /// This machine did not let out the batch that was polled last, for `route`: packets of `size` octets are larger than what the
    /// interface takes. They need not be told to anybody else as lost.
    pub fn packets_refused(&mut self, now: Time, route: &Route, size: usize) {
        if let Some(path) = self.paths.by_route_mut(route) {
            path.recovery
                .on_refused(now, u32::try_from(size).unwrap_or(u32::MAX));
            self.update_packet_room();
        }
    }

    /// Calls `found` with everything that can be sent at some time that is known, the most urgent first.
    pub(super) fn tasks(&self, found: &mut dyn FnMut(Time, Task)) {
        if !self.sessions.can_seal() {
            return;
        }
        match &self.phase {
            Phase::Open => {}
            Phase::Closing(closing) => return found(closing.next, Task::Close),
            Phase::Answering(_) => return found(Time::ZERO, Task::Close),
            Phase::Ended => return,
        }
        if self.next_response().is_some() {
            found(Time::ZERO, Task::Respond);
        }
        for (index, when, validation) in self.validations.challenges() {
            if self.challenge_room(validation) >= CHALLENGE_MIN {
                found(when, Task::Challenge(index));
            }
        }
        for path in self
            .paths
            .iter()
            .filter(|path| path.is_usable() && path.allowance.left() >= ROOM_MIN)
        {
            let selected = self.paths.is_selected(path.id);
            if let Some(when) = self.data_due(path, selected) {
                found(when, Task::Data(path.id));
            }
            if path.ping
                || path.recovery.probes() > 0
                || (!selected && path.observation.is_waiting())
            {
                found(Time::ZERO, Task::Ping(path.id));
            }
            if let Some(when) = self.ack_due(path) {
                found(when, Task::Ack(path.id));
            }
        }
    }

    /// The path that a CLOSE goes out on.
    pub(super) fn closing_path(&self) -> Option<PathId> {
        let any = || self.paths.iter().find(|path| path.cid.is_some());
        self.paths.selected().or_else(any).map(|path| path.id)
    }

    /// Whether somebody waits for what goes out: upkeep alone is no reason to wake a pair that sleeps.
    pub(super) fn is_waited_for(&self) -> bool {
        self.streams.has_control() || self.streams.has_data() || self.pings.is_waiting()
    }

    /// Whether anything waits that goes out on the path in use.
    fn has_output(&self) -> bool {
        self.is_waited_for()
            || self.issued.has_announcement()
            || self.cids.has_retirement()
            || self.candidates.is_waiting()
    }

    /// Tells the streams how long a datagram may be.
    pub(super) fn update_packet_room(&mut self) {
        if let Some(path) = self.paths.selected() {
            self.streams.set_packet_room(path.frame_room());
        }
    }

    /// When data can be sent on a path.
    fn data_due(&self, path: &Path, selected: bool) -> Option<Time> {
        if !selected || !(self.has_output() || path.observation.is_waiting()) {
            return None;
        }
        if path.recovery.probes() > 0 {
            return Some(Time::ZERO);
        }
        if self.stuck {
            return None;
        }
        let open = path.recovery.window_available() >= u64::from(path.recovery.mtu());
        open.then(|| path.recovery.pacing_deadline().unwrap_or(Time::ZERO))
    }

    /// When acknowledgements have to go out on a path.
    fn ack_due(&self, path: &Path) -> Option<Time> {
        let due = self
            .issued
            .spaces()
            .filter_map(|(_, space)| Some((space.ack_due()?, space)));
        due.filter(|(_, space)| self.ack_path(space) == Some(path.id))
            .map(|(when, _)| when)
            .min()
    }

    /// The answer to a challenge that is to be sent next, of those for which there is an id to go under. Ids come over the relay at first, and
    /// challenges may come sooner, over the direct way that they are about: they wait, since the next one is a while off.
    fn next_response(&self) -> Option<usize> {
        self.responses.next(|response| {
            let path = self.paths.by_route(&response.route);
            path.is_some_and(|path| path.cid.is_some()) || self.cids.can_probe()
        })
    }

    /// Octets that a challenge may have: 0 if it cannot be sent at all.
    fn challenge_room(&self, validation: &Validation) -> usize {
        let path = match validation.purpose {
            Purpose::Path(id) => self.paths.get(id),
            Purpose::Probe | Purpose::Candidate | Purpose::Rebinding { .. } => None,
        };
        if path.is_none_or(|path| path.cid.is_none()) && !self.cids.can_probe() {
            return 0;
        }
        validation
            .allowance
            .left()
            .min(path.map_or(usize::MAX, |path| path.allowance.left()))
    }

    fn perform(&mut self, now: Time, task: Task, batch: &mut Batch) -> Option<Transmit> {
        match task {
            Task::Close => self.send_close(now, batch),
            Task::Respond => self.send_response(now, batch),
            Task::Challenge(index) => self.send_challenge(now, index, batch),
            Task::Data(id) => self.send_data(now, id, batch),
            Task::Ping(id) => self.send_one(now, id, batch, |association, draft| {
                association.write_acks(now, id, draft);
                association.write_for_path(id, draft);
                if !draft.ack_eliciting {
                    draft.ping();
                }
            }),
            Task::Ack(id) => self.send_one(now, id, batch, |association, draft| {
                association.write_acks(now, id, draft)
            }),
        }
    }

    /// Fills the batch with what waits, as far as window, pacing and the limit for unproved addresses allow. All packets
    /// have the length of the first but the last, as segmentation offload wants it.
    fn send_data(&mut self, now: Time, id: PathId, batch: &mut Batch) -> Option<Transmit> {
        let path = self.paths.get_mut(id)?;
        let (route, local, limit) = (path.route, path.local, path.allowance.left());
        let (size, full_size) = (path.mtu().min(limit), path.full_mtu().min(limit));
        let mut left = path.recovery.send_allowance(now).min(limit);
        if left < size {
            return None;
        }
        self.streams.set_turn(path.recovery.turn());
        let mut len = self.send_segment(now, id, batch, route, size, true);
        if len == 0 && full_size > size {
            // Packets are smaller while the peer does not answer, but a datagram that was taken before may need the full
            // size. It may exceed the window by the difference.
            len = self.send_segment(now, id, batch, route, full_size, true);
        }
        let segment_size = len;
        self.stuck = len == 0;
        // A first packet that is nearly full may be a datagram, with more of its length behind it.
        if 2 * len >= size {
            for _ in 1..Batch::SEGMENTS_MAX {
                left = left.saturating_sub(len);
                if len < segment_size || left < segment_size {
                    break;
                }
                len = self.send_segment(now, id, batch, route, segment_size, false);
            }
        }
        self.finished(batch, route, local, segment_size)
    }

    /// Adds one packet of at most `size` octets to the batch. Its length: 0 if nothing fits, or nothing is there.
    fn send_segment(
        &mut self,
        now: Time,
        id: PathId,
        batch: &mut Batch,
        route: Route,
        size: usize,
        with_acks: bool,
    ) -> usize {
        let Some(mut draft) = batch.room(size).and_then(|room| Draft::new(room, route)) else {
            return 0;
        };
        if with_acks {
            self.write_acks(now, id, &mut draft);
        }
        self.write_frames(now, id, &mut draft);
        if draft.is_empty() {
            return 0;
        }
        let len = self.seal_on_path(now, id, draft).unwrap_or(0);
        batch.push(len);
        len
    }

    /// A packet on its own, of at most full size.
    fn send_one(
        &mut self,
        now: Time,
        id: PathId,
        batch: &mut Batch,
        fill: impl FnOnce(&mut Self, &mut Draft<'_>),
    ) -> Option<Transmit> {
        let path = self.paths.get(id)?;
        let (route, local) = (path.route, path.local);
        let size = path.mtu().min(path.allowance.left());
        let mut draft = Draft::new(batch.room(size)?, route)?;
        fill(self, &mut draft);
        if draft.is_empty() {
            return None;
        }
        let len = self.seal_on_path(now, id, draft)?;
        batch.push(len);
        self.finished(batch, route, local, len)
    }

    /// A PING as large as packets shall become, if one is due.
    fn send_mtu_probe(&mut self, now: Time, batch: &mut Batch) -> Option<Transmit> {
        let path = self
            .paths
            .selected()
            .filter(|path| self.is_open() && path.is_live())?;
        let size = usize::try_from(path.recovery.mtu_probe(now)?).ok()?;
        let (id, route, local) = (path.id, path.route, path.local);
        let mut draft = Draft::new(batch.room(size)?, route)?;
        draft.ping();
        draft.packet.pad_to(size);
        draft.mtu_probe = true;
        let len = self.seal_on_path(now, id, draft)?;
        batch.push(len);
        self.finished(batch, route, local, len)
    }

    /// CLOSE, or the answer to one. What cannot be sent now is not tried again and again: the answer is given up, since the
    /// peer knows; CLOSE has its next time.
    fn send_close(&mut self, now: Time, batch: &mut Batch) -> Option<Transmit> {
        let transmit = self
            .closing_path()
            .and_then(|id| self.send_close_on(now, id, batch));
        let pathless = self.closing_path().is_none();
        match &mut self.phase {
            Phase::Closing(_) if pathless => self.finish_closing(),
            Phase::Closing(closing) => closing.on_sent(now),
            Phase::Answering(_) => self.finish_answering(),
            Phase::Open | Phase::Ended => {}
        }
        transmit
    }

    fn send_close_on(&mut self, now: Time, id: PathId, batch: &mut Batch) -> Option<Transmit> {
        self.send_one(now, id, batch, |association, draft| {
            let answer = Frame::Close(CloseFrame {
                code: ANSWER,
                reason: "",
            });
            match &association.phase {
                Phase::Closing(closing) => draft.packet.frame(&closing.frame()),
                Phase::Answering(_) => draft.packet.frame(&answer),
                Phase::Open | Phase::Ended => false,
            };
        })
    }

    /// Answers a challenge on the route where it came from, with no more octets than it had.
    fn send_response(&mut self, now: Time, batch: &mut Batch) -> Option<Transmit> {
        let response = self.responses.take(self.next_response()?);
        let (route, local) = (response.route, response.local);
        let frame = Frame::PathResponse(PathResponseFrame {
            data: response.data,
        });
        let via = self
            .paths
            .by_route(&route)
            .filter(|path| path.cid.is_some())
            .map(|path| path.id);
        let size = response.size + route.overhead();
        // It is no longer than what asked for it, but counts with all else that goes there (RFC 9000, 8.2.2).
        let limited = |left: &Allowance| via.is_none() && left.left() < size;
        if self.unproved(&route).is_some_and(|left| limited(left)) {
            return None;
        }
        let transmit = self.send_proof(now, batch, (route, local), via, &frame, size)?;
        if let Some(left) = self.unproved(&route) {
            left.on_sent(transmit.len);
        }
        Some(transmit)
    }

    /// What may go to a route that has no path: whoever copied packets may have written any address as their source.
    fn unproved(&mut self, route: &Route) -> Option<&mut Allowance> {
        match self.validations.by_route(route) {
            Some(validation) => Some(&mut validation.allowance),
            None => self.sightings.get_mut(route),
        }
    }

    fn send_challenge(&mut self, now: Time, index: usize, batch: &mut Batch) -> Option<Transmit> {
        let validation = self.validations.get(index)?;
        let (route, local) = (validation.route, validation.local);
        let size = self.challenge_room(validation).min(FULL_SIZE);
        let via = match validation.purpose {
            Purpose::Path(id) => self
                .paths
                .get(id)
                .filter(|path| path.cid.is_some())
                .map(|path| path.id),
            Purpose::Probe | Purpose::Candidate | Purpose::Rebinding { .. } => None,
        };
        let mut data = [0; 8];
        self.random.fill_bytes(&mut data);
        let urgent = (!self.paths.any_live()).then_some(self.config.retry_interval_max);
        self.validations
            .challenge(index, now, data, size >= FULL_SIZE, urgent);
        let frame = Frame::PathChallenge(PathChallengeFrame { data });
        let transmit = self.send_proof(now, batch, (route, local), via, &frame, size)?;
        if let Some(validation) = self.validations.get_mut(index) {
            validation.on_challenge_sent(now, transmit.len);
        }
        Some(transmit)
    }

    /// Sends a frame of path validation, padded up to `size`: under the id of the path `via`, or under the one that all
    /// probes share. Neither is tracked: the answer is their acknowledgement.
    fn send_proof(
        &mut self,
        now: Time,
        batch: &mut Batch,
        (route, local): (Route, Option<IpAddr>),
        via: Option<PathId>,
        frame: &Frame<'_>,
        size: usize,
    ) -> Option<Transmit> {
        let room = batch.room(FULL_SIZE)?;
        let len = if let Some(id) = via {
            let mut draft = Draft::new(room, route)?;
            draft.packet.frame(frame);
            draft.packet.pad_to(size);
            self.seal_on_path(now, id, draft)?
        } else {
            let mut packet = PacketWriter::new(room, route)?;
            packet.frame(frame);
            packet.pad_to(size);
            let session = self.sessions.sealing(now)?;
            let (cid, number) = self.cids.probe()?;
            packet.seal(session, cid, number).ok()?
        };
        batch.push(len);
        self.finished(batch, route, local, len)
    }

    /// The transmit for what is in the batch, if there is anything.
    fn finished(
        &self,
        batch: &Batch,
        route: Route,
        local: Option<IpAddr>,
        segment_size: usize,
    ) -> Option<Transmit> {
        let len = batch.len();
        (len > 0).then_some(Transmit {
            route,
            segment_size,
            len,
            is_question: self.asked && len == segment_size,
            ecn: None,
            local,
        })
    }
}
