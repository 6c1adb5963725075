//! A client that goes on when its peer restarts. (A change of network needs nothing like this: streams survive it.)
//!
//! `cargo run -p keyway --example reconnect`

use std::io;
use std::net::SocketAddr;
use std::time::Duration;

use keyway::{Allow, Node, NodeId, PeerAddr, SecretKey};
use tokio::io::{AsyncReadExt, AsyncWriteExt};

#[tokio::main]
async fn main() -> Result<(), Box<dyn std::error::Error>> {
    let loopback = "127.0.0.1:0".parse()?;
    let client = Node::builder().bind_address(loopback).bind().await?;
    let server = serve(loopback, client.node_id()).await?;
    let address = server.local_addresses()[0];
    let peer = PeerAddr::new(server.node_id(), [address]);
    println!("{}", ask(&client, &peer, "first").await?);

    // The server's process ends, and is started again at the same address with the same key.
    server.close().await?;
    drop(server);
    println!("the server is gone");
    let asking = ask(&client, &peer, "second");
    let restarting = async {
        tokio::time::sleep(Duration::from_millis(500)).await;
        println!("the server is back");
        serve(address, client.node_id()).await
    };
    let (answer, _server) = tokio::join!(asking, restarting);
    println!("{}", answer?);
    Ok(())
}

/// Asks until there is an answer. A question is asked again, so it must do no harm to ask it twice.
async fn ask(client: &Node, peer: &PeerAddr, question: &str) -> io::Result<String> {
    let mut pause = Duration::from_millis(50);
    for _ in 0..8 {
        match try_to_ask(client, peer, question).await {
            Ok(answer) => return Ok(answer),
            Err(error) => println!("{question}: {error}; trying again"),
        }
        // Growing pauses, so that a peer that comes back is not met by a crowd.
        tokio::time::sleep(pause).await;
        pause *= 2;
    }
    Err(io::Error::other("the server does not come back"))
}

async fn try_to_ask(client: &Node, peer: &PeerAddr, question: &str) -> io::Result<String> {
    // Waits for the peer, up to the deadline of the node; a server that is away for a moment costs nothing else.
    let mut stream = client.connect(peer, "questions").await?;
    stream.write_all(question.as_bytes()).await?;
    stream.shutdown().await?;
    let mut answer = String::new();
    stream.read_to_string(&mut answer).await?;
    Ok(answer)
}

async fn serve(address: SocketAddr, client: NodeId) -> Result<Node, Box<dyn std::error::Error>> {
    let key = SecretKey::from_bytes([7; SecretKey::LEN]); // in earnest, a key file
    let node = Node::builder()
        .secret_key(key)
        .bind_address(address)
        .bind()
        .await?;
    let mut listener = node
        .listen("questions")
        .allow(Allow::only([client]))
        .start()?;
    tokio::spawn(async move {
        while let Ok(mut stream) = listener.accept().await {
            let mut question = String::new();
            if stream.read_to_string(&mut question).await.is_ok() {
                let answer = format!("{question}: answered");
                // Whoever is gone before the answer comes does not want it.
                let _ = stream.write_all(answer.as_bytes()).await;
            }
        }
    });
    Ok(node)
}
