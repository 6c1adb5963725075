//! Scenarios from chance: first which faults there are at all, then how bad each of them is. A world in which everything goes
//! wrong at once hides what goes wrong when one thing does (Groce et al., Swarm Testing, 2012).

use std::collections::BTreeSet;

use super::source::{Octets, Source};
use super::{Faults, HostPlan, NatPlan, Op, Scenario, Settings, Step};
use crate::nat::NatKind;
use crate::random::Random;

/// The most steps of a scenario.
const STEPS_MAX: u64 = 18;

/// How long everything goes wrong, at least and at most.
const SAFETY_MS: (u64, u64) = (3_000, 30_000);

/// Seeds are written as TOML's integers, which have a sign.
const SEED_BOUND: u64 = 1 << 62;

/// Which kinds of things happen in a scenario.
#[derive(Clone, Copy)]
struct Swarm {
    flows: bool,
    giving_up: bool,
    stalls: bool,
    restarts: bool,
    suspensions: bool,
    walls: bool,
    rebinds: bool,
    cuts: bool,
    lookups: bool,
    attacks: bool,
}

impl Scenario {
    /// The scenario of a seed. Another version of the generator gives another one: what is worth keeping is kept as text.
    #[must_use]
    pub fn from_seed(seed: u64) -> Self {
        let mut random = Random::new(seed ^ 0x7363_656e_6172_696f);
        let seed = random.below(SEED_BOUND);
        draw(seed, &mut random)
    }

    /// The scenario that octets stand for. Any octets stand for one.
    #[must_use]
    pub fn from_bytes(octets: &[u8]) -> Self {
        let mut octets = Octets(octets);
        let seed = octets.below(0x100);
        draw(seed, &mut octets)
    }
}

fn draw(seed: u64, source: &mut impl Source) -> Scenario {
    let hosts = draw_hosts(source);
    let faults = draw_faults(source);
    let settings = draw_settings(source);
    let safety_ms = source.between(SAFETY_MS.0, SAFETY_MS.1);
    let swarm = draw_swarm(source);
    let mut steps: Vec<Step> = (0..source.between(2, STEPS_MAX))
        .map(|_| Step {
            at_ms: source.below(safety_ms),
            op: draw_op(source, swarm, &hosts),
        })
        .collect();
    steps.sort_by_key(|step| step.at_ms);
    let nats = draw_nats(source, &hosts);
    Scenario {
        seed,
        safety_ms,
        settings,
        faults,
        hosts,
        nats,
        steps,
    }
}

/// Every other NAT is one of the kinds that have names, every third of them not quite as its name says.
fn draw_nats(source: &mut impl Source, hosts: &[HostPlan]) -> Vec<NatPlan> {
    let numbers: BTreeSet<u8> = hosts.iter().filter_map(|host| host.nat).collect();
    let mut nats = Vec::new();
    for number in numbers {
        if source.below(2) == 0 {
            continue;
        }
        let mut nat = NatPlan::new(number, source.pick(&NatKind::ALL[1..]));
        if source.once_in(3) {
            nat.lifetime_ms = source.pick(&[None, Some(30_000)]);
            nat.hairpins = source.pick(&[None, Some(true)]);
            nat.refresh_inbound = source.pick(&[None, Some(true)]);
            nat.capacity = source.pick(&[None, None, Some(64)]);
        }
        nats.push(nat);
    }
    nats
}

/// One to three servers, then two to five nodes, of which most let each other in.
fn draw_hosts(source: &mut impl Source) -> Vec<HostPlan> {
    let servers = source.pick(&[1, 1, 1, 2, 2, 3]);
    let nodes = source.pick(&[2, 2, 2, 3, 3, 4, 5]);
    let server = HostPlan {
        server: true,
        ..HostPlan::default()
    };
    let mut hosts = vec![server; servers];
    for own in servers..servers + nodes {
        let nat = source.once_in(2).then(|| source.pick(&[0_u8, 0, 1, 2]));
        let others = (servers..servers + nodes).filter(|other| *other != own);
        let allows = others.filter(|_| !source.once_in(6)).collect();
        hosts.push(HostPlan {
            server: false,
            nat,
            allows,
        });
    }
    hosts
}

