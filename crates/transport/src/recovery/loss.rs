//! Which packets are lost (RFC 9002, 6.1), and what that says about the path (7.3 to 7.6).

use std::time::Duration;

use keyway_wire::Time;

use super::sent::{SentPacket, Slot};
use super::{AckOutcome, Recovery};

/// Probe timeouts that losses must span to be persistent congestion (RFC 9002, 7.6.1).
const PERSISTENT_CONGESTION_PTOS: u32 = 3;

/// Looks for a span of losses, with nothing acknowledged in between, long enough to be persistent congestion.
struct Span {
    required: Duration,
    /// Packets sent before the first round-trip sample do not count (RFC 9002, 7.6.2).
    from: Option<Time>,
    begin: Option<Time>,
    found: bool,
}

impl Span {
    fn on_acked(&mut self) {
        self.begin = None;
    }

    fn on_lost<F>(&mut self, packet: &SentPacket<F>) {
        if !packet.ack_eliciting || self.from.is_none_or(|from| packet.sent_at <= from) {
            return;
        }
        let begin = *self.begin.get_or_insert(packet.sent_at);
        self.found |= packet.sent_at.saturating_since(begin) > self.required;
    }
}

/// Losses that count as a sign of congestion: neither bare acknowledgements nor probes for a larger packet size.
fn is_congestion<F>(packet: &SentPacket<F>) -> bool {
    packet.in_flight && !packet.mtu_probe
}

impl<F> Recovery<F> {
    /// Moves packets that are late, by number or by time, to `out.lost`, and reacts to them.
    pub(super) fn detect_losses(&mut self, now: Time, out: &mut AckOutcome<F>) {
        self.loss_at = None;
        let Some(largest) = self.largest_acked else {
            return;
        };
        // What was acknowledged without a gap need not be looked at.
        self.sent.trim();
        let first = out.lost.len();
        let persistent = self.collect_losses(now, largest, out);
        if out.lost.len() == first {
            return;
        }
        self.sent.trim();
        let lost = &out.lost[first..];
        let event = self.react_to_losses(now, lost, persistent);
        for packet in lost {
            self.lost
                .insert(packet.number, event.filter(|_| is_congestion(packet)));
        }
    }

    /// Collects what is lost, and returns whether it amounts to persistent congestion.
    fn collect_losses(&mut self, now: Time, largest: u64, out: &mut AckOutcome<F>) -> bool {
        let delay = self.rtt.loss_delay();
        let threshold = self.lost.packet_threshold();
        let mut span = Span {
            required: self.pto_base() * PERSISTENT_CONGESTION_PTOS,
            from: self.rtt.first_sample_at(),
            begin: None,
            found: false,
        };
        for number in self.sent.base()..self.sent.next().min(largest) {
            match self.sent.slot(number) {
                Some(Slot::Sent(packet)) => {
                    let late_at = packet.sent_at + delay;
                    if late_at > now && largest - number < threshold {
                        // Later packets were sent no earlier, and are nearer to the largest.
                        self.loss_at = Some(late_at);
                        break;
                    }
                }
                Some(Slot::Acked) => span.on_acked(),
                Some(Slot::Gone) | None => {}
            }
            if let Some(packet) = self.sent.lose(number) {
                span.on_lost(&packet);
                out.lost.push(packet);
            }
        }
        span.found
    }

    /// Tells packet size and congestion control. Returns the congestion event that the losses belong to.
    fn react_to_losses(
        &mut self,
        now: Time,
        lost: &[SentPacket<F>],
        persistent: bool,
    ) -> Option<u64> {
        for probe in lost.iter().filter(|packet| packet.mtu_probe) {
            self.mtu.on_probe_lost(now, probe.sent_at + self.pto_base());
        }
        let counted = || lost.iter().filter(|packet| is_congestion(packet));
        let smallest = counted().map(|packet| packet.size).min()?;
        let newest = counted().map(|packet| packet.number).max()?;
        let count = u32::try_from(counted().count()).unwrap_or(u32::MAX);
        let event = self.congestion.on_lost(newest, count, self.sent.next());
        if persistent {
            self.congestion.on_persistent_congestion();
            self.rtt.restart_min();
        }
        if self.mtu.on_lost(now, smallest) {
            self.congestion.set_packet(self.mtu.current());
        }
        Some(event)
    }
}

