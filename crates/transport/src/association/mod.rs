//! What two node ids share: [`Association`] routes between the parts, each of which owns its state.
//!
//! ```text
//!   handle_data ──> receive.rs ──> sessions.rs (open) ──> issued_cids.rs, receive_space.rs (number spaces, ACKs to send)
//!                       │
//!                       ├──> streams/             octets and datagrams
//!                       ├──> paths.rs, path.rs    ──> recovery/: what is in flight, and how much may be
//!                       └──> routes.rs, rebinding.rs ──> validation.rs: which routes work
//!
//!   poll_transmit ──> transmit.rs ──> assembly.rs, packet.rs ──> sessions.rs (seal)
//!   handle_timeout, poll_timeout ──> timers.rs; when nobody uses it any more: rest.rs
//! ```

mod activity;
mod allowance;
mod assembly;
mod candidates;
mod close;
mod ends;
mod events;
mod issued_cids;
mod observation;
mod outcome;
mod packet;
mod path;
mod path_ids;
mod paths;
mod pings;
mod randomness;
mod rebinding;
mod receive;
mod receive_space;
mod remote_cids;
mod replay;
mod responses;
mod rest;
mod routes;
mod scrutiny;
mod sessions;
mod sightings;
#[cfg(test)]
mod testing;
mod timers;
mod transmit;
mod validation;
mod violation;

use std::fmt;
use std::sync::Arc;

use bytes::Bytes;
use keyway_handshake::{Session, TransportParameters};
use keyway_identity::NodeId;
use keyway_wire::{Candidate, Cid, ServiceName, Slot, StreamId, StreamKind, Time};

use self::activity::Activity;
use self::allowance::Allowance;
use self::candidates::{LocalCandidates, RemoteCandidates};
use self::close::Phase;
use self::events::Events;
use self::issued_cids::IssuedCids;
use self::path_ids::Heritage;
use self::paths::Paths;
use self::pings::Pings;
use self::randomness::Randomness;
pub use self::receive::ReceiveError;
use self::remote_cids::RemoteCids;
use self::responses::Responses;
use self::scrutiny::Scrutiny;
use self::sessions::{SessionTimes, Sessions};
use self::sightings::Sightings;
use self::validation::Validations;
use crate::recovery::AckOutcome;
use crate::sent_frame::SentFrames;
use crate::streams::{PeerLimits, StreamEvent, Streams};
use crate::{
    AssociationConfig, AssociationEvent, DatagramBuffer, Incarnations, Keepalive, OpenError,
    PathInfo, PingId, ReadError, Route, SendDatagramError, WriteError,
};

/// No packet is larger than what fits into a [`Batch`](crate::Batch).
const UDP_PAYLOAD_MAX: u32 = 65_487;
const _: () = assert!(UDP_PAYLOAD_MAX as usize == crate::Batch::LEN_MAX);

/// Everything that two node ids share: streams and datagrams, the sessions that seal them, and the paths that carry them.
///
/// Paths come and go, sessions replace each other, and nobody who holds a stream notices: frames are retransmitted, never
/// packets, so what was lost with a path or a key goes out again on whatever is current.
///
/// It is driven with the five calls of [the crate's page](crate). Every call does bounded work.
pub struct Association {
    config: Arc<AssociationConfig>,
    remote: NodeId,
    incarnations: Incarnations,
    first_remote: Cid,
    random: Randomness,
    sessions: Sessions,
    /// Ids for packets to us.
    issued: IssuedCids,
    /// Ids for packets to the peer.
    cids: RemoteCids,
    paths: Paths,
    /// What the last path left behind.
    heritage: Option<Box<Heritage>>,
    validations: Validations,
    sightings: Sightings,
    /// Challenges of the peer's that are to be answered.
    responses: Responses,
    /// Where the answer to the peer's handshake went: the first packet under its keys comes from one of these.
    answered: Vec<Route>,
    streams: Streams,
    candidates: LocalCandidates,
    remote_candidates: RemoteCandidates,
    /// Counts the addresses that the peer was told it is seen at.
    observations: u64,
    pings: Pings,
    activity: Activity,
    scrutiny: Scrutiny,
    phase: Phase,
    /// Whether what waits did not fit into what may be sent: not before something changes is it worth another try.
    stuck: bool,
    /// Whether the batch that is being filled asks for an acknowledgement.
    asked: bool,
    /// Whether the peer has proved that it holds the keys.
    confirmed: bool,
    events: Events,
    /// What acknowledgements and timeouts settle, drained at once; kept for its memory.
    outcome: AckOutcome<SentFrames>,
}

