//! Packets that arrive: to whom each of them goes.

use keyway_transport::Route;
use keyway_wire::planted::{Fault, planted};
use keyway_wire::{Cid, DataHeader, RELAY_HEADER_LEN, RelayHeader, Time};

use super::Node;
use crate::directory::Addressee;
use crate::io::Arrival;
use crate::keys::AssociationKey;

impl Node {
    /// A packet that a relay passed on to us.
    pub(super) fn handle_relayed(
        &mut self,
        now: Time,
        arrival: Arrival,
        packet: &mut [u8],
        touched: &mut Option<AssociationKey>,
    ) {
        let Ok(header) = RelayHeader::parse(packet) else {
            return;
        };
        if let Some(channel) = self.control.channel(header.token) {
            let route = Route::Relay { channel };
            self.handle_packet(
                now,
                arrival,
                route,
                &mut packet[RELAY_HEADER_LEN..],
                touched,
            );
        }
    }

    pub(super) fn handle_packet(
        &mut self,
        now: Time,
        arrival: Arrival,
        route: Route,
        packet: &mut [u8],
        touched: &mut Option<AssociationKey>,
    ) {
        match DataHeader::parse(packet) {
            Ok(header) => self.handle_data(now, arrival, route, header.cid, packet, touched),
            Err(_) => self
                .control
                .handle_handshake(&mut self.worker, now, route, packet),
        }
    }

    fn handle_data(
        &mut self,
        now: Time,
        arrival: Arrival,
        route: Route,
        cid: Cid,
        packet: &mut [u8],
        touched: &mut Option<AssociationKey>,
    ) {
        let candidates = match self.worker.directory.find(&cid) {
            None => return,
            Some(Addressee::Association(key)) => {
                return self.deliver(now, arrival, route, key, packet, touched);
            }
            Some(Addressee::Pending(peer)) => self.control.half_open_of(&peer),
        };
        // Opening destroys the packet where the key is wrong, so each but the last gets a copy of its own.
        let Some((last, others)) = candidates.split_last() else {
            return;
        };
        for key in others {
            self.deliver(now, arrival, route, *key, &mut packet.to_vec(), touched);
        }
        self.deliver(now, arrival, route, *last, packet, touched);
    }

    fn deliver(
        &mut self,
        now: Time,
        arrival: Arrival,
        route: Route,
        key: AssociationKey,
        packet: &mut [u8],
        touched: &mut Option<AssociationKey>,
    ) {
        if *touched != Some(key) {
            self.batch_done(now, touched.take());
        }
        // What is dropped must not be felt: not even by letting an association speak that had something left to say.
        let Some(association) = self.worker.get_mut(key) else {
            return;
        };
        match association.handle_data(now, route, arrival.local, arrival.ecn, packet) {
            Ok(()) => {
                self.worker.wake(key);
                *touched = Some(key);
            }
            Err(_) if planted(Fault::CloseWithoutAuthentic) => {
                association.end(keyway_transport::EndReason::TimedOut);
            }
            Err(error) => tracing::trace!(%error, "a packet was dropped"),
        }
    }

    pub(super) fn batch_done(&mut self, now: Time, touched: Option<AssociationKey>) {
        if let Some(association) = touched.and_then(|key| self.worker.touch(key)) {
            association.batch_done(now);
        }
    }
}
