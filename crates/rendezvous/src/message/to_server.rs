//! What clients say to their server.

use keyway_identity::{NodeId, Signature};
use keyway_wire::Token;

use super::ProtocolError;
use super::fields::{RequestId, first_packet, node_id, signature, token};
use crate::generated::{self as wire, to_server::Message};

/// From client to server.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) enum ToServer {
    Publish {
        record: Vec<u8>,
        signature: Signature,
    },
    Lookup {
        request: RequestId,
        node: NodeId,
    },
    Open {
        request: RequestId,
        peer: NodeId,
        first_packet: Vec<u8>,
    },
    CloseChannel {
        token: Token,
    },
    /// A kind of message that a later version has.
    Unknown,
}

impl ToServer {
    pub(crate) fn parse(message: wire::ToServer) -> Result<Self, ProtocolError> {
        Ok(match message.message {
            None => Self::Unknown,
            Some(Message::Publish(publish)) => Self::Publish {
                record: publish.record,
                signature: signature(&publish.signature)?,
            },
            Some(Message::Lookup(lookup)) => Self::Lookup {
                request: RequestId(lookup.request),
                node: node_id(&lookup.node)?,
            },
            Some(Message::Open(open)) => Self::Open {
                request: RequestId(open.request),
                peer: node_id(&open.peer)?,
                first_packet: first_packet(open.first_packet)?,
            },
            Some(Message::CloseChannel(close)) => Self::CloseChannel {
                token: token(&close.token)?,
            },
        })
    }

    pub(crate) fn into_wire(self) -> wire::ToServer {
        let message = match self {
            Self::Publish { record, signature } => Message::Publish(wire::Publish {
                record,
                signature: signature.as_bytes().to_vec(),
            }),
            Self::Lookup { request, node } => Message::Lookup(wire::Lookup {
                request: request.0,
                node: node.as_bytes().to_vec(),
            }),
            Self::Open {
                request,
                peer,
                first_packet,
            } => Message::Open(wire::Open {
                request: request.0,
                peer: peer.as_bytes().to_vec(),
                first_packet,
            }),
            Self::CloseChannel { token } => Message::CloseChannel(wire::CloseChannel {
                token: token.as_bytes().to_vec(),
            }),
            Self::Unknown => return wire::ToServer { message: None },
        };
        wire::ToServer {
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

    fn to_server() -> impl Strategy<Value = ToServer> {
        let request = any::<u64>().prop_map(RequestId);
        let node = (0u8..9).prop_map(|number| key(number).node_id());
        let packet = proptest::collection::vec(any::<u8>(), 0..=FIRST_PACKET_LEN_MAX);
        let record = proptest::collection::vec(any::<u8>(), 0..3000);
        prop_oneof![
            (record, any::<u8>()).prop_map(|(record, fill)| {
                ToServer::Publish {
                    record,
                    signature: Signature::from_bytes([fill; 64]),
                }
            }),
            (request.clone(), node.clone())
                .prop_map(|(request, node)| ToServer::Lookup { request, node }),
            (request, node, packet).prop_map(|(request, peer, first_packet)| {
                ToServer::Open {
                    request,
                    peer,
                    first_packet,
                }
            }),
            any::<[u8; 8]>().prop_map(|token| ToServer::CloseChannel {
                token: Token::new(token)
            }),
            Just(ToServer::Unknown),
        ]
    }

    proptest! {
        #[test]
        fn every_message_to_the_server_survives_the_wire(message in to_server()) {
            let bytes = message.clone().into_wire().encode_to_vec();
            prop_assert!(bytes.len() <= MESSAGE_LEN_MAX);
            let read = ToServer::parse(wire::ToServer::decode(bytes.as_slice()).unwrap());
            prop_assert_eq!(read, Ok(message));
        }

        #[test]
        fn no_octets_make_the_parser_panic(bytes in proptest::collection::vec(any::<u8>(), 0..300)) {
            let _ = wire::ToServer::decode(bytes.as_slice()).map(ToServer::parse);
        }
    }

    #[test]
    fn golden_bytes() {
        let mut out = Vec::new();
        append(
            &ToServer::CloseChannel {
                token: Token::new([9; 8]),
            }
            .into_wire(),
            &mut out,
        );
        assert_eq!(out, [0, 12, 0x22, 10, 0x0a, 8, 9, 9, 9, 9, 9, 9, 9, 9]);
    }

    // R10.1
    #[test]
    fn fields_of_the_wrong_length_are_malformed() {
        let open = |peer: Vec<u8>, first_packet| {
            let open = wire::Open {
                request: 1,
                peer,
                first_packet,
            };
            ToServer::parse(wire::ToServer {
                message: Some(Message::Open(open)),
            })
        };
        let peer = key(1).node_id().as_bytes().to_vec();
        assert!(open(peer.clone(), vec![0; FIRST_PACKET_LEN_MAX]).is_ok());
        assert_eq!(
            open(peer.clone(), vec![0; FIRST_PACKET_LEN_MAX + 1]),
            Err(ProtocolError::Malformed)
        );
        assert_eq!(
            open(peer[..31].to_vec(), vec![]),
            Err(ProtocolError::Malformed)
        );
        assert_eq!(
            open(vec![0; 32], vec![]),
            Err(ProtocolError::Malformed),
            "a weak key"
        );
        let close = wire::CloseChannel { token: vec![0; 7] };
        let message = Some(Message::CloseChannel(close));
        assert_eq!(
            ToServer::parse(wire::ToServer { message }),
            Err(ProtocolError::Malformed)
        );
    }

    // R10.1
    #[test]
    fn a_kind_of_message_that_is_not_known_is_skipped() {
        // Field 99, with three octets in it.
        let bytes = [0x9a, 0x06, 3, 1, 2, 3];
        let message = wire::ToServer::decode(bytes.as_slice()).unwrap();
        assert_eq!(ToServer::parse(message), Ok(ToServer::Unknown));
    }
}
