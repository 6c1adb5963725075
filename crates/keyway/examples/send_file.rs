//! A file from one node to another: first its name and length, then its octets, then the receiver's word that it has them.
//!
//! `cargo run -p keyway --example send_file`

use std::io;

use keyway::{Allow, Node, PeerAddr, Stream};
use tokio::io::{AsyncReadExt, AsyncWriteExt};

const LENGTH: u64 = 10_000_000;

#[tokio::main]
async fn main() -> Result<(), Box<dyn std::error::Error>> {
    let loopback = "127.0.0.1:0".parse()?;
    let receiver = Node::builder().bind_address(loopback).bind().await?;
    let sender = Node::builder().bind_address(loopback).bind().await?;
    let mut inbox = receiver
        .listen("inbox")
        .allow(Allow::only([sender.node_id()]))
        .start()?;
    let receiving = tokio::spawn(async move { receive(inbox.accept().await?).await });

    let peer = PeerAddr::new(receiver.node_id(), receiver.local_addresses());
    // Any `AsyncRead` serves as the file: here, one that is made up.
    let file = tokio::io::repeat(7).take(LENGTH);
    send(
        sender.connect(peer, "inbox").await?,
        "sevens.bin",
        LENGTH,
        file,
    )
    .await?;

    let (name, length) = receiving.await??;
    println!("{name} has arrived: {length} octets");
    sender.close().await?;
    Ok(())
}

async fn send(
    mut stream: Stream,
    name: &str,
    length: u64,
    mut file: impl tokio::io::AsyncRead + Unpin,
) -> io::Result<()> {
    let name_length = u8::try_from(name.len()).map_err(io::Error::other)?;
    stream.write_u8(name_length).await?;
    stream.write_all(name.as_bytes()).await?;
    stream.write_u64(length).await?;
    tokio::io::copy(&mut file, &mut stream).await?;
    stream.shutdown().await?;
    // Delivered is not the same as kept: only the receiver knows whether its disk had room.
    match stream.read_u8().await? {
        1 => Ok(()),
        _ => Err(io::Error::other("the receiver could not keep the file")),
    }
}

async fn receive(mut stream: Stream) -> io::Result<(String, u64)> {
    let mut name = vec![0; usize::from(stream.read_u8().await?)];
    stream.read_exact(&mut name).await?;
    let announced = stream.read_u64().await?;
    // A stream that was cut short ends with an error, never as if it were complete. The length is for those who send less
    // than they meant to.
    let length = tokio::io::copy(&mut stream, &mut tokio::io::sink()).await?;
    stream.write_u8(u8::from(length == announced)).await?;
    stream.shutdown().await?;
    Ok((String::from_utf8_lossy(&name).into_owned(), length))
}
