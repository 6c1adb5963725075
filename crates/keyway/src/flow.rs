//! Where the application and the driver meet for one datagram flow: two bounded queues.

use std::sync::atomic::{AtomicBool, AtomicUsize, Ordering};
use std::sync::{Arc, Mutex};
use std::time::Duration;

use keyway_identity::NodeId;
use keyway_node::{DatagramBuffer, Node, SendDatagramError, StreamKey};
use keyway_wire::ServiceName;
use tokio::sync::Notify;

use crate::codes;
use crate::error::DatagramError;
use crate::inbox::{Channel, Inbox};
use crate::lock::lock;
use crate::meaning::{self, Read};
use crate::patience::Patience;

/// Octets of datagrams, with their lengths, that wait to be sent. Chosen as four GSO batches: more would only be older.
const SEND_QUEUE_MAX: usize = 256 * 1024;
/// While no more octets than these wait to be received, all that the node has are taken from it.
const RECEIVE_QUEUE_MAX: usize = 1024 * 1024;
/// What each datagram counts for beside its octets, so that empty ones do not wait without bound: its place in a queue.
const OVERHEAD: usize = 64;

/// One datagram flow, as driver and application share it.
#[derive(Debug)]
pub(crate) struct Flow {
    key: StreamKey,
    peer: NodeId,
    service: ServiceName,
    inbox: Arc<Inbox>,
    listed: AtomicBool,
    patience: Patience,
    max_size: AtomicUsize,
    send: Mutex<SendQueue>,
    receive: Mutex<ReceiveQueue>,
    /// There may be room in the send queue.
    room: Notify,
    /// There may be something in the receive queue.
    arrived: Notify,
}

#[derive(Debug)]
struct SendQueue {
    waiting: DatagramBuffer,
    /// The node's own queue is full; an event will tell.
    blocked: bool,
    state: State,
}

#[derive(Debug)]
enum State {
    Open,
    /// The application is gone, and the node does not know yet.
    Closing,
    /// The peer is turned away with this code, and the node does not know yet.
    Refusing(u64),
    Over,
    Failed(DatagramError),
}

