//! Services, and the sockets that stand behind or before them, as the command line writes them.

use std::fmt;
use std::path::PathBuf;
use std::str::FromStr;

use keyway::PeerAddr;

/// The longest path that a Unix socket's address holds, without the closing zero (unix(7)), less the ending `.new` that it bears
/// until its mode is set.
const UNIX_PATH_LEN_MAX: usize = 107 - 4;

/// A local socket: `tcp:HOST:PORT`, `udp:HOST:PORT` or `unix:PATH`.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) enum Socket {
    Tcp(String),
    Udp(String),
    Unix(PathBuf),
}

impl FromStr for Socket {
    type Err = String;

    fn from_str(text: &str) -> Result<Self, String> {
        let (kind, place) = text.split_once(':').ok_or_else(|| {
            format!(
                "`{text}` does not say what it is: write tcp:HOST:PORT, udp:HOST:PORT or unix:PATH"
            )
        })?;
        match kind {
            "tcp" => host_port(place).map(Self::Tcp),
            "udp" => host_port(place).map(Self::Udp),
            "unix" if place.is_empty() => Err("the path is missing after `unix:`".to_owned()),
            "unix" if place.len() > UNIX_PATH_LEN_MAX => Err(format!(
                "a Unix socket's path has at most {UNIX_PATH_LEN_MAX} octets, this one {}",
                place.len()
            )),
            "unix" => Ok(Self::Unix(place.into())),
            other => Err(format!(
                "unknown kind `{other}`: write tcp:HOST:PORT, udp:HOST:PORT or unix:PATH"
            )),
        }
    }
}

impl Socket {
    /// Whether the system chooses, so that two of these are two sockets.
    pub(crate) fn is_any_port(&self) -> bool {
        match self {
            Self::Tcp(address) | Self::Udp(address) => address.ends_with(":0"),
            Self::Unix(_) => false,
        }
    }
}

impl fmt::Display for Socket {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Tcp(address) => write!(f, "tcp:{address}"),
            Self::Udp(address) => write!(f, "udp:{address}"),
            Self::Unix(path) => write!(f, "unix:{}", path.display()),
        }
    }
}

fn host_port(text: &str) -> Result<String, String> {
    let (host, port) = text
        .rsplit_once(':')
        .ok_or_else(|| format!("`{text}` has no port: write HOST:PORT"))?;
    if host.is_empty() {
        return Err(format!(
            "`{text}` has no host: write 127.0.0.1:{port} for this machine alone"
        ));
    }
    if host.contains(':') && !(host.starts_with('[') && host.ends_with(']')) {
        return Err(format!(
            "an IPv6 address needs brackets: write [{host}]:{port}"
        ));
    }
    port.parse::<u16>()
        .map_err(|_| format!("`{port}` is not a port: 0 to 65535"))?;
    Ok(text.to_owned())
}

/// `SERVICE=TARGET`: a service of this node, and the local socket that it leads to.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct Exposure {
    pub(crate) service: String,
    pub(crate) target: Socket,
}

impl FromStr for Exposure {
    type Err = String;

    fn from_str(text: &str) -> Result<Self, String> {
        let (service, target) = text.split_once('=').ok_or_else(|| {
            format!("`{text}` has no `=`: write SERVICE=TARGET, as in http=tcp:127.0.0.1:8080")
        })?;
        let target: Socket = target.parse()?;
        if target.is_any_port() {
            return Err(format!("{target}: a target needs its real port"));
        }
        Ok(Self {
            service: service_name(service)?,
            target,
        })
    }
}

/// `PEER/SERVICE`: a service of another node.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct Service {
    pub(crate) peer: PeerAddr,
    pub(crate) service: String,
}

impl FromStr for Service {
    type Err = String;

    fn from_str(text: &str) -> Result<Self, String> {
        let (peer, service) = text.rsplit_once('/').ok_or_else(|| {
            format!("`{text}` names no service: write PEER/SERVICE, as in ID/http")
        })?;
        let peer = peer
            .parse()
            .map_err(|error: keyway::ParseAddrError| error.to_string())?;
        Ok(Self {
            peer,
            service: service_name(service)?,
        })
    }
}

fn service_name(text: &str) -> Result<String, String> {
    match text.parse::<keyway::ServiceName>() {
        Ok(_) => Ok(text.to_owned()),
        Err(error) => Err(format!("service `{text}`: {error}")),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const ID: &str = "pinned in the test below";

    #[test]
    fn sockets_are_read_and_printed() {
        for text in [
            "tcp:127.0.0.1:8080",
            "udp:[::1]:53",
            "unix:/run/pg.sock",
            "tcp:localhost:80",
        ] {
            assert_eq!(text.parse::<Socket>().unwrap().to_string(), text);
        }
    }

    #[test]
    fn a_mistyped_socket_is_told_what_to_write() {
        let message = |text: &str| text.parse::<Socket>().unwrap_err();
        assert!(message("8080").contains("tcp:HOST:PORT"));
        assert!(message("http:127.0.0.1:80").contains("unknown kind `http`"));
        assert!(message("tcp:8080").contains("no port"));
        assert!(message("tcp::8080").contains("127.0.0.1:8080"));
        assert!(message("tcp:127.0.0.1:99999").contains("not a port"));
        assert!(message("tcp:::1:80").contains("[::1]:80"));
        assert!(message("unix:").contains("path is missing"));
        assert!(message(&format!("unix:/{}", "x".repeat(200))).contains("103"));
    }

    #[test]
    fn an_exposure_needs_a_service_and_a_real_target() {
        let exposure: Exposure = "http=tcp:127.0.0.1:8080".parse().unwrap();
        assert_eq!(exposure.service, "http");
        assert!(
            "tcp:127.0.0.1:8080"
                .parse::<Exposure>()
                .unwrap_err()
                .contains("SERVICE=TARGET")
        );
        assert!(
            "HTTP!=tcp:127.0.0.1:8080"
                .parse::<Exposure>()
                .unwrap_err()
                .contains("HTTP!")
        );
        assert!(
            "http=tcp:127.0.0.1:0"
                .parse::<Exposure>()
                .unwrap_err()
                .contains("real port")
        );
    }

    #[test]
    fn a_service_needs_a_peer() {
        assert!(
            "http"
                .parse::<Service>()
                .unwrap_err()
                .contains("PEER/SERVICE")
        );
        assert!(
            format!("{ID}/http")
                .parse::<Service>()
                .unwrap_err()
                .contains("node id")
        );
    }
}
