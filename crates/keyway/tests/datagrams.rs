//! Datagrams between two nodes, over real sockets.

mod support;

use std::time::Duration;

use keyway::{Allow, DatagramError};
use support::{address_of, in_time, pair};
use tokio::io::AsyncReadExt;
use tokio::time::timeout;

/// Until the next datagram is sent, if nothing comes.
const A_MOMENT: Duration = Duration::from_millis(10);

#[tokio::test]
async fn datagrams_go_both_ways_and_keep_their_borders() {
    in_time(async {
        let (client, server, mut listener) = pair("telemetry").await;
        let here = client
            .datagrams(address_of(&server), "telemetry")
            .await
            .unwrap();
        here.send(b"one").await.unwrap();
        here.send(b"").await.unwrap();
        here.send(b"three").await.unwrap();
        let there = listener.accept_datagrams().await.unwrap();
        assert_eq!(
            (there.peer(), there.service()),
            (client.node_id(), "telemetry")
        );
        let mut buffer = [0; 2048];
        for expected in [&b"one"[..], b"", b"three"] {
            let length = there.recv(&mut buffer).await.unwrap();
            assert_eq!(&buffer[..length], expected);
        }
        there.send(b"back").await.unwrap();
        let length = here.recv(&mut buffer).await.unwrap();
        assert_eq!(&buffer[..length], b"back");
    })
    .await;
}

#[tokio::test]
async fn the_largest_datagram_fits_and_one_octet_more_is_refused_with_the_limit() {
    in_time(async {
        let (client, server, mut listener) = pair("large").await;
        let here = client
            .datagrams(address_of(&server), "large")
            .await
            .unwrap();
        let there = listener.accept_datagrams().await.unwrap();
        let max = here.max_size();
        assert!(max >= 1100, "{max}");
        here.send(&vec![7; max]).await.unwrap();
        let mut buffer = vec![0; 65_536];
        assert_eq!(there.recv(&mut buffer).await.unwrap(), max);
        let size = 65_536;
        assert!(matches!(
            here.send(&vec![7; size]).await,
            Err(DatagramError::TooLarge { size: 65_536, max }) if max < size
        ));
    })
    .await;
}

#[tokio::test]
async fn the_limit_grows_with_the_packets_that_the_path_turns_out_to_take() {
    in_time(async {
        let (client, server, mut listener) = pair("grow").await;
        let here = client.datagrams(address_of(&server), "grow").await.unwrap();
        let there = listener.accept_datagrams().await.unwrap();
        // Loopback takes what an Ethernet takes at least, which is found out by probing.
        while here.max_size() < 1400 || there.max_size() < 1400 {
            here.send(b"x").await.unwrap();
            there.send(b"x").await.unwrap();
            // What is sent next carries the next probe.
            let _ = timeout(A_MOMENT, there.recv(&mut [0; 16])).await;
        }
        here.send(&[7; 1400]).await.unwrap();
        let mut buffer = [0; 2048];
        while there.recv(&mut buffer).await.unwrap() != 1400 {}
    })
    .await;
}

#[tokio::test]
async fn a_datagram_longer_than_the_buffer_is_cut_off_and_the_next_one_is_whole() {
    in_time(async {
        let (client, server, mut listener) = pair("cut").await;
        let here = client.datagrams(address_of(&server), "cut").await.unwrap();
        let there = listener.accept_datagrams().await.unwrap();
        here.send(b"0123456789").await.unwrap();
        here.send(b"ab").await.unwrap();
        let mut buffer = [0; 4];
        assert_eq!(there.recv(&mut buffer).await.unwrap(), 4);
        assert_eq!(&buffer, b"0123");
        assert_eq!(there.recv(&mut buffer).await.unwrap(), 2);
    })
    .await;
}

#[tokio::test]
async fn a_sender_that_is_faster_than_the_path_is_slowed_down() {
    in_time(async {
        let (client, server, mut listener) = pair("flood").await;
        let here = client
            .datagrams(address_of(&server), "flood")
            .await
            .unwrap();
        let there = listener.accept_datagrams().await.unwrap();
        let mut receiving = tokio::spawn(async move {
            let (mut count, mut buffer) = (0, [0; 2048]);
            while let Ok(length) = there.recv(&mut buffer).await {
                if length == 1 {
                    break;
                }
                assert_eq!(length, 1000);
                count += 1;
            }
            count
        });
        for _ in 0..20_000 {
            here.send(&[7; 1000]).await.unwrap();
        }
        // The last one may be lost like any other.
        let count: usize = loop {
            here.send(&[0]).await.unwrap();
            if let Ok(count) = timeout(A_MOMENT, &mut receiving).await {
                break count.unwrap();
            }
        };
        assert!(count > 1000, "{count} of 20,000 arrived over loopback");
    })
    .await;
}

#[tokio::test]
async fn a_closed_flow_is_noticed_by_its_other_end() {
    in_time(async {
        let (client, server, mut listener) = pair("end").await;
        let here = client.datagrams(address_of(&server), "end").await.unwrap();
        let there = listener.accept_datagrams().await.unwrap();
        drop(here);
        assert_eq!(there.recv(&mut [0; 16]).await, Err(DatagramError::Closed));
    })
    .await;
}

#[tokio::test]
async fn a_flow_to_a_service_that_does_not_exist_is_refused() {
    in_time(async {
        let (client, server, _listener) = pair("known").await;
        let here = client
            .datagrams(address_of(&server), "unknown")
            .await
            .unwrap();
        assert_eq!(here.recv(&mut [0; 16]).await, Err(DatagramError::Refused));
    })
    .await;
}

#[tokio::test]
async fn one_listener_serves_streams_and_datagrams_side_by_side() {
    in_time(async {
        let (client, server, listener) = pair("first").await;
        drop(listener);
        let mut listener = server.listen("both").allow(Allow::any()).start().unwrap();
        let _socket = client.datagrams(address_of(&server), "both").await.unwrap();
        drop(client.connect(address_of(&server), "both").await.unwrap());
        let mut stream = listener.accept().await.unwrap();
        assert_eq!(stream.read(&mut [0; 1]).await.unwrap(), 0);
        assert_eq!(
            listener.accept_datagrams().await.unwrap().peer(),
            client.node_id()
        );
    })
    .await;
}

// L5
#[tokio::test]
async fn datagrams_that_nobody_receives_wait_within_bounds_also_if_they_are_empty() {
    in_time(async {
        let (client, server, mut listener) = pair("flood").await;
        let sender = client
            .datagrams(address_of(&server), "flood")
            .await
            .unwrap();
        sender.send(b"first").await.unwrap();
        let receiver = listener.accept_datagrams().await.unwrap();
        for _ in 0..200_000 {
            sender.send(b"").await.unwrap();
        }
        sender.send(b"last").await.unwrap();
        drop(sender);
        let (mut buffer, mut received) = ([0; 16], 0);
        while receiver.recv(&mut buffer).await.is_ok() {
            received += 1;
        }
        // 16,384 here, as many in the node, and those that come while these are received.
        assert!((1..=60_000).contains(&received), "{received}");
    })
    .await;
}
