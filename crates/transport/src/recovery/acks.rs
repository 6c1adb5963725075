//! What an acknowledgement settles (RFC 9002, A.7).

use std::ops::RangeInclusive;

use keyway_wire::{AckFrame, Time};

use super::{AckOutcome, OptimisticAck, Recovery};

impl<F> Recovery<F> {
    /// Takes an ACK of packets of this path. `same_path` says whether it arrived on the path itself: only then does it
    /// measure the round trip. Work is bounded by the ranges of the frame and by what is in flight.
    ///
    /// # Errors
    ///
    /// If it names a packet that was never sent. Nothing has changed then, and the peer is not to be trusted: close.
    pub(crate) fn on_ack(
        &mut self,
        now: Time,
        ack: &AckFrame<'_>,
        same_path: bool,
        out: &mut AckOutcome<F>,
    ) -> Result<(), OptimisticAck> {
        for range in ack.ranges {
            self.numbers.check(&range)?;
        }
        out.rtt_sample = None;
        let first = out.acked.len();
        let in_flight = self.sent.in_flight();
        let largest = ack.ranges.largest();
        for range in ack.ranges {
            self.settle(now, range, largest, out);
        }
        let newly = &out.acked[first..];
        let Some(newest) = newly.iter().max_by_key(|packet| packet.number) else {
            return Ok(());
        };
        let (newest, newest_sent_at) = (newest.number, newest.sent_at);
        let elicited = newly.iter().any(|packet| packet.ack_eliciting);
        self.largest_acked = self.largest_acked.max(Some(largest));
        self.last_ack_at = now;
        self.congestion.on_ack(newest, self.sent.next(), in_flight);
        if same_path && elicited && newest == largest {
            // The delay is what the peer says; it may not say more than it announced (RFC 9002, 5.3).
            let delay = ack.delay.min(self.max_ack_delay);
            let sample = now.saturating_since(newest_sent_at);
            let sample = self.rtt.update(now, sample, delay);
            self.congestion.on_rtt(sample);
            out.rtt_sample = Some(sample);
        }
        self.detect_losses(now, out);
        self.grow(now, first, out);
        self.pto_count = 0;
        self.probes = 0;
        Ok(())
    }

    /// Moves the packets of one range to `out.acked`, and notes which losses it disproves.
    fn settle(
        &mut self,
        now: Time,
        range: RangeInclusive<u64>,
        largest: u64,
        out: &mut AckOutcome<F>,
    ) {
        let disproved = self.lost.disprove(&range, largest, self.congestion.event());
        self.congestion.on_disproved(disproved);
        let (start, end) = (*range.start(), *range.end());
        for number in start.max(self.sent.base())..self.sent.next().min(end.saturating_add(1)) {
            if let Some(packet) = self.sent.acknowledge(number) {
                if packet.mtu_probe {
                    self.mtu.on_probe_acked(now, packet.size);
                    self.congestion.set_packet(self.mtu.current());
                } else {
                    self.mtu.on_acked(packet.size);
                }
                out.acked.push(packet);
            }
        }
    }

    /// Lets the window grow by what was acknowledged, after the losses of the same ACK had their say.
    fn grow(&mut self, now: Time, first: usize, out: &AckOutcome<F>) {
        let grows = |number| self.congestion.grows_with(number);
        let newly = out.acked[first..]
            .iter()
            .filter(|packet| packet.in_flight && grows(packet.number));
        let octets = newly.map(|packet| u64::from(packet.size)).sum();
        if octets > 0 {
            self.congestion.on_acked(now, octets, self.rtt.smoothed());
        }
        self.sent.trim();
    }
}

#[cfg(test)]
mod tests {
    use std::time::Duration;

    use super::super::OptimisticAck;
    use super::super::testing::{MS, Sender, at};

    #[test]
    fn every_packet_comes_back_once() {
        let mut sender = Sender::measured();
        sender.send_many(100, 6);
        sender.ack(200, &[4..=5, 1..=2]);
        assert_eq!(sender.acked(), [1, 2, 4, 5]);
        sender.ack(201, &[0..=6]);
        assert_eq!(sender.acked(), [3, 6]);
        assert!(sender.lost().is_empty());
        assert_eq!(sender.recovery.in_flight(), 0);
    }

    // R8.19
    #[test]
    fn the_round_trip_is_measured_by_the_largest_when_it_is_new() {
        // RFC 9002, 5.1.
        let mut sender = Sender::measured();
        sender.send(100);
        sender.send(110);
        sender.ack(250, &[2..=2]);
        assert_eq!(sender.out.rtt_sample, Some(140 * MS));
        sender.ack(300, &[1..=2]);
        assert_eq!(sender.out.rtt_sample, None, "the largest is not new");
        assert_eq!(sender.recovery.rtt().latest(), 140 * MS);
    }

    // R8.19
    #[test]
    fn an_acknowledgement_that_came_another_way_does_not_measure_this_path() {
        let mut sender = Sender::measured();
        sender.send(100);
        sender
            .try_ack(900, &[1..=1], Duration::ZERO, false)
            .unwrap();
        assert_eq!(sender.acked(), [1]);
        assert_eq!(sender.recovery.rtt().latest(), 100 * MS);
    }

