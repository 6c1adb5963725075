//! How a node ends: it delivers what was written, says goodbye, and waits until that was heard.

use std::time::Duration;

use keyway_node::codes;
use keyway_wire::Time;
use tokio::sync::oneshot;

use super::Driver;
use crate::error::CloseError;

/// How long goodbyes may take. Peers that hear them answer within a round trip; to those that do not, three probe timeouts are said
/// to be enough, and this is above them on any path that is still alive.
const GOODBYE_MAX: Duration = Duration::from_secs(3);

/// Where the node is on its way to the end.
#[derive(Debug)]
pub(super) enum Phase {
    Running,
    /// Nothing new is taken on; what was written is being delivered.
    Delivering {
        until: Time,
        waiting: Waiting,
    },
    /// Everybody is told; the answers are waited for.
    Goodbye {
        until: Time,
        outcome: Result<(), CloseError>,
        waiting: Waiting,
    },
    Over,
}

/// Who waits for the end.
type Waiting = Vec<oneshot::Sender<Result<(), CloseError>>>;

impl Phase {
    pub(super) const fn is_running(&self) -> bool {
        matches!(self, Self::Running)
    }

    pub(super) const fn is_over(&self) -> bool {
        matches!(self, Self::Over)
    }

    pub(super) const fn deadline(&self) -> Option<Time> {
        match self {
            Self::Delivering { until, .. } | Self::Goodbye { until, .. } => Some(*until),
            Self::Running | Self::Over => None,
        }
    }
}

impl Driver {
    /// Begins the end, or joins it.
    pub(super) fn close(
        &mut self,
        now: Time,
        reply: Option<oneshot::Sender<Result<(), CloseError>>>,
    ) {
        match &mut self.phase {
            Phase::Running => {
                let until = now + self.shared.settings.linger;
                self.phase = Phase::Delivering {
                    until,
                    waiting: reply.into_iter().collect(),
                };
                while let Some((service, _)) = self.listeners.pop_first() {
                    self.node.unlisten(&service);
                }
                self.dials.end(&mut self.node);
                self.lookups.clear();
                self.channels.refuse_writes(&mut self.wakes);
            }
            Phase::Delivering { waiting, .. } | Phase::Goodbye { waiting, .. } => {
                waiting.extend(reply)
            }
            Phase::Over => {}
        }
    }

    /// Takes the next step towards the end if it is time to.
    pub(super) fn go_on_closing(&mut self, now: Time) {
        match std::mem::replace(&mut self.phase, Phase::Over) {
            Phase::Running => self.phase = Phase::Running,
            Phase::Delivering { until, waiting } => {
                let delivered = !self.channels.hold_back() && self.node.is_drained();
                if !delivered && now < until {
                    self.phase = Phase::Delivering { until, waiting };
                    return;
                }
                let linger = self.shared.settings.linger;
                let outcome = if delivered {
                    Ok(())
                } else {
                    Err(CloseError::Undelivered { linger })
                };
                self.node.close(now, codes::SHUTDOWN, "");
                self.phase = Phase::Goodbye {
                    until: now + GOODBYE_MAX,
                    outcome,
                    waiting,
                };
            }
            Phase::Goodbye {
                until,
                outcome,
                waiting,
            } => {
                if !self.node.is_closed() && now < until {
                    self.phase = Phase::Goodbye {
                        until,
                        outcome,
                        waiting,
                    };
                    return;
                }
                self.shared.set_closed();
                for reply in waiting {
                    // Whoever has stopped waiting does not mind.
                    let _ = reply.send(outcome.clone());
                }
            }
            Phase::Over => {}
        }
    }
}
