use std::collections::VecDeque;
use std::time::Duration;

use keyway_wire::{Frame, Time};

use crate::PingId;

/// Pings that wait or are under way at most; beyond that the oldest is forgotten, so that asking costs bounded memory.
const PINGS_MAX: usize = 64;

/// The pings that the application asked for. A lost one is sent again: an answer is the only end.
#[derive(Debug, Default)]
pub(crate) struct Pings {
    next: u64,
    waiting: VecDeque<PingId>,
    /// First sending of those that were sent and not answered.
    sent: VecDeque<(PingId, Time)>,
}

impl Pings {
    /// One more.
    pub(crate) fn ask(&mut self) -> PingId {
        let id = PingId(self.next);
        self.next = self.next.wrapping_add(1);
        if self.waiting.len() == PINGS_MAX {
            self.waiting.pop_front();
        }
        self.waiting.push_back(id);
        id
    }

    /// Whether one waits to be sent.
    pub(crate) fn is_waiting(&self) -> bool {
        !self.waiting.is_empty()
    }

    /// Gives back room that is left over.
    pub(crate) fn rest(&mut self) {
        self.waiting.shrink_to_fit();
        self.sent.shrink_to_fit();
    }

    /// Writes a PING if one waits and fits, and says for which.
    pub(crate) fn write(&mut self, now: Time, out: &mut [u8]) -> Option<(usize, PingId)> {
        if out.len() < Frame::Ping.len() {
            return None;
        }
        let id = self.waiting.pop_front()?;
        if self.sent.iter().all(|(sent, _)| *sent != id) {
            if self.sent.len() == PINGS_MAX {
                self.sent.pop_front();
            }
            self.sent.push_back((id, now));
        }
        Some((Frame::Ping.emit(out), id))
    }

    /// The packet of a ping was acknowledged: the time since it was first sent, unless it was answered before.
    pub(crate) fn on_acked(&mut self, now: Time, id: PingId) -> Option<Duration> {
        let index = self.sent.iter().position(|(sent, _)| *sent == id)?;
        let (_, since) = self.sent.remove(index)?;
        self.waiting.retain(|waiting| *waiting != id);
        Some(now.saturating_since(since))
    }

    /// The packet of a ping was lost.
    pub(crate) fn on_lost(&mut self, id: PingId) {
        if self.sent.iter().any(|(sent, _)| *sent == id) && !self.waiting.contains(&id) {
            self.waiting.push_back(id);
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn at(millis: u64) -> Time {
        Time::from_micros(millis * 1000)
    }

    fn write(pings: &mut Pings, now: Time) -> Option<PingId> {
        pings.write(now, &mut [0; 1]).map(|(_, id)| id)
    }

    #[test]
    fn a_ping_is_answered_once_and_measured_from_its_first_sending() {
        let mut pings = Pings::default();
        let (first, second) = (pings.ask(), pings.ask());
        assert_eq!(pings.write(at(0), &mut []), None);
        assert_eq!(
            (write(&mut pings, at(0)), write(&mut pings, at(1))),
            (Some(first), Some(second))
        );
        pings.on_lost(first);
        pings.on_lost(first);
        assert_eq!(
            (write(&mut pings, at(5)), write(&mut pings, at(5))),
            (Some(first), None)
        );
        assert_eq!(pings.on_acked(at(9), first), Some(Duration::from_millis(9)));
        assert_eq!(pings.on_acked(at(9), first), None);
        pings.on_lost(first);
        assert!(!pings.is_waiting());
        assert_eq!(
            pings.on_acked(at(10), second),
            Some(Duration::from_millis(9))
        );
    }

    #[test]
    fn asking_without_end_takes_bounded_memory() {
        let mut pings = Pings::default();
        for _ in 0..1000 {
            pings.ask();
            write(&mut pings, at(0));
            pings.ask();
        }
        assert!(pings.waiting.len() <= PINGS_MAX && pings.sent.len() <= PINGS_MAX);
    }
}