    // R8.19
    #[test]
    fn an_acknowledgement_of_a_bare_acknowledgement_does_not_measure() {
        // RFC 9002, 5.1: nothing in it asked for an answer, so it may have waited for long.
        let mut sender = Sender::measured();
        sender.send_bare_ack(100);
        sender.ack(900, &[1..=1]);
        assert_eq!(sender.recovery.rtt().latest(), 100 * MS);
    }

    // R8.19
    #[test]
    fn the_peer_may_not_claim_more_delay_than_it_announced() {
        // RFC 9002, 5.3.
        let mut sender = Sender::measured();
        sender.send(100);
        sender
            .try_ack(300, &[1..=1], Duration::from_secs(3_600), true)
            .unwrap();
        assert_eq!(sender.out.rtt_sample, Some(175 * MS));
    }

    #[test]
    fn an_acknowledgement_of_what_was_not_sent_changes_nothing() {
        // RFC 9000, 13.1 and 21.4.
        let mut sender = Sender::measured();
        sender.send_many(100, 3);
        let refused = sender.try_ack(200, &[4..=4, 1..=2], Duration::ZERO, true);
        assert_eq!(refused, Err(OptimisticAck { number: 4 }));
        assert!(sender.acked().is_empty());
        assert_eq!(sender.recovery.in_flight(), 3_600);
    }

    // R6.7
    #[test]
    fn an_acknowledgement_of_a_number_left_out_is_refused() {
        // RFC 9000, 21.4.
        let mut sender = Sender::measured();
        let mut before = 0;
        let skipped = loop {
            let number = sender.send(100);
            if number > before + 1 {
                break number - 1;
            }
            before = number;
        };
        let refused = sender.try_ack(200, &[skipped - 1..=skipped + 1], Duration::ZERO, true);
        assert_eq!(refused, Err(OptimisticAck { number: skipped }));
        sender.ack(200, &[skipped + 1..=skipped + 1, 0..=skipped - 1]);
        assert_eq!(sender.acked().len() as u64, skipped);
    }

    #[test]
    fn a_late_acknowledgement_takes_the_cut_back_and_tolerates_as_much_reordering() {
        // RFC 9438, 4.9.2; RFC 9002, 6.1.1.
        let mut sender = Sender::measured();
        let before = sender.recovery.window();
        sender.send_many(100, 6);
        sender.ack(200, &[5..=5]);
        assert_eq!(sender.lost(), [1, 2]);
        assert_eq!(sender.recovery.window(), before * 7 / 10);
        sender.ack(201, &[5..=5, 1..=2]);
        assert!(
            sender.acked() == [5],
            "what was reported as lost is not reported again"
        );
        assert!(sender.recovery.window() >= before);
        sender.ack(201, &[3..=6]);
        sender.send_many(201, 6);
        sender.ack(300, &[11..=11]);
        assert!(sender.lost().is_empty(), "four apart is tolerated");
        sender.ack(300, &[12..=12]);
        assert_eq!(sender.lost(), [7], "five apart is not");
    }

    #[test]
    fn a_cut_with_one_real_loss_stays() {
        let mut sender = Sender::measured();
        let before = sender.recovery.window();
        sender.send_many(100, 6);
        sender.ack(200, &[5..=5]);
        sender.ack(201, &[5..=5, 1..=1]);
        assert_eq!(sender.recovery.window(), before * 7 / 10);
    }

    #[test]
    fn marked_packets_cut_the_window_once_per_round_trip() {
        // RFC 9002, 7.1.
        let mut sender = Sender::measured();
        sender.send_many(100, 4);
        sender.ack(200, &[1..=2]);
        let before = sender.recovery.window();
        sender.recovery.on_ecn_ce(1);
        assert_eq!(sender.recovery.window(), before * 7 / 10);
        sender.recovery.on_ecn_ce(1);
        sender.ack(201, &[3..=4]);
        sender.recovery.on_ecn_ce(2);
        assert_eq!(sender.recovery.window(), before * 7 / 10);
        sender.send(300);
        sender.ack(400, &[5..=5]);
        let before = sender.recovery.window();
        sender.recovery.on_ecn_ce(3);
        assert_eq!(sender.recovery.window(), before * 7 / 10);
    }

    #[test]
    fn a_size_probe_that_was_abandoned_is_sent_again() {
        let mut sender = Sender::with_limit(1_452);
        sender.send_probe(0, 1_452);
        assert_eq!(sender.recovery.mtu_probe(at(1_000)), None);
        sender.recovery.abandon(at(1_000), &mut sender.out);
        assert_eq!(sender.recovery.mtu_probe(at(1_000)), Some(1_452));
    }

    #[test]
    fn what_an_abandoned_path_carried_comes_back_as_lost_and_the_window_is_as_new() {
        let mut sender = Sender::measured();
        sender.send_many(100, 5);
        sender.ack(200, &[2..=2]);
        sender.timeout(2_000);
        let mut lost = sender.lost();
        sender.recovery.abandon(at(2_000), &mut sender.out);
        lost.extend(sender.lost());
        lost.sort_unstable();
        assert_eq!(lost, [1, 3, 4, 5]);
        assert_eq!(
            (sender.recovery.in_flight(), sender.recovery.window()),
            (0, 12_000)
        );
        assert_eq!(sender.recovery.timeout(), None);
        sender.ack(2_001, &[0..=5]);
        assert_eq!(sender.acked(), [2], "late acknowledgements are of no use");
        assert_eq!(
            sender.recovery.rtt().smoothed(),
            100 * MS,
            "the path may come back"
        );
    }
}
