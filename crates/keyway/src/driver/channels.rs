//! The streams and flows that the driver looks after.

use std::collections::{BTreeMap, VecDeque};
use std::sync::Arc;
use std::task::Waker;
use std::time::Duration;

use keyway_node::{AssociationKey, Node, StreamKey};
use keyway_wire::Time;

use super::attention::Attention;
use super::stalls::Stalls;
use super::turn::Turn;
use crate::codes;
use crate::error::{ConnectionError, DatagramError, WriteError};
use crate::flow::Flow;
use crate::inbox::Channel;
use crate::pipe::Pipe;

/// Streams and flows that one round serves. Each may move 256 KiB both ways: some ten microseconds.
const SERVED_PER_ROUND: usize = 64;

/// Everything that is open, and the line of what has work.
#[derive(Debug, Default)]
pub(super) struct Channels {
    /// By association, since most of what concerns more than one concerns all of an association.
    open: BTreeMap<AssociationKey, BTreeMap<StreamKey, Open>>,
    work: VecDeque<Channel>,
    attention: Attention,
}

#[derive(Debug)]
struct Open {
    channel: Channel,
    since: Time,
}

impl Channels {
    pub(super) fn insert_stream(&mut self, now: Time, pipe: Arc<Pipe>) {
        self.insert(now, pipe.key(), Channel::Stream(pipe));
    }

    pub(super) fn insert_flow(&mut self, now: Time, flow: Arc<Flow>) {
        self.insert(now, flow.key(), Channel::Datagrams(flow));
    }

    fn insert(&mut self, now: Time, key: StreamKey, channel: Channel) {
        self.attention
            .consider(now, key.association(), channel.patience());
        let streams = self.open.entry(key.association()).or_default();
        streams.insert(
            key,
            Open {
                channel,
                since: now,
            },
        );
    }

    fn remove(&mut self, key: StreamKey) -> Option<Open> {
        let streams = self.open.get_mut(&key.association())?;
        let removed = streams.remove(&key);
        if streams.is_empty() {
            self.open.remove(&key.association());
        }
        removed
    }

    /// Puts `channel`, which is marked as listed, in line.
    pub(super) fn add_work(&mut self, channel: Channel) {
        self.work.push_back(channel);
    }

    /// Serves those in line, as many as one round may. True if there were any.
    pub(super) fn serve(
        &mut self,
        now: Time,
        node: &mut Node,
        wakes: &mut Vec<Waker>,
        turn: &mut Turn,
    ) -> bool {
        let count = self.work.len().min(SERVED_PER_ROUND);
        for _ in 0..count {
            let channel = self.work.pop_front();
            if let Some(channel) = &channel {
                // The application may have changed it.
                self.attention
                    .consider(now, channel.association(), channel.patience());
            }
            match channel {
                Some(Channel::Stream(pipe)) => {
                    if pipe.serve(node, wakes) {
                        turn.on_room();
                    }
                    if pipe.is_over() {
                        self.remove(pipe.key());
                    }
                }
                Some(Channel::Datagrams(flow)) => {
                    flow.serve(node);
                    if flow.is_over() {
                        self.remove(flow.key());
                    }
                }
                None => break,
            }
        }
        count > 0
    }

    /// There is something to read from the node.
    pub(super) fn readable(&mut self, key: StreamKey) {
        match self.get(key) {
            Some(Channel::Stream(pipe)) => pipe.set_readable(),
            Some(Channel::Datagrams(flow)) => flow.set_ending(),
            None => return,
        }
        self.list(key);
    }

    /// The node takes octets again.
    pub(super) fn writable(&mut self, key: StreamKey) {
        match self.get(key) {
            Some(Channel::Stream(pipe)) => pipe.set_writable(),
            Some(Channel::Datagrams(_)) | None => return,
        }
        self.list(key);
    }

    /// A datagram arrived.
    pub(super) fn datagram(&mut self, key: StreamKey) {
        if let Some(Channel::Datagrams(flow)) = self.get(key) {
            flow.set_readable();
            self.list(key);
        }
    }

    /// The node takes datagrams of this association again, and the path's size may have changed.
    pub(super) fn datagrams_unblocked(&mut self, node: &Node, association: AssociationKey) {
        let max_size = node.max_datagram(association);
        for key in self.keys_of(association) {
            if let Some(Channel::Datagrams(flow)) = self.get(key) {
                flow.set_max_size(max_size);
                flow.set_writable();
                self.list(key);
            }
        }
    }

    /// The path of this association changed, and with it the size of datagrams.
    pub(super) fn path_changed(&self, node: &Node, association: AssociationKey) {
        let max_size = node.max_datagram(association);
        for key in self.keys_of(association) {
            if let Some(Channel::Datagrams(flow)) = self.get(key) {
                flow.set_max_size(max_size);
            }
        }
    }

    /// The peer wants no more of what is sent here.
    pub(super) fn stopped(&mut self, key: StreamKey, error: WriteError, wakes: &mut Vec<Waker>) {
        match self.get(key) {
            Some(Channel::Stream(pipe)) => pipe.stopped(error, wakes),
            Some(Channel::Datagrams(flow)) => flow.fail(&match error {
                WriteError::Refused => DatagramError::Refused,
                WriteError::Stopped { .. } | WriteError::Finished => DatagramError::Closed,
                WriteError::Lost(lost) => DatagramError::Lost(lost),
            }),
            None => return,
        }
        self.list(key);
    }

