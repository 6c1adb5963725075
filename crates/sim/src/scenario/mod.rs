//! Scenarios: what is going to happen in a world, as data.
//!
//! A [`Scenario`] is drawn from a seed or from octets, written out as TOML and read again, made smaller when it fails, and
//! [played](Scenario::play): hosts act while everything goes wrong that the scenario asks for; then all is healed, and whatever
//! may be connected has to be, and every stream has to have come to its end; then all close, and nothing may be left.
//!
//! | file | has |
//! |---|---|
//! | `draw`, `source` | scenarios from seeds and octets |
//! | `text`   | scenarios as text |
//! | `nats`   | its NATs |
//! | `stage`  | the world of a scenario, who is in it, and how time passes there |
//! | `steps`  | what its steps do in it, and how that is undone |
//! | `assigned` | who was given which errand |
//! | `conditions` | its settings and faults, in the terms of nodes and links |
//! | `verdict` | whether what became of an errand is what may become of it |
//! | `actor`  | a node and its user, who follows orders and checks all that comes |
//! | `attack` | whoever has no key: replays, changes packets |
//! | `play`   | the phases of a run, and the verdict |
//! | `shrink` | the smallest scenario that still fails |

mod actor;
mod assigned;
mod attack;
mod conditions;
mod draw;
mod errand;
mod nats;
mod play;
mod shrink;
mod source;
mod stage;
mod steps;
mod text;
mod verdict;

use serde::{Deserialize, Serialize};

pub use nats::NatPlan;
pub use play::Played;
pub use text::TextError;

/// Everything that is going to happen in a world, written down. Hosts are named by their place in `hosts`.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Scenario {
    /// Keys follow from it, and which packets meet a fault.
    pub seed: u64,
    /// How long everything goes wrong before it is healed, in milliseconds.
    pub safety_ms: u64,
    /// How nodes are configured.
    pub settings: Settings,
    /// What all links do until they are healed.
    pub faults: Faults,
    /// Who is there.
    pub hosts: Vec<HostPlan>,
    /// The NATs that are not simple ones.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub nats: Vec<NatPlan>,
    /// What happens, in the order of time.
    #[serde(default)]
    pub steps: Vec<Step>,
}

/// How nodes are configured; what is not said is as usual.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(default, deny_unknown_fields)]
pub struct Settings {
    /// Milliseconds after which an initiator makes new keys; the other times of a session are in proportion.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub rekey_ms: Option<u64>,
    /// Packets in one key phase.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub packets_per_phase: Option<u64>,
    /// Octets that may be sent ahead of a reader, in one stream and in all together.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub window: Option<u64>,
    /// Milliseconds after which a node renews its record at its servers.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub refresh_ms: Option<u64>,
}

/// What all links do. Chances are in percent.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(default, deny_unknown_fields)]
pub struct Faults {
    /// How long every packet takes, in milliseconds. Stays when the rest is healed.
    pub delay_ms: u64,
    /// How much longer it takes at most, in milliseconds.
    pub jitter_ms: u64,
    /// How many packets are lost.
    pub loss: u32,
    /// Whether they are lost in bursts of three, rather than one by one.
    pub bursts: bool,
    /// How many are overtaken by later ones.
    pub reorder: u32,
    /// How many come twice.
    pub duplicate: u32,
    /// Of how many some bits are flipped.
    pub corrupt: u32,
    /// Octets a second that fit through; no limit if 0.
    pub rate: u64,
    /// The longest packet that fits through, in octets.
    pub mtu: usize,
}

impl Default for Faults {
    fn default() -> Self {
        Self {
            delay_ms: 10,
            jitter_ms: 0,
            loss: 0,
            bursts: false,
            reorder: 0,
            duplicate: 0,
            corrupt: 0,
            rate: 0,
            mtu: 1452,
        }
    }
}

/// Who a host is.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(default, deny_unknown_fields)]
pub struct HostPlan {
    /// Serves rendezvous and relay to everybody. All others use all servers.
    pub server: bool,
    /// Is behind the NAT of this number, together with all that name the same one; in public otherwise.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub nat: Option<u8>,
    /// Whom it serves.
    pub allows: Vec<usize>,
}

/// Something that happens.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Step {
    /// When, in milliseconds.
    pub at_ms: u64,
    /// What.
    #[serde(flatten)]
    pub op: Op,
}

/// What may happen.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(tag = "op", rename_all = "snake_case")]
pub enum Op {
    /// `from` calls `to`: sends so many octets, and wants so many back.
    Call {
        /// Who calls.
        from: usize,
        /// Who is called.
        to: usize,
        /// Octets there.
        length: u64,
        /// Octets back.
        answer: u64,
    },
    /// `from` sends datagrams to `to`, and gets as many back.
    Flow {
        /// Who begins.
        from: usize,
        /// With whom.
        to: usize,
        /// How many each way.
        count: u64,
        /// Octets of each.
        size: usize,
        /// Milliseconds between two.
        period_ms: u64,
    },
    /// Whoever began the youngest call from `from` to `to` gives it up: neither sends nor reads on.
    GiveUp {
        /// Who called.
        from: usize,
        /// Who was called.
        to: usize,
    },
    /// A host's users stop reading for a while.
    StopReading {
        /// Whose.
        host: usize,
        /// For how long.
        for_ms: u64,
    },
    /// A node closes in order; another process of the same identity comes up later.
    Close {
        /// Which.
        host: usize,
        /// How long nobody is there.
        for_ms: u64,
    },
    /// A process dies, and another one of the same identity comes up later, without its state.
    Crash {
        /// Which.
        host: usize,
        /// How long nobody is there.
        for_ms: u64,
    },
    /// A machine is suspended: its clock goes on, it does nothing and hears nothing.
    Suspend {
        /// Which.
        host: usize,
        /// For how long.
        for_ms: u64,
    },
    /// A machine's wall clock is set.
    Wall {
        /// Whose.
        host: usize,
        /// By how much, in seconds.
        by: i64,
    },
    /// A NAT forgets its mappings.
    Rebind {
        /// A host behind it.
        host: usize,
    },
    /// Nothing gets from one host's site to another's.
    Cut {
        /// From where.
        from: usize,
        /// Whither.
        to: usize,
        /// Nothing gets back either.
        both: bool,
        /// For how long.
        for_ms: u64,
    },
    /// A node asks its servers for another's record.
    Lookup {
        /// Who asks.
        from: usize,
        /// About whom.
        about: usize,
    },
    /// Somebody sends packets again that went by before.
    Replay {
        /// How many.
        count: u64,
    },
    /// Somebody sends changed packets.
    Forge {
        /// How many.
        count: u64,
    },
    /// Somebody sends copies of the next packets to a host before they arrive, from an address of his own.
    Overtake {
        /// To whom.
        host: usize,
        /// How many.
        count: u64,
        /// The copies are not authentic.
        #[serde(default)]
        spoilt: bool,
    },
}
