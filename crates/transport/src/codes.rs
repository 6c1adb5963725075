//! Numbers that RESET, STOP and CLOSE carry.
//!
//! One space for all three. Below 0x100 the meaning is about what was asked for, and an application may see it; from
//! 0x100 on it is about the protocol, and the association that closes with it is over. Applications choose theirs from
//! [`APPLICATION`] upwards.

/// Nothing is wrong: the work is done, or nobody needs it any more.
pub const NONE: u64 = 0;
/// The service does not exist, or this peer may not use it: the two look alike.
pub const UNKNOWN_SERVICE: u64 = 1;
/// The application let go of the stream without saying why.
pub const ABANDONED: u64 = 2;
/// The node stops.
pub const SHUTDOWN: u64 = 3;
/// The node has another association with the same peer, and keeps that one.
pub const SUPERSEDED: u64 = 4;
/// The node has no room for what was asked.
pub const OVERLOADED: u64 = 5;

/// A frame or packet cannot be parsed, or contains nothing.
pub const MALFORMED: u64 = 0x100;
/// Frames say what no honest peer can say.
pub const PROTOCOL_VIOLATION: u64 = 0x101;
/// More octets or streams than were granted, or a final size that changed.
pub const FLOW_CONTROL: u64 = 0x102;
/// An acknowledgement of what was never sent (RFC 9000, 21.4).
pub const OPTIMISTIC_ACK: u64 = 0x103;
/// More connection ids than the other side keeps, or ids that contradict each other.
pub const CID_LIMIT: u64 = 0x104;
/// Frame after frame that changes nothing (RFC 9000, 21.9).
pub const NO_PROGRESS: u64 = 0x105;

/// The first code that is the application's own.
pub const APPLICATION: u64 = 0x1_0000;
