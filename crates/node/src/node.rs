//! The node: control and a worker, joined by the five verbs and by what an application asks for.

mod arriving;
mod leaving;
mod streams;

use std::net::{IpAddr, SocketAddr};
use std::sync::Arc;

use keyway_identity::{NodeId, SecretKey};
use keyway_rendezvous::Wall;
use keyway_transport::{Batch, MemoryShare, PathInfo, PingId, Route};
use keyway_wire::{ServiceName, Time};

use crate::census::Census;
use crate::config::Config;
use crate::control::Control;
use crate::event::{Event, PathKind};
use crate::io::{SocketId, Transmit};
use crate::keys::{AssociationKey, ConnectId, LookupId};
use crate::policy::Allow;
use crate::worker::Worker;

/// A Keyway node without I/O. See the [crate's page](crate) for the loop that drives it.
#[derive(Debug)]
pub struct Node {
    control: Control,
    worker: Worker,
    /// Whose batch was polled last, and for which way.
    last_sender: Option<(AssociationKey, Route)>,
    /// Whether associations send next, and not control.
    associations_turn: bool,
}

impl Node {
    /// A node that owns `secret`. `seed` is where all its randomness comes from: 32 octets from the system's generator, never
    /// used twice. `wall` is needed for records only.
    #[must_use]
    pub fn new(now: Time, wall: Wall, secret: SecretKey, seed: [u8; 32], config: Config) -> Self {
        Self {
            control: Control::new(now, wall, secret, seed, config),
            worker: Worker::new(0),
            last_sender: None,
            associations_turn: false,
        }
    }

    /// This node's address for life.
    #[must_use]
    pub fn node_id(&self) -> NodeId {
        self.control.id
    }

    /// Tells which sockets are bound, each with its local address, and which addresses this machine has. To be called again
    /// whenever one of them changes.
    pub fn set_sockets(&mut self, now: Time, bound: &[(SocketId, SocketAddr)], hosts: &[IpAddr]) {
        self.control
            .set_sockets(&mut self.worker, now, bound, hosts);
        self.settle(now);
    }

    /// Tells the wall-clock time, after it was set or the machine slept.
    pub fn set_wall(&mut self, now: Time, wall: Wall) {
        self.control.set_wall(now, wall);
    }

    /// Adds a rendezvous server, or more addresses of a known one. The node stays connected to it.
    pub fn add_server(&mut self, now: Time, server: NodeId, addresses: &[SocketAddr]) {
        self.control
            .add_server(&mut self.worker, now, server, addresses);
        self.settle(now);
    }

    /// Serves `service` to those whom `allow` names. Replaces what was said of it before.
    pub fn listen(&mut self, now: Time, service: ServiceName, allow: Allow) {
        self.control.policy.listen(service, allow);
        self.control.publish_everywhere(&mut self.worker, now);
        self.settle(now);
    }

    /// Stops serving `service`. Streams that are open go on.
    pub fn unlisten(&mut self, service: &ServiceName) {
        self.control.policy.unlisten(service);
    }

    // ---- the five verbs ----

    /// Does what is due. A no-op when nothing is.
    pub fn handle_timeout(&mut self, now: Time) {
        self.worker.handle_timeout(now);
        self.control.handle_timeout(&mut self.worker, now);
        self.settle(now);
    }

    /// The next datagrams to send; their octets are `batch.bytes()`. To be called until it returns `None`, after every other
    /// call that takes `&mut self`.
    pub fn poll_transmit(&mut self, now: Time, batch: &mut Batch) -> Option<Transmit> {
        self.last_sender = None;
        if let Some(transmit) = self.next_transmit(now, batch) {
            return Some(transmit);
        }
        self.settle(now);
        if self.poll_timeout(now).is_none_or(|deadline| deadline > now) {
            return None;
        }
        // Settling may have given an association something to say; what is merely due waits for `handle_timeout`.
        self.next_transmit(now, batch)
    }

    /// The system did not take what was polled last, because its datagrams of `size` octets are larger than the interface
    /// allows. They are lost; smaller ones follow.
    pub fn datagrams_refused(&mut self, now: Time, size: usize) {
        if let Some((key, route)) = self.last_sender.take()
            && let Some(association) = self.worker.touch(key)
        {
            association.packets_refused(now, &route, size);
        }
    }

    /// What happened. To be called until it returns `None`.
    pub fn poll_event(&mut self) -> Option<Event> {
        self.control.poll_event()
    }

