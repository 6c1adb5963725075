//! Two nodes that know only each other's ids, and a server where they find each other.
//!
//! `cargo run -p keyway --example server`

use std::time::Duration;

use keyway::{Allow, Node, NodeId, PathInfo, ServerAddr};
use tokio::io::{AsyncReadExt, AsyncWriteExt};

#[tokio::main]
async fn main() -> Result<(), Box<dyn std::error::Error>> {
    let loopback = "127.0.0.1:0".parse()?;
    let server = Node::builder()
        .bind_address(loopback)
        .serve_rendezvous()
        .bind()
        .await?;
    let address = ServerAddr::new(server.node_id(), server.local_addresses()[0]);

    let alice = Node::builder()
        .bind_address(loopback)
        .server(address.clone())
        .bind()
        .await?;
    let bob = Node::builder()
        .bind_address(loopback)
        .server(address)
        .bind()
        .await?;
    let mut listener = bob
        .listen("greeting")
        .allow(Allow::only([alice.node_id()]))
        .start()?;
    bob.registered().await?;
    println!("the server lists {}", bob.node_id());

    let mut stream = alice.connect(bob.node_id(), "greeting").await?;
    let mut accepted = listener.accept().await?;
    accepted.write_all(b"hello").await?;
    let mut greeting = [0; 5];
    stream.read_exact(&mut greeting).await?;

    // The first packets go through the relay. A direct path is found meanwhile, usually within milliseconds; the stream moves
    // over to it, and the relay stays as a spare.
    for path in wait_for_direct(&alice, bob.node_id()).await {
        let standing = if path.selected { "in use" } else { "spare" };
        println!("{standing}: {}, {} octets sent", path.route, path.sent);
    }
    Ok(())
}

/// The paths to a peer as soon as a direct one is in use, or after five seconds.
async fn wait_for_direct(node: &Node, peer: NodeId) -> Vec<PathInfo> {
    for _ in 0..100 {
        let paths = node.paths(peer).await;
        if paths
            .iter()
            .any(|path| path.selected && path.route.is_direct())
        {
            return paths;
        }
        tokio::time::sleep(Duration::from_millis(50)).await;
    }
    node.paths(peer).await
}
