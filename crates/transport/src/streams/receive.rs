//! The receiving half of a stream.

use bytes::Bytes;
use keyway_wire::planted::{Fault, planted};
use keyway_wire::{ResetFrame, StreamFrame, StreamId};

use super::assembler::Assembler;
use super::delivery::Delivery;
use super::error::{ReadError, StreamViolation};
use super::flow::ReceiveCredit;
use super::limits::StreamLimits;
use super::receive_memory::{NoMemory, ReceiveMemory};

/// Whether a frame was taken.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Accepted {
    /// It was, or it changed nothing.
    Yes,
    /// A limit was in the way that an honest peer may run into. The packet must not be acknowledged, so that the frame
    /// comes again.
    Dropped,
}

/// What we receive on one stream (RFC 9000, 3.2).
///
/// ```text
///   Receiving --all was read----> Finished
///    |     |
///    |     +-----RESET----> Reset --the reader was told--> ResetRead
///    |
///    +--stop--> Stopping --the final size is known--> Stopped
/// ```
///
/// RFC 9000 tells Recv, Size Known and Data Recvd apart: here that is in the final size and the assembler. A RESET that
/// comes when all data are there changes nothing; otherwise it takes what was not read away at once.
#[derive(Debug)]
pub(super) struct ReceiveStream {
    assembler: Assembler,
    credit: ReceiveCredit,
    final_size: Option<u64>,
    state: ReceiveState,
    /// Whether the reader was told of something that it has not come for.
    told: bool,
    /// Octets allocated beside those between what was read and what was received, as far as memory is counted for them.
    beside: u64,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum ReceiveState {
    Receiving,
    Finished,
    Reset {
        code: u64,
    },
    ResetRead {
        code: u64,
    },
    /// We want no more: what has become of the STOP.
    Stopping {
        code: u64,
        delivery: Delivery,
    },
    Stopped,
}

impl ReceiveStream {
    pub(super) fn new(limits: &StreamLimits) -> Self {
        Self {
            assembler: Assembler::default(),
            credit: ReceiveCredit::new(limits.stream_window_initial, limits.stream_window_max),
            final_size: None,
            state: ReceiveState::Receiving,
            told: false,
            beside: 0,
        }
    }

    /// Takes octets. `all` is the credit for all streams together.
    ///
    /// # Errors
    ///
    /// The violation, if no honest peer would have sent the frame.
    pub(super) fn on_data(
        &mut self,
        frame: &StreamFrame<'_>,
        all: &mut ReceiveMemory,
        gaps_max: usize,
    ) -> Result<Accepted, StreamViolation> {
        let end = frame.offset.saturating_add(frame.data.len() as u64);
        self.check_final_size(frame.stream, end, frame.fin)?;
        let new = self.check_credit(frame.stream, end, all)?;
        if self.state == ReceiveState::Receiving {
            let (early, piece) = self.assembler.cost(frame.offset, frame.data.len());
            let room = match all.admit(new, early, piece) {
                Ok(room) => room,
                Err(NoMemory) => return Ok(Accepted::Dropped),
            };
            let inserted = self
                .assembler
                .insert(frame.offset, frame.data, gaps_max, room);
            if inserted.is_err() {
                return Ok(Accepted::Dropped);
            }
        }
        self.credit.receive(new);
        all.receive(new);
        if frame.fin {
            self.final_size = Some(end);
        }
        self.discard_if_stopping(all);
        self.count_beside(all);
        Ok(Accepted::Yes)
    }

    /// The peer gives the stream up.
    ///
    /// # Errors
    ///
    /// The violation, if no honest peer would have sent the frame.
    pub(super) fn on_reset(
        &mut self,
        frame: &ResetFrame,
        all: &mut ReceiveMemory,
    ) -> Result<(), StreamViolation> {
        self.check_final_size(frame.stream, frame.final_size, true)?;
        let new = self.check_credit(frame.stream, frame.final_size, all)?;
        if self.has_everything() {
            return Ok(());
        }
        self.credit.receive(new);
        all.receive(new);
        self.final_size = Some(frame.final_size);
        if self.state == ReceiveState::Receiving {
            self.state = ReceiveState::Reset { code: frame.code };
            self.discard(all);
        }
        self.discard_if_stopping(all);
        Ok(())
    }

    /// Moves octets to `out`.
    ///
    /// # Errors
    ///
    /// Why there are none, ever or at the moment. `Ended` is not among them: whoever knows that the association has ended
    /// puts it in the place of `Blocked`.
    pub(super) fn read(
        &mut self,
        out: &mut [u8],
        all: &mut ReceiveMemory,
    ) -> Result<usize, ReadError> {
        self.check_readable()?;
        let count = self.assembler.read(out);
        self.note_read(count, all)?;
        Ok(count)
    }

