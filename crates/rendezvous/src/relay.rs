//! Which relayed packet goes where.

use std::collections::{BTreeMap, BTreeSet, HashMap};
use std::time::Duration;

use keyway_wire::{Time, Token};
use rand_core::CryptoRng;

/// A connected client, as the node that is the server names it: one association.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct ClientId(pub u64);

/// Where a packet with a certain token goes.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Forward {
    /// Who may send with this token. A packet from an address that is not a validated path of this client must be dropped.
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
/// A channel begins *unanswered*. It becomes answered when the end that did not open it sends through it, and only then may it
/// stay: strangers can open channels to a node, but not fill its places with them.
#[derive(Debug)]
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
pub struct RelayLimits {
    /// In all. Each takes about 500 octets.
    pub channels: usize,
    /// Of one client, opened by it or to it.
    pub channels_per_client: usize,
    /// To one client, that it has not answered. The oldest makes room for a newer one.
    pub unanswered_per_client: usize,
    /// How long a channel waits for its answer: as long as a dial lasts.
    pub unanswered_for: Duration,
    /// How long an answered channel stays without a packet. Paths that are in use send one every 25 s.
    pub idle_for: Duration,
}

impl Default for RelayLimits {
    fn default() -> Self {
        Self {
            channels: 65_536,
            channels_per_client: 256,
            unanswered_per_client: 64,
            unanswered_for: Duration::from_secs(30),
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

#[derive(Debug)]
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
    pub fn new(limits: RelayLimits) -> Self {
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
    /// A target that never answered is heard in silence: the opener learns nothing that it would not have learned from a
    /// node that is not there.
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

    /// The channel between two, for the one that asks for it again; `None` if it asks for one that it has closed itself.
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
mod tests {
    use proptest::prelude::*;
    use rand_chacha::ChaCha20Rng;
    use rand_core::SeedableRng;

    use super::*;

    const ALICE: ClientId = ClientId(1);
    const BOB: ClientId = ClientId(2);
    const CAROL: ClientId = ClientId(3);

    struct World {
        table: RelayTable,
        rng: ChaCha20Rng,
        now: Time,
    }

    impl World {
        fn new(limits: RelayLimits) -> Self {
            let rng = ChaCha20Rng::seed_from_u64(1);
            Self {
                table: RelayTable::new(limits),
                rng,
                now: Time::from_micros(1),
            }
        }

        fn open(
            &mut self,
            opener: ClientId,
            target: ClientId,
        ) -> Result<OpenChannel, TooManyChannels> {
            self.table.open(self.now, opener, target, &mut self.rng)
        }

        fn opened(&mut self, opener: ClientId, target: ClientId) -> (Token, Token) {
            let open = self.open(opener, target).unwrap();
            (open.own, open.other.unwrap())
        }

        fn send(&mut self, token: &Token) -> Option<Forward> {
            let forward = self.table.route(token)?;
            self.table.forwarded(self.now, token, 100);
            Some(forward)
        }

        fn pass(&mut self, seconds: u64) -> Vec<Closed> {
            self.now += Duration::from_secs(seconds);
            std::iter::from_fn(|| self.table.expire(self.now)).collect()
        }
    }

    fn world() -> World {
        World::new(RelayLimits::default())
    }

    #[test]
    fn a_packet_goes_to_the_other_end_with_the_other_token() {
        let mut world = world();
        let (a, b) = world.opened(ALICE, BOB);
        assert_ne!(a, b);
        assert_eq!(
            world.table.route(&a),
            Some(Forward {
                from: ALICE,
                to: BOB,
                token: b
            })
        );
        assert_eq!(
            world.table.route(&b),
            Some(Forward {
                from: BOB,
                to: ALICE,
                token: a
            })
        );
        world.send(&a);
        world.send(&b);
        assert_eq!(world.table.octets(&a), Some(200));
    }

    // R5
    #[test]
    fn a_token_that_nobody_was_given_leads_nowhere() {
        let mut world = world();
        world.opened(ALICE, BOB);
        assert_eq!(world.table.route(&Token::new([0; 8])), None);
        assert_eq!(world.table.octets(&Token::new([0; 8])), None);
    }

    #[test]
    fn two_clients_have_one_channel_whoever_asks() {
        let mut world = world();
        let (a, b) = world.opened(ALICE, BOB);
        assert_eq!(world.opened(ALICE, BOB), (a, b));
        assert_eq!(world.opened(BOB, ALICE), (b, a));
        assert_ne!(world.opened(ALICE, CAROL).0, a);
        assert_eq!(world.table.len(), 2);
    }

    // R5
    #[test]
    fn only_an_end_of_a_channel_can_close_it() {
        let mut world = world();
        let (a, b) = world.opened(ALICE, BOB);
        assert_eq!(world.table.close(CAROL, &a), None);
        assert_eq!(
            world.table.close(BOB, &a),
            None,
            "that is the other end's token"
        );
        assert_eq!(world.table.len(), 1);
        assert_eq!(world.table.close(ALICE, &a), Some((BOB, b)));
        assert!(world.table.is_empty());
        assert_eq!(world.table.route(&b), None);
    }

    #[test]
    fn an_answered_channel_stays_while_packets_pass() {
        let mut world = world();
        let (a, b) = world.opened(ALICE, BOB);
        world.send(&b);
        for _ in 0..20 {
            assert_eq!(world.pass(299), []);
            world.send(&a);
        }
        let closed = world.pass(300);
        assert_eq!(
            closed,
            [Closed {
                ends: [Some((ALICE, a)), Some((BOB, b))]
            }]
        );
        assert_eq!(world.table.poll_timeout(), None);
    }

    #[test]
    fn an_unanswered_channel_expires_however_much_its_opener_sends() {
        let mut world = world();
        let (a, _) = world.opened(ALICE, BOB);
        for _ in 0..29 {
            assert_eq!(world.pass(1), []);
            world.send(&a);
        }
        assert_eq!(world.pass(1).len(), 1);
        assert_eq!(world.table.route(&a), None);
    }

    #[test]
    fn asking_for_an_offered_channel_answers_the_offer() {
        let mut world = world();
        world.opened(ALICE, BOB);
        world.opened(BOB, ALICE);
        assert_eq!(world.pass(299), []);
        assert_eq!(world.pass(1).len(), 1);
    }

    // V10
    #[test]
    fn an_opener_does_not_learn_that_its_offer_was_closed() {
        let mut world = world();
        let (a, b) = world.opened(ALICE, BOB);
        assert_eq!(world.table.close(BOB, &b), None);
        assert_eq!(world.table.route(&a), None, "nothing passes");
        let again = world.open(ALICE, BOB).unwrap();
        assert_eq!(
            (again.own, again.other),
            (a, None),
            "nor is the offer repeated"
        );
        assert_eq!(world.pass(29), []);
        assert_eq!(
            world.pass(1),
            [Closed {
                ends: [Some((ALICE, a)), None]
            }]
        );
        assert!(world.open(ALICE, BOB).unwrap().other.is_some());
    }

    #[test]
    fn who_closed_an_offer_can_open_a_channel_nevertheless() {
        let mut world = world();
        let (a, b) = world.opened(ALICE, BOB);
        world.table.close(BOB, &b);
        let open = world.open(BOB, ALICE).unwrap();
        assert_eq!(
            open.displaced,
            Some(Closed {
                ends: [Some((ALICE, a)), None]
            })
        );
        assert_eq!(
            world.table.route(&open.own).map(|forward| forward.to),
            Some(ALICE)
        );
        assert_eq!(world.table.len(), 1);
    }

    #[test]
    fn a_client_that_leaves_takes_its_channels_with_it() {
        let mut world = world();
        let (_, b) = world.opened(ALICE, BOB);
        let (c, _) = world.opened(CAROL, ALICE);
        let (c2, _) = world.opened(CAROL, BOB);
        let told = world.table.disconnected(ALICE);
        assert_eq!(told, [(BOB, b), (CAROL, c)]);
        assert_eq!(world.table.len(), 1);
        assert!(world.table.route(&c2).is_some());
    }

    // V7
    #[test]
    fn strangers_displace_each_other_and_not_those_who_were_answered() {
        let limits = RelayLimits {
            channels_per_client: 4,
            unanswered_per_client: 2,
            ..Default::default()
        };
        let mut world = World::new(limits);
        let (friend, b) = world.opened(ALICE, BOB);
        world.send(&b);
        let strangers: Vec<_> = (10..20)
            .map(|id| world.opened(ClientId(id), BOB).0)
            .collect();
        let open = strangers
            .iter()
            .filter(|token| world.table.route(token).is_some());
        assert_eq!(open.count(), 2);
        assert!(world.table.route(&friend).is_some());
        assert!(world.table.route(&strangers[9]).is_some(), "the newest");
    }

    #[test]
    fn no_client_has_more_channels_than_it_may() {
        let limits = RelayLimits {
            channels_per_client: 2,
            ..Default::default()
        };
        let mut world = World::new(limits);
        world.opened(ALICE, BOB);
        world.opened(ALICE, CAROL);
        assert_eq!(world.open(ALICE, ClientId(4)), Err(TooManyChannels));
        // Others may still reach it, as long as it leaves room by not answering somebody.
        let answers: Vec<_> = (10..12)
            .map(|id| world.opened(ClientId(id), BOB).1)
            .collect();
        for token in &answers {
            world.send(token);
        }
        assert_eq!(world.open(ClientId(12), BOB), Err(TooManyChannels));
    }

    #[test]
    fn the_relay_has_no_more_channels_than_it_may() {
        let mut world = World::new(RelayLimits {
            channels: 2,
            ..Default::default()
        });
        world.opened(ALICE, BOB);
        world.opened(ALICE, CAROL);
        assert_eq!(world.open(BOB, CAROL), Err(TooManyChannels));
        assert_eq!(world.open(BOB, ALICE).map(|open| open.displaced), Ok(None));
    }

    #[derive(Clone, Debug)]
    enum Step {
        Open(u64, u64),
        Close(usize, u64),
        Send(usize),
        Leave(u64),
        Pass(u64),
    }

    fn step() -> impl Strategy<Value = Step> {
        prop_oneof![
            4 => (0u64..6, 0u64..6).prop_map(|(a, b)| Step::Open(a, b)),
            2 => (any::<usize>(), 0u64..6).prop_map(|(token, client)| Step::Close(token, client)),
            4 => any::<usize>().prop_map(Step::Send),
            1 => (0u64..6).prop_map(Step::Leave),
            2 => (0u64..200).prop_map(Step::Pass),
        ]
    }

    proptest! {
        /// All indices agree after any sequence of steps, limits hold, and in the end nothing is left.
        #[test]
        fn the_table_stays_whole(steps in proptest::collection::vec(step(), 0..80)) {
            let limits = RelayLimits {
                channels: 8,
                channels_per_client: 3,
                unanswered_per_client: 2,
                ..Default::default()
            };
            let mut world = World::new(limits);
            let mut tokens = vec![Token::new([0; 8])];
            for step in steps {
                match step {
                    Step::Open(a, b) if a != b => {
                        if let Ok(open) = world.open(ClientId(a), ClientId(b)) {
                            tokens.push(open.own);
                            tokens.extend(open.other);
                        }
                    }
                    Step::Open(..) => {}
                    Step::Close(token, client) => {
                        let token = tokens[token % tokens.len()];
                        world.table.close(ClientId(client), &token);
                    }
                    Step::Send(token) => {
                        let token = tokens[token % tokens.len()];
                        world.send(&token);
                    }
                    Step::Leave(client) => {
                        world.table.disconnected(ClientId(client));
                        prop_assert!(!world.table.by_client.contains_key(&ClientId(client)));
                    }
                    Step::Pass(seconds) => {
                        world.pass(seconds);
                    }
                }
                check(&world.table, &tokens)?;
            }
            world.pass(1000);
            prop_assert!(world.table.is_empty() && world.table.ends.is_empty());
            prop_assert!(world.table.by_pair.is_empty() && world.table.by_client.is_empty());
        }
    }

    fn check(table: &RelayTable, tokens: &[Token]) -> Result<(), TestCaseError> {
        prop_assert!(table.len() <= 8);
        prop_assert_eq!(table.deadlines.len(), table.len());
        prop_assert_eq!(table.by_pair.len(), table.len());
        let ends = table.by_client.values().map(BTreeSet::len).sum::<usize>();
        prop_assert_eq!(ends, 2 * table.len());
        for token in tokens {
            if let Some(forward) = table.route(token) {
                let back = table.route(&forward.token);
                let expected = Forward {
                    from: forward.to,
                    to: forward.from,
                    token: *token,
                };
                prop_assert_eq!(back, Some(expected), "both ends or none");
            }
        }
        Ok(())
    }
}
