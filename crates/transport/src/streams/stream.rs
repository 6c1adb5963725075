//! One stream: both halves, its announcement, and where it stands in the queues.

use keyway_wire::{ServiceName, StreamKind};

use super::datagrams::DatagramQueue;
use super::delivery::Delivery;
use super::limits::StreamLimits;
use super::receive::ReceiveStream;
use super::schedule::Standing;
use super::send::SendStream;

/// A stream that is not over. It costs some 500 octets, and memory for what is on its way.
#[derive(Debug)]
pub(super) struct Stream {
    pub(super) send: SendStream,
    pub(super) receive: ReceiveStream,
    /// What it carries; `None` until the peer's OPEN came. Before that the application does not know of the stream.
    pub(super) kind: Option<StreamKind>,
    /// Our OPEN, until the peer has it.
    pub(super) announcement: Option<Announcement>,
    /// Datagrams of the flow, from the first one on.
    pub(super) flow: Option<Box<Flow>>,
    pub(super) standing: Standing,
}

/// An OPEN that has to arrive.
#[derive(Debug)]
pub(super) struct Announcement {
    pub(super) kind: StreamKind,
    pub(super) service: ServiceName,
    pub(super) delivery: Delivery,
    /// Whether it was ever sent: nothing else of the stream goes out before.
    pub(super) sent: bool,
}

/// Datagrams of one flow.
#[derive(Debug, Default)]
pub(super) struct Flow {
    pub(super) outgoing: DatagramQueue,
    pub(super) incoming: DatagramQueue,
    /// Whether the reader was told of something that it has not come for.
    pub(super) told: bool,
}

impl Stream {
    /// A stream of ours, to be announced.
    pub(super) fn ours(
        kind: StreamKind,
        service: ServiceName,
        credit: u64,
        limits: &StreamLimits,
    ) -> Self {
        let announcement = Announcement {
            kind,
            service,
            delivery: Delivery::Due,
            sent: false,
        };
        Self {
            kind: Some(kind),
            announcement: Some(announcement),
            ..Self::theirs(credit, limits)
        }
    }

    /// A stream of the peer's, before its OPEN.
    pub(super) fn theirs(credit: u64, limits: &StreamLimits) -> Self {
        Self {
            send: SendStream::new(credit, limits),
            receive: ReceiveStream::new(limits),
            kind: None,
            announcement: None,
            flow: None,
            standing: Standing::default(),
        }
    }

    /// Whether STREAM and DATAGRAM frames may go out.
    pub(super) fn may_send(&self) -> bool {
        self.announcement
            .as_ref()
            .is_none_or(|announcement| announcement.sent)
    }

    /// Whether datagrams wait to be sent.
    pub(super) fn has_datagrams(&self) -> bool {
        self.flow
            .as_ref()
            .is_some_and(|flow| !flow.outgoing.is_empty())
    }

    /// Whether everything that was written and said has reached the peer.
    pub(super) fn is_drained(&self) -> bool {
        self.announcement.is_none() && self.send.is_drained() && !self.has_datagrams()
    }

    /// Whether the application waits for the peer to get something: not one that gave the stream up.
    pub(super) fn is_awaited(&self) -> bool {
        !self.send.is_given_up() && !self.is_drained()
    }

    /// Whether nothing is left to do, so that the stream need only be remembered as over.
    pub(super) fn is_over(&self) -> bool {
        self.announcement.is_none() && self.send.is_over() && self.receive.is_over()
    }
}
