//! Where packets go, and whose channels stay.

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

    fn open(&mut self, opener: ClientId, target: ClientId) -> Result<OpenChannel, TooManyChannels> {
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

// R10.7, R10.8
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

// R5, R10.8
#[test]
fn a_token_that_nobody_was_given_leads_nowhere() {
    let mut world = world();
    world.opened(ALICE, BOB);
    assert_eq!(world.table.route(&Token::new([0; 8])), None);
    assert_eq!(world.table.octets(&Token::new([0; 8])), None);
}

// R10.6
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

// R10.12
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

// R10.12
#[test]
fn asking_for_an_offered_channel_answers_the_offer() {
    let mut world = world();
    world.opened(ALICE, BOB);
    world.opened(BOB, ALICE);
    assert_eq!(world.pass(299), []);
    assert_eq!(world.pass(1).len(), 1);
}

// V10, R10.12
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

// R10.10
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

// V7, R10.12
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
