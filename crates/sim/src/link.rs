//! One direction of a way through the network, with all that may go wrong on it.

use std::time::Duration;

use keyway_wire::Time;

use crate::loss::{Loss, LossState};
use crate::random::{Chance, Random};

/// How one direction of a link treats packets. The default is a perfect one of 10 ms.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct LinkConfig {
    /// How long every packet takes.
    pub delay: Duration,
    /// How much longer a packet takes at most. Packets keep their order all the same: they wait for one another.
    pub jitter: Duration,
    /// Which packets are lost.
    pub loss: Loss,
    /// The chance that a packet is held back, so that later ones overtake it.
    pub reorder: Chance,
    /// How long such a packet is held back at most.
    pub reorder_delay: Duration,
    /// The chance that a packet arrives twice; the copy may be held back as well.
    pub duplicate: Chance,
    /// The chance that some bits of a packet are flipped.
    pub corrupt: Chance,
    /// How many octets a second the link carries; as many as one likes if there is no number.
    pub rate: Option<u64>,
    /// How many octets may wait for a link with a rate. What does not fit is lost.
    pub queue: u64,
    /// The longest packet that fits, in octets of UDP payload. A longer one is lost without a word.
    pub mtu: usize,
}

impl Default for LinkConfig {
    fn default() -> Self {
        Self {
            delay: Duration::from_millis(10),
            jitter: Duration::ZERO,
            loss: Loss::None,
            reorder: Chance::NEVER,
            reorder_delay: Duration::from_millis(5),
            duplicate: Chance::NEVER,
            corrupt: Chance::NEVER,
            rate: None,
            queue: 256 * 1024,
            // An Ethernet frame's 1,500 without the headers of IPv6 and UDP.
            mtu: 1452,
        }
    }
}

/// What became of a packet on a link.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Fate {
    /// It arrives, as it was sent.
    Carried,
    /// It arrives, but overtaken.
    HeldBack,
    /// It arrives twice.
    Doubled,
    /// It arrives with other bits.
    Corrupted,
    /// It was lost on the way.
    Lost,
    /// The queue was full.
    QueueFull,
    /// It was longer than what fits.
    TooLong,
    /// The link is cut.
    Cut,
}

/// One direction of a link.
#[derive(Clone, Debug)]
pub struct Link {
    config: LinkConfig,
    cut: bool,
    loss: LossState,
    /// When the last packet accepted will have left, where there is a rate: so many whole microseconds, and a rest in units of a
    /// microsecond divided by the rate. Without the rest a packet of 11.6 us would take 11, and the link be faster than it says.
    busy_until: Time,
    busy_rest: u64,
    /// Packets that found no room in the queue.
    overflows: u64,
    /// When the last packet that kept its place arrives.
    last_arrival: Time,
    random: Random,
}

impl Link {
    /// A link that draws its faults from `random`.
    #[must_use]
    pub fn new(config: LinkConfig, random: Random) -> Self {
        Self {
            config,
            cut: false,
            loss: LossState::default(),
            busy_until: Time::ZERO,
            busy_rest: 0,
            overflows: 0,
            last_arrival: Time::ZERO,
            random,
        }
    }

    /// Changes how the link treats packets from now on. Those under way are not touched.
    pub fn configure(&mut self, config: LinkConfig) {
        self.config = config;
    }

    /// Cuts the link, or mends it. Packets under way still arrive.
    pub fn set_cut(&mut self, cut: bool) {
        self.cut = cut;
    }

    /// How many packets the queue has had no room for.
    #[must_use]
    pub fn overflows(&self) -> u64 {
        self.overflows
    }

    /// Takes a packet in; calls `arrive` for each copy that will come out, with the time at which it will.
    pub fn carry(
        &mut self,
        now: Time,
        mut packet: Vec<u8>,
        mut arrive: impl FnMut(Time, Vec<u8>),
    ) -> Fate {
        if self.cut {
            return Fate::Cut;
        }
        if packet.len() > self.config.mtu {
            return Fate::TooLong;
        }
        let Some(left) = self.leave(now, packet.len() as u64) else {
            return Fate::QueueFull;
        };
        if self.loss.is_lost(self.config.loss, &mut self.random) {
            return Fate::Lost;
        }
        let mut fate = Fate::Carried;
        if self.random.happens(self.config.corrupt) {
            self.corrupt(&mut packet);
            fate = Fate::Corrupted;
        }
        let in_order = self.arrive_in_order(left);
        if self.random.happens(self.config.duplicate) {
            fate = Fate::Doubled;
            let late = in_order + self.random.up_to(self.config.reorder_delay);
            arrive(late, packet.clone());
        }
        if self.random.happens(self.config.reorder) {
            fate = Fate::HeldBack;
            let shortest = Duration::from_micros(1);
            arrive(
                in_order + shortest + self.random.up_to(self.config.reorder_delay),
                packet,
            );
        } else {
            self.last_arrival = in_order;
            arrive(in_order, packet);
        }
        fate
    }

