//! What a node lets others cost it.

use std::time::Duration;

use keyway_wire::Time;

/// How often something may happen: `per_second` in the long run, and `burst` at once after a pause. Nothing happens at all where
/// one of the two is 0; more than a million in a second is no limit.
#[derive(Copy, Clone, Eq, PartialEq, Debug)]
pub struct Rate {
    /// Events in a second, in the long run.
    pub per_second: u32,
    /// Events at once.
    pub burst: u32,
}

impl Rate {
    /// So many in a second, and as a burst so many.
    #[must_use]
    pub const fn new(per_second: u32, burst: u32) -> Self {
        Self { per_second, burst }
    }

    /// From one event to the next in the long run.
    pub(crate) fn interval(self) -> Duration {
        Duration::from_micros(1_000_000 / u64::from(self.per_second.max(1)))
    }

    /// From an empty bucket to a full one.
    pub(crate) fn fills_within(self) -> Duration {
        self.interval().saturating_mul(self.burst)
    }

    /// Takes one of a bucket that is full at `full_at`, if there is one.
    ///
    /// One time is all that a bucket needs (the generic cell rate algorithm, ITU-T I.371): the later it is full, the
    /// emptier it is.
    pub(crate) fn take(self, now: Time, full_at: &mut Time) -> bool {
        let start = (*full_at).max(now);
        let room = self.interval().saturating_mul(self.burst.saturating_sub(1));
        let passes = self.per_second > 0 && self.burst > 0;
        if !passes || start.saturating_since(now) > room {
            return false;
        }
        *full_at = start + self.interval();
        true
    }

    /// When a bucket that is full at `full_at` has one to take.
    pub(crate) fn ready_at(self, full_at: Time) -> Time {
        full_at - self.interval().saturating_mul(self.burst.saturating_sub(1))
    }
}

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
    /// the one that has been silent longest makes room, if nothing of it works; while all others are in use, newcomers
    /// are dropped.
    pub associations_max: usize,
    /// Associations that wait for their first authentic packet. Each costs some KiB. Beyond it the oldest goes: an honest
    /// initiator needs one round trip, and the default of 1,024 leaves it two seconds under full load.
    pub half_open_max: usize,
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
            probes: Rate::new(200, 400),
            probes_per_target: Rate::new(10, 60),
            relay_queue_max: 4 * 1024 * 1024,
            relay_queue_per_client_max: 128 * 1024,
            relay_queue_time_max: Duration::from_millis(250),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn at(millis: u64) -> Time {
        Time::from_micros(millis * 1000)
    }

    #[test]
    fn a_burst_passes_and_then_the_steady_rate() {
        let (rate, mut full_at) = (Rate::new(20, 5), Time::ZERO);
        let mut passed = |millis, tries| {
            (0..tries)
                .filter(|_| rate.take(at(millis), &mut full_at))
                .count()
        };
        assert_eq!(passed(1000, 100), 5);
        assert_eq!(passed(1049, 100), 0);
        assert_eq!(passed(1050, 100), 1);
        assert_eq!(passed(1150, 100), 2);
        assert_eq!(passed(60_000, 100), 5);
    }

    #[test]
    fn a_bucket_is_ready_when_it_says_so() {
        let (rate, mut full_at) = (Rate::new(10, 3), Time::ZERO);
        while rate.take(at(1000), &mut full_at) {}
        let ready = rate.ready_at(full_at);
        assert!(!rate.take(ready - Duration::from_micros(1), &mut full_at));
        assert!(rate.take(ready, &mut full_at));
    }

    #[test]
    fn a_rate_of_nothing_lets_nothing_pass_and_a_boundless_one_everything() {
        let mut full_at = Time::ZERO;
        for rate in [Rate::new(0, 5), Rate::new(5, 0), Rate::new(0, 0)] {
            assert!(!rate.take(at(1), &mut full_at));
        }
        let boundless = Rate::new(u32::MAX, 1);
        assert!((0..10_000).all(|_| boundless.take(at(1), &mut full_at)));
    }

    // L6
    #[test]
    fn the_ends_of_time_and_of_numbers_do_no_harm() {
        for (per_second, burst) in [(1, u32::MAX), (u32::MAX, u32::MAX), (1, 1)] {
            let rate = Rate::new(per_second, burst);
            let mut full_at = Time::ZERO;
            assert!(rate.take(Time::from_micros(u64::MAX), &mut full_at));
            assert!(rate.ready_at(full_at) <= full_at);
        }
    }
}
