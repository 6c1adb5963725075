//! How much may be in flight: the window, its slow start, and its reactions to congestion (RFC 9002, 7).

use std::time::Duration;

use keyway_wire::Time;

use super::cubic::Cubic;
use super::hystart::HyStart;
use super::pacer::Pace;

/// Packets in the first window, and the octets that bound it for large packets (RFC 9002, 7.2).
const INITIAL_PACKETS: f64 = 10.0;
const INITIAL_OCTETS: f64 = 14_720.0;

/// Packets that the window never falls below (RFC 9002, 7.2).
const MINIMUM_PACKETS: f64 = 2.0;

/// Pacing leads the window a little, so that it never is what limits (RFC 9002, 7.7); in slow start it must double it.
const PACING_GAIN: f64 = 1.25;
const PACING_GAIN_SLOW_START: f64 = 2.0;

/// All that a reduction changes, and that comes back when it turns out to have been for nothing.
#[derive(Clone, Copy, Debug)]
struct Control {
    /// Octets.
    window: f64,
    /// Octets; slow start below, congestion avoidance above. Infinite until something ended the first slow start.
    threshold: f64,
    cubic: Cubic,
    hystart: HyStart,
    /// Packets below this number were sent before the last reduction: they neither cause another nor let the window grow
    /// (RFC 9002, 7.3.2). Numbers, because several packets share a time.
    recovery_until: u64,
}

/// How to take back the last reduction (RFC 9438, 4.9).
#[derive(Clone, Copy, Debug)]
struct Undo {
    before: Control,
    /// Losses of this event that are not disproved.
    losses: u32,
}

/// The congestion controller of one path.
#[derive(Debug)]
pub(crate) struct Congestion {
    control: Control,
    /// Octets of a full packet.
    packet: f64,
    /// Counts reductions and undone ones, so that a loss can be assigned to its event.
    event: u64,
    undo: Option<Box<Undo>>,
    /// The round trip is over when a packet from here on is acknowledged.
    round_end: u64,
    /// Most octets in flight in this round.
    flight_peak: u64,
}

impl Congestion {
    /// A controller at the initial window, for packets of that many octets.
    pub(crate) fn new(packet: u32) -> Self {
        let packet = f64::from(packet);
        let window = (INITIAL_PACKETS * packet).min(INITIAL_OCTETS.max(MINIMUM_PACKETS * packet));
        let control = Control {
            window,
            threshold: f64::INFINITY,
            cubic: Cubic::default(),
            hystart: HyStart::default(),
            recovery_until: 0,
        };
        Self {
            control,
            packet,
            event: 0,
            undo: None,
            round_end: 0,
            flight_peak: 0,
        }
    }

    /// Octets that may be in flight.
    pub(crate) fn window(&self) -> u64 {
        whole(self.control.window)
    }

    /// Names the current congestion event, for [`on_disproved`](Self::on_disproved).
    pub(crate) fn event(&self) -> u64 {
        self.event
    }

    /// The rate at which the window may leave, given the round trip.
    pub(crate) fn pace(&self, smoothed: Duration) -> Pace {
        let gain = if self.in_slow_start() {
            PACING_GAIN_SLOW_START
        } else {
            PACING_GAIN
        };
        Pace {
            rate: gain * self.control.window / smoothed.as_secs_f64(),
            packet: self.packet,
        }
    }

    /// Packets have another size from now on.
    pub(crate) fn set_packet(&mut self, packet: u32) {
        self.packet = f64::from(packet);
        self.control.window = self.control.window.max(MINIMUM_PACKETS * self.packet);
    }

    /// Starts afresh, because the path was given up. Event numbers go on.
    pub(crate) fn reset(&mut self, next: u64) {
        let fresh = Self::new(u32::try_from(whole(self.packet)).unwrap_or(u32::MAX));
        *self = Self {
            event: self.event + 1,
            round_end: next,
            ..fresh
        };
        self.control.recovery_until = next;
    }

    /// A packet left, after which that many octets are in flight; before it, there were `before`.
    pub(crate) fn on_sent(&mut self, before: u64, in_flight: u64) {
        if before == 0 {
            self.control.cubic.pause();
        }
        self.flight_peak = self.flight_peak.max(in_flight);
    }

    /// An acknowledgement came, for packets up to `largest`, when `in_flight` octets were in flight and `next` was the next
    /// number to send. Call before the rest.
    pub(crate) fn on_ack(&mut self, largest: u64, next: u64, in_flight: u64) {
        if largest < self.round_end {
            return;
        }
        self.round_end = next;
        self.flight_peak = in_flight;
        if self.in_first_slow_start() && self.control.hystart.on_round() {
            self.control.threshold = self.control.window;
        }
    }

