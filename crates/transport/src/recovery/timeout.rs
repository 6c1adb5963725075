//! What happens when time passes: losses by time, and the probe timeout (RFC 9002, 6.2).

use std::time::Duration;

use keyway_wire::Time;

use super::{AckOutcome, Recovery};

/// Backoff never raises the probe timeout above this (the timeout without backoff may be longer). RFC 9002, 6.2.1 doubles
/// without bound; then a path that comes back after an outage is noticed as late again as the outage was long.
const PTO_BACKOFF_MAX: Duration = Duration::from_secs(2);

/// Packets to send when the probe timeout expires: one of them may be lost (RFC 9002, 6.2.4).
const PTO_PROBES: u8 = 2;

/// What a timeout meant.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum TimeoutOutcome {
    /// Nothing was due.
    None,
    /// Packets were late enough to be lost; they are in the outcome.
    Lost,
    /// No acknowledgement came. Nothing counts as lost, but `probes` ack-eliciting packets have to go out now, of new data
    /// or of what [`Recovery::probe_frames`] names, else a PING (RFC 9002, 6.2.4). The allowance covers them.
    Pto {
        /// How many.
        probes: u8,
    },
}

impl<F> Recovery<F> {
    /// Something is due: a loss by time, or the probe timeout. No-op when nothing is.
    pub(crate) fn on_timeout(&mut self, now: Time, out: &mut AckOutcome<F>) -> TimeoutOutcome {
        let awaited = self.pacing_deadline().is_some();
        self.pacer.on_timeout(now, awaited);
        if self.loss_at.is_some_and(|at| at <= now) {
            let before = out.lost.len();
            self.detect_losses(now, out);
            if out.lost.len() > before {
                return TimeoutOutcome::Lost;
            }
        }
        if self.loss_at.is_none() && self.pto_at().is_some_and(|at| at <= now) {
            self.pto_from = now;
            self.pto_count = self.pto_count.saturating_add(1);
            self.probes = PTO_PROBES;
            return TimeoutOutcome::Pto { probes: PTO_PROBES };
        }
        TimeoutOutcome::None
    }

    /// When [`on_timeout`](Self::on_timeout) has to be called; `Some` as long as ack-eliciting packets are in flight
    /// (RFC 9002, 6.2.1).
    pub(crate) fn timeout(&self) -> Option<Time> {
        self.loss_at.or_else(|| self.pto_at())
    }

    /// The probe timeout without backoff (RFC 9002, 6.2.1).
    pub(crate) fn pto_base(&self) -> Duration {
        self.rtt.pto_base(self.max_ack_delay)
    }

    /// Probe timeouts since something was acknowledged.
    #[cfg(test)]
    pub(crate) fn pto_count(&self) -> u32 {
        self.pto_count
    }

    /// Since when the peer owes an acknowledgement: the later of when the oldest ack-eliciting packet in flight was sent and
    /// when anything was last acknowledged. `None` when nothing ack-eliciting is in flight.
    pub(crate) fn unacked_since(&self) -> Option<Time> {
        if !self.sent.has_eliciting() {
            // Whoever only receives has hundreds of bare acknowledgements to look through, and asks with each batch.
            return None;
        }
        let oldest = self.sent.unresolved().find(|packet| packet.ack_eliciting)?;
        Some(oldest.sent_at.max(self.last_ack_at))
    }

    /// What the oldest ack-eliciting packets in flight carried: what a probe should repeat if there is nothing new.
    pub(crate) fn probe_frames(&self) -> impl Iterator<Item = &F> {
        let eliciting = self
            .sent
            .unresolved()
            .filter(|packet| packet.ack_eliciting && !packet.mtu_probe);
        eliciting
            .take(usize::from(PTO_PROBES))
            .map(|packet| &packet.frames)
    }

    /// Probes that a timeout asked for and that have not been sent.
    pub(crate) fn probes(&self) -> u8 {
        self.probes
    }

    fn pto_at(&self) -> Option<Time> {
        if !self.sent.has_eliciting() {
            return None;
        }
        let base = self.pto_base();
        // Beyond 2^16 any base exceeds the bound.
        let backed_off = base.saturating_mul(1 << self.pto_count.min(16));
        Some(self.pto_from + backed_off.min(base.max(PTO_BACKOFF_MAX)))
    }
}

#[cfg(test)]
mod tests {
    use super::super::testing::{MS, Sender, at};
    use super::*;

    #[test]
    fn nothing_in_flight_needs_no_timeout() {
        // RFC 9002, 6.2.1.
        let mut sender = Sender::new();
        assert_eq!(sender.recovery.timeout(), None);
        sender.send_bare_ack(0);
        assert_eq!(sender.recovery.timeout(), None);
        sender.send(0);
        assert!(sender.recovery.timeout().is_some());
        sender.ack(50, &[1..=1]);
        assert_eq!(
            sender.timeout(1_000),
            TimeoutOutcome::Lost,
            "the bare acknowledgement"
        );
        assert_eq!(sender.recovery.timeout(), None);
    }

    #[test]
    fn without_a_sample_the_probe_timeout_is_three_initial_round_trips() {
        // RFC 9002, 6.2.2: 333 ms, plus four times half of that, plus the delay of the peer.
        let mut sender = Sender::new();
        sender.send(0);
        assert_eq!(sender.recovery.timeout(), Some(at(333 + 666 + 25)));
    }

