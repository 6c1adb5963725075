//! Look-ups: each asks every server, and the first record is the answer.

use std::collections::BTreeSet;

use keyway_identity::NodeId;
use keyway_rendezvous::{Record, RequestId};
use keyway_wire::Time;

use super::Control;
use crate::event::Event;
use crate::keys::LookupId;
use crate::worker::Worker;

/// One look-up, asked of every server.
#[derive(Debug)]
pub(crate) struct Lookup {
    node: NodeId,
    asked: BTreeSet<(u32, RequestId)>,
    pending: BTreeSet<u32>,
}

impl Control {
    pub(crate) fn lookup(&mut self, worker: &mut Worker, now: Time, node: NodeId) -> LookupId {
        let id = LookupId(self.fresh_id());
        let pending = (0..self.servers.len()).filter_map(|index| u32::try_from(index).ok());
        let lookup = Lookup {
            node,
            asked: BTreeSet::new(),
            pending: pending.collect(),
        };
        self.lookups.insert(id, lookup);
        for index in 0..self.servers.len() {
            self.ask_pending_lookups(now, u32::try_from(index).unwrap_or(u32::MAX));
        }
        self.flush_servers(worker, now);
        id
    }

    pub(crate) fn cancel_lookup(&mut self, id: LookupId) {
        self.lookups.remove(&id);
    }

    pub(super) fn ask_pending_lookups(&mut self, now: Time, index: u32) {
        let Some(server) = self.servers.get_mut(index as usize) else {
            return;
        };
        if server.stream.is_none() {
            return;
        }
        for lookup in self.lookups.values_mut() {
            let asked = lookup.asked.iter().any(|(at, _)| *at == index);
            if lookup.pending.contains(&index) && !asked {
                lookup
                    .asked
                    .insert((index, server.client.lookup(now, lookup.node)));
            }
        }
    }

    pub(super) fn record_arrived(&mut self, index: u32, request: RequestId, record: Record) {
        if let Some(id) = self.lookup_of(index, request) {
            self.lookups.remove(&id);
            self.events.push_back(Event::Record {
                id,
                record: Box::new(record),
            });
        }
    }

    pub(super) fn record_missing(&mut self, index: u32, request: RequestId) {
        let Some(id) = self.lookup_of(index, request) else {
            return;
        };
        let Some(lookup) = self.lookups.get_mut(&id) else {
            return;
        };
        lookup.pending.remove(&index);
        if lookup.pending.is_empty() {
            self.lookups.remove(&id);
            self.events.push_back(Event::RecordNotFound { id });
        }
    }

    fn lookup_of(&self, index: u32, request: RequestId) -> Option<LookupId> {
        let asked = |lookup: &Lookup| lookup.asked.contains(&(index, request));
        self.lookups
            .iter()
            .find(|(_, lookup)| asked(lookup))
            .map(|(id, _)| *id)
    }
}
