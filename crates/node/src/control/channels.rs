//! Relay channels at servers: asked for, offered, kept, and gone.

use keyway_identity::NodeId;
use keyway_rendezvous::UNANSWERED_FOR;
use keyway_transport::{Channel, Route};
use keyway_wire::{Time, Token};

use super::Control;
use super::alarms::Alarm;
use crate::worker::Worker;

impl Control {
    /// Asks every connected server for a channel to a peer that is being dialled, with the INIT inside the request.
    pub(super) fn ask_for_channels(&mut self, now: Time, id: NodeId) {
        let Some(peer) = self.peers.get_mut(&id) else {
            return;
        };
        if peer.server.is_some() {
            return;
        }
        let Some(dialing) = peer.dial.as_mut() else {
            return;
        };
        for (index, server) in self.servers.iter_mut().enumerate() {
            let index = u32::try_from(index).unwrap_or(u32::MAX);
            let has_channel = peer.channels.iter().any(|channel| channel.server == index);
            if server.stream.is_some() && !has_channel && dialing.asked.insert(index) {
                server.client.open(now, id, dialing.dial.packet());
            }
        }
    }

    /// A server came back: dials that wait go through it, and so do associations that had a channel there.
    pub(super) fn renew_channels(&mut self, worker: &mut Worker, now: Time, index: u32) {
        self.hurry_dials(worker, now);
        let Some(server) = self.servers.get_mut(index as usize) else {
            return;
        };
        for (id, peer) in &self.peers {
            if peer.relayed_through.contains(&index) && peer.association.is_some() {
                server.client.open(now, *id, &[]);
            }
        }
    }

    pub(super) fn channel_opened(
        &mut self,
        worker: &mut Worker,
        now: Time,
        server: u32,
        id: NodeId,
        token: Token,
    ) {
        if self
            .peers
            .get(&id)
            .is_some_and(|peer| peer.is_wanted() || peer.association.is_some())
        {
            self.keep_channel(worker, now, id, Channel { server, token });
        } else {
            self.decline_channel(server, token);
        }
    }

    /// Nobody here has a use for a channel that the server speaks of. Where it spoke of it before (it offers a channel, and gives
    /// the same to whoever asks for one), what it was kept for then decides when it goes.
    fn decline_channel(&mut self, server: u32, token: Token) {
        if self.channels.contains_key(&token) {
            return;
        }
        if let Some(server) = self.servers.get_mut(server as usize) {
            server.client.close_channel(token);
        }
    }

    /// The server opened none. The peer may register yet: the next sending of the INIT asks again.
    pub(super) fn channel_refused(&mut self, server: u32, id: NodeId) {
        if let Some(dialing) = self.peers.get_mut(&id).and_then(|it| it.dial.as_mut()) {
            dialing.asked.remove(&server);
        }
    }

    /// A peer asks for us through a relay. Only whom policy admits gets a channel; anybody else meets silence.
    pub(super) fn channel_offered(
        &mut self,
        worker: &mut Worker,
        now: Time,
        server: u32,
        id: NodeId,
        token: Token,
        first_packet: &[u8],
    ) {
        let known = self.peers.get(&id);
        let welcome = self.policy.welcomes(&id)
            || known.is_some_and(|peer| peer.association.is_some() || peer.is_wanted());
        if !welcome || id == self.id {
            return self.decline_channel(server, token);
        }
        let channel = Channel { server, token };
        self.keep_channel(worker, now, id, channel);
        self.expect(now, id);
        if !first_packet.is_empty() {
            self.handle_handshake(worker, now, Route::Relay { channel }, first_packet);
        }
        self.tidy(worker, id);
    }

    /// The channel to a peer that has nothing else here stays open until an INIT has come through it, for as long as the server
    /// keeps it too: the peer goes on sending through it for that long, not being told if it is closed here.
    fn expect(&mut self, now: Time, id: NodeId) {
        self.peer(id).expected = true;
        let until = now + UNANSWERED_FOR;
        self.alarms.set(Alarm::Expected(id), Some(until));
    }

    pub(super) fn expect_no_more(&mut self, worker: &mut Worker, id: NodeId) {
        if let Some(peer) = self.peers.get_mut(&id) {
            peer.expected = false;
        }
        self.tidy(worker, id);
    }

    fn keep_channel(&mut self, worker: &mut Worker, now: Time, id: NodeId, channel: Channel) {
        let peer = self.peer(id);
        peer.relayed_through.insert(channel.server);
        let replaced = peer.set_channel(channel);
        let association = peer.association;
        if let Some(replaced) = replaced {
            self.channels.remove(&replaced.token);
            if let Some(association) = association.and_then(|key| worker.touch(key)) {
                association.remove_route(now, Route::Relay { channel: replaced });
            }
        }
        self.channels.insert(channel.token, (channel, id));
        if let Some(association) = association.and_then(|key| worker.touch(key)) {
            association.add_route(now, Route::Relay { channel });
        }
    }

    pub(super) fn channel_closed(&mut self, worker: &mut Worker, now: Time, token: Token) {
        let Some((channel, id)) = self.channels.remove(&token) else {
            return;
        };
        let Some(peer) = self.peers.get_mut(&id) else {
            return;
        };
        peer.channels.retain(|known| *known != channel);
        // A dial that asked for it asks for another one when its INIT goes out again.
        if let Some(dialing) = peer.dial.as_mut() {
            dialing.asked.remove(&channel.server);
        }
        peer.expected &= !peer.channels.is_empty();
        if let Some(association) = peer.association.and_then(|key| worker.touch(key)) {
            association.remove_route(now, Route::Relay { channel });
        }
        self.tidy(worker, id);
    }

    /// The channel that a relayed packet came through.
    pub(crate) fn channel(&self, token: Token) -> Option<Channel> {
        self.channels.get(&token).map(|(channel, _)| *channel)
    }
}
