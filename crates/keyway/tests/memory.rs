//! Nodes that have little memory for their streams.
#![allow(
    clippy::unwrap_used,
    reason = "in a test, whatever fails is the finding"
)]

mod support;

use keyway::Allow;
use support::{address_of, builder, expect_pattern, in_time, node, send_pattern};

const MIB: usize = 1 << 20;

/// Eight streams that nobody reads for a while, beside one that is read, at a node that lends so much.
async fn readers_come_late(memory: u64) {
    let server = builder().memory_max(memory).bind().await.unwrap();
    let mut slow = server.listen("slow").allow(Allow::any()).start().unwrap();
    let mut fast = server.listen("fast").allow(Allow::any()).start().unwrap();
    let (mut writers, mut unread) = (Vec::new(), Vec::new());
    for seed in 0..8 {
        let client = node().await;
        let stream = client.connect(address_of(&server), "slow").await.unwrap();
        writers.push(tokio::spawn(async move {
            send_pattern(stream, seed, 3 * MIB).await.unwrap();
            client
        }));
        unread.push((seed, slow.accept().await.unwrap()));
    }
    let client = node().await;
    let stream = client.connect(address_of(&server), "fast").await.unwrap();
    let sent = tokio::spawn(send_pattern(stream, 99, MIB));
    let read = fast.accept().await.unwrap();
    assert_eq!(expect_pattern(read, 99).await.unwrap(), MIB);
    sent.await.unwrap().unwrap();
    assert!(
        writers.iter().all(|writer| !writer.is_finished()),
        "what nobody reads is not taken without bound"
    );
    for (seed, stream) in unread {
        assert_eq!(expect_pattern(stream, seed).await.unwrap(), 3 * MIB);
    }
    for writer in writers {
        writer.await.unwrap();
    }
}

// L1
#[tokio::test]
async fn streams_that_nobody_reads_wait_and_arrive_whole_where_memory_is_short() {
    in_time(readers_come_late(4 << 20)).await;
}

// L1
#[tokio::test]
async fn the_same_where_there_is_none_but_what_is_guaranteed() {
    in_time(readers_come_late(0)).await;
}
