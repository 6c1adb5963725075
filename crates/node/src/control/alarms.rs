//! What control waits for, and whom it concerns when the time has come.

use keyway_identity::NodeId;
use keyway_wire::Time;

use super::Control;
use super::relay::RelayServer;
use crate::keys::AssociationKey;
use crate::worker::Worker;

/// What control waits for.
#[derive(Copy, Clone, Eq, PartialEq, Ord, PartialOrd, Debug)]
pub(crate) enum Alarm {
    /// The next sending of a pending INIT.
    Dial(NodeId),
    /// An association that nobody confirmed.
    HalfOpen(AssociationKey),
    /// An ended association may be forgotten.
    Forget(NodeId, AssociationKey),
    /// The next probe for a direct path.
    Punch(NodeId),
    /// Time to renew our record at this server.
    Publish(u32),
    /// A server owes us an answer.
    Server(u32),
    /// The server half's own deadline.
    Relay,
    /// A peer that asked for us through a relay has not come.
    Expected(NodeId),
    /// Sources of INITs and targets of probes may be forgotten.
    Sources,
}

impl Control {
    pub(crate) fn handle_timeout(&mut self, worker: &mut Worker, now: Time) {
        while let Some(alarm) = self.alarms.pop_due(now) {
            match alarm {
                Alarm::Dial(peer) => self.send_init(worker, now, peer),
                Alarm::HalfOpen(association) => self.drop_half_open(worker, association),
                Alarm::Forget(peer, association) => self.forget(worker, peer, association),
                Alarm::Punch(peer) => self.punch(worker, now, peer),
                Alarm::Publish(server) => self.publish(now, server),
                Alarm::Server(server) => self.server_timeout(worker, now, server),
                Alarm::Relay => self.relay_timeout(worker, now),
                Alarm::Expected(peer) => self.expect_no_more(worker, peer),
                Alarm::Sources => self.forget_sources(now),
            }
        }
    }

    pub(crate) fn poll_timeout(&self, now: Time) -> Option<Time> {
        let waiting =
            !self.outbox.is_empty() || self.relay.as_ref().is_some_and(RelayServer::has_forwards);
        if waiting {
            Some(now)
        } else {
            self.alarms.next()
        }
    }

    fn forget_sources(&mut self, now: Time) {
        self.defence.handle_timeout(now);
        self.probes.handle_timeout(now);
        self.schedule_forgetting();
    }

    pub(super) fn schedule_forgetting(&mut self) {
        let deadlines = [self.defence.poll_timeout(), self.probes.poll_timeout()];
        let next = deadlines.into_iter().flatten().min();
        self.alarms.set(Alarm::Sources, next);
    }
}
