//! The receiving half of a stream.

use keyway_wire::{ResetFrame, StreamFrame, StreamId};

use super::assembler::Assembler;
use super::delivery::Delivery;
use super::error::{ReadError, StreamViolation};
use super::flow::ReceiveCredit;
use super::limits::StreamLimits;

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
        all: &mut ReceiveCredit,
        gaps_max: usize,
    ) -> Result<Accepted, StreamViolation> {
        let end = frame.offset.saturating_add(frame.data.len() as u64);
        self.check_final_size(frame.stream, end, frame.fin)?;
        let new = self.check_credit(frame.stream, end, all)?;
        if self.state == ReceiveState::Receiving
            && self
                .assembler
                .insert(frame.offset, frame.data, gaps_max)
                .is_err()
        {
            return Ok(Accepted::Dropped);
        }
        self.credit.receive(new);
        all.receive(new);
        if frame.fin {
            self.final_size = Some(end);
        }
        self.discard_if_stopping(all);
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
        all: &mut ReceiveCredit,
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
        all: &mut ReceiveCredit,
    ) -> Result<usize, ReadError> {
        match self.state {
            ReceiveState::Receiving => self.read_octets(out, all),
            ReceiveState::Reset { code } | ReceiveState::ResetRead { code } => {
                self.state = ReceiveState::ResetRead { code };
                Err(ReadError::Reset(code))
            }
            ReceiveState::Finished => Err(ReadError::Finished),
            ReceiveState::Stopping { .. } | ReceiveState::Stopped => Err(ReadError::Unknown),
        }
    }

    fn read_octets(&mut self, out: &mut [u8], all: &mut ReceiveCredit) -> Result<usize, ReadError> {
        let count = self.assembler.read(out);
        if count > 0 || self.assembler.readable() > 0 {
            self.credit.consume(count as u64);
            all.consume(count as u64);
            return Ok(count);
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
    pub(super) fn stop(&mut self, code: u64, all: &mut ReceiveCredit) -> bool {
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

    /// Gives memory back if nothing is kept.
    pub(super) fn trim(&mut self) {
        self.assembler.trim();
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
        all: &ReceiveCredit,
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

    fn discard_if_stopping(&mut self, all: &mut ReceiveCredit) {
        if matches!(self.state, ReceiveState::Stopping { .. }) {
            self.discard(all);
            if self.final_size.is_some() {
                self.state = ReceiveState::Stopped;
            }
        }
    }

    /// Forgets what was not read and counts it as read, so that the other streams have its credit.
    fn discard(&mut self, all: &mut ReceiveCredit) {
        self.assembler.discard();
        let octets = self.credit.received() - self.credit.consumed();
        self.credit.consume(octets);
        all.consume(octets);
    }
}
