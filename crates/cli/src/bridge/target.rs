//! `keyway expose`: from a peer's stream or flow to a local socket.

use keyway::{DatagramSocket, Listener, Stream, codes};
use tokio::net::{TcpStream, UdpSocket, UnixStream};
use tracing::{debug, warn};

use super::{datagrams, streams};
use crate::ending::Hold;
use crate::service::Socket;

/// Serves one service until the node ends.
pub(crate) async fn serve(mut listener: Listener, target: Socket, hold: Hold) {
    loop {
        match &target {
            Socket::Udp(address) => match listener.accept_datagrams().await {
                Ok(flow) => {
                    tokio::spawn(connect_flow(flow, address.clone()));
                }
                Err(error) => return debug!(%error, "no more flows"),
            },
            Socket::Tcp(_) | Socket::Unix(_) => match listener.accept().await {
                Ok(stream) => {
                    tokio::spawn(connect_stream(stream, target.clone(), hold.clone()));
                }
                Err(error) => return debug!(%error, "no more streams"),
            },
        }
    }
}

async fn connect_stream(stream: Stream, target: Socket, hold: Hold) {
    match &target {
        Socket::Tcp(address) => match TcpStream::connect(address).await {
            Ok(local) => {
                // The peer's writes have been gathered already; waiting for more would only add delay.
                let _ = local.set_nodelay(true);
                streams::join(local, stream, hold).await;
            }
            Err(error) => refuse(stream, &target, &error),
        },
        Socket::Unix(path) => match UnixStream::connect(path).await {
            Ok(local) => streams::join(local, stream, hold).await,
            Err(error) => refuse(stream, &target, &error),
        },
        Socket::Udp(_) => stream.reset(codes::UNKNOWN_SERVICE),
    }
}

fn refuse(stream: Stream, target: &Socket, error: &std::io::Error) {
    warn!(peer = %stream.peer(), %target, %error, "the target does not take connections: is its program running?");
    stream.reset(codes::TARGET_REFUSED);
}

async fn connect_flow(flow: DatagramSocket, address: String) {
    let connected = async {
        let target = tokio::net::lookup_host(&address)
            .await?
            .next()
            .ok_or_else(|| {
                std::io::Error::new(std::io::ErrorKind::NotFound, "the name has no address")
            })?;
        let any = if target.is_ipv4() {
            "0.0.0.0:0"
        } else {
            "[::]:0"
        };
        let local = UdpSocket::bind(any).await?;
        local.connect(target).await?;
        Ok::<_, std::io::Error>(local)
    };
    match connected.await {
        Ok(local) => datagrams::join(&local, &flow).await,
        Err(error) => {
            warn!(peer = %flow.peer(), target = %address, %error, "cannot open a socket towards the target")
        }
    }
}
