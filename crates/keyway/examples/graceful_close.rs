//! Ending well: what was written before `close` arrives, and a stream that was not finished does not pass for a whole one.
//!
//! `cargo run -p keyway --example graceful_close`

use keyway::{Allow, ConnectionError, Node, PeerAddr, ReadError};
use tokio::io::{AsyncReadExt, AsyncWriteExt};

#[tokio::main]
async fn main() -> Result<(), Box<dyn std::error::Error>> {
    let loopback = "127.0.0.1:0".parse()?;
    let reader = Node::builder().bind_address(loopback).bind().await?;
    let writer = Node::builder().bind_address(loopback).bind().await?;
    let mut letters = reader
        .listen("letters")
        .allow(Allow::only([writer.node_id()]))
        .start()?;

    let peer = PeerAddr::new(reader.node_id(), reader.local_addresses());
    let mut finished = writer.connect(&peer, "letters").await?;
    finished.write_all(b"yours sincerely").await?;
    finished.shutdown().await?; // this one is complete
    let mut unfinished = writer.connect(&peer, "letters").await?;
    unfinished.write_all(b"there is one more thing").await?;

    // Waits until the peer has acknowledged every octet, then says goodbye.
    writer.close().await?;

    for _ in 0..2 {
        let mut letter = letters.accept().await?;
        let mut text = Vec::new();
        let outcome = letter.read_to_end(&mut text).await;
        let text = String::from_utf8_lossy(&text);
        match outcome {
            Ok(_) => println!("complete: {text}"),
            // The error that tokio's methods give carries ours.
            Err(error) => match error
                .get_ref()
                .and_then(|source| source.downcast_ref::<ReadError>())
            {
                Some(ReadError::Lost(ConnectionError::PeerClosed { .. })) => {
                    println!("cut short: {text}")
                }
                _ => return Err(error.into()),
            },
        }
    }
    Ok(())
}
