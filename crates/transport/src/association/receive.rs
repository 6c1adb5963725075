//! Packets that came.

use std::net::IpAddr;
use std::time::Duration;

use keyway_handshake::OpenError;
use keyway_wire::planted::{Fault, planted};
use keyway_wire::{
    AckFrame, CidSequence, CloseFrame, DATA_HEADER_LEN, DataHeader, Frame, Frames,
    ObservedAddressFrame, PacketError, Time,
};

use super::Association;
use super::close::Phase;
use super::path::Health;
use super::paths::Paths;
use super::rebinding::Sighting;
use super::receive_space::{ReceiveSpace, Received};
use super::responses::Response;
use super::sessions::SessionOpenError;
use super::violation::Violation;
use crate::streams::{Accepted, StreamViolation};
use crate::{AssociationConfig, AssociationEvent, Ecn, Route, codes};

/// Why a packet was dropped. Nothing has changed, and nothing is sent.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
pub enum ReceiveError {
    /// Not a data packet, or too short for one.
    #[error("not a data packet: {0}")]
    Malformed(PacketError),
    /// The id is none of this association's; it may have been once.
    #[error("no such connection id")]
    UnknownCid,
    /// Accepted before, or so old that nobody can tell. Normal where the network repeats packets.
    #[error("packet {number} was accepted before, or is too old to tell")]
    Replayed {
        /// Its number.
        number: u64,
    },
    /// There is no session in the slot that the packet names, or it is too old.
    #[error("no such session")]
    NoSession,
    /// Forged or damaged, or of keys that are gone.
    #[error("not authentic: {0}")]
    Unauthenticated(OpenError),
    /// The association is over.
    #[error("the association has ended")]
    Ended,
}

/// What is known about a packet whose frames are being taken.
#[derive(Clone, Copy, Debug)]
pub(super) struct Arrival {
    pub(super) now: Time,
    pub(super) route: Route,
    pub(super) local: Option<IpAddr>,
    pub(super) size: usize,
    /// The number space that its id stands for.
    pub(super) sequence: CidSequence,
    pub(super) number: u64,
}

/// What the frames of one packet amount to.
#[derive(Clone, Copy, Debug)]
struct Contents {
    ack_eliciting: bool,
    /// The sender waits for the acknowledgement.
    urgent: bool,
    /// Nothing but what probes carry.
    probing: bool,
    /// Some frame was not taken for want of room, so the packet must come again: it is not acknowledged.
    dropped: bool,
}

impl Association {
    /// Takes one data packet, without a relay header, that arrived on `route` at the local address `local`. It is
    /// decrypted in place. Congestion marks are not evaluated, since acknowledgements do not report them.
    ///
    /// # Errors
    /// [`ReceiveError`] says why the packet was dropped. A forged, damaged or repeated one leaves no trace.
    pub fn handle_data(
        &mut self,
        now: Time,
        route: Route,
        local: Option<IpAddr>,
        ecn: Option<Ecn>,
        packet: &mut [u8],
    ) -> Result<(), ReceiveError> {
        let _unused_until_acks_report_marks = ecn;
        if self.is_ended() {
            return Err(ReceiveError::Ended);
        }
        let size = packet.len();
        let header = DataHeader::parse(packet).map_err(ReceiveError::Malformed)?;
        let number = header.number;
        let (octets, sealed) = packet.split_at_mut(DATA_HEADER_LEN);
        let issued = self
            .issued
            .by_cid(&header.cid)
            .ok_or(ReceiveError::UnknownCid)?;
        if issued
            .space
            .as_ref()
            .is_some_and(|space| !space.admits(number))
            && !planted(Fault::SkipReplayCheck)
        {
            return Err(ReceiveError::Replayed { number });
        }
        let sequence = issued.sequence;
        if planted(Fault::NoteBeforeAuthentic)
            && let Some(space) = issued.space.as_mut()
        {
            space.accept(number);
        }
        let was_asleep = !self.sessions.can_seal();
        let opened = self
            .sessions
            .open(now, &header, sequence, octets, sealed)
            .map_err(refused)?;

        // The packet is authentic: from here on it may change something.
        let is_first = issued.space.is_none();
        issued
            .space
            .get_or_insert_with(|| Box::new(ReceiveSpace::new(route)))
            .accept(number);
        let (payload, confirmed) = (&*opened.payload, opened.confirmed);
        self.activity.on_heard(now);
        self.stuck = false;
        if confirmed {
            self.on_session_confirmed(now, route, was_asleep);
        }
        if is_first && self.confirmed {
            self.ask_for_cids();
        }
        if let Some(path) = self.paths.by_route_mut(&route) {
            path.on_arrival(now, local, size);
        }
        let arrival = Arrival {
            now,
            route,
            local,
            size,
            sequence,
            number,
        };
        match &mut self.phase {
            Phase::Open => {
                if let Err(violation) = self.take_packet(&arrival, payload) {
                    self.violate(now, violation);
                }
            }
            Phase::Closing(closing) => {
                closing.on_packet(now);
                self.look_for_close(payload);
            }
            Phase::Answering(_) | Phase::Ended => {}
        }
        Ok(())
    }

