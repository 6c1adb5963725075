//! How much a node holds.

/// How much a node holds at the moment: what its limits bound, and what has to be nothing in the end.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Census {
    /// Nodes that it knows something about.
    pub peers: usize,
    /// Associations, those included that wait for confirmation or have ended and may still be read from.
    pub associations: usize,
    /// Of them, those that nobody has confirmed.
    pub half_open: usize,
    /// Of them, those that have ended.
    pub ended: usize,
    /// Connection ids under which packets reach it.
    pub connection_ids: usize,
    /// INITs that wait for their answer.
    pub dials: usize,
    /// Relay channels that it is an end of.
    pub channels: usize,
    /// Look-ups that wait for their answer.
    pub lookups: usize,
    /// Timers that are set.
    pub timers: usize,
    /// Handshake packets that wait for the socket.
    pub packets_waiting: usize,
    /// Clients that it serves, where it is a server.
    pub clients: usize,
    /// Octets of memory that are lent to associations: at most [`memory_max`](crate::Limits::memory_max).
    pub memory_lent: u64,
}