impl Association {
    /// An association without a session and without a path: neither seals nor opens anything until
    /// [`install`](Self::install).
    ///
    /// `first_local` and `first_remote` are the ids that the first INIT and RESP named, `parameters` what the peer
    /// said in them. What this side said must have been [`AssociationConfig::parameters`]. `seed` is 32 octets of
    /// randomness that nobody else uses: challenges come from it.
    #[must_use]
    #[expect(clippy::too_many_arguments, reason = "all that a handshake has shown")]
    pub fn new(
        now: Time,
        config: Arc<AssociationConfig>,
        local: NodeId,
        remote: NodeId,
        incarnations: Incarnations,
        first_local: Cid,
        first_remote: Cid,
        parameters: TransportParameters,
        seed: [u8; 32],
    ) -> Self {
        let times = SessionTimes {
            lifetime: config.session_lifetime,
            half_open_lifetime: config.half_open_lifetime,
            rekey_after: config.rekey_after,
            rekey_after_as_responder: config.rekey_after_as_responder,
            limits: config.session,
        };
        let peer = PeerLimits {
            max_data: parameters.max_data,
            max_stream_data: parameters.max_stream_data,
            max_streams: parameters.max_streams,
            max_datagram: parameters.max_datagram,
        };
        let theirs = u32::try_from(parameters.max_udp_payload).unwrap_or(u32::MAX);
        let payload_max = config.udp_payload_max.min(theirs).min(UDP_PAYLOAD_MAX);
        let paths = Paths::new(config.paths_max, parameters.max_ack_delay, payload_max);
        Self {
            remote,
            incarnations,
            first_remote,
            random: Randomness::new(seed),
            sessions: Sessions::new(times),
            issued: IssuedCids::new(first_local, config.cids_spare),
            cids: RemoteCids::new(first_remote),
            paths,
            heritage: None,
            validations: Validations::new(config.validations_max),
            sightings: Sightings::default(),
            responses: Responses::default(),
            answered: Vec::new(),
            streams: Streams::new(local < remote, &config.streams, &peer),
            candidates: LocalCandidates::default(),
            remote_candidates: RemoteCandidates::default(),
            observations: 0,
            pings: Pings::default(),
            activity: Activity::new(now, &config),
            scrutiny: Scrutiny::new(now),
            phase: Phase::Open,
            stuck: false,
            asked: false,
            confirmed: false,
            events: Events::default(),
            outcome: AckOutcome::default(),
            config,
        }
    }

    /// The other node.
    #[must_use]
    pub fn remote(&self) -> NodeId {
        self.remote
    }

    /// What names this association on both sides.
    #[must_use]
    pub fn incarnations(&self) -> Incarnations {
        self.incarnations
    }

    /// The peer's id of sequence 0: what its handshake named when the association began.
    #[must_use]
    pub fn first_remote(&self) -> Cid {
        self.first_remote
    }

    /// A slot for the peer's packets that the next INIT or RESP may name. A slot that holds an answer which nobody
    /// confirmed, or a session that seals no more, is offered when no other is free.
    #[must_use]
    pub fn free_slot(&self) -> Option<Slot> {
        self.sessions.free_slot()
    }

