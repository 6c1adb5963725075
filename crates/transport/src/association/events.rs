use std::collections::VecDeque;

use crate::{AssociationEvent, EndReason};

/// Events of kinds that a peer can cause at will, each about another address: more than these of them are of no use.
const ADDRESSES_MAX: usize = 32;

/// Events of the association itself that wait to be taken. Those of its streams wait there.
#[derive(Debug, Default)]
pub(crate) struct Events {
    queue: VecDeque<AssociationEvent>,
    /// That the association is over: nothing comes after it, and that includes what streams have to say.
    end: Option<EndReason>,
}

impl Events {
    /// Adds an event, or lets it replace or join one that says the same.
    pub(crate) fn push(&mut self, event: AssociationEvent) {
        use AssociationEvent::{Candidates, HandshakeWanted, Observed, ProbedFrom};
        let about = |other: &AssociationEvent| match (&event, other) {
            (Candidates(_), Candidates(_)) | (HandshakeWanted, HandshakeWanted) => true,
            (Observed { route, .. }, Observed { route: other, .. })
            | (ProbedFrom(route), ProbedFrom(other)) => route == other,
            _ => false,
        };
        if let Some(waiting) = self.queue.iter_mut().find(|waiting| about(waiting)) {
            *waiting = event;
            return;
        }
        let addresses = |event: &AssociationEvent| matches!(event, Observed { .. } | ProbedFrom(_));
        if addresses(&event)
            && self
                .queue
                .iter()
                .filter(|waiting| addresses(waiting))
                .count()
                >= ADDRESSES_MAX
        {
            return;
        }
        self.queue.push_back(event);
    }

    /// The association is over.
    pub(crate) fn end(&mut self, reason: EndReason) {
        self.end = Some(reason);
    }

    /// The oldest event but the last one.
    pub(crate) fn pop(&mut self) -> Option<AssociationEvent> {
        let event = self.queue.pop_front();
        if self.queue.is_empty() {
            // They come in bursts, such as a wish for eight ids, and then none for long.
            self.queue = VecDeque::new();
        }
        event
    }

    /// The last one, when all the others have been taken.
    pub(crate) fn pop_end(&mut self) -> Option<AssociationEvent> {
        self.end.take().map(AssociationEvent::Ended)
    }
}

#[cfg(test)]
mod tests {
    use std::net::SocketAddr;

    use super::*;
    use crate::Route;

    fn address(port: u16) -> SocketAddr {
        ([192, 0, 2, 1], port).into()
    }

    fn route(port: u16) -> Route {
        Route::Direct {
            remote: address(port),
        }
    }

    #[test]
    fn what_is_said_again_before_it_was_heard_is_said_once() {
        let mut events = Events::default();
        events.push(AssociationEvent::HandshakeWanted);
        events.push(AssociationEvent::Candidates(vec![]));
        events.push(AssociationEvent::Observed {
            address: address(1),
            route: route(9),
        });
        events.push(AssociationEvent::HandshakeWanted);
        events.push(AssociationEvent::Observed {
            address: address(2),
            route: route(9),
        });
        let all: Vec<_> = std::iter::from_fn(|| events.pop()).collect();
        assert_eq!(
            all[..2],
            [
                AssociationEvent::HandshakeWanted,
                AssociationEvent::Candidates(vec![])
            ]
        );
        assert_eq!(
            all[2..],
            [AssociationEvent::Observed {
                address: address(2),
                route: route(9)
            }]
        );
    }

    #[test]
    fn a_peer_that_probes_from_everywhere_fills_no_memory() {
        let mut events = Events::default();
        (1..1000).for_each(|port| events.push(AssociationEvent::ProbedFrom(route(port))));
        assert_eq!(events.queue.len(), ADDRESSES_MAX);
        events.push(AssociationEvent::CidWanted);
        events.push(AssociationEvent::CidWanted);
        assert_eq!(
            events.queue.len(),
            ADDRESSES_MAX + 2,
            "other events are not affected, and these are counted"
        );
    }
}
