//! Flow control by credit (RFC 9000, 4), the same for one stream and for all streams together.

use std::time::Duration;

use keyway_wire::planted::{Fault, planted};
use keyway_wire::{Time, VarInt};

/// What the peer lets us send.
#[derive(Debug)]
pub(super) struct SendCredit {
    limit: u64,
    used: u64,
    want: Want,
}

/// Whether the peer knows that more credit is wanted.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Want {
    None,
    Untold,
    Told,
}

impl SendCredit {
    pub(super) fn new(limit: u64) -> Self {
        Self {
            limit: limit.min(VarInt::MAX.value()),
            used: 0,
            want: Want::None,
        }
    }

    /// Octets that may be sent.
    pub(super) fn available(&self) -> u64 {
        if planted(Fault::IgnoreFlowControl) {
            return u64::from(u32::MAX);
        }
        self.limit - self.used
    }

    /// Octets that were sent.
    pub(super) fn used(&self) -> u64 {
        self.used
    }

    /// New octets are on their way, at most as many as are available.
    pub(super) fn spend(&mut self, octets: u64) {
        debug_assert!(octets <= self.available());
        self.used += octets;
    }

    /// The peer named a limit; whether that is more than before. Smaller ones are old news (RFC 9000, 4.1).
    pub(super) fn raise(&mut self, limit: u64) -> bool {
        let raised = limit > self.limit;
        if raised {
            self.limit = limit.min(VarInt::MAX.value());
            self.want = Want::None;
        }
        raised
    }

    /// There was something to send and no credit; whether the peer is to be told. It is, once for each limit.
    pub(super) fn want(&mut self) -> bool {
        if self.want == Want::None {
            self.want = Want::Untold;
        }
        self.want == Want::Untold
    }

    /// The limit to name in a BLOCKED frame, if one is due.
    pub(super) fn blocked_at(&self) -> Option<u64> {
        (self.want == Want::Untold).then_some(self.limit)
    }

    /// The BLOCKED frame is on its way.
    pub(super) fn on_blocked_sent(&mut self) {
        self.want = Want::Told;
    }

    /// A BLOCKED frame was lost; whether it is to be sent again.
    pub(super) fn on_blocked_lost(&mut self) -> bool {
        if self.want == Want::Told {
            self.want = Want::Untold;
        }
        self.want == Want::Untold
    }
}

/// What we let the peer send: a window ahead of what was read.
///
/// The window doubles when half of it is read within two round trips: then the window, and not the reader, was what the
/// sender waited for.
///
/// The credit for all streams together is *shared*: octets that nobody reads widen its window one for one, up to the
/// maximum, so that a stream that is not read holds the others back only where memory runs out. For each stream alone,
/// its own window is the bound.
#[derive(Debug)]
pub(super) struct ReceiveCredit {
    window: u64,
    window_max: u64,
    shared: bool,
    /// The limit that the peer was told.
    granted: u64,
    /// Sum of the highest offsets received.
    received: u64,
    /// Octets read, or thrown away.
    consumed: u64,
    /// When what had been consumed: reading is timed from here.
    since: Option<(Time, u64)>,
    /// The frame that granted was lost.
    lost: bool,
}

impl ReceiveCredit {
    /// Credit for one stream.
    pub(super) fn new(window: u64, window_max: u64) -> Self {
        let window = window.min(VarInt::MAX.value());
        Self {
            window,
            window_max: window_max.max(window),
            shared: false,
            granted: window,
            received: 0,
            consumed: 0,
            since: None,
            lost: false,
        }
    }

    /// Credit for all streams together, of which the peer was told the first `granted` octets.
    pub(super) fn shared(granted: u64, window: u64, window_max: u64) -> Self {
        let credit = Self::new(window, window_max);
        Self {
            shared: true,
            granted: granted.min(credit.window),
            ..credit
        }
    }

