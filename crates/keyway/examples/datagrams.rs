//! Unreliable, unordered, authenticated: readings of a thermometer, of which some may be lost.
//!
//! `cargo run -p keyway --example datagrams`

use keyway::{Allow, Node, PeerAddr};

#[tokio::main]
async fn main() -> Result<(), Box<dyn std::error::Error>> {
    let station = Node::builder()
        .bind_address("127.0.0.1:0".parse()?)
        .bind()
        .await?;
    let sensor = Node::builder()
        .bind_address("127.0.0.1:0".parse()?)
        .bind()
        .await?;
    let mut listener = station
        .listen("temperature")
        .allow(Allow::only([sensor.node_id()]))
        .start()?;

    let peer = PeerAddr::new(station.node_id(), station.local_addresses());
    let socket = sensor.datagrams(peer, "temperature").await?;
    println!(
        "a datagram on this path has at most {} octets",
        socket.max_size()
    );
    for reading in ["21.4", "21.5", "21.5"] {
        socket.send(reading.as_bytes()).await?;
    }

    let received = listener.accept_datagrams().await?;
    let mut buffer = [0; 16];
    for _ in 0..3 {
        let length = received.recv(&mut buffer).await?;
        println!("{} degrees", String::from_utf8_lossy(&buffer[..length]));
    }
    Ok(())
}
