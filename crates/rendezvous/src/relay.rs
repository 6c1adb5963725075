//! Which relayed packet goes where.

use std::collections::{BTreeMap, BTreeSet, HashMap};
use std::time::Duration;

use keyway_wire::{Time, Token};
use rand_core::CryptoRng;

/// How long a channel stays that was offered and not answered: as long as a dial lasts. The end that did not open it has reason
/// to keep it for as long, since the one that did is not told before that it was closed.
pub const UNANSWERED_FOR: Duration = Duration::from_secs(30);

/// A connected client, as the node that is the server names it: one association.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct ClientId(pub u64);

/// Where a packet with a certain token goes.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Forward {
    /// Who may send with this token. A packet from an address that is not a validated path of this client must be
    /// dropped.
    pub from: ClientId,
    /// Who gets the packet, on the selected path of its association: nobody can name an address.
    pub to: ClientId,
    /// What takes the place of the token in the packet.
    pub token: Token,
}

/// The channels of a relay: pairs of tokens, one for each end.
///
/// [`route`](Self::route) is all that a packet costs: one look-up, no cryptography, no allocation.
///
/// A channel begins *unanswered*. It becomes answered when the end that did not open it sends through it, and only then
/// may it stay: strangers can open channels to a node, but not fill its places with them.
#[derive(Clone, Debug)]
pub struct RelayTable {
    limits: RelayLimits,
    /// Keyed by what came from outside, but hashed with a secret, and never iterated.
    ends: HashMap<Token, End>,
    channels: BTreeMap<Number, ChannelState>,
    by_pair: BTreeMap<(ClientId, ClientId), Number>,
    by_client: BTreeMap<ClientId, BTreeSet<Number>>,
    /// Not later than the channel really expires: packets that pass do not move it.
    deadlines: BTreeSet<(Time, Number)>,
    next: Number,
}

/// How many channels there may be, and for how long.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct RelayLimits {
    /// In all. Each takes about 500 octets.
    pub(crate) channels: usize,
    /// Of one client, opened by it or to it.
    pub(crate) channels_per_client: usize,
    /// To one client, that it has not answered. The oldest makes room for a newer one.
    pub(crate) unanswered_per_client: usize,
    /// How long a channel waits for its answer: [`UNANSWERED_FOR`], but in tests.
    pub(crate) unanswered_for: Duration,
    /// How long an answered channel stays without a packet. Paths that are in use send one every 25 s.
    pub(crate) idle_for: Duration,
}

impl Default for RelayLimits {
    fn default() -> Self {
        Self {
            channels: 65_536,
            channels_per_client: 256,
            unanswered_per_client: 64,
            unanswered_for: UNANSWERED_FOR,
            idle_for: Duration::from_secs(300),
        }
    }
}

/// Orders channels by when they were opened.
type Number = u64;

#[derive(Clone, Copy, Debug)]
struct End {
    channel: Number,
    forward: Forward,
}

#[derive(Clone, Debug)]
struct ChannelState {
    opener: (ClientId, Token),
    /// Without a token once the target has closed it unanswered: nothing reaches it, and the opener is not told.
    target: (ClientId, Option<Token>),
    answered: bool,
    used: Time,
    deadline: Time,
    octets: u64,
}

/// A channel that is open, as [`RelayTable::open`] gives it.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct OpenChannel {
    /// What the one who asked sends with.
    pub(crate) own: Token,
    /// What the other one sends with, if it is to hear of the channel: it may have closed it.
    pub(crate) other: Option<Token>,
    /// A channel that had to go, so that there was room.
    pub(crate) displaced: Option<Closed>,
}

/// One of the two, or the relay, has too many channels.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct TooManyChannels;

/// Whom to tell that a channel is gone.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct Closed {
    pub(crate) ends: [Option<(ClientId, Token)>; 2],
}

impl RelayTable {
    /// No channels yet.
    pub(crate) fn new(limits: RelayLimits) -> Self {
        Self {
            limits,
            ends: HashMap::new(),
            channels: BTreeMap::new(),
            by_pair: BTreeMap::new(),
            by_client: BTreeMap::new(),
            deadlines: BTreeSet::new(),
            next: 0,
        }
    }

    /// Where a packet with this token goes, if its token is that of an open channel.
    ///
    /// The caller still has to check that it came from [`Forward::from`]; until then it means nothing.
    pub fn route(&self, token: &Token) -> Option<Forward> {
        self.ends.get(token).map(|end| end.forward)
    }

