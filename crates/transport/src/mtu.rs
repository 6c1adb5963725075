//! How large packets may be: a small form of packetization-layer path MTU discovery (RFC 8899; RFC 9000, 14).
//!
//! Sizes are octets of UDP payload. A path starts with [`BASE`], which every path carries, and tries [`COMMON`] as soon as its first
//! packets have left. When that passes it tries all that the ends allow (loopback, with nothing but memory in between), then [`JUMBO`]; when it
//! does not, [`TUNNEL`]. There is no binary search between these: a size that no common kind of link explains is rare, and
//! each wrong guess costs a timeout. Guesses beyond the interface of this machine cost nothing, since its system refuses
//! them at once.

use std::time::Duration;

use keyway_wire::Time;

/// What every path carries, and the size after a black hole (RFC 9000, 14; RFC 8899, 5.1.2, `BASE_PLPMTU`).
pub(crate) const BASE: u32 = 1_200;

/// What ethernet's 1,500 octets leave after the headers of IPv6 (40) and UDP (8).
pub(crate) const COMMON: u32 = 1_452;

/// What the frames of 9,000 octets leave that the networks of data centres carry.
const JUMBO: u32 = 8_952;

/// What is left inside of a tunnel: 1,420 octets in WireGuard's, less the headers.
const TUNNEL: u32 = 1_372;

/// Tries of one size (RFC 8899, 5.1.2, `MAX_PROBES`).
const TRIES: u8 = 3;

/// Successive losses of nothing but large packets that make a black hole (RFC 8899, 4.3).
const BLACK_HOLE_LOSSES: u8 = 3;

/// The age of a path at which the first probe may leave. A probe, its acknowledgement and the wake-ups for both cost a fifth of what
/// a connection does: whoever asks one question and goes shall not wait for them. Chosen to be longer than that takes within a
/// machine or a rack, and shorter than any round trip on which a larger packet would be missed.
pub(crate) const FIRST_PROBE_AFTER: Duration = Duration::from_millis(5);

/// When to try again what failed (RFC 8899, 5.1.1, `PMTU_RAISE_TIMER`).
const RAISE_AFTER: Duration = Duration::from_secs(600);

/// When to try again what vanished in a black hole. Three large packets in a row are lost on lossy paths as well, now and then: there
/// the next probe passes. In a real black hole it does not, and costs no more than its octets.
const AFTER_BLACK_HOLE: Duration = Duration::from_secs(10);

/// Where the search is.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Search {
    /// A probe may leave from this time on.
    Ready(Time),
    /// A probe of that size is on its way.
    Outstanding(u32),
}

/// The packet size of one path and the search for a larger one.
#[derive(Debug)]
pub(crate) struct MtuProbe {
    current: u32,
    limit: u32,
    /// The smallest size that did not pass since the search began.
    failed: u32,
    search: Search,
    /// Probes of the next size that were lost.
    tries: u8,
    /// Successive losses of nothing but packets larger than [`BASE`].
    suspicions: u8,
}

impl MtuProbe {
    /// Starts at [`BASE`], or at `limit` where that is less: what both ends and the interface allow. The first probe leaves with
    /// whatever is sent at `from` or later: it has no timer.
    pub(crate) fn new(limit: u32, from: Time) -> Self {
        Self {
            current: BASE.min(limit),
            limit,
            failed: u32::MAX,
            search: Search::Ready(from),
            tries: 0,
            suspicions: 0,
        }
    }

    /// Octets of UDP payload that a packet may have.
    pub(crate) fn current(&self) -> u32 {
        self.current
    }

    /// The size of a probe to send now, at most `room`, if one is due.
    pub(crate) fn due(&self, now: Time, room: u32) -> Option<u32> {
        match self.search {
            Search::Ready(from) if from <= now => self.target(room),
            Search::Ready(_) | Search::Outstanding(_) => None,
        }
    }

    /// A probe of that size left.
    pub(crate) fn on_probe_sent(&mut self, size: u32) {
        self.search = Search::Outstanding(size);
    }

    /// A probe of that size arrived.
    pub(crate) fn on_probe_acked(&mut self, now: Time, size: u32) {
        self.current = self.current.max(size.min(self.limit));
        self.tries = 0;
        self.suspicions = 0;
        self.next_size(now);
    }