    /// A round-trip sample came, without the peer's delay.
    pub(crate) fn on_rtt(&mut self, sample: Duration) {
        if self.in_first_slow_start() {
            self.control.hystart.on_sample(sample);
        }
    }

    /// Whether the acknowledgement of this number lets the window grow.
    pub(crate) fn grows_with(&self, number: u64) -> bool {
        number >= self.control.recovery_until
    }

    /// That many octets were acknowledged, of packets with which the window [grows](Self::grows_with).
    pub(crate) fn on_acked(&mut self, now: Time, octets: u64, smoothed: Duration) {
        if !self.is_used() {
            self.control.cubic.pause();
            return;
        }
        let octets = real(octets);
        let control = &mut self.control;
        if control.window >= control.threshold {
            control.window = control
                .cubic
                .grow(now, control.window, octets, smoothed, self.packet);
        } else if control.threshold.is_finite() {
            control.window = (control.window + octets).min(control.threshold);
        } else {
            control.window += control.hystart.growth(octets);
        }
    }

    /// `count` packets up to number `largest` were lost, and `next` is the next number to send. Reduces the window once per
    /// round trip (RFC 9002, 7.3.2). Returns the event that they belong to.
    pub(crate) fn on_lost(&mut self, largest: u64, count: u32, next: u64) -> u64 {
        if largest >= self.control.recovery_until {
            self.undo = Some(Box::new(Undo {
                before: self.control,
                losses: 0,
            }));
            self.reduce(next);
        }
        if let Some(undo) = &mut self.undo {
            undo.losses = undo.losses.saturating_add(count);
        }
        self.event
    }

    /// Nothing came through for a long time: back to the minimum, and slow start (RFC 9002, 7.6.2).
    pub(crate) fn on_persistent_congestion(&mut self) {
        self.control.window = MINIMUM_PACKETS * self.packet;
        self.control.cubic.collapse();
    }

    /// Routers marked packets instead of dropping them; `largest` is the highest number acknowledged (RFC 9002, 7.1).
    pub(crate) fn on_marked(&mut self, largest: u64, next: u64) {
        if largest >= self.control.recovery_until {
            self.reduce(next);
        }
        // Whatever else caused this reduction, congestion did too.
        self.undo = None;
    }

    /// That many losses of the current event arrived after all. When all did, the window is what it was (RFC 9438, 4.9.2).
    pub(crate) fn on_disproved(&mut self, count: u32) {
        let Some(undo) = &mut self.undo else { return };
        undo.losses = undo.losses.saturating_sub(count);
        if count == 0 || undo.losses > 0 {
            return;
        }
        let window = undo.before.window.max(self.control.window);
        self.control = Control {
            window,
            ..undo.before
        };
        self.control.cubic.pause();
        self.undo = None;
        self.event += 1;
    }

    fn reduce(&mut self, next: u64) {
        let control = &mut self.control;
        control.window = control.cubic.reduce(control.window, self.packet);
        control.threshold = control.window;
        control.recovery_until = next;
        self.event += 1;
    }

    fn in_slow_start(&self) -> bool {
        self.control.window < self.control.threshold
    }

    /// HyStart++ is for the first slow start only (RFC 9406, 4.3).
    fn in_first_slow_start(&self) -> bool {
        self.control.threshold.is_infinite()
    }

    /// Whether the window was what limited in this round; a window that is not used is not proved either, and must not
    /// grow (RFC 9002, 7.8). Judged by what was in flight, so nobody has to tell. Slow start needs only half of it, because
    /// twice what was in flight is what it may grow to.
    fn is_used(&self) -> bool {
        let peak = real(self.flight_peak);
        if self.in_slow_start() {
            2.0 * peak >= self.control.window
        } else {
            peak + self.packet > self.control.window
        }
    }
}

/// Octets as a real number. Exact up to 2^53.
#[expect(
    clippy::cast_precision_loss,
    reason = "nine petaoctets are more than any window"
)]
fn real(octets: u64) -> f64 {
    octets as f64
}

/// Whole octets of a real number that is not negative.
#[expect(
    clippy::cast_possible_truncation,
    clippy::cast_sign_loss,
    reason = "`as` saturates, and windows are positive"
)]
pub(crate) fn whole(octets: f64) -> u64 {
    octets as u64
}

#[cfg(test)]
mod tests {
    use super::*;

    const RTT: Duration = Duration::from_millis(100);

    fn controller() -> Congestion {
        Congestion::new(1_200)
    }

