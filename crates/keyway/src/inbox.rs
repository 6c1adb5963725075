//! How the application's side reaches the driver: a list of commands, a list of channels with work, and one waker.

use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::{Arc, Mutex};
use std::task::Waker;

use futures_util::task::AtomicWaker;

use crate::command::Command;
use crate::flow::Flow;
use crate::lock::lock;
use crate::pipe::Pipe;

/// A stream or a datagram flow, as driver and application share it.
#[derive(Clone, Debug)]
pub(crate) enum Channel {
    Stream(Arc<Pipe>),
    Datagrams(Arc<Flow>),
}

/// Whether a channel is on the driver's list of those with work: it is there at most once.
#[derive(Debug, Default)]
pub(crate) struct Listed(AtomicBool);

impl Listed {
    /// The application's side, after it has changed something: marks the channel as listed; false if it was already.
    pub(crate) fn mark(&self) -> bool {
        !self.0.swap(true, Ordering::AcqRel)
    }

    /// The driver's side, before it looks at the channel: what the application changes from here on lists the channel again. The
    /// locks inside the channel see to the order: a change that the driver did not see was made after the mark was taken away.
    pub(crate) fn clear(&self) {
        self.0.store(false, Ordering::Release);
    }
}

/// What waits for the driver. It takes all of it at once, so the lock is held for a swap of two vectors at most.
///
/// Bounded by its users: a channel is listed at most once, and whoever sends a command waits for the answer.
#[derive(Debug, Default)]
pub(crate) struct Inbox {
    waiting: Mutex<Waiting>,
    driver: AtomicWaker,
}

#[derive(Debug, Default)]
struct Waiting {
    commands: Vec<Command>,
    channels: Vec<Channel>,
    /// The driver has ended: nobody will ever read this.
    ended: bool,
}

/// The driver has ended, so nothing will answer.
#[derive(Copy, Clone, Eq, PartialEq, Debug)]
pub(crate) struct DriverEnded;

impl Inbox {
    /// Hands `command` to the driver.
    pub(crate) fn send(&self, command: Command) -> Result<(), DriverEnded> {
        {
            let mut waiting = lock(&self.waiting);
            if waiting.ended {
                return Err(DriverEnded);
            }
            waiting.commands.push(command);
        }
        self.driver.wake();
        Ok(())
    }

    /// Tells the driver that `channel` has work. The caller makes sure that it is not listed already.
    pub(crate) fn list(&self, channel: Channel) {
        {
            let mut waiting = lock(&self.waiting);
            if waiting.ended {
                return;
            }
            waiting.channels.push(channel);
        }
        self.driver.wake();
    }

    /// The driver's side: whom to wake. To be called before [`take`](Self::take), so that nothing slips in between.
    pub(crate) fn register(&self, driver: &Waker) {
        self.driver.register(driver);
    }

    /// The driver's side: whether anything waits.
    pub(crate) fn has_work(&self) -> bool {
        let waiting = lock(&self.waiting);
        !waiting.commands.is_empty() || !waiting.channels.is_empty()
    }

    /// The driver's side: moves all that waits to the end of the two lists.
    pub(crate) fn take(&self, commands: &mut Vec<Command>, channels: &mut Vec<Channel>) {
        let mut waiting = lock(&self.waiting);
        commands.append(&mut waiting.commands);
        channels.append(&mut waiting.channels);
    }

    /// The driver's side: it has ended. What waits is dropped, and with it everybody's hope for an answer.
    pub(crate) fn end(&self) {
        let (commands, channels) = {
            let mut waiting = lock(&self.waiting);
            waiting.ended = true;
            (
                std::mem::take(&mut waiting.commands),
                std::mem::take(&mut waiting.channels),
            )
        };
        // Not under the lock: dropping what a command carries may send another one.
        drop((commands, channels));
    }
}

#[cfg(test)]
mod tests {
    use std::sync::atomic::AtomicUsize;
    use std::task::Wake;

    use super::*;

    #[derive(Default)]
    struct Count(AtomicUsize);

    impl Wake for Count {
        fn wake(self: Arc<Self>) {
            self.0.fetch_add(1, Ordering::Relaxed);
        }
    }

    #[test]
    fn a_command_wakes_the_driver_and_is_taken_once() {
        let (inbox, wakes) = (Inbox::default(), Arc::new(Count::default()));
        inbox.register(&Waker::from(Arc::clone(&wakes)));
        inbox.send(Command::Orphaned).unwrap();
        assert_eq!(wakes.0.load(Ordering::Relaxed), 1);
        let (mut commands, mut channels) = (Vec::new(), Vec::new());
        inbox.take(&mut commands, &mut channels);
        assert!(matches!(commands[..], [Command::Orphaned]));
        commands.clear();
        inbox.take(&mut commands, &mut channels);
        assert!(commands.is_empty() && channels.is_empty());
    }

    #[test]
    fn a_channel_is_listed_once_until_the_driver_looks_at_it() {
        let listed = Listed::default();
        assert!(listed.mark());
        assert!(!listed.mark());
        listed.clear();
        assert!(listed.mark());
    }

    #[test]
    fn after_the_end_nothing_is_accepted() {
        let inbox = Inbox::default();
        inbox.end();
        assert_eq!(inbox.send(Command::Orphaned), Err(DriverEnded));
    }

    #[test]
    fn the_end_drops_what_waited_so_that_who_waits_for_an_answer_is_told() {
        let inbox = Inbox::default();
        let (reply, mut answer) = tokio::sync::oneshot::channel();
        inbox.send(Command::Close { reply }).unwrap();
        inbox.end();
        assert!(answer.try_recv().is_err());
    }
}