#[derive(Debug)]
struct ReceiveQueue {
    waiting: DatagramBuffer,
    /// The node may have more than was taken from it.
    readable: bool,
    /// The node may know that the flow has ended.
    ending: bool,
    end: Option<DatagramError>,
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
        let receive = ReceiveQueue {
            waiting: DatagramBuffer::default(),
            readable: false,
            ending: false,
            end: None,
        };
        Arc::new(Self {
            key,
            peer,
            service,
            inbox,
            listed: AtomicBool::new(false),
            patience: Patience::new(patience),
            max_size: AtomicUsize::new(max_size),
            send: Mutex::new(SendQueue {
                waiting: DatagramBuffer::default(),
                blocked: false,
                state: State::Open,
            }),
            receive: Mutex::new(receive),
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
        let needs_driver = {
            let mut send = lock(&self.send);
            match &send.state {
                State::Open => {}
                State::Closing | State::Refusing(_) | State::Over => {
                    return Err(DatagramError::Closed);
                }
                State::Failed(error) => return Err(error.clone()),
            }
            let (size, max) = (datagram.len(), self.max_size());
            if size > max {
                return Err(DatagramError::TooLarge { size, max });
            }
            if SEND_QUEUE_MAX < charge_of(&send.waiting) + OVERHEAD + size {
                return Ok(false);
            }
            send.waiting.push(datagram);
            !send.blocked
        };
        self.list_if(needs_driver);
        Ok(true)
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
        let mut receive = lock(&self.receive);
        let Some(datagram) = receive.waiting.front() else {
            return receive.end.clone().map_or(Ok(None), Err);
        };
        let length = datagram.len().min(buffer.len());
        buffer[..length].copy_from_slice(&datagram[..length]);
        receive.waiting.discard();
        let refill = receive.readable && receive.waiting.is_empty();
        drop(receive);
        self.list_if(refill);
        Ok(Some(length))
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

    fn leave(self: &Arc<Self>, how: State) {
        lock(&self.receive).forget();
        let needs_driver = {
            let mut send = lock(&self.send);
            let open = matches!(send.state, State::Open);
            if open {
                send.state = how;
            }
            open
        };
        self.list_if(needs_driver);
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
        !self.listed.swap(true, Ordering::AcqRel)
    }
}

/// The driver's side.
impl Flow {
    pub(crate) fn set_writable(&self) {
        lock(&self.send).blocked = false;
    }

    pub(crate) fn set_readable(&self) {
        lock(&self.receive).readable = true;
    }

    /// The stream that carries the flow can be read: it is over.
    pub(crate) fn set_ending(&self) {
        lock(&self.receive).ending = true;
    }

    pub(crate) fn set_max_size(&self, max_size: usize) {
        self.max_size.store(max_size, Ordering::Relaxed);
    }

    /// Moves datagrams both ways between the queues and the node: at most one queue's worth in each direction.
    pub(crate) fn serve(&self, node: &mut Node) {
        self.listed.store(false, Ordering::Release);
        // The path's packet size grows without an event, soon after the path came into use.
        self.set_max_size(node.max_datagram(self.key.association()));
        if self.serve_send(node) {
            self.room.notify_waiters();
        }
        if self.serve_receive(node) {
            self.arrived.notify_waiters();
        }
    }

    /// True where there is room, or an error, that somebody may wait for.
    fn serve_send(&self, node: &mut Node) -> bool {
        let mut send = lock(&self.send);
        let before = send.waiting.len();
        if !send.blocked && !send.waiting.is_empty() {
            match node.send_datagrams(self.key, &mut send.waiting) {
                Ok(()) => {}
                // The peer takes none any longer. They are lost, as datagrams may be; the next caller is told.
                Err(SendDatagramError::TooLarge { .. }) => send.waiting.clear(),
                Err(error) => match meaning::flow_send_error(&error) {
                    None => send.blocked = true,
                    Some(error) => send.fail(error),
                },
            }
        }
        match send.state {
            State::Closing if send.waiting.is_empty() => {
                send.state = State::Over;
                node.finish(self.key);
                node.stop(self.key, codes::NONE);
            }
            State::Refusing(code) => {
                send.state = State::Over;
                node.reset(self.key, code);
                node.stop(self.key, code);
            }
            State::Open | State::Closing | State::Over | State::Failed(_) => {}
        }
        send.waiting.len() < before || matches!(send.state, State::Failed(_))
    }

    /// True where there is a datagram, or an error, that somebody may wait for.
    fn serve_receive(&self, node: &mut Node) -> bool {
        let mut receive = lock(&self.receive);
        let before = receive.waiting.len();
        if receive.readable && charge_of(&receive.waiting) < RECEIVE_QUEUE_MAX {
            node.recv_datagrams(self.key, &mut receive.waiting);
            receive.readable = false;
        }
        let mut news = receive.waiting.len() > before;
        // Nothing ever comes in the stream itself but its end.
        if receive.ending && receive.end.is_none() {
            receive.ending = false;
            receive.end = match meaning::read(node.read_chunk(self.key, 1)) {
                Read::Later | Read::Octets(_) => None,
                Read::End => Some(DatagramError::Closed),
                Read::Failed(error) => Some(meaning::flow_error(error)),
            };
            news |= receive.end.is_some();
        }
        news
    }

    /// The flow is over, for both directions. What has arrived can still be received.
    pub(crate) fn fail(&self, error: &DatagramError) {
        lock(&self.send).fail(error.clone());
        lock(&self.receive).end.get_or_insert_with(|| error.clone());
        self.room.notify_waiters();
        self.arrived.notify_waiters();
    }

    /// Takes no more datagrams from the application; those it took already still go out.
    pub(crate) fn refuse_sends(&self) {
        {
            let mut send = lock(&self.send);
            if matches!(send.state, State::Open) {
                send.state = State::Closing;
            }
        }
        self.room.notify_waiters();
    }

    /// True while datagrams wait to be handed to the node, or the end does.
    pub(crate) fn holds_back(&self) -> bool {
        let send = lock(&self.send);
        match send.state {
            State::Closing | State::Refusing(_) => true,
            State::Open => !send.waiting.is_empty(),
            State::Over | State::Failed(_) => false,
        }
    }

    /// True when the driver has nothing more to do for this flow.
    pub(crate) fn is_over(&self) -> bool {
        matches!(lock(&self.send).state, State::Over | State::Failed(_))
    }
}

impl ReceiveQueue {
    fn forget(&mut self) {
        self.waiting.clear();
    }
}

/// What datagrams count for where they wait.
fn charge_of(waiting: &DatagramBuffer) -> usize {
    waiting.octets() + OVERHEAD * waiting.len()
}

impl SendQueue {
    fn fail(&mut self, error: DatagramError) {
        if matches!(
            self.state,
            State::Open | State::Closing | State::Refusing(_)
        ) {
            self.waiting.clear();
            self.state = State::Failed(error);
        }
    }
}

/// The application's end of a flow: dropping it closes the flow, after what was queued has been sent.
#[derive(Debug)]
pub(crate) struct FlowEnd(pub(crate) Arc<Flow>);

impl FlowEnd {
    /// Turns the peer away.
    pub(crate) fn refuse(self, code: u64) {
        self.0.leave(State::Refusing(code));
    }
}

impl Drop for FlowEnd {
    fn drop(&mut self) {
        self.0.leave(State::Closing);
    }
}
