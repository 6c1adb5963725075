//! What has to hold, whatever the seed: one function for each property, and one table of them all.

mod datagrams;
mod fairness;
mod forged;
mod handshake_bursts;
mod handshake_loss;
mod idle;
mod ladder;
mod long_fat;
mod nats;
mod random_loss;
mod rebind;
mod rekey;
mod shallow_queue;
mod silence;
mod simultaneous;
mod swarm;
mod transfer;
mod upgrade;

use std::time::Duration;

use keyway_wire::Time;

use crate::applications::{Content, Plan};
use crate::failure::Failure;
use crate::host::NodeHost;
use crate::topology::{Meeting, Run};
use crate::world::World;

/// One property.
#[derive(Clone, Copy, Debug)]
pub struct Property {
    /// How one asks for it.
    pub name: &'static str,
    /// What it says.
    pub promise: &'static str,
    /// The most seeds that are worth their time in one go, if each takes seconds of it.
    pub seeds_max: Option<u64>,
    /// Shows that it holds for a seed, or why it does not.
    pub check: fn(Run) -> Result<Report, Failure>,
}

/// What a run was like. Equal seeds give equal reports.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Report {
    /// How much time passed in the world.
    pub time: Duration,
    /// How many packets were sent in it.
    pub packets: u64,
    /// One number for everything that happened.
    pub trace_hash: u64,
    /// What is worth knowing about this run.
    pub facts: String,
    /// A time that differs from seed to seed, where the property has one: over many seeds, its distribution is told.
    pub figure: Option<Duration>,
}

/// All properties.
pub const ALL: [Property; 18] = [
    Property {
        name: "swarm",
        promise: "whatever nodes and networks do, the invariants hold; healed, everything works; closed, nothing is left",
        seeds_max: None,
        check: swarm::check,
    },
    Property {
        name: "transfer",
        promise: "10 MB both ways arrive unchanged over 5 % loss, 3 % reorder, 2 % duplication, 1 % corruption, without a stall over 10 s",
        seeds_max: None,
        check: transfer::check,
    },
    Property {
        name: "ladder",
        promise: "data arrive unchanged over links of nine kinds, each worse than the one before; the worst of them breaks nothing",
        seeds_max: None,
        check: ladder::check,
    },
    Property {
        name: "upgrade",
        promise: "going from relay to direct in the middle of a transfer loses, repeats and reorders nothing",
        seeds_max: None,
        check: upgrade::check,
    },
    Property {
        name: "nats",
        promise: "two nodes connect whatever NATs are between them, and end direct where nobody has to guess a port; how soon is told",
        seeds_max: None,
        check: nats::check,
    },
    Property {
        name: "rekey",
        promise: "new keys in the middle of a transfer, by time and by packet count, lose, repeat and reorder nothing",
        seeds_max: None,
        check: rekey::check,
    },
    Property {
        name: "simultaneous",
        promise: "two nodes that dial each other at once settle on one session",
        seeds_max: None,
        check: simultaneous::check,
    },
    Property {
        name: "forged",
        promise: "what is not authentic gets no answer and changes nothing that follows",
        seeds_max: None,
        check: forged::check,
    },
    Property {
        name: "silence",
        promise: "who is not allowed gets no packet back, and is told after the deadline",
        seeds_max: None,
        check: silence::check,
    },
    Property {
        name: "handshake_loss",
        promise: "a connection is made within 30 s over 30 % loss each way",
        seeds_max: None,
        check: handshake_loss::check,
    },
    Property {
        name: "handshake_bursts",
        promise: "a connection is made within 30 s over 30 % loss each way, up to three in a row; how long it takes is told",
        seeds_max: None,
        check: handshake_bursts::check,
    },
    Property {
        name: "datagrams",
        promise: "a datagram arrives at most once, and unchanged",
        seeds_max: None,
        check: datagrams::check,
    },
    Property {
        name: "rebind",
        promise: "a NAT that gives another port in mid-transfer, direct or relayed, interrupts it for no more than 10 s",
        seeds_max: None,
        check: rebind::check,
    },
    Property {
        name: "idle",
        promise: "a pair that is not used costs next to nothing, and works at once when it is used again",
        seeds_max: None,
        check: idle::check,
    },
    Property {
        name: "long_fat",
        promise: "one flow uses 90 % of 1 Gbit/s at a round trip of 100 ms, five seconds after it began",
        seeds_max: Some(3),
        check: long_fat::check,
    },
    Property {
        name: "fairness",
        promise: "two flows that begin together share a link no worse than 60 to 40 over 30 s, and use 90 % of it",
        seeds_max: Some(12),
        check: fairness::check,
    },
    Property {
        name: "shallow_queue",
        promise: "once slow start is over, one packet of 2,000 at most overflows a queue of ten at 50 Mbit/s, even if acknowledgements come in clumps",
        seeds_max: Some(10),
        check: shallow_queue::check,
    },
    Property {
        name: "random_loss",
        promise: "0.1 to 3 % loss, with reordering, leave 70 % of what CUBIC's equation says, or more",
        seeds_max: Some(30),
        check: random_loss::check,
    },
];

