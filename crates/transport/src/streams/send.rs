//! The sending half of a stream.

use std::ops::Range;

use bytes::Bytes;
use keyway_wire::planted::{Fault, planted};

use super::delivery::Delivery;
use super::error::{SendingOver, WriteError};
use super::flow::SendCredit;
use super::limits::StreamLimits;
use super::send_buffer::SendBuffer;

/// What we send on one stream (RFC 9000, 3.1).
///
/// ```text
///   Open --finish--> Finishing --all acknowledged--> Delivered
///    |                   |
///    +--reset, STOP------+--> Resetting --acknowledged--> Abandoned
/// ```
///
/// RFC 9000 tells Ready, Send and Data Sent apart: here that is in the buffer.
#[derive(Debug)]
pub(super) struct SendStream {
    buffer: SendBuffer,
    credit: SendCredit,
    /// Octets that the buffer may hold at the moment.
    buffer_max: u64,
    state: SendState,
    /// The peer's code, if it was the peer that ended this half.
    stopped: Option<u64>,
    waiting: Option<Waiting>,
    /// What the buffer allocates, as far as memory is counted for it.
    counted: u64,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum SendState {
    /// More may be written.
    Open,
    /// Nothing more will be written: what has become of the FIN.
    Finishing(Delivery),
    /// The peer has everything.
    Delivered,
    /// Given up: what has become of the RESET.
    Resetting { code: u64, delivery: Delivery },
    /// Given up, and the peer knows.
    Abandoned,
}

/// What a writer waits for.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Waiting {
    /// Room in the stream's own buffer.
    Buffer,
    /// Room in what all streams share.
    Memory,
}

/// Octets to write.
#[derive(Debug)]
pub(super) enum Octets<'a> {
    /// To be copied.
    Borrowed(&'a [u8]),
    /// To be kept as they are.
    Owned(Bytes),
}

/// What could be sent next that was never sent.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) enum Next {
    /// These octets; none if only the end is left to say.
    Octets(Range<u64>),
    /// Octets, when the peer grants more on this stream.
    StreamBlocked,
    /// Octets, when the peer grants more on all streams together.
    Blocked,
    /// Nothing.
    Nothing,
}

impl SendStream {
    pub(super) fn new(credit: u64, limits: &StreamLimits) -> Self {
        Self {
            buffer: SendBuffer::default(),
            credit: SendCredit::new(credit),
            buffer_max: limits.send_buffer_initial.max(1),
            state: SendState::Open,
            stopped: None,
            waiting: None,
            counted: 0,
        }
    }

    /// Whether more may be written.
    ///
    /// # Errors
    ///
    /// `Stopped` or `Finished`, whichever it was.
    pub(super) fn check_open(&self) -> Result<(), SendingOver> {
        match self.stopped {
            Some(code) => Err(SendingOver::Stopped(code)),
            None if self.state == SendState::Open => Ok(()),
            None => Err(SendingOver::Finished),
        }
    }

    /// The peer's code, if it was the peer that ended this half.
    pub(super) fn stopped(&self) -> Option<u64> {
        self.stopped
    }

    /// How many of `wanted` octets there is room for, here and in `memory_left`: what may be
    /// [appended](Self::append) next.
    ///
    /// # Errors
    ///
    /// `Blocked` if that is nothing; `Stopped` or `Finished` if nothing ever will be.
    pub(super) fn admit(
        &mut self,
        wanted: usize,
        memory_left: u64,
        limits: &StreamLimits,
    ) -> Result<usize, WriteError> {
        self.check_open()?;
        if wanted == 0 {
            return Ok(0);
        }
        self.widen(limits);
        let room = self.room().min(memory_left);
        if room == 0 {
            let own = self.room() == 0;
            self.waiting = Some(if own {
                Waiting::Buffer
            } else {
                Waiting::Memory
            });
            return Err(WriteError::Blocked);
        }
        let room = usize::try_from(room).unwrap_or(usize::MAX);
        if room >= wanted {
            self.waiting = None;
        }
        Ok(room.min(wanted))
    }

    /// Appends as much of `data` as is admitted.
    #[cfg(test)]
    pub(super) fn write(
        &mut self,
        data: &[u8],
        memory_left: u64,
        limits: &StreamLimits,
    ) -> Result<usize, WriteError> {
        let count = self.admit(data.len(), memory_left, limits)?;
        self.append(Octets::Borrowed(&data[..count]), true);
        Ok(count)
    }

