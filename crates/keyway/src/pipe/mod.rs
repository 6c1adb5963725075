//! Where the application and the driver meet for one stream: two bounded buffers and their wakers.
//!
//! The application never touches protocol state, and the driver never waits for the application. Each direction has a lock of
//! its own, held for one copy. Backpressure goes through: the peer's window closes when the receive buffer here is full and
//! nobody reads; writing waits when the send buffer here is full because the window of the peer is closed.

mod receive;
mod send;

use std::io::IoSlice;
use std::sync::{Arc, Mutex};
use std::task::{Context, Poll, Waker};
use std::time::Duration;

use bytes::Bytes;
use keyway_identity::NodeId;
use keyway_node::{Node, StreamKey};
use keyway_wire::ServiceName;
use tokio::io::ReadBuf;

use crate::codes;
use crate::error::{ConnectionError, ReadError, WriteError};
use crate::inbox::{Channel, Inbox, Listed};
use crate::lock::lock;
use crate::patience::Patience;
use receive::ReceiveSide;
use send::SendSide;

/// Octets that wait in one direction of one stream, at most.
///
/// Chosen because it holds a few rounds of the driver (64 KiB each) and stays within the second-level cache of one core. The
/// transport has its own, larger buffers behind it: those that flow control and retransmission need.
const BUFFER_MAX: usize = 256 * 1024;

/// One stream, as application and driver share it.
#[derive(Debug)]
pub(crate) struct Pipe {
    key: StreamKey,
    peer: NodeId,
    service: ServiceName,
    inbox: Arc<Inbox>,
    listed: Listed,
    patience: Patience,
    send: Mutex<SendSide>,
    receive: Mutex<ReceiveSide>,
}

