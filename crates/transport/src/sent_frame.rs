//! What a packet carried, remembered until it is acknowledged or lost.

use keyway_wire::{CidSequence, StreamId};
use smallvec::SmallVec;

/// What one packet carried that somebody wants to hear about. Four in place: more than that in a packet are small.
pub(crate) type SentFrames = SmallVec<[SentFrame; 4]>;

/// A frame in flight: enough to say what was acknowledged, or what has to go out again.
///
/// Frames are retransmitted, never packets (RFC 9000, 13.3), and with what is true by then: a lost MAX_DATA comes back with
/// today's maximum, a lost RESET not at all if the stream was closed since. So only STREAM names what it carried.
///
/// A frame whose loss concerns nobody (PATH_CHALLENGE, PATH_RESPONSE, DATAGRAM, CLOSE, PADDING) leaves no trace here; a
/// packet without any of these may still ask for an acknowledgement.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum SentFrame {
    /// Octets of a stream, and its end.
    Stream {
        /// Which stream.
        stream: StreamId,
        /// Offset of the first octet.
        offset: u64,
        /// How many octets: fewer than a datagram has.
        len: u32,
        /// Whether the frame said that the stream ends here.
        fin: bool,
    },
    /// The announcement of a stream.
    Open(StreamId),
    /// The end of what we send on a stream, unfinished.
    Reset(StreamId),
    /// The wish that the peer stop sending on a stream.
    Stop(StreamId),
    /// Credit for all streams together.
    MaxData,
    /// Credit for one stream.
    MaxStreamData(StreamId),
    /// How many streams the peer may open.
    MaxStreams,
    /// Our want of credit for all streams together.
    DataBlocked,
    /// Our want of credit for one stream.
    StreamDataBlocked(StreamId),
    /// Our want of further streams.
    StreamsBlocked,
    /// Ranges of received packets; when it is acknowledged itself, those up to `largest` need not be named again.
    Ack {
        /// The number space that it is about.
        sequence: CidSequence,
        /// The highest packet number in it.
        largest: u64,
    },
    /// A CID that we issued.
    NewCid(CidSequence),
    /// A CID of the peer's that we use no more.
    RetireCid(CidSequence),
    /// Our list of candidates, by its sequence.
    Candidates(u64),
    /// Where we see the peer, by its sequence.
    ObservedAddress(u64),
    /// A PING: the application's, or a probe's.
    Ping(Option<PingId>),
}

/// Names one ping that the application asked for, within its association.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct PingId(pub(crate) u64);

#[cfg(test)]
mod tests {
    use super::*;

    /// Thousands are in flight on a fast path.
    #[test]
    fn a_frame_in_flight_takes_three_words() {
        assert_eq!(size_of::<SentFrame>(), 24);
    }
}
