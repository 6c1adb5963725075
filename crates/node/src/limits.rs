//! What a node lets others cost it.

use std::time::Duration;

use keyway_rendezvous::{Limits as RendezvousLimits, Rate};

/// Every limit of a node that whoever runs it may have a reason to change. The defaults suit a node on one core of a small
/// machine with some MiB to spare, and let through what honest peers do.
///
/// What is not here: the limits of each association are in [`AssociationConfig`](crate::AssociationConfig). And what both sides of the protocol
/// count on is fixed: the lengths of packets, eight answers to one INIT in 10 s, four half-open associations and eight address hints
/// for one peer, 32 candidates, 100 probes in a round for one peer and 50 in a second, cookies that live 120 s.
#[derive(Clone, Eq, PartialEq, Debug)]
pub struct Limits {
    /// INITs with a valid `mac1` that are worked on. Each costs four Diffie–Hellman computations, some 0.2 ms, so that the default
    /// of 500 in a second is a tenth of a core. Beyond it the node is *under load*: until there was a pause, it
    /// asks every sender for a cookie first, which shows that the sender is where it says, and counts by source.
    pub handshakes: Rate,
    /// INITs of one source: an IPv4 address or an IPv6 /64 (what one host gets for the asking) while the node is under load,
    /// and a node id always, be it named by the relay through which the INIT came, or by the INIT itself. The default of 20 in a
    /// second, 5 at once (as in WireGuard) is far more than honest peers need, who make one INIT in 10 s, and serves some hundred
    /// nodes behind one NAT within seconds.
    pub handshakes_per_source: Rate,
    /// Sources that are remembered at a time, two generations of as many. Each takes some 100 octets; who does not find room is
    /// dropped. The default is more than `handshakes` lets through before the oldest are forgotten.
    pub sources_max: usize,
    /// INITs of strangers that are answered or refused: of nodes that no service names and that are not connected. The default
    /// of 100 in a second leaves four fifths of `handshakes` to those who are known. More of them put the node
    /// under load. A server has nothing but strangers, and leaves this aside.
    pub strangers: Rate,
    /// Associations at the same time, those included that only wait for a peer that went away. Each costs some KiB. Beyond it
    /// the one that has been silent longest makes room, for a newcomer that has proved its key; while all others are in use,
    /// newcomers are dropped. Those that prove it at the same moment may be as many more as may be half open.
    pub associations_max: usize,
    /// Associations that wait for their first authentic packet. Each costs some KiB. Beyond it the oldest goes: an honest
    /// initiator needs one round trip, and the default of 1,024 leaves it two seconds under full load.
    pub half_open_max: usize,
    /// Octets of memory for the streams and datagrams of all associations together: what arrived and is not read, what was written and
    /// is not acknowledged, what a peer was told it may send, and what its open streams take. Beyond it, each association has
    /// what is guaranteed to it and no more: 64 KiB with the defaults of [`AssociationConfig`](crate::AssociationConfig) (credit for
    /// 16 KiB, 8 KiB to write, 4 KiB of datagrams in each direction, 8 streams of 4 KiB). So buffers keep at most
    /// `memory_max + associations_max * 64 KiB` of what is counted: who allows many peers that it does not trust, on a small machine,
    /// sets both. Not counted is what small pieces cost beside their octets: where memory is short, a peer that sends single octets
    /// takes some hundred times what they count for.
    ///
    /// An association may hold of what is free the fraction that is free, so that however many of them hold what they
    /// can for ever, `n` leave the `n + 1`st part free; who has no use for memory gives it back within a second. Where memory is
    /// short windows stay small. Who was refused asks again with the next packet of its own association, not when another one gives
    /// memory back: a stream may stand still until then, and one that uses credit which others have the memory for by now may end by
    /// patience. So the default of 4 GiB is far above what associations of a machine in order use, each of them 64 MiB by its own limits.
    pub memory_max: u64,
    /// Probes for direct paths, of up to 1,200 octets each, to all peers together. The default of 200 in a second is 2 Mbit/s:
    /// what a node can be made to send to those who did not ask, by however many peers.
    pub probes: Rate,
    /// Probes to one IPv4 address or IPv6 /64, by however many peers it was named. The default of 10 in a second, 60 at once, lets
    /// five peers behind one NAT be probed as often as the schedule has it.
    pub probes_per_target: Rate,
    /// Octets that may wait for the socket to be relayed, in all. A burst of some batches for each of a few dozen busy pairs; more
    /// only adds delay.
    pub relay_queue_max: usize,
    /// Of these, octets of one sending client: two batches of the greatest length.
    pub relay_queue_per_client_max: usize,
    /// How long a packet may wait to be relayed. What is older has been sent again, or is of no use any more.
    pub relay_queue_time_max: Duration,
    /// What a server lets its clients cost it.
    pub rendezvous: RendezvousLimits,
}

impl Default for Limits {
    fn default() -> Self {
        Self {
            handshakes: Rate::new(500, 500),
            handshakes_per_source: Rate::new(20, 5),
            sources_max: 16_384,
            strangers: Rate::new(100, 100),
            associations_max: 65_536,
            half_open_max: 1024,
            memory_max: 4 * 1024 * 1024 * 1024,
            probes: Rate::new(200, 400),
            probes_per_target: Rate::new(10, 60),
            relay_queue_max: 4 * 1024 * 1024,
            relay_queue_per_client_max: 128 * 1024,
            relay_queue_time_max: Duration::from_millis(250),
            rendezvous: RendezvousLimits::default(),
        }
    }
}
