//! Requests that wait for their answers.

use std::collections::{BTreeMap, BTreeSet};
use std::time::Duration;

use keyway_identity::NodeId;
use keyway_wire::Time;

use crate::message::RequestId;

/// How long a server has for an answer. Long enough for a slow path with a lost packet, short enough to ask another
/// one.
pub const REQUEST_TIMEOUT: Duration = Duration::from_secs(3);

/// Requests that may wait at one time.
const WAITING_MAX: usize = 256;

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Kind {
    Record,
    Channel,
}

/// Requests that were sent, until they are answered or given up.
#[derive(Debug, Default)]
pub(super) struct Requests {
    waiting: BTreeMap<RequestId, Waiting>,
    deadlines: BTreeSet<(Time, RequestId)>,
    last: u64,
}

#[derive(Debug)]
struct Waiting {
    kind: Kind,
    node: NodeId,
    deadline: Time,
}

/// As many requests wait as may.
#[derive(Debug)]
pub(super) struct TooMany;

impl Requests {
    pub(super) fn fresh_id(&mut self) -> RequestId {
        self.last += 1;
        RequestId(self.last)
    }

    pub(super) fn add(
        &mut self,
        now: Time,
        request: RequestId,
        kind: Kind,
        node: NodeId,
    ) -> Result<(), TooMany> {
        if self.waiting.len() >= WAITING_MAX {
            return Err(TooMany);
        }
        let deadline = now + REQUEST_TIMEOUT;
        self.deadlines.insert((deadline, request));
        self.waiting.insert(
            request,
            Waiting {
                kind,
                node,
                deadline,
            },
        );
        Ok(())
    }

    /// Ends a request, if it waits for an answer of this kind (or, with `None`, of any), and says which node it was
    /// about.
    pub(super) fn answered(&mut self, request: RequestId, kind: Option<Kind>) -> Option<NodeId> {
        let waiting = self.waiting.get(&request)?;
        if kind.is_some_and(|kind| kind != waiting.kind) {
            return None;
        }
        self.remove(request).map(|(_, node)| node)
    }

    /// Ends the requests whose time is over.
    pub(super) fn expire(&mut self, now: Time) -> Vec<(RequestId, NodeId)> {
        let over = self
            .deadlines
            .iter()
            .take_while(|(deadline, _)| *deadline <= now);
        let over: Vec<_> = over.map(|(_, request)| *request).collect();
        over.into_iter()
            .filter_map(|request| self.remove(request))
            .collect()
    }

    /// Ends all requests.
    pub(super) fn clear(&mut self) -> Vec<(RequestId, NodeId)> {
        self.deadlines.clear();
        let waiting = std::mem::take(&mut self.waiting);
        waiting
            .into_iter()
            .map(|(request, waiting)| (request, waiting.node))
            .collect()
    }

    pub(super) fn poll_timeout(&self) -> Option<Time> {
        self.deadlines.first().map(|(deadline, _)| *deadline)
    }

    fn remove(&mut self, request: RequestId) -> Option<(RequestId, NodeId)> {
        let waiting = self.waiting.remove(&request)?;
        self.deadlines.remove(&(waiting.deadline, request));
        Some((request, waiting.node))
    }
}