/// The property of this name.
#[must_use]
pub fn by_name(name: &str) -> Option<&'static Property> {
    ALL.iter().find(|property| property.name == name)
}

/// The report on a world in which everything went well.
fn report(meeting: &Meeting, facts: impl Into<String>) -> Report {
    let hosts = [Some(meeting.a), Some(meeting.b), meeting.server];
    let packets = hosts
        .iter()
        .flatten()
        .map(|host| meeting.world.counters(*host).sent)
        .sum();
    Report {
        time: meeting.world.now().saturating_since(Time::ZERO),
        packets,
        trace_hash: meeting.world.trace_hash(),
        facts: facts.into(),
        figure: None,
    }
}

/// The two sides of an exchange of `length` octets each way.
fn exchange(world: &mut World<NodeHost>, length: u64) -> (Plan, Plan) {
    let [one, other] = [(); 2].map(|()| Content {
        name: world.random().below(u64::MAX),
        length,
    });
    let plan = |outgoing, incoming| Plan::Exchange { outgoing, incoming };
    (plan(one, other), plan(other, one))
}

#[cfg(test)]
mod tests {
    use super::*;

    /// Seeds that every change is tested with. CI runs more of them, in the simulator's own binary.
    const SEEDS: std::ops::Range<u64> = 0..2;

    fn holds(name: &str) {
        let property = by_name(name).unwrap();
        for seed in SEEDS {
            if let Err(failure) = (property.check)(Run { seed, trace: false }) {
                panic!("{name} {failure}; replay: cargo xtask sim --property {name} --seed {seed}");
            }
        }
    }

    // R1.1, R9.6
    #[test]
    fn transfers_survive_all_faults_at_once() {
        holds("transfer");
    }

    #[test]
    fn going_from_relay_to_direct_is_not_noticed() {
        holds("upgrade");
    }

    #[test]
    fn pairs_behind_nats_connect() {
        holds("nats");
    }

    #[test]
    fn new_keys_are_not_noticed() {
        holds("rekey");
    }

    // R4.23
    #[test]
    fn simultaneous_dials_settle_on_one_session() {
        holds("simultaneous");
    }

    // R1.2, R10.11
    #[test]
    fn what_is_forged_gets_no_answer_and_changes_nothing() {
        holds("forged");
    }

    // R4.13
    #[test]
    fn who_is_not_allowed_meets_silence() {
        holds("silence");
    }

    // R4.10
    #[test]
    fn handshakes_survive_loss() {
        holds("handshake_loss");
    }

    // R9.15
    #[test]
    fn datagrams_arrive_at_most_once() {
        holds("datagrams");
    }

    // R8.12
    #[test]
    fn a_new_port_is_survived() {
        holds("rebind");
    }

    // R8.17
    #[test]
    fn idle_pairs_cost_little_and_wake() {
        holds("idle");
    }

    #[test]
    fn two_flows_share_a_link() {
        holds("fairness");
    }

    #[test]
    fn a_flow_is_paced_through_a_shallow_queue() {
        holds("shallow_queue");
    }

    #[test]
    fn random_losses_cost_what_the_equation_says() {
        holds("random_loss");
    }

    #[test]
    fn a_seed_replays_to_the_last_octet() {
        // Those that take seconds are worlds like the others.
        for property in ALL.iter().filter(|property| property.seeds_max.is_none()) {
            let run = Run {
                seed: 77,
                trace: false,
            };
            let (one, other) = ((property.check)(run), (property.check)(run));
            assert_eq!(one, other, "{}", property.name);
        }
    }

    #[test]
    fn names_are_unique() {
        let names: std::collections::BTreeSet<_> =
            ALL.iter().map(|property| property.name).collect();
        assert_eq!(names.len(), ALL.len());
        assert!(by_name("none of these").is_none());
    }
}
