//! Whose turn it is: where the application is about to speak, it does so before packets are made.
//!
//! Whoever opens a stream has something to write, and whoever accepts one to answer. Where its task runs on the same thread, it would come
//! after the packets that the news itself calls for (the first of a session, acknowledgements, connection ids), and what it writes would
//! need one more. So the driver lets others go first, and all of it leaves together: one packet and one wake-up less at
//! each end, a tenth of the time that a connection takes.
//!
//! Whoever waited for room to write has more to write. If packets were made first, the last of them would be few, whatever its buffer
//! holds beyond whole batches, and a system call costs much the same for five packets as for forty-five.

use std::task::Context;

/// How often the driver lets others go first before it sends something.
#[derive(Debug, Default)]
pub(super) struct Turn {
    left: u8,
    /// Others went first, and nothing was sent yet: without this, a peer that opens streams without end, or a writer that always has more,
    /// could silence the driver.
    used: bool,
}

impl Turn {
    /// A stream that the application asked for is there: its task goes first.
    pub(super) fn on_opened(&mut self) {
        self.grant(1);
    }

    /// A peer has opened a stream: whoever accepts it goes first, and then the task that it may have made for it.
    pub(super) fn on_incoming(&mut self) {
        self.grant(2);
    }

    /// There is room for a writer that waited for it: it goes first.
    pub(super) fn on_room(&mut self) {
        self.grant(1);
    }

    fn grant(&mut self, turns: u8) {
        if !self.used {
            self.left = self.left.max(turns);
        }
    }

    /// Whether others go first this time. If not, it is time to send.
    pub(super) fn is_others(&mut self) -> bool {
        self.used = self.left > 0;
        self.left = self.left.saturating_sub(1);
        self.used
    }
}

/// Has the runtime come back to this task after the others that are ready. It stands at the end of the queue, where another thread of
/// the runtime may take it: a task that computes for long holds up nobody else.
pub(super) fn let_others_go_first(context: &Context<'_>) {
    context.waker().wake_by_ref();
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn whoever_opened_a_stream_goes_first_once_and_whoever_accepts_one_twice() {
        let mut turn = Turn::default();
        assert!(!turn.is_others());
        turn.on_opened();
        assert!(turn.is_others());
        assert!(!turn.is_others());
        turn.on_incoming();
        assert!(turn.is_others() && turn.is_others());
        assert!(!turn.is_others());
    }

    #[test]
    fn writers_that_always_wait_for_room_take_turns_with_the_driver() {
        let mut turn = Turn::default();
        let sent = (0..10).filter(|_| {
            turn.on_room();
            !turn.is_others()
        });
        assert_eq!(sent.count(), 5);
    }

    #[test]
    fn streams_without_end_do_not_keep_the_driver_from_sending() {
        let mut turn = Turn::default();
        let sent = (0..30).filter(|_| {
            turn.on_incoming();
            !turn.is_others()
        });
        assert_eq!(sent.count(), 10);
    }
}
