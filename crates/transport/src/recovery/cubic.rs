//! CUBIC (RFC 9438): how the window grows in congestion avoidance, and how far it falls. In octets, where the RFC counts
//! segments.

use std::time::Duration;

use keyway_wire::Time;

/// Aggressiveness, in segments per cubic second (RFC 9438, 5).
const C: f64 = 0.4;

/// What remains of the window after congestion (RFC 9438, 4.6).
const BETA: f64 = 0.7;

/// Segments per round trip that make a flow with this `BETA` as fast as Reno (RFC 9438, 4.3).
const ALPHA: f64 = 3.0 * (1.0 - BETA) / (1.0 + BETA);

/// The target never exceeds the window by more than this (RFC 9438, 4.2).
const TARGET_MAX: f64 = 1.5;

/// One stage of congestion avoidance (RFC 9438, 4.1.2).
#[derive(Clone, Copy, Debug)]
struct Stage {
    /// The plateau, `W_max`, in octets.
    plateau: f64,
    /// Seconds from the start of the stage to the plateau, `K`.
    to_plateau: f64,
    /// Seconds of this stage in which the window was in use.
    elapsed: f64,
    /// Up to when `elapsed` counts; `None` while the window is not in use.
    counted_until: Option<Time>,
    /// What Reno would have by now, `W_est`, in octets.
    reno: f64,
    /// The window before the last reduction, `cwnd_prior`, in octets.
    prior: f64,
}

impl Stage {
    /// Octets that the curve has reached after that many seconds (RFC 9438, 4.2, figure 1).
    fn curve(&self, seconds: f64, packet: f64) -> f64 {
        C * packet * (seconds - self.to_plateau).powi(3) + self.plateau
    }

    /// Counts the time since the last call, unless the window was idle in between (RFC 9438, 5.8).
    fn count(&mut self, now: Time) {
        if let Some(until) = self.counted_until {
            self.elapsed += now.saturating_since(until).as_secs_f64();
        }
        self.counted_until = Some(now);
    }
}

/// Growth and reduction of the window. Windows and packets are in octets.
#[derive(Clone, Copy, Debug, Default)]
pub(crate) struct Cubic {
    /// Where the last reduction put the plateau.
    plateau: f64,
    /// `None` before the first stage, and after a collapse until slow start has ended.
    stage: Option<Stage>,
}

impl Cubic {
    /// The window after congestion, and the stage that follows (RFC 9438, 4.6, 4.7).
    pub(crate) fn reduce(&mut self, window: f64, packet: f64) -> f64 {
        // Fast convergence: a flow that did not get back to its plateau gives way to whoever took the difference.
        self.plateau = if window < self.plateau {
            window * (1.0 + BETA) / 2.0
        } else {
            window
        };
        let reduced = (window * BETA).max(2.0 * packet);
        self.stage = Some(Stage {
            plateau: self.plateau,
            to_plateau: ((self.plateau - reduced).max(0.0) / (C * packet)).cbrt(),
            elapsed: 0.0,
            counted_until: None,
            reno: reduced,
            prior: window,
        });
        reduced
    }

    /// The window collapsed: congestion avoidance begins anew where slow start ends (RFC 9438, 4.8).
    pub(crate) fn collapse(&mut self) {
        self.stage = None;
    }

    /// The window is not in use: this time does not count (RFC 9438, 5.8).
    pub(crate) fn pause(&mut self) {
        if let Some(stage) = &mut self.stage {
            stage.counted_until = None;
        }
    }