    /// Takes out at most `max` octets as they lie there: none only if none are asked for.
    ///
    /// # Errors
    ///
    /// As [`read`](Self::read).
    pub(super) fn read_chunk(
        &mut self,
        max: usize,
        all: &mut ReceiveMemory,
    ) -> Result<Bytes, ReadError> {
        self.check_readable()?;
        let octets = self.assembler.read_chunk(max).unwrap_or_default();
        self.note_read(octets.len(), all)?;
        Ok(octets)
    }

    fn check_readable(&mut self) -> Result<(), ReadError> {
        match self.state {
            ReceiveState::Receiving => Ok(()),
            ReceiveState::Reset { .. } if planted(Fault::TruncateSilently) => {
                Err(ReadError::Finished)
            }
            ReceiveState::Reset { code } | ReceiveState::ResetRead { code } => {
                self.state = ReceiveState::ResetRead { code };
                Err(ReadError::Reset(code))
            }
            ReceiveState::Finished => Err(ReadError::Finished),
            ReceiveState::Stopping { .. } | ReceiveState::Stopped => Err(ReadError::Unknown),
        }
    }

    /// So many octets were read. If none, and not because none were asked for, the error says why.
    fn note_read(&mut self, count: usize, all: &mut ReceiveMemory) -> Result<(), ReadError> {
        if count > 0 || self.assembler.readable() > 0 {
            self.credit.consume(count as u64);
            all.consume(count as u64);
            self.count_beside(all);
            return Ok(());
        }
        if self.final_size == Some(self.assembler.read_end()) {
            self.state = ReceiveState::Finished;
            return Err(ReadError::Finished);
        }
        self.told = false;
        Err(ReadError::Blocked)
    }

    /// We want no more of this stream: what is there and what comes is thrown away. The peer is asked to stop unless it
    /// has said where the stream ends; whether it is.
    pub(super) fn stop(&mut self, code: u64, all: &mut ReceiveMemory) -> bool {
        match self.state {
            ReceiveState::Receiving => {
                self.state = ReceiveState::Stopping {
                    code,
                    delivery: Delivery::Due,
                };
                self.discard_if_stopping(all);
            }
            ReceiveState::Reset { .. } => self.state = ReceiveState::Stopped,
            ReceiveState::Finished
            | ReceiveState::ResetRead { .. }
            | ReceiveState::Stopping { .. }
            | ReceiveState::Stopped => {}
        }
        self.stop_due().is_some()
    }

    /// The code of the STOP, if one is to be sent.
    pub(super) fn stop_due(&self) -> Option<u64> {
        match self.state {
            ReceiveState::Stopping {
                code,
                delivery: Delivery::Due,
            } => Some(code),
            ReceiveState::Receiving
            | ReceiveState::Finished
            | ReceiveState::Reset { .. }
            | ReceiveState::ResetRead { .. }
            | ReceiveState::Stopping { .. }
            | ReceiveState::Stopped => None,
        }
    }

    pub(super) fn on_stop_sent(&mut self) {
        if let ReceiveState::Stopping { delivery, .. } = &mut self.state {
            delivery.on_sent();
        }
    }

    pub(super) fn on_stop_acked(&mut self) {
        if let ReceiveState::Stopping { delivery, .. } = &mut self.state {
            delivery.on_acked();
        }
    }

    /// Whether it is to be sent again.
    pub(super) fn on_stop_lost(&mut self) -> bool {
        let ReceiveState::Stopping { delivery, .. } = &mut self.state else {
            return false;
        };
        delivery.on_lost()
    }

    /// The credit to renew, if the peer should hear of more. It should not once it has said where the stream ends.
    pub(super) fn credit_due(&mut self) -> Option<&mut ReceiveCredit> {
        let wanted = self.state == ReceiveState::Receiving && self.final_size.is_none();
        (wanted && self.credit.is_due()).then_some(&mut self.credit)
    }

    /// The frame that granted was lost; whether it is to be sent again.
    pub(super) fn on_credit_lost(&mut self) -> bool {
        self.credit.on_lost();
        self.credit_due().is_some()
    }

    /// Whether datagrams of the flow are still wanted.
    pub(super) fn is_receiving(&self) -> bool {
        self.state == ReceiveState::Receiving
    }

    /// Whether the reader should be told that there is something: once, until a read finds nothing.
    pub(super) fn wakes_reader(&mut self) -> bool {
        let wakes = !self.told && self.is_readable();
        self.told |= wakes;
        wakes
    }