    /// The limit that the peer was told.
    pub(super) fn granted(&self) -> u64 {
        self.granted
    }

    /// Octets that the peer may still send.
    pub(super) fn available(&self) -> u64 {
        self.granted - self.received
    }

    /// Octets that the peer sent.
    pub(super) fn received(&self) -> u64 {
        self.received
    }

    /// Octets that need room no more.
    pub(super) fn consumed(&self) -> u64 {
        self.consumed
    }

    /// The peer sent so many further octets, at most as many as were available.
    pub(super) fn receive(&mut self, octets: u64) {
        debug_assert!(octets <= self.available());
        self.received += octets;
    }

    /// So many octets of those received need room no more.
    pub(super) fn consume(&mut self, octets: u64) {
        self.consumed += octets;
        debug_assert!(self.consumed <= self.received);
    }

    /// Whether the peer should hear of more credit: a quarter of the window, so that a fast sender never waits and a slow
    /// one costs few frames.
    pub(super) fn is_due(&self) -> bool {
        self.lost || self.wanted() >= self.step()
    }

    /// What of [`wanted`](Self::wanted) is worth a frame.
    pub(super) fn step(&self) -> u64 {
        (self.window / 4).max(1)
    }

    /// Octets that could be granted by now.
    pub(super) fn wanted(&self) -> u64 {
        self.target() - self.granted
    }

    /// Whether the frame that granted was lost.
    pub(super) fn is_lost(&self) -> bool {
        self.lost
    }

    /// Grants what is read by now, in a wider window if the reader was fast. Returns the limit to tell.
    pub(super) fn grant(&mut self, now: Time, rtt: Duration) -> u64 {
        self.tune(now, rtt);
        self.grant_more(self.wanted())
    }

    /// Grants so many octets more. Returns the limit to tell.
    pub(super) fn grant_more(&mut self, octets: u64) -> u64 {
        self.lost = false;
        self.granted += octets;
        self.granted
    }

    /// The frame that told the limit was lost.
    pub(super) fn on_lost(&mut self) {
        self.lost = true;
    }

    fn target(&self) -> u64 {
        let unread = if self.shared {
            self.received - self.consumed
        } else {
            0
        };
        let ahead = self.window.saturating_add(unread).min(self.window_max);
        self.consumed
            .saturating_add(ahead)
            .clamp(self.granted, VarInt::MAX.value())
    }

