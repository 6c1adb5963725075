use std::time::Duration;

use keyway_handshake::{Limits, TransportParameters};

use crate::Keepalive;
use crate::streams::StreamLimits;

/// Every limit and every duration of an association, with the reasons for its default.
///
/// One value is shared by all associations of a node. Times are lower bounds that timers keep to the microsecond; sizes
/// are octets. Tests make them smaller.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct AssociationConfig {
    /// Windows, buffers and counts of streams and datagrams.
    pub streams: StreamLimits,

    /// The largest UDP payload that is probed for and accepted: 65,487, the most that one system call sends. What each
    /// path carries of that is found out.
    pub udp_payload_max: u32,

    /// The longest that an acknowledgement is held back: 25 ms, as in QUIC (RFC 9000, 18.2).
    pub ack_delay_max: Duration,
    /// The shortest, for a lone packet: 5 ms. Answers come back within a round trip and take acknowledgements along. A timer that
    /// is due within a millisecond or two is one that the processor has to be told of each time it goes to sleep, which
    /// costs a ping-pong on one machine a quarter of its speed.
    pub ack_delay_min: Duration,
    /// Ack-eliciting packets after which an acknowledgement is sent in the middle of a batch: 32 packets of a fast path are
    /// some 100 us, and a sender's window opens in steps small enough.
    pub ack_packets_max: u32,

    /// Paths kept, validated or not: two address families with a few interfaces each, and two relays.
    pub paths_max: usize,
    /// Routes under validation beside the paths: 32 candidates, and as many again that the peer probed from.
    pub validations_max: usize,
    /// Ids for packets to us that the peer has in reserve: it needs one for each new path. At most 16 make sense, since
    /// the protocol bounds all that are in use.
    pub cids_spare: usize,

    /// Age at which the initiator of a session makes the next one (WireGuard's limit).
    pub rekey_after: Duration,
    /// Age at which the responder does, if the initiator has not.
    pub rekey_after_as_responder: Duration,
    /// Age at which a session seals and opens nothing any more (WireGuard's limit).
    pub session_lifetime: Duration,
    /// How long the answer to a handshake waits for the first packet under its keys.
    pub half_open_lifetime: Duration,
    /// How often [`HandshakeWanted`](crate::AssociationEvent::HandshakeWanted) is repeated. The node's own schedule of
    /// retries is below it.
    pub handshake_repeat: Duration,
    /// When keys are ratcheted, and when they are retired.
    pub session: Limits,

    /// Whether an unused association keeps its path open.
    pub keepalive: Keepalive,
    /// Silence on the selected path, and on the relayed spare, after which a PING goes out. Half of the NATs that forget
    /// mappings early do so after 30 s.
    pub keepalive_interval: Duration,
    /// Time without any use after which a pair with [`Keepalive::WhileUsed`] falls asleep.
    pub idle_after: Duration,
    /// Time without a sign of the peer after which the association ends, if somebody waits or not.
    pub patience: Duration,
    /// Time without acknowledgement, while data waits, after which [`Stalled`](crate::AssociationEvent::Stalled) is said.
    pub stall_after: Duration,
    /// Time without acknowledgement after which a path is dead, if there is no other to turn to: leaving it has no
    /// use but to ask for a handshake, and a lossy path should not be left for that.
    pub last_path_patience: Duration,
    /// The longest time between two attempts to reach the peer while no path works and somebody waits.
    pub retry_interval_max: Duration,
}

impl Default for AssociationConfig {
    fn default() -> Self {
        Self {
            streams: StreamLimits::default(),
            udp_payload_max: 65_487,
            ack_delay_max: Duration::from_millis(25),
            ack_delay_min: Duration::from_millis(5),
            ack_packets_max: 32,
            paths_max: 8,
            validations_max: 64,
            cids_spare: 8,
            rekey_after: Duration::from_secs(120),
            rekey_after_as_responder: Duration::from_secs(150),
            session_lifetime: Duration::from_secs(180),
            half_open_lifetime: Duration::from_secs(10),
            handshake_repeat: Duration::from_secs(5),
            session: Limits::default(),
            keepalive: Keepalive::WhileUsed,
            keepalive_interval: Duration::from_secs(25),
            idle_after: Duration::from_secs(600),
            patience: Duration::from_secs(24 * 3600),
            stall_after: Duration::from_secs(5),
            last_path_patience: Duration::from_secs(3),
            retry_interval_max: Duration::from_secs(2),
        }
    }
}

impl AssociationConfig {
    /// What this side tells the peer in INIT or RESP: the limits that the peer has to keep to.
    #[must_use]
    pub fn parameters(&self) -> TransportParameters {
        TransportParameters {
            max_data: self.streams.first_credit(),
            max_stream_data: self.streams.stream_window_initial,
            max_streams: self.streams.first_streams(),
            max_datagram: u64::from(self.udp_payload_max),
            max_udp_payload: u64::from(self.udp_payload_max),
            max_ack_delay: self.ack_delay_max,
        }
    }
}