    /// Notes that `octets` with this token, from whom it belongs to, were forwarded. Keeps the channel open.
    pub fn forwarded(&mut self, now: Time, token: &Token, octets: usize) {
        let Some(end) = self.ends.get(token) else {
            return;
        };
        let Some(channel) = self.channels.get_mut(&end.channel) else {
            return;
        };
        channel.used = channel.used.max(now);
        channel.octets = channel.octets.saturating_add(octets as u64);
        channel.answered |= end.forward.from == channel.target.0;
    }

    /// Octets that were forwarded through the channel of this token, both ways together.
    pub fn octets(&self, token: &Token) -> Option<u64> {
        let end = self.ends.get(token)?;
        self.channels
            .get(&end.channel)
            .map(|channel| channel.octets)
    }

    /// How many channels are open.
    pub fn len(&self) -> usize {
        self.channels.len()
    }

    /// Whether no channel is open.
    pub fn is_empty(&self) -> bool {
        self.channels.is_empty()
    }

    /// Opens a channel between two clients, or finds the one that is open between them, whichever of the two opened it.
    pub(crate) fn open(
        &mut self,
        now: Time,
        opener: ClientId,
        target: ClientId,
        rng: &mut dyn CryptoRng,
    ) -> Result<OpenChannel, TooManyChannels> {
        let mut displaced = None;
        if let Some(number) = self.by_pair.get(&pair(opener, target)).copied() {
            match self.renew(now, number, opener) {
                Some(open) => return Ok(open),
                None => displaced = self.remove(number),
            }
        }
        if displaced.is_none() {
            displaced = self.make_room(opener, target)?;
        }
        let tokens = [self.fresh_token(rng), self.fresh_token(rng)];
        self.insert(now, opener, target, tokens);
        Ok(OpenChannel {
            own: tokens[0],
            other: Some(tokens[1]),
            displaced,
        })
    }

    /// Closes the channel in which `token` is the one of `client`, and says whom to tell.
    ///
    /// A target that never answered is heard in silence: the opener learns nothing that it would not have learned from
    /// a node that is not there.
    pub(crate) fn close(&mut self, client: ClientId, token: &Token) -> Option<(ClientId, Token)> {
        let end = self
            .ends
            .get(token)
            .filter(|end| end.forward.from == client)
            .copied()?;
        let channel = self.channels.get_mut(&end.channel)?;
        if client == channel.target.0 && !channel.answered {
            channel.target.1 = None;
            self.ends.remove(token);
            self.ends.remove(&channel.opener.1);
            return None;
        }
        let closed = self.remove(end.channel)?;
        closed
            .ends
            .into_iter()
            .flatten()
            .find(|(id, _)| *id != client)
    }

    /// Closes all channels of a client that left, and says whom to tell.
    pub(crate) fn disconnected(&mut self, client: ClientId) -> Vec<(ClientId, Token)> {
        let numbers = self.by_client.get(&client).cloned().unwrap_or_default();
        let closed = numbers.into_iter().filter_map(|number| self.remove(number));
        closed
            .flat_map(|closed| closed.ends)
            .flatten()
            .filter(|(id, _)| *id != client)
            .collect()
    }

    /// Closes the next channel whose time is over.
    pub(crate) fn expire(&mut self, now: Time) -> Option<Closed> {
        while let Some((deadline, number)) = self.deadlines.first().copied() {
            if deadline > now {
                break;
            }
            let expiry = self
                .channels
                .get(&number)
                .map(|channel| self.expiry(channel));
            match expiry {
                Some(expiry) if expiry > now => self.set_deadline(number, expiry),
                _ => return self.remove(number),
            }
        }
        None
    }

    /// When to look for channels whose time is over.
    pub(crate) fn poll_timeout(&self) -> Option<Time> {
        self.deadlines.first().map(|(deadline, _)| *deadline)
    }

    fn expiry(&self, channel: &ChannelState) -> Time {
        if channel.answered {
            channel.used + self.limits.idle_for
        } else {
            channel.deadline
        }
    }

    fn set_deadline(&mut self, number: Number, deadline: Time) {
        if let Some(channel) = self.channels.get_mut(&number) {
            self.deadlines.remove(&(channel.deadline, number));
            channel.deadline = deadline;
            self.deadlines.insert((deadline, number));
        }
    }

