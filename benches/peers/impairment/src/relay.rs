//! Sockets on both sides of two channels. Every flow has its own pair of sockets, and all of them share the channels.

use std::net::{Ipv4Addr, SocketAddr, UdpSocket};
use std::time::{Duration, Instant};

use anyhow::{Context, Result};
use rustix::event::{PollFd, PollFlags, Timespec, poll};
use rustix::net::sockopt::{set_socket_recv_buffer_size, set_socket_send_buffer_size};

use crate::channel::Channel;

/// No UDP payload is longer.
const PACKET_MAX: usize = 65_536;

/// Asked for at each socket, so that nothing is lost but in the channels; the kernel may grant less.
const SOCKET_BUFFER: usize = 4 * 1024 * 1024;

/// How many packets are taken from one socket before the others have their turn.
const TURN: usize = 64;

/// A packet of the flow with that index.
type Packet = (usize, Vec<u8>);

/// One client and its server.
#[derive(Debug)]
struct Flow {
    /// Where the client sends to.
    front: UdpSocket,
    /// The client, once it has sent something.
    client: Option<SocketAddr>,
    /// Connected to the server.
    back: UdpSocket,
}

/// All flows, and the two channels that they share.
#[derive(Debug)]
pub(crate) struct Relay {
    flows: Vec<Flow>,
    to_clients: Channel<Packet>,
    to_servers: Channel<Packet>,
    began: Instant,
    buffer: Vec<u8>,
}

impl Relay {
    /// One flow to each of these servers.
    ///
    /// # Errors
    /// If there are no sockets to be had.
    pub(crate) fn new(
        servers: &[SocketAddr],
        to_clients: Channel<Packet>,
        to_servers: Channel<Packet>,
    ) -> Result<Self> {
        let flow = |server: &SocketAddr| -> Result<Flow> {
            let (front, back) = (bind()?, bind()?);
            back.connect(server)
                .with_context(|| format!("cannot reach {server}"))?;
            Ok(Flow {
                front,
                client: None,
                back,
            })
        };
        Ok(Self {
            flows: servers.iter().map(flow).collect::<Result<_>>()?,
            to_clients,
            to_servers,
            began: harness::now(),
            buffer: vec![0; PACKET_MAX],
        })
    }

    /// Where the clients have to send to, in the order of their servers.
    pub(crate) fn fronts(&self) -> Result<Vec<SocketAddr>> {
        let address = |flow: &Flow| Ok(flow.front.local_addr()?);
        self.flows.iter().map(address).collect()
    }

    /// Carries packets until the process ends.
    ///
    /// # Errors
    /// If the kernel cannot wait for sockets.
    pub(crate) fn run(mut self) -> Result<()> {
        loop {
            self.wait()?;
            for index in 0..self.flows.len() {
                self.receive(index);
            }
            self.send();
        }
    }

    fn wait(&self) -> Result<()> {
        let sockets = self.flows.iter().flat_map(|flow| [&flow.front, &flow.back]);
        let mut polled: Vec<PollFd<'_>> = sockets
            .map(|socket| PollFd::new(socket, PollFlags::IN))
            .collect();
        let channels = [&self.to_clients, &self.to_servers];
        let next = channels
            .iter()
            .filter_map(|channel| channel.next_at())
            .min();
        let timeout = next
            .map(|next| Timespec::try_from(next.saturating_sub(self.began.elapsed())))
            .transpose()?;
        match poll(&mut polled, timeout.as_ref()) {
            Ok(_) | Err(rustix::io::Errno::INTR) => Ok(()),
            Err(error) => Err(error).context("cannot wait for sockets"),
        }
    }

    /// Takes what has come. An error says that nothing is there, or that nobody listens where a packet was sent to before: what
    /// else has come is there the next time.
    fn receive(&mut self, index: usize) {
        let flow = &mut self.flows[index];
        for _ in 0..TURN {
            let Ok((length, client)) = flow.front.recv_from(&mut self.buffer) else {
                break;
            };
            flow.client = Some(client);
            let packet = self.buffer[..length].to_vec();
            self.to_servers
                .take(self.began.elapsed(), length, (index, packet));
        }
        for _ in 0..TURN {
            let Ok(length) = flow.back.recv(&mut self.buffer) else {
                break;
            };
            let packet = self.buffer[..length].to_vec();
            self.to_clients
                .take(self.began.elapsed(), length, (index, packet));
        }
    }

    /// Hands over what has come out. What the kernel does not take is lost, as anywhere.
    fn send(&mut self) {
        let now = self.began.elapsed();
        while let Some((index, packet)) = self.to_servers.pop(now) {
            let _ = self.flows[index].back.send(&packet);
        }
        while let Some((index, packet)) = self.to_clients.pop(now) {
            let flow = &self.flows[index];
            if let Some(client) = flow.client {
                let _ = flow.front.send_to(&packet, client);
            }
        }
    }
}

fn bind() -> Result<UdpSocket> {
    let socket = UdpSocket::bind((Ipv4Addr::LOCALHOST, 0))?;
    socket.set_nonblocking(true)?;
    set_socket_recv_buffer_size(&socket, SOCKET_BUFFER)?;
    set_socket_send_buffer_size(&socket, SOCKET_BUFFER)?;
    Ok(socket)
}

/// A duration of so many milliseconds, which need not be whole.
pub(crate) fn millis(millis: f64) -> Duration {
    Duration::from_secs_f64(millis / 1_000.0)
}
