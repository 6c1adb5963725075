//! Who gets in: a friend, an acquaintance who may use one service and not the other, and a stranger.
//!
//! `cargo run -p keyway --example allow_list`

use std::time::Duration;

use keyway::{Allow, ConnectError, Node, NodeBuilder, PeerAddr};
use tokio::io::{AsyncReadExt, AsyncWriteExt};

#[tokio::main]
async fn main() -> Result<(), Box<dyn std::error::Error>> {
    let house = node()?.bind().await?;
    let (friend, acquaintance) = (node()?.bind().await?, node()?.bind().await?);
    // A stranger is not answered at all, so it has to decide how long it waits.
    let stranger = node()?
        .connect_timeout(Duration::from_secs(1))
        .bind()
        .await?;

    let mut living_room = house
        .listen("living-room")
        .allow(Allow::only([friend.node_id()]))
        .start()?;
    let _doorbell = house
        .listen("doorbell")
        .allow(Allow::only([friend.node_id(), acquaintance.node_id()]))
        .start()?;
    tokio::spawn(async move {
        while let Ok(mut stream) = living_room.accept().await {
            let welcome = format!("come in, {:.8}", stream.peer());
            if let Err(error) = stream.write_all(welcome.as_bytes()).await {
                eprintln!("nobody was welcomed: {error}");
            }
        }
    });

    let address = PeerAddr::new(house.node_id(), house.local_addresses());
    let mut words = String::new();
    let mut stream = friend.connect(&address, "living-room").await?;
    stream.read_to_string(&mut words).await?;
    println!("the friend hears: {words}");

    // A service for others and one that does not exist look the same.
    for service in ["living-room", "treasure-chamber"] {
        let mut stream = acquaintance.connect(&address, service).await?;
        let refused = stream
            .read_to_string(&mut words)
            .await
            .expect_err("not allowed");
        println!("the acquaintance, at {service}: {refused}");
    }

    match stranger.connect(&address, "doorbell").await {
        Err(error @ ConnectError::TimedOut { .. }) => println!("the stranger: {error}"),
        other => return Err(format!("the stranger got {other:?}").into()),
    }
    Ok(())
}

fn node() -> Result<NodeBuilder, std::net::AddrParseError> {
    Ok(Node::builder().bind_address("127.0.0.1:0".parse()?))
}