#[cfg(test)]
mod tests {
    use super::super::TimeoutOutcome;
    use super::super::testing::{Sender, at};

    // R8.23
    #[test]
    fn a_packet_is_lost_when_one_three_numbers_later_is_acknowledged() {
        // RFC 9002, 6.1.1.
        let mut sender = Sender::measured();
        sender.send_many(100, 5);
        sender.ack(150, &[3..=3]);
        assert!(sender.lost().is_empty());
        sender.ack(150, &[4..=4]);
        assert_eq!(sender.lost(), [1]);
        sender.ack(150, &[5..=5]);
        assert_eq!(sender.lost(), [2]);
    }

    #[test]
    fn a_packet_is_lost_after_nine_eighths_of_the_round_trip() {
        // RFC 9002, 6.1.2: 112.5 ms after it was sent, once a later one is acknowledged.
        let mut sender = Sender::measured();
        sender.send(100);
        sender.send(101);
        sender.ack(201, &[2..=2]);
        assert!(sender.lost().is_empty());
        let due = sender.recovery.timeout().unwrap();
        assert_eq!(due, at(212) + std::time::Duration::from_micros(500));
        assert_eq!(sender.timeout(212), TimeoutOutcome::None);
        assert_eq!(sender.timeout(213), TimeoutOutcome::Lost);
        assert_eq!(sender.lost(), [1]);
        assert_eq!(sender.recovery.timeout(), None);
    }

    #[test]
    fn a_packet_after_the_largest_acknowledged_is_not_lost() {
        // RFC 9002, 6.1.
        let mut sender = Sender::measured();
        sender.send(100);
        sender.send(101);
        sender.ack(2_000, &[1..=1]);
        assert!(sender.lost().is_empty());
        assert_eq!(sender.recovery.in_flight(), 1_200);
    }

    #[test]
    fn several_losses_at_once_cut_the_window_once() {
        // RFC 9002, 7.3.2.
        let mut sender = Sender::measured();
        let before = sender.recovery.window();
        sender.send_many(100, 9);
        sender.ack(200, &[9..=9, 4..=4]);
        assert_eq!(sender.lost(), [1, 2, 3, 5, 6]);
        sender.timeout(400);
        assert_eq!(sender.lost(), [7, 8]);
        assert_eq!(sender.recovery.window(), before * 7 / 10);
    }

    #[test]
    fn the_loss_of_a_bare_acknowledgement_is_not_congestion() {
        // RFC 9002, 2 and 7: what is not in flight is not controlled.
        let mut sender = Sender::measured();
        let before = sender.recovery.window();
        sender.send_bare_ack(100);
        sender.send(100);
        sender.send_many(100, 3);
        sender.ack(200, &[2..=5]);
        assert_eq!(sender.lost(), [1]);
        assert!(sender.recovery.window() >= before);
    }

    // R8.24
    #[test]
    fn the_loss_of_a_size_probe_is_not_congestion() {
        // RFC 8899, 3, item 7; RFC 9000, 14.4.
        let mut sender = Sender::with_limit(1_452);
        sender.send(0);
        sender.ack(100, &[0..=0]);
        let before = sender.recovery.window();
        assert_eq!(sender.recovery.mtu_probe(at(100)), Some(1_452));
        sender.send_probe(100, 1_452);
        sender.send_many(100, 3);
        sender.ack(200, &[2..=4]);
        assert_eq!(sender.lost(), [0, 1][1..]);
        assert!(sender.recovery.window() >= before);
        assert_eq!(sender.recovery.mtu(), 1_200);
        assert_eq!(
            sender.recovery.mtu_probe(at(374)),
            None,
            "one timeout after the first"
        );
        assert_eq!(sender.recovery.mtu_probe(at(375)), Some(1_452));
    }

