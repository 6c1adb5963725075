//! What a packet carried, remembered until it is acknowledged or lost.

use keyway_wire::{CidSequence, StreamId};
use smallvec::SmallVec;

/// What one packet carried that somebody wants to hear about. Two in place, an acknowledgement and a piece of a stream: thousands
/// of packets are in flight on a fast path, and nearly all of them carry no more.
pub(crate) type SentFrames = SmallVec<[SentFrame; 2]>;

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

impl SentFrame {
    /// This piece of a stream and `next` as one, if it continues it.
    pub(crate) fn joined(self, next: &Self) -> Option<Self> {
        let Self::Stream {
            stream,
            offset,
            len,
            fin: false,
        } = self
        else {
            return None;
        };
        let Self::Stream {
            stream: next_stream,
            offset: next_offset,
            len: next_len,
            fin,
        } = *next
        else {
            return None;
        };
        if next_stream != stream || next_offset != offset + u64::from(len) {
            return None;
        }
        Some(Self::Stream {
            stream,
            offset,
            len: len.checked_add(next_len)?,
            fin,
        })
    }
}

/// Names one ping that the application asked for, within its association.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct PingId(pub(crate) u64);

#[cfg(test)]
mod tests {
    use super::*;

    fn piece(id: u64, offset: u64, len: u32, fin: bool) -> SentFrame {
        SentFrame::Stream {
            stream: StreamId::new(id).unwrap(),
            offset,
            len,
            fin,
        }
    }

    #[test]
    fn a_piece_is_joined_with_the_one_that_continues_it_and_with_no_other() {
        let first = piece(4, 100, 50, false);
        assert_eq!(
            first.joined(&piece(4, 150, 7, true)),
            Some(piece(4, 100, 57, true))
        );
        for other in [
            piece(4, 151, 7, false),
            piece(4, 149, 7, false),
            piece(8, 150, 7, false),
            SentFrame::MaxData,
        ] {
            assert_eq!(first.joined(&other), None, "{other:?}");
        }
        assert_eq!(
            piece(4, 0, 9, true).joined(&piece(4, 9, 1, false)),
            None,
            "behind the end"
        );
        assert_eq!(
            piece(4, 0, u32::MAX, false).joined(&piece(4, u64::from(u32::MAX), 1, false)),
            None
        );
    }

    /// Thousands are in flight on a fast path.
    #[test]
    fn a_frame_in_flight_takes_three_words() {
        assert_eq!(size_of::<SentFrame>(), 24);
    }
}
