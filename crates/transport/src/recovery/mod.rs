//! What one path knows about what it has in flight: loss recovery and congestion control (RFC 9002).
//!
//! One [`Recovery`] belongs to one path. Its packet numbers go on when the path changes its CID. It never looks into
//! packets: `F` is whatever the caller wants back with each of them. Every packet comes back once, as acknowledged or as
//! lost; only bare acknowledgements may be forgotten, when the peer acknowledges none of a great many, or when the path rests.
//!
//! ```text
//! to send:     mtu_probe, send_allowance ──> next_number, seal ──> on_sent     (bare acknowledgements need no allowance)
//! ACK came:    on_ack ──> drain AckOutcome: acked, then lost ──> send
//! time passed: on_timeout ──> drain AckOutcome ──> send; after Pto at least `probes` packets
//! then wait:   timeout, and pacing_deadline if something waits to be sent
//! ```
//!
//! What bounds memory: the congestion window for packets in flight, [`sent`] for bare acknowledgements, [`spurious`] for
//! losses remembered. What bounds work: each ACK passes the numbers between the oldest unresolved one and the newest once.

mod acks;
mod congestion;
mod cubic;
mod hystart;
mod loss;
mod pacer;
mod rtt;
mod sent;
mod skip;
mod spurious;
mod timeout;

#[cfg(test)]
mod bottleneck;
#[cfg(test)]
mod properties;
#[cfg(test)]
mod testing;

use std::time::Duration;

use keyway_wire::Time;
use rand_core::Rng;

pub(crate) use self::rtt::Rtt;
pub(crate) use self::sent::SentPacket;
pub(crate) use self::skip::OptimisticAck;
pub(crate) use self::timeout::TimeoutOutcome;

use self::congestion::{Congestion, whole};
use self::pacer::Pacer;
use self::sent::{SentPackets, Slot};
use self::skip::Numbers;
use self::spurious::LostRecords;
use crate::mtu::{BASE, FIRST_PROBE_AFTER, MtuProbe};

/// The round trip that a path without a sample is assumed to take (RFC 9002, 6.2.2).
pub(crate) const INITIAL_RTT: Duration = Duration::from_millis(333);

/// What an acknowledgement or a timeout settled. The caller keeps one and drains it after each call; nothing is cleared
/// here, so nothing is forgotten.
#[derive(Debug)]
pub(crate) struct AckOutcome<F> {
    /// Packets that arrived, in no particular order.
    pub(crate) acked: Vec<SentPacket<F>>,
    /// Packets to take for lost, by ascending number.
    pub(crate) lost: Vec<SentPacket<F>>,
    /// The round trip that the last acknowledgement measured, less the peer's delay.
    pub(crate) rtt_sample: Option<Duration>,
}

impl<F> Default for AckOutcome<F> {
    fn default() -> Self {
        Self {
            acked: Vec::new(),
            lost: Vec::new(),
            rtt_sample: None,
        }
    }
}

/// Loss recovery and congestion control of one path.
#[derive(Debug)]
pub(crate) struct Recovery<F> {
    sent: SentPackets<F>,
    numbers: Numbers,
    rtt: Rtt,
    max_ack_delay: Duration,
    lost: LostRecords,
    congestion: Congestion,
    pacer: Pacer,
    mtu: MtuProbe,
    largest_acked: Option<u64>,
    last_sent_at: Time,
    last_ack_at: Time,
    /// When a packet below the largest acknowledged is late enough to be lost.
    loss_at: Option<Time>,
    /// What the probe timeout counts from: the last ack-eliciting packet, or the last timeout.
    pto_from: Time,
    pto_count: u32,
    /// Probes still to be sent for the last timeout.
    probes: u8,
    ce_count: u64,
}

