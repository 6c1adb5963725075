//! What crosses the border between a node and the sockets that its driver owns.

use std::net::{IpAddr, SocketAddr};

use keyway_rendezvous::Wall;
use keyway_transport::Ecn;
use keyway_wire::Time;

/// The driver's name for one bound UDP socket.
#[derive(Copy, Clone, Eq, PartialEq, Ord, PartialOrd, Hash, Debug)]
pub struct SocketId(pub u8);

/// Where a batch of datagrams came from.
#[derive(Copy, Clone, Eq, PartialEq, Debug)]
pub struct Arrival {
    /// The socket that it was read from.
    pub socket: SocketId,
    /// The sender's address.
    pub remote: SocketAddr,
    /// The address that it was sent to, where the system tells. Answers go out from there.
    pub local: Option<IpAddr>,
    /// The ECN bits of the IP header.
    pub ecn: Option<Ecn>,
}

/// Where `batch.bytes()` must go, as datagrams of `segment_size` octets each (the last may be shorter).
#[derive(Copy, Clone, Eq, PartialEq, Debug)]
pub struct Transmit {
    /// The socket to send from.
    pub socket: SocketId,
    /// The receiver's address.
    pub remote: SocketAddr,
    /// The source address to use, where the node knows which one the peer talks to.
    pub local: Option<IpAddr>,
    /// The ECN bits to set.
    pub ecn: Option<Ecn>,
    /// The length of every datagram but the last, in octets.
    pub segment_size: usize,
    /// The length of all datagrams together, in octets.
    pub len: usize,
    /// Whether it is one packet that asks for an answer, which may come at once.
    pub is_question: bool,
}

/// Wall-clock time as it was told once, carried on by the monotonic clock.
#[derive(Copy, Clone, Debug)]
pub(crate) struct WallClock {
    wall: Wall,
    told: Time,
}

impl WallClock {
    pub(crate) const fn new(told: Time, wall: Wall) -> Self {
        Self { wall, told }
    }

    pub(crate) fn at(&self, now: Time) -> Wall {
        self.wall.saturating_add(now.saturating_since(self.told))
    }
}

/// The sockets of this node: which one serves which family, and at which port.
#[derive(Clone, Debug, Default)]
pub(crate) struct Sockets {
    bound: Vec<(SocketId, SocketAddr)>,
}

impl Sockets {
    pub(crate) fn set(&mut self, bound: &[(SocketId, SocketAddr)]) {
        self.bound = bound.to_vec();
    }

    /// The socket to reach `remote` from: the first of its address family.
    pub(crate) fn towards(&self, remote: SocketAddr) -> Option<SocketId> {
        let (socket, _) = self
            .bound
            .iter()
            .find(|(_, local)| local.is_ipv4() == remote.is_ipv4())?;
        Some(*socket)
    }

    /// Where others could reach this node if no NAT stood between: every host address at the port bound in its family.
    pub(crate) fn host_candidates(&self, hosts: &[IpAddr]) -> Vec<SocketAddr> {
        let mut candidates = Vec::new();
        for (_, local) in &self.bound {
            if !local.ip().is_unspecified() {
                candidates.push(*local);
                continue;
            }
            let family = hosts
                .iter()
                .filter(|host| host.is_ipv4() == local.is_ipv4());
            candidates.extend(family.map(|host| SocketAddr::new(*host, local.port())));
        }
        candidates
    }
}
