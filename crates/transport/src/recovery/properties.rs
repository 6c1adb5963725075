//! What holds whatever is sent, acknowledged, lost or late.

use std::collections::BTreeMap;
use std::ops::RangeInclusive;
use std::time::Duration;

use keyway_wire::Time;
use proptest::prelude::*;

use super::testing::{MAX_ACK_DELAY, Sender, ack_bytes, at, parse_ack};
use super::{SentPacket, TimeoutOutcome};

/// One thing that happens to a path.
#[derive(Clone, Debug)]
enum Step {
    Wait {
        micros: u64,
    },
    Send {
        size: u32,
        count: u8,
    },
    SendBareAck,
    SendSizeProbe,
    /// Acknowledges those of the last 64 packets whose bit is set, but for the latest few.
    Ack {
        bits: u64,
        spare: u8,
        delay_ms: u64,
        same_path: bool,
    },
    /// Waits until a timeout is due.
    Timeout,
    Mark,
    Abandon,
}

fn step() -> impl Strategy<Value = Step> {
    prop_oneof![
        4 => (0..200_000_u64).prop_map(|micros| Step::Wait { micros }),
        6 => (40..1_453_u32, 1..40_u8).prop_map(|(size, count)| Step::Send { size, count }),
        1 => Just(Step::SendBareAck),
        2 => Just(Step::SendSizeProbe),
        8 => (any::<u64>(), 0..20_u8, 0..100_u64, any::<bool>()).prop_map(|(bits, spare, delay_ms, same_path)| {
            Step::Ack { bits, spare, delay_ms, same_path }
        }),
        3 => (0..20_u8).prop_map(|spare| Step::Ack { bits: u64::MAX, spare, delay_ms: 0, same_path: true }),
        3 => Just(Step::Timeout),
        1 => Just(Step::Mark),
        1 => Just(Step::Abandon),
    ]
}

/// The path, and what a list of all its packets says about it.
struct Checked {
    sender: Sender,
    now: Time,
    /// Neither acknowledged nor lost: octets in flight, and whether it asks for an acknowledgement.
    open: BTreeMap<u64, (u64, bool)>,
    sent: Vec<u64>,
    marks: u64,
}

impl Checked {
    fn new() -> Self {
        let sender = Sender::with_limit(1_452);
        Self {
            sender,
            now: at(0),
            open: BTreeMap::new(),
            sent: Vec::new(),
            marks: 0,
        }
    }

    fn apply(&mut self, step: &Step) {
        match *step {
            Step::Wait { micros } => self.now += Duration::from_micros(micros),
            Step::Send { size, count } => (0..count).for_each(|_| self.send(size, true, false)),
            Step::SendBareAck => self.send(40, false, false),
            Step::SendSizeProbe => {
                if let Some(size) = self.sender.recovery.mtu_probe(self.now) {
                    self.send(size, true, true);
                }
            }
            Step::Ack {
                bits,
                spare,
                delay_ms,
                same_path,
            } => self.ack(bits, spare, delay_ms, same_path),
            Step::Timeout => self.timeout(),
            Step::Mark => {
                self.marks += 1;
                self.sender.recovery.on_ecn_ce(self.marks);
            }
            Step::Abandon => self.sender.recovery.abandon(self.now, &mut self.sender.out),
        }
        self.settle();
        self.check();
    }

    fn send(&mut self, size: u32, eliciting: bool, mtu_probe: bool) {
        let number = self.sender.number();
        let packet = SentPacket {
            number,
            sent_at: self.now,
            size,
            ack_eliciting: eliciting,
            in_flight: eliciting,
            mtu_probe,
            tag: 7,
            frames: number,
        };
        self.sender.recovery.on_sent(self.now, packet);
        self.open.insert(
            number,
            (if eliciting { u64::from(size) } else { 0 }, eliciting),
        );
        self.sent.push(number);
    }

    fn ack(&mut self, bits: u64, spare: u8, delay_ms: u64, same_path: bool) {
        let latest = self.sent.iter().rev().skip(usize::from(spare)).take(64);
        let chosen = latest
            .enumerate()
            .filter(|(index, _)| bits >> index & 1 == 1)
            .map(|(_, number)| *number);
        let ranges = descending_ranges(chosen);
        if ranges.is_empty() {
            return;
        }
        let bytes = ack_bytes(&ranges, Duration::from_millis(delay_ms));
        let sender = &mut self.sender;
        let taken =
            sender
                .recovery
                .on_ack(self.now, &parse_ack(&bytes), same_path, &mut sender.out);
        taken.expect("all of them were sent");
        for packet in &sender.out.acked {
            assert!(
                ranges.iter().any(|range| range.contains(&packet.number)),
                "{} was not named",
                packet.number
            );
        }
    }

