//! One UDP socket.

use std::io::{self, IoSliceMut};
use std::net::{IpAddr, SocketAddr};
use std::task::{Context, Poll, ready};

use keyway_node::{Arrival, Ecn, SocketId, Transmit};
use quinn_udp::{EcnCodepoint, RecvMeta, UdpSocketState};
use tokio::io::Interest;
use tokio::net::UdpSocket;

/// Octets of UDP payload that one send with segmentation offload carries, over IPv6 as well: 65,535 less 40 and 8 of headers.
const SEND_LEN_MAX: usize = 65_487;
/// Errors that one round of receiving passes over. The kernel may report one for each ICMP message, and those are for free.
const ERRORS_PER_ROUND: usize = 16;

/// What became of a batch.
#[derive(Copy, Clone, Eq, PartialEq, Debug)]
pub(crate) enum SendOutcome {
    /// The kernel has all of it.
    Sent,
    /// The kernel refused some of it. That is as good as lost on the way: what matters is sent again.
    Lost,
    /// The same, because there is no way out to that address: the interfaces may have changed.
    Unreachable,
    /// The same, because the datagrams are larger than the interface takes.
    TooLarge,
}

#[derive(Debug)]
pub(super) struct Socket {
    id: SocketId,
    io: UdpSocket,
    state: UdpSocketState,
    local: SocketAddr,
    /// A source address that the kernel refused last. It is left to the kernel's choice from then on.
    gone: Option<IpAddr>,
}

impl Socket {
    /// Takes over a bound socket; to be called within a runtime.
    pub(super) fn new(id: SocketId, socket: std::net::UdpSocket) -> io::Result<Self> {
        let state = UdpSocketState::new((&socket).into())?;
        let local = socket.local_addr()?;
        Ok(Self {
            id,
            io: UdpSocket::from_std(socket)?,
            state,
            local,
            gone: None,
        })
    }

    pub(super) const fn id(&self) -> SocketId {
        self.id
    }

    pub(super) const fn local(&self) -> SocketAddr {
        self.local
    }

    #[cfg(test)]
    pub(super) fn sends_segments(&self) -> bool {
        self.state.max_gso_segments() > 1
    }

    pub(super) fn arrival(&self, meta: &RecvMeta) -> Arrival {
        Arrival {
            socket: self.id,
            remote: meta.addr,
            local: meta.dst_ip,
            ecn: meta.ecn.map(from_codepoint),
        }
    }