fn draw_faults(source: &mut impl Source) -> Faults {
    let mut faults = Faults {
        delay_ms: source.pick(&[1, 5, 10, 25, 60, 150]),
        ..Faults::default()
    };
    let mut some = |most: u64| {
        let rate = if source.once_in(2) {
            source.between(1, most)
        } else {
            0
        };
        u32::try_from(rate).unwrap_or(0)
    };
    faults.jitter_ms = u64::from(some(20));
    faults.loss = some(30);
    faults.bursts = some(1) > 0;
    faults.reorder = some(10);
    faults.duplicate = some(10);
    faults.corrupt = some(10);
    if source.once_in(4) {
        faults.rate = source.pick(&[32_000, 125_000, 1_000_000]);
    }
    faults.mtu = source.pick(&[1452, 1452, 1400, 1280]);
    faults
}

fn draw_settings(source: &mut impl Source) -> Settings {
    Settings {
        rekey_ms: source
            .once_in(3)
            .then(|| source.pick(&[1_000, 3_000, 8_000])),
        packets_per_phase: source.once_in(3).then(|| source.pick(&[20, 100])),
        window: source.once_in(3).then(|| source.pick(&[4_096, 32_768])),
        refresh_ms: source.once_in(2).then(|| source.pick(&[1_000, 4_000])),
    }
}

fn draw_swarm(source: &mut impl Source) -> Swarm {
    let mut on = || source.once_in(2);
    Swarm {
        flows: on(),
        giving_up: on(),
        stalls: on(),
        restarts: on(),
        suspensions: on(),
        walls: on(),
        rebinds: on(),
        cuts: on(),
        lookups: on(),
        attacks: on(),
    }
}

fn draw_op(source: &mut impl Source, swarm: Swarm, hosts: &[HostPlan]) -> Op {
    let kinds: Vec<Kind> = KINDS
        .iter()
        .filter(|(_, _, is_on)| is_on(swarm))
        .flat_map(|(kind, weight, _)| std::iter::repeat_n(*kind, *weight))
        .collect();
    let kind = source.pick(&kinds);
    kind.draw(source, hosts)
}

#[derive(Clone, Copy)]
enum Kind {
    Call,
    Flow,
    GiveUp,
    StopReading,
    Close,
    Crash,
    Suspend,
    Wall,
    Rebind,
    Cut,
    Lookup,
    Replay,
    Forge,
    Overtake,
}

/// Whether a kind of step is in a swarm.
type IsOn = fn(Swarm) -> bool;

/// Each kind of step, how often it comes beside the others, and in which swarms.
const KINDS: [(Kind, usize, IsOn); 14] = [
    (Kind::Call, 8, |_| true),
    (Kind::Flow, 2, |swarm| swarm.flows),
    (Kind::GiveUp, 2, |swarm| swarm.giving_up),
    (Kind::StopReading, 2, |swarm| swarm.stalls),
    (Kind::Close, 1, |swarm| swarm.restarts),
    (Kind::Crash, 2, |swarm| swarm.restarts),
    (Kind::Suspend, 2, |swarm| swarm.suspensions),
    (Kind::Wall, 1, |swarm| swarm.walls),
    (Kind::Rebind, 3, |swarm| swarm.rebinds),
    (Kind::Cut, 3, |swarm| swarm.cuts),
    (Kind::Lookup, 5, |swarm| swarm.lookups),
    (Kind::Replay, 3, |swarm| swarm.attacks),
    (Kind::Forge, 3, |swarm| swarm.attacks),
    (Kind::Overtake, 2, |swarm| swarm.attacks),
];