    /// Widens the window if the reader was fast.
    pub(super) fn tune(&mut self, now: Time, rtt: Duration) {
        let Some((start, consumed)) = self.since else {
            self.since = Some((now, self.consumed));
            return;
        };
        if self.consumed - consumed < self.window / 2 {
            return;
        }
        if now.saturating_since(start) <= rtt.saturating_mul(2) {
            self.window = self.window.saturating_mul(2).min(self.window_max);
        }
        self.since = Some((now, self.consumed));
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const RTT: Duration = Duration::from_millis(100);

    fn millis(millis: u64) -> Time {
        Time::from_micros(millis * 1000)
    }

    /// The peer sends all it may, and all of that is read.
    fn pass_a_window(credit: &mut ReceiveCredit) {
        let octets = credit.available();
        credit.receive(octets);
        credit.consume(octets);
    }

    // R9.11
    #[test]
    fn a_lower_limit_is_old_news() {
        let mut credit = SendCredit::new(10);
        credit.spend(10);
        assert!(!credit.raise(5));
        assert_eq!(credit.available(), 0);
        assert!(credit.raise(12));
        assert_eq!(credit.available(), 2);
    }

    #[test]
    fn the_peer_hears_of_a_want_once_for_each_limit() {
        let mut credit = SendCredit::new(0);
        assert_eq!(credit.blocked_at(), None);
        assert!(credit.want());
        assert_eq!(credit.blocked_at(), Some(0));
        credit.on_blocked_sent();
        assert!(!credit.want());
        assert!(credit.on_blocked_lost());
        assert_eq!(credit.blocked_at(), Some(0));
        credit.raise(1);
        assert_eq!(credit.blocked_at(), None);
        assert!(!credit.on_blocked_lost());
    }

    // L6
    #[test]
    fn extreme_limits_do_not_overflow() {
        let mut credit = SendCredit::new(u64::MAX);
        assert_eq!(credit.available(), VarInt::MAX.value());
        credit.spend(VarInt::MAX.value());
        assert!(credit.raise(u64::MAX));
        assert_eq!(credit.available(), 0);

        let mut credit = ReceiveCredit::new(u64::MAX, u64::MAX);
        assert_eq!(credit.granted(), VarInt::MAX.value());
        pass_a_window(&mut credit);
        assert!(!credit.is_due());
        assert_eq!(credit.grant(millis(0), RTT), VarInt::MAX.value());
        assert_eq!(
            credit.grant(Time::from_micros(u64::MAX), Duration::MAX),
            VarInt::MAX.value()
        );
    }

    // R9.12
    #[test]
    fn credit_is_due_when_a_quarter_of_the_window_was_read() {
        let mut credit = ReceiveCredit::new(1000, 1000);
        credit.receive(1000);
        credit.consume(249);
        assert!(!credit.is_due());
        credit.consume(1);
        assert!(credit.is_due());
        assert_eq!(credit.grant(millis(0), RTT), 1250);
        assert!(!credit.is_due());
        credit.on_lost();
        assert!(credit.is_due());
        assert_eq!(credit.grant(millis(0), RTT), 1250);
    }

    #[test]
    fn a_window_of_one_octet_moves() {
        let mut credit = ReceiveCredit::new(1, 1);
        credit.receive(1);
        assert!(!credit.is_due());
        credit.consume(1);
        assert!(credit.is_due());
        assert_eq!(credit.grant(millis(0), RTT), 2);
    }

    // R9.12
    #[test]
    fn the_window_doubles_for_a_fast_reader_up_to_its_maximum() {
        let mut credit = ReceiveCredit::new(1000, 3000);
        let mut now = 0;
        let mut windows = Vec::new();
        for _ in 0..5 {
            pass_a_window(&mut credit);
            credit.grant(millis(now), RTT);
            windows.push(credit.available());
            now += 100;
        }
        assert_eq!(windows, [1000, 2000, 3000, 3000, 3000]);
    }

    // R9.12
    #[test]
    fn the_window_stays_for_a_slow_reader() {
        let mut credit = ReceiveCredit::new(1000, 1 << 20);
        for round in 0..10 {
            pass_a_window(&mut credit);
            credit.grant(millis(round * 201), RTT);
            assert_eq!(credit.available(), 1000);
        }
    }

    #[test]
    fn unread_octets_take_no_shared_credit_before_memory_runs_out() {
        let mut credit = ReceiveCredit::shared(1000, 1000, 3000);
        credit.receive(1000);
        assert!(credit.is_due());
        assert_eq!(credit.grant(millis(0), RTT), 2000);
        credit.receive(1000);
        assert_eq!(credit.grant(millis(0), RTT), 3000);
        credit.receive(1000);
        assert!(!credit.is_due());
        assert_eq!(credit.grant(millis(0), RTT), 3000);
        credit.consume(500);
        assert_eq!(credit.grant(millis(0), RTT), 3500);
    }

    #[test]
    fn reading_less_than_half_a_window_is_not_timed() {
        let mut credit = ReceiveCredit::new(1000, 1 << 20);
        for _ in 0..5 {
            credit.receive(99);
            credit.consume(99);
            credit.grant(millis(0), RTT);
            assert_eq!(credit.available(), 1000);
        }
        credit.receive(200);
        credit.consume(200);
        credit.grant(millis(0), RTT);
        assert_eq!(credit.available(), 2000);
    }
}
