//! An identity for life: the key file is made at the first start, and the node has the same id ever after.
//!
//! `cargo run -p keyway --example key_file`

use keyway::Node;

#[tokio::main]
async fn main() -> Result<(), Box<dyn std::error::Error>> {
    let folder = tempfile::tempdir()?;
    let path = folder.path().join("agent.key");

    let mut ids = Vec::new();
    for start in 1..=2 {
        let node = Node::builder()
            .key_file(&path)
            .bind_address("127.0.0.1:0".parse()?)
            .bind()
            .await?;
        println!("start {start}: {}", node.node_id());
        ids.push(node.node_id());
        node.close().await?;
    }
    assert_eq!(ids[0], ids[1]);

    // What is not a sound key file is never replaced: another key would be another node.
    std::fs::write(&path, "not a key")?;
    match Node::builder().key_file(&path).bind().await {
        Err(error) => println!("start 3: {error}"),
        Ok(node) => return Err(format!("{} has a new key", node.node_id()).into()),
    }
    Ok(())
}
