use std::time::Duration;

use keyway_wire::{CLOSE_REASON_LEN_MAX, CloseFrame, Frame, Time};

use crate::EndReason;

/// The shortest time between two CLOSE frames: a peer that goes on sending gets no flood of them (RFC 9000, 10.2.1).
const REPEAT_MIN: Duration = Duration::from_millis(10);

/// How far the association has come to its end.
#[derive(Debug)]
pub(crate) enum Phase {
    Open,
    /// This side closes: CLOSE is repeated until the peer says the same, or has had its time.
    Closing(Box<Closing>),
    /// The peer closed: it gets one CLOSE in answer, so that it may stop.
    Answering(EndReason),
    Ended,
}

/// A close that the peer is told of.
#[derive(Debug)]
pub(crate) struct Closing {
    code: u64,
    text: String,
    pub(crate) reason: EndReason,
    pub(crate) next: Time,
    pub(crate) until: Time,
    interval: Duration,
    last: Option<Time>,
}

impl Closing {
    /// `pto` is the probe timeout of the path in use: CLOSE goes out now, after one and after two of them.
    pub(crate) fn new(now: Time, code: u64, text: &str, reason: EndReason, pto: Duration) -> Self {
        Self {
            code,
            text: shorten(text).to_owned(),
            reason,
            next: now,
            // In three steps, each rounded as those of `on_sent` are: the fourth CLOSE would come a microsecond before the end.
            until: now + pto + pto + pto,
            interval: pto,
            last: None,
        }
    }

    pub(crate) fn frame(&self) -> Frame<'_> {
        Frame::Close(CloseFrame {
            code: self.code,
            reason: &self.text,
        })
    }

    pub(crate) fn on_sent(&mut self, now: Time) {
        self.last = Some(now);
        self.next = now + self.interval;
    }

    /// The peer goes on sending: it has not heard.
    pub(crate) fn on_packet(&mut self, now: Time) {
        let earliest = self.last.map_or(now, |last| last + REPEAT_MIN);
        self.next = self.next.min(earliest.max(now));
    }
}

/// What of `text` fits into a CLOSE, cut between two characters.
fn shorten(text: &str) -> &str {
    let mut end = text.len().min(CLOSE_REASON_LEN_MAX);
    while !text.is_char_boundary(end) {
        end -= 1;
    }
    text.get(..end).unwrap_or_default()
}

#[cfg(test)]
mod tests {
    use super::*;

    fn at(millis: u64) -> Time {
        Time::from_micros(millis * 1000)
    }

    // R9.18
    #[test]
    fn a_close_is_repeated_at_each_timeout_and_sooner_where_the_peer_goes_on() {
        let mut closing = Closing::new(
            at(0),
            3,
            "bye",
            EndReason::Local,
            Duration::from_millis(100),
        );
        assert_eq!((closing.next, closing.until), (at(0), at(300)));
        closing.on_sent(at(0));
        assert_eq!(closing.next, at(100));
        closing.on_packet(at(4));
        assert_eq!(closing.next, at(10));
        closing.on_sent(at(10));
        closing.on_packet(at(50));
        assert_eq!(closing.next, at(50));
    }

    #[test]
    fn a_long_reason_is_cut_between_two_characters() {
        assert_eq!(shorten("short"), "short");
        let long = "ä".repeat(200);
        assert_eq!(shorten(&long).len(), 256);
        let odd = format!("x{long}");
        assert_eq!(shorten(&odd).len(), 255);
    }
}
