//! Watching which path is in use, and when that changes.

use std::time::{Duration, Instant};

use keyway::{Node, NodeId, Route};
use tokio::sync::watch;

/// How often the paths are asked for. The switch is told to within this time.
const EVERY: Duration = Duration::from_millis(2);

/// A change of path.
#[derive(Copy, Clone, Debug)]
pub(super) struct Switch {
    pub(super) at: Instant,
    pub(super) route: Route,
}

/// Follows the selected path to one peer.
#[derive(Debug)]
pub(super) struct Watcher {
    /// The switch to a direct path, once it was seen.
    seen: watch::Receiver<Option<Switch>>,
    told: std::cell::Cell<bool>,
}

impl Watcher {
    #[expect(
        clippy::disallowed_methods,
        reason = "the story tells when the path changed"
    )]
    pub(super) fn start(node: Node, peer: NodeId) -> Self {
        let (sender, seen) = watch::channel(None::<Switch>);
        tokio::spawn(async move {
            let mut interval = tokio::time::interval(EVERY);
            while !sender.is_closed() && sender.borrow().is_none() {
                interval.tick().await;
                let paths = node.paths(peer).await;
                let selected = paths
                    .iter()
                    .find(|path| path.selected)
                    .map(|path| path.route);
                if let Some(route) = selected.filter(Route::is_direct) {
                    sender.send_replace(Some(Switch {
                        at: Instant::now(),
                        route,
                    }));
                }
            }
        });
        Self {
            seen,
            told: std::cell::Cell::new(false),
        }
    }

    pub(super) fn saw_direct(&self) -> bool {
        self.seen.borrow().is_some()
    }

    /// The switch to a direct path, once.
    pub(super) fn news(&self) -> Option<Switch> {
        let switch = (*self.seen.borrow())?;
        (!self.told.replace(true)).then_some(switch)
    }

    /// Waits for the switch, if it has not been told yet.
    pub(super) async fn wait_for_direct(&self, deadline: Duration) -> Option<Switch> {
        let mut seen = self.seen.clone();
        let direct = seen.wait_for(Option::is_some);
        tokio::time::timeout(deadline, direct).await.ok()?.ok()?;
        self.news()
    }
}
