//! What lies between two nodes, on the loopback: it damages packets, and its far side moves as a NAT that gives another port does.

use std::net::SocketAddr;
use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};
use std::time::Duration;

use tokio::net::UdpSocket;
use tokio::task::JoinHandle;

/// The longest packet that passes, as on Ethernet: on the loopback a packet could hold 64 KiB, and a transfer would be few of them.
const MTU: usize = 1452;

/// What a proxy does.
#[derive(Clone, Copy, Debug, Default)]
pub struct Plan {
    /// Of so many packets one is damaged, beginning with the first, in each direction; none if zero.
    pub damage_every: usize,
    /// After so many packets of the client's, the server sees them come from another port; never if zero.
    pub move_every: usize,
    /// How often that happens at most.
    pub moves_max: usize,
}

/// What a proxy has done.
#[derive(Debug, Default)]
pub struct Done {
    pub octets: AtomicU64,
    pub damaged: AtomicU64,
    pub moves: AtomicU64,
}

/// Forwards between one client and one server until it is dropped.
pub struct Proxy {
    pub address: SocketAddr,
    pub done: Arc<Done>,
    task: JoinHandle<()>,
}

impl Proxy {
    pub async fn start(server: SocketAddr, plan: Plan) -> Self {
        let front = bind().await;
        let address = front.local_addr().unwrap();
        let done = Arc::new(Done::default());
        let way = Way {
            front,
            back: bind().await,
            left: Vec::new(),
            server,
            client: None,
            counts: [0; 2],
            plan,
            done: done.clone(),
        };
        let task = tokio::spawn(way.carry());
        Self {
            address,
            done,
            task,
        }
    }
}

impl Drop for Proxy {
    fn drop(&mut self) {
        self.task.abort();
    }
}

async fn bind() -> UdpSocket {
    UdpSocket::bind("127.0.0.1:0").await.unwrap()
}

struct Way {
    /// Where the client sends to.
    front: UdpSocket,
    /// Where the server sees packets come from.
    back: UdpSocket,
    /// Where it saw them come from before. What arrives there is lost without an error, as at a NAT.
    left: Vec<UdpSocket>,
    server: SocketAddr,
    client: Option<SocketAddr>,
    /// Packets of the client, and of the server.
    counts: [usize; 2],
    plan: Plan,
    done: Arc<Done>,
}

impl Way {
    async fn carry(mut self) {
        let (mut up, mut down) = (vec![0; 1 << 16], vec![0; 1 << 16]);
        loop {
            // An error is what the kernel heard of an earlier packet; both sides send theirs again.
            tokio::select! {
                Ok((len, from)) = self.front.recv_from(&mut up) => {
                    self.client = Some(from);
                    self.move_if_due().await;
                    if self.pass(0, &mut up[..len]) {
                        let _ = self.back.send_to(&up[..len], self.server).await;
                    }
                }
                Ok(len) = self.back.recv(&mut down) => {
                    if let Some(client) = self.client && self.pass(1, &mut down[..len]) {
                        let _ = self.front.send_to(&down[..len], client).await;
                    }
                }
                () = tokio::time::sleep(Duration::from_millis(10)) => {}
            }
        }
    }

    async fn move_if_due(&mut self) {
        let Plan {
            move_every,
            moves_max,
            ..
        } = self.plan;
        let moves = self.left.len();
        if move_every > 0 && moves < moves_max && self.counts[0] >= move_every * (moves + 1) {
            let old = std::mem::replace(&mut self.back, bind().await);
            self.left.push(old);
            self.done.moves.fetch_add(1, Ordering::Relaxed);
        }
    }

    /// Whether a packet goes on; perhaps with one bit of it turned over.
    fn pass(&mut self, direction: usize, packet: &mut [u8]) -> bool {
        if packet.len() > MTU {
            return false;
        }
        let number = self.counts[direction];
        self.counts[direction] += 1;
        self.done
            .octets
            .fetch_add(packet.len() as u64, Ordering::Relaxed);
        let is_damaged =
            self.plan.damage_every > 0 && number.is_multiple_of(self.plan.damage_every);
        if is_damaged && !packet.is_empty() {
            // Each time at another place: a prime number of octets further, and another bit.
            let place = (number * 7_919) % packet.len();
            packet[place] ^= 1 << (number % 8);
            self.done.damaged.fetch_add(1, Ordering::Relaxed);
        }
        true
    }
}