    /// The end of a batch of packets that arrived together: decides what to acknowledge. Without it, acknowledgements wait
    /// for their delay.
    pub fn batch_done(&mut self, now: Time) {
        self.issued
            .spaces_mut()
            .for_each(|(_, space)| space.batch_done());
        self.note_waiting(now, false);
    }

    fn take_packet(&mut self, arrival: &Arrival, payload: &[u8]) -> Result<(), Violation> {
        if payload.is_empty() {
            // RFC 9000, 12.4
            return Err(Violation::malformed("a packet without frames"));
        }
        let mut contents = Contents {
            ack_eliciting: false,
            urgent: false,
            probing: true,
            dropped: false,
        };
        for frame in Frames::new(payload) {
            let frame = frame.map_err(|error| Violation {
                code: codes::MALFORMED,
                reason: error.to_string().into(),
            })?;
            contents.count(&frame);
            if self.scrutiny.is_exhausted_by(arrival.now, &frame) {
                return Err(Violation::new(
                    codes::NO_PROGRESS,
                    "frame after frame that changes nothing",
                ));
            }
            contents.dropped |= self.take_frame(arrival, &frame)? == Accepted::Dropped;
            if !self.is_open() {
                return Ok(());
            }
        }
        self.take_note(arrival, contents);
        Ok(())
    }

    /// Has the packet acknowledged, and looks at where it came from.
    fn take_note(&mut self, arrival: &Arrival, contents: Contents) {
        let (paths, config) = (&self.paths, &self.config);
        let delay = || ack_delay(paths, config, &arrival.route);
        let packets_max = self.config.ack_packets_max;
        let issued = self.issued.by_sequence(arrival.sequence);
        let Some(space) = issued.and_then(|issued| issued.space.as_mut()) else {
            return;
        };
        let before = space.largest().map(|_| space.route());
        let newest = space
            .largest()
            .is_none_or(|largest| arrival.number > largest);
        if !contents.dropped {
            let packet = Received {
                number: arrival.number,
                ack_eliciting: contents.ack_eliciting,
                urgent: contents.urgent,
                route: arrival.route,
            };
            space.received(arrival.now, packet, delay);
            space.limit_pending(packets_max);
        }
        match self.paths.by_route(&arrival.route).map(|path| path.health) {
            Some(Health::Live) if !contents.probing => self.on_heard_by(arrival),
            Some(Health::Live | Health::Provisional) => {}
            Some(Health::Dead) => self.on_sign_of_life(arrival),
            None => self.on_sighting(&Sighting {
                arrival,
                before,
                newest,
                probing: contents.probing,
            }),
        }
    }

    fn take_frame(&mut self, arrival: &Arrival, frame: &Frame<'_>) -> Result<Accepted, Violation> {
        let now = arrival.now;
        if is_use(frame) {
            self.activity.on_use(now);
        }
        match frame {
            Frame::Ping => {}
            Frame::Ack(ack) => self.take_ack(arrival, ack)?,
            Frame::NewCid(frame) => {
                self.cids.on_new_cid(*frame)?;
                self.renew_cids(now);
            }
            Frame::RetireCid(frame) => {
                self.issued.on_retire(now, *frame)?;
                self.ask_for_cids();
            }
            Frame::PathChallenge(frame) => {
                let &Arrival {
                    route, local, size, ..
                } = arrival;
                self.responses.push(Response {
                    route,
                    local,
                    data: frame.data,
                    size,
                });
            }
            Frame::PathResponse(frame) => {
                if let Some(proof) = self.validations.on_response(now, frame.data) {
                    self.on_proof(now, proof);
                }
            }
            Frame::ObservedAddress(frame) => self.take_observation(arrival.route, frame),
            Frame::Candidates(frame) => {
                if let Some(candidates) = self.remote_candidates.accept(frame) {
                    self.events.push(AssociationEvent::Candidates(candidates));
                }
            }
            Frame::Close(CloseFrame { code, reason }) => self.on_close(*code, reason),
            Frame::Reset(_)
            | Frame::Stop(_)
            | Frame::Open(_)
            | Frame::Stream(_)
            | Frame::MaxData(_)
            | Frame::MaxStreamData(_)
            | Frame::MaxStreams(_)
            | Frame::DataBlocked(_)
            | Frame::StreamDataBlocked(_)
            | Frame::StreamsBlocked(_)
            | Frame::Datagram(_) => return self.take_stream_frame(frame).map_err(Violation::from),
        }
        Ok(Accepted::Yes)
    }

