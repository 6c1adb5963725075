//! What clients ask of a server, and what they are told.

use keyway_identity::{NodeId, Signature, Signed};
use keyway_wire::Time;

use super::ServerHalf;
use crate::generated::{PublishRefusal, Refusal};
use crate::message::{ProtocolError, RequestId, ToClient, ToServer};
use crate::record::Record;
use crate::registry::RegistryError;
use crate::relay::ClientId;
use crate::wall::Wall;

impl ServerHalf {
    pub(super) fn handle_message(
        &mut self,
        now: Time,
        wall: Wall,
        client: ClientId,
        message: ToServer,
    ) -> Result<(), ProtocolError> {
        match message {
            ToServer::Publish { record, signature } => {
                self.publish(now, wall, client, &record, &signature)?;
            }
            ToServer::Lookup { request, node } => {
                let answer = if self.may_ask(now, client)? {
                    self.look_up(wall, request, &node)
                } else {
                    ToClient::Refused {
                        request,
                        reason: Refusal::Busy,
                    }
                };
                self.send(client, answer);
            }
            ToServer::Open {
                request,
                peer,
                first_packet,
            } => {
                let outcome = if self.may_ask(now, client)? {
                    self.open(now, client, request, &peer, first_packet)
                } else {
                    Err(Refusal::Busy)
                };
                if let Err(reason) = outcome {
                    self.send(client, ToClient::Refused { request, reason });
                }
            }
            ToServer::CloseChannel { token } => {
                if let Some((other, token)) = self.relay.close(client, &token) {
                    self.send(other, ToClient::ChannelClosed { token });
                }
            }
            // Costs no more than reading it did.
            ToServer::Unknown => {}
        }
        Ok(())
    }

    fn may_ask(&mut self, now: Time, client: ClientId) -> Result<bool, ProtocolError> {
        let limits = &self.limits;
        self.seats
            .get_mut(&client)
            .map_or(Ok(false), |seat| seat.may_ask(now, limits))
    }

    fn publish(
        &mut self,
        now: Time,
        wall: Wall,
        client: ClientId,
        record: &[u8],
        signature: &Signature,
    ) -> Result<(), ProtocolError> {
        let Some(seat) = self.seats.get_mut(&client) else {
            return Ok(());
        };
        let refused = |reason| ToClient::NotPublished {
            reason,
            server_time: wall,
        };
        if !seat.may_publish(now, &self.limits)? {
            self.send(client, refused(PublishRefusal::Busy));
            return Ok(());
        }
        // Whose record it is must be clear without the signature: nobody publishes for others.
        let verified = Signed::<Record>::verify(record, signature).ok();
        let Some(record) = verified.filter(|record| record.value().node == seat.node) else {
            self.send(client, refused(PublishRefusal::Invalid));
            return Ok(());
        };
        let edition = record.value().edition();
        let outcome = self.registry.insert_from(record, wall, seat.prefix);
        // Whether others may open channels does not depend on how clocks are set, nor on room for the record.
        seat.registered = !matches!(outcome, Err(RegistryError::Stale { .. }));
        let answer = match outcome {
            Ok(_) => ToClient::Published {
                epoch: edition.epoch,
                sequence: edition.sequence,
            },
            Err(RegistryError::Stale { stored }) => ToClient::Stale {
                epoch: stored.epoch,
                sequence: stored.sequence,
            },
            Err(RegistryError::OutOfTime(_)) => refused(PublishRefusal::Clock),
            Err(RegistryError::Full | RegistryError::Crowded) => refused(PublishRefusal::Full),
        };
        self.send(client, answer);
        Ok(())
    }

    fn look_up(&self, wall: Wall, request: RequestId, node: &NodeId) -> ToClient {
        match self.registry.get(node, wall) {
            Some(found) => ToClient::Found {
                request,
                record: found.bytes().to_vec(),
                signature: *found.signature(),
            },
            None => ToClient::NotFound { request },
        }
    }

    /// Opens a channel, if the peer is here and wants to be found. A peer that is not here and one that does not
    /// want to be found look alike.
    fn open(
        &mut self,
        now: Time,
        client: ClientId,
        request: RequestId,
        peer: &NodeId,
        first_packet: Vec<u8>,
    ) -> Result<(), Refusal> {
        let opener = self.seats.get(&client).ok_or(Refusal::Unavailable)?.node;
        let target = *self.by_node.get(peer).ok_or(Refusal::Unavailable)?;
        let seat = self.seats.get_mut(&target).ok_or(Refusal::Unavailable)?;
        if !seat.registered || target == client {
            return Err(Refusal::Unavailable);
        }
        if !seat.may_be_offered(now, &self.limits) {
            return Err(Refusal::Busy);
        }
        let open = self
            .relay
            .open(now, client, target, &mut self.rng)
            .map_err(|_| Refusal::Limit)?;
        let displaced = open.displaced.map(|closed| closed.ends);
        for (end, token) in displaced.into_iter().flatten().flatten() {
            self.send(end, ToClient::ChannelClosed { token });
        }
        self.send(
            client,
            ToClient::Opened {
                request,
                token: open.own,
            },
        );
        if let Some(token) = open.other {
            self.send(
                target,
                ToClient::Offered {
                    peer: opener,
                    token,
                    first_packet,
                },
            );
        }
        Ok(())
    }
}
