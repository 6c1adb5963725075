//! The driver's one timer.

use std::pin::Pin;
use std::task::{Context, Poll};
use std::time::Duration;

use keyway_wire::Time;
use tokio::time::Sleep;

use crate::clock::Clock;

/// Deadlines closer than this are waited for by coming back at once. The runtime's timer counts in milliseconds, and a bulk
/// transfer is paced in steps of some ten microseconds: rounded up, it would be held to a twentieth of its rate.
const SPIN_MAX: Duration = Duration::from_micros(100);

/// Wakes the driver at a deadline.
///
/// It is set only when the deadline moves forward, or has passed: most deadlines move back with every packet, and a wake-up too
/// many now and then costs less than setting a timer for each.
#[derive(Debug)]
pub(super) struct Timer {
    sleep: Option<Pin<Box<Sleep>>>,
    set_to: Option<Time>,
}

impl Timer {
    pub(super) const fn new() -> Self {
        Self {
            sleep: None,
            set_to: None,
        }
    }

    /// Ready when the deadline has come, or is so close that it is not worth going to sleep.
    pub(super) fn poll(
        &mut self,
        context: &mut Context<'_>,
        clock: &Clock,
        deadline: Time,
    ) -> Poll<()> {
        if deadline.saturating_since(clock.now()) < SPIN_MAX {
            return Poll::Ready(());
        }
        loop {
            if self.set_to.is_none_or(|set_to| deadline < set_to) {
                self.set(clock, deadline);
            }
            let Some(sleep) = &mut self.sleep else {
                return Poll::Pending;
            };
            if sleep.as_mut().poll(context).is_pending() {
                return Poll::Pending;
            }
            // An earlier deadline, which has moved back since it was set.
            self.set_to = None;
            if deadline <= clock.now() {
                return Poll::Ready(());
            }
        }
    }

    fn set(&mut self, clock: &Clock, deadline: Time) {
        let instant = clock.instant(deadline);
        match &mut self.sleep {
            Some(sleep) => sleep.as_mut().reset(instant),
            None => self.sleep = Some(Box::pin(tokio::time::sleep_until(instant))),
        }
        self.set_to = Some(deadline);
    }
}