impl Kind {
    fn draw(self, source: &mut impl Source, hosts: &[HostPlan]) -> Op {
        let servers = hosts.iter().filter(|host| host.server).count();
        let nodes = hosts.len() - servers;
        let from = servers + source.index(nodes);
        let to = servers + (from - servers + 1 + source.index(nodes - 1)) % nodes;
        // Servers fall over too.
        let host = if source.once_in(4) {
            source.index(servers)
        } else {
            from
        };
        let for_ms = source.between(50, 12_000);
        match self {
            Self::Call => Op::Call {
                from,
                to,
                length: draw_length(source),
                answer: draw_length(source),
            },
            Self::Flow => Op::Flow {
                from,
                to,
                count: source.between(1, 60),
                size: source.index(1_100),
                period_ms: source.between(1, 100),
            },
            Self::GiveUp => Op::GiveUp { from, to },
            Self::StopReading => Op::StopReading { host: from, for_ms },
            Self::Close => Op::Close { host, for_ms },
            Self::Crash => Op::Crash { host, for_ms },
            Self::Suspend => Op::Suspend { host, for_ms },
            Self::Wall => Op::Wall {
                host,
                by: source.pick(&[-315_360_000, -3_600, -1, 1, 3_600, 315_360_000]),
            },
            Self::Rebind => Op::Rebind { host: from },
            Self::Cut => Op::Cut {
                from,
                to: if source.once_in(3) {
                    source.index(servers)
                } else {
                    to
                },
                both: source.once_in(2),
                for_ms,
            },
            // Mostly the same two, so that one reads of the other again and again.
            Self::Lookup if source.once_in(4) => Op::Lookup { from, about: to },
            Self::Lookup => Op::Lookup {
                from: servers,
                about: servers + 1,
            },
            Self::Replay => Op::Replay {
                count: source.between(1, 30),
            },
            Self::Forge => Op::Forge {
                count: source.between(1, 30),
            },
            Self::Overtake => Op::Overtake {
                host,
                count: source.between(1, 20),
                spoilt: source.once_in(2),
            },
        }
    }
}

/// Mostly little: a scenario is to be over soon, and most of what can go wrong goes wrong at beginnings and ends.
fn draw_length(source: &mut impl Source) -> u64 {
    let most = source.pick(&[0, 10, 1_000, 1_000, 10_000, 50_000, 200_000]);
    source.below(most + 1)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_seed_always_gives_the_same_scenario_and_a_sound_one() {
        for seed in 0..500 {
            let scenario = Scenario::from_seed(seed);
            assert_eq!(scenario, Scenario::from_seed(seed));
            assert_eq!(scenario.check(), Ok(()), "seed {seed}");
        }
    }

    #[test]
    fn any_octets_give_a_sound_scenario() {
        let mut random = Random::new(1);
        for length in 0..200 {
            let octets: Vec<u8> = (0..length).map(|_| random.bytes()[0]).collect();
            assert_eq!(Scenario::from_bytes(&octets).check(), Ok(()));
        }
    }

    #[test]
    fn every_kind_of_step_comes_and_so_does_every_fault() {
        let scenarios: Vec<_> = (0..200).map(Scenario::from_seed).collect();
        let kinds: BTreeSet<String> = scenarios
            .iter()
            .flat_map(|scenario| &scenario.steps)
            .map(|step| {
                let shown = format!("{:?}", step.op);
                shown.split(' ').next().unwrap_or_default().to_owned()
            })
            .collect();
        assert_eq!(kinds.len(), KINDS.len(), "{kinds:?}");
        let faults = |has: fn(&Faults) -> bool| scenarios.iter().any(|it| has(&it.faults));
        let nats: BTreeSet<NatKind> = scenarios
            .iter()
            .flat_map(|scenario| &scenario.nats)
            .map(|nat| nat.kind)
            .collect();
        assert_eq!(nats.len(), NatKind::ALL.len() - 1, "{nats:?}");
        assert!(scenarios.iter().any(|it| it.nats.is_empty()));
        assert!(faults(|it| it.loss > 0 && it.bursts));
        assert!(faults(|it| it.reorder > 0 && it.duplicate == 0));
        assert!(faults(|it| it.corrupt > 0 && it.rate > 0));
        assert!(faults(|it| it.loss
            + it.reorder
            + it.duplicate
            + it.corrupt
            == 0));
    }
}