    /// Keeps a slot for an INIT that is pending, until [`install`](Self::install) or
    /// [`release_slot`](Self::release_slot). Whether it was [free](Self::free_slot).
    pub fn reserve_slot(&mut self, slot: Slot) -> bool {
        self.sessions.reserve(slot)
    }

    /// Gives a reserved slot back. Changes nothing if a session has taken it.
    pub fn release_slot(&mut self, slot: Slot) {
        self.sessions.release(slot);
    }

    /// The generation of the session that seals, which the next handshake exceeds by one.
    #[must_use]
    pub fn generation(&self) -> Option<u64> {
        self.sessions.generation()
    }

    /// Whether the peer has proved that it holds the keys of a handshake.
    #[must_use]
    pub fn is_confirmed(&self) -> bool {
        self.confirmed
    }

    /// The id for packets to us that a handshake names: the first one, or later the oldest in use.
    #[must_use]
    pub fn current_cid(&self) -> Cid {
        self.issued.current()
    }

    /// Every id under which packets are accepted, for whoever keeps the directory of them.
    pub fn cids(&self) -> impl Iterator<Item = Cid> {
        self.issued.cids()
    }

    /// Takes a session over. `local_slot` is what the peer writes into its packets, `remote_slot` what we write into ours,
    /// and `generation` counts the sessions of this association: of those that both sides hold, the highest seals.
    ///
    /// The initiator gives the routes that it sent INIT to and RESP came from: packets go through both ways there. A RESP from
    /// elsewhere may be a copy with a forged source; its route is for [`add_route`](Self::add_route). The responder gives
    /// the routes that INIT came from, to which RESP went, and adds further ones with [`answered_on`](Self::answered_on).
    /// An initiator's session is confirmed at once; a responder's seals nothing until the first packet has come.
    pub fn install(
        &mut self,
        now: Time,
        session: Session,
        generation: u64,
        local_slot: Slot,
        remote_slot: Slot,
        routes: &[Route],
    ) {
        self.on_session(now, session, generation, local_slot, remote_slot, routes);
    }

    /// The next event; to be drained after every other call.
    pub fn poll_event(&mut self) -> Option<AssociationEvent> {
        self.events
            .pop()
            .or_else(|| self.streams.poll_event().map(from_stream))
            .or_else(|| self.events.pop_end())
    }

    /// The answer to [`AssociationEvent::CidWanted`]: an id that nobody else has, and that leads packets here.
    pub fn issue_cid(&mut self, cid: Cid) {
        self.issued.issue(cid);
    }

    /// A route that the peer may be reachable on: it is validated, and becomes a path when the peer answers.
    /// [`RouteValidated`](AssociationEvent::RouteValidated) or [`RouteLost`](AssociationEvent::RouteLost) follows.
    pub fn add_route(&mut self, now: Time, route: Route) {
        self.on_route_added(now, route);
    }

    /// The same for a route from which the answer to a handshake of ours came, of that many octets, though nobody was asked
    /// there: a new address gets three times as many at most until it answers (RFC 9000, 8).
    pub fn add_route_answered(&mut self, now: Time, route: Route, octets: usize) {
        self.on_route_seen(now, route, Allowance::for_received(octets));
    }

    /// A route is gone: its channel was closed, its socket does not exist any more. What was on its way there goes out again
    /// elsewhere.
    pub fn remove_route(&mut self, now: Time, route: Route) {
        self.on_route_removed(now, route);
    }

    /// Sends one challenge to a route that the peer has named and that has no path: the schedule of such probes is the
    /// caller's, and so is their number.
    pub fn probe(&mut self, now: Time, route: Route) {
        self.on_probe(now, route);
    }

    /// The same for a route that nobody named, but that packets of the peer's
    /// [came from](AssociationEvent::ProbedFrom): somebody may have copied them, so that three times their octets go there at
    /// most (RFC 9000, 8).
    pub fn probe_back(&mut self, now: Time, route: Route) {
        self.on_probe_back(now, route);
    }