    fn take_stream_frame(&mut self, frame: &Frame<'_>) -> Result<Accepted, StreamViolation> {
        match frame {
            Frame::Reset(frame) => self.streams.on_reset(frame),
            Frame::Stop(frame) => self.streams.on_stop(frame),
            Frame::Open(frame) => self.streams.on_open(frame),
            Frame::Stream(frame) => self.streams.on_stream(frame),
            Frame::MaxData(frame) => self.streams.on_max_data(frame),
            Frame::MaxStreamData(frame) => self.streams.on_max_stream_data(frame),
            Frame::MaxStreams(frame) => self.streams.on_max_streams(frame),
            Frame::DataBlocked(frame) => self.streams.on_data_blocked(frame),
            Frame::StreamDataBlocked(frame) => self.streams.on_stream_data_blocked(frame),
            Frame::StreamsBlocked(frame) => self.streams.on_streams_blocked(frame),
            Frame::Datagram(frame) => self.streams.on_datagram(frame),
            Frame::Ping
            | Frame::Ack(_)
            | Frame::NewCid(_)
            | Frame::RetireCid(_)
            | Frame::PathChallenge(_)
            | Frame::PathResponse(_)
            | Frame::ObservedAddress(_)
            | Frame::Candidates(_)
            | Frame::Close(_) => Ok(Accepted::Yes),
        }
    }

    /// What the peer says about an address is passed on once, though it is repeated until it is acknowledged.
    fn take_observation(&mut self, route: Route, frame: &ObservedAddressFrame) {
        if let Some(path) = self.paths.by_route_mut(&route) {
            if path.observed.is_some_and(|newest| frame.sequence <= newest) {
                return;
            }
            path.observed = Some(frame.sequence);
        }
        let address = frame.address;
        self.events
            .push(AssociationEvent::Observed { address, route });
    }

    /// An ACK names the number space that it is about: one of the peer's ids, and so one of our paths. A round trip is
    /// measured only if it came back on that path.
    fn take_ack(&mut self, arrival: &Arrival, ack: &AckFrame<'_>) -> Result<(), Violation> {
        let Some(path) = self.paths.by_sequence_mut(ack.sequence) else {
            let honest = self
                .cids
                .may_acknowledge(ack.sequence, ack.ranges.largest());
            return if honest {
                Ok(())
            } else {
                Err(Violation::optimistic_ack())
            };
        };
        let route = path.route;
        let same_path = route == arrival.route;
        path.recovery
            .on_ack(arrival.now, ack, same_path, &mut self.outcome)
            .map_err(|_| Violation::optimistic_ack())?;
        let progress = self
            .outcome
            .acked
            .iter()
            .filter(|packet| packet.ack_eliciting)
            .count();
        self.settle(arrival.now, route);
        if progress > 0 {
            self.scrutiny.on_acked(progress);
            self.note_waiting(arrival.now, true);
        }
        Ok(())
    }

    /// After this side has closed, nothing but the peer's CLOSE matters.
    fn look_for_close(&mut self, payload: &[u8]) {
        if Frames::new(payload)
            .flatten()
            .any(|frame| matches!(frame, Frame::Close(_)))
        {
            self.finish_closing();
        }
    }
}

/// How long an acknowledgement may wait for company: a quarter of the round trip, within bounds.
fn ack_delay(paths: &Paths, config: &AssociationConfig, route: &Route) -> Duration {
    let path = paths.by_route(route).or(paths.selected());
    let quarter = path.map_or(Duration::MAX, |path| path.recovery.rtt().smoothed() / 4);
    quarter.max(config.ack_delay_min).min(config.ack_delay_max)
}

impl Contents {
    fn count(&mut self, frame: &Frame<'_>) {
        self.ack_eliciting |= frame.elicits_ack();
        let is_end = matches!(frame, Frame::Stream(frame) if frame.fin);
        self.urgent |= is_end || matches!(frame, Frame::Ping);
        // RFC 9000, 9.1
        self.probing &= matches!(
            frame,
            Frame::PathChallenge(_) | Frame::PathResponse(_) | Frame::NewCid(_)
        );
    }
}

/// Whether the frame shows that somebody uses the association, beside those who keep it going.
fn is_use(frame: &Frame<'_>) -> bool {
    matches!(
        frame,
        Frame::Open(_) | Frame::Stream(_) | Frame::Datagram(_) | Frame::Reset(_) | Frame::Stop(_)
    )
}

fn refused(error: SessionOpenError) -> ReceiveError {
    match error {
        SessionOpenError::NoSession => ReceiveError::NoSession,
        SessionOpenError::Key(error) => ReceiveError::Unauthenticated(error),
    }
}

impl From<StreamViolation> for Violation {
    fn from(violation: StreamViolation) -> Self {
        let code = match violation {
            StreamViolation::StreamFlowControl { .. }
            | StreamViolation::FlowControl { .. }
            | StreamViolation::FinalSize { .. }
            | StreamViolation::StreamLimit { .. } => codes::FLOW_CONTROL,
            StreamViolation::NotOpened { .. }
            | StreamViolation::NotTheirs { .. }
            | StreamViolation::NoFlow { .. } => codes::PROTOCOL_VIOLATION,
        };
        Self {
            code,
            reason: violation.to_string().into(),
        }
    }
}