    fn at(ms: u64) -> Time {
        Time::from_micros(ms * 1_000)
    }

    /// One round trip in which that share of the window was in flight and is acknowledged. Returns the next number.
    fn round(congestion: &mut Congestion, now: Time, first: u64, share: f64) -> u64 {
        let octets = whole(congestion.control.window * share);
        let next = first + octets.div_ceil(1_200);
        congestion.on_sent(1, octets);
        congestion.on_ack(next - 1, next, octets);
        congestion.on_rtt(RTT);
        if congestion.grows_with(next - 1) {
            congestion.on_acked(now, octets, RTT);
        }
        next
    }

    #[test]
    fn the_first_window_is_ten_packets_or_less_of_large_ones() {
        // RFC 9002, 7.2.
        assert_eq!(Congestion::new(1_200).window(), 12_000);
        assert_eq!(Congestion::new(8_900).window(), 17_800);
    }

    #[test]
    fn slow_start_doubles_the_window_each_round_trip() {
        // RFC 9002, 7.3.1.
        let mut congestion = controller();
        let next = round(&mut congestion, at(0), 0, 1.0);
        assert_eq!(congestion.window(), 24_000);
        round(&mut congestion, at(100), next, 1.0);
        assert_eq!(congestion.window(), 48_000);
    }

    #[test]
    fn several_losses_of_one_round_trip_cut_once() {
        // RFC 9002, 7.3.2.
        let mut congestion = controller();
        assert_eq!(congestion.on_lost(3, 1, 10), 1);
        assert_eq!(congestion.window(), 8_400);
        assert_eq!(congestion.on_lost(9, 2, 12), 1);
        assert_eq!(congestion.window(), 8_400);
        assert_eq!(congestion.on_lost(10, 1, 14), 2);
        assert_eq!(congestion.window(), 5_880);
    }

    #[test]
    fn packets_sent_before_the_reduction_do_not_let_the_window_grow() {
        // RFC 9002, 7.3.2.
        let mut congestion = controller();
        congestion.on_lost(3, 1, 10);
        assert!(!congestion.grows_with(9));
        assert!(congestion.grows_with(10));
    }

    #[test]
    fn the_window_never_falls_below_two_packets() {
        // RFC 9002, 7.2.
        let mut congestion = controller();
        for event in 0..20 {
            congestion.on_lost(event, 1, event + 1);
        }
        assert_eq!(congestion.window(), 2_400);
        congestion.on_persistent_congestion();
        assert_eq!(congestion.window(), 2_400);
    }

    #[test]
    fn a_window_that_is_not_used_does_not_grow() {
        // RFC 9002, 7.8.
        let mut congestion = controller();
        round(&mut congestion, at(0), 0, 0.4);
        assert_eq!(congestion.window(), 12_000, "slow start");
        congestion.on_lost(10, 1, 10);
        let next = round(&mut congestion, at(100), 10, 1.0);
        let used = congestion.window();
        assert!(used > 8_400);
        let next = round(&mut congestion, at(200), next, 0.8);
        let next = round(&mut congestion, at(10_000), next, 0.8);
        assert_eq!(congestion.window(), used, "congestion avoidance");
        round(&mut congestion, at(10_100), next, 1.0);
        let grown = congestion.window() - used;
        assert!(
            (1..=1_200).contains(&grown),
            "by {grown}: ten idle seconds are not made up for (RFC 9438, 5.8)"
        );
    }

    #[test]
    fn an_idle_hour_does_not_count_as_growth() {
        // RFC 9438, 5.8.
        let mut congestion = controller();
        for event in 0..3 {
            round(&mut congestion, at(event * 100), event * 1_000, 1.0);
        }
        congestion.on_lost(2_999, 1, 3_000);
        let before = congestion.window();
        round(&mut congestion, at(1_000), 3_000, 1.0);
        congestion.on_sent(0, 1_200);
        round(&mut congestion, at(3_600_000), 4_000, 1.0);
        assert!(
            congestion.window() <= before + 3 * 1_200,
            "{before} grew to {}",
            congestion.window()
        );
    }

    #[test]
    fn the_first_slow_start_ends_when_the_round_trip_grows_and_nothing_is_lost() {
        // RFC 9406, 4.2: five rounds of conservative slow start follow.
        let mut congestion = controller();
        let mut next = 0;
        let mut rounds = 0;
        while congestion.in_slow_start() {
            rounds += 1;
            assert!(rounds < 20, "slow start goes on for ever");
            let rtt = if rounds < 4 { RTT } else { RTT * 2 };
            let octets = congestion.window();
            let (first, last) = (next, next + 9);
            next += 10;
            congestion.on_sent(1, octets);
            for number in first..=last {
                congestion.on_ack(number, next, octets);
                congestion.on_rtt(rtt);
                congestion.on_acked(at(0), octets / 10, rtt);
            }
        }
        // Three rounds double the window, part of the fourth too; then it grows by a quarter five times.
        assert_eq!(rounds, 9);
        let window = congestion.window();
        assert!((200_000..400_000).contains(&window), "{window}");
    }

