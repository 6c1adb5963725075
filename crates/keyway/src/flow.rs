//! Where the application and the driver meet for one datagram flow: two bounded queues.

use std::collections::VecDeque;
use std::sync::atomic::{AtomicBool, AtomicUsize, Ordering};
use std::sync::{Arc, Mutex};
use std::time::Duration;

use bytes::Bytes;
use keyway_identity::NodeId;
use keyway_node::{DatagramBuffer, MemoryShare, Node, SendDatagramError, StreamKey};
use keyway_wire::ServiceName;
use tokio::sync::Notify;

use crate::codes;
use crate::error::DatagramError;
use crate::held::Held;
use crate::inbox::{Channel, Inbox};
use crate::lock::lock;
use crate::meaning::{self, Read};
use crate::patience::Patience;

/// Octets of datagrams, with their lengths, that wait to be sent. Chosen as four GSO batches: more would only be older.
const SEND_QUEUE_MAX: usize = 256 * 1024;
/// Octets of datagrams that wait to be received: twice as many as one round of the driver may bring.
const RECEIVE_QUEUE_MAX: usize = 1024 * 1024;
/// What each datagram counts for beside its octets, so that empty ones do not wait without bound: its place in a queue.
const OVERHEAD: usize = 64;
/// No datagram is longer.
const DATAGRAM_MAX: usize = 64 * 1024;
/// What a queue with datagrams in it keeps beside them where they share pieces of memory: the rest of two pieces.
const PIECES: usize = 2 * 64 * 1024;

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
    held: Held,
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
    datagrams: VecDeque<Bytes>,
    /// Octets of all of them, with the overhead of each.
    charged: usize,
    held: Held,
    /// Whether those that wait share pieces of memory.
    share_pieces: bool,
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
        memory: Option<Arc<MemoryShare>>,
    ) -> Arc<Self> {
        let receive = ReceiveQueue {
            datagrams: VecDeque::new(),
            charged: 0,
            held: Held::new(memory.clone()),
            share_pieces: false,
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
                held: Held::new(memory),
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
            if send.room() < OVERHEAD + size || !send.push(datagram) {
                return Ok(false);
            }
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

    /// Takes the oldest datagram that arrived, if there is one.
    pub(crate) fn try_receive(self: &Arc<Self>) -> Result<Option<Bytes>, DatagramError> {
        let mut receive = lock(&self.receive);
        let Some(datagram) = receive.datagrams.pop_front() else {
            return receive.end.clone().map_or(Ok(None), Err);
        };
        receive.charged -= OVERHEAD + datagram.len();
        receive.settle();
        let refill = receive.readable && receive.datagrams.is_empty();
        drop(receive);
        self.list_if(refill);
        Ok(Some(datagram))
    }

    /// Waits for the next datagram.
    pub(crate) async fn receive(self: &Arc<Self>) -> Result<Bytes, DatagramError> {
        loop {
            let arrived = self.arrived.notified();
            if let Some(datagram) = self.try_receive()? {
                return Ok(datagram);
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
        while !send.blocked
            && let Some(datagram) = send.waiting.front()
        {
            match node.send_datagram(self.key, datagram) {
                Ok(()) => drop(send.waiting.pop()),
                Err(SendDatagramError::TooLarge { max }) => {
                    // The path got narrower since it was queued. It is lost, as datagrams may be; the next caller is told.
                    self.set_max_size(max);
                    drop(send.waiting.pop());
                }
                Err(error) => match meaning::flow_send_error(&error) {
                    None => send.blocked = true,
                    Some(error) => send.fail(error),
                },
            }
        }
        send.settle();
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
        let mut news = false;
        while receive.readable && receive.charged < RECEIVE_QUEUE_MAX && receive.has_memory() {
            match node.recv_datagram(self.key) {
                Some(datagram) => {
                    receive.push(datagram);
                    news = true;
                }
                None => receive.readable = false,
            }
        }
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
        self.datagrams = VecDeque::new();
        self.charged = 0;
        self.settle();
    }

    /// Whether one more can be kept: one always can.
    fn has_memory(&mut self) -> bool {
        if self.datagrams.is_empty() {
            self.share_pieces = self.held.cover(PIECES + DATAGRAM_MAX);
            return true;
        }
        let shared = if self.share_pieces { PIECES } else { 0 };
        self.held.cover(self.charged + shared + DATAGRAM_MAX)
    }

    /// Keeps a datagram: as it lies there if what lies beside it is counted, else alone.
    fn push(&mut self, datagram: Bytes) {
        self.charged += OVERHEAD + datagram.len();
        self.datagrams.push_back(if self.share_pieces {
            datagram
        } else {
            Bytes::copy_from_slice(&datagram)
        });
    }

    /// Gives back memory that is left over.
    fn settle(&mut self) {
        if self.datagrams.is_empty() {
            self.held.settle(0);
        }
    }
}

impl SendQueue {
    /// How many octets may still come.
    fn room(&self) -> usize {
        SEND_QUEUE_MAX.saturating_sub(self.waiting.octets() + OVERHEAD * self.waiting.len())
    }

    /// Keeps a copy of a datagram, if there is memory for it. One may always wait, so that its sender is told when there is.
    fn push(&mut self, datagram: &[u8]) -> bool {
        let counted = self.waiting.octets() + OVERHEAD * self.waiting.len();
        let footprint = counted + OVERHEAD + datagram.len();
        if self.held.cover(footprint + PIECES) {
            self.waiting.push(datagram);
        } else if self.held.cover(footprint) || self.waiting.is_empty() {
            self.waiting.push_exactly(datagram);
        } else {
            return false;
        }
        true
    }

    /// Gives back memory that is left over.
    fn settle(&mut self) {
        if self.waiting.is_empty() {
            self.held.settle(0);
        }
    }

    fn fail(&mut self, error: DatagramError) {
        if matches!(
            self.state,
            State::Open | State::Closing | State::Refusing(_)
        ) {
            self.waiting.clear();
            self.settle();
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
