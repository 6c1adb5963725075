use keyway_wire::{Frame, Time};

/// Frames without progress that are tolerated in a row: far more than an honest peer sends while it opens a thousand
/// streams at once.
const CREDIT_MAX: u64 = 20_000;

/// What time gives back, a second.
const CREDIT_PER_SECOND: u64 = 200;

/// Whether the peer gets anything done (RFC 9000, 21.9).
///
/// Every frame costs the receiver work, so frames that carry nothing have to be paid for: with octets, with
/// acknowledgements of ours, or with time. Memory is bounded without this; what is bounded here is the work that a peer
/// can cause for nothing.
#[derive(Debug)]
pub(crate) struct Scrutiny {
    credit: u64,
    refilled: Time,
}

impl Scrutiny {
    pub(crate) fn new(now: Time) -> Self {
        Self {
            credit: CREDIT_MAX,
            refilled: now,
        }
    }

    /// Packets of ours were acknowledged.
    pub(crate) fn on_acked(&mut self, packets: usize) {
        self.add(packets as u64);
    }

    /// Takes note of a frame; whether there were too many that carry nothing.
    pub(crate) fn is_exhausted_by(&mut self, now: Time, frame: &Frame<'_>) -> bool {
        // A PING costs no more than any packet, and whoever measures sends many. An ACK is judged by what it brings.
        if matches!(frame, Frame::Ping | Frame::Ack(_)) {
            return false;
        }
        let has_octets =
            matches!(frame, Frame::Stream(frame) if frame.fin || !frame.data.is_empty());
        if has_octets || matches!(frame, Frame::Datagram(_)) {
            self.add(1);
            return false;
        }
        !self.spend(now)
    }

    fn spend(&mut self, now: Time) -> bool {
        if self.credit == 0 {
            let elapsed = now.saturating_since(self.refilled).as_millis();
            let earned = u64::try_from(elapsed)
                .unwrap_or(u64::MAX)
                .saturating_mul(CREDIT_PER_SECOND)
                / 1000;
            self.add(earned);
            self.refilled = now;
        }
        let affordable = self.credit > 0;
        self.credit = self.credit.saturating_sub(1);
        affordable
    }

    fn add(&mut self, credit: u64) {
        self.credit = self.credit.saturating_add(credit).min(CREDIT_MAX);
    }
}

#[cfg(test)]
mod tests {
    use keyway_wire::{MaxDataFrame, StreamFrame, StreamId};

    use super::*;

    const EMPTY: Frame<'_> = Frame::MaxData(MaxDataFrame { max: 1 });

    fn frames_until_exhausted(scrutiny: &mut Scrutiny, now: Time) -> u64 {
        (0..)
            .find(|_| scrutiny.is_exhausted_by(now, &EMPTY))
            .expect("it has an end")
    }

    fn at(seconds: u64) -> Time {
        Time::from_micros(seconds * 1_000_000)
    }

    // L5
    #[test]
    fn frames_that_carry_nothing_exhaust_the_credit() {
        let mut scrutiny = Scrutiny::new(at(0));
        assert_eq!(frames_until_exhausted(&mut scrutiny, at(0)), CREDIT_MAX);
        assert_eq!(
            frames_until_exhausted(&mut scrutiny, at(10)),
            10 * CREDIT_PER_SECOND
        );
        assert_eq!(
            frames_until_exhausted(&mut scrutiny, at(1_000_000)),
            CREDIT_MAX
        );
    }

    #[test]
    fn octets_and_acknowledgements_pay_for_them() {
        let mut scrutiny = Scrutiny::new(at(0));
        frames_until_exhausted(&mut scrutiny, at(0));
        let stream = StreamId::new(4).expect("small");
        let data = StreamFrame {
            stream,
            offset: 0,
            fin: false,
            data: &[1],
        };
        (0..50).for_each(|_| assert!(!scrutiny.is_exhausted_by(at(0), &Frame::Stream(data))));
        scrutiny.on_acked(20);
        assert_eq!(frames_until_exhausted(&mut scrutiny, at(0)), 70);
        let empty = StreamFrame { data: &[], ..data };
        assert!(scrutiny.is_exhausted_by(at(0), &Frame::Stream(empty)));
    }
}
