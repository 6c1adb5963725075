//! The one task that owns the node, its sockets and its timer.
//!
//! It is a future that the runtime polls when a socket is ready, the timer is due, or the application wants something. Each poll
//! runs rounds while there is work; a round does a bounded amount of everything, in this order, at one reading of the clock:
//!
//! 1. take what the application asked for;
//! 2. read one socket once: up to eight batches of 64 KiB;
//! 3. let the node do what is due;
//! 4. hand out the node's events;
//! 5. move octets between the node and the buffers of streams that have work;
//! 6. wake the application, each task once;
//! 7. send what the node has to send: up to eight batches; after news of a stream the application has its turn first (`turn`).
//!
//! Where the last thing sent was a question to somebody who answers fast, it looks out for the answer for a moment before it sleeps
//! (`lookout`). After some rounds the task yields, so that others on the same thread get their turn. Nothing here allocates per packet:
//! the buffers are made once, and lists keep their capacity.

mod attention;
mod channels;
mod closing;
mod commands;
mod dials;
mod events;
mod lookout;
mod stalls;
mod timer;
mod turn;

use std::collections::{BTreeMap, BTreeSet};
use std::pin::Pin;
use std::sync::Arc;
use std::task::{Context, Poll, Waker};
use std::time::Duration;

use keyway_identity::NodeId;
use keyway_node::{AssociationKey, Batch, Config, LookupId, Node, Transmit};
use keyway_wire::{ServiceName, Time};
use tokio::sync::{oneshot, watch};
use tokio::task::JoinSet;

use crate::clock::Clock;
use crate::command::{Backlog, Command, Ticket};
use crate::error::LookupError;
use crate::inbox::Channel;
use crate::interfaces::Interfaces;
use crate::record::Record;
use crate::shared::{ServerCounts, Shared};
use crate::sockets::{SendOutcome, Sockets};
use channels::Channels;
use closing::Phase;
use dials::Dials;
use lookout::{LOOK, Lookout};
use stalls::Stalls;
use timer::Timer;
use turn::{Turn, let_others_go_first};

/// Rounds before the task yields: enough that scheduling costs nothing beside them, few enough that a round trip through the other
/// tasks of the thread stays below a few milliseconds.
const ROUNDS_PER_POLL: usize = 16;
/// Batches that one round sends: as much as it may have received, so that neither direction starves the other.
const SENDS_PER_ROUND: usize = 8;
/// Events that one round hands out.
const EVENTS_PER_ROUND: usize = 1024;
/// The next try when the node asks for a time that has passed although the last round did nothing: the socket is full, or the
/// node is wrong, which would otherwise take a whole core.
const RETRY_PAUSE: Duration = Duration::from_millis(1);

/// Drives one node until it is closed.
#[derive(Debug)]
pub(crate) struct Driver {
    clock: Clock,
    node: Node,
    sockets: Sockets,
    shared: Arc<Shared>,
    timer: Timer,
    lookout: Lookout,
    turn: Turn,
    interfaces: Interfaces,
    channels: Channels,
    dials: Dials,
    lookups: Vec<Lookup>,
    /// Associations that the application wanted to end, and who waits for that.
    disconnecting: Vec<(AssociationKey, oneshot::Sender<()>)>,
    listeners: BTreeMap<ServiceName, Backlog>,
    stalls: Stalls,
    phase: Phase,
    servers: Servers,
    batch: Batch,
    /// What is in the batch and has not been sent yet.
    outgoing: Option<Outgoing>,
    wakes: Vec<Waker>,
    commands: Vec<Command>,
    listed: Vec<Channel>,
    /// Tasks that resolve the names of servers. They end with the driver.
    _resolving: JoinSet<()>,
}

/// What became of one round.
#[derive(Copy, Clone, Eq, PartialEq, Debug)]
enum Round {
    /// There was something to do, so that another one may have work.
    Worked,
    /// What there is to send waits until the application had its turn.
    OthersFirst,
    /// There was nothing to do.
    Idle,
}

#[derive(Debug)]
struct Outgoing {
    transmit: Transmit,
    sent: usize,
}

