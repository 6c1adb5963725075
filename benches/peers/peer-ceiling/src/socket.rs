//! A UDP socket that takes and gives many packets at once.

use std::io::ErrorKind;
use std::net::UdpSocket;
use std::time::Duration;

use anyhow::{Context, Result};
use nix::sys::socket::setsockopt;
use nix::sys::socket::sockopt::{UdpGroSegment, UdpGsoSegment};
use socket2::SockRef;

/// Asked for; the kernel may grant less.
const BUFFER: usize = 4 * 1024 * 1024;

/// Nothing takes as long here: whoever waits longer waits for a packet that was lost.
const PATIENCE: Duration = Duration::from_secs(5);

/// Bound to some port of loopback.
pub(crate) fn bind() -> Result<UdpSocket> {
    let socket = UdpSocket::bind("127.0.0.1:0")?;
    let buffers = SockRef::from(&socket);
    buffers.set_recv_buffer_size(BUFFER)?;
    buffers.set_send_buffer_size(BUFFER)?;
    setsockopt(&socket, UdpGroSegment, &true).context("this kernel has no GRO for UDP")?;
    Ok(socket)
}

/// From here on, whatever is sent is cut into packets of this length. A packet that is shorter goes as it is.
pub(crate) fn cut(socket: &UdpSocket, length: usize) -> Result<()> {
    let length = i32::try_from(length)?;
    setsockopt(socket, UdpGsoSegment, &length).context("this kernel has no GSO for UDP")
}

/// Lets a server wait for ever, and everybody else not.
pub(crate) fn set_patient(socket: &UdpSocket, patient: bool) -> Result<()> {
    Ok(socket.set_read_timeout((!patient).then_some(PATIENCE))?)
}

/// Receives, by polling where asked to (the socket does not block then).
pub(crate) fn receive(socket: &UdpSocket, buffer: &mut [u8], spins: bool) -> Result<usize> {
    loop {
        match socket.recv(buffer) {
            Ok(length) => return Ok(length),
            Err(error) if spins && error.kind() == ErrorKind::WouldBlock => std::hint::spin_loop(),
            Err(error) => return Err(error.into()),
        }
    }
}