impl<F> Recovery<F> {
    /// A path on which nothing was sent. `initial_rtt` is usually [`INITIAL_RTT`], `max_ack_delay` what the peer announced,
    /// and `max_udp_payload` the largest packet that both ends and the interface take, in octets.
    pub(crate) fn new(
        now: Time,
        initial_rtt: Duration,
        max_ack_delay: Duration,
        max_udp_payload: u32,
    ) -> Self {
        let mtu = MtuProbe::new(max_udp_payload, now + FIRST_PROBE_AFTER);
        Self {
            sent: SentPackets::new(),
            numbers: Numbers::new(),
            rtt: Rtt::new(initial_rtt),
            max_ack_delay,
            lost: LostRecords::new(),
            congestion: Congestion::new(mtu.current()),
            pacer: Pacer::new(now),
            mtu,
            largest_acked: None,
            last_sent_at: now,
            last_ack_at: now,
            loss_at: None,
            pto_from: now,
            pto_count: 0,
            probes: 0,
            ce_count: 0,
        }
    }

    /// The number for the next packet, the same until a packet is sent with it. Now and then one is left out, at random
    /// (RFC 9000, 21.4).
    pub(crate) fn next_number(&mut self, random: &mut (impl Rng + ?Sized)) -> u64 {
        self.numbers.next(random)
    }

    /// Records a packet that leaves now, with the number from [`next_number`](Self::next_number). A number that was used
    /// before is a mistake of the caller, and is not recorded.
    pub(crate) fn on_sent(&mut self, now: Time, mut packet: SentPacket<F>) {
        debug_assert!(
            packet.number >= self.sent.next(),
            "a packet number was used twice"
        );
        if packet.number < self.sent.next() {
            return;
        }
        // Losses are found by send time in the order of numbers, so neither may run backwards.
        packet.sent_at = now.max(self.last_sent_at);
        self.last_sent_at = packet.sent_at;
        self.numbers.used(packet.number);
        if packet.ack_eliciting {
            self.pto_from = self.pto_from.max(packet.sent_at);
            self.probes = self.probes.saturating_sub(1);
        }
        if packet.mtu_probe {
            self.mtu.on_probe_sent(packet.size);
        }
        let (size, counts) = (packet.size, packet.in_flight);
        let before = self.sent.in_flight();
        self.sent.push(packet);
        if counts {
            self.congestion.on_sent(before, self.sent.in_flight());
            self.pacer.on_sent(size);
        }
    }

    /// The path was given up: everything in flight goes to `out.lost`, and congestion control starts afresh. The round-trip
    /// time and the packet size are kept, since the path may come back.
    pub(crate) fn abandon(&mut self, now: Time, out: &mut AckOutcome<F>) {
        for number in self.sent.base()..self.sent.next() {
            out.lost.extend(self.sent.lose(number));
        }
        self.sent.trim();
        self.congestion.reset(self.sent.next());
        self.pacer = Pacer::new(now);
        self.mtu.on_abandoned();
        self.loss_at = None;
        self.pto_count = 0;
        self.probes = 0;
    }

    /// Nothing that asks for an acknowledgement was in flight for some time: gives back what the last burst needed, and
    /// forgets bare acknowledgements, and losses that were not disproved by now.
    pub(crate) fn rest(&mut self) {
        self.sent.forget_quiet();
        self.lost.clear();
    }

    /// Octets that the congestion window has room for (RFC 9002, 7).
    pub(crate) fn window_available(&self) -> u64 {
        self.congestion
            .window()
            .saturating_sub(self.sent.in_flight())
    }

    /// Octets that may leave now, in packets that count as in flight: 0, or at least one packet of [`mtu`](Self::mtu)
    /// octets. Bounded by the window and by pacing, to a batch; ask again after sending that much. Probes that a timeout
    /// asked for are always covered.
    pub(crate) fn send_allowance(&mut self, now: Time) -> usize {
        let packet = self.mtu();
        let allowed = if self.probes > 0 {
            u64::from(packet) * u64::from(self.probes)
        } else if self.window_is_open() {
            let pace = self.congestion.pace(self.rtt.smoothed());
            let paced = self.pacer.allowance(now, pace, self.sent.in_flight() == 0);
            whole(paced).min(self.window_available())
        } else {
            0
        };
        usize::try_from(allowed).unwrap_or(usize::MAX)
    }

