//! A deterministic world around Keyway nodes: clock, links, NATs and faults, replayed from a seed.
//!
//! Everything that the nodes of a [`World`] know of time, chance and each other comes from the world, and everything in the
//! world comes from a seed. What went wrong once goes wrong again, to the microsecond and the octet, on any machine.
//!
//! # The parts
//!
//! - A [`World`] has the only clock and a queue of what is going to happen. It runs any [`Program`]; [`NodeHost`] is a Keyway node
//!   with a user who dials, serves and keeps a diary.
//! - A [`Network`] has sites, each a public host or a NAT with hosts behind it, and a [`Link`] for each direction between two of
//!   them: delay, jitter, loss, reordering, duplication, corruption, rate, packet size, cuts.
//! - Users do something over their streams ([`Plan`]): both sides know what the other sends, so that each octet is checked as it
//!   comes.
//! - A [`Scenario`] is what happens in a world, as data: from a seed, from octets, or from a file. Its hosts call each other, crash,
//!   sleep and are attacked while everything goes wrong; healed, they have to work again, and closed, to leave nothing behind.
//! - A [`Property`] is what has to hold whatever the seed. [`PROPERTIES`] lists them; the binary `keyway-sim` runs them over many
//!   seeds (`cargo xtask sim`), the tests over a few.
//!
//! # Not here
//!
//! Threads, sockets and the real clock: the binary has threads, one seed on each. The nodes are those that everybody runs, with
//! their real cryptography.

/// The code in the papers compiles, and holds.
#[cfg(doctest)]
mod papers {
    #[doc = include_str!("../../../docs/simulator.md")]
    mod simulator {}
}

mod applications;
mod bottleneck;
mod failure;
mod forger;
mod host;
#[cfg(feature = "planted-faults")]
mod hunt;
mod invariants;
mod link;
mod loss;
mod machine;
mod matrix;
mod nat;
mod network;
mod program;
mod properties;
mod queue;
mod random;
mod scenario;
mod sightings;
mod topology;
mod trace;
mod world;

pub use applications::{Application, Content, DatagramPlan, Datagrams, Echo, Exchange, Plan};
pub use failure::Failure;
pub use forger::{Forger, Stage};
pub use host::{CONNECT_DEADLINE, Diary, NodeHost};
#[cfg(feature = "planted-faults")]
pub use hunt::{Found, hunt};
#[cfg(feature = "planted-faults")]
pub use keyway_wire::planted::Fault;
pub use link::{Fate, Link, LinkConfig};
pub use loss::Loss;
pub use matrix::{Cell, Demand, Outcome, Row, Setting, Spread, Verdict};
pub use nat::{Allocation, Dependence, Filter, Firewall, Nat, NatConfig, NatKind};
pub use network::{HostId, Network, Packet, Passage, SiteId};
pub use program::{Counters, Program, SendTo, Way};
pub use properties::{ALL as PROPERTIES, Property, Report, by_name};
pub use queue::EventQueue;
pub use random::{Chance, Random};
pub use scenario::{Faults, HostPlan, NatPlan, Op, Played, Scenario, Settings, Step, TextError};
pub use sightings::{Kind, Sighting, Sightings};
pub use topology::{Layout, Meeting, Run};
pub use trace::Trace;
pub use world::World;
