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

/// What was seen so far.
#[derive(Copy, Clone, Debug, Default)]
struct Seen {
    first: Option<Route>,
    direct: Option<Switch>,
}

/// Follows the selected path to one peer.
#[derive(Debug)]
pub(super) struct Watcher {
    seen: watch::Receiver<Seen>,
    told: std::cell::Cell<bool>,
}

impl Watcher {
    #[expect(clippy::disallowed_methods, reason = "the story tells when the path changed")]
    pub(super) fn start(node: Node, peer: NodeId) -> Self {
        let (sender, seen) = watch::channel(Seen::default());
        tokio::spawn(async move {
            let mut interval = tokio::time::interval(EVERY);
            while !sender.is_closed() && sender.borrow().direct.is_none() {
                interval.tick().await;
                let paths = node.paths(peer).await;
                let Some(route) = paths.iter().find(|path| path.selected).map(|path| path.route) else { continue };
                sender.send_if_modified(|seen| {
                    let news = seen.first.is_none() || route.is_direct();
                    seen.first.get_or_insert(route);
                    if route.is_direct() {
                        seen.direct = Some(Switch { at: Instant::now(), route });
                    }
                    news
                });
            }
        });
        Self { seen, told: std::cell::Cell::new(false) }
    }

    /// The path that was in use first.
    pub(super) fn first(&self) -> Option<Route> {
        self.seen.borrow().first
    }

    pub(super) fn saw_direct(&self) -> bool {
        self.seen.borrow().direct.is_some()
    }

    /// The switch to a direct path, once.
    pub(super) fn news(&self) -> Option<Switch> {
        let switch = self.seen.borrow().direct?;
        (!self.told.replace(true)).then_some(switch)
    }

    /// Waits for the switch, if it has not been told yet.
    pub(super) async fn wait_for_direct(&self, deadline: Duration) -> Option<Switch> {
        let mut seen = self.seen.clone();
        let direct = seen.wait_for(|seen| seen.direct.is_some());
        tokio::time::timeout(deadline, direct).await.ok()?.ok()?;
        self.news()
    }
}
