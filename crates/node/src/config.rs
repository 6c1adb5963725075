//! How a node behaves, limits and periods, in one place.

use std::sync::Arc;
use std::time::Duration;

use keyway_transport::AssociationConfig;

use crate::limits::Limits;

/// How a node behaves. The defaults are those of the protocol text, section "Numbers"; tests make some of them smaller.
#[derive(Clone, Debug)]
pub struct Config {
    /// What every association of this node keeps to.
    pub association: Arc<AssociationConfig>,
    /// Serve rendezvous and relay to every node that asks.
    pub server: bool,
    /// What others may cost this node.
    pub limits: Limits,
    /// How long an association waits for its first authentic packet. An honest initiator needs one round trip.
    pub half_open_lifetime: Duration,
    /// The pauses between the sendings of one INIT; the last one repeats for a minute, and grows to 15 s after that. From 200 ms,
    /// since most round trips are shorter, growing to 1 s, so that 30 % loss each way still leaves a handshake below 6 s in 99 of
    /// 100 cases, and links that lose many packets in a row leave it below 30 s.
    pub retries: [Duration; 7],
    /// After this time of silence a pending INIT is replaced by a new one, with new ephemeral keys and a higher counter: the
    /// responder has forgotten its cached answer by then.
    pub init_lifetime: Duration,
    /// How often a node that serves something renews its record at each server.
    pub record_refresh: Duration,
    /// For how long a record is good. Five refreshes: one server restart or some lost packets must not hide a node.
    pub record_lifetime: Duration,
    /// How long an ended association stays readable, so that bytes that had arrived are not lost.
    pub linger: Duration,
}

impl Default for Config {
    fn default() -> Self {
        Self {
            association: Arc::new(AssociationConfig::default()),
            server: false,
            limits: Limits::default(),
            half_open_lifetime: Duration::from_secs(10),
            retries: [200, 300, 450, 675, 1000, 1000, 1000].map(Duration::from_millis),
            init_lifetime: Duration::from_secs(10),
            record_refresh: Duration::from_secs(60),
            record_lifetime: Duration::from_secs(300),
            linger: Duration::from_secs(60),
        }
    }
}
