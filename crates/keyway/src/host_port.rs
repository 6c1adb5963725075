//! `host:port`, where host is an address or a name.

use std::fmt;
use std::io;
use std::net::{Ipv6Addr, SocketAddr};

/// Where somebody may be reached: an address, or a name that has to be resolved first.
#[derive(Clone, Debug, PartialEq, Eq, Hash)]
pub(crate) enum HostPort {
    Address(SocketAddr),
    Name { host: String, port: u16 },
}

/// Characters of the longest host name (RFC 1035, 2.3.4).
const HOST_LEN_MAX: usize = 253;

/// What is wrong with one `host:port`.
///
/// ```
/// use keyway::{HostPortError, ParseAddrError, PeerAddr};
///
/// # let id = keyway::SecretKey::from_bytes([7; 32]).node_id();
/// match format!("{id}@host.example").parse::<PeerAddr>() {
///     Err(ParseAddrError::Address { problem, .. }) => assert_eq!(problem, HostPortError::NoPort),
///     other => panic!("{other:?}"),
/// }
/// ```
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[non_exhaustive]
pub enum HostPortError {
    /// There is nothing, or nothing before the colon.
    #[error("the host is missing")]
    NoHost,
    /// There is no colon with a number behind.
    #[error("the port is missing: write `host:port`")]
    NoPort,
    /// The port is not a number from 1 to 65535.
    #[error("`{0}` is not a port from 1 to 65535")]
    Port(String),
    /// Too many colons for anything but an IPv6 address.
    #[error("an IPv6 address needs brackets: write `[2001:db8::1]:port`")]
    Brackets,
    /// What stands in brackets is not an IPv6 address.
    #[error("`{0}` is not an IPv6 address")]
    Ipv6(String),
    /// The host has a character that neither a name nor an address has, or is too long.
    #[error("`{0}` is neither a host name nor an address")]
    Host(String),
}

impl HostPort {
    pub(crate) fn parse(text: &str) -> Result<Self, HostPortError> {
        if let Some(bracketed) = text.strip_prefix('[') {
            return parse_bracketed(bracketed);
        }
        let (host, port) = text.rsplit_once(':').ok_or(match text {
            "" => HostPortError::NoHost,
            _ => HostPortError::NoPort,
        })?;
        if host.contains(':') {
            return Err(HostPortError::Brackets);
        }
        let port = parse_port(port)?;
        if let Ok(address) = host.parse() {
            return Ok(Self::Address(SocketAddr::new(address, port)));
        }
        check_host(host)?;
        Ok(Self::Name {
            host: host.to_owned(),
            port,
        })
    }

    pub(crate) const fn is_name(&self) -> bool {
        matches!(self, Self::Name { .. })
    }

    /// The addresses, asking the system's resolver for a name.
    ///
    /// # Errors
    /// What the resolver says, also when it knows the name and no address for it.
    pub(crate) async fn resolve(&self) -> io::Result<Vec<SocketAddr>> {
        match self {
            Self::Address(address) => Ok(vec![*address]),
            Self::Name { host, port } => {
                let addresses: Vec<SocketAddr> = tokio::net::lookup_host((host.as_str(), *port))
                    .await?
                    .collect();
                if addresses.is_empty() {
                    return Err(io::Error::new(
                        io::ErrorKind::NotFound,
                        "the name has no address",
                    ));
                }
                Ok(addresses)
            }
        }
    }
}

fn parse_bracketed(rest: &str) -> Result<HostPort, HostPortError> {
    let (host, port) = rest
        .split_once(']')
        .ok_or_else(|| HostPortError::Ipv6(rest.to_owned()))?;
    let address: Ipv6Addr = host
        .parse()
        .map_err(|_| HostPortError::Ipv6(host.to_owned()))?;
    let port = port.strip_prefix(':').ok_or(HostPortError::NoPort)?;
    Ok(HostPort::Address(SocketAddr::new(
        address.into(),
        parse_port(port)?,
    )))
}

fn parse_port(text: &str) -> Result<u16, HostPortError> {
    if text.is_empty() {
        return Err(HostPortError::NoPort);
    }
    let digits = text.bytes().all(|character| character.is_ascii_digit());
    let port = text.parse().ok().filter(|port: &u16| digits && *port > 0);
    port.ok_or_else(|| HostPortError::Port(text.to_owned()))
}

fn check_host(host: &str) -> Result<(), HostPortError> {
    if host.is_empty() {
        return Err(HostPortError::NoHost);
    }
    let known = |character: u8| {
        character.is_ascii_alphanumeric() || matches!(character, b'-' | b'.' | b'_')
    };
    // Digits and dots alone were meant as an address, and are none.
    let looks_like_a_name = host
        .bytes()
        .any(|character| !matches!(character, b'0'..=b'9' | b'.'));
    if host.len() <= HOST_LEN_MAX && host.bytes().all(known) && looks_like_a_name {
        return Ok(());
    }
    Err(HostPortError::Host(host.to_owned()))
}

impl fmt::Display for HostPort {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Address(address) => write!(f, "{address}"),
            Self::Name { host, port } => write!(f, "{host}:{port}"),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn addresses_and_names_are_read_and_printed_alike() {
        for text in [
            "192.0.2.7:4100",
            "[2001:db8::1]:4100",
            "relay.example.org:4433",
            "db_1:1",
            "xn--nxasmq6b.test:65535",
        ] {
            assert_eq!(HostPort::parse(text).unwrap().to_string(), text);
        }
        assert!(matches!(
            HostPort::parse("192.0.2.7:1"),
            Ok(HostPort::Address(_))
        ));
        assert!(matches!(
            HostPort::parse("localhost:1"),
            Ok(HostPort::Name { .. })
        ));
    }

    #[test]
    fn each_mistake_has_its_own_answer() {
        use HostPortError::{Brackets, Host, Ipv6, NoHost, NoPort, Port};
        let wrong = |text: &str| HostPort::parse(text).unwrap_err();
        assert_eq!(wrong(""), NoHost);
        assert_eq!(wrong(":4100"), NoHost);
        assert_eq!(wrong("host"), NoPort);
        assert_eq!(wrong("host:"), NoPort);
        assert_eq!(wrong("[::1]"), NoPort);
        assert_eq!(wrong("[::1]4100"), NoPort);
        assert_eq!(wrong("host:0"), Port("0".into()));
        assert_eq!(wrong("host:+1"), Port("+1".into()));
        assert_eq!(wrong("host:65536"), Port("65536".into()));
        assert_eq!(wrong("2001:db8::1:4100"), Brackets);
        assert_eq!(wrong("[2001:db8::1:4100"), Ipv6("2001:db8::1:4100".into()));
        assert_eq!(wrong("[192.0.2.1]:1"), Ipv6("192.0.2.1".into()));
        assert_eq!(wrong("ho st:1"), Host("ho st".into()));
        assert_eq!(wrong("192.0.2.256:1"), Host("192.0.2.256".into()));
        assert_eq!(
            wrong(&format!("{}:1", "a".repeat(254))),
            Host("a".repeat(254))
        );
    }

    #[tokio::test]
    async fn an_address_resolves_to_itself() {
        let address = "[2001:db8::1]:4100";
        assert_eq!(
            HostPort::parse(address).unwrap().resolve().await.unwrap(),
            [address.parse().unwrap()]
        );
    }
}
