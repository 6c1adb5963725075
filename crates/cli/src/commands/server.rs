//! `keyway server`

use std::net::{IpAddr, Ipv4Addr, Ipv6Addr, SocketAddr};

use keyway::Node;

use crate::arguments::Server;
use crate::exit::{Exit, Failure};
use crate::{output, signals};

pub(crate) async fn run(arguments: Server) -> Result<Exit, Failure> {
    if let Some(advertise) = &arguments.advertise {
        check_advertised(advertise)?;
    }
    let mut builder = arguments
        .identity
        .apply(
            Node::builder(),
            "the id, and with it the string that others pass to --server, changes at each start",
        )?
        .serve_rendezvous()
        .linger(super::LINGER);
    if let Some(octets) = arguments.memory {
        builder = builder.memory_max(octets);
    }
    let node = bind(builder, arguments.listen).await?;
    let port = node
        .local_addresses()
        .first()
        .map_or(arguments.listen.port(), SocketAddr::port);
    let place = arguments.advertise.unwrap_or_else(|| {
        let address = SocketAddr::new(own_address(arguments.listen.ip()), port);
        if address.ip().is_loopback() {
            output::note(format_args!(
                "{address} is reachable on this machine alone; --advertise HOST:PORT says what others use"
            ));
        }
        address.to_string()
    });
    output::line(format_args!("ready {}@{place}", node.node_id()))?;
    tokio::select! {
        () = signals::asked_to_end() => {}
        lost = node.ended() => return Err(lost.into()),
    }
    super::close(&node).await;
    Ok(Exit::Done)
}

/// Listening on `[::]` means everything: both families, as far as the machine has them.
async fn bind(builder: keyway::NodeBuilder, listen: SocketAddr) -> Result<Node, Failure> {
    let builder = if listen.ip() == IpAddr::V6(Ipv6Addr::UNSPECIFIED) {
        builder.bind_port(listen.port())
    } else {
        builder.bind_address(listen)
    };
    Ok(builder.bind().await?)
}

fn check_advertised(text: &str) -> Result<(), Failure> {
    let valid = text.rsplit_once(':').is_some_and(|(host, port)| {
        let bracketed = host.starts_with('[') && host.ends_with(']');
        !host.is_empty()
            && (bracketed || !host.contains(':'))
            && port.parse::<u16>().is_ok_and(|port| port != 0)
    });
    if valid {
        return Ok(());
    }
    Err(Failure::usage(format!(
        "--advertise {text}: write HOST:PORT, as in rendezvous.example.org:4433 or [2001:db8::1]:4433"
    )))
}

/// An address that others can use: the one listened on, or else that of the default route, or else loopback.
fn own_address(listen: IpAddr) -> IpAddr {
    if !listen.is_unspecified() {
        return listen;
    }
    // Addresses for documentation (RFC 5737, RFC 3849). Connecting a UDP socket sends nothing: it asks the routing table.
    let towards = |local: &str, remote: &str| {
        let socket = std::net::UdpSocket::bind(local).ok()?;
        socket.connect(remote).ok()?;
        socket.local_addr().ok().map(|address| address.ip())
    };
    let v4 = towards("0.0.0.0:0", "192.0.2.1:9");
    let v6 = || {
        if listen.is_ipv6() {
            towards("[::]:0", "[2001:db8::1]:9")
        } else {
            None
        }
    };
    v4.or_else(v6).unwrap_or(IpAddr::V4(Ipv4Addr::LOCALHOST))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_address_listened_on_is_the_one_told() {
        let address = "192.0.2.5".parse().unwrap();
        assert_eq!(own_address(address), address);
        assert!(!own_address("::".parse().unwrap()).is_unspecified());
    }

    #[test]
    fn an_advertised_address_has_a_host_and_a_port() {
        for right in [
            "rendezvous.example.org:4433",
            "192.0.2.1:1",
            "[2001:db8::1]:4433",
        ] {
            assert!(check_advertised(right).is_ok(), "{right}");
        }
        for wrong in [
            "example.org",
            "2001:db8::1:4433",
            ":4433",
            "example.org:0",
            "example.org:99999",
        ] {
            assert!(check_advertised(wrong).is_err(), "{wrong}");
        }
    }
}