    /// When a packet of this length has left the queue; nothing if it finds no room in there.
    fn leave(&mut self, now: Time, length: u64) -> Option<Time> {
        let Some(rate) = self.config.rate else {
            return Some(now);
        };
        let backlog = octets_in(self.busy_until.saturating_since(now), rate);
        if backlog.saturating_add(length) > self.config.queue {
            self.overflows += 1;
            return None;
        }
        if self.busy_until < now {
            (self.busy_until, self.busy_rest) = (now, 0);
        }
        let work = length
            .saturating_mul(1_000_000)
            .saturating_add(self.busy_rest);
        self.busy_until += Duration::from_micros(work.checked_div(rate).unwrap_or(u64::MAX));
        self.busy_rest = work.checked_rem(rate).unwrap_or(0);
        Some(self.busy_until)
    }

    fn arrive_in_order(&mut self, left: Time) -> Time {
        let jitter = self.random.up_to(self.config.jitter);
        self.last_arrival.max(left + self.config.delay + jitter)
    }

    /// Flips one to three bits. UDP's checksum would catch most of it; who relies on that has not met every network card.
    fn corrupt(&mut self, packet: &mut [u8]) {
        for _ in 0..=self.random.below(3) {
            let index = self.random.index(packet.len());
            let bit = self.random.below(8);
            if let Some(octet) = packet.get_mut(index) {
                *octet ^= 1 << bit;
            }
        }
    }
}

/// Octets that pass in so much time at a rate of so many a second.
pub(crate) fn octets_in(duration: Duration, rate: u64) -> u64 {
    let octets = duration.as_micros().saturating_mul(u128::from(rate)) / 1_000_000;
    u64::try_from(octets).unwrap_or(u64::MAX)
}

#[cfg(test)]
mod tests {
    use super::*;

    const COUNT: usize = 20_000;

    /// A packet that says its number.
    fn packet(number: usize) -> Vec<u8> {
        let mut packet = vec![0; 100];
        packet[..8].copy_from_slice(&number.to_be_bytes());
        packet
    }

    /// Sends numbered packets, one each 100 microseconds; gives their fates, and the packets as they arrive.
    fn pass(config: LinkConfig) -> (Vec<Fate>, Vec<(Time, Vec<u8>)>) {
        let mut link = Link::new(config, Random::new(5));
        let mut arrivals = Vec::new();
        let fates = (0..COUNT)
            .map(|number| {
                let now = Time::from_micros(number as u64 * 100);
                link.carry(now, packet(number), |time, packet| {
                    arrivals.push((time, packet))
                })
            })
            .collect();
        arrivals.sort_by_key(|(time, _)| *time);
        (fates, arrivals)
    }

    fn count(fates: &[Fate], fate: Fate) -> usize {
        fates.iter().filter(|other| **other == fate).count()
    }

    #[test]
    fn a_perfect_link_delays_and_does_nothing_else() {
        let (fates, arrivals) = pass(LinkConfig::default());
        assert_eq!(count(&fates, Fate::Carried), COUNT);
        for (number, (time, arrived)) in arrivals.iter().enumerate() {
            assert_eq!(*time, Time::from_micros(number as u64 * 100 + 10_000));
            assert_eq!(*arrived, packet(number));
        }
    }

    #[test]
    fn jitter_spreads_arrivals_and_keeps_their_order() {
        let jitter = Duration::from_millis(3);
        let (_, arrivals) = pass(LinkConfig {
            jitter,
            ..LinkConfig::default()
        });
        let delays: Vec<_> = arrivals
            .iter()
            .enumerate()
            .map(|(number, (time, _))| {
                time.saturating_since(Time::from_micros(number as u64 * 100))
            })
            .collect();
        assert!(
            arrivals
                .iter()
                .enumerate()
                .all(|(number, (_, arrived))| *arrived == packet(number))
        );
        assert!(
            delays
                .iter()
                .all(|delay| (10_000..=13_000).contains(&delay.as_micros()))
        );
        assert!(delays.iter().any(|delay| delay.as_micros() > 12_900));
    }

    #[test]
    fn loss_takes_its_share() {
        let loss = Loss::Independent(Chance::percent(5));
        let (fates, arrivals) = pass(LinkConfig {
            loss,
            ..LinkConfig::default()
        });
        assert!((850..1_150).contains(&count(&fates, Fate::Lost)));
        assert_eq!(arrivals.len(), COUNT - count(&fates, Fate::Lost));
    }

    #[test]
    fn a_packet_held_back_is_overtaken_within_its_bound() {
        let config = LinkConfig {
            reorder: Chance::percent(3),
            ..LinkConfig::default()
        };
        let (fates, arrivals) = pass(config);
        let held = count(&fates, Fate::HeldBack);
        assert!((500..700).contains(&held), "{held}");
        let overtaken = arrivals
            .windows(2)
            .filter(|pair| pair[0].1 > pair[1].1)
            .count();
        assert!(overtaken > held / 2, "{overtaken}");
        let latest = |number: usize| Time::from_micros(number as u64 * 100 + 15_001);
        for (time, arrived) in &arrivals {
            let number = usize::from_be_bytes(arrived[..8].try_into().unwrap());
            assert!(*time <= latest(number));
        }
    }