    /// Octets that leave at once when pacing limits: a millisecond's worth, and a batch at most.
    pub(crate) fn turn(&self) -> usize {
        let pace = self.congestion.pace(self.rtt.smoothed());
        usize::try_from(whole(pace.quantum())).unwrap_or(usize::MAX)
    }

    /// When pacing allows for more, if it was what limited [`send_allowance`](Self::send_allowance). Wait for it only while
    /// something waits to be sent.
    pub(crate) fn pacing_deadline(&self) -> Option<Time> {
        self.pacer
            .opens_at()
            .filter(|_| self.window_is_open() && self.probes == 0)
    }

    /// Octets of UDP payload that a packet may have now. While the peer does not answer it is the size that every path
    /// carries: if large packets vanish, the answer to a small one tells so within one timeout.
    pub(crate) fn mtu(&self) -> u32 {
        if self.pto_count > 0 {
            self.mtu.current().min(BASE)
        } else {
            self.mtu.current()
        }
    }

    /// Octets of UDP payload that packets have while the peer answers.
    pub(crate) fn path_mtu(&self) -> u32 {
        self.mtu.current()
    }

    /// The size of a packet to send now to find out whether it passes: PING and padding, with `mtu_probe` set. Ask before
    /// each batch, on validated paths only. It may exceed the window by less than its own size, since a busy path never
    /// has room for a large one.
    pub(crate) fn mtu_probe(&self, now: Time) -> Option<u32> {
        let window = self.congestion.window();
        let size = self
            .mtu
            .due(now, u32::try_from(window).unwrap_or(u32::MAX))?;
        (self.sent.in_flight() < window && self.pto_count == 0).then_some(size)
    }

    /// This machine did not let the last packets out, since they are larger than `size`, or the interface takes less than it
    /// did. A probe is forgotten as if it had never left; of others, it will turn out that they were lost.
    pub(crate) fn on_refused(&mut self, now: Time, size: u32) {
        let last = self.sent.next().saturating_sub(1);
        if matches!(self.sent.slot(last), Some(Slot::Sent(packet)) if packet.mtu_probe && packet.size == size)
        {
            self.sent.lose(last);
        }
        if self.mtu.on_refused(now, size) {
            self.congestion.set_packet(self.mtu.current());
        }
    }

    /// The peer's ACKs counted that many packets in all that routers had marked (RFC 9000, 19.3.2). Call after
    /// [`on_ack`](Self::on_ack).
    #[cfg_attr(not(test), expect(dead_code, reason = "ACK frames do not count marks"))]
    pub(crate) fn on_ecn_ce(&mut self, ce_count: u64) {
        if ce_count <= self.ce_count {
            return;
        }
        self.ce_count = ce_count;
        if let Some(largest) = self.largest_acked {
            self.congestion.on_marked(largest, self.sent.next());
        }
    }

    /// Round-trip times.
    pub(crate) fn rtt(&self) -> &Rtt {
        &self.rtt
    }

    /// Octets in flight.
    pub(crate) fn in_flight(&self) -> u64 {
        self.sent.in_flight()
    }

    /// The congestion window in octets.
    pub(crate) fn window(&self) -> u64 {
        self.congestion.window()
    }

    fn window_is_open(&self) -> bool {
        self.window_available() >= u64::from(self.mtu())
    }
}

#[cfg(test)]
mod tests {
    use super::testing::{MS, Sender, at};

