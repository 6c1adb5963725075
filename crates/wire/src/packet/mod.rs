//! Packets: what one UDP datagram, one relayed payload, or one message of a tunnel holds (section 5).

mod cookie;
mod data;
mod init;
mod relay;
mod resp;

pub use cookie::{COOKIE_LEN, COOKIE_NONCE_LEN, COOKIE_PLAIN_LEN, COOKIE_SEALED_LEN, Cookie};
pub use data::{DATA_HEADER_LEN, DataHeader, PACKET_NUMBER_MAX, TAG_LEN};
pub use init::{INIT_LEN, Init};
pub use relay::{RELAY_HEADER_LEN, RelayHeader};
pub use resp::{RESP_LEN_MAX, RESP_LEN_MIN, Resp};

/// The protocol version, third octet of every handshake packet.
pub const VERSION: u8 = 1;

/// Octets of `mac1` and of `mac2`, at the end of INIT and RESP.
pub const MAC_LEN: usize = 16;

/// First octet of handshake packets.
const HANDSHAKE: u8 = 4;
/// First octet of relayed packets.
const RELAY: u8 = 5;

/// Second octet of an INIT.
const INIT: u8 = 1;
/// Second octet of a RESP.
const RESP: u8 = 2;
/// Second octet of a COOKIE.
const COOKIE: u8 = 3;

/// Octets that all handshake packets begin with: [`HANDSHAKE`], kind, version.
const HANDSHAKE_START_LEN: usize = 3;