/// A question to the servers, and who asked it.
#[derive(Debug)]
struct Lookup {
    ticket: Ticket,
    id: LookupId,
    peer: NodeId,
    reply: oneshot::Sender<Result<Record, LookupError>>,
}

/// What is known about this node's servers.
#[derive(Debug)]
struct Servers {
    any: bool,
    connected: BTreeSet<NodeId>,
    registered: BTreeSet<NodeId>,
    counts: watch::Sender<ServerCounts>,
}

impl Servers {
    fn publish(&self) {
        let counts = ServerCounts {
            connected: self.connected.len(),
            registered: self.registered.len(),
        };
        self.counts.send_if_modified(|known| {
            let changed = *known != counts;
            *known = counts;
            changed
        });
    }
}

impl Driver {
    pub(crate) fn new(
        clock: Clock,
        mut node: Node,
        config: &Config,
        sockets: Sockets,
        shared: Arc<Shared>,
        counts: watch::Sender<ServerCounts>,
        resolving: JoinSet<()>,
    ) -> Self {
        let now = clock.now();
        let interfaces = Interfaces::new(now);
        node.set_sockets(now, &sockets.bound(), interfaces.addresses());
        Self {
            clock,
            node,
            sockets,
            timer: Timer::new(),
            lookout: Lookout::new(shared.settings.spin),
            turn: Turn::default(),
            interfaces,
            channels: Channels::default(),
            dials: Dials::default(),
            lookups: Vec::new(),
            disconnecting: Vec::new(),
            listeners: BTreeMap::new(),
            stalls: Stalls::new(config.association.stall_after),
            phase: Phase::Running,
            servers: Servers {
                any: false,
                connected: BTreeSet::new(),
                registered: BTreeSet::new(),
                counts,
            },
            batch: Batch::new(),
            outgoing: None,
            wakes: Vec::new(),
            commands: Vec::new(),
            listed: Vec::new(),
            _resolving: resolving,
            shared,
        }
    }

    /// One round.
    fn round(&mut self, context: &mut Context<'_>, now: Time) -> Round {
        let mut worked = self.take_inbox(now);
        worked |= self.receive(context, now);
        self.do_what_is_due(now);
        if self.hand_out_events(now) {
            // Whoever waits for one of them is to have its turn.
            self.lookout.on_woken();
            worked = true;
        }
        worked |= self
            .channels
            .serve(now, &mut self.node, &mut self.wakes, &mut self.turn);
        for waker in self.wakes.drain(..) {
            self.lookout.on_woken();
            waker.wake();
        }
        if self.turn.is_others() {
            return Round::OthersFirst;
        }
        worked |= self.transmit(context, now);
        if worked { Round::Worked } else { Round::Idle }
    }

    fn take_inbox(&mut self, now: Time) -> bool {
        self.shared.inbox.take(&mut self.commands, &mut self.listed);
        let any = !self.commands.is_empty() || !self.listed.is_empty();
        let mut commands = std::mem::take(&mut self.commands);
        for command in commands.drain(..) {
            self.obey(now, command);
        }
        self.commands = commands;
        for channel in self.listed.drain(..) {
            self.channels.add_work(channel);
        }
        any
    }

    fn receive(&mut self, context: &mut Context<'_>, now: Time) -> bool {
        let node = &mut self.node;
        let read = self
            .sockets
            .poll_receive(context, |arrival, buffer, stride| {
                node.handle_batch(now, arrival, buffer, stride);
            });
        read.is_ready()
    }

    fn do_what_is_due(&mut self, now: Time) {
        if self.node.poll_timeout(now).is_some_and(|due| due <= now) {
            self.node.handle_timeout(now);
        }
        if now >= self.interfaces.next() {
            // The monotonic clock stands still while the machine sleeps; the other one does not.
            self.node.set_wall(now, Clock::wall());
            if self.interfaces.refresh(now) {
                tracing::debug!(addresses = ?self.interfaces.addresses(), "the addresses of this machine changed");
                self.node
                    .set_sockets(now, &self.sockets.bound(), self.interfaces.addresses());
            }
        }
        self.end_impatient_streams(now);
        self.channels
            .ask_for_signs_of_life(&mut self.node, now, &self.stalls);
        self.go_on_closing(now);
    }