    #[test]
    fn nothing_leaves_beyond_the_window() {
        // RFC 9002, 7.
        let mut sender = Sender::measured();
        let mut sent = 0;
        let mut now = 100;
        while sender.recovery.window_available() >= 1_200 {
            while sender.recovery.send_allowance(at(now)) >= 1_200 {
                sender.send(now);
                sent += 1_200;
            }
            now += 1;
        }
        let window = sender.recovery.window();
        assert!(
            sent <= window && sent + 1_200 > window,
            "{sent} of {window}"
        );
        assert_eq!(sender.recovery.send_allowance(at(now + 1_000)), 0);
        assert_eq!(
            sender.recovery.pacing_deadline(),
            None,
            "not pacing is what limits"
        );
    }

    /// A path with a window of 20 packets, of which pacing let some leave at 200 ms and refused the rest.
    fn paced() -> Sender {
        let mut sender = Sender::measured();
        sender.send_many(100, 10);
        sender.ack(200, &[1..=10]);
        while sender.recovery.send_allowance(at(200)) >= 1_200 {
            sender.send(200);
        }
        assert!(sender.recovery.window_available() >= 1_200);
        sender
    }

    #[test]
    fn pacing_says_when_to_go_on() {
        // RFC 9002, 7.7.
        let mut sender = paced();
        let deadline = sender
            .recovery
            .pacing_deadline()
            .expect("pacing is what limits");
        assert!(deadline > at(200) && deadline < at(300));
        assert!(sender.recovery.send_allowance(deadline) >= 2_400);
        assert_eq!(sender.recovery.pacing_deadline(), None);
    }

    #[test]
    fn a_pacing_deadline_that_passed_is_not_waited_for() {
        let mut sender = paced();
        assert!(sender.recovery.pacing_deadline().is_some());
        sender.timeout(299);
        assert_eq!(sender.recovery.pacing_deadline(), None);
    }

    #[test]
    fn a_size_that_passed_is_used_and_the_next_waits_for_a_window_that_holds_it() {
        // RFC 8899, 3, item 7 (the probes themselves are controlled) and 5.3.
        let mut sender = Sender::with_limit(65_507);
        let probe = sender.send_probe(0, 1_452);
        sender.ack(100, &[probe..=probe]);
        assert_eq!(sender.recovery.mtu(), 1_452);
        let jumbo = sender.recovery.mtu_probe(at(100));
        assert_eq!(jumbo, Some(8_952), "the window holds that already");
        let probe = sender.send_probe(100, 8_952);
        sender.ack(200, &[probe..=probe]);
        let mut now = 200;
        while sender.recovery.window() < 65_507 {
            assert_eq!(
                sender.recovery.mtu_probe(at(now)),
                None,
                "{}",
                sender.recovery.window()
            );
            let first = sender.number();
            let mut last = first;
            while sender.recovery.window_available() >= 1_452 {
                last = sender.send_packet(now, 1_452, true, false);
            }
            now += 100;
            sender.ack(now, &[first..=last]);
        }
        assert_eq!(sender.recovery.mtu_probe(at(now)), Some(65_507));
    }

    #[test]
    fn an_idle_hour_does_not_inflate_the_window() {
        // RFC 9438, 5.8.
        let window_after = |idle_ms: u64| {
            let mut sender = Sender::measured();
            sender.send_many(100, 10);
            sender.ack(200, &[4..=10]);
            let mut now = 200;
            for idle in [0, 0, idle_ms] {
                now += idle;
                let first = sender.number();
                let mut last = first;
                while sender.recovery.window_available() >= 1_200 {
                    last = sender.send(now);
                }
                now += 100;
                sender.ack(now, &[first..=last]);
            }
            sender.recovery.window()
        };
        assert!(window_after(0) > 8_400);
        assert_eq!(window_after(3_600_000), window_after(0));
    }

    #[test]
    fn a_clock_that_runs_backwards_breaks_nothing() {
        let mut sender = Sender::measured();
        sender.send(200);
        sender.send(150);
        sender.ack(250, &[2..=2]);
        assert_eq!(
            sender.recovery.rtt().latest(),
            50 * MS,
            "sent no earlier than the packet before"
        );
        sender.ack(240, &[1..=1]);
        assert_eq!(sender.acked(), [1, 2]);
    }
}
