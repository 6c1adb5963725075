//! Which sockets a node gets.

use std::io;
use std::net::{Ipv4Addr, Ipv6Addr, SocketAddr};

use keyway_node::SocketId;
use socket2::{Domain, Protocol, SockAddr, Type};

use super::Sockets;
use super::socket::Socket;

/// What is asked of the system for each socket, each way: what Linux grants without privileges on many machines. What it
/// grants in fact is read back; less costs throughput on long paths, and nothing else.
const KERNEL_BUFFER_LEN: usize = 4 * 1024 * 1024;
/// How often another port is tried when the one that IPv4 got is taken for IPv6.
const PORT_ATTEMPTS: usize = 16;
/// Addresses that one node may be bound to: socket ids have eight bits.
const SOCKETS_MAX: usize = 64;

/// Where a node wants to be reached.
#[derive(Clone, Debug, Eq, PartialEq)]
pub(crate) enum BindPlan {
    /// Any address of either family at this port; 0 leaves the port to the system.
    Port(u16),
    /// These addresses and no other.
    Addresses(Vec<SocketAddr>),
}

/// Binds the sockets of `plan`; to be called within a runtime.
///
/// With a port alone, a family that the machine does not have is left out. Both families get the same port, so that a NAT in
/// front of both, or an operator with a firewall, has one number to deal with.
pub(crate) fn bind(plan: &BindPlan) -> Result<Sockets, (SocketAddr, io::Error)> {
    let sockets = match plan {
        BindPlan::Port(0) => bind_some_port()?,
        BindPlan::Port(port) => bind_port(*port)?,
        BindPlan::Addresses(addresses) => bind_each(addresses)?,
    };
    let mut adopted = Vec::new();
    for (index, (address, socket)) in sockets.into_iter().enumerate() {
        let id = SocketId(u8::try_from(index).unwrap_or(u8::MAX));
        adopted.push(Socket::new(id, socket).map_err(|error| (address, error))?);
    }
    Ok(Sockets::new(adopted))
}

type Bound = Vec<(SocketAddr, std::net::UdpSocket)>;

fn bind_each(addresses: &[SocketAddr]) -> Result<Bound, (SocketAddr, io::Error)> {
    let mut bound = Bound::new();
    for address in addresses.iter().take(SOCKETS_MAX) {
        bound.push((*address, open(*address).map_err(|error| (*address, error))?));
    }
    Ok(bound)
}

fn bind_some_port() -> Result<Bound, (SocketAddr, io::Error)> {
    let mut attempt = 0;
    loop {
        let first = match open(any_v4(0)) {
            Ok(socket) => socket,
            Err(error) if is_missing_family(&error) => return bind_each(&[any_v6(0)]),
            Err(error) => return Err((any_v4(0), error)),
        };
        let port = first
            .local_addr()
            .map_err(|error| (any_v4(0), error))?
            .port();
        let mut bound = vec![(any_v4(port), first)];
        match open(any_v6(port)) {
            Ok(second) => bound.push((any_v6(port), second)),
            // Somebody else has this number for IPv6: another one may be free for both.
            Err(error) if error.kind() == io::ErrorKind::AddrInUse && attempt < PORT_ATTEMPTS => {
                attempt += 1;
                continue;
            }
            Err(error) => tracing::debug!(%error, "no IPv6 socket: going on with IPv4 alone"),
        }
        return Ok(bound);
    }
}

/// A port that somebody chose has to be ours in every family that the machine has: half of a server is a riddle to debug.
fn bind_port(port: u16) -> Result<Bound, (SocketAddr, io::Error)> {
    let mut bound = Bound::new();
    let mut missing = None;
    for address in [any_v4(port), any_v6(port)] {
        match open(address) {
            Ok(socket) => bound.push((address, socket)),
            Err(error) if is_missing_family(&error) => missing = Some((address, error)),
            Err(error) => return Err((address, error)),
        }
    }
    match missing {
        Some(missing) if bound.is_empty() => Err(missing),
        _ => Ok(bound),
    }
}

/// One socket for its own family only, with large buffers. Not to be shared: two processes at one port would each get some of
/// the packets of both.
fn open(address: SocketAddr) -> io::Result<std::net::UdpSocket> {
    let socket = socket2::Socket::new(
        Domain::for_address(address),
        Type::DGRAM,
        Some(Protocol::UDP),
    )?;
    if address.is_ipv6() {
        socket.set_only_v6(true)?;
    }
    socket.set_nonblocking(true)?;
    let _ = socket.set_recv_buffer_size(KERNEL_BUFFER_LEN);
    let _ = socket.set_send_buffer_size(KERNEL_BUFFER_LEN);
    socket.bind(&SockAddr::from(address))?;
    tracing::debug!(
        %address,
        receive = socket.recv_buffer_size().unwrap_or(0),
        send = socket.send_buffer_size().unwrap_or(0),
        "socket buffers as granted"
    );
    Ok(socket.into())
}

fn is_missing_family(error: &io::Error) -> bool {
    matches!(
        error.kind(),
        io::ErrorKind::Unsupported | io::ErrorKind::AddrNotAvailable
    ) || error.raw_os_error() == Some(ADDRESS_FAMILY_NOT_SUPPORTED)
}

/// EAFNOSUPPORT, or WSAEAFNOSUPPORT: the standard library has no name for it.
#[cfg(any(target_os = "linux", target_os = "android"))]
const ADDRESS_FAMILY_NOT_SUPPORTED: i32 = 97;
#[cfg(windows)]
const ADDRESS_FAMILY_NOT_SUPPORTED: i32 = 10_047;
#[cfg(not(any(target_os = "linux", target_os = "android", windows)))]
const ADDRESS_FAMILY_NOT_SUPPORTED: i32 = 47;

const fn any_v4(port: u16) -> SocketAddr {
    SocketAddr::V4(std::net::SocketAddrV4::new(Ipv4Addr::UNSPECIFIED, port))
}

const fn any_v6(port: u16) -> SocketAddr {
    SocketAddr::V6(std::net::SocketAddrV6::new(
        Ipv6Addr::UNSPECIFIED,
        port,
        0,
        0,
    ))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[tokio::test]
    async fn both_families_get_the_same_port() {
        let bound = bind(&BindPlan::Port(0)).unwrap().bound();
        let ports: std::collections::BTreeSet<u16> =
            bound.iter().map(|(_, address)| address.port()).collect();
        assert_eq!(ports.len(), 1, "{bound:?}");
        assert!(!ports.contains(&0));
        let ids: std::collections::BTreeSet<SocketId> = bound.iter().map(|(id, _)| *id).collect();
        assert_eq!(ids.len(), bound.len(), "{bound:?}");
    }

    #[tokio::test]
    async fn a_port_that_is_taken_is_an_error_that_names_it() {
        let taken = std::net::UdpSocket::bind("0.0.0.0:0").unwrap();
        let port = taken.local_addr().unwrap().port();
        let (address, error) = bind(&BindPlan::Port(port)).unwrap_err();
        assert_eq!(
            (address.port(), error.kind()),
            (port, io::ErrorKind::AddrInUse)
        );
    }

    #[tokio::test]
    async fn given_addresses_are_bound_and_no_other() {
        let plan = BindPlan::Addresses(vec![
            "127.0.0.1:0".parse().unwrap(),
            "127.0.0.2:0".parse().unwrap(),
        ]);
        let bound = bind(&plan).unwrap().bound();
        let hosts: Vec<String> = bound
            .iter()
            .map(|(_, address)| address.ip().to_string())
            .collect();
        assert_eq!(hosts, ["127.0.0.1", "127.0.0.2"]);
    }
}
