//! Streams between two nodes, over real sockets.

mod support;

use std::io::ErrorKind;

use keyway::{Allow, ReadError, WriteError, codes};
use support::{address_of, expect_pattern, in_time, pair, send_pattern, serve_echo};
use tokio::io::{AsyncReadExt, AsyncWriteExt};

#[tokio::test]
async fn what_is_written_comes_back_from_an_echo() {
    in_time(async {
        let (client, server, listener) = pair("echo").await;
        serve_echo(listener);
        let mut stream = client.connect(address_of(&server), "echo").await.unwrap();
        stream.write_all(b"hello").await.unwrap();
        let mut answer = [0; 5];
        stream.read_exact(&mut answer).await.unwrap();
        assert_eq!(&answer, b"hello");
    })
    .await;
}

#[tokio::test]
async fn both_ends_know_who_the_other_is_and_what_the_stream_is_for() {
    in_time(async {
        let (client, server, mut listener) = pair("who").await;
        let dialled = client.connect(address_of(&server), "who").await.unwrap();
        let accepted = listener.accept().await.unwrap();
        assert_eq!(
            (dialled.peer(), dialled.service()),
            (server.node_id(), "who")
        );
        assert_eq!(
            (accepted.peer(), accepted.service()),
            (client.node_id(), "who")
        );
    })
    .await;
}

#[tokio::test]
async fn a_stream_is_announced_before_anything_is_written() {
    in_time(async {
        let (client, server, mut listener) = pair("eager").await;
        let mut dialled = client.connect(address_of(&server), "eager").await.unwrap();
        let mut accepted = listener.accept().await.unwrap();
        accepted.write_all(b"220 ready").await.unwrap();
        let mut greeting = [0; 9];
        dialled.read_exact(&mut greeting).await.unwrap();
        assert_eq!(&greeting, b"220 ready");
    })
    .await;
}

#[tokio::test]
async fn the_dialling_end_may_finish_and_still_read() {
    in_time(async {
        let (client, server, mut listener) = pair("half").await;
        let mut dialled = client.connect(address_of(&server), "half").await.unwrap();
        dialled.write_all(b"question").await.unwrap();
        dialled.shutdown().await.unwrap();
        let mut accepted = listener.accept().await.unwrap();
        let mut question = String::new();
        accepted.read_to_string(&mut question).await.unwrap();
        assert_eq!(question, "question");
        accepted.write_all(b"answer").await.unwrap();
        accepted.shutdown().await.unwrap();
        let mut answer = String::new();
        dialled.read_to_string(&mut answer).await.unwrap();
        assert_eq!(answer, "answer");
    })
    .await;
}

#[tokio::test]
async fn the_accepting_end_may_finish_and_still_read() {
    in_time(async {
        let (client, server, mut listener) = pair("half").await;
        let mut dialled = client.connect(address_of(&server), "half").await.unwrap();
        let mut accepted = listener.accept().await.unwrap();
        accepted.shutdown().await.unwrap();
        assert_eq!(dialled.read(&mut [0; 1]).await.unwrap(), 0);
        send_pattern(&mut dialled, 1, 300_000).await.unwrap();
        assert_eq!(expect_pattern(&mut accepted, 1).await.unwrap(), 300_000);
    })
    .await;
}

