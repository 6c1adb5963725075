//! Every limit and period of a node in one place.

use std::sync::Arc;
use std::time::Duration;

use keyway_transport::AssociationConfig;

/// How a node behaves. The defaults are those of the protocol text, section "Numbers"; tests make some of them smaller.
#[derive(Clone, Debug)]
pub struct Config {
    /// What every association of this node keeps to.
    pub association: Arc<AssociationConfig>,
    /// Serve rendezvous and relay to every node that asks.
    pub server: bool,
    /// Associations at the same time, at most, those included that only wait for a peer that went away. Beyond it INITs of others
    /// are dropped: where everybody is allowed, anybody can make as many keys as it likes, and each costs some KiB for a day.
    pub associations_max: usize,
    /// Associations that wait for their first authentic packet, at most. Beyond it the oldest goes: each costs some KiB,
    /// and an honest initiator needs one round trip.
    pub half_open_max: usize,
    /// How long such an association waits. An honest initiator needs one round trip.
    pub half_open_lifetime: Duration,
    /// The pauses between the sendings of one INIT; the last one repeats. From 200 ms, since most round trips are shorter,
    /// growing to 2 s, so that 30 % loss each way still leaves a handshake below 6 s in 99 of 100 cases.
    pub retries: [Duration; 7],
    /// After this time of silence a pending INIT is replaced by a new one, with new ephemeral keys and a higher counter: the
    /// responder has forgotten its cached answer by then.
    pub init_lifetime: Duration,
    /// How often a node that serves something renews its record at each server.
    pub record_refresh: Duration,
    /// For how long a record is good. Five refreshes: one server restart or some lost packets must not hide a node.
    pub record_lifetime: Duration,
    /// Octets that may wait for the relay's socket. A burst of some GSO batches for each of a few busy pairs; more only adds delay.
    pub relay_queue_max: usize,
    /// How long an ended association stays readable, so that bytes that had arrived are not lost.
    pub linger: Duration,
}

impl Default for Config {
    fn default() -> Self {
        Self {
            association: Arc::new(AssociationConfig::default()),
            server: false,
            associations_max: 65_536,
            half_open_max: 1024,
            half_open_lifetime: Duration::from_secs(10),
            retries: [200, 300, 450, 675, 1000, 1500, 2000].map(Duration::from_millis),
            init_lifetime: Duration::from_secs(10),
            record_refresh: Duration::from_secs(60),
            record_lifetime: Duration::from_secs(300),
            relay_queue_max: 4 * 1024 * 1024,
            linger: Duration::from_secs(60),
        }
    }
}
