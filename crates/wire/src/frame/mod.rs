//! Frames: what a data packet holds once it is opened, one after the other (section 6).
#![expect(clippy::len_without_is_empty, reason = "no frame is empty")]

mod ack;
mod ack_ranges;
mod candidates;
mod close;
mod data_blocked;
mod datagram;
mod error;
mod frames;
mod kind;
mod max_data;
mod max_stream_data;
mod max_streams;
mod new_cid;
mod observed_address;
mod open;
mod path_challenge;
mod path_response;
mod reset;
mod retire_cid;
mod stop;
mod stream;
mod stream_data_blocked;
mod streams_blocked;
#[cfg(test)]
mod testing;

pub use ack::{ACK_RANGES_MAX, AckFrame, emit_ack};
pub use ack_ranges::{AckRanges, AckRangesIter};
pub use candidates::{
    CANDIDATES_MAX, CandidateIter, CandidateList, CandidatesFrame, emit_candidates,
};
pub use close::{CLOSE_REASON_LEN_MAX, CloseFrame};
pub use data_blocked::DataBlockedFrame;
pub use datagram::DatagramFrame;
pub use error::FrameError;
pub use frames::Frames;
pub use max_data::MaxDataFrame;
pub use max_stream_data::MaxStreamDataFrame;
pub use max_streams::{MaxStreamsFrame, STREAMS_MAX};
pub use new_cid::NewCidFrame;
pub use observed_address::ObservedAddressFrame;
pub use open::{OpenFrame, StreamKind};
pub use path_challenge::PathChallengeFrame;
pub use path_response::PathResponseFrame;
pub use reset::ResetFrame;
pub use retire_cid::RetireCidFrame;
pub use stop::StopFrame;
pub use stream::StreamFrame;
pub use stream_data_blocked::StreamDataBlockedFrame;
pub use streams_blocked::StreamsBlockedFrame;

use crate::codec::{Reader, Writer};