    /// Octets that appending would allocate at most beside those that are appended.
    pub(super) fn piece(&self, octets: usize, borrowed: bool) -> usize {
        self.buffer.piece(octets, borrowed)
    }

    /// Appends what was [admitted](Self::admit), with room for what may follow or without.
    pub(super) fn append(&mut self, data: Octets<'_>, ample: bool) {
        match (data, ample) {
            (Octets::Borrowed(data), true) => self.buffer.write(data),
            (Octets::Borrowed(data), false) => self.buffer.write_exactly(data),
            (Octets::Owned(data), true) => self.buffer.push(data),
            (Octets::Owned(data), false) => self.buffer.push_exactly(data),
        }
    }

    /// What the buffer allocated when this was asked last, and what it does.
    pub(super) fn recount(&mut self) -> (u64, u64) {
        let before = std::mem::replace(&mut self.counted, self.buffer.footprint());
        (before, self.counted)
    }

    /// Nothing more will be written.
    pub(super) fn finish(&mut self) {
        if self.state == SendState::Open {
            self.state = SendState::Finishing(Delivery::Due);
            self.waiting = None;
        }
    }

    /// Gives up whatever the peer has not got. Returns how many octets are kept no more, `None` if this half was over.
    pub(super) fn reset(&mut self, code: u64) -> Option<u64> {
        match self.state {
            SendState::Open | SendState::Finishing(_) => {
                self.state = SendState::Resetting {
                    code,
                    delivery: Delivery::Due,
                };
                self.waiting = None;
                Some(self.buffer.discard())
            }
            SendState::Delivered | SendState::Resetting { .. } | SendState::Abandoned => None,
        }
    }

    /// The peer wants no more: it gets a RESET with its own code (RFC 9000, 3.5). Returns as [`SendStream::reset`] does.
    pub(super) fn stop(&mut self, code: u64) -> Option<u64> {
        let freed = self.reset(code)?;
        self.stopped = Some(code);
        Some(freed)
    }

    /// The association has ended: nothing is sent any more. Returns how many octets are kept no more.
    pub(super) fn abandon(&mut self) -> u64 {
        self.buffer.discard()
    }

    /// The peer grants octets up to `max`; whether that lets a blocked stream go on.
    pub(super) fn raise(&mut self, max: u64) -> bool {
        self.credit.raise(max) && self.buffer.unsent() > 0
    }

    /// Credit granted by the peer.
    pub(super) fn credit(&mut self) -> &mut SendCredit {
        &mut self.credit
    }

    /// The limit to name in a STREAM_DATA_BLOCKED frame, if one is due and there still is something to send.
    pub(super) fn blocked_at(&self) -> Option<u64> {
        self.credit
            .blocked_at()
            .filter(|_| self.buffer.unsent() > 0)
    }

    /// Octets kept.
    pub(super) fn buffered(&self) -> u64 {
        self.buffer.len()
    }

    /// Copies octets that are to be sent.
    pub(super) fn read(&self, offset: u64, out: &mut [u8]) {
        self.buffer.read(offset, out);
    }

    /// Octets to send again.
    pub(super) fn next_lost(&self) -> Option<Range<u64>> {
        self.buffer.first_lost()
    }

    /// What to send for the first time, with `available` octets of credit for all streams together. A FIN that got lost
    /// counts as never sent.
    pub(super) fn next_new(&self, available: u64) -> Next {
        let unsent = self.buffer.unsent();
        if unsent > 0 {
            let count = unsent.min(self.credit.available()).min(available);
            let start = self.buffer.sent_end();
            return match count {
                0 if self.credit.available() == 0 => Next::StreamBlocked,
                0 => Next::Blocked,
                count => Next::Octets(start..start + count),
            };
        }
        match self.state {
            SendState::Finishing(Delivery::Due) => {
                Next::Octets(self.buffer.end()..self.buffer.end())
            }
            SendState::Open
            | SendState::Finishing(_)
            | SendState::Delivered
            | SendState::Resetting { .. }
            | SendState::Abandoned => Next::Nothing,
        }
    }