    /// The window after that many octets were acknowledged in congestion avoidance.
    pub(crate) fn grow(
        &mut self,
        now: Time,
        window: f64,
        octets: f64,
        rtt: Duration,
        packet: f64,
    ) -> f64 {
        // Slow start that ended without a loss begins a stage at its plateau (RFC 9438, 4.8, 4.10).
        let stage = self.stage.get_or_insert(Stage {
            plateau: window,
            to_plateau: 0.0,
            elapsed: 0.0,
            counted_until: None,
            reno: window,
            prior: window,
        });
        stage.count(now);
        let alpha = if stage.reno < stage.prior { ALPHA } else { 1.0 };
        stage.reno += alpha * packet * octets / window;
        if stage.curve(stage.elapsed, packet) < stage.reno {
            return window.max(stage.reno);
        }
        let target = stage
            .curve(stage.elapsed + rtt.as_secs_f64(), packet)
            .clamp(window, window * TARGET_MAX);
        window + (target - window) / window * octets
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const PACKET: f64 = 1_000.0;

    /// Acknowledges one window per round trip for some seconds, and returns the window, in packets, after each second.
    fn run(cubic: &mut Cubic, mut window: f64, rtt_ms: u32, seconds: u32) -> Vec<f64> {
        let rtt = Duration::from_millis(u64::from(rtt_ms));
        let mut now = Time::from_micros(1_000_000);
        let mut each_second = Vec::new();
        for _ in 0..seconds {
            for _ in 0..1_000 / rtt_ms {
                // Ten acknowledgements a round, as a path would bring them.
                for _ in 0..10 {
                    now += rtt / 10;
                    window = cubic.grow(now, window, window / 10.0, rtt, PACKET);
                }
            }
            each_second.push(window / PACKET);
        }
        each_second
    }

    #[test]
    fn congestion_leaves_seven_tenths() {
        // RFC 9438, 4.6.
        assert_eq!(Cubic::default().reduce(100_000.0, PACKET), 70_000.0);
    }

    #[test]
    fn two_packets_always_remain() {
        // RFC 9438, 4.6: ssthresh is at least two segments.
        assert_eq!(Cubic::default().reduce(2_100.0, PACKET), 2_000.0);
    }

    #[test]
    fn the_window_is_back_at_the_plateau_after_k_seconds_and_then_probes_beyond() {
        // RFC 9438, 4.2: with W_max = 1000 segments, K = cbrt(1000 * 0.3 / 0.4) = 9.09 s.
        let mut cubic = Cubic::default();
        let window = cubic.reduce(1_000_000.0, PACKET);
        let windows = run(&mut cubic, window, 100, 14);
        assert!(
            (900.0..=975.0).contains(&windows[3]),
            "concave: most of it comes early: {windows:?}"
        );
        assert!(
            (995.0..=1_001.0).contains(&windows[8]),
            "at the plateau: {windows:?}"
        );
        assert!(windows[13] > 1_030.0, "convex beyond: {windows:?}");
        let expected = 0.4 * (14.0 + 0.1 - 9.0856_f64).powi(3) + 1_000.0;
        assert!(
            (windows[13] - expected).abs() < 5.0,
            "{} where the curve says {expected}",
            windows[13]
        );
    }

    #[test]
    fn a_flow_that_did_not_get_back_to_its_plateau_gives_way() {
        // RFC 9438, 4.7: fast convergence.
        let mut cubic = Cubic::default();
        cubic.reduce(1_000_000.0, PACKET);
        cubic.reduce(800_000.0, PACKET);
        assert_eq!(cubic.plateau, 680_000.0);
        cubic.reduce(900_000.0, PACKET);
        assert_eq!(cubic.plateau, 900_000.0);
    }

    #[test]
    fn short_paths_are_as_fast_as_reno() {
        // RFC 9438, 4.3: at 10 ms and 30 packets the curve is slower than 0.53 packets a round trip.
        let mut cubic = Cubic::default();
        let window = cubic.reduce(30_000.0, PACKET);
        let windows = run(&mut cubic, window, 10, 1);
        // Nine packets up to the old window at 0.53 a round take 17 rounds; 83 rounds of one packet follow.
        assert!((98.0..=118.0).contains(&windows[0]), "{windows:?}");
    }

    #[test]
    fn a_single_round_never_adds_more_than_half() {
        // RFC 9438, 4.2: the target is at most 1.5 windows, however long the curve was not followed.
        let mut cubic = Cubic::default();
        let window = cubic.reduce(100_000.0, PACKET);
        cubic.grow(Time::ZERO, window, 0.0, Duration::from_millis(100), PACKET);
        let later = cubic.grow(
            Time::from_micros(3_600_000_000),
            window,
            window,
            Duration::from_millis(100),
            PACKET,
        );
        assert_eq!(later, window * 1.5);
    }

    #[test]
    fn time_in_which_the_window_was_not_in_use_does_not_count() {
        // RFC 9438, 5.8.
        let rtt = Duration::from_millis(100);
        let mut cubic = Cubic::default();
        let window = cubic.reduce(1_000_000.0, PACKET);
        cubic.grow(Time::ZERO, window, 0.0, rtt, PACKET);
        cubic.pause();
        let hour_later = Time::from_micros(3_600_000_000);
        let idle = cubic.grow(hour_later, window, window, rtt, PACKET);
        let mut busy = Cubic::default();
        busy.reduce(1_000_000.0, PACKET);
        busy.grow(Time::ZERO, window, 0.0, rtt, PACKET);
        assert_eq!(idle, busy.grow(Time::ZERO, window, window, rtt, PACKET));
    }

    #[test]
    fn after_a_collapse_the_plateau_is_where_slow_start_ended() {
        // RFC 9438, 4.8: K is 0 and W_max the window at the start of the stage.
        let mut cubic = Cubic::default();
        cubic.reduce(1_000_000.0, PACKET);
        cubic.collapse();
        let windows = run(&mut cubic, 500_000.0, 100, 2);
        let expected = 0.4 * 2.1_f64.powi(3) + 500.0;
        // Reno's one packet per round trip is faster than the start of the curve.
        assert!(windows[1] >= expected && windows[1] <= 521.0, "{windows:?}");
    }
}