    /// A probe was lost. The next one leaves no sooner than `retry_at`: of the same size, of the next smaller one after the
    /// last try, and in ten minutes when there is none.
    pub(crate) fn on_probe_lost(&mut self, now: Time, retry_at: Time) {
        let Search::Outstanding(size) = self.search else {
            return;
        };
        self.tries += 1;
        self.search = Search::Ready(retry_at);
        if self.tries == TRIES {
            self.failed = self.failed.min(size);
            self.tries = 0;
            self.next_size(now);
        }
    }

    /// This machine did not let a packet of that size out. Returns whether packets have to become smaller.
    pub(crate) fn on_refused(&mut self, now: Time, size: u32) -> bool {
        if size <= BASE {
            return false;
        }
        self.failed = self.failed.min(size);
        let shrinks = self.current >= self.failed;
        if shrinks {
            self.current = BASE.min(self.limit);
        }
        self.tries = 0;
        self.suspicions = 0;
        self.next_size(now);
        shrinks
    }

    /// A packet of that size arrived, which was no probe.
    pub(crate) fn on_acked(&mut self, size: u32) {
        if size > BASE {
            self.suspicions = 0;
        }
    }

    /// Packets were lost, of which the smallest had that size. Returns whether the path turned out to be a black hole for
    /// large packets, so that [`BASE`] applies again. Loss of a small packet shows that size is not the cause.
    pub(crate) fn on_lost(&mut self, now: Time, smallest: u32) -> bool {
        if smallest <= BASE {
            self.suspicions = 0;
            return false;
        }
        self.suspicions += 1;
        if self.suspicions < BLACK_HOLE_LOSSES {
            return false;
        }
        if self.current > COMMON {
            // Jumbo frames end somewhere by now; what is common may still pass.
            self.failed = self.current;
            self.current = BASE;
            self.tries = 0;
            self.suspicions = 0;
            self.next_size(now);
        } else {
            self.current = self.current.min(BASE);
            self.restart(now + AFTER_BLACK_HOLE);
        }
        true
    }

    /// The path was given up with all that was on its way; nobody will hear of a probe again.
    pub(crate) fn on_abandoned(&mut self) {
        if matches!(self.search, Search::Outstanding(_)) {
            self.search = Search::Ready(Time::ZERO);
        }
        self.suspicions = 0;
    }

    /// Begins anew, as if nothing had failed.
    fn restart(&mut self, from: Time) {
        self.search = Search::Ready(from);
        self.failed = u32::MAX;
        self.tries = 0;
        self.suspicions = 0;
    }

    /// Goes on with the next size, if something larger than now may pass.
    fn next_size(&mut self, now: Time) {
        if self.target(u32::MAX).is_some() || self.failed == u32::MAX {
            self.search = Search::Ready(now);
        } else {
            self.restart(now + RAISE_AFTER);
        }
    }

