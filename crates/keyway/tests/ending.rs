//! How streams and nodes end: by dropping, by closing, by a peer that goes away.

mod support;

use std::io::ErrorKind;
use std::time::Duration;

use keyway::{Allow, ConnectError, ConnectionError, ListenError, ReadError};
use support::{address_of, builder, expect_pattern, in_time, node, pair, send_pattern};
use tokio::io::{AsyncReadExt, AsyncWriteExt};

#[tokio::test]
async fn a_dropped_stream_delivers_what_was_written_and_the_end() {
    in_time(async {
        let (client, server, mut listener) = pair("drop").await;
        let mut dialled = client.connect(address_of(&server), "drop").await.unwrap();
        dialled.write_all(&[7; 200_000]).await.unwrap();
        drop(dialled);
        let mut accepted = listener.accept().await.unwrap();
        let mut read = Vec::new();
        accepted.read_to_end(&mut read).await.unwrap();
        assert_eq!(read.len(), 200_000);
    })
    .await;
}

#[tokio::test]
async fn a_connection_that_was_ended_ends_its_streams_at_both_ends_and_the_next_one_is_another() {
    in_time(async {
        let (client, server, mut listener) = pair("again").await;
        let peer = server.node_id();
        // Nobody is connected: there is nothing to wait for.
        client.disconnect(peer).await;
        for round in 0..3 {
            let mut dialled = client.connect(address_of(&server), "again").await.unwrap();
            dialled.write_all(&[round]).await.unwrap();
            let mut accepted = listener.accept().await.unwrap();
            assert_eq!(accepted.read_u8().await.unwrap(), round);
            client.disconnect(peer).await;
            assert!(client.paths(peer).await.is_empty());
            let error = dialled.read_u8().await.unwrap_err();
            assert_eq!(
                error.get_ref().unwrap().downcast_ref(),
                Some(&ReadError::Lost(ConnectionError::Disconnected))
            );
            let error = accepted.read_u8().await.unwrap_err();
            let lost = error.get_ref().unwrap().downcast_ref::<ReadError>();
            assert!(
                matches!(
                    lost,
                    Some(ReadError::Lost(ConnectionError::PeerClosed { code: 0, .. }))
                ),
                "{lost:?}"
            );
        }
    })
    .await;
}

#[tokio::test]
async fn dropping_one_half_leaves_the_other_alone() {
    in_time(async {
        let (client, server, mut listener) = pair("halves").await;
        let (receive, mut send) = client
            .connect(address_of(&server), "halves")
            .await
            .unwrap()
            .into_split();
        let (mut their_receive, their_send) = listener.accept().await.unwrap().into_split();
        drop(receive);
        drop(their_send);
        send_pattern(&mut send, 3, 1_000_000).await.unwrap();
        assert_eq!(
            expect_pattern(&mut their_receive, 3).await.unwrap(),
            1_000_000
        );
    })
    .await;
}

// L11
#[tokio::test]
async fn a_task_that_panics_ends_its_own_stream_and_no_other() {
    in_time(async {
        let (client, server, mut listener) = pair("panic").await;
        let mut doomed = client.connect(address_of(&server), "panic").await.unwrap();
        let mut other = client.connect(address_of(&server), "panic").await.unwrap();
        doomed.write_all(b"x").await.unwrap();
        other.write_all(b"y").await.unwrap();
        let serving = tokio::spawn(async move {
            let mut first = listener.accept().await.unwrap();
            assert_eq!(first.read_u8().await.unwrap(), b'x');
            let mut second = listener.accept().await.unwrap();
            let panicking = tokio::spawn(async move {
                let _held = first;
                panic!("expected in this test");
            });
            assert!(panicking.await.unwrap_err().is_panic());
            let octet = second.read_u8().await.unwrap();
            second.write_all(&[octet; 100_000]).await.unwrap();
        });
        let error = doomed.read_u8().await.unwrap_err();
        assert_eq!(error.kind(), ErrorKind::ConnectionReset);
        let mut answer = Vec::new();
        other.read_to_end(&mut answer).await.unwrap();
        assert_eq!(answer, [b'y'; 100_000]);
        serving.await.unwrap();
        client.close().await.unwrap();
    })
    .await;
}

// L11
#[tokio::test]
async fn a_writer_that_panics_resets_its_stream() {
    in_time(async {
        let (client, server, mut listener) = pair("panic").await;
        let mut dialled = client.connect(address_of(&server), "panic").await.unwrap();
        let mut accepted = listener.accept().await.unwrap();
        let writer = tokio::spawn(async move {
            dialled.write_all(b"half of the mess").await.unwrap();
            panic!("expected in this test");
        });
        assert!(writer.await.unwrap_err().is_panic());
        let error = accepted.read_to_end(&mut Vec::new()).await.unwrap_err();
        assert_eq!(error.kind(), ErrorKind::ConnectionReset);
    })
    .await;
}

#[tokio::test]
async fn streams_outlive_the_handle_of_their_node() {
    in_time(async {
        let (client, server, mut listener) = pair("outlive").await;
        let mut dialled = client
            .connect(address_of(&server), "outlive")
            .await
            .unwrap();
        let mut accepted = listener.accept().await.unwrap();
        drop((client, server, listener));
        send_pattern(&mut dialled, 4, 500_000).await.unwrap();
        assert_eq!(expect_pattern(&mut accepted, 4).await.unwrap(), 500_000);
    })
    .await;
}

