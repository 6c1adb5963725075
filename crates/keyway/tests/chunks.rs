//! Octets that change hands in pieces, without being copied.

mod support;

use bytes::Bytes;
use keyway::{ReadError, WriteError, codes};
use support::{address_of, in_time, pair};

/// More than a stream's buffers and windows hold at first, in pieces of all sizes.
fn pieces() -> Vec<Bytes> {
    let sizes = [1, 100, 1_024, 1_025, 40_000, 65_536, 300_000, 1_000_000];
    let content = |size: usize| (0..size).map(move |at| (at * 31 + size).to_le_bytes()[0]);
    let mut pieces: Vec<Bytes> = Vec::new();
    for size in sizes.into_iter().cycle().take(32) {
        pieces.push(content(size).collect());
    }
    pieces
}

#[tokio::test]
async fn pieces_arrive_as_the_octets_that_they_are() {
    in_time(async {
        let (client, server, mut listener) = pair("chunks").await;
        let dialled = client.connect(address_of(&server), "chunks").await.unwrap();
        let (mut receive, mut send) = dialled.into_split();
        let sending = tokio::spawn(async move {
            for piece in pieces() {
                send.write_chunk(piece).await.unwrap();
            }
            send
        });
        // Passes each piece on as it comes.
        let echoing = tokio::spawn(async move {
            let (mut from, mut to) = listener.accept().await.unwrap().into_split();
            while let Some(chunk) = from.read_chunk(100_000).await.unwrap() {
                assert!((1..=100_000).contains(&chunk.len()));
                to.write_chunk(chunk).await.unwrap();
            }
        });
        let sent = pieces().concat();
        let mut back = Vec::new();
        while back.len() < sent.len() {
            back.extend(receive.read_chunk(7_777).await.unwrap().unwrap());
        }
        assert!(back == sent);
        drop(sending.await.unwrap());
        echoing.await.unwrap();
        assert_eq!(receive.read_chunk(1).await.unwrap(), None);
        assert_eq!(receive.read_chunk(1).await.unwrap(), None, "it stays so");
    })
    .await;
}

#[tokio::test]
async fn nothing_asked_for_or_written_is_nothing_done() {
    in_time(async {
        let (client, server, _listener) = pair("nothing").await;
        let dialled = client
            .connect(address_of(&server), "nothing")
            .await
            .unwrap();
        let (mut receive, mut send) = dialled.into_split();
        assert_eq!(receive.read_chunk(0).await.unwrap(), Some(Bytes::new()));
        send.write_chunk(Bytes::new()).await.unwrap();
    })
    .await;
}

#[tokio::test]
async fn who_gave_up_is_told_to_readers_and_writers_of_pieces() {
    in_time(async {
        let (client, server, mut listener) = pair("over").await;
        let dialled = client.connect(address_of(&server), "over").await.unwrap();
        let (mut receive, mut send) = dialled.into_split();
        let (mut theirs, mut their_send) = listener.accept().await.unwrap().into_split();
        theirs.stop(codes::APPLICATION);
        their_send.reset(codes::APPLICATION + 1);
        let read = receive.read_chunk(100).await;
        assert!(
            matches!(read, Err(ReadError::Reset { code }) if code == codes::APPLICATION + 1),
            "{read:?}"
        );
        let piece = Bytes::from(vec![7; 100_000]);
        let stopped = loop {
            if let Err(error) = send.write_chunk(piece.clone()).await {
                break error;
            }
        };
        assert!(
            matches!(stopped, WriteError::Stopped { code } if code == codes::APPLICATION),
            "{stopped:?}"
        );
    })
    .await;
}
