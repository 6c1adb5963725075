//! What floods achieve.

use keyway_handshake::{Dial, InitPayload};
use keyway_identity::SecretKey;
use keyway_rendezvous::Rate;
use keyway_wire::{Cid, Slot};
use rand_chacha::ChaCha20Rng;
use rand_core::SeedableRng;

use super::*;
use crate::config::Config;

struct Flood {
    defence: Defence,
    limits: Limits,
    local: LocalIdentity,
    dial: Dial,
}

impl Flood {
    fn new(limits: Limits) -> Self {
        let (secret, remote) = (
            SecretKey::from_bytes([1; 32]),
            SecretKey::from_bytes([2; 32]),
        );
        let payload = InitPayload {
            initiator: secret.node_id(),
            versions: vec![1],
            epoch: 1,
            instance: 1,
            counter: 1,
            generation: 0,
            incarnation: 1,
            remembered: None,
            slot: Slot::ALL[0],
            parameters: Config::default().association.parameters(),
        };
        let dial = Dial::new(
            &LocalIdentity::new(&secret),
            &remote.node_id(),
            Cid::new([7; 7]),
            &payload,
            &mut ChaCha20Rng::from_seed([3; 32]),
        );
        Self {
            defence: Defence::new(&limits, [4; 32]),
            limits,
            local: LocalIdentity::new(&remote),
            dial: dial.unwrap(),
        }
    }

    fn judge(&mut self, now: Time, origin: Origin, init: &[u8]) -> Verdict {
        self.defence
            .judge(now, &self.limits, &self.local, &origin, init)
    }

    /// The INIT without a cookie.
    fn plain(&mut self, now: Time, origin: Origin) -> Verdict {
        let init = self.dial.packet().to_vec();
        self.judge(now, origin, &init)
    }

    /// The INIT with the cookie that `origin` gets; the node must be under load.
    fn proven(&mut self, now: Time, origin: Origin) -> [u8; 1120] {
        match self.plain(now, origin) {
            Verdict::Prove(packet) => {
                let cookie = self.dial.read_cookie(&packet).unwrap();
                self.dial.packet_with(&cookie)
            }
            other @ (Verdict::Work | Verdict::Drop) => panic!("{other:?}"),
        }
    }
}

fn at(millis: u64) -> Time {
    Time::from_micros(1_000_000 + millis * 1000)
}

fn direct(number: u32) -> Origin {
    Origin::Direct((number.to_be_bytes(), 4100).into())
}

fn relayed(seed: u8) -> Origin {
    Origin::Relayed(SecretKey::from_bytes([seed; 32]).node_id())
}

// F2, R4.29
#[test]
fn a_flood_from_invented_addresses_costs_a_bounded_number_of_handshakes() {
    let mut flood = Flood::new(Limits::default());
    let mut worked = 0;
    for number in 0..100_000_u32 {
        let now = at(0) + Duration::from_micros(u64::from(number) * 100);
        worked += usize::from(flood.plain(now, direct(number)) == Verdict::Work);
    }
    assert!((500..=600).contains(&worked), "{worked}");
    assert!(
        flood.defence.sources.poll_timeout().is_none(),
        "nobody is counted who proved nothing"
    );
}

// F2
#[test]
fn whoever_takes_a_cookie_is_served_in_the_midst_of_a_flood() {
    let mut flood = Flood::new(Limits::default());
    let mut served = 0;
    for number in 0..100_000_u32 {
        let now = at(0) + Duration::from_micros(u64::from(number) * 100);
        flood.plain(now, direct(number));
        if number % 1000 == 999 {
            let honest = direct(0xc000_0200 + number);
            let init = flood.proven(now, honest);
            served += usize::from(flood.judge(now, honest, &init) == Verdict::Work);
        }
    }
    assert!(served >= 95, "{served} of 100");
}