#[tokio::test]
async fn a_node_that_nobody_holds_delivers_in_the_background() {
    in_time(async {
        let (client, server, mut listener) = pair("orphan").await;
        let mut dialled = client.connect(address_of(&server), "orphan").await.unwrap();
        dialled.write_all(&[9; 250_000]).await.unwrap();
        drop(dialled);
        drop(client);
        let mut accepted = listener.accept().await.unwrap();
        let mut read = Vec::new();
        accepted.read_to_end(&mut read).await.unwrap();
        assert_eq!(read.len(), 250_000);
    })
    .await;
}

#[tokio::test]
async fn close_delivers_what_was_written() {
    in_time(async {
        let (client, server, mut listener) = pair("close").await;
        let dialled = client.connect(address_of(&server), "close").await.unwrap();
        let accepted = listener.accept().await.unwrap();
        let reading = tokio::spawn(async move { expect_pattern(accepted, 5).await });
        send_pattern(dialled, 5, 5_000_000).await.unwrap();
        client.close().await.unwrap();
        assert_eq!(reading.await.unwrap().unwrap(), 5_000_000);
    })
    .await;
}

// R9.19
#[tokio::test]
async fn what_arrived_before_the_peer_closed_can_be_read_after_it() {
    in_time(async {
        let (client, server, mut listener) = pair("late").await;
        let dialled = client.connect(address_of(&server), "late").await.unwrap();
        let accepted = listener.accept().await.unwrap();
        // More than one buffer of the facade, so that a part of it is still inside the node when the peer says goodbye.
        send_pattern(dialled, 6, 900_000).await.unwrap();
        client.close().await.unwrap();
        // Nothing can be written any more once the goodbye is known.
        let (receive, mut send) = accepted.into_split();
        while send.write_all(b"anybody?").await.is_ok() {}
        assert_eq!(expect_pattern(receive, 6).await.unwrap(), 900_000);
    })
    .await;
}

#[tokio::test]
async fn a_stream_that_was_not_finished_does_not_end_as_if_it_were() {
    in_time(async {
        let (client, server, mut listener) = pair("cut").await;
        let mut dialled = client.connect(address_of(&server), "cut").await.unwrap();
        dialled.write_all(b"begun").await.unwrap();
        let mut accepted = listener.accept().await.unwrap();
        client.close().await.unwrap();
        let mut read = Vec::new();
        let error = accepted.read_to_end(&mut read).await.unwrap_err();
        assert_eq!(read, b"begun", "what was written before is delivered");
        assert_eq!(error.kind(), ErrorKind::ConnectionAborted);
        let source = error.get_ref().unwrap().downcast_ref();
        assert!(
            matches!(
                source,
                Some(ReadError::Lost(ConnectionError::PeerClosed { .. }))
            ),
            "{source:?}"
        );
    })
    .await;
}

#[tokio::test]
async fn a_closed_node_refuses_everything_and_says_why() {
    in_time(async {
        let (client, server, mut listener) = pair("closed").await;
        let mut dialled = client.connect(address_of(&server), "closed").await.unwrap();
        let _accepted = listener.accept().await.unwrap();
        client.close().await.unwrap();
        assert_eq!(
            dialled.write_all(b"x").await.unwrap_err().kind(),
            ErrorKind::ConnectionAborted
        );
        assert_eq!(
            dialled.read(&mut [0; 1]).await.unwrap_err().kind(),
            ErrorKind::ConnectionAborted
        );
        let refused = client.connect(address_of(&server), "closed").await;
        assert!(
            matches!(
                refused,
                Err(ConnectError::Lost(ConnectionError::NodeClosed))
            ),
            "{refused:?}"
        );
        let refused = client.listen("anything").allow(Allow::any()).start();
        assert!(
            matches!(refused, Err(ListenError::Lost(ConnectionError::NodeClosed))),
            "{refused:?}"
        );
        assert_eq!(client.online().await, Err(ConnectionError::NodeClosed));
        assert!(client.paths(server.node_id()).await.is_empty());
    })
    .await;
}

#[tokio::test]
async fn a_listener_learns_that_its_node_was_closed() {
    in_time(async {
        let (_client, server, mut listener) = pair("closed").await;
        let waiting = tokio::spawn(async move { listener.accept().await.map(drop) });
        tokio::task::yield_now().await;
        server.close().await.unwrap();
        assert_eq!(waiting.await.unwrap(), Err(ConnectionError::NodeClosed));
    })
    .await;
}

#[tokio::test]
async fn closing_an_unused_node_takes_no_time() {
    in_time(async {
        let node = node().await;
        tokio::time::timeout(Duration::from_secs(1), node.close())
            .await
            .expect("at once")
            .unwrap();
    })
    .await;
}

#[tokio::test]
async fn close_does_not_wait_longer_than_it_was_told_to() {
    in_time(async {
        let client = builder()
            .linger(Duration::from_millis(300))
            .bind()
            .await
            .unwrap();
        let server = node().await;
        let mut listener = server.listen("slow").allow(Allow::any()).start().unwrap();
        let mut dialled = client.connect(address_of(&server), "slow").await.unwrap();
        let _accepted = listener.accept().await.unwrap();
        // Nobody reads, so what was written beyond the peer's window cannot be delivered.
        let piece = vec![7; 64 * 1024];
        while tokio::time::timeout(Duration::from_millis(300), dialled.write(&piece))
            .await
            .is_ok()
        {}
        let closed = tokio::time::timeout(Duration::from_secs(10), client.close())
            .await
            .expect("in time");
        assert_eq!(
            closed.unwrap_err().to_string(),
            "closed before everything was delivered: peers did not acknowledge within 300 ms"
        );
    })
    .await;
}