    /// The same at the end of the association, of which every reader that waits will learn.
    pub(super) fn wakes_reader_for_the_end(&mut self) -> bool {
        !std::mem::replace(&mut self.told, true)
    }

    /// Whether nothing is left to do.
    pub(super) fn is_over(&self) -> bool {
        matches!(
            self.state,
            ReceiveState::Finished | ReceiveState::ResetRead { .. } | ReceiveState::Stopped
        )
    }

    /// The stream is over: nothing is kept.
    pub(super) fn forget(&mut self, all: &mut ReceiveMemory) {
        self.assembler.discard();
        self.count_beside(all);
    }

    /// Gives memory back if nothing is kept.
    pub(super) fn trim(&mut self, all: &mut ReceiveMemory) {
        self.assembler.trim();
        self.count_beside(all);
    }

    /// Octets allocated.
    #[cfg(test)]
    pub(super) fn memory(&self) -> usize {
        self.assembler.memory()
    }

    /// Octets that the peer may be ahead of the reader.
    #[cfg(test)]
    pub(super) fn window(&self) -> u64 {
        self.credit.granted() - self.credit.consumed()
    }

    fn is_readable(&self) -> bool {
        match self.state {
            ReceiveState::Receiving => {
                self.assembler.readable() > 0 || self.final_size == Some(self.assembler.read_end())
            }
            ReceiveState::Reset { .. } => true,
            ReceiveState::Finished
            | ReceiveState::ResetRead { .. }
            | ReceiveState::Stopping { .. }
            | ReceiveState::Stopped => false,
        }
    }

    fn has_everything(&self) -> bool {
        self.final_size
            .is_some_and(|size| self.assembler.has_all_below(size))
    }

    /// RFC 9000, 4.5: an end does not move, and nothing lies behind it.
    fn check_final_size(
        &self,
        stream: StreamId,
        claimed: u64,
        is_final: bool,
    ) -> Result<(), StreamViolation> {
        let (known, honest) = match self.final_size {
            Some(size) if is_final => (size, claimed == size),
            Some(size) => (size, claimed <= size),
            None => (
                self.credit.received(),
                !is_final || claimed >= self.credit.received(),
            ),
        };
        if honest {
            Ok(())
        } else {
            Err(StreamViolation::FinalSize {
                stream,
                known,
                claimed,
            })
        }
    }

    /// RFC 9000, 4.1. Returns how many octets of credit it takes that the stream goes up to `end`.
    fn check_credit(
        &self,
        stream: StreamId,
        end: u64,
        all: &ReceiveMemory,
    ) -> Result<u64, StreamViolation> {
        let added = end.saturating_sub(self.credit.received());
        if added > self.credit.available() {
            let granted = self.credit.granted();
            return Err(StreamViolation::StreamFlowControl {
                stream,
                end,
                granted,
            });
        }
        if added > all.available() {
            return Err(StreamViolation::FlowControl {
                stream,
                added,
                left: all.available(),
            });
        }
        Ok(added)
    }

    fn discard_if_stopping(&mut self, all: &mut ReceiveMemory) {
        if matches!(self.state, ReceiveState::Stopping { .. }) {
            self.discard(all);
            if self.final_size.is_some() {
                self.state = ReceiveState::Stopped;
            }
        }
    }

    /// Forgets what was not read and counts it as read, so that the other streams have its credit.
    fn discard(&mut self, all: &mut ReceiveMemory) {
        self.assembler.discard();
        let octets = self.credit.received() - self.credit.consumed();
        self.credit.consume(octets);
        all.consume(octets);
        self.count_beside(all);
    }

    /// Counts what buffers hold beside the octets that are counted anyway.
    #[inline]
    fn count_beside(&mut self, all: &mut ReceiveMemory) {
        let counted = self.credit.received() - self.credit.consumed();
        let beside = self.assembler.footprint().saturating_sub(counted);
        all.beside(self.beside, beside);
        self.beside = beside;
    }
}

#[cfg(test)]
mod tests {
    use std::time::Duration;

    use keyway_wire::Time;

    use super::*;
    use crate::memory::{MemoryBudget, MemoryShare};

    const ID: StreamId = match StreamId::new(4) {
        Some(id) => id,
        None => unreachable!(),
    };

    fn stream() -> (ReceiveStream, ReceiveMemory) {
        let limits = StreamLimits {
            stream_window_initial: 100,
            stream_window_max: 100,
            window_initial: 1000,
            window_max: 1000,
            ..StreamLimits::default()
        };
        (
            ReceiveStream::new(&limits),
            ReceiveMemory::new(&limits, &MemoryShare::new(&MemoryBudget::new(1 << 30))),
        )
    }