// F3
#[test]
fn one_address_with_cookies_gets_its_share_and_no_more() {
    let mut flood = Flood::new(Limits::default());
    let (greedy, other) = (direct(1), direct(2));
    let mut served = [0, 0];
    for number in 0..20_000_u32 {
        // 1,000 in a second for 20 s; the first second is not under load yet.
        let now = at(u64::from(number));
        let init = match flood.plain(now, greedy) {
            Verdict::Prove(_) => flood.proven(now, greedy),
            Verdict::Work | Verdict::Drop => continue,
        };
        served[0] += usize::from(flood.judge(now, greedy, &init) == Verdict::Work);
        if number % 200 == 0 {
            let init = flood.proven(now, other);
            served[1] += usize::from(flood.judge(now, other, &init) == Verdict::Work);
        }
    }
    assert!((300..=405).contains(&served[0]), "{served:?}");
    assert!(served[1] >= 90, "{served:?}");
}

// R4.30
#[test]
fn relayed_inits_count_against_the_node_that_the_relay_names_at_all_times() {
    let mut flood = Flood::new(Limits::default());
    let served = |flood: &mut Flood, seed| {
        let verdicts = (0..100).map(|_| flood.plain(at(1), relayed(seed)));
        verdicts.filter(|it| *it == Verdict::Work).count()
    };
    assert_eq!(served(&mut flood, 11), 5);
    assert_eq!(served(&mut flood, 12), 5);
    assert_eq!(
        flood.plain(at(1), direct(1)),
        Verdict::Work,
        "there is no load"
    );
}

// R4.27, R4.30
#[test]
fn a_cookie_is_bound_to_address_and_port_or_to_the_node_behind_the_relay() {
    let busy = Limits {
        handshakes: Rate::new(1, 1),
        ..Limits::default()
    };
    let mut flood = Flood::new(busy);
    flood.defence.load.raise(at(0));
    let here: SocketAddr = "192.0.2.1:4100".parse().unwrap();
    let init = flood.proven(at(1), Origin::Direct(here));
    let mapped = Origin::Direct("[::ffff:192.0.2.1]:4100".parse().unwrap());
    assert_eq!(
        flood.judge(at(1), mapped, &init),
        Verdict::Work,
        "the same address"
    );
    for other in ["192.0.2.1:4101", "192.0.2.2:4100", "[2001:db8::1]:4100"] {
        let other = Origin::Direct(other.parse().unwrap());
        assert!(matches!(
            flood.judge(at(2), other, &init),
            Verdict::Prove(_)
        ));
    }
    let init = flood.proven(at(1100), relayed(11));
    assert_eq!(flood.judge(at(2200), relayed(11), &init), Verdict::Work);
    assert!(matches!(
        flood.judge(at(2200), relayed(12), &init),
        Verdict::Prove(_)
    ));
}

// R4.27
#[test]
fn a_cookie_is_good_for_two_minutes_at_least_and_four_at_most() {
    let mut flood = Flood::new(Limits::default());
    let minute = Duration::from_secs(60);
    flood.defence.load.raise(at(0));
    // The secret is half way through its life when the cookie is given.
    flood.proven(at(0), direct(1));
    let given = at(0) + minute;
    flood.defence.load.raise(given);
    let init = flood.proven(given, direct(1));
    for (later, good) in [
        (2 * minute - Duration::from_secs(1), true),
        (4 * minute, false),
    ] {
        flood.defence.load.raise(given + later);
        let verdict = flood.judge(given + later, direct(1), &init);
        assert_eq!(verdict == Verdict::Work, good, "{later:?}: {verdict:?}");
    }
    // And nothing of it is left after a night in which nobody asked.
    let morning = given + 600 * minute;
    flood.defence.load.raise(morning);
    assert!(matches!(
        flood.judge(morning, direct(1), &init),
        Verdict::Prove(_)
    ));
}

// A1
#[test]
fn too_many_strangers_are_a_load() {
    let mut flood = Flood::new(Limits::default());
    let limits = flood.limits.clone();
    let admitted = (0..1000)
        .filter(|_| flood.defence.admits_stranger(at(1), &limits))
        .count();
    assert_eq!(admitted, 100);
    assert!(matches!(flood.plain(at(2), direct(1)), Verdict::Prove(_)));
}
