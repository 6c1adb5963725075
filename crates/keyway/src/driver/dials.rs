//! Requests that need an association with a peer first: streams, flows, pings.

use std::collections::BTreeMap;
use std::sync::Arc;

use keyway_identity::NodeId;
use keyway_node::{AssociationKey, ConnectFailure, ConnectId, Node, PingId};
use keyway_wire::{ServiceName, StreamKind, Time};

use super::Driver;
use crate::command::{Dial, Goal, Hopeless, Ticket};
use crate::flow::{Flow, FlowEnd};
use crate::path::Pong;
use crate::pipe::{Ends, Pipe};

/// What is under way. Every entry has somebody who waits for it, with a deadline.
#[derive(Debug, Default)]
pub(super) struct Dials {
    pending: BTreeMap<Ticket, (Dial, Stage)>,
}

/// How far a request has got.
#[derive(Copy, Clone, Eq, PartialEq, Debug)]
enum Stage {
    /// There is no association.
    Connecting(ConnectId),
    /// There is one, but it stalls, or the peer grants no stream at the moment.
    Waiting(AssociationKey),
    /// The ping is on its way: it is what was asked for, or shows whether the peer is still the one that it was.
    Pinging(AssociationKey, PingId),
}

impl Dials {
    fn find(&self, stage: impl Fn(&Stage) -> bool) -> Vec<Ticket> {
        self.pending
            .iter()
            .filter(|(_, (_, at))| stage(at))
            .map(|(ticket, _)| *ticket)
            .collect()
    }

    fn take_connecting(&mut self, id: ConnectId) -> Option<Dial> {
        let ticket = *self.find(|stage| *stage == Stage::Connecting(id)).first()?;
        self.pending.remove(&ticket).map(|(dial, _)| dial)
    }

    /// Gives up everything: those who wait learn it from their reply being gone.
    pub(super) fn end(&mut self, node: &mut Node) {
        while let Some((_, (_, stage))) = self.pending.pop_first() {
            if let Stage::Connecting(id) = stage {
                node.cancel(id);
            }
        }
    }
}

impl Driver {
    pub(super) fn start_dial(&mut self, now: Time, dial: Dial) {
        let id = self.node.connect(now, dial.peer, &dial.hints);
        self.dials
            .pending
            .insert(dial.ticket, (dial, Stage::Connecting(id)));
    }

    /// Nobody waits for this any more.
    pub(super) fn give_up_dial(&mut self, ticket: Ticket) {
        if let Some((_, Stage::Connecting(id))) = self.dials.pending.remove(&ticket) {
            self.node.cancel(id);
        }
    }

    pub(super) fn connected(&mut self, now: Time, id: ConnectId, association: AssociationKey) {
        if let Some(dial) = self.dials.take_connecting(id) {
            self.proceed(now, dial, association);
        }
    }

    pub(super) fn connect_failed(&mut self, id: ConnectId, reason: ConnectFailure) {
        if let Some(dial) = self.dials.take_connecting(id) {
            dial.goal.fail(match reason {
                ConnectFailure::NoRoute => Hopeless::NoRoute,
                ConnectFailure::Myself => Hopeless::Myself,
            });
        }
    }

    /// The association moves again, or grants streams again: those who waited for that go on.
    pub(super) fn resume_dials(&mut self, now: Time, association: AssociationKey) {
        for ticket in self
            .dials
            .find(|stage| *stage == Stage::Waiting(association))
        {
            if let Some((dial, _)) = self.dials.pending.remove(&ticket) {
                self.proceed(now, dial, association);
            }
        }
    }

    /// The association is over: those who waited for it, or for an answer through it, dial again.
    pub(super) fn restart_dials(&mut self, now: Time, association: AssociationKey) {
        let concerned = |stage: &Stage| match stage {
            Stage::Waiting(of) | Stage::Pinging(of, _) => *of == association,
            Stage::Connecting(_) => false,
        };
        for ticket in self.dials.find(concerned) {
            if let Some((dial, _)) = self.dials.pending.remove(&ticket) {
                self.start_dial(now, dial);
            }
        }
    }

    pub(super) fn pong(&mut self, now: Time, association: AssociationKey, id: PingId, pong: Pong) {
        for ticket in self
            .dials
            .find(|stage| *stage == Stage::Pinging(association, id))
        {
            match self.dials.pending.remove(&ticket) {
                Some((
                    Dial {
                        goal: Goal::Ping { reply },
                        ..
                    },
                    _,
                )) => {
                    // Nobody may be waiting any more.
                    let _ = reply.send(Ok(pong));
                }
                Some((dial, _)) => self.proceed(now, dial, association),
                None => {}
            }
        }
    }