/// A packet, told apart by its first octet.
///
/// | first octet | packet |
/// |-------------|--------|
/// | 4           | handshake: the second octet is 1 for INIT, 2 for RESP, 3 for COOKIE |
/// | 5           | relayed: a token, then another packet |
/// | 8..=15      | data |
/// | others      | none of ours; they are free for STUN, TURN, DTLS and QUIC on the same socket (RFC 7983, RFC 9443) |
///
/// ```
/// use keyway_wire::Packet;
///
/// let stun = [0; 20];
/// assert!(Packet::parse(&stun).is_err()); // other protocols share the socket
/// ```
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Packet<'a> {
    /// The first message of a handshake.
    Init(Init<'a>),
    /// The answer to it.
    Resp(Resp<'a>),
    /// The answer of a responder under load: first, show that you are where you say.
    Cookie(Cookie<'a>),
    /// The header of a data packet; what is sealed begins at [`DATA_HEADER_LEN`].
    Data(DataHeader),
    /// The header of a relayed packet; the packet inside begins at [`RELAY_HEADER_LEN`].
    Relay(RelayHeader),
}

impl<'a> Packet<'a> {
    /// Reads the header of a packet. Nothing is authentic yet.
    ///
    /// # Errors
    ///
    /// Whatever is not exactly a packet. Drop it without an answer.
    pub fn parse(packet: &'a [u8]) -> Result<Self, PacketError> {
        match *packet {
            [HANDSHAKE, INIT, ..] => Init::parse(packet).map(Self::Init),
            [HANDSHAKE, RESP, ..] => Resp::parse(packet).map(Self::Resp),
            [HANDSHAKE, COOKIE, ..] => Cookie::parse(packet).map(Self::Cookie),
            [HANDSHAKE, kind, ..] => Err(PacketError::UnknownHandshakeKind { kind }),
            [HANDSHAKE] => Err(PacketError::Truncated {
                minimum: HANDSHAKE_START_LEN,
                actual: 1,
            }),
            [RELAY, ..] => RelayHeader::parse(packet).map(Self::Relay),
            [8..=15, ..] => DataHeader::parse(packet).map(Self::Data),
            [first, ..] => Err(PacketError::Foreign { first }),
            [] => Err(PacketError::Truncated {
                minimum: 1,
                actual: 0,
            }),
        }
    }
}

/// Checks the three octets that a handshake packet of this kind begins with.
fn check_handshake_start(packet: &[u8], expected: u8) -> Result<(), PacketError> {
    match *packet {
        [HANDSHAKE, kind, VERSION, ..] if kind == expected => Ok(()),
        [HANDSHAKE, kind, version, ..] if kind == expected => {
            Err(PacketError::UnsupportedVersion { version })
        }
        [HANDSHAKE, kind, ..] if kind != expected => {
            Err(PacketError::UnknownHandshakeKind { kind })
        }
        [HANDSHAKE, ..] | [] => Err(PacketError::Truncated {
            minimum: HANDSHAKE_START_LEN,
            actual: packet.len(),
        }),
        [first, ..] => Err(PacketError::Foreign { first }),
    }
}

/// Why a datagram is not a packet of ours. It is dropped, nothing is sent, no state changes.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
pub enum PacketError {
    /// The first octet belongs to another protocol, or to nobody. Pass it to whoever shares the socket.
    #[error("first octet {first} is none of ours")]
    Foreign {
        /// The first octet.
        first: u8,
    },
    /// Shorter than its kind allows: sent by a broken peer or a stranger.
    #[error("{actual} octets are fewer than the {minimum} that such a packet has at least")]
    Truncated {
        /// Octets that it needs.
        minimum: usize,
        /// Octets that there are.
        actual: usize,
    },
    /// Longer than its kind allows: sent by a broken peer or a stranger.
    #[error("{actual} octets are more than the {maximum} that such a packet has at most")]
    Oversized {
        /// Octets that it may have.
        maximum: usize,
        /// Octets that there are.
        actual: usize,
    },
    /// A handshake packet, but neither INIT nor RESP nor COOKIE.
    #[error("handshake packet of unknown kind {kind}")]
    UnknownHandshakeKind {
        /// The second octet.
        kind: u8,
    },
    /// A handshake packet of another version of the protocol.
    #[error("protocol version {version} is not {VERSION}")]
    UnsupportedVersion {
        /// The third octet.
        version: u8,
    },
    /// A packet number that no ACK could name.
    #[error("packet number {number} is above {PACKET_NUMBER_MAX}")]
    NumberTooLarge {
        /// The number.
        number: u64,
    },
    /// A relayed packet inside a relayed packet: nothing is relayed twice.
    #[error("a relayed packet inside a relayed packet")]
    NestedRelay,
}

/// `Truncated` or `Oversized` where the length is outside the bounds.
fn check_len(packet: &[u8], minimum: usize, maximum: usize) -> Result<(), PacketError> {
    match packet.len() {
        actual if actual < minimum => Err(PacketError::Truncated { minimum, actual }),
        actual if actual > maximum => Err(PacketError::Oversized { maximum, actual }),
        _ => Ok(()),
    }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    // F4, P4, R5.1: what is not exactly a packet is dropped.
    #[test]
    fn first_octets_of_other_protocols_are_foreign() {
        for first in (0..=3).chain([6, 7]).chain(16..=255) {
            let mut packet = [0x5a; 1_200];
            packet[0] = first;
            assert_eq!(Packet::parse(&packet), Err(PacketError::Foreign { first }));
        }
    }

    // R5.1
    #[test]
    fn unknown_handshake_kinds_are_refused() {
        for kind in (0..=0).chain(4..=255) {
            let mut packet = [0x5a; INIT_LEN];
            packet[..3].copy_from_slice(&[4, kind, VERSION]);
            assert_eq!(
                Packet::parse(&packet),
                Err(PacketError::UnknownHandshakeKind { kind })
            );
        }
    }

    // R5.2
    #[test]
    fn other_versions_are_refused() {
        for version in (0..=0).chain(2..=255) {
            for kind in [INIT, RESP, COOKIE] {
                let mut packet = [0x5a; INIT_LEN];
                packet[..3].copy_from_slice(&[4, kind, version]);
                assert_eq!(
                    Packet::parse(&packet),
                    Err(PacketError::UnsupportedVersion { version })
                );
            }
        }
    }

    #[test]
    fn nothing_is_not_a_packet() {
        assert_eq!(
            Packet::parse(&[]),
            Err(PacketError::Truncated {
                minimum: 1,
                actual: 0
            })
        );
        assert_eq!(
            Packet::parse(&[4]),
            Err(PacketError::Truncated {
                minimum: 3,
                actual: 1
            })
        );
    }

    proptest! {
        #[test]
        fn no_octets_panic(mut packet in proptest::collection::vec(any::<u8>(), 0..1_300), first in 0u8..16) {
            if let Some(octet) = packet.first_mut() {
                *octet = first;
            }
            let _ = Packet::parse(&packet);
        }
    }
}