    #[test]
    fn duplication_makes_exact_copies() {
        let (fates, arrivals) = pass(LinkConfig {
            duplicate: Chance::percent(2),
            ..LinkConfig::default()
        });
        let doubled = count(&fates, Fate::Doubled);
        assert!((320..480).contains(&doubled), "{doubled}");
        assert_eq!(arrivals.len(), COUNT + doubled);
        assert!(arrivals.iter().all(|(_, arrived)| arrived[8..] == [0; 92]));
    }

    #[test]
    fn corruption_flips_a_few_bits_and_no_more() {
        let (fates, arrivals) = pass(LinkConfig {
            corrupt: Chance::percent(1),
            ..LinkConfig::default()
        });
        let corrupted = count(&fates, Fate::Corrupted);
        assert!((140..260).contains(&corrupted), "{corrupted}");
        let flipped = |(number, (_, arrived)): (usize, &(Time, Vec<u8>))| -> u32 {
            arrived
                .iter()
                .zip(packet(number))
                .map(|(a, b)| (a ^ b).count_ones())
                .sum()
        };
        let counts: Vec<u32> = arrivals.iter().enumerate().map(flipped).collect();
        assert!(counts.iter().all(|flips| *flips <= 3));
        // Two flips of the same bit undo each other, but that is rare.
        let changed = counts.iter().filter(|flips| **flips > 0).count();
        assert!(changed <= corrupted && changed + 5 > corrupted);
    }

    #[test]
    fn a_rate_spaces_packets_and_a_full_queue_drops() {
        // 100 octets take 200 microseconds, but come each 100: the queue fills, then every other packet finds no room.
        let config = LinkConfig {
            rate: Some(500_000),
            queue: 1_000,
            ..LinkConfig::default()
        };
        let (fates, arrivals) = pass(config);
        assert_eq!(count(&fates[..10], Fate::QueueFull), 0);
        let dropped = count(&fates, Fate::QueueFull);
        assert!((9_900..10_010).contains(&dropped), "{dropped}");
        let spaced = |pair: &[(Time, Vec<u8>)]| {
            pair[1].0.saturating_since(pair[0].0) >= Duration::from_micros(200)
        };
        assert!(arrivals.windows(2).all(spaced));
        // Nobody waits longer than a full queue takes to empty.
        let (time, last) = arrivals.last().unwrap();
        let sent = usize::from_be_bytes(last[..8].try_into().unwrap()) as u64 * 100;
        assert!(time.as_micros() - sent <= 10_000 + 2_000);
    }

    #[test]
    fn a_fast_link_carries_no_more_than_its_rate() {
        // A packet takes 11.616 us, which is no whole number of them.
        let config = LinkConfig {
            rate: Some(125_000_000),
            queue: u64::MAX,
            delay: Duration::ZERO,
            ..LinkConfig::default()
        };
        let mut link = Link::new(config, Random::new(5));
        let mut last = Time::ZERO;
        for _ in 0..1_000 {
            link.carry(Time::ZERO, vec![0; 1_452], |time, _| last = time);
        }
        assert_eq!(last, Time::from_micros(11_616));
    }

    #[test]
    fn what_is_too_long_is_lost_without_a_word() {
        let mut link = Link::new(
            LinkConfig {
                mtu: 1200,
                ..LinkConfig::default()
            },
            Random::new(1),
        );
        let mut arrived = 0;
        assert_eq!(
            link.carry(Time::ZERO, vec![0; 1201], |_, _| arrived += 1),
            Fate::TooLong
        );
        assert_eq!(
            link.carry(Time::ZERO, vec![0; 1200], |_, _| arrived += 1),
            Fate::Carried
        );
        assert_eq!(arrived, 1);
    }

    #[test]
    fn a_cut_link_carries_nothing_until_it_is_mended() {
        let mut link = Link::new(LinkConfig::default(), Random::new(1));
        link.set_cut(true);
        assert_eq!(
            link.carry(Time::ZERO, packet(0), |_, _| unreachable!()),
            Fate::Cut
        );
        link.set_cut(false);
        assert_eq!(link.carry(Time::ZERO, packet(0), |_, _| ()), Fate::Carried);
    }

    #[test]
    fn the_same_seed_gives_the_same_faults() {
        let config = || LinkConfig {
            loss: Loss::Independent(Chance::percent(5)),
            reorder: Chance::percent(3),
            duplicate: Chance::percent(2),
            corrupt: Chance::percent(1),
            ..LinkConfig::default()
        };
        assert_eq!(pass(config()), pass(config()));
    }
}
