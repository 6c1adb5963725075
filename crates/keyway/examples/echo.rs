//! Two nodes in one process: one serves `echo`, the other says something to it.
//!
//! `cargo run -p keyway --example echo`

use keyway::{Allow, Node, PeerAddr};
use tokio::io::{AsyncReadExt, AsyncWriteExt};

#[tokio::main]
async fn main() -> Result<(), Box<dyn std::error::Error>> {
    let server = Node::builder()
        .bind_address("127.0.0.1:0".parse()?)
        .bind()
        .await?;
    let client = Node::builder()
        .bind_address("127.0.0.1:0".parse()?)
        .bind()
        .await?;

    // Whoever is not named here is not even answered.
    let mut listener = server
        .listen("echo")
        .allow(Allow::only([client.node_id()]))
        .start()?;
    tokio::spawn(async move {
        while let Ok(stream) = listener.accept().await {
            tokio::spawn(async move {
                let (mut receive, mut send) = stream.into_split();
                tokio::io::copy(&mut receive, &mut send).await
            });
        }
    });

    // The address is needed because the two share no server.
    let peer = PeerAddr::new(server.node_id(), server.local_addresses());
    let mut stream = client.connect(peer, "echo").await?;
    stream.write_all(b"is anybody there?").await?;
    stream.shutdown().await?;
    let mut answer = String::new();
    stream.read_to_string(&mut answer).await?;
    println!("{} says: {answer}", stream.peer());

    client.close().await?;
    Ok(())
}
