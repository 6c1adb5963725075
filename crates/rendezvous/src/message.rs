//! The messages of both directions, checked: what the protobuf types of `generated` can hold, but a message may not,
//! ends here.

use keyway_identity::{NodeId, Signature};
use keyway_wire::{INIT_LEN, Token};

use crate::generated::{self as wire, to_client, to_server};
use crate::wall::Wall;

/// Names a request in its answer. Chosen by the client, never zero.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct RequestId(pub u64);

/// Octets of the first packet that an offer hands over: those of an INIT.
pub const FIRST_PACKET_LEN_MAX: usize = INIT_LEN;

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

/// The other side does not keep to the protocol. Close the association: its stream cannot be followed any further.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
pub enum ProtocolError {
    /// A message is longer than any may be.
    #[error("message of {length} octets is longer than any may be")]
    TooLong {
        /// The length that was announced.
        length: usize,
    },
    /// A message is not protobuf, or a field of it is not what it has to be.
    #[error("message is malformed")]
    Malformed,
    /// A client goes on asking much faster than it may, although it is told so.
    #[error("requests come faster than they may")]
    Flood,
}

impl ToServer {
    pub(crate) fn parse(message: wire::ToServer) -> Result<Self, ProtocolError> {
        Ok(match message.message {
            None => Self::Unknown,
            Some(to_server::Message::Publish(publish)) => Self::Publish {
                record: publish.record,
                signature: signature(&publish.signature)?,
            },
            Some(to_server::Message::Lookup(lookup)) => Self::Lookup {
                request: RequestId(lookup.request),
                node: node_id(&lookup.node)?,
            },
            Some(to_server::Message::Open(open)) => Self::Open {
                request: RequestId(open.request),
                peer: node_id(&open.peer)?,
                first_packet: first_packet(open.first_packet)?,
            },
            Some(to_server::Message::CloseChannel(close)) => Self::CloseChannel {
                token: token(&close.token)?,
            },
        })
    }

    pub(crate) fn into_wire(self) -> wire::ToServer {
        let message = match self {
            Self::Publish { record, signature } => {
                Some(to_server::Message::Publish(wire::Publish {
                    record,
                    signature: signature.as_bytes().to_vec(),
                }))
            }
            Self::Lookup { request, node } => Some(to_server::Message::Lookup(wire::Lookup {
                request: request.0,
                node: node.as_bytes().to_vec(),
            })),
            Self::Open {
                request,
                peer,
                first_packet,
            } => Some(to_server::Message::Open(wire::Open {
                request: request.0,
                peer: peer.as_bytes().to_vec(),
                first_packet,
            })),
            Self::CloseChannel { token } => {
                Some(to_server::Message::CloseChannel(wire::CloseChannel {
                    token: token.as_bytes().to_vec(),
                }))
            }
            Self::Unknown => None,
        };
        wire::ToServer { message }
    }
}

impl ToClient {
    pub(crate) fn parse(message: wire::ToClient) -> Result<Self, ProtocolError> {
        Ok(match message.message {
            None => Self::Unknown,
            Some(to_client::Message::Published(it)) => Self::Published {
                epoch: it.epoch,
                sequence: it.sequence,
            },
            Some(to_client::Message::Stale(it)) => Self::Stale {
                epoch: it.epoch,
                sequence: it.sequence,
            },
            Some(to_client::Message::NotPublished(it)) => Self::NotPublished {
                reason: it.reason(),
                server_time: Wall(it.server_time),
            },
            Some(to_client::Message::Found(it)) => Self::Found {
                request: RequestId(it.request),
                record: it.record,
                signature: signature(&it.signature)?,
            },
            Some(to_client::Message::NotFound(it)) => Self::NotFound {
                request: RequestId(it.request),
            },
            Some(to_client::Message::Opened(it)) => Self::Opened {
                request: RequestId(it.request),
                token: token(&it.token)?,
            },
            Some(to_client::Message::Refused(it)) => Self::Refused {
                request: RequestId(it.request),
                reason: it.reason(),
            },
            Some(to_client::Message::Offered(it)) => Self::Offered {
                peer: node_id(&it.peer)?,
                token: token(&it.token)?,
                first_packet: first_packet(it.first_packet)?,
            },
            Some(to_client::Message::ChannelClosed(it)) => Self::ChannelClosed {
                token: token(&it.token)?,
            },
        })
    }

