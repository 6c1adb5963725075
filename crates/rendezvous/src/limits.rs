//! What a server lets its clients cost it.

use crate::rate::Rate;

/// Every limit of a server that its operator may have a reason to change. The defaults suit a small machine with some hundred
/// MiB to spare.
///
/// Fixed by the protocol, or of no use to change: the length of messages (16,382 octets) and of records (2,048), one record for each
/// node, 256 KiB that wait for one client, 1,000 refusals in a row, and the times after which channels close (30 s
/// unanswered, 300 s unused).
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Limits {
    /// Records in memory, at most about 2.5 KB each. When there are as many, nodes that have none here are refused; those that do
    /// refresh theirs.
    pub records_max: usize,
    /// Records of nodes that come from one IPv4 /24 or IPv6 /48. Who is one too many is told that there is no room, and
    /// can still look up others and open channels; who has its record keeps it. Clients on the server's own machine are not
    /// counted.
    pub records_per_prefix_max: usize,
    /// Clients connected from one such prefix. Who is one too many is closed. Some 10 KiB each when idle, 300 KiB at worst.
    pub clients_per_prefix_max: usize,
    /// Relay channels in all, about 500 octets each.
    pub channels_max: usize,
    /// Relay channels of one client, opened by it or to it.
    pub channels_per_client_max: usize,
    /// Relay channels to one client that it has not answered. The oldest makes room for a newer one.
    pub unanswered_per_client_max: usize,
    /// Look-ups and channels that one client may ask for. A node dials and looks up when somebody wants it to.
    pub requests: Rate,
    /// Records that one client may publish: each costs a signature. A node refreshes its record once in a minute.
    pub publishes: Rate,
    /// Channels that may be offered to one client, by all others together.
    pub offers: Rate,
}

impl Default for Limits {
    fn default() -> Self {
        Self {
            records_max: 100_000,
            records_per_prefix_max: 256,
            clients_per_prefix_max: 1024,
            channels_max: 65_536,
            channels_per_client_max: 256,
            unanswered_per_client_max: 64,
            requests: Rate::new(50, 100),
            publishes: Rate::new(2, 10),
            offers: Rate::new(20, 64),
        }
    }
}
