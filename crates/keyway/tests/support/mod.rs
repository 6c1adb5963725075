//! What the tests over real sockets share. Everything happens on the loopback interface.
#![allow(dead_code, reason = "each test binary uses its own part of this")]
#![allow(
    clippy::unwrap_used,
    reason = "in a test, whatever fails is the finding"
)]
#![allow(
    unreachable_pub,
    reason = "a module that several test binaries include"
)]

pub mod proxy;

use std::time::Duration;

use keyway::{Allow, Listener, Node, NodeBuilder, PeerAddr};
use tokio::io::{AsyncRead, AsyncReadExt, AsyncWrite, AsyncWriteExt};

/// Fails a test that would hang. Far above what any of them takes, even on a busy machine.
pub async fn in_time<T>(test: impl Future<Output = T>) -> T {
    tokio::time::timeout(Duration::from_secs(120), test)
        .await
        .expect("the test hangs")
}

/// A builder for a node that nobody outside of this machine can reach.
pub fn builder() -> NodeBuilder {
    Node::builder().bind_address("127.0.0.1:0".parse().unwrap())
}

pub async fn node() -> Node {
    builder().bind().await.unwrap()
}

/// Where `node` is, for those that have no server in common with it.
pub fn address_of(node: &Node) -> PeerAddr {
    PeerAddr::new(node.node_id(), node.local_addresses())
}

/// Two nodes, and a listener of the second one that serves the first.
pub async fn pair(service: &str) -> (Node, Node, Listener) {
    let (client, server) = (node().await, node().await);
    let listener = server
        .listen(service)
        .allow(Allow::only([client.node_id()]))
        .start()
        .unwrap();
    (client, server, listener)
}

/// Octets that are easy to make and hard to confuse: each of them depends on its place and on the seed.
pub struct Pattern {
    state: u64,
}

impl Pattern {
    pub fn new(seed: u64) -> Self {
        Self {
            state: seed.wrapping_mul(0x9e37_79b9_7f4a_7c15) | 1,
        }
    }

    pub fn fill(&mut self, out: &mut [u8]) {
        for chunk in out.chunks_mut(8) {
            // A xorshift generator with multiplier (Marsaglia, Vigna).
            self.state ^= self.state >> 12;
            self.state ^= self.state << 25;
            self.state ^= self.state >> 27;
            let word = self.state.wrapping_mul(0x2545_f491_4f6c_dd1d).to_be_bytes();
            chunk.copy_from_slice(&word[..chunk.len()]);
        }
    }
}

/// A multiple of the generator's eight octets, and not of anything else: pieces do not fall on the borders of buffers.
const PIECE: usize = 8 * 2_347;

/// Writes `len` octets of the pattern, and the end.
pub async fn send_pattern(
    mut stream: impl AsyncWrite + Unpin,
    seed: u64,
    len: usize,
) -> std::io::Result<()> {
    let mut pattern = Pattern::new(seed);
    let mut piece = vec![0; PIECE];
    let mut left = len;
    while left > 0 {
        let count = left.min(PIECE);
        pattern.fill(&mut piece[..count]);
        stream.write_all(&piece[..count]).await?;
        left -= count;
    }
    stream.shutdown().await
}

/// Reads to the end, and fails at the first octet that is not the pattern's. Returns how many there were.
pub async fn expect_pattern(
    mut stream: impl AsyncRead + Unpin,
    seed: u64,
) -> std::io::Result<usize> {
    let mut pattern = Pattern::new(seed);
    let (mut piece, mut expected) = (vec![0; PIECE], vec![0; PIECE]);
    let mut total = 0;
    loop {
        let count = read_full(&mut stream, &mut piece).await?;
        pattern.fill(&mut expected[..count]);
        assert!(
            piece[..count] == expected[..count],
            "the octets after {total} differ"
        );
        total += count;
        if count < PIECE {
            return Ok(total);
        }
    }
}

/// Reads until `out` is full or the stream ends.
async fn read_full(
    stream: &mut (impl AsyncRead + Unpin),
    out: &mut [u8],
) -> std::io::Result<usize> {
    let mut filled = 0;
    while filled < out.len() {
        let count = stream.read(&mut out[filled..]).await?;
        if count == 0 {
            break;
        }
        filled += count;
    }
    Ok(filled)
}

/// Accepts streams and sends back whatever comes, until the node closes.
pub fn serve_echo(mut listener: Listener) {
    tokio::spawn(async move {
        while let Ok(stream) = listener.accept().await {
            tokio::spawn(async move {
                let (mut receive, mut send) = stream.into_split();
                tokio::io::copy(&mut receive, &mut send).await
            });
        }
    });
}
