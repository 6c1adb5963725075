//! Candidates, and the schedule by which two nodes probe for a direct path.
//!
//! Two nodes that share an association tell each other the addresses that they may have ([`LocalCandidates`]), and both
//! send probes to what they were told at about the same time ([`Punching`]): each one's packets open its own NAT for
//! the other's. Whichever pair of addresses lets probes through in both directions becomes a path.
//!
//! There are no roles, and nothing waits for this: a relay carries the data meanwhile.
//!
//! # What a peer can make us send
//!
//! Candidates are what a peer says, so they are a way to make others send packets to third parties. Bounded are: where
//! to ([`may_probe`]), how many candidates are kept, and how many probes are sent to all of them together, per second
//! and per round. No answer of a peer enlarges that budget; only time and our own network do.
//!
//! # What is left to others
//!
//! What a probe is (a PATH_CHALLENGE under a session), whether it was answered, and which path is used. No I/O, no
//! clock, no randomness.

mod address;
mod local;
mod punching;
mod target;

pub use address::{may_answer, may_probe};
pub use local::LocalCandidates;
pub use punching::Punching;
