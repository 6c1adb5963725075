//! What a server says to its clients.

use keyway_identity::{NodeId, Signature};
use keyway_wire::Token;

use super::ProtocolError;
use super::fields::{RequestId, first_packet, node_id, signature, token};
use crate::generated::{self as wire, to_client::Message};
use crate::wall::Wall;

/// From server to client.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) enum ToClient {
    Published {
        epoch: u64,
        sequence: u64,
    },
    Stale {
        epoch: u64,
        sequence: u64,
    },
    NotPublished {
        reason: wire::PublishRefusal,
        server_time: Wall,
    },
    Found {
        request: RequestId,
        record: Vec<u8>,
        signature: Signature,
    },
    NotFound {
        request: RequestId,
    },
    Opened {
        request: RequestId,
        token: Token,
    },
    Refused {
        request: RequestId,
        reason: wire::Refusal,
    },
    Offered {
        peer: NodeId,
        token: Token,
        first_packet: Vec<u8>,
    },
    ChannelClosed {
        token: Token,
    },
    /// A kind of message that a later version has.
    Unknown,
}

impl ToClient {
    pub(crate) fn parse(message: wire::ToClient) -> Result<Self, ProtocolError> {
        Ok(match message.message {
            None => Self::Unknown,
            Some(Message::Published(it)) => Self::Published {
                epoch: it.epoch,
                sequence: it.sequence,
            },
            Some(Message::Stale(it)) => Self::Stale {
                epoch: it.epoch,
                sequence: it.sequence,
            },
            Some(Message::NotPublished(it)) => Self::NotPublished {
                reason: it.reason(),
                server_time: Wall(it.server_time),
            },
            Some(Message::Found(it)) => Self::Found {
                request: RequestId(it.request),
                record: it.record,
                signature: signature(&it.signature)?,
            },
            Some(Message::NotFound(it)) => Self::NotFound {
                request: RequestId(it.request),
            },
            Some(Message::Opened(it)) => Self::Opened {
                request: RequestId(it.request),
                token: token(&it.token)?,
            },
            Some(Message::Refused(it)) => Self::Refused {
                request: RequestId(it.request),
                reason: it.reason(),
            },
            Some(Message::Offered(it)) => Self::Offered {
                peer: node_id(&it.peer)?,
                token: token(&it.token)?,
                first_packet: first_packet(it.first_packet)?,
            },
            Some(Message::ChannelClosed(it)) => Self::ChannelClosed {
                token: token(&it.token)?,
            },
        })
    }

    pub(crate) fn into_wire(self) -> wire::ToClient {
        let message = match self {
            Self::Published { epoch, sequence } => {
                Message::Published(wire::Published { epoch, sequence })
            }
            Self::Stale { epoch, sequence } => Message::Stale(wire::Stale { epoch, sequence }),
            Self::NotPublished {
                reason,
                server_time,
            } => Message::NotPublished(wire::NotPublished {
                reason: reason.into(),
                server_time: server_time.0,
            }),
            Self::Found {
                request,
                record,
                signature,
            } => Message::Found(wire::Found {
                request: request.0,
                record,
                signature: signature.as_bytes().to_vec(),
            }),
            Self::NotFound { request } => Message::NotFound(wire::NotFound { request: request.0 }),
            Self::Opened { request, token } => Message::Opened(wire::Opened {
                request: request.0,
                token: token.as_bytes().to_vec(),
            }),
            Self::Refused { request, reason } => Message::Refused(wire::Refused {
                request: request.0,
                reason: reason.into(),
            }),
            Self::Offered {
                peer,
                token,
                first_packet,
            } => Message::Offered(wire::Offered {
                peer: peer.as_bytes().to_vec(),
                token: token.as_bytes().to_vec(),
                first_packet,
            }),
            Self::ChannelClosed { token } => Message::ChannelClosed(wire::ChannelClosed {
                token: token.as_bytes().to_vec(),
            }),
            Self::Unknown => return wire::ToClient { message: None },
        };
        wire::ToClient {
            message: Some(message),
        }
    }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;
    use prost::Message as _;

    use super::*;
    use crate::framing::{MESSAGE_LEN_MAX, append};
    use crate::message::FIRST_PACKET_LEN_MAX;
    use crate::record::tests::key;

    fn to_client() -> impl Strategy<Value = ToClient> {
        let request = any::<u64>().prop_map(RequestId);
        let token = any::<[u8; 8]>().prop_map(Token::new);
        let packet = proptest::collection::vec(any::<u8>(), 0..=FIRST_PACKET_LEN_MAX);
        let record = proptest::collection::vec(any::<u8>(), 0..3000);
        prop_oneof![
            any::<(u64, u64)>()
                .prop_map(|(epoch, sequence)| ToClient::Published { epoch, sequence }),
            any::<(u64, u64)>().prop_map(|(epoch, sequence)| ToClient::Stale { epoch, sequence }),
            any::<u64>().prop_map(|time| ToClient::NotPublished {
                reason: wire::PublishRefusal::Clock,
                server_time: Wall(time),
            }),
            (request.clone(), record, any::<u8>()).prop_map(|(request, record, fill)| {
                ToClient::Found {
                    request,
                    record,
                    signature: Signature::from_bytes([fill; 64]),
                }
            }),
            request
                .clone()
                .prop_map(|request| ToClient::NotFound { request }),
            (request.clone(), token.clone())
                .prop_map(|(request, token)| ToClient::Opened { request, token }),
            request.prop_map(|request| ToClient::Refused {
                request,
                reason: wire::Refusal::Limit
            }),
            ((0u8..9), token.clone(), packet).prop_map(|(number, token, first_packet)| {
                ToClient::Offered {
                    peer: key(number).node_id(),
                    token,
                    first_packet,
                }
            }),
            token.prop_map(|token| ToClient::ChannelClosed { token }),
            Just(ToClient::Unknown),
        ]
    }

    proptest! {
        #[test]
        fn every_message_to_the_client_survives_the_wire(message in to_client()) {
            let bytes = message.clone().into_wire().encode_to_vec();
            prop_assert!(bytes.len() <= MESSAGE_LEN_MAX);
            let read = ToClient::parse(wire::ToClient::decode(bytes.as_slice()).unwrap());
            prop_assert_eq!(read, Ok(message));
        }

        #[test]
        fn no_octets_make_the_parser_panic(bytes in proptest::collection::vec(any::<u8>(), 0..300)) {
            let _ = wire::ToClient::decode(bytes.as_slice()).map(ToClient::parse);
        }
    }

    #[test]
    fn golden_bytes() {
        let mut out = Vec::new();
        append(
            &ToClient::Published {
                epoch: 3,
                sequence: 4,
            }
            .into_wire(),
            &mut out,
        );
        assert_eq!(out, [0, 6, 0x0a, 4, 8, 3, 16, 4]);
    }

    // R10.1
    #[test]
    fn a_kind_of_message_that_is_not_known_is_skipped() {
        // Field 99, with three octets in it.
        let bytes = [0x9a, 0x06, 3, 1, 2, 3];
        let message = wire::ToClient::decode(bytes.as_slice()).unwrap();
        assert_eq!(ToClient::parse(message), Ok(ToClient::Unknown));
    }
}
