//! Handshake packets, to whom they concern; and the associations that handshakes make.

use keyway_handshake::TransportParameters;
use keyway_identity::NodeId;
use keyway_transport::{Association, Incarnations, Route};
use keyway_wire::{Cid, Packet, Time};
use rand_core::Rng;

use super::Control;
use crate::keys::AssociationKey;
use crate::worker::Worker;

impl Control {
    /// A packet whose first octet says handshake. Whatever is not authentic gets no answer and changes nothing.
    pub(crate) fn handle_handshake(
        &mut self,
        worker: &mut Worker,
        now: Time,
        route: Route,
        packet: &[u8],
    ) {
        match Packet::parse(packet) {
            Ok(Packet::Init(_)) => self.handle_init(worker, now, route, packet),
            Ok(Packet::Resp(resp)) => self.handle_resp(worker, now, route, resp.receiver, packet),
            Ok(Packet::Cookie(cookie)) => {
                self.handle_cookie(worker, now, route, cookie.receiver, packet);
            }
            Ok(Packet::Data(_) | Packet::Relay(_)) | Err(_) => {}
        }
    }

    #[expect(
        clippy::too_many_arguments,
        reason = "each names one part of the association"
    )]
    pub(super) fn insert_association(
        &mut self,
        worker: &mut Worker,
        now: Time,
        id: NodeId,
        incarnations: Incarnations,
        local_cid: Cid,
        remote_cid: Cid,
        parameters: &TransportParameters,
    ) -> AssociationKey {
        let mut seed = [0; 32];
        self.rng.fill_bytes(&mut seed);
        let association = Association::new(
            now,
            self.association_config(),
            &self.memory,
            self.id,
            id,
            incarnations,
            local_cid,
            remote_cid,
            *parameters,
            seed,
        );
        let key = worker.insert(association);
        self.owners.insert(key, id);
        key
    }
}