    /// The channel between two, for the one that asks for it again; `None` if it asks for one that it has closed
    /// itself.
    fn renew(&mut self, now: Time, number: Number, client: ClientId) -> Option<OpenChannel> {
        let channel = self.channels.get_mut(&number)?;
        channel.used = channel.used.max(now);
        if channel.opener.0 != client {
            // Asking for a channel that was offered answers the offer.
            channel.answered = true;
            let own = channel.target.1?;
            return Some(OpenChannel {
                own,
                other: Some(channel.opener.1),
                displaced: None,
            });
        }
        let (own, other, answered) = (channel.opener.1, channel.target.1, channel.answered);
        if !answered && other.is_some() {
            self.set_deadline(number, now + self.limits.unanswered_for);
        }
        Some(OpenChannel {
            own,
            other,
            displaced: None,
        })
    }

    /// Makes room for one more channel, at the cost of the oldest unanswered one if need be.
    fn make_room(
        &mut self,
        opener: ClientId,
        target: ClientId,
    ) -> Result<Option<Closed>, TooManyChannels> {
        let places = self.limits.channels_per_client;
        let count = |client| self.by_client.get(&client).map_or(0, BTreeSet::len);
        if self.channels.len() >= self.limits.channels || count(opener) >= places {
            return Err(TooManyChannels);
        }
        let unanswered = self.unanswered(target);
        let crowded = unanswered.len() >= self.limits.unanswered_per_client;
        match unanswered.first() {
            Some(oldest) if crowded || count(target) >= places => Ok(self.remove(*oldest)),
            None if count(target) >= places => Err(TooManyChannels),
            _ => Ok(None),
        }
    }

    /// The channels to a client that it has not answered, oldest first.
    fn unanswered(&self, target: ClientId) -> Vec<Number> {
        let numbers = self.by_client.get(&target).into_iter().flatten().copied();
        let waits = |number: &Number| {
            self.channels
                .get(number)
                .is_some_and(|it| it.target.0 == target && !it.answered)
        };
        numbers.filter(waits).collect()
    }

    fn fresh_token(&self, rng: &mut dyn CryptoRng) -> Token {
        loop {
            let mut octets = [0; Token::LEN];
            rng.fill_bytes(&mut octets);
            let token = Token::new(octets);
            if !self.ends.contains_key(&token) {
                return token;
            }
        }
    }

    fn insert(&mut self, now: Time, opener: ClientId, target: ClientId, tokens: [Token; 2]) {
        let number = self.next;
        self.next += 1;
        let ends = [(opener, tokens[0]), (target, tokens[1])];
        for ((from, own), (to, token)) in [(ends[0], ends[1]), (ends[1], ends[0])] {
            let forward = Forward { from, to, token };
            self.ends.insert(
                own,
                End {
                    channel: number,
                    forward,
                },
            );
            self.by_client.entry(from).or_default().insert(number);
        }
        self.by_pair.insert(pair(opener, target), number);
        let deadline = now + self.limits.unanswered_for;
        self.deadlines.insert((deadline, number));
        let channel = ChannelState {
            opener: ends[0],
            target: (target, Some(tokens[1])),
            answered: false,
            used: now,
            deadline,
            octets: 0,
        };
        self.channels.insert(number, channel);
    }

    fn remove(&mut self, number: Number) -> Option<Closed> {
        let channel = self.channels.remove(&number)?;
        self.deadlines.remove(&(channel.deadline, number));
        self.by_pair
            .remove(&pair(channel.opener.0, channel.target.0));
        for client in [channel.opener.0, channel.target.0] {
            if let Some(numbers) = self.by_client.get_mut(&client) {
                numbers.remove(&number);
                if numbers.is_empty() {
                    self.by_client.remove(&client);
                }
            }
        }
        self.ends.remove(&channel.opener.1);
        let target = channel.target.1.map(|token| (channel.target.0, token));
        if let Some((_, token)) = target {
            self.ends.remove(&token);
        }
        Some(Closed {
            ends: [Some(channel.opener), target],
        })
    }
}

/// Two clients, whichever is named first.
fn pair(a: ClientId, b: ClientId) -> (ClientId, ClientId) {
    (a.min(b), a.max(b))
}

#[cfg(test)]
mod tests;