#[tokio::test]
async fn writing_after_the_end_is_an_error_and_ending_twice_is_none() {
    in_time(async {
        let (client, server, _listener) = pair("half").await;
        let mut stream = client.connect(address_of(&server), "half").await.unwrap();
        stream.shutdown().await.unwrap();
        stream.shutdown().await.unwrap();
        let error = stream.write_all(b"more").await.unwrap_err();
        assert_eq!(error.kind(), ErrorKind::BrokenPipe);
        assert_eq!(
            error.get_ref().unwrap().downcast_ref(),
            Some(&WriteError::Finished)
        );
    })
    .await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_hundred_megabytes_each_way_at_once_arrive_unchanged() {
    const LEN: usize = 100_000_000;
    in_time(async {
        let (client, server, mut listener) = pair("bulk").await;
        let there = tokio::spawn(async move {
            let stream = listener.accept().await.unwrap();
            let (receive, send) = stream.into_split();
            tokio::try_join!(expect_pattern(receive, 1), send_pattern(send, 2, LEN))
                .unwrap()
                .0
        });
        let stream = client.connect(address_of(&server), "bulk").await.unwrap();
        let (receive, send) = stream.into_split();
        let here = tokio::try_join!(expect_pattern(receive, 2), send_pattern(send, 1, LEN))
            .unwrap()
            .0;
        assert_eq!((here, there.await.unwrap()), (LEN, LEN));
    })
    .await;
}

#[tokio::test]
async fn two_hundred_streams_at_once_keep_their_octets_apart() {
    in_time(async {
        let (client, server, listener) = pair("echo").await;
        serve_echo(listener);
        let mut tasks = tokio::task::JoinSet::new();
        for seed in 0..200 {
            let (client, peer) = (client.clone(), address_of(&server));
            tasks.spawn(async move {
                let stream = client.connect(peer, "echo").await.unwrap();
                let (receive, send) = stream.into_split();
                tokio::try_join!(
                    expect_pattern(receive, seed),
                    send_pattern(send, seed, 50_000)
                )
                .unwrap()
                .0
            });
        }
        while let Some(received) = tasks.join_next().await {
            assert_eq!(received.unwrap(), 50_000);
        }
    })
    .await;
}

#[tokio::test]
async fn a_reader_that_does_not_read_stops_the_writer() {
    in_time(async {
        let (client, server, mut listener) = pair("slow").await;
        let mut dialled = client.connect(address_of(&server), "slow").await.unwrap();
        let mut accepted = listener.accept().await.unwrap();
        let piece = vec![7; 64 * 1024];
        let mut written = 0;
        // More than all windows and buffers on the way could ever hold would not be backpressure.
        while let Ok(count) =
            tokio::time::timeout(std::time::Duration::from_millis(500), dialled.write(&piece)).await
        {
            written += count.unwrap();
            assert!(written < 64 * 1024 * 1024, "nothing stops the writer");
        }
        dialled.shutdown().await.unwrap();
        let mut read = Vec::new();
        accepted.read_to_end(&mut read).await.unwrap();
        assert_eq!(
            read.len(),
            written,
            "a write that was dropped while it waited has written nothing"
        );
    })
    .await;
}

#[tokio::test]
async fn a_reset_reaches_the_reader_with_its_code() {
    in_time(async {
        let (client, server, mut listener) = pair("reset").await;
        let dialled = client.connect(address_of(&server), "reset").await.unwrap();
        let mut accepted = listener.accept().await.unwrap();
        dialled.reset(codes::APPLICATION + 7);
        let error = accepted.read(&mut [0; 16]).await.unwrap_err();
        assert_eq!(error.kind(), ErrorKind::ConnectionReset);
        assert_eq!(
            error.get_ref().unwrap().downcast_ref(),
            Some(&ReadError::Reset {
                code: codes::APPLICATION + 7
            })
        );
    })
    .await;
}

#[tokio::test]
async fn a_stop_reaches_the_writer_with_its_code() {
    in_time(async {
        let (client, server, mut listener) = pair("stop").await;
        let mut dialled = client.connect(address_of(&server), "stop").await.unwrap();
        let mut accepted = listener.accept().await.unwrap();
        accepted.split().0.stop(codes::APPLICATION + 9);
        let error = loop {
            match dialled.write(&[7; 4096]).await {
                Ok(_) => tokio::task::yield_now().await,
                Err(error) => break error,
            }
        };
        assert_eq!(error.kind(), ErrorKind::BrokenPipe);
        assert_eq!(
            error.get_ref().unwrap().downcast_ref(),
            Some(&WriteError::Stopped {
                code: codes::APPLICATION + 9
            })
        );
    })
    .await;
}

#[tokio::test]
async fn a_writer_that_waits_learns_of_a_stop() {
    in_time(async {
        let (client, server, mut listener) = pair("stop").await;
        let mut dialled = client.connect(address_of(&server), "stop").await.unwrap();
        let mut accepted = listener.accept().await.unwrap();
        let writing = tokio::spawn(async move { send_pattern(&mut dialled, 1, 1 << 30).await });
        accepted.read_exact(&mut [0; 4096]).await.unwrap();
        drop(accepted);
        let error = writing.await.unwrap().unwrap_err();
        assert_eq!(error.kind(), ErrorKind::BrokenPipe);
    })
    .await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_bulk_transfer_leaves_room_for_a_conversation_beside_it() {
    in_time(async {
        let (client, server, mut listener) = pair("bulk").await;
        serve_echo(server.listen("echo").allow(Allow::any()).start().unwrap());
        let bulk = client.connect(address_of(&server), "bulk").await.unwrap();
        let sink = listener.accept().await.unwrap();
        let sending = tokio::spawn(async move { send_pattern(bulk, 1, 200_000_000).await });
        let receiving = tokio::spawn(async move { expect_pattern(sink, 1).await });
        let mut talk = client.connect(address_of(&server), "echo").await.unwrap();
        for turn in 0..20_u8 {
            let answer = tokio::time::timeout(std::time::Duration::from_secs(2), async {
                talk.write_u8(turn).await.unwrap();
                talk.read_u8().await.unwrap()
            });
            assert_eq!(
                answer
                    .await
                    .expect("the bulk transfer starves the conversation"),
                turn
            );
        }
        sending.abort();
        assert!(
            receiving.await.unwrap().is_ok(),
            "an aborted task drops its stream, which ends it in order"
        );
    })
    .await;
}