    pub(crate) fn into_wire(self) -> wire::ToClient {
        use to_client::Message;
        let message = match self {
            Self::Published { epoch, sequence } => {
                Some(Message::Published(wire::Published { epoch, sequence }))
            }
            Self::Stale { epoch, sequence } => {
                Some(Message::Stale(wire::Stale { epoch, sequence }))
            }
            Self::NotPublished {
                reason,
                server_time,
            } => {
                let (reason, server_time) = (reason.into(), server_time.0);
                Some(Message::NotPublished(wire::NotPublished {
                    reason,
                    server_time,
                }))
            }
            Self::Found {
                request,
                record,
                signature,
            } => {
                let signature = signature.as_bytes().to_vec();
                Some(Message::Found(wire::Found {
                    request: request.0,
                    record,
                    signature,
                }))
            }
            Self::NotFound { request } => {
                Some(Message::NotFound(wire::NotFound { request: request.0 }))
            }
            Self::Opened { request, token } => {
                let token = token.as_bytes().to_vec();
                Some(Message::Opened(wire::Opened {
                    request: request.0,
                    token,
                }))
            }
            Self::Refused { request, reason } => {
                let reason = reason.into();
                Some(Message::Refused(wire::Refused {
                    request: request.0,
                    reason,
                }))
            }
            Self::Offered {
                peer,
                token,
                first_packet,
            } => {
                let (peer, token) = (peer.as_bytes().to_vec(), token.as_bytes().to_vec());
                Some(Message::Offered(wire::Offered {
                    peer,
                    token,
                    first_packet,
                }))
            }
            Self::ChannelClosed { token } => {
                let token = token.as_bytes().to_vec();
                Some(Message::ChannelClosed(wire::ChannelClosed { token }))
            }
            Self::Unknown => None,
        };
        wire::ToClient { message }
    }
}

fn node_id(bytes: &[u8]) -> Result<NodeId, ProtocolError> {
    let bytes = bytes.try_into().map_err(|_| ProtocolError::Malformed)?;
    NodeId::from_bytes(bytes).map_err(|_| ProtocolError::Malformed)
}

fn signature(bytes: &[u8]) -> Result<Signature, ProtocolError> {
    Signature::try_from(bytes).map_err(|_| ProtocolError::Malformed)
}

fn token(bytes: &[u8]) -> Result<Token, ProtocolError> {
    bytes
        .try_into()
        .map(Token::new)
        .map_err(|_| ProtocolError::Malformed)
}

fn first_packet(bytes: Vec<u8>) -> Result<Vec<u8>, ProtocolError> {
    if bytes.len() > FIRST_PACKET_LEN_MAX {
        return Err(ProtocolError::Malformed);
    }
    Ok(bytes)
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;
    use prost::Message;

    use super::*;
    use crate::framing::{MESSAGE_LEN_MAX, append};
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
        fn every_message_to_the_server_survives_the_wire(message in to_server()) {
            let bytes = message.clone().into_wire().encode_to_vec();
            prop_assert!(bytes.len() <= MESSAGE_LEN_MAX);
            let read = ToServer::parse(wire::ToServer::decode(bytes.as_slice()).unwrap());
            prop_assert_eq!(read, Ok(message));
        }

        #[test]
        fn every_message_to_the_client_survives_the_wire(message in to_client()) {
            let bytes = message.clone().into_wire().encode_to_vec();
            prop_assert!(bytes.len() <= MESSAGE_LEN_MAX);
            let read = ToClient::parse(wire::ToClient::decode(bytes.as_slice()).unwrap());
            prop_assert_eq!(read, Ok(message));
        }

        #[test]
        fn no_octets_make_the_parsers_panic(bytes in proptest::collection::vec(any::<u8>(), 0..300)) {
            let _ = wire::ToServer::decode(bytes.as_slice()).map(ToServer::parse);
            let _ = wire::ToClient::decode(bytes.as_slice()).map(ToClient::parse);
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
        out.clear();
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
    fn fields_of_the_wrong_length_are_malformed() {
        let open = |peer: Vec<u8>, first_packet| {
            let open = wire::Open {
                request: 1,
                peer,
                first_packet,
            };
            ToServer::parse(wire::ToServer {
                message: Some(to_server::Message::Open(open)),
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
        let message = Some(to_server::Message::CloseChannel(close));
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
