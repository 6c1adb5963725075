//! Names for the things that a node hands out. None of them is ever reused within one node.

use keyway_wire::StreamId;

/// One association of this node. A peer that comes back without its state gets another key.
#[derive(Copy, Clone, Eq, PartialEq, Ord, PartialOrd, Hash, Debug)]
pub struct AssociationKey(pub(crate) u64);

/// One stream, or one datagram flow, of one association.
#[derive(Copy, Clone, Eq, PartialEq, Ord, PartialOrd, Hash, Debug)]
pub struct StreamKey {
    pub(crate) association: AssociationKey,
    pub(crate) stream: StreamId,
}

impl StreamKey {
    /// The association that the stream belongs to.
    #[must_use]
    pub const fn association(&self) -> AssociationKey {
        self.association
    }
}

/// One call of [`Node::connect`](crate::Node::connect).
#[derive(Copy, Clone, Eq, PartialEq, Ord, PartialOrd, Hash, Debug)]
pub struct ConnectId(pub(crate) u64);

/// One call of [`Node::lookup`](crate::Node::lookup).
#[derive(Copy, Clone, Eq, PartialEq, Ord, PartialOrd, Hash, Debug)]
pub struct LookupId(pub(crate) u64);