    /// There is an association: does what it is wanted for, or waits until that is possible.
    fn proceed(&mut self, now: Time, dial: Dial, association: AssociationKey) {
        if self.stalls.contains(association) {
            // Data waits there already, in vain. A stream more would only hide from its user that the peer is out of reach.
            let stage = Stage::Waiting(association);
            self.dials.pending.insert(dial.ticket, (dial, stage));
            return;
        }
        let heard = self.node.last_heard(association);
        let silence_max = self.shared.settings.silence_max;
        if heard.is_some_and(|heard| heard + silence_max < now) {
            return self.ask(now, dial, association);
        }
        match dial.goal {
            Goal::Ping { .. } => self.ask(now, dial, association),
            Goal::Stream { service, reply } => {
                match self.open_stream(now, association, dial.peer, &service) {
                    // If nobody waits any more, the ends come back and are dropped, which finishes the stream.
                    Ok(ends) => drop(reply.send(Ok(ends))),
                    Err(refused) => {
                        let goal = Goal::Stream { service, reply };
                        self.postpone(now, Dial { goal, ..dial }, association, refused);
                    }
                }
            }
            Goal::Flow { service, reply } => {
                match self.open_flow(now, association, dial.peer, &service) {
                    Ok(end) => drop(reply.send(Ok(end))),
                    Err(refused) => {
                        let goal = Goal::Flow { service, reply };
                        self.postpone(now, Dial { goal, ..dial }, association, refused);
                    }
                }
            }
        }
    }

    /// Asks the peer for an answer, and goes on when it has come.
    fn ask(&mut self, now: Time, dial: Dial, association: AssociationKey) {
        match self.node.ping(now, association) {
            Some(id) => {
                let stage = Stage::Pinging(association, id);
                self.dials.pending.insert(dial.ticket, (dial, stage));
            }
            None => self.start_dial(now, dial),
        }
    }

    fn postpone(
        &mut self,
        now: Time,
        dial: Dial,
        association: AssociationKey,
        refused: keyway_node::OpenError,
    ) {
        match refused {
            keyway_node::OpenError::LimitReached => {
                self.dials
                    .pending
                    .insert(dial.ticket, (dial, Stage::Waiting(association)));
            }
            keyway_node::OpenError::Closed => self.start_dial(now, dial),
        }
    }

    fn open_stream(
        &mut self,
        now: Time,
        association: AssociationKey,
        peer: NodeId,
        service: &ServiceName,
    ) -> Result<Ends, keyway_node::OpenError> {
        let key = self.node.open(association, StreamKind::Bytes, service)?;
        self.turn.on_opened();
        Ok(self.new_stream(now, key, peer, service.clone()))
    }

    fn open_flow(
        &mut self,
        now: Time,
        association: AssociationKey,
        peer: NodeId,
        service: &ServiceName,
    ) -> Result<FlowEnd, keyway_node::OpenError> {
        let key = self
            .node
            .open(association, StreamKind::Datagrams, service)?;
        Ok(self.new_flow(now, key, peer, service.clone()))
    }

    pub(super) fn new_stream(
        &mut self,
        now: Time,
        key: keyway_node::StreamKey,
        peer: NodeId,
        service: ServiceName,
    ) -> Ends {
        let pipe = Pipe::new(
            key,
            peer,
            service,
            Arc::clone(&self.shared.inbox),
            self.shared.settings.patience,
            self.node.memory(key.association()),
        );
        self.channels.insert_stream(now, Arc::clone(&pipe));
        Ends::new(pipe)
    }

    pub(super) fn new_flow(
        &mut self,
        now: Time,
        key: keyway_node::StreamKey,
        peer: NodeId,
        service: ServiceName,
    ) -> FlowEnd {
        let max_size = self.node.max_datagram(key.association());
        let patience = self.shared.settings.patience;
        let flow = Flow::new(
            key,
            peer,
            service,
            Arc::clone(&self.shared.inbox),
            patience,
            max_size,
            self.node.memory(key.association()),
        );
        self.channels.insert_flow(now, Arc::clone(&flow));
        FlowEnd(flow)
    }
}
