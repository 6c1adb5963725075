//! Whom a service serves.

use keyway_identity::NodeId;

/// Whom a listener serves. There is no default: nobody is served whom nobody named.
///
/// A node that no listener serves may not even shake hands: to it, this node looks as if it were not there.
///
/// ```
/// use keyway::Allow;
///
/// # let friend = keyway::SecretKey::from_bytes([7; 32]).node_id();
/// let friends = Allow::only([friend]);
/// let everybody = Allow::any();
/// # assert_ne!(friends, everybody);
/// ```
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Allow(keyway_node::Allow);

impl Allow {
    /// Every node that knows this one's id. They are authenticated, and the application can ask who they are.
    #[must_use]
    pub const fn any() -> Self {
        Self(keyway_node::Allow::Any)
    }

    /// These nodes alone; an empty list serves nobody.
    pub fn only(nodes: impl IntoIterator<Item = NodeId>) -> Self {
        Self(keyway_node::Allow::Only(nodes.into_iter().collect()))
    }

    pub(crate) fn into_inner(self) -> keyway_node::Allow {
        self.0
    }
}
