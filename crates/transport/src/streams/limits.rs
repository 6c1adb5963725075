//! How much streams may take.

/// What the streams of one association may take, on this side: memory for both directions, and streams that the peer
/// may have open.
///
/// Memory follows use: windows and buffers are bounds, nothing is allocated before octets need it.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct StreamLimits {
    /// Octets that the peer may send on a stream ahead of the reader, at first: 1 MiB, some 80 Mbit/s at 100 ms.
    pub stream_window_initial: u64,
    /// The same after the window was doubled for a fast reader: 16 MiB, 1.3 Gbit/s at 100 ms. Rings are powers of two.
    pub stream_window_max: u64,
    /// Octets that the peer may send on all streams together, at first: 1 MiB, as for one. Octets that nobody reads widen
    /// this, so that a stream that is not read does not hold the others back.
    pub window_initial: u64,
    /// Octets of all streams together that are received and not read: 64 MiB. They take at most twice as much memory.
    pub window_max: u64,
    /// Streams of the peer's that may be open at the same time: 1,000.
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
