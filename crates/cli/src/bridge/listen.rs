//! `keyway forward`: from local sockets to a peer's service.

use std::os::unix::fs::PermissionsExt;
use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::time::Duration;

use keyway::{ConnectError, ConnectionError, Node};
use tokio::net::{TcpListener, UdpSocket, UnixListener};
use tracing::{debug, warn};

use super::{datagrams, streams};
use crate::ending::Hold;
use crate::exit::{Failure, socket_next_step};
use crate::forwarding::Forwarding;
use crate::reach::Reach;
use crate::service::{Service, Socket};

/// A local socket that is open, not served yet.
pub(crate) enum Opened {
    Tcp(TcpListener, Service),
    Udp(UdpSocket, Service),
    Unix(UnixListener, SocketFile, Service),
}

/// A Unix socket's file, removed with it.
pub(crate) struct SocketFile(PathBuf);

impl Drop for SocketFile {
    fn drop(&mut self) {
        if let Err(error) = std::fs::remove_file(&self.0) {
            debug!(path = %self.0.display(), %error, "cannot remove the socket file");
        }
    }
}

impl Opened {
    /// Opens the local side, so that a taken port is known before `ready`.
    pub(crate) async fn open(forwarding: Forwarding) -> Result<Self, Failure> {
        let Forwarding { listen, service } = forwarding;
        let failed = |error: std::io::Error| {
            let next_step = socket_next_step(&error);
            Failure::new(format!("cannot listen on {listen}: {error}{next_step}"))
        };
        match &listen {
            Socket::Tcp(address) => {
                let listener = TcpListener::bind(address).await.map_err(failed)?;
                Ok(Self::Tcp(listener, service))
            }
            Socket::Udp(address) => {
                let socket = UdpSocket::bind(address).await.map_err(failed)?;
                Ok(Self::Udp(socket, service))
            }
            Socket::Unix(path) => {
                let listener = bind_unix(path).map_err(failed)?;
                Ok(Self::Unix(listener, SocketFile(path.clone()), service))
            }
        }
    }

    /// The real address, once the system chose a port.
    pub(crate) fn address(&self) -> String {
        let (kind, address) = match self {
            Self::Tcp(listener, _) => ("tcp", listener.local_addr()),
            Self::Udp(socket, _) => ("udp", socket.local_addr()),
            Self::Unix(_, file, _) => return format!("unix:{}", file.0.display()),
        };
        match address {
            Ok(address) => format!("{kind}:{address}"),
            Err(error) => format!("{kind}:unknown ({error})"),
        }
    }

    pub(crate) const fn service(&self) -> &Service {
        match self {
            Self::Tcp(_, service) | Self::Udp(_, service) | Self::Unix(_, _, service) => service,
        }
    }

    /// Serves the socket for as long as the task lives.
    pub(crate) async fn serve(self, node: Node, reach: Reach, hold: Hold) {
        match self {
            Self::Udp(socket, service) => datagrams::forward(node, reach, socket, service).await,
            Self::Tcp(listener, service) => {
                serve_tcp(&listener, &Way::new(node, reach, service, hold)).await;
            }
            Self::Unix(listener, _file, service) => {
                serve_unix(&listener, &Way::new(node, reach, service, hold)).await;
            }
        }
    }
}

async fn serve_tcp(listener: &TcpListener, way: &Way) {
    loop {
        match listener.accept().await {
            Ok((local, _)) => {
                let _ = local.set_nodelay(true);
                tokio::spawn(way.clone().connect(local));
            }
            Err(error) => pause(&error).await,
        }
    }
}

async fn serve_unix(listener: &UnixListener, way: &Way) {
    loop {
        match listener.accept().await {
            Ok((local, _)) => drop(tokio::spawn(way.clone().connect(local))),
            Err(error) => pause(&error).await,
        }
    }
}

/// Out of descriptors, most likely: accepting again at once would only burn the processor.
async fn pause(error: &std::io::Error) {
    warn!(%error, "cannot accept a local connection");
    tokio::time::sleep(Duration::from_millis(100)).await;
}

/// Binds a socket file that nobody else may connect to. A file that a dead process left is replaced, a live one is not.
fn bind_unix(path: &Path) -> std::io::Result<UnixListener> {
    let is_socket = std::fs::symlink_metadata(path)
        .is_ok_and(|metadata| std::os::unix::fs::FileTypeExt::is_socket(&metadata.file_type()));
    if is_socket {
        match std::os::unix::net::UnixStream::connect(path) {
            Err(error) if error.kind() == std::io::ErrorKind::ConnectionRefused => {
                std::fs::remove_file(path)?
            }
            Ok(_) | Err(_) => return Err(std::io::ErrorKind::AddrInUse.into()),
        }
    }
    // Bound under another name, and given its own once its mode is right: nobody else can connect in between.
    let mut staging = path.as_os_str().to_owned();
    staging.push(".new");
    let staging = PathBuf::from(staging);
    let _ = std::fs::remove_file(&staging);
    let listener = UnixListener::bind(&staging)?;
    std::fs::set_permissions(&staging, std::fs::Permissions::from_mode(0o600))?;
    // Linked, not renamed: a rename would replace whatever file has the name.
    let linked = std::fs::hard_link(&staging, path);
    std::fs::remove_file(&staging)?;
    linked.map(|()| listener)
}

/// How long a connection waits for a silent peer before that is said.
const NOTICE: Duration = Duration::from_secs(5);

/// The way from one local socket to its service.
#[derive(Clone)]
struct Way {
    node: Node,
    reach: Reach,
    service: Service,
    hold: Hold,
    /// It was said that the peer does not answer. Once for all connections that wait for it.
    noticed: Arc<AtomicBool>,
}

impl Way {
    fn new(node: Node, reach: Reach, service: Service, hold: Hold) -> Self {
        Self {
            node,
            reach,
            service,
            hold,
            noticed: Arc::default(),
        }
    }

    async fn connect(mut self, local: impl streams::Local) {
        // Dropping it from here on shows a break.
        local.guard();
        let service = &self.service.service;
        let outcome = tokio::select! {
            outcome = self.node.connect(&self.service.peer, service) => outcome,
            () = self.hold.ended() => return,
            () = notice(&self.reach, &self.service, &self.noticed) => return,
        };
        match outcome {
            Ok(stream) => {
                self.noticed.store(false, Ordering::Relaxed);
                streams::join(local, stream, self.hold).await;
            }
            Err(ConnectError::Lost(ConnectionError::NodeClosed)) => {}
            Err(error) => warn!(
                service,
                "cannot reach the service: {}",
                self.reach.explain(error).await
            ),
        }
    }
}

/// Says after a while that the peer does not answer, and never ends.
async fn notice(reach: &Reach, service: &Service, noticed: &AtomicBool) {
    tokio::time::sleep(NOTICE).await;
    if !noticed.swap(true, Ordering::Relaxed) {
        let (peer, service) = (service.peer.node_id(), &service.service);
        let why = reach.why_silent(peer).await;
        warn!(%peer, service, "the peer has not answered yet, and connections wait for it: {why};");
    }
    std::future::pending().await
}