    /// Whether a frame that ends at `end` says that the stream does.
    pub(super) fn ends_at(&self, end: u64) -> bool {
        matches!(self.state, SendState::Finishing(_)) && end == self.buffer.end()
    }

    /// `range` is on its way. Returns how many of its octets were never sent before.
    pub(super) fn on_sent(&mut self, range: Range<u64>) -> u64 {
        if self.ends_at(range.end)
            && let SendState::Finishing(fin) = &mut self.state
        {
            fin.on_sent();
        }
        let before = self.buffer.sent_end();
        self.buffer.on_sent(range);
        let new = self.buffer.sent_end() - before;
        self.credit.spend(new);
        new
    }

    /// The peer has `range`, and the end if `fin`. Returns how many octets are kept no more.
    pub(super) fn on_acked(&mut self, range: Range<u64>, fin: bool) -> u64 {
        if !matches!(self.state, SendState::Open | SendState::Finishing(_)) {
            return 0;
        }
        let freed = self.buffer.on_acked(range);
        if let SendState::Finishing(delivery) = &mut self.state {
            if fin {
                delivery.on_acked();
            }
            if *delivery == Delivery::Acked && self.buffer.is_empty() {
                self.state = SendState::Delivered;
            }
        }
        freed
    }

    /// `range` got lost, and with it the end if `fin`.
    pub(super) fn on_lost(&mut self, range: Range<u64>, fin: bool) {
        match &mut self.state {
            SendState::Finishing(delivery) if fin && !planted(Fault::LoseEnd) => {
                delivery.on_lost();
            }
            SendState::Open | SendState::Finishing(_) => {}
            SendState::Delivered | SendState::Resetting { .. } | SendState::Abandoned => return,
        }
        self.buffer.on_lost(range);
    }

    /// Code and final size of the RESET, if one is to be sent.
    pub(super) fn reset_due(&self) -> Option<(u64, u64)> {
        match self.state {
            SendState::Resetting {
                code,
                delivery: Delivery::Due,
            } => Some((code, self.buffer.sent_end())),
            SendState::Open
            | SendState::Finishing(_)
            | SendState::Delivered
            | SendState::Resetting { .. }
            | SendState::Abandoned => None,
        }
    }

    pub(super) fn on_reset_sent(&mut self) {
        if let SendState::Resetting { delivery, .. } = &mut self.state {
            delivery.on_sent();
        }
    }

    pub(super) fn on_reset_acked(&mut self) {
        if matches!(self.state, SendState::Resetting { .. }) {
            self.state = SendState::Abandoned;
        }
    }

    /// Whether it is to be sent again.
    pub(super) fn on_reset_lost(&mut self) -> bool {
        let SendState::Resetting { delivery, .. } = &mut self.state else {
            return false;
        };
        delivery.on_lost()
    }

    /// Whether a writer that waited for room in this buffer should try again: not for less than a quarter of it, so that
    /// it is woken once for many acknowledgements.
    pub(super) fn wakes_writer(&mut self, limits: &StreamLimits) -> bool {
        if self.waiting != Some(Waiting::Buffer) {
            return false;
        }
        self.widen(limits);
        let wakes = self.room() >= self.buffer_max.div_ceil(4);
        if wakes {
            self.waiting = None;
        }
        wakes
    }

    /// The same for one that waited for memory.
    pub(super) fn wakes_writer_for_memory(&mut self) -> bool {
        let wakes = self.waiting == Some(Waiting::Memory);
        if wakes {
            self.waiting = None;
        }
        wakes
    }

    /// The same for one that waited for anything: it will learn that the association has ended.
    pub(super) fn wakes_writer_for_the_end(&mut self) -> bool {
        self.waiting.take().is_some()
    }

    /// Whether the last write found no memory.
    pub(super) fn waits_for_memory(&self) -> bool {
        self.waiting == Some(Waiting::Memory)
    }

    /// Whether everything that was written and said has reached the peer.
    pub(super) fn is_drained(&self) -> bool {
        match self.state {
            SendState::Open => self.buffer.is_empty(),
            SendState::Finishing(_) | SendState::Resetting { .. } => false,
            SendState::Delivered | SendState::Abandoned => true,
        }
    }

