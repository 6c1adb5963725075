//! A node with the sockets of its host, and how a world drives it, whoever its user is.

use std::net::{IpAddr, SocketAddr};

use keyway_identity::SecretKey;
use keyway_node::{Arrival, Batch, Config, Event, Node, SocketId, Wall};
use keyway_wire::Time;

use crate::program::{Program, SendTo};

/// A node, and the sockets that it has.
#[derive(Debug)]
pub(crate) struct Machine {
    pub(crate) node: Node,
    /// Where the first socket is bound.
    pub(crate) local: SocketAddr,
    /// All of them, in the order of their ids.
    sockets: Vec<(SocketId, SocketAddr)>,
    pub(crate) is_relay: bool,
    batch: Batch,
}

impl Machine {
    /// A node with sockets bound at `locals`, at least one, on a host with these addresses, with all its randomness from `seed`.
    pub(crate) fn new(
        (now, wall): (Time, Wall),
        secret: SecretKey,
        seed: [u8; 32],
        locals: &[SocketAddr],
        addresses: &[IpAddr],
        config: Config,
    ) -> Self {
        let is_relay = config.server;
        let sockets: Vec<_> = (0..=u8::MAX)
            .map(SocketId)
            .zip(locals.iter().copied())
            .collect();
        let mut node = Node::new(now, wall, secret, seed, config);
        node.set_sockets(now, &sockets, addresses);
        Self {
            node,
            local: locals[0],
            sockets,
            is_relay,
            batch: Batch::new(),
        }
    }

    /// Hands over the next packets; whether there were some.
    fn send_some(&mut self, now: Time, send: &mut dyn FnMut(SendTo<'_>)) -> bool {
        let Some(transmit) = self.node.poll_transmit(now, &mut self.batch) else {
            return false;
        };
        let mut sockets = self.sockets.iter();
        let bound = sockets.find(|(socket, _)| *socket == transmit.socket);
        let bound = bound.map_or(self.local, |(_, bound)| *bound);
        let source = SocketAddr::new(transmit.local.unwrap_or(bound.ip()), bound.port());
        for payload in self.batch.bytes()[..transmit.len].chunks(transmit.segment_size.max(1)) {
            send(SendTo {
                source,
                destination: transmit.remote,
                payload,
            });
        }
        true
    }

    /// The socket that hears what comes to an address.
    fn socket_at(&self, address: SocketAddr) -> Option<SocketId> {
        let hears = |bound: &SocketAddr| {
            bound.port() == address.port() && bound.is_ipv4() == address.is_ipv4()
        };
        let mut sockets = self.sockets.iter();
        sockets
            .find(|(_, bound)| hears(bound))
            .map(|(socket, _)| *socket)
    }
}

/// Whoever uses a node: a [`Program`] that does what its machine and it have to do.
pub(crate) trait User {
    /// The machine that is used.
    fn machine(&self) -> &Machine;

    /// The same, to be changed.
    fn machine_mut(&mut self) -> &mut Machine;

    /// Is told something.
    fn hear(&mut self, now: Time, event: Event);

    /// Does what it does without being told.
    fn strike(&mut self, now: Time);

    /// When that is.
    fn strikes_at(&self) -> Option<Time>;

    /// Hears all that the node has to say.
    fn react(&mut self, now: Time) {
        while let Some(event) = self.machine_mut().node.poll_event() {
            self.hear(now, event);
        }
    }
}

impl<U: User> Program for U {
    fn receive(
        &mut self,
        now: Time,
        remote: SocketAddr,
        local: SocketAddr,
        datagrams: &mut [u8],
        stride: usize,
    ) {
        let machine = self.machine_mut();
        // Nobody listens at the host's other ports.
        let Some(socket) = machine.socket_at(local) else {
            return;
        };
        let arrival = Arrival {
            socket,
            remote,
            local: Some(local.ip()),
            ecn: None,
        };
        machine.node.handle_batch(now, arrival, datagrams, stride);
        self.react(now);
    }

    fn wake(&mut self, now: Time) {
        self.machine_mut().node.handle_timeout(now);
        self.react(now);
        self.strike(now);
        self.react(now);
    }

    fn wake_at(&self, now: Time) -> Option<Time> {
        let node = self.machine().node.poll_timeout(now);
        node.into_iter().chain(self.strikes_at()).min()
    }

    fn is_relay(&self) -> bool {
        self.machine().is_relay
    }

    fn poll_send(&mut self, now: Time, send: &mut dyn FnMut(SendTo<'_>)) {
        // Sending may raise events, and hearing them may give more to send.
        while self.machine_mut().send_some(now, send) {
            self.react(now);
        }
        self.react(now);
    }
}
