//! This node's ends of its channels through one server.

use std::collections::{BTreeSet, VecDeque};

use keyway_wire::Token;

/// Twice what a server of ours allows to a client.
const CHANNELS_MAX: usize = 512;

/// As many as may be open: more than that are not closed within a round trip.
const CLOSED_MAX: usize = CHANNELS_MAX;

/// The tokens that are valid here.
#[derive(Debug, Default)]
pub(super) struct Channels {
    open: BTreeSet<Token>,
    /// Those closed last from this end. The server may have spoken of them once more before it heard of that; it draws a new
    /// token for each channel, so none of them comes back.
    closed: VecDeque<Token>,
}

/// Why a channel is of no use here.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum NotKept {
    /// There are too many.
    NoRoom,
    /// It was closed from this end, and the server has not heard of that yet.
    Closed,
}

impl Channels {
    /// Adds a channel, or finds it there already.
    pub(super) fn insert(&mut self, token: Token) -> Result<(), NotKept> {
        if self.was_closed(&token) {
            return Err(NotKept::Closed);
        }
        if self.open.len() >= CHANNELS_MAX && !self.open.contains(&token) {
            return Err(NotKept::NoRoom);
        }
        self.open.insert(token);
        Ok(())
    }

    /// Whether a channel is open.
    pub(super) fn contains(&self, token: &Token) -> bool {
        self.open.contains(token)
    }

    /// Whether a channel was closed from this end.
    pub(super) fn was_closed(&self, token: &Token) -> bool {
        self.closed.contains(token)
    }

    /// The server closed a channel; whether it was there.
    pub(super) fn remove(&mut self, token: &Token) -> bool {
        self.open.remove(token)
    }

    /// This end closes a channel, whether it was kept or not.
    pub(super) fn close(&mut self, token: Token) {
        self.open.remove(&token);
        if self.closed.len() == CLOSED_MAX {
            self.closed.pop_front();
        }
        self.closed.push_back(token);
    }

    /// Removes all channels.
    pub(super) fn clear(&mut self) -> BTreeSet<Token> {
        self.closed.clear();
        std::mem::take(&mut self.open)
    }
}
