//! What a server knows about a node.

use std::time::{Duration, SystemTime, UNIX_EPOCH};

use keyway_identity::NodeId;

/// The record that a node publishes at its servers, signed by itself; the signature has been checked.
///
/// It says that the node lives and where it can be asked for. Its addresses are not in it: those are told only to peers that it
/// allows, inside the encryption.
///
/// ```no_run
/// # async fn run(node: keyway::Node, peer: keyway::NodeId) -> Result<(), keyway::LookupError> {
/// let record = node.lookup(peer).await?;
/// println!("registered at {} servers until {:?}", record.servers.len(), record.expiry);
/// # Ok(())
/// # }
/// ```
#[derive(Clone, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub struct Record {
    /// Whose record it is.
    pub node: NodeId,
    /// The protocol versions that the node speaks.
    pub versions: Vec<u32>,
    /// Grows with every start of the node.
    pub epoch: u64,
    /// Random, drawn at the start of the process.
    pub instance: u64,
    /// Grows with every record of one epoch.
    pub sequence: u64,
    /// The servers that the node keeps connected to.
    pub servers: Vec<NodeId>,
    /// When the record was made, by the clock of the node.
    pub issued: SystemTime,
    /// When it ceases to hold.
    pub expiry: SystemTime,
}

impl Record {
    pub(crate) fn new(record: keyway_node::Record) -> Self {
        Self {
            node: record.node,
            versions: record.versions,
            epoch: record.epoch,
            instance: record.instance,
            sequence: record.sequence,
            servers: record.servers,
            issued: time(record.issued.0),
            expiry: time(record.expiry.0),
        }
    }
}

/// Seconds since 1970 as a time; one that the system cannot represent becomes 1970.
fn time(seconds: u64) -> SystemTime {
    UNIX_EPOCH
        .checked_add(Duration::from_secs(seconds))
        .unwrap_or(UNIX_EPOCH)
}