    fn timeout(&mut self) {
        let Some(due) = self.sender.recovery.timeout() else {
            return;
        };
        self.now = self.now.max(due);
        let outcome = self
            .sender
            .recovery
            .on_timeout(self.now, &mut self.sender.out);
        match outcome {
            TimeoutOutcome::None => panic!("nothing was due at {due:?}"),
            TimeoutOutcome::Lost => assert!(!self.sender.out.lost.is_empty()),
            TimeoutOutcome::Pto { .. } => {
                assert!(self.sender.recovery.send_allowance(self.now) >= 1_200);
                let wait = self
                    .sender
                    .recovery
                    .timeout()
                    .expect("still unacknowledged")
                    .saturating_since(self.now);
                let bound = self.sender.recovery.pto_base().max(Duration::from_secs(2));
                assert!(Duration::ZERO < wait && wait <= bound, "{wait:?}");
            }
        }
    }

    /// Every packet comes back once, as it was given.
    fn settle(&mut self) {
        let out = &mut self.sender.out;
        assert!(out.lost.is_sorted_by_key(|packet| packet.number));
        for packet in out.acked.drain(..).chain(out.lost.drain(..)) {
            assert_eq!((packet.frames, packet.tag), (packet.number, 7));
            assert!(
                self.open.remove(&packet.number).is_some(),
                "{} came back twice",
                packet.number
            );
        }
    }

    fn check(&mut self) {
        let recovery = &mut self.sender.recovery;
        assert_eq!(
            recovery.in_flight(),
            self.open.values().map(|(octets, _)| octets).sum::<u64>()
        );
        assert!(
            recovery.window() >= 2 * u64::from(recovery.mtu()),
            "{}",
            recovery.window()
        );
        assert!((1_200..=1_452).contains(&recovery.mtu()));
        let owed = self.open.values().any(|(_, eliciting)| *eliciting);
        assert!(
            !owed || recovery.timeout().is_some(),
            "a packet would wait for ever"
        );
        assert_eq!(owed, recovery.unacked_since().is_some());
        assert!(
            recovery
                .unacked_since()
                .is_none_or(|since| since <= self.now)
        );
        assert!(
            recovery.rtt().min() <= recovery.rtt().latest()
                || recovery.rtt().first_sample_at().is_none()
        );
        let allowance = recovery.send_allowance(self.now) as u64;
        assert!(allowance <= recovery.window_available() || recovery.probes() > 0);
        assert!(allowance == 0 || allowance >= u64::from(recovery.mtu()));
    }
}

/// Ranges of numbers that come in descending order.
fn descending_ranges(numbers: impl Iterator<Item = u64>) -> Vec<RangeInclusive<u64>> {
    let mut ranges: Vec<RangeInclusive<u64>> = Vec::new();
    for number in numbers {
        match ranges.last_mut() {
            Some(range) if *range.start() == number + 1 => *range = number..=*range.end(),
            _ => ranges.push(number..=number),
        }
    }
    ranges
}

proptest! {
    #![proptest_config(ProptestConfig { cases: 512, ..ProptestConfig::default() })]

    #[test]
    fn the_books_balance_whatever_happens(steps in prop::collection::vec(step(), 1..120)) {
        let mut path = Checked::new();
        for step in &steps {
            path.apply(step);
        }
        // Whatever is left is settled by one more answer and the time that losses take.
        path.apply(&Step::Send { size: 1_000, count: 1 });
        path.apply(&Step::Ack { bits: 1, spare: 0, delay_ms: 0, same_path: true });
        while path.sender.recovery.timeout().is_some() {
            path.apply(&Step::Timeout);
        }
        prop_assert!(path.open.is_empty(), "{:?} are forgotten", path.open);
    }

    #[test]
    fn a_silent_peer_is_asked_again_at_least_every_two_seconds(
        count in 1..50_u8,
        round_trip_ms in 1..400_u64,
    ) {
        let mut path = Checked::new();
        path.apply(&Step::Send { size: 1_200, count: 1 });
        path.apply(&Step::Wait { micros: round_trip_ms * 1_000 });
        path.apply(&Step::Ack { bits: 1, spare: 0, delay_ms: 0, same_path: true });
        path.apply(&Step::Send { size: 1_200, count });
        let bound = path.sender.recovery.pto_base().max(Duration::from_secs(2)) + MAX_ACK_DELAY;
        for _ in 0..20 {
            let before = path.now;
            path.apply(&Step::Timeout);
            path.apply(&Step::Send { size: 1_200, count: 2 });
            prop_assert!(path.now.saturating_since(before) <= bound);
        }
    }
}
