//! Serving: a listener for one service, and what peers open to it.

use std::sync::Arc;

use keyway_wire::{ServiceName, ServiceNameError};
use tokio::sync::mpsc;

use crate::allow::Allow;
use crate::codes;
use crate::command::{Backlog, Command};
use crate::datagrams::DatagramSocket;
use crate::error::{ConnectionError, ListenError};
use crate::flow::FlowEnd;
use crate::lock::lock;
use crate::pipe::Ends;
use crate::shared::Claim;
use crate::stream::Stream;

/// Streams of one service that wait to be accepted, at most, and datagram flows likewise. More are refused as overload; chosen
/// as a backlog that a burst of a thousand requests fits into.
const BACKLOG_MAX: usize = 1024;

/// A service that is not offered yet, because nobody said whom it is for. The next step is [`allow`](Self::allow).
///
/// Without it nothing is served, and this does not compile:
///
/// ```compile_fail
/// # async fn run(node: keyway::Node) {
/// let listener = node.listen("echo").start();
/// # }
/// ```
#[derive(Debug)]
#[must_use = "nothing is served before `allow` and `start`"]
pub struct ListenBuilder {
    claim: Arc<Claim>,
    service: Result<ServiceName, ServiceNameError>,
}

impl ListenBuilder {
    pub(crate) fn new(claim: &Arc<Claim>, service: &str) -> Self {
        Self {
            claim: Arc::clone(claim),
            service: service.parse(),
        }
    }

    /// Says whom the service is for.
    pub fn allow(self, allow: Allow) -> AllowedListenBuilder {
        AllowedListenBuilder {
            listen: self,
            allow,
        }
    }
}

/// A service with its policy, ready to [start](Self::start).
///
/// ```
/// # use keyway::{Allow, Node};
/// # #[tokio::main]
/// # async fn main() -> Result<(), Box<dyn std::error::Error>> {
/// # let node = Node::builder().bind_address("127.0.0.1:0".parse()?).bind().await?;
/// let echo = node.listen("echo").allow(Allow::any()).start()?;
/// assert_eq!(echo.service(), "echo");
/// # Ok(())
/// # }
/// ```
#[derive(Debug)]
#[must_use = "nothing is served before `start`"]
pub struct AllowedListenBuilder {
    listen: ListenBuilder,
    allow: Allow,
}

impl AllowedListenBuilder {
    /// Offers the service from here on, until the listener is dropped.
    ///
    /// # Errors
    /// [`ListenError`]: the name is not one, somebody listens on it already, or the node is closed.
    pub fn start(self) -> Result<Listener, ListenError> {
        let Self {
            listen: ListenBuilder { claim, service },
            allow,
        } = self;
        let service = service?;
        let (streams, incoming_streams) = mpsc::channel(BACKLOG_MAX);
        let (flows, incoming_flows) = mpsc::channel(BACKLOG_MAX);
        // The lock is held while the command is sent: starting and stopping the same service reach the driver in order.
        let mut services = lock(&claim.shared.services);
        if services.contains(&service) {
            return Err(ListenError::InUse {
                service: service.to_string(),
            });
        }
        claim.shared.send(Command::Listen {
            service: service.clone(),
            allow: allow.into_inner(),
            backlog: Backlog { streams, flows },
        })?;
        services.insert(service.clone());
        drop(services);
        Ok(Listener {
            streams: incoming_streams,
            flows: incoming_flows,
            service,
            claim,
        })
    }
}

/// Offers one service to those whom its policy allows.
///
/// Streams and datagram flows wait in line, 1,024 of each; whoever comes on top of that is refused. Dropping the
/// listener ends the service: what nobody accepted is refused, what was accepted goes on.
///
/// ```no_run
/// # async fn run(node: keyway::Node, friend: keyway::NodeId) -> Result<(), Box<dyn std::error::Error>> {
/// use keyway::Allow;
///
/// let mut echo = node.listen("echo").allow(Allow::only([friend])).start()?;
/// loop {
///     let stream = echo.accept().await?;
///     tokio::spawn(async move {
///         let (mut receive, mut send) = stream.into_split();
///         tokio::io::copy(&mut receive, &mut send).await
///     });
/// }
/// # }
/// ```
#[derive(Debug)]
pub struct Listener {
    streams: mpsc::Receiver<IncomingStream>,
    flows: mpsc::Receiver<IncomingFlow>,
    service: ServiceName,
    claim: Arc<Claim>,
}

