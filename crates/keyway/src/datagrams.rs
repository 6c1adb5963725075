//! Datagrams: unreliable, unordered, bounded by the path.

use std::sync::Arc;
use std::time::Duration;

use keyway_identity::NodeId;

use crate::error::DatagramError;
use crate::flow::FlowEnd;
use crate::shared::Claim;

/// A flow of datagrams between this node and one peer, for one service: as UDP would be if it were encrypted and knew whom it
/// talks to.
///
/// A datagram arrives whole, once, or not at all; perhaps not in the order of sending. Nothing is sent again. What
/// arrives while nobody receives waits in a bounded queue, whose oldest entries give way.
///
/// The methods take `&self`: one task may send while another receives. Dropping the socket closes the flow, after what was
/// queued has been sent.
///
/// ```
/// # use keyway::{Allow, Node, PeerAddr};
/// # #[tokio::main]
/// # async fn main() -> Result<(), Box<dyn std::error::Error>> {
/// # let bob = Node::builder().bind_address("127.0.0.1:0".parse()?).bind().await?;
/// # let alice = Node::builder().bind_address("127.0.0.1:0".parse()?).bind().await?;
/// # let mut listener = bob.listen("telemetry").allow(Allow::only([alice.node_id()])).start()?;
/// # let peer = PeerAddr::new(bob.node_id(), bob.local_addresses());
/// # let server = tokio::spawn(async move {
/// #     let socket = listener.accept_datagrams().await.unwrap();
/// #     let mut buffer = [0; 64];
/// #     let length = socket.recv(&mut buffer).await.unwrap();
/// #     assert_eq!(&buffer[..length], b"21.5 degrees");
/// # });
/// let socket = alice.datagrams(peer, "telemetry").await?;
/// socket.send(b"21.5 degrees").await?;
/// # server.await?;
/// # Ok(())
/// # }
/// ```
#[derive(Debug)]
pub struct DatagramSocket {
    end: FlowEnd,
    _claim: Arc<Claim>,
}

impl DatagramSocket {
    pub(crate) fn new(end: FlowEnd, claim: &Arc<Claim>) -> Self {
        Self {
            end,
            _claim: Arc::clone(claim),
        }
    }

    /// Who is at the other end, proven by its key.
    #[must_use]
    pub fn peer(&self) -> NodeId {
        self.end.0.peer()
    }

    /// The service that the flow is for.
    #[must_use]
    pub fn service(&self) -> &str {
        self.end.0.service().as_str()
    }

    /// The longest datagram that the path takes at the moment, in octets. It changes with the path; 1,100 fit always.
    #[must_use]
    pub fn max_size(&self) -> usize {
        self.end.0.max_size()
    }

    /// How long the flow waits while the peer acknowledges nothing; then it ends with [`ConnectionError::TimedOut`](crate::ConnectionError::TimedOut).
    pub fn set_patience(&self, patience: Duration) {
        self.end.0.set_patience(patience);
    }

    /// Sends one datagram, waiting while the queue is full: it drains at the pace that the path takes.
    ///
    /// # Errors
    /// [`DatagramError::TooLarge`] above [`max_size`](Self::max_size); the others are final.
    ///
    /// # Cancel safety
    /// Safe: a call that was dropped has sent nothing.
    pub async fn send(&self, datagram: &[u8]) -> Result<(), DatagramError> {
        self.end.0.send(datagram).await
    }

    /// Sends one datagram if there is room in the queue; `false` where there is none, and the datagram is not sent.
    ///
    /// # Errors
    /// As [`send`](Self::send).
    pub fn try_send(&self, datagram: &[u8]) -> Result<bool, DatagramError> {
        self.end.0.try_send(datagram)
    }

    /// Waits for a datagram, copies it into `buffer` and returns its length. What does not fit is cut off, as with UDP: a
    /// buffer of 64 KiB holds any.
    ///
    /// # Errors
    /// The flow is over, and all that arrived has been received.
    ///
    /// # Cancel safety
    /// Safe: a call that was dropped has received nothing.
    pub async fn recv(&self, buffer: &mut [u8]) -> Result<usize, DatagramError> {
        self.end.0.receive(buffer).await
    }
}
