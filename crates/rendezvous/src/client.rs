//! The client's half of the protocol.

mod answers;
mod channels;
mod event;
mod requests;

use std::collections::VecDeque;

use keyway_identity::{NodeId, Signed};
use keyway_wire::{Time, Token};

use self::channels::Channels;
pub use self::event::{ClientEvent, PublishFailure, Refusal};
pub use self::requests::REQUEST_TIMEOUT;
use self::requests::{Kind, Requests};
use crate::framing::{MessageReader, append};
use crate::message::{FIRST_PACKET_LEN_MAX, ProtocolError, RequestId, ToClient, ToServer};
use crate::record::Record;
use crate::seen::SeenRecords;
use crate::wall::Wall;

/// What a node asks of one server, and what the server tells it.
///
/// The caller opens the stream and tells when it is there ([`connected`](Self::connected)) and gone
/// ([`disconnected`](Self::disconnected)); after each call it drains [`poll_output`](Self::poll_output) and
/// [`poll_event`](Self::poll_event) and asks [`poll_timeout`](Self::poll_timeout).
///
/// The server is not believed: a record counts only with its owner's signature, for the node that was asked for, in its
/// time, and not older than one that was seen. It can delay and withhold, and that is noticed after
/// [`REQUEST_TIMEOUT`].
///
/// Memory is bounded by the requests and channels that there may be; events and output grow with what one call is
/// given.
#[derive(Debug, Default)]
pub struct ClientHalf {
    connected: bool,
    reader: MessageReader,
    output: Vec<u8>,
    requests: Requests,
    channels: Channels,
    /// Records that were published, and that the server has not spoken of.
    publishing: u64,
    events: VecDeque<ClientEvent>,
}

impl ClientHalf {
    /// Not connected.
    pub fn new() -> Self {
        Self::default()
    }

    /// The stream to the server is open, and the server knows nothing of earlier ones: what was published and what was
    /// asked for must be again.
    pub fn connected(&mut self) {
        self.disconnected();
        self.connected = true;
    }

    /// The stream is gone, and all channels with it. Requests without an answer are refused.
    pub fn disconnected(&mut self) {
        self.connected = false;
        self.publishing = 0;
        self.reader = MessageReader::default();
        self.output.clear();
        for token in self.channels.clear() {
            self.events.push_back(ClientEvent::ChannelClosed { token });
        }
        for (request, peer) in self.requests.clear() {
            self.refuse(request, peer, Refusal::Disconnected);
        }
    }

    /// Publishes a record of this node. Without a stream, nothing happens: the record belongs after
    /// [`connected`](Self::connected), and again before it expires.
    ///
    /// The answer is one of [`ClientEvent::Published`], [`ClientEvent::Stale`] and [`ClientEvent::NotPublished`], and there is one
    /// at most: what a server says of a record that nobody published is not heard.
    pub fn publish(&mut self, record: &Signed<Record>) {
        if self.connected {
            let (bytes, signature) = (record.bytes().to_vec(), *record.signature());
            self.publishing += 1;
            self.send(ToServer::Publish {
                record: bytes,
                signature,
            });
        }
    }

    /// Asks for the record of a node. The answer is one of [`ClientEvent::Record`], [`ClientEvent::NotFound`] and
    /// [`ClientEvent::Refused`].
    pub fn lookup(&mut self, now: Time, node: NodeId) -> RequestId {
        let request = self.ask(now, Kind::Record, node);
        if let Some(request) = request.sent {
            self.send(ToServer::Lookup { request, node });
        }
        request.id
    }

    /// Asks for a channel to a node; `first_packet` (an INIT, or nothing) is handed to it together with the offer. The
    /// answer is one of [`ClientEvent::Opened`] and [`ClientEvent::Refused`].
    ///
    /// # Panics
    ///
    /// If the packet is longer than [`FIRST_PACKET_LEN_MAX`].
    pub fn open(&mut self, now: Time, peer: NodeId, first_packet: &[u8]) -> RequestId {
        assert!(
            first_packet.len() <= FIRST_PACKET_LEN_MAX,
            "no INIT is as long as this packet"
        );
        let request = self.ask(now, Kind::Channel, peer);
        if let Some(request) = request.sent {
            self.send(ToServer::Open {
                request,
                peer,
                first_packet: first_packet.to_vec(),
            });
        }
        request.id
    }

    /// Closes a channel. No event follows.
    pub fn close_channel(&mut self, token: Token) {
        if self.channels.contains(&token) {
            self.channels.close(token);
            self.send(ToServer::CloseChannel { token });
        }
    }

    /// The server sent these octets.
    ///
    /// # Errors
    ///
    /// [`ProtocolError`]: close the association; the server is broken.
    pub fn handle_bytes(
        &mut self,
        wall: Wall,
        seen: &mut SeenRecords,
        bytes: &[u8],
    ) -> Result<(), ProtocolError> {
        self.reader.push(bytes);
        while let Some(message) = self.reader.next()? {
            self.handle_message(wall, seen, ToClient::parse(message)?);
        }
        Ok(())
    }

    /// Octets to write to the stream, all of them and in order; `None` when there are none for now.
    pub fn poll_output(&mut self) -> Option<Vec<u8>> {
        let output = std::mem::take(&mut self.output);
        (!output.is_empty()).then_some(output)
    }

    /// What happened; `None` when there is no more. To be drained after each other call.
    pub fn poll_event(&mut self) -> Option<ClientEvent> {
        loop {
            let event = self.events.pop_front()?;
            // The caller may have closed the channel since this was said of it.
            if let ClientEvent::Offered { token, .. } = &event
                && self.channels.was_closed(token)
            {
                continue;
            }
            if let ClientEvent::Opened {
                request,
                peer,
                token,
            } = event
                && self.channels.was_closed(&token)
            {
                let reason = Refusal::JustClosed;
                return Some(ClientEvent::Refused {
                    request,
                    peer,
                    reason,
                });
            }
            return Some(event);
        }
    }

    /// Gives up requests that the server does not answer.
    pub fn handle_timeout(&mut self, now: Time) {
        for (request, peer) in self.requests.expire(now) {
            self.refuse(request, peer, Refusal::TimedOut);
        }
    }

    /// When to call [`handle_timeout`](Self::handle_timeout).
    pub fn poll_timeout(&self) -> Option<Time> {
        self.requests.poll_timeout()
    }

    fn ask(&mut self, now: Time, kind: Kind, peer: NodeId) -> Asked {
        let id = self.requests.fresh_id();
        if !self.connected {
            self.refuse(id, peer, Refusal::Disconnected);
        } else if self.requests.add(now, id, kind, peer).is_err() {
            self.refuse(id, peer, Refusal::TooManyRequests);
        } else {
            return Asked { id, sent: Some(id) };
        }
        Asked { id, sent: None }
    }

    fn refuse(&mut self, request: RequestId, peer: NodeId, reason: Refusal) {
        self.events.push_back(ClientEvent::Refused {
            request,
            peer,
            reason,
        });
    }

    fn send(&mut self, message: ToServer) {
        append(&message.into_wire(), &mut self.output);
    }
}

/// A request, and whether it is one for the server.
struct Asked {
    id: RequestId,
    sent: Option<RequestId>,
}

#[cfg(test)]
mod tests;