    /// Whether the application, or the peer, wants nothing more of it to arrive.
    pub(super) fn is_given_up(&self) -> bool {
        match self.state {
            SendState::Resetting { .. } | SendState::Abandoned => true,
            SendState::Open | SendState::Finishing(_) | SendState::Delivered => false,
        }
    }

    /// Whether the peer has everything including the end.
    pub(super) fn is_delivered(&self) -> bool {
        self.state == SendState::Delivered
    }

    /// Whether nothing is left to do.
    pub(super) fn is_over(&self) -> bool {
        matches!(self.state, SendState::Delivered | SendState::Abandoned)
    }

    /// Octets allocated.
    #[cfg(test)]
    pub(super) fn memory(&self) -> usize {
        self.buffer.memory()
    }

    fn room(&self) -> u64 {
        self.buffer_max.saturating_sub(self.buffer.len())
    }

    /// Doubles a buffer that a writer found full and of which all is in flight: neither congestion nor credit hold the stream
    /// back then, but the buffer does. Asked again with each acknowledgement, when some room is free: on a long path the
    /// writer is woken so rarely that it never meets a buffer that is full and sent.
    fn widen(&mut self, limits: &StreamLimits) {
        let is_full = self.waiting == Some(Waiting::Buffer) || self.room() == 0;
        if is_full && self.buffer.unsent() == 0 {
            self.buffer_max = self
                .buffer_max
                .saturating_mul(2)
                .min(limits.send_buffer_max)
                .max(self.buffer_max);
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const LIMITS: StreamLimits = StreamLimits {
        guaranteed: 1000,
        streams_guaranteed: 4,
        stream_window_initial: 1,
        stream_window_max: 1,
        window_initial: 1,
        window_max: 1,
        streams_max: 1,
        send_buffer_initial: 100,
        send_buffer_max: 300,
        send_buffers_max: 1000,
        gaps_max: 1,
        datagram_queue_max: 1,
    };

    fn stream(credit: u64, written: usize) -> SendStream {
        let mut send = SendStream::new(credit, &LIMITS);
        assert_eq!(send.write(&vec![1; written], 1000, &LIMITS), Ok(written));
        send
    }

    #[test]
    fn a_write_takes_what_there_is_room_for() {
        let mut send = stream(1000, 60);
        assert_eq!(send.write(&[1; 60], 1000, &LIMITS), Ok(40));
        assert_eq!(
            send.write(&[1; 60], 1000, &LIMITS),
            Err(WriteError::Blocked)
        );
        assert!(!send.waits_for_memory());

        let mut send = stream(1000, 60);
        assert_eq!(send.write(&[1; 60], 30, &LIMITS), Ok(30));
        assert_eq!(send.write(&[1; 60], 0, &LIMITS), Err(WriteError::Blocked));
        assert!(send.waits_for_memory());
    }

    #[test]
    fn a_full_buffer_grows_when_all_of_it_is_in_flight() {
        let mut send = stream(1000, 100);
        send.on_sent(0..99);
        assert_eq!(send.write(&[1], 1000, &LIMITS), Err(WriteError::Blocked));
        assert!(!send.wakes_writer(&LIMITS));
        send.on_sent(99..100);
        assert!(send.wakes_writer(&LIMITS));
        assert!(!send.wakes_writer(&LIMITS), "once");
        assert_eq!(send.write(&[1; 900], 1000, &LIMITS), Ok(100));
        send.on_sent(100..200);
        assert_eq!(send.write(&[1; 900], 1000, &LIMITS), Ok(100));
        send.on_sent(200..300);
        assert_eq!(
            send.write(&[1; 900], 1000, &LIMITS),
            Err(WriteError::Blocked)
        );
    }

    #[test]
    fn a_buffer_grows_also_if_its_writer_is_woken_before_all_of_it_is_in_flight() {
        // On a long path acknowledgements come in between, and the buffer is never full and sent at the same moment.
        let mut send = stream(1000, 100);
        send.on_sent(0..90);
        assert_eq!(send.write(&[1], 1000, &LIMITS), Err(WriteError::Blocked));
        send.on_acked(0..10, false);
        assert!(!send.wakes_writer(&LIMITS), "octets wait to be sent");
        send.on_sent(90..100);
        assert!(send.wakes_writer(&LIMITS));
        assert_eq!(send.write(&[1; 900], 1000, &LIMITS), Ok(110));
    }

    #[test]
    fn a_buffer_in_which_nobody_waits_for_room_does_not_grow() {
        let mut send = stream(1000, 100);
        assert_eq!(send.write(&[1], 1000, &LIMITS), Err(WriteError::Blocked));
        send.on_sent(0..90);
        send.on_acked(0..50, false);
        assert!(send.wakes_writer(&LIMITS));
        assert_eq!(send.write(&[1; 10], 1000, &LIMITS), Ok(10));
        send.on_sent(90..110);
        assert!(!send.wakes_writer(&LIMITS));
        assert_eq!(send.write(&[1; 900], 1000, &LIMITS), Ok(40));
    }

    #[test]
    fn a_waiting_writer_is_woken_for_a_quarter_of_the_buffer() {
        let mut send = stream(1000, 100);
        assert_eq!(send.write(&[1], 1000, &LIMITS), Err(WriteError::Blocked));
        send.on_sent(0..50);
        assert_eq!(send.on_acked(0..24, false), 24);
        assert!(!send.wakes_writer(&LIMITS));
        assert_eq!(send.on_acked(24..25, false), 1);
        assert!(send.wakes_writer(&LIMITS));
    }

    // R9.10
    #[test]
    fn both_credits_hold_new_octets_back_but_not_the_end() {
        let mut send = stream(10, 30);
        assert_eq!(send.next_new(100), Next::Octets(0..10));
        assert_eq!(send.next_new(3), Next::Octets(0..3));
        assert_eq!(send.next_new(0), Next::Blocked);
        send.on_sent(0..10);
        assert_eq!(send.next_new(100), Next::StreamBlocked);
        assert!(send.raise(30));
        send.finish();
        assert_eq!(send.next_new(100), Next::Octets(10..30));
        assert!(!send.ends_at(29) && send.ends_at(30));

        let mut send = stream(10, 10);
        send.on_sent(0..10);
        send.finish();
        assert_eq!(send.next_new(0), Next::Octets(10..10));
        send.on_sent(10..10);
        assert_eq!(send.next_new(0), Next::Nothing);
    }

    #[test]
    fn lost_octets_cost_no_credit_again() {
        let mut send = stream(10, 10);
        assert_eq!(send.on_sent(0..10), 10);
        send.on_lost(0..10, false);
        assert_eq!(send.next_lost(), Some(0..10));
        assert_eq!(send.on_sent(0..10), 0);
        assert_eq!(send.credit().available(), 0);
    }

    #[test]
    fn the_end_goes_again_with_lost_octets_that_reach_it() {
        let mut send = stream(100, 10);
        send.finish();
        send.on_sent(0..10);
        send.on_lost(0..10, true);
        assert_eq!(send.next_new(0), Next::Octets(10..10));
        assert!(send.ends_at(10));
        send.on_sent(0..10);
        assert_eq!(send.next_new(0), Next::Nothing);
    }

    // R9.5
    #[test]
    fn a_reset_names_what_was_sent_and_not_what_was_written() {
        let mut send = stream(100, 30);
        send.on_sent(0..20);
        assert_eq!(send.reset(7), Some(30));
        assert_eq!(send.reset(8), None);
        assert_eq!(send.stop(9), None);
        assert_eq!(send.reset_due(), Some((7, 20)));
        send.on_reset_sent();
        assert_eq!(send.reset_due(), None);
        assert_eq!(send.on_acked(0..20, false), 0);
        send.on_lost(0..20, false);
        assert_eq!(send.next_lost(), None);
        assert!(send.on_reset_lost());
        assert_eq!(send.reset_due(), Some((7, 20)));
        assert!(!send.is_over() && !send.is_drained());
        send.on_reset_acked();
        assert!(send.is_over() && send.is_drained() && !send.is_delivered());
        assert!(!send.on_reset_lost());
    }

    #[test]
    fn a_want_of_credit_is_not_told_once_the_octets_are_given_up() {
        let mut send = stream(10, 30);
        send.on_sent(0..10);
        assert!(send.credit().want());
        assert_eq!(send.blocked_at(), Some(10));
        send.reset(7);
        assert_eq!(send.blocked_at(), None);
    }
}