    #[test]
    fn losses_that_span_three_probe_timeouts_collapse_the_window() {
        // RFC 9002, 7.6. The second sample makes the probe timeout 275 ms.
        let mut sender = Sender::measured();
        sender.send(101);
        sender.send(927);
        sender.send(1_000);
        sender.send_many(1_001, 2);
        sender.ack(1_101, &[5..=5]);
        assert_eq!(sender.lost(), [1, 2]);
        assert_eq!(sender.recovery.window(), 2_400);
    }

    #[test]
    fn losses_that_span_less_cut_once() {
        // RFC 9002, 7.6.
        let mut sender = Sender::measured();
        let before = sender.recovery.window();
        sender.send(101);
        sender.send(926);
        sender.send(1_000);
        sender.send_many(1_001, 2);
        sender.ack(1_101, &[5..=5]);
        assert_eq!(sender.lost(), [1, 2]);
        assert_eq!(sender.recovery.window(), before * 7 / 10);
    }

    #[test]
    fn an_acknowledgement_in_between_rules_out_persistent_congestion() {
        // RFC 9002, 7.6.2.
        let mut sender = Sender::measured();
        sender.send(101);
        sender.send(600);
        sender.send(2_500);
        sender.send_many(2_501, 3);
        sender.ack(2_601, &[4..=6, 2..=2]);
        assert_eq!(sender.lost(), [1, 3]);
        assert!(sender.recovery.window() > 2_400);
    }

    #[test]
    fn losses_before_the_first_sample_are_not_persistent_congestion() {
        // RFC 9002, 7.6.2.
        let mut sender = Sender::new();
        sender.send(0);
        sender.send(20_000);
        sender.send(40_000);
        sender.ack(40_100, &[2..=2]);
        assert_eq!(sender.lost(), [0, 1]);
        assert!(sender.recovery.window() > 2_400);
    }

    #[test]
    fn after_persistent_congestion_the_minimum_round_trip_is_measured_anew() {
        // RFC 9002, 5.2.
        let mut sender = Sender::measured();
        sender.send(101);
        sender.send(2_400);
        sender.send(2_501);
        sender.ack(2_701, &[3..=3]);
        assert_eq!(sender.recovery.window(), 2_400, "collapsed");
        sender.send(2_701);
        sender.ack(3_001, &[4..=4]);
        assert_eq!(
            sender.recovery.rtt().min(),
            at(3_001).saturating_since(at(2_701))
        );
    }

    #[test]
    fn large_packets_that_vanish_thrice_make_the_path_small_again() {
        // RFC 8899, 4.3: a black hole; the answers to small packets show that it is not congestion.
        let mut sender = Sender::with_limit(1_452);
        sender.send_probe(0, 1_452);
        sender.ack(100, &[0..=0]);
        let mut now = 100;
        let mut cycles = 0;
        while sender.recovery.mtu() == 1_452 {
            cycles += 1;
            let large = sender.send_packet(now, 1_452, true, false);
            let due = sender.recovery.timeout().unwrap();
            now = u64::try_from(due.saturating_since(at(0)).as_millis()).unwrap() + 1;
            sender.timeout(now);
            assert_eq!(sender.recovery.mtu(), 1_200);
            let small = sender.send(now);
            now += 100;
            sender.ack(now, &[small..=small]);
            assert_eq!(sender.lost(), [large]);
        }
        assert_eq!(cycles, 3);
        sender.recovery.congestion.on_persistent_congestion();
        assert_eq!(
            sender.recovery.window(),
            2_400,
            "two packets of the size that passes"
        );
        assert!(now < 2_000, "{now} ms");
        assert_eq!(sender.recovery.mtu_probe(at(now + 9_000)), None);
        assert_eq!(sender.recovery.mtu_probe(at(now + 10_000)), Some(1_452));
    }
}