    #[test]
    fn the_probe_timeout_counts_from_the_last_ack_eliciting_packet() {
        // RFC 9002, 6.2.1.
        let mut sender = Sender::measured();
        assert_eq!(sender.recovery.pto_base(), 325 * MS);
        sender.send(100);
        sender.send(200);
        sender.send_bare_ack(300);
        assert_eq!(sender.recovery.timeout(), Some(at(525)));
        assert_eq!(sender.timeout(524), TimeoutOutcome::None);
        assert_eq!(sender.timeout(525), TimeoutOutcome::Pto { probes: 2 });
        assert!(
            sender.lost().is_empty(),
            "a timeout declares nothing lost (RFC 9002, 6.2)"
        );
    }

    #[test]
    fn each_timeout_doubles_the_next_up_to_two_seconds() {
        // RFC 9002, 6.2.1, but bounded.
        let mut sender = Sender::measured();
        sender.send(100);
        let mut now = at(100);
        let mut periods = Vec::new();
        for _ in 0..6 {
            let due = sender.recovery.timeout().unwrap();
            periods.push(due.saturating_since(now).as_millis());
            now = due;
            let outcome = sender.recovery.on_timeout(now, &mut sender.out);
            assert_eq!(outcome, TimeoutOutcome::Pto { probes: 2 });
        }
        assert_eq!(periods, [325, 650, 1_300, 2_000, 2_000, 2_000]);
        assert_eq!(sender.recovery.pto_count(), 6);
    }

    #[test]
    fn the_bound_is_on_the_backoff_and_not_on_the_timeout_itself() {
        let mut sender = Sender::new();
        sender.send(0);
        sender.ack(1_500, &[0..=0]);
        sender.send(1_500);
        let base = 1_500 + 4 * 750 + 25;
        assert_eq!(sender.recovery.timeout(), Some(at(1_500 + base)));
        sender.timeout(1_500 + base);
        assert_eq!(sender.recovery.timeout(), Some(at(1_500 + 2 * base)));
    }

    #[test]
    fn the_timer_moves_on_even_if_no_probe_could_be_sent() {
        let mut sender = Sender::measured();
        sender.send(100);
        assert_eq!(sender.timeout(60_000), TimeoutOutcome::Pto { probes: 2 });
        assert_eq!(sender.recovery.timeout(), Some(at(60_650)));
        assert_eq!(sender.timeout(60_000), TimeoutOutcome::None);
    }

    #[test]
    fn an_acknowledgement_ends_the_backoff() {
        // RFC 9002, 6.2.1.
        let mut sender = Sender::measured();
        sender.send(100);
        sender.timeout(425);
        sender.send(425);
        sender.ack(525, &[2..=2]);
        assert_eq!(sender.recovery.pto_count(), 0);
        assert_eq!(sender.recovery.probes(), 0);
        assert_eq!(
            sender.lost(),
            [1],
            "the probe's acknowledgement shows what the tail lost (RFC 9002, 6.2.4)"
        );
    }

    #[test]
    fn probes_may_leave_whatever_the_window_says() {
        // RFC 9002, 7.5.
        let mut sender = Sender::measured();
        while sender.recovery.window_available() >= 1_200 {
            sender.send(100);
        }
        assert_eq!(sender.recovery.send_allowance(at(425)), 0);
        sender.timeout(425);
        assert_eq!(sender.recovery.send_allowance(at(425)), 2_400);
        sender.send(425);
        assert_eq!(sender.recovery.send_allowance(at(425)), 1_200);
        sender.send_bare_ack(425);
        assert_eq!(
            sender.recovery.send_allowance(at(425)),
            1_200,
            "a bare acknowledgement is no probe"
        );
        sender.send(425);
        assert_eq!(sender.recovery.send_allowance(at(425)), 0);
    }

    #[test]
    fn probes_repeat_what_is_oldest_in_flight() {
        // RFC 9002, 6.2.4.
        let mut sender = Sender::measured();
        sender.send_bare_ack(100);
        sender.send_many(100, 4);
        let frames: Vec<u64> = sender.recovery.probe_frames().copied().collect();
        assert_eq!(frames, [2, 3]);
    }

    #[test]
    fn packets_are_small_while_the_peer_does_not_answer() {
        let mut sender = Sender::with_limit(8_952);
        sender.send_probe(0, 1_452);
        sender.ack(100, &[0..=0]);
        assert_eq!(sender.recovery.mtu(), 1_452);
        sender.send(100);
        sender.timeout(425);
        assert_eq!(sender.recovery.mtu(), 1_200);
        assert_eq!(
            sender.recovery.mtu_probe(at(425)),
            None,
            "nor is it the time to try larger ones"
        );
        sender.send(425);
        sender.ack(525, &[2..=2]);
        assert_eq!(sender.recovery.mtu(), 1_452);
    }

    #[test]
    fn the_peer_owes_an_acknowledgement_since_the_oldest_packet_or_the_last_one() {
        let mut sender = Sender::new();
        assert_eq!(sender.recovery.unacked_since(), None);
        sender.send_bare_ack(1_000);
        assert_eq!(sender.recovery.unacked_since(), None);
        sender.send(1_190);
        sender.send(1_200);
        assert_eq!(sender.recovery.unacked_since(), Some(at(1_190)));
        sender.ack(1_300, &[2..=2]);
        assert_eq!(sender.recovery.unacked_since(), Some(at(1_300)));
        sender.ack(1_301, &[1..=1]);
        assert_eq!(sender.recovery.unacked_since(), None);
    }
}
