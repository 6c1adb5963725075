//! Who may use what. Default deny: a service that nobody listens on, and a peer that no service allows, do not exist.

use std::collections::{BTreeMap, BTreeSet};

use keyway_identity::NodeId;
use keyway_wire::ServiceName;
use keyway_wire::planted::{Fault, planted};

/// Whom a service serves.
#[derive(Clone, Eq, PartialEq, Debug)]
pub enum Allow {
    /// Every node that knows our id.
    Any,
    /// These nodes alone.
    Only(BTreeSet<NodeId>),
}

impl Allow {
    fn permits(&self, peer: &NodeId) -> bool {
        match self {
            _ if planted(Fault::SkipAllowList) => true,
            Self::Any => true,
            Self::Only(peers) => peers.contains(peer),
        }
    }
}

/// The services of this node.
#[derive(Debug, Default)]
pub(crate) struct Policy {
    services: BTreeMap<ServiceName, Allow>,
}

impl Policy {
    pub(crate) fn listen(&mut self, service: ServiceName, allow: Allow) {
        self.services.insert(service, allow);
    }

    pub(crate) fn unlisten(&mut self, service: &ServiceName) {
        self.services.remove(service);
    }

    /// True where somebody may use something: only then does it help anybody to find this node at a server.
    pub(crate) fn serves_anybody(&self) -> bool {
        !self.services.is_empty()
    }

    /// Whether `peer` may use any service at all. Who may not, may not even shake hands.
    pub(crate) fn welcomes(&self, peer: &NodeId) -> bool {
        self.services.values().any(|allow| allow.permits(peer))
    }

    /// Whether a service names `peer`, rather than everybody.
    pub(crate) fn names(&self, peer: &NodeId) -> bool {
        let mut lists = self.services.values();
        lists.any(|allow| matches!(allow, Allow::Only(peers) if peers.contains(peer)))
    }

    /// Whether `peer` may open a stream to `service`. "Does not exist" and "not for you" are the same answer.
    pub(crate) fn permits(&self, peer: &NodeId, service: &str) -> bool {
        self.services
            .iter()
            .any(|(name, allow)| name.as_str() == service && allow.permits(peer))
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use keyway_identity::SecretKey;

    fn id(seed: u8) -> NodeId {
        SecretKey::from_bytes([seed; 32]).node_id()
    }

    #[test]
    fn a_node_without_services_welcomes_nobody() {
        assert!(!Policy::default().welcomes(&id(1)));
    }

    #[test]
    fn an_empty_list_admits_nobody() {
        let mut policy = Policy::default();
        policy.listen("http".parse().unwrap(), Allow::Only(BTreeSet::new()));
        assert!(!policy.welcomes(&id(1)));
    }

    #[test]
    fn a_listed_peer_may_use_its_service_and_no_other() {
        let mut policy = Policy::default();
        policy.listen(
            "http".parse().unwrap(),
            Allow::Only(BTreeSet::from([id(1)])),
        );
        policy.listen("db".parse().unwrap(), Allow::Only(BTreeSet::from([id(2)])));
        assert!(policy.welcomes(&id(1)));
        assert!(policy.permits(&id(1), "http"));
        assert!(!policy.permits(&id(1), "db"));
        assert!(!policy.permits(&id(1), "nothing"));
    }

    #[test]
    fn a_service_that_is_taken_down_is_gone() {
        let mut policy = Policy::default();
        policy.listen("http".parse().unwrap(), Allow::Any);
        policy.unlisten(&"http".parse().unwrap());
        assert!(!policy.permits(&id(1), "http"));
        assert!(!policy.serves_anybody());
    }
}