    #[test]
    fn after_a_collapse_congestion_avoidance_starts_anew_where_slow_start_ended() {
        // RFC 9438, 4.8: not on the curve from before, which would soon be back at the old window.
        let mut congestion = controller();
        let mut next = 0;
        for _ in 0..7 {
            next = round(&mut congestion, at(0), next, 1.0);
        }
        congestion.on_lost(next, 1, next);
        congestion.on_persistent_congestion();
        while congestion.in_slow_start() {
            next = round(&mut congestion, at(0), next, 1.0);
        }
        let threshold = congestion.window();
        for tenth in 1..=20 {
            next = round(&mut congestion, at(100 * tenth), next, 1.0);
        }
        let grown = congestion.window() - threshold;
        assert!(
            grown <= 21 * 1_200,
            "by {grown} from {threshold} in two seconds"
        );
    }

    #[test]
    fn persistent_congestion_restarts_slow_start_up_to_the_reduced_window() {
        // RFC 9002, 7.6.2 and B.8.
        let mut congestion = controller();
        congestion.on_lost(9, 10, 10);
        congestion.on_persistent_congestion();
        assert_eq!(congestion.window(), 2_400);
        let mut next = 10;
        for expected in [4_800, 8_400] {
            next = round(&mut congestion, at(next), next, 1.0);
            assert_eq!(congestion.window(), expected);
        }
        round(&mut congestion, at(1_000), next, 1.0);
        assert!(
            (8_400..=9_600).contains(&congestion.window()),
            "no doubling beyond: {}",
            congestion.window()
        );
    }

    #[test]
    fn marked_packets_cut_like_lost_ones_once_per_round_trip() {
        // RFC 9002, 7.1.
        let mut congestion = controller();
        congestion.on_marked(3, 10);
        congestion.on_marked(9, 11);
        assert_eq!(congestion.window(), 8_400);
        congestion.on_marked(10, 12);
        assert_eq!(congestion.window(), 5_880);
    }

    #[test]
    fn a_reduction_for_nothing_is_taken_back_when_all_its_losses_arrived() {
        // RFC 9438, 4.9.2.
        let mut congestion = controller();
        let event = congestion.on_lost(3, 2, 10);
        congestion.on_lost(5, 1, 10);
        assert_eq!(congestion.event(), event);
        congestion.on_disproved(2);
        assert_eq!(congestion.window(), 8_400, "one is still missing");
        congestion.on_disproved(1);
        assert_eq!(congestion.window(), 12_000);
        assert!(congestion.in_first_slow_start());
        assert!(congestion.grows_with(0), "no longer in recovery");
        assert_ne!(
            congestion.event(),
            event,
            "what is disproved later belongs to a closed event"
        );
    }

    #[test]
    fn a_collapse_for_nothing_is_taken_back_as_well() {
        // RFC 9438, 4.9.1: a path that stalled, not one that dropped.
        let mut congestion = controller();
        congestion.on_lost(9, 10, 10);
        congestion.on_persistent_congestion();
        congestion.on_disproved(10);
        assert_eq!(congestion.window(), 12_000);
    }

    #[test]
    fn a_reduction_that_marks_confirmed_stays() {
        let mut congestion = controller();
        congestion.on_lost(3, 1, 10);
        congestion.on_marked(5, 10);
        congestion.on_disproved(1);
        assert_eq!(congestion.window(), 8_400);
    }

    #[test]
    fn pacing_leads_the_window_by_a_quarter_and_in_slow_start_by_its_double() {
        // RFC 9002, 7.7.
        let mut congestion = controller();
        assert_eq!(whole(congestion.pace(RTT).rate), 240_000);
        congestion.on_lost(3, 1, 10);
        assert_eq!(whole(congestion.pace(RTT).rate), 105_000);
    }

    #[test]
    fn a_larger_packet_raises_the_minimum_and_nothing_else() {
        let mut congestion = controller();
        congestion.set_packet(1_452);
        assert_eq!(congestion.window(), 12_000);
        congestion.set_packet(8_900);
        assert_eq!(congestion.window(), 17_800);
    }
}
