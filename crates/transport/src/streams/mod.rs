//! Streams and datagrams of an association: what was written on one side comes out on the other, in order, once.
//!
//! Streams know nothing of packets, paths, keys and time: frames are the seam. The association hands in the frames that
//! came ([`Streams::on_stream`] and its like), asks for frames to fill a packet with ([`Streams::write_control`],
//! [`Streams::write_data`]), and says later what has become of each ([`Streams::on_acked`], [`Streams::on_lost`]). A lost
//! frame goes out again with whatever packet is next, on whatever path, under whatever keys: so streams outlive both.
//!
//! ```text
//!   application.rs  open, write, read, ...         incoming.rs  frames that came
//!          \                                          /
//!           table.rs: one stream.rs for each that is not over
//!             send.rs: send_buffer.rs, flow.rs     receive.rs: assembler.rs, flow.rs     datagrams.rs
//!          /                                          \
//!   outgoing.rs  frames to send, by schedule.rs     outcome.rs  acknowledged, lost
//! ```
//!
//! # What bounds memory
//!
//! | what                           | bound                                                                     |
//! |--------------------------------|---------------------------------------------------------------------------|
//! | received, not read             | `window_max`: in order as it is, early in rings of at most twice as much  |
//! | written, not acknowledged      | `send_buffers_max`                                                        |
//! | pieces to assemble a stream of | `gaps_max`                                                                |
//! | streams of the peer's          | `streams_max` at a time, and as many skipped ids                          |
//! | streams of ours                | what the application opens, up to what the peer grants                    |
//! | datagrams                      | `datagram_queue_max` in each direction                                    |
//! | events                         | one of each kind for each stream                                          |
//! | all of that                    | what is guaranteed, and what the node [lends](crate::MemoryBudget)        |
//!
//! A stream that is idle holds no buffer, one that is over nothing at all.

mod application;
mod assembler;
mod datagrams;
mod delivery;
mod error;
mod flow;
mod frame_writer;
mod ids;
mod incoming;
mod limits;
mod outcome;
mod outgoing;
mod receive;
mod receive_memory;
mod ring;
mod schedule;
mod send;
mod send_buffer;
mod send_memory;
mod stream;
mod table;
#[cfg(test)]
mod tests;

use std::collections::VecDeque;
use std::sync::Arc;

use keyway_wire::{ServiceName, StreamId, StreamKind};

use self::datagrams::DatagramBudget;
use self::flow::SendCredit;
use self::receive_memory::ReceiveMemory;
use self::schedule::Schedule;
use self::send_memory::SendMemory;
use self::table::Table;
use crate::EndReason;
use crate::memory::MemoryShare;

pub(crate) use self::error::StreamViolation;
pub use self::error::{OpenError, ReadError, SendDatagramError, WriteError};
pub(crate) use self::limits::PeerLimits;
pub use self::limits::StreamLimits;
pub(crate) use self::receive::Accepted;

/// What the application should hear of. Each is said once until the application came for it.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) enum StreamEvent {
    /// The peer opened a stream.
    Opened {
        /// The stream.
        stream: StreamId,
        /// What it carries.
        kind: StreamKind,
        /// What it is for.
        service: ServiceName,
    },
    /// There is something to read, or the end of it; not said again until a read was `Blocked`.
    Readable(StreamId),
    /// There is room again after a write was `Blocked`.
    Writable(StreamId),
    /// The peer does not want what is written. A writer that waits is not woken by anything else.
    Stopped {
        /// The stream.
        stream: StreamId,
        /// The peer's code.
        code: u64,
    },
    /// The peer has everything that was written, and the end.
    Delivered(StreamId),
    /// A stream may be opened again after `LimitReached`.
    StreamsAvailable,
    /// A datagram waits; not said again until none did.
    DatagramReceived(StreamId),
    /// There is room again after a datagram found the queue full.
    DatagramsUnblocked,
}

/// All streams of an association.
#[derive(Debug)]
pub(crate) struct Streams {
    limits: StreamLimits,
    table: Table,
    /// What the peer lets us send on all streams together.
    send_credit: SendCredit,
    /// What we let the peer send on all streams together.
    receive_credit: ReceiveMemory,
    send_memory: SendMemory,
    outgoing_datagrams: DatagramBudget,
    incoming_datagrams: DatagramBudget,
    /// Octets of the longest datagram that the peer takes.
    datagram_max: usize,
    /// Octets of frames in a packet.
    packet_room: usize,
    schedule: Schedule,
    events: VecDeque<StreamEvent>,
    /// Whether an open was refused since the peer last granted streams.
    opener_waits: bool,
    /// Whether a datagram was refused since there was room.
    datagram_sender_waits: bool,
    ended: Option<EndReason>,
}

