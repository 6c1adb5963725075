//! Packets that leave: from which socket, and to which address.

use std::net::SocketAddr;

use keyway_transport::{Batch, Route};
use keyway_wire::{RELAY_HEADER_LEN, RelayHeader, Time};

use super::Node;
use crate::io::{SocketId, Transmit};
use crate::keys::AssociationKey;

impl Node {
    /// Handshake packets, and packets between others.
    pub(super) fn control_transmit(&mut self, now: Time, batch: &mut Batch) -> Option<Transmit> {
        while let Some((route, packet)) = self.control.outbox.next_packet() {
            if let Some(transmit) = self.single(batch, route, &packet) {
                return Some(transmit);
            }
        }
        while let Some((route, packet)) = self.control.outbox.next_cookie() {
            if let Some(transmit) = self.single(batch, route, &packet) {
                return Some(transmit);
            }
        }
        while let Some(forward) = self.control.next_forward(now) {
            let remote = forward.to;
            let Some(socket) = self.control.sockets.towards(remote) else {
                continue;
            };
            let len = batch.load(&[&forward.bytes]);
            let segment_size = forward.segment_size;
            return Some(Transmit {
                socket,
                remote,
                local: None,
                ecn: None,
                segment_size,
                len,
                is_question: false,
            });
        }
        None
    }

    fn single(&self, batch: &mut Batch, route: Route, packet: &[u8]) -> Option<Transmit> {
        let len = load(batch, route, packet);
        let (socket, remote) = self.resolve(route)?;
        Some(Transmit {
            socket,
            remote,
            local: None,
            ecn: None,
            segment_size: len,
            len,
            is_question: false,
        })
    }

    pub(super) fn address(
        &mut self,
        key: AssociationKey,
        transmit: &keyway_transport::Transmit,
    ) -> Option<Transmit> {
        let (socket, remote) = self.resolve(transmit.route)?;
        self.last_sender = Some((key, transmit.route));
        Some(Transmit {
            socket,
            remote,
            local: transmit.local,
            ecn: transmit.ecn,
            segment_size: transmit.segment_size,
            len: transmit.len,
            is_question: transmit.is_question,
        })
    }

    /// The socket and the address for a route. A relayed one leads to where its server is reached at the moment.
    fn resolve(&self, route: Route) -> Option<(SocketId, SocketAddr)> {
        let remote = match route {
            Route::Direct { remote } => remote,
            Route::Relay { channel } => {
                self.control.server_address(&self.worker, channel.server)?
            }
        };
        Some((self.control.sockets.towards(remote)?, remote))
    }
}

/// Fills the batch with one packet for this route: a relayed one bears the relay's header.
fn load(batch: &mut Batch, route: Route, packet: &[u8]) -> usize {
    let Route::Relay { channel } = route else {
        return batch.load(&[packet]);
    };
    let mut header = [0; RELAY_HEADER_LEN];
    RelayHeader {
        token: channel.token,
    }
    .emit(&mut header);
    batch.load(&[&header, packet])
}