/// A frame. PADDING is none: [`Frames`] skips it.
///
/// ```
/// use keyway_wire::{Frame, MaxDataFrame};
///
/// let frame = Frame::MaxData(MaxDataFrame { max: 63 });
/// let mut out = [0; 16];
/// assert_eq!(frame.emit(&mut out), frame.len());
/// assert_eq!(out[..2], [0x10, 63]);
/// assert!(frame.elicits_ack());
/// ```
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Frame<'a> {
    /// Asks for an ACK at once.
    Ping,
    /// Which packets of one number space arrived.
    Ack(AckFrame<'a>),
    /// The sender of a stream gave it up.
    Reset(ResetFrame),
    /// The receiver of a stream wants no more of it.
    Stop(StopFrame),
    /// Announces a stream and what it is for.
    Open(OpenFrame<'a>),
    /// Octets of a stream.
    Stream(StreamFrame<'a>),
    /// Credit for all streams together.
    MaxData(MaxDataFrame),
    /// Credit for one stream.
    MaxStreamData(MaxStreamDataFrame),
    /// How many streams the receiver of this may open in all.
    MaxStreams(MaxStreamsFrame),
    /// More would be sent if there was credit for all streams together.
    DataBlocked(DataBlockedFrame),
    /// More would be sent if there was credit for one stream.
    StreamDataBlocked(StreamDataBlockedFrame),
    /// More streams would be opened if that was allowed.
    StreamsBlocked(StreamsBlockedFrame),
    /// Another CID under which the sender receives.
    NewCid(NewCidFrame),
    /// A CID of the receiver's that the sender will not use again.
    RetireCid(RetireCidFrame),
    /// To be answered on the path it came on.
    PathChallenge(PathChallengeFrame),
    /// The answer to that.
    PathResponse(PathResponseFrame),
    /// Where the receiver's packets come from.
    ObservedAddress(ObservedAddressFrame),
    /// Where the sender may be reached.
    Candidates(CandidatesFrame<'a>),
    /// A message that is not sent again.
    Datagram(DatagramFrame<'a>),
    /// The end of the association.
    Close(CloseFrame<'a>),
}

impl<'a> Frame<'a> {
    /// Octets that [`Frame::emit`] writes.
    #[must_use]
    pub fn len(&self) -> usize {
        match self {
            Self::Ping => 1,
            Self::Ack(frame) => frame.len(),
            Self::Reset(frame) => frame.len(),
            Self::Stop(frame) => frame.len(),
            Self::Open(frame) => frame.len(),
            Self::Stream(frame) => frame.len(),
            Self::MaxData(frame) => frame.len(),
            Self::MaxStreamData(frame) => frame.len(),
            Self::MaxStreams(frame) => frame.len(),
            Self::DataBlocked(frame) => frame.len(),
            Self::StreamDataBlocked(frame) => frame.len(),
            Self::StreamsBlocked(frame) => frame.len(),
            Self::NewCid(frame) => frame.len(),
            Self::RetireCid(frame) => frame.len(),
            Self::PathChallenge(_) => PathChallengeFrame::LEN,
            Self::PathResponse(_) => PathResponseFrame::LEN,
            Self::ObservedAddress(frame) => frame.len(),
            Self::Candidates(frame) => frame.len(),
            Self::Datagram(frame) => frame.len(),
            Self::Close(frame) => frame.len(),
        }
    }

    /// Writes the frame, first octet included, and returns its length. STREAM and DATAGRAM are written with their
    /// length, so that others may follow.
    ///
    /// Numbers from 2^62 on, which no parsed frame holds, are written as 2^62 - 1.
    ///
    /// # Panics
    ///
    /// If `out` is shorter than [`Frame::len`].
    pub fn emit(&self, out: &mut [u8]) -> usize {
        match self {
            Self::Ping => Writer::new(out).octet(kind::PING).finish(),
            Self::Ack(frame) => frame.emit(out),
            Self::Reset(frame) => frame.emit(out),
            Self::Stop(frame) => frame.emit(out),
            Self::Open(frame) => frame.emit(out),
            Self::Stream(frame) => frame.emit(out),
            Self::MaxData(frame) => frame.emit(out),
            Self::MaxStreamData(frame) => frame.emit(out),
            Self::MaxStreams(frame) => frame.emit(out),
            Self::DataBlocked(frame) => frame.emit(out),
            Self::StreamDataBlocked(frame) => frame.emit(out),
            Self::StreamsBlocked(frame) => frame.emit(out),
            Self::NewCid(frame) => frame.emit(out),
            Self::RetireCid(frame) => frame.emit(out),
            Self::PathChallenge(frame) => frame.emit(out),
            Self::PathResponse(frame) => frame.emit(out),
            Self::ObservedAddress(frame) => frame.emit(out),
            Self::Candidates(frame) => frame.emit(out),
            Self::Datagram(frame) => frame.emit(out),
            Self::Close(frame) => frame.emit(out),
        }
    }

    /// Whether a packet that holds this is to be acknowledged: all but ACK, CLOSE, PATH_CHALLENGE and PATH_RESPONSE
    /// (and PADDING) (section 6).
    #[must_use]
    pub const fn elicits_ack(&self) -> bool {
        match self {
            Self::Ack(_) | Self::PathChallenge(_) | Self::PathResponse(_) | Self::Close(_) => false,
            Self::Ping
            | Self::Reset(_)
            | Self::Stop(_)
            | Self::Open(_)
            | Self::Stream(_)
            | Self::MaxData(_)
            | Self::MaxStreamData(_)
            | Self::MaxStreams(_)
            | Self::DataBlocked(_)
            | Self::StreamDataBlocked(_)
            | Self::StreamsBlocked(_)
            | Self::NewCid(_)
            | Self::RetireCid(_)
            | Self::ObservedAddress(_)
            | Self::Candidates(_)
            | Self::Datagram(_) => true,
        }
    }

    /// Reads what follows the first octet, which is not PADDING.
    fn parse(first: u8, reader: &mut Reader<'a>) -> Result<Self, FrameError> {
        Ok(match first {
            kind::PING => Self::Ping,
            kind::ACK => Self::Ack(AckFrame::parse(reader)?),
            kind::RESET => Self::Reset(ResetFrame::parse(reader)?),
            kind::STOP => Self::Stop(StopFrame::parse(reader)?),
            kind::OPEN => Self::Open(OpenFrame::parse(reader)?),
            0x08..=0x0b => Self::Stream(StreamFrame::parse(first, reader)?),
            kind::MAX_DATA => Self::MaxData(MaxDataFrame::parse(reader)?),
            kind::MAX_STREAM_DATA => Self::MaxStreamData(MaxStreamDataFrame::parse(reader)?),
            kind::MAX_STREAMS => Self::MaxStreams(MaxStreamsFrame::parse(reader)?),
            kind::DATA_BLOCKED => Self::DataBlocked(DataBlockedFrame::parse(reader)?),
            kind::STREAM_DATA_BLOCKED => {
                Self::StreamDataBlocked(StreamDataBlockedFrame::parse(reader)?)
            }
            kind::STREAMS_BLOCKED => Self::StreamsBlocked(StreamsBlockedFrame::parse(reader)?),
            kind::NEW_CID => Self::NewCid(NewCidFrame::parse(reader)?),
            kind::RETIRE_CID => Self::RetireCid(RetireCidFrame::parse(reader)?),
            kind::PATH_CHALLENGE => Self::PathChallenge(PathChallengeFrame::parse(reader)?),
            kind::PATH_RESPONSE => Self::PathResponse(PathResponseFrame::parse(reader)?),
            kind::OBSERVED_ADDRESS => Self::ObservedAddress(ObservedAddressFrame::parse(reader)?),
            kind::CANDIDATES => Self::Candidates(CandidatesFrame::parse(reader)?),
            0x30..=0x31 => Self::Datagram(DatagramFrame::parse(first, reader)?),
            kind::CLOSE => Self::Close(CloseFrame::parse(reader)?),
            kind => return Err(FrameError::UnknownKind { kind }),
        })
    }
}
