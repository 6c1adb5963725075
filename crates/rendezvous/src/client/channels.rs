//! This node's ends of its channels through one server.

use std::collections::BTreeSet;

use keyway_wire::Token;

/// Twice what a server of ours allows to a client.
const CHANNELS_MAX: usize = 512;

/// The tokens that are valid here.
#[derive(Debug, Default)]
pub(super) struct Channels(BTreeSet<Token>);

impl Channels {
    /// Adds a channel, or finds it there already; `false` when there is no room for it.
    pub(super) fn insert(&mut self, token: Token) -> bool {
        if self.0.len() >= CHANNELS_MAX && !self.0.contains(&token) {
            return false;
        }
        self.0.insert(token);
        true
    }

    /// Whether the channel was there.
    pub(super) fn remove(&mut self, token: &Token) -> bool {
        self.0.remove(token)
    }

    /// Removes all channels.
    pub(super) fn clear(&mut self) -> BTreeSet<Token> {
        std::mem::take(&mut self.0)
    }
}
