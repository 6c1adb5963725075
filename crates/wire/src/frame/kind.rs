//! First octets of frames. All are below 64, so that each is a variable-length integer of one octet as well.

pub(crate) const PADDING: u8 = 0x00;
pub(crate) const PING: u8 = 0x01;
pub(crate) const ACK: u8 = 0x02;
pub(crate) const RESET: u8 = 0x04;
pub(crate) const STOP: u8 = 0x05;
pub(crate) const OPEN: u8 = 0x06;
/// To this the bits of [`STREAM_FIN`] and [`STREAM_LEN`] are added.
pub(crate) const STREAM: u8 = 0x08;
pub(crate) const STREAM_FIN: u8 = 0x01;
pub(crate) const STREAM_LEN: u8 = 0x02;
pub(crate) const MAX_DATA: u8 = 0x10;
pub(crate) const MAX_STREAM_DATA: u8 = 0x11;
pub(crate) const MAX_STREAMS: u8 = 0x12;
pub(crate) const DATA_BLOCKED: u8 = 0x14;
pub(crate) const STREAM_DATA_BLOCKED: u8 = 0x15;
pub(crate) const STREAMS_BLOCKED: u8 = 0x16;
pub(crate) const NEW_CID: u8 = 0x18;
pub(crate) const RETIRE_CID: u8 = 0x19;
pub(crate) const PATH_CHALLENGE: u8 = 0x1a;
pub(crate) const PATH_RESPONSE: u8 = 0x1b;
pub(crate) const OBSERVED_ADDRESS: u8 = 0x20;
pub(crate) const CANDIDATES: u8 = 0x21;
/// To this the bit of [`DATAGRAM_LEN`] is added.
pub(crate) const DATAGRAM: u8 = 0x30;
pub(crate) const DATAGRAM_LEN: u8 = 0x01;
pub(crate) const CLOSE: u8 = 0x38;