impl Streams {
    /// No streams. `we_open_even` is true on the side with the smaller node id; `limits` must be what our transport
    /// parameters said, `peer` is what the peer's said. What buffers take beyond what is guaranteed comes from `share`.
    pub(crate) fn new(
        we_open_even: bool,
        limits: &StreamLimits,
        peer: &PeerLimits,
        share: &Arc<MemoryShare>,
    ) -> Self {
        Self {
            limits: *limits,
            table: Table::new(we_open_even, limits, peer, share),
            send_credit: SendCredit::new(peer.max_data),
            receive_credit: ReceiveMemory::new(limits, share),
            send_memory: SendMemory::new(limits, share),
            outgoing_datagrams: DatagramBudget::new(limits, share).with_always_one(),
            incoming_datagrams: DatagramBudget::new(limits, share),
            datagram_max: usize::try_from(peer.max_datagram).unwrap_or(usize::MAX),
            packet_room: 0,
            schedule: Schedule::default(),
            events: VecDeque::new(),
            opener_waits: false,
            datagram_sender_waits: false,
            ended: None,
        }
    }

    /// Tells how many octets of frames a packet has room for on the path in use: to be called before the first packet, and
    /// whenever that changes. Datagrams that are too long by then are lost.
    pub(crate) fn set_packet_room(&mut self, octets: usize) {
        self.packet_room = octets;
    }

    /// What leaves at once on the path in use: streams take turns by so many octets.
    pub(crate) fn set_turn(&mut self, octets: usize) {
        self.schedule.set_turn_length(octets);
    }

    /// The next event; to be drained after anything else was called.
    pub(crate) fn poll_event(&mut self) -> Option<StreamEvent> {
        self.events.pop_front()
    }

    /// Whether [`Streams::write_control`] may have something to write. Writing data may be a reason: want of credit is noticed
    /// there.
    pub(crate) fn has_control(&self) -> bool {
        self.ended.is_none()
            && (self.schedule.has_control()
                || self.receive_credit.is_due()
                || self.table.peer.is_due()
                || self.send_credit.blocked_at().is_some()
                || self.table.local.blocked_at().is_some())
    }

    /// Whether [`Streams::write_data`] may have something to write. If it writes nothing to an empty packet in spite of
    /// this, there is none.
    pub(crate) fn has_data(&self) -> bool {
        self.ended.is_none() && self.schedule.has_data()
    }

    /// Whether the peer has everything that was written and said on all streams, and no datagram waits to be sent. Takes
    /// time with the number of streams if so, and little if not.
    pub(crate) fn is_drained(&self) -> bool {
        self.outgoing_datagrams.is_unused() && self.table.iter().all(|stream| stream.is_drained())
    }

    /// Whether an application waits for the peer to get something. Takes time with the number of streams.
    pub(crate) fn is_awaited(&self) -> bool {
        self.table.iter().any(|stream| stream.is_awaited())
    }

    /// Whether no stream is open in either direction.
    #[cfg(test)]
    pub(crate) fn is_unused(&self) -> bool {
        self.table.len() == 0
    }

    /// The association has ended: nothing is sent and nothing taken any more. What arrived in order can still be read,
    /// and everyone who waits is woken, to learn the reason. No frame is to be handed in after this.
    pub(crate) fn end(&mut self, reason: EndReason) {
        if self.ended.is_some() {
            return;
        }
        self.ended = Some(reason);
        self.schedule = Schedule::default();
        for (id, stream) in self.table.iter_mut() {
            self.send_memory.give_back(stream.send.abandon());
            let (before, after) = stream.send.recount();
            self.send_memory.count(before, after);
            if let Some(flow) = &mut stream.flow {
                flow.outgoing.clear(&mut self.outgoing_datagrams);
            }
            if stream.kind.is_some() && stream.receive.wakes_reader_for_the_end() {
                self.events.push_back(StreamEvent::Readable(id));
            }
            if stream.send.wakes_writer_for_the_end() {
                self.events.push_back(StreamEvent::Writable(id));
            }
        }
    }

    /// Gives back room that is left over, and the memory of buffers that are empty but were kept for the next burst. To be
    /// called once an association has been quiet for some time; takes time with the number of streams.
    pub(crate) fn rest(&mut self) {
        self.table.rest(&mut self.receive_credit);
        self.receive_credit.rest();
        self.send_memory.rest();
        self.outgoing_datagrams.rest();
        self.incoming_datagrams.rest();
        self.schedule.rest();
        self.events.shrink_to_fit();
    }

    /// Forgets a stream if nothing is left to do.
    fn reap(&mut self, id: StreamId) {
        if !self.table.get(id).is_some_and(|stream| stream.is_over()) {
            return;
        }
        let Some(mut stream) = self.table.remove(id) else {
            return;
        };
        stream.receive.forget(&mut self.receive_credit);
        if let Some(mut flow) = stream.flow {
            flow.incoming.clear(&mut self.incoming_datagrams);
            flow.outgoing.clear(&mut self.outgoing_datagrams);
        }
    }

    /// Octets were given back, and with them what a stream allocates changed: wakes writers that waited for them.
    fn free_send_memory(&mut self, octets: u64, (before, after): (u64, u64)) {
        self.send_memory.give_back(octets);
        self.send_memory.count(before, after);
        for id in self.send_memory.take_woken() {
            if self
                .table
                .get(id)
                .is_some_and(|stream| stream.send.wakes_writer_for_memory())
            {
                self.events.push_back(StreamEvent::Writable(id));
            }
        }
    }
}