impl Listener {
    /// The name of the service.
    #[must_use]
    pub fn service(&self) -> &str {
        self.service.as_str()
    }

    /// Waits for the next stream that a peer opens. [`Stream::peer`] says who it is.
    ///
    /// # Errors
    /// The node has ended.
    ///
    /// # Cancel safety
    /// Safe: a stream that was not returned stays in line.
    pub async fn accept(&mut self) -> Result<Stream, ConnectionError> {
        let incoming = self.streams.recv().await;
        self.stream(incoming)
    }

    /// Waits for the next flow of datagrams that a peer opens.
    ///
    /// # Errors
    /// The node has ended.
    ///
    /// # Cancel safety
    /// Safe: a flow that was not returned stays in line.
    pub async fn accept_datagrams(&mut self) -> Result<DatagramSocket, ConnectionError> {
        let incoming = self.flows.recv().await;
        self.flow(incoming)
    }

    /// Waits for whatever a peer opens next, a stream or a flow of datagrams.
    ///
    /// # Errors
    /// The node has ended.
    ///
    /// # Cancel safety
    /// Safe: what was not returned stays in line.
    pub async fn accept_any(&mut self) -> Result<Incoming, ConnectionError> {
        tokio::select! {
            incoming = self.streams.recv() => self.stream(incoming).map(Incoming::Stream),
            incoming = self.flows.recv() => self.flow(incoming).map(Incoming::Datagrams),
        }
    }

    fn stream(&self, incoming: Option<IncomingStream>) -> Result<Stream, ConnectionError> {
        let ends = incoming
            .and_then(IncomingStream::accept)
            .ok_or_else(|| self.claim.shared.why_ended())?;
        Ok(Stream::new(ends, &self.claim))
    }

    fn flow(&self, incoming: Option<IncomingFlow>) -> Result<DatagramSocket, ConnectionError> {
        let end = incoming
            .and_then(IncomingFlow::accept)
            .ok_or_else(|| self.claim.shared.why_ended())?;
        Ok(DatagramSocket::new(end, &self.claim))
    }
}

/// What a peer opened.
///
/// ```no_run
/// # async fn run(mut listener: keyway::Listener) -> Result<(), keyway::ConnectionError> {
/// use keyway::Incoming;
///
/// match listener.accept_any().await? {
///     Incoming::Stream(stream) => println!("a stream of {}", stream.peer()),
///     Incoming::Datagrams(socket) => println!("datagrams of {}", socket.peer()),
///     _ => println!("something that later versions know"),
/// }
/// # Ok(())
/// # }
/// ```
#[derive(Debug)]
#[non_exhaustive]
pub enum Incoming {
    /// A stream of octets.
    Stream(Stream),
    /// A flow of datagrams.
    Datagrams(DatagramSocket),
}

impl Drop for Listener {
    fn drop(&mut self) {
        let mut services = lock(&self.claim.shared.services);
        services.remove(&self.service);
        // An ended driver serves nothing.
        let _ = self
            .claim
            .shared
            .send(Command::Unlisten(self.service.clone()));
    }
}

/// A stream in line. If it goes without having been accepted, it is refused as if there were no such service.
#[derive(Debug)]
pub(crate) struct IncomingStream(Option<Ends>);

impl IncomingStream {
    pub(crate) const fn new(ends: Ends) -> Self {
        Self(Some(ends))
    }

    fn accept(mut self) -> Option<Ends> {
        self.0.take()
    }

    pub(crate) fn refuse(mut self, code: u64) {
        if let Some(ends) = self.0.take() {
            ends.refuse(code);
        }
    }
}

impl Drop for IncomingStream {
    fn drop(&mut self) {
        if let Some(ends) = self.0.take() {
            ends.refuse(codes::UNKNOWN_SERVICE);
        }
    }
}

/// A flow in line, likewise.
#[derive(Debug)]
pub(crate) struct IncomingFlow(Option<FlowEnd>);

impl IncomingFlow {
    pub(crate) const fn new(end: FlowEnd) -> Self {
        Self(Some(end))
    }

    fn accept(mut self) -> Option<FlowEnd> {
        self.0.take()
    }

    pub(crate) fn refuse(mut self, code: u64) {
        if let Some(end) = self.0.take() {
            end.refuse(code);
        }
    }
}

impl Drop for IncomingFlow {
    fn drop(&mut self) {
        if let Some(end) = self.0.take() {
            end.refuse(codes::UNKNOWN_SERVICE);
        }
    }
}