    fn take(
        receive: &mut ReceiveStream,
        all: &mut ReceiveMemory,
        offset: u64,
        data: &[u8],
        fin: bool,
    ) {
        let frame = StreamFrame {
            stream: ID,
            offset,
            fin,
            data,
        };
        assert_eq!(receive.on_data(&frame, all, 10), Ok(Accepted::Yes));
    }

    fn reset(receive: &mut ReceiveStream, all: &mut ReceiveMemory, final_size: u64) {
        receive
            .on_reset(
                &ResetFrame {
                    stream: ID,
                    code: 7,
                    final_size,
                },
                all,
            )
            .unwrap();
    }

    #[test]
    fn credit_is_renewed_as_octets_are_read_until_the_end_is_known() {
        let (mut receive, mut all) = stream();
        take(&mut receive, &mut all, 0, &[1; 50], false);
        assert!(receive.credit_due().is_none());
        receive.read(&mut [0; 25], &mut all).unwrap();
        let granted = receive
            .credit_due()
            .unwrap()
            .grant(Time::ZERO, Duration::ZERO);
        assert_eq!(granted, 125);
        assert!(receive.on_credit_lost());
        take(&mut receive, &mut all, 50, &[1; 50], true);
        receive.read(&mut [0; 50], &mut all).unwrap();
        assert!(receive.credit_due().is_none());
        assert!(!receive.on_credit_lost());
    }

    #[test]
    fn octets_count_once_however_often_they_come() {
        let (mut receive, mut all) = stream();
        for _ in 0..3 {
            take(&mut receive, &mut all, 10, &[1; 50], false);
            take(&mut receive, &mut all, 0, &[1; 40], false);
        }
        assert_eq!(all.received(), 60);
        receive.read(&mut [0; 60], &mut all).unwrap();
        take(&mut receive, &mut all, 10, &[1; 50], false);
        assert_eq!((all.received(), all.consumed()), (60, 60));
    }

    #[test]
    fn a_reader_is_woken_by_what_it_can_read_and_by_nothing_else() {
        let (mut receive, mut all) = stream();
        take(&mut receive, &mut all, 1, &[1], false);
        assert!(!receive.wakes_reader());
        take(&mut receive, &mut all, 0, &[1], false);
        assert!(receive.wakes_reader());
        take(&mut receive, &mut all, 2, &[1], false);
        assert!(!receive.wakes_reader());
        assert_eq!(receive.read(&mut [0; 3], &mut all), Ok(3));
        assert_eq!(receive.read(&mut [0; 3], &mut all), Err(ReadError::Blocked));
        take(&mut receive, &mut all, 0, &[1; 3], false);
        assert!(!receive.wakes_reader());
        take(&mut receive, &mut all, 3, &[], true);
        assert!(receive.wakes_reader());
    }

    #[test]
    fn a_reset_counts_what_will_never_come() {
        let (mut receive, mut all) = stream();
        take(&mut receive, &mut all, 0, &[1; 30], false);
        receive.read(&mut [0; 10], &mut all).unwrap();
        reset(&mut receive, &mut all, 80);
        assert_eq!((all.received(), all.consumed()), (80, 80));
        reset(&mut receive, &mut all, 80);
        take(&mut receive, &mut all, 30, &[1; 50], true);
        assert_eq!((all.received(), all.consumed()), (80, 80));
        assert!(!receive.is_over(), "the reader was not told");
        assert_eq!(receive.read(&mut [0], &mut all), Err(ReadError::Reset(7)));
        assert!(receive.is_over());
    }

    #[test]
    fn a_stop_is_repeated_until_it_arrives_and_over_when_the_end_is_known() {
        let (mut receive, mut all) = stream();
        assert!(receive.stop(9, &mut all));
        assert_eq!(receive.stop_due(), Some(9));
        receive.on_stop_sent();
        assert!(!receive.stop(10, &mut all));
        assert!(receive.on_stop_lost());
        receive.on_stop_sent();
        receive.on_stop_acked();
        assert!(!receive.on_stop_lost());
        assert!(!receive.is_over());
        reset(&mut receive, &mut all, 80);
        assert!(receive.is_over());
        assert_eq!((all.received(), all.consumed()), (80, 80));
    }

    #[test]
    fn a_stop_is_needless_once_the_end_is_known() {
        let (mut receive, mut all) = stream();
        take(&mut receive, &mut all, 40, &[1; 10], true);
        assert!(!receive.stop(9, &mut all));
        assert!(receive.is_over());
        assert_eq!((all.received(), all.consumed()), (50, 50));

        let (mut receive, mut all) = stream();
        reset(&mut receive, &mut all, 80);
        assert!(!receive.stop(9, &mut all));
        assert!(receive.is_over());
    }
}
