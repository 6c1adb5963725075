//! Datagrams between local UDP sockets and flows of a peer.

use std::collections::HashMap;
use std::net::SocketAddr;
use std::sync::Arc;
use std::time::Duration;

use keyway::{ConnectError, ConnectionError, DatagramError, DatagramSocket, Node};
use tokio::net::UdpSocket;
use tokio::sync::mpsc;
use tracing::{debug, warn};

use crate::exit::Failure;
use crate::reach::Reach;
use crate::service::Service;

/// A flow without traffic ends after this time, as most NATs have it for UDP.
const IDLE: Duration = Duration::from_secs(60);

/// The largest payload of UDP over IPv4.
const DATAGRAM_LEN_MAX: usize = 65_507;

/// Local senders with a flow of their own, at most; the next one has to wait until one of them is silent for [`IDLE`].
const SENDERS_MAX: usize = 1024;

/// Datagrams of one sender that wait for the flow to be opened.
const WAITING_MAX: usize = 64;

/// How long nothing more of a sender is carried once its flow was refused or found no way: a sender of telemetry does not pause by itself, and
/// would have the peer asked, and the log filled, once a round trip.
const PAUSE: Duration = Duration::from_secs(5);

/// Carries datagrams both ways until there were none for [`IDLE`] or an end is gone.
pub(crate) async fn join(local: &UdpSocket, flow: &DatagramSocket) {
    let mut outgoing = vec![0; DATAGRAM_LEN_MAX];
    let mut incoming = vec![0; DATAGRAM_LEN_MAX];
    loop {
        tokio::select! {
            received = local.recv(&mut outgoing) => match received {
                Ok(len) => if let Err(error) = send(flow, &outgoing[..len]).await {
                    return debug!(%error, "flow done");
                },
                // ICMP told that nobody listens there; somebody may again.
                Err(error) => debug!(%error, "the target did not take a datagram"),
            },
            received = flow.recv(&mut incoming) => match received {
                Ok(len) => drop(local.send(&incoming[..len]).await),
                Err(error) => return debug!(%error, "flow done"),
            },
            () = tokio::time::sleep(IDLE) => return debug!("flow idle"),
        }
    }
}

/// Sends a datagram. What does not fit is dropped, as any link drops it.
async fn send(flow: &DatagramSocket, datagram: &[u8]) -> Result<(), DatagramError> {
    match flow.send(datagram).await {
        Err(DatagramError::TooLarge { size, max }) => {
            debug!(size, max, "a datagram was too large for the path");
            Ok(())
        }
        sent => sent,
    }
}

/// Gives each local sender a flow of its own.
pub(crate) async fn forward(node: Node, reach: Reach, local: UdpSocket, service: Service) {
    let local = Arc::new(local);
    let (done, mut ended) = mpsc::unbounded_channel();
    let mut senders: HashMap<SocketAddr, mpsc::Sender<Vec<u8>>> = HashMap::new();
    let flow_of = |sender| Flow {
        node: node.clone(),
        reach: reach.clone(),
        local: Arc::clone(&local),
        sender,
        service: service.clone(),
    };
    let mut buffer = vec![0; DATAGRAM_LEN_MAX];
    loop {
        tokio::select! {
            Some(sender) = ended.recv() => {
                senders.remove(&sender);
            }
            received = local.recv_from(&mut buffer) => {
                let Ok((len, sender)) = received else { continue };
                if !senders.contains_key(&sender) && senders.len() < SENDERS_MAX {
                    senders.insert(sender, flow_of(sender).start(done.clone()));
                }
                if let Some(datagrams) = senders.get(&sender) {
                    // A full queue drops, as any link does.
                    let _ = datagrams.try_send(buffer[..len].to_vec());
                }
            }
        }
    }
}

/// One local sender's flow.
struct Flow {
    node: Node,
    reach: Reach,
    local: Arc<UdpSocket>,
    sender: SocketAddr,
    service: Service,
}

impl Flow {
    /// Runs in a task of its own. Datagrams go in at the channel that this returns; `done` is told when the flow is over.
    fn start(self, done: mpsc::UnboundedSender<SocketAddr>) -> mpsc::Sender<Vec<u8>> {
        let (datagrams, waiting) = mpsc::channel(WAITING_MAX);
        tokio::spawn(async move {
            let sender = self.sender;
            self.run(waiting).await;
            let _ = done.send(sender);
        });
        datagrams
    }

    async fn run(self, outgoing: mpsc::Receiver<Vec<u8>>) {
        let Service { peer, service } = &self.service;
        let outcome = match self.node.datagrams(peer, service).await {
            Ok(flow) => self.carry(&flow, outgoing).await.map_err(Failure::from),
            Err(ConnectError::Lost(ConnectionError::NodeClosed)) => Ok(()),
            Err(error) => Err(self.reach.explain(error).await),
        };
        if let Err(failure) = outcome {
            warn!(service, "cannot reach the service: {failure}");
            tokio::time::sleep(PAUSE).await;
        }
    }

    /// Carries datagrams both ways until there were none for [`IDLE`] or the flow is over.
    async fn carry(
        &self,
        flow: &DatagramSocket,
        mut outgoing: mpsc::Receiver<Vec<u8>>,
    ) -> Result<(), DatagramError> {
        let mut incoming = vec![0; DATAGRAM_LEN_MAX];
        let outcome = loop {
            tokio::select! {
                datagram = outgoing.recv() => match datagram {
                    Some(datagram) => if let Err(error) = send(flow, &datagram).await { break error },
                    None => return Ok(()),
                },
                received = flow.recv(&mut incoming) => match received {
                    Ok(len) => drop(self.local.send_to(&incoming[..len], self.sender).await),
                    Err(error) => break error,
                },
                () = tokio::time::sleep(IDLE) => {
                    debug!("flow idle");
                    return Ok(());
                }
            }
        };
        if outcome == DatagramError::Refused {
            return Err(outcome);
        }
        // The next datagram opens another flow.
        debug!(error = %outcome, "flow done");
        Ok(())
    }
}
