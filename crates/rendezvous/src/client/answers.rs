//! What a client makes of the server's messages.

use keyway_identity::{NodeId, Signature, Signed};
use keyway_wire::Token;

use super::ClientHalf;
use super::channels::NotKept;
use super::event::{ClientEvent, PublishFailure, Refusal};
use super::requests::Kind;
use crate::generated;
use crate::message::{RequestId, ToClient, ToServer};
use crate::record::Record;
use crate::seen::SeenRecords;
use crate::wall::Wall;

impl ClientHalf {
    pub(super) fn handle_message(&mut self, wall: Wall, seen: &mut SeenRecords, message: ToClient) {
        let event = match message {
            ToClient::Published { epoch, sequence } => {
                self.of_publication(ClientEvent::Published { epoch, sequence })
            }
            ToClient::Stale { epoch, sequence } => {
                self.of_publication(ClientEvent::Stale { epoch, sequence })
            }
            ToClient::NotPublished {
                reason,
                server_time,
            } => {
                let reason = publish_failure(reason, server_time);
                self.of_publication(ClientEvent::NotPublished { reason })
            }
            ToClient::Found {
                request,
                record,
                signature,
            } => self.found(wall, seen, request, &record, &signature),
            ToClient::NotFound { request } => {
                let node = self.requests.answered(request, Some(Kind::Record));
                node.map(|node| ClientEvent::NotFound { request, node })
            }
            ToClient::Opened { request, token } => self.opened(request, token),
            ToClient::Refused { request, reason } => {
                let (peer, reason) = (self.requests.answered(request, None), refusal(reason));
                peer.map(|peer| ClientEvent::Refused {
                    request,
                    peer,
                    reason,
                })
            }
            ToClient::Offered {
                peer,
                token,
                first_packet,
            } => {
                let offered = ClientEvent::Offered {
                    peer,
                    token,
                    first_packet,
                };
                self.keep_channel(token).ok().map(|()| offered)
            }
            ToClient::ChannelClosed { token } => self
                .channels
                .remove(&token)
                .then_some(ClientEvent::ChannelClosed { token }),
            ToClient::Unknown => None,
        };
        self.events.extend(event);
    }

    /// An answer to one of the records that were published; not more of them than there are records.
    fn of_publication(&mut self, answer: ClientEvent) -> Option<ClientEvent> {
        self.publishing = self.publishing.checked_sub(1)?;
        Some(answer)
    }

    fn found(
        &mut self,
        wall: Wall,
        seen: &mut SeenRecords,
        request: RequestId,
        record: &[u8],
        signature: &Signature,
    ) -> Option<ClientEvent> {
        let node = self.requests.answered(request, Some(Kind::Record))?;
        Some(match verify(wall, seen, &node, record, signature) {
            Ok(record) => ClientEvent::Record {
                request,
                record: Box::new(record),
            },
            Err(reason) => ClientEvent::Refused {
                request,
                peer: node,
                reason,
            },
        })
    }

    fn opened(&mut self, request: RequestId, token: Token) -> Option<ClientEvent> {
        let kept = self.keep_channel(token);
        // An answer that comes too late is kept nevertheless: the peer may have been told already, and whoever
        // asks again gets the same channel. If nobody does, it expires at the server.
        let peer = self.requests.answered(request, Some(Kind::Channel))?;
        Some(match kept {
            Ok(()) => ClientEvent::Opened {
                request,
                peer,
                token,
            },
            Err(reason) => ClientEvent::Refused {
                request,
                peer,
                reason,
            },
        })
    }

    /// Keeps a channel if it can; one without room is closed.
    fn keep_channel(&mut self, token: Token) -> Result<(), Refusal> {
        self.channels.insert(token).map_err(|why| match why {
            NotKept::NoRoom => {
                self.channels.close(token);
                self.send(ToServer::CloseChannel { token });
                Refusal::TooManyChannels
            }
            NotKept::Closed => Refusal::JustClosed,
        })
    }
}

fn verify(
    wall: Wall,
    seen: &mut SeenRecords,
    node: &NodeId,
    record: &[u8],
    signature: &Signature,
) -> Result<Signed<Record>, Refusal> {
    let record = Signed::<Record>::verify(record, signature).map_err(|_| Refusal::Invalid)?;
    if record.value().node != *node {
        return Err(Refusal::Invalid);
    }
    record
        .value()
        .check_time(wall)
        .map_err(|_| Refusal::OutOfTime)?;
    seen.accept(record.value()).map_err(|_| Refusal::WentBack)?;
    Ok(record)
}

fn refusal(reason: generated::Refusal) -> Refusal {
    match reason {
        generated::Refusal::Limit => Refusal::TooManyChannels,
        generated::Refusal::Busy => Refusal::Busy,
        // A reason of a later version: whatever it is, there is no answer here.
        generated::Refusal::Unavailable | generated::Refusal::Unspecified => Refusal::Unavailable,
    }
}

fn publish_failure(reason: generated::PublishRefusal, server_time: Wall) -> PublishFailure {
    match reason {
        generated::PublishRefusal::Clock => PublishFailure::Clock { server_time },
        generated::PublishRefusal::Full => PublishFailure::Full,
        generated::PublishRefusal::Busy => PublishFailure::Busy,
        generated::PublishRefusal::Invalid | generated::PublishRefusal::Unspecified => {
            PublishFailure::Invalid
        }
    }
}