    /// An association is over, and all that belongs to it.
    pub(super) fn end(
        &mut self,
        node: &mut Node,
        association: AssociationKey,
        lost: &ConnectionError,
        wakes: &mut Vec<Waker>,
    ) {
        for open in self
            .open
            .remove(&association)
            .unwrap_or_default()
            .into_values()
        {
            match open.channel {
                Channel::Stream(pipe) => pipe.end(lost, node, wakes),
                Channel::Datagrams(flow) => flow.fail(&DatagramError::Lost(lost.clone())),
            }
        }
    }

    /// When the first stream or flow of this association loses its patience, if the association stalled at `stalled`.
    pub(super) fn patience_end(&self, association: AssociationKey, stalled: Time) -> Option<Time> {
        let streams = self.open.get(&association)?;
        streams
            .values()
            .map(|open| open.patience_end(stalled))
            .min()
    }

    /// Ends those streams and flows of a stalled association whose patience is over.
    pub(super) fn end_impatient(
        &mut self,
        node: &mut Node,
        now: Time,
        association: AssociationKey,
        stalled: Time,
        wakes: &mut Vec<Waker>,
    ) {
        let streams = self.open.get_mut(&association).into_iter();
        let impatient = streams.flat_map(|streams| {
            streams.extract_if(.., |_, open| open.patience_end(stalled) <= now)
        });
        for (key, open) in impatient {
            let lost = ConnectionError::TimedOut {
                patience: open.channel.patience(),
            };
            open.channel.lose(&lost, wakes);
            node.reset(key, codes::ABANDONED);
            node.stop(key, codes::ABANDONED);
        }
    }

    /// When to ask for a sign of life next.
    pub(super) fn next_question(&self) -> Option<Time> {
        self.attention.next()
    }

    /// Asks the peers of streams with little patience for a sign of life, if it is time to. One that owes an answer already is not
    /// asked again.
    pub(super) fn ask_for_signs_of_life(&mut self, node: &mut Node, now: Time, stalls: &Stalls) {
        while let Some(association) = self.attention.take_due(now) {
            let open = self.open.get(&association).into_iter();
            let patience = open
                .flat_map(BTreeMap::values)
                .map(|open| open.channel.patience());
            let Some(least) = patience.min() else {
                continue;
            };
            if !stalls.contains(association) {
                // The answer matters to the node alone: a peer that owes one stalls.
                node.ping(now, association);
            }
            self.attention.consider(now, association, least);
        }
    }

    /// The node closes: nobody may write any more.
    pub(super) fn refuse_writes(&mut self, wakes: &mut Vec<Waker>) {
        for open in self.open.values().flat_map(BTreeMap::values) {
            match &open.channel {
                Channel::Stream(pipe) => pipe.refuse_writes(wakes),
                Channel::Datagrams(flow) => flow.refuse_sends(),
            }
            if open.channel.list() {
                self.work.push_back(open.channel.clone());
            }
        }
    }

    /// Whether anything that was written has not been handed to the node.
    pub(super) fn hold_back(&self) -> bool {
        let mut open = self.open.values().flat_map(BTreeMap::values);
        !self.work.is_empty() || open.any(|open| open.channel.holds_back())
    }

    /// The driver is no more.
    pub(super) fn lose_all(&mut self, lost: &ConnectionError, wakes: &mut Vec<Waker>) {
        for open in std::mem::take(&mut self.open)
            .into_values()
            .flat_map(BTreeMap::into_values)
        {
            open.channel.lose(lost, wakes);
        }
        self.work.clear();
    }

    fn get(&self, key: StreamKey) -> Option<&Channel> {
        let streams = self.open.get(&key.association())?;
        streams.get(&key).map(|open| &open.channel)
    }

    fn keys_of(&self, association: AssociationKey) -> Vec<StreamKey> {
        self.open
            .get(&association)
            .into_iter()
            .flat_map(BTreeMap::keys)
            .copied()
            .collect()
    }

    fn list(&mut self, key: StreamKey) {
        if let Some(channel) = self.get(key)
            && channel.list()
        {
            self.work.push_back(channel.clone());
        }
    }
}

impl Open {
    /// When patience ends, if the association stalled at `stalled`. Nobody waited before the stream was there.
    fn patience_end(&self, stalled: Time) -> Time {
        self.since.max(stalled) + self.channel.patience()
    }
}

impl Channel {
    fn list(&self) -> bool {
        match self {
            Self::Stream(pipe) => pipe.list(),
            Self::Datagrams(flow) => flow.list(),
        }
    }

    fn association(&self) -> AssociationKey {
        match self {
            Self::Stream(pipe) => pipe.key().association(),
            Self::Datagrams(flow) => flow.key().association(),
        }
    }

    fn patience(&self) -> Duration {
        match self {
            Self::Stream(pipe) => pipe.patience(),
            Self::Datagrams(flow) => flow.patience(),
        }
    }

    fn holds_back(&self) -> bool {
        match self {
            Self::Stream(pipe) => pipe.holds_back(),
            Self::Datagrams(flow) => flow.holds_back(),
        }
    }

    fn lose(&self, lost: &ConnectionError, wakes: &mut Vec<Waker>) {
        match self {
            Self::Stream(pipe) => pipe.lose(lost, wakes),
            Self::Datagrams(flow) => flow.fail(&DatagramError::Lost(lost.clone())),
        }
    }
}
