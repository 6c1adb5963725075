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