    /// Tells the peer where it may reach us, instead of what it was told before. At most
    /// [`CANDIDATES_MAX`](keyway_wire::CANDIDATES_MAX) are said.
    pub fn set_candidates(&mut self, candidates: &[Candidate]) {
        self.candidates.set(candidates);
    }

    /// The answer to the peer's handshake went out once more, to this route: the first packet under its keys proves less about
    /// either, and has its time again. Of no effect on one that is confirmed.
    pub fn answered_on(&mut self, now: Time, route: Route) {
        self.sessions.on_answered(now);
        self.on_answer_repeated(route);
    }

    /// The route that carries data, where there is one.
    #[must_use]
    pub fn selected_route(&self) -> Option<Route> {
        self.paths()
            .find(|path| path.selected)
            .map(|path| path.route)
    }

    /// What is known about the paths.
    pub fn paths(&self) -> impl Iterator<Item = PathInfo> {
        self.paths
            .iter()
            .map(|path| path.info(self.paths.is_selected(path.id)))
    }

    /// The routes on which an INIT for this association may go out: those of all paths, but for addresses that packets came from
    /// and that have not answered. An INIT is larger than what such an address may get.
    pub fn routes_to_knock(&self) -> impl Iterator<Item = Route> {
        self.paths
            .iter()
            .filter(|path| path.is_proven())
            .map(|path| path.route)
    }

    /// Opens a stream. It is announced to the peer at once, even if nothing is written.
    ///
    /// # Errors
    /// [`OpenError`].
    pub fn open(&mut self, kind: StreamKind, service: &ServiceName) -> Result<StreamId, OpenError> {
        self.use_streams().open(kind, service)
    }

    /// Takes as much of `data` as there is room for, and says how much: 0 only of nothing. Before there is a session, and
    /// while there is no path, octets wait.
    ///
    /// # Errors
    /// [`WriteError`].
    pub fn write(&mut self, stream: StreamId, data: &[u8]) -> Result<usize, WriteError> {
        self.use_streams().write(stream, data)
    }

    /// The same without copying: what is taken is split off the front of `data`. The piece is kept alive until the peer has
    /// its last octet, so whoever hands over a slice of something large keeps all of that.
    ///
    /// # Errors
    /// [`WriteError`].
    pub fn write_chunk(&mut self, stream: StreamId, data: &mut Bytes) -> Result<(), WriteError> {
        self.use_streams().write_chunk(stream, data)
    }

    /// Nothing more will be written: the peer reads the end after everything that was.
    pub fn finish(&mut self, stream: StreamId) {
        self.use_streams().finish(stream);
    }

    /// Gives up what the peer has not got; its reader is told the code.
    pub fn reset(&mut self, stream: StreamId, code: u64) {
        self.use_streams().reset(stream, code);
    }

    /// Gives up what was not read and what may come; the peer's writer is told the code.
    pub fn stop(&mut self, stream: StreamId, code: u64) {
        self.use_streams().stop(stream, code);
    }

    /// Moves octets to `out`, and says how many: 0 only if `out` has no room.
    ///
    /// # Errors
    /// [`ReadError`], of which `Finished` is the only clean end.
    pub fn read(&mut self, stream: StreamId, out: &mut [u8]) -> Result<usize, ReadError> {
        self.use_streams().read(stream, out)
    }

    /// The same without copying: at most `max` octets as they lie there, up to 64 KiB. Empty only if `max` is 0 and there is
    /// something to read.
    ///
    /// # Errors
    /// [`ReadError`].
    pub fn read_chunk(&mut self, stream: StreamId, max: usize) -> Result<Bytes, ReadError> {
        self.use_streams().read_chunk(stream, max)
    }

