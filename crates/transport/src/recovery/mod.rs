//! What one path knows about what it has in flight: loss recovery and congestion control (RFC 9002).
//!
//! One [`Recovery`] belongs to one path. Its packet numbers go on when the path changes its CID. It never looks into packets:
//! `F` is whatever the caller wants back with each of them, and every packet comes back once, as acknowledged or as lost.
//!
//! ```text
//! to send:     send_allowance ──> next_number, seal ──> on_sent       (bare acknowledgements: without the allowance)
//! ACK came:    on_ack ──> drain AckOutcome: acked, then lost ──> send again
//! time passed: on_timeout ──> drain AckOutcome ──> send again
//! then wait:   timeout, and pacing_deadline if something waits to be sent
//! ```

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

use std::time::Duration;

use keyway_wire::Time;
use rand_core::Rng;

pub(crate) use self::rtt::Rtt;
pub(crate) use self::sent::SentPacket;
pub(crate) use self::skip::OptimisticAck;

use self::congestion::{Congestion, whole};
use self::pacer::Pacer;
use self::sent::SentPackets;
use self::skip::Numbers;
use self::spurious::LostRecords;
use crate::mtu::{BASE, MtuProbe};

/// The round trip that a path without a sample is assumed to take (RFC 9002, 6.2.2).
pub(crate) const INITIAL_RTT: Duration = Duration::from_millis(333);

/// Backoff never raises the probe timeout above this (the timeout without backoff may be longer). RFC 9002, 6.2.1 doubles
/// without bound; then a path that comes back after an outage is noticed as late again as the outage was long.
const PTO_BACKOFF_MAX: Duration = Duration::from_secs(2);

/// Packets to send when the probe timeout expires: one of them may be lost (RFC 9002, 6.2.4).
const PTO_PROBES: u8 = 2;

/// What an acknowledgement or a timeout settled. The caller keeps one and drains it after each call; nothing is cleared here,
/// so nothing is forgotten.
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
        let mtu = MtuProbe::new(max_udp_payload);
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
            self.mtu.on_probe_sent();
        }
        let (size, counts) = (packet.size, packet.in_flight);
        let before = self.sent.in_flight();
        self.sent.push(packet);
        if counts {
            self.congestion.on_sent(before, self.sent.in_flight());
            self.pacer
                .on_sent(now, self.congestion.pace(self.rtt.smoothed()), size);
        }
    }

    /// Something is due: a loss by time, or the probe timeout. No-op when nothing is.
    pub(crate) fn on_timeout(&mut self, now: Time, out: &mut AckOutcome<F>) -> TimeoutOutcome {
        self.pacer.expire(now);
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

    /// The path was given up: everything in flight goes to `out.lost`, and congestion control starts afresh. The round-trip
    /// time and the packet size are kept, since the path may come back.
    pub(crate) fn abandon(&mut self, now: Time, out: &mut AckOutcome<F>) {
        for number in self.sent.base()..self.sent.next() {
            out.lost.extend(self.sent.lose(number));
        }
        self.sent.trim();
        self.lost.clear();
        self.congestion.reset(self.sent.next());
        self.pacer = Pacer::new(now);
        self.mtu.on_abandoned();
        self.loss_at = None;
        self.pto_count = 0;
        self.probes = 0;
    }

    /// Octets that the congestion window has room for (RFC 9002, 7).
    pub(crate) fn window_available(&self) -> u64 {
        self.congestion
            .window()
            .saturating_sub(self.sent.in_flight())
    }

    /// Octets that may leave now, in packets that count as in flight: 0, or at least one packet of [`mtu`](Self::mtu) octets.
    /// Bounded by the window and by pacing, to a batch; ask again after sending that much. Probes that a timeout asked for
    /// are always covered.
    pub(crate) fn send_allowance(&mut self, now: Time) -> usize {
        let packet = self.mtu();
        let allowed = if self.probes > 0 {
            u64::from(packet) * u64::from(self.probes)
        } else if self.window_is_open() {
            let paced = self
                .pacer
                .allowance(now, self.congestion.pace(self.rtt.smoothed()));
            whole(paced).min(self.window_available())
        } else {
            0
        };
        usize::try_from(allowed).unwrap_or(usize::MAX)
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

    /// The size of a packet to send now to find out whether it passes: PING and padding, with `mtu_probe` set. Ask before
    /// each batch, on validated paths only. It may exceed the window by less than its own size, since a busy path never
    /// has room for a large one.
    pub(crate) fn mtu_probe(&self, now: Time) -> Option<u32> {
        let size = self.mtu.due(now)?;
        let window = self.congestion.window();
        let fits = u64::from(size) <= window && self.sent.in_flight() < window;
        (fits && self.pto_count == 0).then_some(size)
    }

    /// The peer's ACKs counted that many packets in all that routers had marked (RFC 9000, 19.3.2). Call after
    /// [`on_ack`](Self::on_ack).
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

    /// The probe timeout without backoff (RFC 9002, 6.2.1).
    pub(crate) fn pto_base(&self) -> Duration {
        self.rtt.pto_base(self.max_ack_delay)
    }

    /// Probe timeouts since something was acknowledged.
    pub(crate) fn pto_count(&self) -> u32 {
        self.pto_count
    }

    /// Octets in flight.
    pub(crate) fn in_flight(&self) -> u64 {
        self.sent.in_flight()
    }

    /// The congestion window in octets.
    pub(crate) fn window(&self) -> u64 {
        self.congestion.window()
    }

    /// Since when the peer owes an acknowledgement: the later of when the oldest ack-eliciting packet in flight was sent and
    /// when anything was last acknowledged. `None` when nothing ack-eliciting is in flight.
    pub(crate) fn unacked_since(&self) -> Option<Time> {
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

    fn window_is_open(&self) -> bool {
        self.window_available() >= u64::from(self.mtu())
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