    fn transmit(&mut self, context: &mut Context<'_>, now: Time) -> bool {
        let mut worked = false;
        for _ in 0..SENDS_PER_ROUND {
            let outgoing = match &mut self.outgoing {
                Some(outgoing) => outgoing,
                None => {
                    let Some(transmit) = self.node.poll_transmit(now, &mut self.batch) else {
                        break;
                    };
                    self.outgoing.insert(Outgoing { transmit, sent: 0 })
                }
            };
            let datagrams = self.batch.bytes();
            let outcome =
                self.sockets
                    .poll_send(context, &outgoing.transmit, datagrams, &mut outgoing.sent);
            let Poll::Ready(outcome) = outcome else { break };
            match outcome {
                SendOutcome::Unreachable => self.interfaces.hurry(now),
                SendOutcome::TooLarge => {
                    let size = outgoing.transmit.segment_size.min(outgoing.transmit.len);
                    self.node.datagrams_refused(now, size);
                }
                SendOutcome::Sent | SendOutcome::Lost => {}
            }
            let asks = outgoing.transmit.is_question && outcome == SendOutcome::Sent;
            self.lookout.on_sent(asks);
            self.outgoing = None;
            worked = true;
        }
        worked
    }

    /// Waits a moment for an answer without going to sleep. True if there is something to do.
    fn look_out(&mut self, deadline: Time) -> bool {
        if !self.lookout.is_worth_it() {
            return false;
        }
        let end = deadline.min(self.clock.now() + LOOK);
        let found = loop {
            let now = self.clock.now();
            let node = &mut self.node;
            let came = self.sockets.receive_now(|arrival, buffer, stride| {
                node.handle_batch(now, arrival, buffer, stride);
            });
            if came || self.shared.inbox.has_work() {
                break true;
            }
            if now >= end {
                break false;
            }
            std::hint::spin_loop();
        };
        self.lookout.on_looked(found);
        found
    }

    /// When there is something to do even if nothing comes in, after a round at `now` in which nothing happened.
    fn deadline(&self, now: Time) -> Time {
        let deadlines = [
            self.node.poll_timeout(now),
            self.stalls.next(),
            self.channels.next_question(),
            self.phase.deadline(),
        ];
        let earliest = deadlines
            .into_iter()
            .flatten()
            .fold(self.interfaces.next(), Time::min);
        if earliest <= now {
            now + RETRY_PAUSE
        } else {
            earliest
        }
    }
}

impl Future for Driver {
    type Output = ();

    fn poll(self: Pin<&mut Self>, context: &mut Context<'_>) -> Poll<()> {
        let this = self.get_mut();
        this.shared.inbox.register(context.waker());
        this.lookout.begin();
        for _ in 0..ROUNDS_PER_POLL {
            let now = this.clock.now();
            this.shared.count_round();
            let round = this.round(context, now);
            if this.phase.is_over() {
                return Poll::Ready(());
            }
            match round {
                Round::Worked => continue,
                Round::OthersFirst => {
                    let_others_go_first(context);
                    return Poll::Pending;
                }
                Round::Idle => {}
            }
            let deadline = this.deadline(now);
            if this.look_out(deadline) {
                continue;
            }
            if this.timer.poll(context, &this.clock, deadline).is_pending() {
                return Poll::Pending;
            }
        }
        context.waker().wake_by_ref();
        Poll::Pending
    }
}

impl Drop for Driver {
    /// However the driver ends: closed, with its runtime, or by a panic: nobody waits for it any longer.
    fn drop(&mut self) {
        if std::thread::panicking() {
            self.shared.set_failed();
        }
        self.shared.inbox.end();
        let lost = self.shared.why_ended();
        self.channels.lose_all(&lost, &mut self.wakes);
        for waker in self.wakes.drain(..) {
            waker.wake();
        }
    }
}
