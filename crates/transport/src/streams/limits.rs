//! How much streams may take.

/// What the streams of one association may take, on this side: memory for both directions, and streams that the peer
/// may have open.
///
/// Memory follows use: windows and buffers are bounds, nothing is allocated before octets need it.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct StreamLimits {
    /// Octets that the peer may send at any time, however little memory is left: 16 KiB. That is what a sender begins with
    /// (RFC 9002, 7.2), so that the first answer brings more credit before it is missed. Half as many can be written, and a quarter
    /// can wait as datagrams in each direction: in all, an association may take twice this and its guaranteed streams beside what its node [lends](crate::MemoryBudget) it.
    pub guaranteed: u64,
    /// Streams that the peer may have open at any time, however little memory is left: eight, of 4 KiB each.
    pub streams_guaranteed: u64,
    /// Octets that the peer may send on a stream ahead of the reader, at first: 1 MiB, some 80 Mbit/s at 100 ms.
    pub stream_window_initial: u64,
    /// The same after the window was doubled for a fast reader: 16 MiB, 1.3 Gbit/s at 100 ms. Rings are powers of two.
    pub stream_window_max: u64,
    /// Octets that the peer may send on all streams together, once it has sent some: 1 MiB, as for one. Before that, it is what is
    /// guaranteed. Octets that nobody reads widen this, so that a stream that is not read does not hold the others back.
    pub window_initial: u64,
    /// Octets of all streams together that are received and not read: 64 MiB. They take at most twice as much memory.
    pub window_max: u64,
    /// Streams of the peer's that may be open at the same time: 1,000. It hears of more than are guaranteed as it opens some.
    pub streams_max: u64,
    /// Octets of one stream that are kept until the peer has them, at first: 1 MiB.
    pub send_buffer_initial: u64,
    /// The same after doubling, which happens when all of them are in flight and the writer waits: 16 MiB.
    pub send_buffer_max: u64,
    /// Octets of all streams together that are kept until the peer has them: 64 MiB. As they run out, each stream gets
    /// less, so that one that is not read cannot take them all.
    pub send_buffers_max: u64,
    /// Separate pieces that a stream is assembled from: 1,024. A packet that would need more is dropped, to come again.
    pub gaps_max: usize,
    /// Octets of datagrams waiting in each direction, with 64 for each: 2 MiB. One flow alone may have half, which is more
    /// than arrives at once.
    pub datagram_queue_max: usize,
}

impl Default for StreamLimits {
    fn default() -> Self {
        const MIB: u64 = 1 << 20;
        Self {
            guaranteed: 16 * 1024,
            streams_guaranteed: 8,
            stream_window_initial: MIB,
            stream_window_max: 16 * MIB,
            window_initial: MIB,
            window_max: 64 * MIB,
            streams_max: 1_000,
            send_buffer_initial: MIB,
            send_buffer_max: 16 * MIB,
            send_buffers_max: 64 * MIB,
            gaps_max: 1024,
            datagram_queue_max: 2 << 20,
        }
    }
}

/// What a stream of the peer's counts for: its state here and in the application's half, an entry in each of some lists, and the
/// KiB that its buffers there may hold in each direction without asking.
pub(super) const STREAM_COST: u64 = 4 * 1024;

impl StreamLimits {
    /// Octets that the peer may send on all streams together before it hears of more.
    pub(crate) fn first_credit(&self) -> u64 {
        self.guaranteed.min(self.window_initial)
    }

    /// Octets received that need no memory of the node's.
    pub(super) fn receive_floor(&self) -> u64 {
        self.guaranteed
    }

    /// The same for octets written.
    pub(super) fn send_floor(&self) -> u64 {
        self.guaranteed / 2
    }

    /// The same for datagrams that wait, in each direction.
    pub(super) fn datagram_floor(&self) -> u64 {
        self.guaranteed / 4
    }

    /// Streams that the peer may open before it hears of more.
    pub(crate) fn first_streams(&self) -> u64 {
        self.streams_guaranteed.min(self.streams_max)
    }
}

/// What the peer grants before its first frame says more: from its transport parameters.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub(crate) struct PeerLimits {
    /// Octets on all streams together.
    pub(crate) max_data: u64,
    /// Octets on each stream.
    pub(crate) max_stream_data: u64,
    /// Streams that we may open.
    pub(crate) max_streams: u64,
    /// Octets in a datagram; 0: it takes none.
    pub(crate) max_datagram: u64,
}
