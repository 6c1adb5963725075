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
        let first = out.acked.len();
        let in_flight = self.sent.in_flight();
        let largest = ack.ranges.largest();
        for range in ack.ranges {
            self.settle(range, largest, out);
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
        out.rtt_sample = None;
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
    fn settle(&mut self, range: RangeInclusive<u64>, largest: u64, out: &mut AckOutcome<F>) {
        let disproved = self.lost.disprove(&range, largest, self.congestion.event());
        self.congestion.on_disproved(disproved);
        let (start, end) = (*range.start(), *range.end());
        for number in start.max(self.sent.base())..self.sent.next().min(end.saturating_add(1)) {
            if let Some(packet) = self.sent.acknowledge(number) {
                if packet.mtu_probe {
                    self.mtu.on_probe_acked(packet.size);
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
