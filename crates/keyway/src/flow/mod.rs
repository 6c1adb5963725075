//! Where the application and the driver meet for one datagram flow: two bounded queues.

mod receive;
mod send;

use std::sync::atomic::{AtomicUsize, Ordering};
use std::sync::{Arc, Mutex};
use std::time::Duration;

use keyway_identity::NodeId;
use keyway_node::{DatagramBuffer, Node, StreamKey};
use keyway_wire::ServiceName;
use tokio::sync::Notify;

use crate::error::DatagramError;
use crate::inbox::{Channel, Inbox, Listed};
use crate::lock::lock;
use crate::patience::Patience;
use receive::ReceiveQueue;
use send::SendQueue;

/// What each datagram counts for beside its octets, so that empty ones do not wait without bound: its place in a queue.
const OVERHEAD: usize = 64;

/// What datagrams count for where they wait.
fn charge_of(waiting: &DatagramBuffer) -> usize {
    waiting.octets() + OVERHEAD * waiting.len()
}

/// Whether the driver has to look at the flow.
type NeedsDriver = bool;

/// One datagram flow, as driver and application share it.
#[derive(Debug)]
pub(crate) struct Flow {
    key: StreamKey,
    peer: NodeId,
    service: ServiceName,
    inbox: Arc<Inbox>,
    listed: Listed,
    patience: Patience,
    max_size: AtomicUsize,
    send: Mutex<SendQueue>,
    receive: Mutex<ReceiveQueue>,
    /// There may be room in the send queue.
    room: Notify,
    /// There may be something in the receive queue.
    arrived: Notify,
}

impl Flow {
    pub(crate) fn new(
        key: StreamKey,
        peer: NodeId,
        service: ServiceName,
        inbox: Arc<Inbox>,
        patience: Duration,
        max_size: usize,
    ) -> Arc<Self> {
        Arc::new(Self {
            key,
            peer,
            service,
            inbox,
            listed: Listed::default(),
            patience: Patience::new(patience),
            max_size: AtomicUsize::new(max_size),
            send: Mutex::default(),
            receive: Mutex::default(),
            room: Notify::new(),
            arrived: Notify::new(),
        })
    }

    pub(crate) const fn key(&self) -> StreamKey {
        self.key
    }

    pub(crate) const fn peer(&self) -> NodeId {
        self.peer
    }

    pub(crate) const fn service(&self) -> &ServiceName {
        &self.service
    }

    pub(crate) fn patience(&self) -> Duration {
        self.patience.get()
    }

    pub(crate) fn max_size(&self) -> usize {
        self.max_size.load(Ordering::Relaxed)
    }
}

/// The application's side.
impl Flow {
    /// Queues `datagram`; `Ok(false)` where there is no room for it at the moment.
    pub(crate) fn try_send(self: &Arc<Self>, datagram: &[u8]) -> Result<bool, DatagramError> {
        let (queued, needs_driver) = lock(&self.send).push(datagram, self.max_size());
        self.list_if(needs_driver);
        queued
    }

    /// Waits until there is room for `datagram`, and queues it.
    pub(crate) async fn send(self: &Arc<Self>, datagram: &[u8]) -> Result<(), DatagramError> {
        loop {
            let room = self.room.notified();
            if self.try_send(datagram)? {
                return Ok(());
            }
            room.await;
        }
    }

    /// Takes the oldest datagram that arrived, if there is one, into `buffer`, as far as it fits; how much that is.
    fn try_receive(self: &Arc<Self>, buffer: &mut [u8]) -> Result<Option<usize>, DatagramError> {
        let (received, needs_driver) = lock(&self.receive).pop(buffer);
        self.list_if(needs_driver);
        received
    }

    /// Waits for the next datagram.
    pub(crate) async fn receive(
        self: &Arc<Self>,
        buffer: &mut [u8],
    ) -> Result<usize, DatagramError> {
        loop {
            let arrived = self.arrived.notified();
            if let Some(length) = self.try_receive(buffer)? {
                return Ok(length);
            }
            arrived.await;
        }
    }

    pub(crate) fn set_patience(self: &Arc<Self>, patience: Duration) {
        self.patience.set(patience);
        self.list_if(true);
    }

    fn list_if(self: &Arc<Self>, needs_driver: bool) {
        if needs_driver && self.list() {
            self.inbox.list(Channel::Datagrams(Arc::clone(self)));
        }
    }

    /// Marks the flow as listed; false if it was already.
    pub(crate) fn list(&self) -> bool {
        self.listed.mark()
    }
}

/// The driver's side.
impl Flow {
    pub(crate) fn set_writable(&self) {
        lock(&self.send).set_writable();
    }

    pub(crate) fn set_readable(&self) {
        lock(&self.receive).set_readable();
    }

    /// The stream that carries the flow can be read: it is over.
    pub(crate) fn set_ending(&self) {
        lock(&self.receive).set_ending();
    }

    pub(crate) fn set_max_size(&self, max_size: usize) {
        self.max_size.store(max_size, Ordering::Relaxed);
    }

    /// Moves datagrams both ways between the queues and the node: at most one queue's worth in each direction.
    pub(crate) fn serve(&self, node: &mut Node) {
        self.listed.clear();
        // The path's packet size grows without an event, soon after the path came into use.
        self.set_max_size(node.max_datagram(self.key.association()));
        if lock(&self.send).serve(node, self.key) {
            self.room.notify_waiters();
        }
        if lock(&self.receive).serve(node, self.key) {
            self.arrived.notify_waiters();
        }
    }

    /// The flow is over, for both directions. What has arrived can still be received.
    pub(crate) fn fail(&self, error: &DatagramError) {
        lock(&self.send).fail(error.clone());
        lock(&self.receive).fail(error);
        self.room.notify_waiters();
        self.arrived.notify_waiters();
    }

    /// Takes no more datagrams from the application; those it took already still go out.
    pub(crate) fn refuse_sends(&self) {
        lock(&self.send).close();
        self.room.notify_waiters();
    }

    /// True while datagrams wait to be handed to the node, or the end does.
    pub(crate) fn holds_back(&self) -> bool {
        lock(&self.send).holds_back()
    }

    /// True when the driver has nothing more to do for this flow.
    pub(crate) fn is_over(&self) -> bool {
        lock(&self.send).is_over()
    }
}

/// The application's end of a flow: dropping it closes the flow, after what was queued has been sent.
#[derive(Debug)]
pub(crate) struct FlowEnd(pub(crate) Arc<Flow>);

impl FlowEnd {
    /// Turns the peer away.
    pub(crate) fn refuse(self, code: u64) {
        self.leave(|send| send.refuse(code));
    }

    fn leave(&self, how: impl FnOnce(&mut SendQueue) -> NeedsDriver) {
        lock(&self.0.receive).forget();
        let needs_driver = how(&mut lock(&self.0.send));
        self.0.list_if(needs_driver);
    }
}

impl Drop for FlowEnd {
    fn drop(&mut self) {
        self.leave(SendQueue::close);
    }
}
