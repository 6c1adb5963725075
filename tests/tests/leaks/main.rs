//! What connections and nodes leave behind: nothing. One process, so that what it holds can be counted; hence one test, in which
//! nothing runs beside it.

#![expect(
    clippy::unwrap_used,
    reason = "a test that meets what it does not expect has failed"
)]

mod held;

use std::time::Duration;

use held::Held;
use keyway::{Allow, Listener, Node, PeerAddr};
use tokio::io::{AsyncReadExt, AsyncWriteExt};

/// Far above what it takes, even on a busy machine.
const DEADLINE: Duration = Duration::from_secs(240);

/// What the allocator and the kernel may keep for later, once everything has been used.
const RSS_SLACK: u64 = 2 << 20;

async fn node() -> Node {
    let builder = Node::builder().bind_address("127.0.0.1:0".parse().unwrap());
    builder.bind().await.unwrap()
}

fn serve_echo(mut listener: Listener) {
    tokio::spawn(async move {
        while let Ok(mut stream) = listener.accept().await {
            tokio::spawn(async move {
                let mut octets = Vec::new();
                stream.read_to_end(&mut octets).await?;
                stream.write_all(&octets).await?;
                stream.shutdown().await
            });
        }
    });
}

/// Two nodes, of which one serves the other.
struct Pair {
    client: Node,
    server: Node,
    peer: PeerAddr,
}

impl Pair {
    async fn new() -> Self {
        let (client, server) = (node().await, node().await);
        let allow = Allow::only([client.node_id()]);
        serve_echo(server.listen("echo").allow(allow).start().unwrap());
        let peer = PeerAddr::new(server.node_id(), server.local_addresses());
        Self {
            client,
            server,
            peer,
        }
    }

    /// Connects, asks, is answered, and closes.
    async fn connect_and_close(&self) {
        let mut stream = self.client.connect(&self.peer, "echo").await.unwrap();
        stream.write_all(b"hello").await.unwrap();
        stream.shutdown().await.unwrap();
        let mut answer = Vec::new();
        stream.read_to_end(&mut answer).await.unwrap();
        assert_eq!(answer, b"hello");
    }

    /// The same with octets in both directions that nobody wants any more.
    async fn connect_and_abandon(&self) {
        let mut stream = self.client.connect(&self.peer, "echo").await.unwrap();
        stream.write_all(&[7; 10_000]).await.unwrap();
        stream.reset(7);
    }

    async fn end(self) {
        self.client.close().await.unwrap();
        self.server.close().await.unwrap();
    }
}

/// Q11: connects and closes.
async fn connections_leave_nothing() {
    let pair = Pair::new().await;
    let many = async |count| {
        for _ in 0..count {
            pair.connect_and_close().await;
            pair.connect_and_abandon().await;
        }
    };
    many(1000).await;
    let before = Held::at_rest(&Held::default()).await;
    many(5000).await;
    let after = Held::at_rest(&before).await;
    assert_same(&before, &after, "10,000 connections");
    pair.end().await;
}

/// Q11: starts and stops, each with a connection.
async fn nodes_leave_nothing() {
    let many = async |count| {
        for _ in 0..count {
            let pair = Pair::new().await;
            pair.connect_and_close().await;
            pair.end().await;
        }
    };
    many(100).await;
    let before = Held::at_rest(&Held::default()).await;
    many(500).await;
    let after = Held::at_rest(&before).await;
    assert_same(&before, &after, "1,000 nodes");
}

fn assert_same(before: &Held, after: &Held, what: &str) {
    println!("{what}: {before:?}, then {after:?}");
    assert_eq!(
        (before.descriptors, before.tasks),
        (after.descriptors, after.tasks),
        "descriptors and tasks that {what} left"
    );
    let grown = after.memory.saturating_sub(before.memory);
    assert!(grown <= RSS_SLACK, "{what} left {grown} octets");
}

#[tokio::test]
async fn connections_and_nodes_leave_no_descriptor_no_task_and_no_memory() {
    let test = async {
        connections_leave_nothing().await;
        nodes_leave_nothing().await;
    };
    tokio::time::timeout(DEADLINE, test)
        .await
        .expect("the test hangs");
}
