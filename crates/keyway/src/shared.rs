//! What the handles of one node share with each other and with the driver.

use std::collections::BTreeSet;
use std::net::SocketAddr;
use std::sync::atomic::{AtomicBool, AtomicU64, Ordering};
use std::sync::{Arc, Mutex};
use std::time::Duration;

use keyway_identity::NodeId;
use keyway_wire::ServiceName;
use tokio::sync::watch;

use crate::command::{Command, Ticket};
use crate::error::ConnectionError;
use crate::inbox::Inbox;

/// Durations that the application chose.
#[derive(Copy, Clone, Debug)]
pub(crate) struct Settings {
    /// How long a peer may take to answer at all.
    pub(crate) connect_timeout: Duration,
    /// How long a stream waits while nothing that was sent arrives.
    pub(crate) patience: Duration,
    /// How long a node that closes waits for acknowledgements.
    pub(crate) linger: Duration,
    /// An association that has heard nothing for longer than this may be with a process that is no more: its peer is asked before a
    /// stream is opened, which would end with it.
    pub(crate) silence_max: Duration,
    /// Whether to look out for answers for a moment before going to sleep.
    pub(crate) spin: bool,
}

/// How many servers this node is connected to, and how many of them list it.
#[derive(Copy, Clone, Default, Debug, PartialEq, Eq)]
pub(crate) struct ServerCounts {
    pub(crate) connected: usize,
    pub(crate) registered: usize,
}

#[derive(Debug)]
pub(crate) struct Shared {
    pub(crate) inbox: Arc<Inbox>,
    pub(crate) node_id: NodeId,
    pub(crate) local: Vec<SocketAddr>,
    pub(crate) settings: Settings,
    /// The services that somebody listens on.
    pub(crate) services: Mutex<BTreeSet<ServiceName>>,
    pub(crate) servers: watch::Receiver<ServerCounts>,
    /// The driver panicked.
    failed: AtomicBool,
    /// The driver came to its end in order, rather than with its runtime.
    closed: AtomicBool,
    tickets: AtomicU64,
    /// How often the driver has run: what shows that an idle node sleeps.
    rounds: AtomicU64,
}

impl Shared {
    pub(crate) fn new(
        node_id: NodeId,
        local: Vec<SocketAddr>,
        settings: Settings,
        servers: watch::Receiver<ServerCounts>,
    ) -> Arc<Self> {
        Arc::new(Self {
            inbox: Arc::new(Inbox::default()),
            node_id,
            local,
            settings,
            services: Mutex::default(),
            servers,
            failed: AtomicBool::new(false),
            closed: AtomicBool::new(false),
            tickets: AtomicU64::new(0),
            rounds: AtomicU64::new(0),
        })
    }

    pub(crate) fn ticket(&self) -> Ticket {
        Ticket(self.tickets.fetch_add(1, Ordering::Relaxed))
    }

    pub(crate) fn count_round(&self) {
        self.rounds.fetch_add(1, Ordering::Relaxed);
    }

    #[cfg(test)]
    pub(crate) fn rounds(&self) -> u64 {
        self.rounds.load(Ordering::Relaxed)
    }

    /// To be called before the inbox ends, so that everybody who notices the end finds its reason.
    pub(crate) fn set_failed(&self) {
        self.failed.store(true, Ordering::Release);
    }

    /// The same.
    pub(crate) fn set_closed(&self) {
        self.closed.store(true, Ordering::Release);
    }

    pub(crate) fn is_closed(&self) -> bool {
        self.closed.load(Ordering::Acquire)
    }

    /// Why there is no driver any more.
    pub(crate) fn why_ended(&self) -> ConnectionError {
        if self.failed.load(Ordering::Acquire) {
            ConnectionError::NodeFailed
        } else {
            ConnectionError::NodeClosed
        }
    }

    pub(crate) fn send(&self, command: Command) -> Result<(), ConnectionError> {
        self.inbox.send(command).map_err(|_| self.why_ended())
    }
}

/// One claim to the node: node handles, listeners, streams and sockets hold it together. When the last one goes, the driver
/// delivers what was written and ends.
#[derive(Debug)]
pub(crate) struct Claim {
    pub(crate) shared: Arc<Shared>,
}

impl Drop for Claim {
    fn drop(&mut self) {
        // An ended driver has nothing to end.
        let _ = self.shared.send(Command::Orphaned);
    }
}
