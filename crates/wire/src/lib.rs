//! What bytes on the wire mean: packet headers, frames, varints, and time. No I/O, no cryptography, no allocation to parse.
//!
//! The protocol's own text is `proto/PROTOCOL.md`; section numbers in these pages are its sections. Integers are
//! big-endian; variable-length integers (RFC 9000, 16) occur in frames only.
//!
//! A datagram that arrived is read in two steps, with a cryptographic one between them that is not done here:
//!
//! ```
//! use keyway_wire::{Frame, Frames, Packet, PacketError};
//!
//! fn receive(datagram: &[u8]) -> Result<(), PacketError> {
//!     match Packet::parse(datagram)? {
//!         Packet::Init(init) => assert_eq!(init.noise.len(), 1078), // for the handshake
//!         Packet::Resp(resp) => assert!(resp.noise.len() >= 48),    // for the handshake
//!         Packet::Data(header) => println!("open it with the keys of {:?}", header.slot),
//!         Packet::Cookie(cookie) => assert_eq!(cookie.sealed.len(), 32),
//!         Packet::Relay(header) => println!("forward it along {:?}", header.token),
//!     }
//!     Ok(())
//! }
//!
//! // What opening a data packet gave: frames, one after the other.
//! let payload = [0x01, 0x10, 0x3f];
//! let frames: Result<Vec<_>, _> = Frames::new(&payload).collect();
//! assert_eq!(frames.unwrap()[0], Frame::Ping);
//! ```
//!
//! # What parsing promises
//!
//! - No input panics, allocates, or takes more than time linear in its length.
//! - What parsing yields is valid: whoever holds a [`StreamId`], a [`Slot`] or the ranges of an ACK need not check again.
//!   Lists (ranges, candidates) are checked when the frame is parsed and decoded when they are iterated.
//! - Emitting what parsing yielded, and parsing that, gives the same value again.
//! - Emitting panics only where the buffer is shorter than the length that the value announces.
//!
//! # What is left to others
//!
//! Whether a packet is authentic, was seen before, or may say what it says: those are questions for the handshake and the
//! association. Frames are not checked against each other or against limits that were agreed.

// What panics on a short buffer says so; nothing else may.
#![cfg_attr(
    not(test),
    warn(clippy::indexing_slicing, clippy::expect_used, clippy::panic)
)]

mod address;
mod candidate;
mod cid;
mod codec;
mod frame;
mod packet;
#[doc(hidden)]
pub mod planted;
mod service_name;
mod slot;
mod stream_id;
mod time;
mod token;
mod varint;

pub use address::{AddressError, canonical_address};
pub use candidate::{Candidate, CandidateKind};
pub use cid::{Cid, CidSequence};
pub use frame::{
    ACK_RANGES_MAX, AckFrame, AckRanges, AckRangesIter, CANDIDATES_MAX, CLOSE_REASON_LEN_MAX,
    CandidateIter, CandidateList, CandidatesFrame, CloseFrame, DataBlockedFrame, DatagramFrame,
    Frame, FrameError, Frames, MaxDataFrame, MaxStreamDataFrame, MaxStreamsFrame, NewCidFrame,
    ObservedAddressFrame, OpenFrame, PathChallengeFrame, PathResponseFrame, ResetFrame,
    RetireCidFrame, STREAMS_MAX, StopFrame, StreamDataBlockedFrame, StreamFrame, StreamKind,
    StreamsBlockedFrame, emit_ack, emit_candidates,
};
pub use packet::{
    COOKIE_LEN, COOKIE_NONCE_LEN, COOKIE_PLAIN_LEN, COOKIE_SEALED_LEN, Cookie, DATA_HEADER_LEN,
    DataHeader, INIT_LEN, Init, MAC_LEN, PACKET_NUMBER_MAX, Packet, PacketError, RELAY_HEADER_LEN,
    RESP_LEN_MAX, RESP_LEN_MIN, RelayHeader, Resp, TAG_LEN, VERSION,
};
pub use service_name::{SERVICE_NAME_LEN_MAX, ServiceName, ServiceNameError};
pub use slot::Slot;
pub use stream_id::StreamId;
pub use time::Time;
pub use token::Token;
pub use varint::{VarInt, VarIntTooLarge};