impl Pipe {
    pub(crate) fn new(
        key: StreamKey,
        peer: NodeId,
        service: ServiceName,
        inbox: Arc<Inbox>,
        patience: Duration,
    ) -> Arc<Self> {
        Arc::new(Self {
            key,
            peer,
            service,
            inbox,
            listed: Listed::default(),
            patience: Patience::new(patience),
            send: Mutex::new(SendSide::new(BUFFER_MAX)),
            receive: Mutex::new(ReceiveSide::new(BUFFER_MAX)),
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
}

/// The application's side. What needs the driver puts the pipe on its list.
impl Pipe {
    pub(crate) fn set_patience(self: &Arc<Self>, patience: Duration) {
        self.patience.set(patience);
        self.list_if(true);
    }

    pub(crate) fn poll_write(
        self: &Arc<Self>,
        context: &mut Context<'_>,
        data: &[u8],
    ) -> Poll<Result<usize, WriteError>> {
        let (written, needs_driver) = lock(&self.send).poll_write(context, data);
        self.list_if(needs_driver);
        written
    }

    pub(crate) fn poll_write_vectored(
        self: &Arc<Self>,
        context: &mut Context<'_>,
        slices: &[IoSlice<'_>],
    ) -> Poll<Result<usize, WriteError>> {
        let (written, needs_driver) = lock(&self.send).poll_write_vectored(context, slices);
        self.list_if(needs_driver);
        written
    }

    pub(crate) fn poll_write_chunk(
        self: &Arc<Self>,
        context: &mut Context<'_>,
        chunk: &mut Bytes,
    ) -> Poll<Result<(), WriteError>> {
        let (written, needs_driver) = lock(&self.send).poll_write_chunk(context, chunk);
        self.list_if(needs_driver);
        written
    }

    /// What was written is all: the peer reads it, then the end. Saying so twice is fine.
    ///
    /// # Errors
    /// Where it is known that not all of it will reach the peer. A peer that stopped reading has chosen so: no error.
    pub(crate) fn finish(self: &Arc<Self>) -> Result<(), WriteError> {
        let (finished, needs_driver) = lock(&self.send).finish();
        self.list_if(needs_driver);
        finished
    }

    /// Gives up sending: what the peer has not read yet is lost.
    pub(crate) fn reset(self: &Arc<Self>, code: u64) {
        let needs_driver = lock(&self.send).reset(code);
        self.list_if(needs_driver);
    }

    pub(crate) fn poll_read(
        self: &Arc<Self>,
        context: &mut Context<'_>,
        out: &mut ReadBuf<'_>,
    ) -> Poll<Result<(), ReadError>> {
        let (read, needs_driver) = lock(&self.receive).poll_read(context, out);
        self.list_if(needs_driver);
        read
    }

    pub(crate) fn poll_read_chunk(
        self: &Arc<Self>,
        context: &mut Context<'_>,
        max: usize,
    ) -> Poll<Result<Option<Bytes>, ReadError>> {
        let (read, needs_driver) = lock(&self.receive).poll_read_chunk(context, max);
        self.list_if(needs_driver);
        read
    }

    /// Nothing more will be read: asks the peer to stop sending. Does nothing after the end of the stream.
    pub(crate) fn stop(self: &Arc<Self>, code: u64) {
        let needs_driver = lock(&self.receive).stop(code);
        self.list_if(needs_driver);
    }

    fn list_if(self: &Arc<Self>, needs_driver: bool) {
        if needs_driver && self.list() {
            self.inbox.list(Channel::Stream(Arc::clone(self)));
        }
    }

    /// Marks the pipe as listed; false if it was already.
    pub(crate) fn list(&self) -> bool {
        self.listed.mark()
    }
}

/// The driver's side. Wakers are collected rather than woken: once a round, and outside of all locks.
impl Pipe {
    /// The node takes more octets.
    pub(crate) fn set_writable(&self) {
        lock(&self.send).set_writable();
    }

    /// The node has octets, or the end, to read.
    pub(crate) fn set_readable(&self) {
        lock(&self.receive).set_readable();
    }

    /// The peer stopped reading.
    pub(crate) fn stopped(&self, error: WriteError, wakes: &mut Vec<Waker>) {
        lock(&self.send).fail(error, wakes);
    }

    /// Moves octets both ways between the buffers and the node: at most one buffer's worth in each direction.
    /// True if there is room again for a writer that waited for it.
    pub(crate) fn serve(&self, node: &mut Node, wakes: &mut Vec<Waker>) -> bool {
        self.listed.clear();
        let writer_goes_on = lock(&self.send).serve(node, self.key, wakes);
        lock(&self.receive).serve(node, self.key, wakes);
        writer_goes_on
    }

    /// The association is over. What has arrived stays readable.
    pub(crate) fn end(&self, lost: &ConnectionError, node: &mut Node, wakes: &mut Vec<Waker>) {
        lock(&self.send).fail(WriteError::Lost(lost.clone()), wakes);
        lock(&self.receive).end(ReadError::Lost(lost.clone()), node, self.key, wakes);
    }

    /// The stream is lost, both ways, and the node is out of reach or has been told. What is in the buffer stays readable.
    pub(crate) fn lose(&self, lost: &ConnectionError, wakes: &mut Vec<Waker>) {
        lock(&self.send).fail(WriteError::Lost(lost.clone()), wakes);
        lock(&self.receive).fail(ReadError::Lost(lost.clone()), wakes);
    }

    /// Takes no more octets from the application; those it took already still go out, without an end after them.
    pub(crate) fn refuse_writes(&self, wakes: &mut Vec<Waker>) {
        lock(&self.send).refuse(wakes);
    }

    /// True while octets, or the end, wait to be handed to the node.
    pub(crate) fn holds_back(&self) -> bool {
        lock(&self.send).holds_back()
    }

    /// True when the driver has nothing more to do for this stream in either direction.
    pub(crate) fn is_over(&self) -> bool {
        lock(&self.send).is_over() && lock(&self.receive).is_over()
    }
}

/// The sending end: the one owner of the right to write. Dropping it finishes the stream in the background; while the thread
/// panics it resets the stream instead, so that half a message does not look like a whole one.
#[derive(Debug)]
pub(crate) struct SendEnd(pub(crate) Arc<Pipe>);

impl Drop for SendEnd {
    fn drop(&mut self) {
        if std::thread::panicking() {
            self.0.reset(codes::ABANDONED)
        } else {
            drop(self.0.finish())
        }
    }
}

/// The receiving end: the one owner of the right to read. Dropping it tells the peer to stop sending.
#[derive(Debug)]
pub(crate) struct ReceiveEnd(pub(crate) Arc<Pipe>);

impl Drop for ReceiveEnd {
    fn drop(&mut self) {
        self.0.stop(codes::NONE);
    }
}

/// Both ends of a new stream.
#[derive(Debug)]
pub(crate) struct Ends {
    pub(crate) send: SendEnd,
    pub(crate) receive: ReceiveEnd,
}

impl Ends {
    pub(crate) fn new(pipe: Arc<Pipe>) -> Self {
        Self {
            send: SendEnd(Arc::clone(&pipe)),
            receive: ReceiveEnd(pipe),
        }
    }

    /// Turns the peer away, in both directions.
    pub(crate) fn refuse(self, code: u64) {
        self.send.0.reset(code);
        self.receive.0.stop(code);
    }
}