    /// When to call [`handle_timeout`](Self::handle_timeout), at the latest; not later than `now` while something waits to be
    /// sent. To be asked last: the other polls may move it.
    #[must_use]
    pub fn poll_timeout(&self, now: Time) -> Option<Time> {
        let deadlines = [
            self.worker.poll_timeout(now),
            self.control.poll_timeout(now),
        ];
        deadlines.into_iter().flatten().min()
    }

    /// Lets control hear what the associations have to say, until all are silent.
    fn settle(&mut self, now: Time) {
        while let Some((key, event)) = self.worker.poll_event() {
            self.control
                .handle_association_event(&mut self.worker, now, key, event);
        }
        self.control.flush_servers(&mut self.worker, now);
        while let Some((key, event)) = self.worker.poll_event() {
            self.control
                .handle_association_event(&mut self.worker, now, key, event);
        }
    }

    // ---- what an application asks for ----

    /// Makes sure that there is an association with `peer`: dials it at the given addresses and through the servers, for as
    /// long as nobody calls [`cancel`](Self::cancel). Ends in [`Event::Connected`] or [`Event::ConnectFailed`].
    pub fn connect(&mut self, now: Time, peer: NodeId, hints: &[SocketAddr]) -> ConnectId {
        let id = self.control.connect(&mut self.worker, now, peer, hints);
        self.settle(now);
        id
    }

    /// Gives up one [`connect`](Self::connect). No event follows.
    pub fn cancel(&mut self, id: ConnectId) {
        self.control.cancel(&mut self.worker, id);
    }

    /// The association with `peer`, where there is one.
    #[must_use]
    pub fn association_of(&self, peer: &NodeId) -> Option<AssociationKey> {
        self.control.association_of(peer)
    }

    /// Asks the servers for the record of `peer`. Ends in [`Event::Record`] or [`Event::RecordNotFound`], as soon as a server
    /// answers; the deadline is the caller's.
    pub fn lookup(&mut self, now: Time, peer: NodeId) -> LookupId {
        let id = self.control.lookup(&mut self.worker, now, peer);
        self.settle(now);
        id
    }

    /// Gives up one [`lookup`](Self::lookup).
    pub fn cancel_lookup(&mut self, id: LookupId) {
        self.control.cancel_lookup(id);
    }

    /// Measures one round trip. Ends in [`Event::Pong`]; lost packets are sent again. `None` where the association is gone.
    pub fn ping(&mut self, now: Time, association: AssociationKey) -> Option<PingId> {
        Some(self.worker.touch(association)?.ping(now))
    }

    /// When an association last heard of its peer. `None` where it is gone.
    #[must_use]
    pub fn last_heard(&self, association: AssociationKey) -> Option<Time> {
        Some(self.worker.get(association)?.last_heard())
    }

    /// The paths of an association, with how each of them reaches the peer.
    pub fn paths(&self, association: AssociationKey) -> Vec<(PathKind, PathInfo)> {
        let Some(known) = self.worker.get(association) else {
            return Vec::new();
        };
        known
            .paths()
            .filter_map(|path| Some((self.control.path_kind(&self.worker, path.route)?, path)))
            .collect()
    }

    /// What an association has of this node's memory: whoever keeps octets of its streams beside the node counts them there.
    #[must_use]
    pub fn memory(&self, association: AssociationKey) -> Option<Arc<MemoryShare>> {
        Some(Arc::clone(self.worker.get(association)?.memory()))
    }

    /// How much this node holds at the moment.
    #[must_use]
    pub fn census(&self) -> Census {
        let mut census = Census::default();
        self.worker.count(&mut census);
        self.control.count(&mut census);
        census
    }

    /// Ends the association with a peer, if there is one; [`Event::Ended`] tells when the peer has heard of it, or had its time to.
    /// Unsent data is lost: finish and await [`Event::Delivered`] first. Either side may connect again; a server of ours is dialled again.
    pub fn disconnect(
        &mut self,
        now: Time,
        peer: &NodeId,
        code: u64,
        reason: &str,
    ) -> Option<AssociationKey> {
        let control = &mut self.control;
        let ending = control.disconnect(&mut self.worker, now, peer, code, reason);
        self.settle(now);
        ending
    }

    /// Ends all associations. Unsent data is lost: finish and await [`Event::Delivered`] first.
    pub fn close(&mut self, now: Time, code: u64, reason: &str) {
        self.control.close(&mut self.worker, now, code, reason);
        self.settle(now);
    }

    /// True while no peer owes an acknowledgement for anything that was written, streams' ends included.
    #[must_use]
    pub fn is_drained(&self) -> bool {
        self.control.is_drained(&self.worker)
    }

    /// True once every association has ended after [`close`](Self::close).
    #[must_use]
    pub fn is_closed(&self) -> bool {
        self.control.is_closed()
    }
}