    /// Queues a datagram. It may be lost without anybody being told.
    ///
    /// # Errors
    /// [`SendDatagramError`].
    pub fn send_datagram(&mut self, flow: StreamId, data: &[u8]) -> Result<(), SendDatagramError> {
        self.use_streams().send_datagram(flow, data)
    }

    /// The oldest datagram that was received, if there is one.
    pub fn recv_datagram(&mut self, flow: StreamId) -> Option<Bytes> {
        self.streams.recv_datagram(flow)
    }

    /// Queues datagrams, as many as there is room for, and leaves the others in `datagrams`. One that is longer than a packet
    /// takes by now is lost.
    ///
    /// # Errors
    /// [`SendDatagramError`], but for [`TooLarge`](SendDatagramError::TooLarge) where the peer takes some.
    pub fn send_datagrams(
        &mut self,
        flow: StreamId,
        datagrams: &mut DatagramBuffer,
    ) -> Result<(), SendDatagramError> {
        self.use_streams().send_datagrams(flow, datagrams)
    }

    /// Moves all datagrams that were received to the end of `datagrams`.
    pub fn recv_datagrams(&mut self, flow: StreamId, datagrams: &mut DatagramBuffer) {
        self.streams.recv_datagrams(flow, datagrams);
    }

    /// Octets of the longest datagram that can be sent at the moment; 0 if the peer takes none.
    #[must_use]
    pub fn max_datagram(&self) -> usize {
        self.streams.max_datagram()
    }

    /// Asks the peer for a sign: [`Pong`](AssociationEvent::Pong) follows.
    pub fn ping(&mut self, now: Time) -> PingId {
        self.activity.on_use(now);
        self.pings.ask()
    }

    /// Whether the path is kept open while nobody uses the association.
    pub fn set_keepalive(&mut self, keepalive: Keepalive) {
        self.activity.set_keepalive(keepalive);
    }

    /// Whether the peer has everything that was written, on all streams.
    #[must_use]
    pub fn is_drained(&self) -> bool {
        self.streams.is_drained()
    }

    /// When the last authentic packet came; at first, when the association began.
    #[must_use]
    pub fn last_heard(&self) -> Time {
        self.activity.last_heard()
    }

    /// Whether the association is over: [`Ended`](AssociationEvent::Ended) was said or waits to be.
    #[must_use]
    pub fn is_ended(&self) -> bool {
        matches!(self.phase, Phase::Ended)
    }

    /// The streams, about to be asked for something that may have to be sent.
    fn use_streams(&mut self) -> &mut Streams {
        self.stuck = false;
        &mut self.streams
    }

    /// Whether frames are still exchanged: neither side has said that it is over. What is not open gets no streams.
    #[must_use]
    pub fn is_open(&self) -> bool {
        matches!(self.phase, Phase::Open)
    }
}

impl fmt::Debug for Association {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Association")
            .field("remote", &self.remote)
            .field("generation", &self.sessions.generation())
            .field("paths", &self.paths)
            .field("phase", &self.phase)
            .finish_non_exhaustive()
    }
}

fn from_stream(event: StreamEvent) -> AssociationEvent {
    match event {
        StreamEvent::Opened {
            stream,
            kind,
            service,
        } => AssociationEvent::Opened {
            stream,
            kind,
            service,
        },
        StreamEvent::Readable(stream) => AssociationEvent::Readable(stream),
        StreamEvent::Writable(stream) => AssociationEvent::Writable(stream),
        StreamEvent::Stopped { stream, code } => AssociationEvent::Stopped { stream, code },
        StreamEvent::Delivered(stream) => AssociationEvent::Delivered(stream),
        StreamEvent::StreamsAvailable => AssociationEvent::StreamsAvailable,
        StreamEvent::DatagramReceived(flow) => AssociationEvent::DatagramReceived(flow),
        StreamEvent::DatagramsUnblocked => AssociationEvent::DatagramsUnblocked,
    }
}
