//! Nodes on threads of their own.
#![allow(
    clippy::unwrap_used,
    reason = "in a test, whatever fails is the finding"
)]

mod support;

use keyway::{Allow, BindError};
use support::{address_of, builder, expect_pattern, in_time, node, send_pattern, serve_echo};
use tokio::io::AsyncWriteExt;

#[test]
fn a_node_on_a_thread_of_its_own_answers_while_the_runtime_of_its_application_stands_still() {
    let standing = tokio::runtime::Builder::new_current_thread()
        .enable_all()
        .build()
        .unwrap();
    // Nobody drives this runtime any longer once the node is bound.
    let server = standing
        .block_on(builder().own_thread(true).bind())
        .unwrap();
    let _listener = server.listen("any").allow(Allow::any()).start().unwrap();
    let running = tokio::runtime::Runtime::new().unwrap();
    running.block_on(in_time(async {
        let client = node().await;
        client.ping(address_of(&server)).await.unwrap();
        client.ping(address_of(&server)).await.unwrap();
        client.close().await.unwrap();
    }));
    drop((server, standing));
}

#[tokio::test]
async fn streams_pass_between_nodes_of_both_kinds() {
    in_time(async {
        let server = builder().own_thread(true).bind().await.unwrap();
        let client = node().await;
        serve_echo(server.listen("echo").allow(Allow::any()).start().unwrap());
        let stream = client.connect(address_of(&server), "echo").await.unwrap();
        let (mut reading, mut writing) = stream.into_split();
        let octets = 3 * 1024 * 1024;
        let sending = async {
            send_pattern(&mut writing, 1, octets).await.unwrap();
            writing.shutdown().await.unwrap();
        };
        let ((), received) = tokio::join!(sending, expect_pattern(&mut reading, 1));
        assert_eq!(received.unwrap(), octets);
        client.close().await.unwrap();
        server.close().await.unwrap();
    })
    .await;
}

#[tokio::test]
async fn a_port_that_is_taken_is_an_error_there_as_well() {
    let first = builder().own_thread(true).bind().await.unwrap();
    let taken = first.local_addresses()[0];
    let second = keyway::Node::builder().bind_address(taken).own_thread(true);
    assert!(matches!(
        second.bind().await,
        Err(BindError::Socket { address, .. }) if address == taken
    ));
}