    /// One receive call: how many of the slices were filled.
    ///
    /// Where the kernel fills several at once, fewer than all mean that the socket is empty: the next call waits to be told,
    /// and saves asking in vain.
    pub(super) fn poll_receive(
        &self,
        context: &mut Context<'_>,
        slices: &mut [IoSliceMut<'_>],
        meta: &mut [RecvMeta],
    ) -> Poll<usize> {
        let mut errors = 0;
        loop {
            if ready!(self.io.poll_recv_ready(context)).is_err() {
                // The runtime shuts down, and the driver with it.
                return Poll::Pending;
            }
            let mut last = None;
            let received = self.io.try_io(Interest::READABLE, || {
                let count = self.state.recv((&self.io).into(), slices, meta)?;
                if count < slices.len().min(quinn_udp::BATCH_SIZE) {
                    last = Some(count);
                    return Err(io::ErrorKind::WouldBlock.into());
                }
                Ok(count)
            });
            match received {
                Ok(count) => return Poll::Ready(count),
                Err(error) if error.kind() == io::ErrorKind::WouldBlock => {
                    if let Some(count) = last {
                        return Poll::Ready(count);
                    }
                }
                Err(error) => {
                    // An ICMP message about something that was sent, on some systems. It proves nothing about anybody.
                    tracing::trace!(%error, socket = %self.local, "receiving failed");
                    errors += 1;
                    if errors == ERRORS_PER_ROUND {
                        return Poll::Ready(0);
                    }
                }
            }
        }
    }

    /// One receive call that does not wait; `None` if there is nothing.
    pub(super) fn receive_now(
        &self,
        slices: &mut [IoSliceMut<'_>],
        meta: &mut [RecvMeta],
    ) -> Option<usize> {
        // An error is found again, and told, by the call that waits.
        self.state.recv((&self.io).into(), slices, meta).ok()
    }

    pub(super) fn poll_send(
        &mut self,
        context: &mut Context<'_>,
        transmit: &Transmit,
        datagrams: &[u8],
        sent: &mut usize,
    ) -> Poll<SendOutcome> {
        let mut outcome = SendOutcome::Sent;
        while *sent < datagrams.len() {
            let rest = &datagrams[*sent..];
            let chunk = &rest[..self.chunk_len(transmit.segment_size, rest.len())];
            match ready!(self.poll_send_chunk(context, transmit, chunk)) {
                Ok(()) => *sent += chunk.len(),
                // Segmentation offload failed, and is off from here on: the same octets again, in smaller pieces.
                Err(_) if chunk.len() > self.chunk_len(transmit.segment_size, rest.len()) => {}
                Err(error) => {
                    *sent += chunk.len();
                    outcome = self.report(&error, transmit);
                }
            }
        }
        Poll::Ready(outcome)
    }

    /// How much of `rest` octets goes into one call, in whole segments.
    fn chunk_len(&self, segment_size: usize, rest: usize) -> usize {
        let segment_size = segment_size.max(1);
        let segments = self
            .state
            .max_gso_segments()
            .min(SEND_LEN_MAX / segment_size)
            .max(1);
        rest.min(segments.saturating_mul(segment_size))
    }

    fn poll_send_chunk(
        &mut self,
        context: &mut Context<'_>,
        transmit: &Transmit,
        chunk: &[u8],
    ) -> Poll<io::Result<()>> {
        let source = transmit
            .local
            .filter(|source| self.local.ip().is_unspecified() && self.gone != Some(*source));
        let sent = ready!(self.poll_call(context, transmit, chunk, source));
        match sent {
            Err(error) if source.is_some() && is_bad_source(&error) => {
                // The address left the machine. The kernel's complaint looks as if it had no segmentation offload, so the
                // state that draws this conclusion is made anew, and the kernel chooses the source.
                if let Ok(state) = UdpSocketState::new((&self.io).into()) {
                    self.state = state;
                }
                self.gone = source;
                self.poll_call(context, transmit, chunk, None)
            }
            sent => Poll::Ready(sent),
        }
    }

    fn poll_call(
        &self,
        context: &mut Context<'_>,
        transmit: &Transmit,
        chunk: &[u8],
        source: Option<IpAddr>,
    ) -> Poll<io::Result<()>> {
        let call = quinn_udp::Transmit {
            destination: transmit.remote,
            ecn: transmit.ecn.map(to_codepoint),
            contents: chunk,
            segment_size: (chunk.len() > transmit.segment_size).then_some(transmit.segment_size),
            src_ip: source,
        };
        loop {
            ready!(self.io.poll_send_ready(context))?;
            let sent = self.io.try_io(Interest::WRITABLE, || {
                self.state.try_send((&self.io).into(), &call)
            });
            match sent {
                Err(error) if error.kind() == io::ErrorKind::WouldBlock => {}
                sent => return Poll::Ready(sent),
            }
        }
    }

    fn report(&self, error: &io::Error, transmit: &Transmit) -> SendOutcome {
        if is_too_large(error) {
            // Most likely a probe for a larger packet size.
            return SendOutcome::TooLarge;
        }
        tracing::debug!(%error, socket = %self.local, remote = %transmit.remote, "sending failed");
        let no_way_out = matches!(
            error.kind(),
            io::ErrorKind::NetworkUnreachable
                | io::ErrorKind::HostUnreachable
                | io::ErrorKind::NetworkDown
        );
        if no_way_out {
            SendOutcome::Unreachable
        } else {
            SendOutcome::Lost
        }
    }
}

/// EMSGSIZE, which the standard library has no kind for.
fn is_too_large(error: &io::Error) -> bool {
    #[cfg(unix)]
    let too_large = rustix::io::Errno::MSGSIZE.raw_os_error();
    // WSAEMSGSIZE
    #[cfg(windows)]
    let too_large = 10_040;
    error.raw_os_error() == Some(too_large)
}

/// Linux answers EINVAL or ENETUNREACH, others EADDRNOTAVAIL, to a source address that no interface has.
fn is_bad_source(error: &io::Error) -> bool {
    matches!(
        error.kind(),
        io::ErrorKind::InvalidInput
            | io::ErrorKind::NetworkUnreachable
            | io::ErrorKind::AddrNotAvailable
    )
}

const fn from_codepoint(codepoint: EcnCodepoint) -> Ecn {
    match codepoint {
        EcnCodepoint::Ect0 => Ecn::Ect0,
        EcnCodepoint::Ect1 => Ecn::Ect1,
        EcnCodepoint::Ce => Ecn::Ce,
    }
}

const fn to_codepoint(ecn: Ecn) -> EcnCodepoint {
    match ecn {
        Ecn::Ect0 => EcnCodepoint::Ect0,
        Ecn::Ect1 => EcnCodepoint::Ect1,
        Ecn::Ce => EcnCodepoint::Ce,
    }
}
