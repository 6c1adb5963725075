//! What the application asks for.

use keyway_identity::NodeId;
use keyway_wire::Time;
use tokio::sync::oneshot;

use super::{Driver, Lookup};
use crate::codes;
use crate::command::{Command, Ticket};
use crate::error::LookupError;
use crate::path::PathInfo;
use crate::record::Record;

impl Driver {
    pub(super) fn obey(&mut self, now: Time, command: Command) {
        // While the node closes, requests are dropped, and with them the replies: whoever waits learns that there is no node.
        let running = self.phase.is_running();
        match command {
            Command::Close { reply } => self.close(now, Some(reply)),
            Command::Orphaned => self.close(now, None),
            #[cfg(test)]
            Command::Panic => panic!("expected in this test"),
            Command::GiveUp(ticket) => self.give_up(ticket),
            Command::Unlisten(service) => {
                self.node.unlisten(&service);
                self.listeners.remove(&service);
            }
            Command::Paths { peer, reply } => {
                // Nobody may be waiting any more.
                let _ = reply.send(self.paths(&peer));
            }
            Command::Listen {
                service,
                allow,
                backlog,
            } if running => {
                self.listeners.insert(service.clone(), backlog);
                self.node.listen(now, service, allow);
            }
            Command::Disconnect { peer, done } if running => self.disconnect(now, &peer, done),
            Command::Dial(dial) if running => self.start_dial(now, dial),
            Command::Lookup {
                ticket,
                peer,
                reply,
            } if running => self.look_up(now, ticket, peer, reply),
            Command::AddServer { server, addresses } if running => {
                self.servers.any = true;
                self.node.add_server(now, server, &addresses);
            }
            Command::Listen { .. }
            | Command::Dial(_)
            | Command::Disconnect { .. }
            | Command::Lookup { .. }
            | Command::AddServer { .. } => {}
        }
    }

    fn give_up(&mut self, ticket: Ticket) {
        self.give_up_dial(ticket);
        if let Some(place) = self
            .lookups
            .iter()
            .position(|lookup| lookup.ticket == ticket)
        {
            let lookup = self.lookups.swap_remove(place);
            self.node.cancel_lookup(lookup.id);
        }
    }

    fn disconnect(&mut self, now: Time, peer: &NodeId, done: oneshot::Sender<()>) {
        let ending = self.node.disconnect(now, peer, codes::NONE, "");
        if let Some(association) = ending {
            self.disconnecting.push((association, done));
        }
    }

    fn look_up(
        &mut self,
        now: Time,
        ticket: Ticket,
        peer: NodeId,
        reply: oneshot::Sender<Result<Record, LookupError>>,
    ) {
        if !self.servers.any {
            // Nobody may be waiting any more.
            let _ = reply.send(Err(LookupError::NoServer));
            return;
        }
        let id = self.node.lookup(now, peer);
        self.lookups.push(Lookup {
            ticket,
            id,
            peer,
            reply,
        });
    }

    fn paths(&self, peer: &NodeId) -> Vec<PathInfo> {
        let Some(association) = self.node.association_of(peer) else {
            return Vec::new();
        };
        self.node
            .paths(association)
            .iter()
            .map(|(kind, info)| PathInfo::new(*kind, info))
            .collect()
    }
}