    fn target(&self, room: u32) -> Option<u32> {
        let passes = |size: &u32| self.current < *size && *size < self.failed && *size <= room;
        let sizes = if self.current < COMMON {
            [COMMON.min(self.limit), TUNNEL.min(self.limit)]
        } else {
            [self.limit, JUMBO.min(self.limit)]
        };
        sizes.into_iter().find(passes)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn at(seconds: u64) -> Time {
        Time::from_micros(seconds * 1_000_000)
    }

    /// A search that was told that each probe up to `passes` arrives and each larger one is lost. Returns the sizes tried.
    fn search(mtu: &mut MtuProbe, passes: u32, now: Time) -> Vec<u32> {
        let mut tried = Vec::new();
        while let Some(size) = mtu.due(now, u32::MAX) {
            tried.push(size);
            mtu.on_probe_sent(size);
            if size <= passes {
                mtu.on_probe_acked(now, size)
            } else {
                mtu.on_probe_lost(now, now)
            }
        }
        tried
    }

    fn black_hole(mtu: &mut MtuProbe, now: Time) -> bool {
        (0..3).any(|_| mtu.on_lost(now, 1_452))
    }

    // R8.24
    #[test]
    fn the_first_packets_have_the_base_size_and_a_probe_follows_when_its_time_has_come() {
        // RFC 9000, 14: at least 1200 octets; RFC 8899, 5.1.2.
        let mtu = MtuProbe::new(65_507, at(1));
        assert_eq!(mtu.current(), 1_200);
        assert_eq!(mtu.due(Time::from_micros(999_999), u32::MAX), None);
        assert_eq!(mtu.due(at(1), u32::MAX), Some(1_452));
    }

    #[test]
    fn only_one_probe_is_on_its_way() {
        let mut mtu = MtuProbe::new(1_452, Time::ZERO);
        mtu.on_probe_sent(1_452);
        assert_eq!(mtu.due(at(1_000), u32::MAX), None);
    }

    #[test]
    fn a_probe_that_arrived_raises_the_size_and_what_the_ends_allow_comes_next() {
        let mut mtu = MtuProbe::new(8_952, Time::ZERO);
        assert_eq!(search(&mut mtu, 9_000, at(0)), [1_452, 8_952]);
        assert_eq!(mtu.current(), 8_952);
    }

    // R8.24
    #[test]
    fn a_limit_is_never_exceeded() {
        for limit in [1_200, 1_300, 1_452] {
            let mut mtu = MtuProbe::new(limit, Time::ZERO);
            search(&mut mtu, 9_000, at(0));
            assert_eq!(mtu.current(), limit);
        }
        assert_eq!(MtuProbe::new(1_100, Time::ZERO).current(), 1_100);
    }

    #[test]
    fn what_jumbo_frames_and_tunnels_leave_is_found() {
        let mut mtu = MtuProbe::new(65_487, Time::ZERO);
        let tried = search(&mut mtu, 9_000, at(0));
        assert_eq!(tried, [1_452, 65_487, 65_487, 65_487, 8_952]);
        assert_eq!(mtu.current(), 8_952);
        assert_eq!(mtu.due(at(599), u32::MAX), None);
        assert_eq!(mtu.due(at(600), u32::MAX), Some(65_487));
        let mut mtu = MtuProbe::new(65_487, Time::ZERO);
        assert_eq!(search(&mut mtu, 1_400, at(0)), [1_452, 1_452, 1_452, 1_372]);
        assert_eq!(mtu.current(), 1_372);
    }

    #[test]
    fn a_window_that_holds_no_more_has_jumbo_frames_tried_first() {
        let mut mtu = MtuProbe::new(65_487, Time::ZERO);
        mtu.on_probe_acked(at(0), 1_452);
        assert_eq!(mtu.due(at(0), 8_951), None);
        assert_eq!(mtu.due(at(0), 20_000), Some(8_952));
        mtu.on_probe_sent(8_952);
        mtu.on_probe_acked(at(0), 8_952);
        assert_eq!(mtu.due(at(0), 70_000), Some(65_487));
    }

    #[test]
    fn jumbo_frames_that_vanish_leave_what_is_common() {
        let mut mtu = MtuProbe::new(8_952, Time::ZERO);
        search(&mut mtu, 9_000, at(0));
        assert!((0..3).any(|_| mtu.on_lost(at(1), 8_952)));
        assert_eq!(
            (mtu.current(), mtu.due(at(1), u32::MAX)),
            (1_200, Some(1_452))
        );
        assert_eq!(search(&mut mtu, 1_452, at(1)), [1_452]);
        assert_eq!(mtu.due(at(600), u32::MAX), None);
    }

    #[test]
    fn what_this_machine_refuses_is_not_tried_again_at_once() {
        let mut mtu = MtuProbe::new(65_487, Time::ZERO);
        mtu.on_probe_acked(at(0), 1_452);
        mtu.on_probe_sent(65_487);
        assert!(!mtu.on_refused(at(1), 65_487));
        assert_eq!(mtu.due(at(1), u32::MAX), Some(8_952));
        mtu.on_probe_sent(8_952);
        assert!(!mtu.on_refused(at(1), 8_952));
        assert_eq!((mtu.current(), mtu.due(at(600), u32::MAX)), (1_452, None));
        assert_eq!(mtu.due(at(601), u32::MAX), Some(65_487));
    }

    #[test]
    fn packets_that_the_machine_refuses_by_now_become_small_at_once() {
        let mut mtu = MtuProbe::new(65_487, Time::ZERO);
        search(&mut mtu, 65_487, at(0));
        assert!(mtu.on_refused(at(1), 65_487));
        assert_eq!(
            (mtu.current(), mtu.due(at(1), u32::MAX)),
            (1_200, Some(1_452))
        );
        assert!(!mtu.on_refused(at(1), 1_200), "nothing smaller is of use");
    }

    #[test]
    fn three_probes_are_tried_and_then_again_after_ten_minutes() {
        // RFC 8899, 5.1.1 and 5.1.2.
        let mut mtu = MtuProbe::new(1_452, Time::ZERO);
        assert_eq!(search(&mut mtu, 1_280, at(0))[..3], [1_452; 3]);
        assert_eq!(mtu.current(), 1_200);
        assert_eq!(mtu.due(at(599), u32::MAX), None);
        assert_eq!(search(&mut mtu, 1_452, at(600)), [1_452]);
        assert_eq!(mtu.current(), 1_452);
    }

    #[test]
    fn the_next_try_waits_until_it_is_told_to() {
        let mut mtu = MtuProbe::new(1_452, Time::ZERO);
        mtu.on_probe_sent(1_452);
        mtu.on_probe_lost(at(1), at(3));
        assert_eq!(mtu.due(at(2), u32::MAX), None);
        assert_eq!(mtu.due(at(3), u32::MAX), Some(1_452));
    }

    // R8.24
    #[test]
    fn three_losses_of_large_packets_only_are_a_black_hole() {
        // RFC 8899, 4.3.
        let mut mtu = MtuProbe::new(1_452, Time::ZERO);
        search(&mut mtu, 1_452, at(0));
        assert!(!mtu.on_lost(at(1), 1_452));
        assert!(!mtu.on_lost(at(2), 1_300));
        assert!(mtu.on_lost(at(3), 1_452));
        assert_eq!(mtu.current(), 1_200);
        assert_eq!(mtu.due(at(12), u32::MAX), None);
        assert_eq!(mtu.due(at(13), u32::MAX), Some(1_452));
        // It is one indeed.
        assert_eq!(
            search(&mut mtu, 1_200, at(13)),
            [1_452, 1_452, 1_452, 1_372, 1_372, 1_372]
        );
        assert_eq!(mtu.due(at(612), u32::MAX), None);
        assert_eq!(mtu.due(at(613), u32::MAX), Some(1_452));
    }

    #[test]
    fn a_probe_lost_in_a_black_hole_does_not_bring_the_next_one_forward() {
        let mut mtu = MtuProbe::new(8_952, Time::ZERO);
        mtu.on_probe_acked(at(0), 1_452);
        mtu.on_probe_sent(1_452);
        assert!(black_hole(&mut mtu, at(1)));
        mtu.on_probe_lost(at(1), at(2));
        assert_eq!(mtu.due(at(10), u32::MAX), None);
    }

    #[test]
    fn a_small_packet_that_was_lost_or_a_large_one_that_arrived_clears_the_suspicion() {
        let mut mtu = MtuProbe::new(1_452, Time::ZERO);
        search(&mut mtu, 1_452, at(0));
        for _ in 0..10 {
            mtu.on_lost(at(1), 1_452);
            mtu.on_lost(at(1), 1_452);
            mtu.on_lost(at(1), 1_200);
            mtu.on_lost(at(1), 1_452);
            mtu.on_lost(at(1), 1_452);
            mtu.on_acked(1_452);
            mtu.on_acked(1_200);
        }
        assert_eq!(mtu.current(), 1_452);
        assert!(
            black_hole(&mut mtu, at(2)),
            "a small one that arrived proves nothing"
        );
    }

    #[test]
    fn a_probe_that_was_abandoned_is_sent_again() {
        let mut mtu = MtuProbe::new(1_452, Time::ZERO);
        mtu.on_probe_sent(1_452);
        mtu.on_abandoned();
        assert_eq!(mtu.due(at(1), u32::MAX), Some(1_452));
    }

    #[test]
    fn a_probe_that_arrives_after_it_was_given_up_still_counts() {
        let mut mtu = MtuProbe::new(1_452, Time::ZERO);
        search(&mut mtu, 1_280, at(0));
        mtu.on_probe_acked(at(0), 1_452);
        assert_eq!(mtu.current(), 1_452);
    }
}
