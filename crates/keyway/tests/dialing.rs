//! Finding a peer without a server, and not finding one.

mod support;

use std::pin::pin;
use std::time::Duration;

use keyway::{Allow, ConnectError, LookupError, PeerAddr, SecretKey};
use support::{address_of, builder, in_time, node, pair, serve_echo};
use tokio::io::{AsyncReadExt, AsyncWriteExt};

#[tokio::test]
async fn a_host_name_among_the_hints_is_resolved() {
    in_time(async {
        let (client, server, listener) = pair("echo").await;
        serve_echo(listener);
        let port = server.local_addresses()[0].port();
        let peer: PeerAddr = format!("{}@localhost:{port}", server.node_id())
            .parse()
            .unwrap();
        let mut stream = client.connect(peer, "echo").await.unwrap();
        stream.write_all(b"x").await.unwrap();
        assert_eq!(stream.read_u8().await.unwrap(), b'x');
    })
    .await;
}

#[tokio::test]
async fn a_peer_without_address_and_server_cannot_be_reached() {
    in_time(async {
        let node = node().await;
        let peer = SecretKey::from_bytes([3; 32]).node_id();
        let error = node.connect(peer, "any").await.unwrap_err();
        assert!(matches!(error, ConnectError::NoRoute { .. }));
        assert!(
            error.to_string().contains("give the node a server"),
            "{error}"
        );
        assert_eq!(node.lookup(peer).await.unwrap_err(), LookupError::NoServer);
    })
    .await;
}

#[tokio::test]
async fn a_name_that_cannot_be_resolved_is_named() {
    in_time(async {
        let node = node().await;
        let id = SecretKey::from_bytes([3; 32]).node_id();
        let peer: PeerAddr = format!("{id}@no-such-host.invalid:4433").parse().unwrap();
        let error = node.connect(peer, "any").await.unwrap_err();
        assert!(matches!(&error, ConnectError::Resolve { host, .. } if host == "no-such-host.invalid:4433"), "{error}");
    })
    .await;
}

#[tokio::test]
async fn a_node_does_not_dial_itself() {
    in_time(async {
        let node = node().await;
        let error = node.connect(address_of(&node), "any").await.unwrap_err();
        assert!(matches!(error, ConnectError::Myself { .. }), "{error}");
    })
    .await;
}

#[tokio::test]
async fn both_dialling_at_once_end_up_with_one_connection() {
    in_time(async {
        let (left, right) = (node().await, node().await);
        serve_echo(left.listen("echo").allow(Allow::any()).start().unwrap());
        serve_echo(right.listen("echo").allow(Allow::any()).start().unwrap());
        let (to_right, to_left) = tokio::join!(
            left.connect(address_of(&right), "echo"),
            right.connect(address_of(&left), "echo")
        );
        for mut stream in [to_right.unwrap(), to_left.unwrap()] {
            stream.write_all(b"both").await.unwrap();
            let mut echoed = [0; 4];
            stream.read_exact(&mut echoed).await.unwrap();
            assert_eq!(&echoed, b"both");
        }
        let (here, there) = (
            left.paths(right.node_id()).await,
            right.paths(left.node_id()).await,
        );
        assert_eq!(
            here.iter().filter(|path| path.selected).count(),
            1,
            "{here:?}"
        );
        assert_eq!(
            there.iter().filter(|path| path.selected).count(),
            1,
            "{there:?}"
        );
    })
    .await;
}

#[tokio::test]
async fn a_dropped_dial_leaves_the_node_ready_for_the_next() {
    in_time(async {
        let (client, server) = (node().await, node().await);
        // Nobody is served yet, so the first dial waits.
        let first = tokio::time::timeout(
            Duration::from_millis(100),
            client.connect(address_of(&server), "late"),
        );
        assert!(first.await.is_err());
        let mut listener = server
            .listen("late")
            .allow(Allow::only([client.node_id()]))
            .start()
            .unwrap();
        let stream = client.connect(address_of(&server), "late").await.unwrap();
        let accepted = listener.accept().await.unwrap();
        assert_eq!(accepted.peer(), client.node_id());
        drop(stream);
        let another = tokio::time::timeout(Duration::from_millis(200), listener.accept()).await;
        assert!(another.is_err(), "the dropped dial opened a stream");
    })
    .await;
}

#[tokio::test]
async fn a_dial_waits_for_a_peer_that_comes_up_before_the_deadline() {
    in_time(async {
        let (client, server) = (node().await, node().await);
        let mut dialling = pin!(client.connect(address_of(&server), "late"));
        // Its first INITs go out meanwhile, to a node that serves nobody.
        let early = tokio::time::timeout(Duration::from_millis(300), dialling.as_mut()).await;
        assert!(early.is_err(), "nobody was there");
        let _listener = server
            .listen("late")
            .allow(Allow::only([client.node_id()]))
            .start()
            .unwrap();
        dialling.await.unwrap();
    })
    .await;
}

#[tokio::test]
async fn a_ping_tells_time_and_path() {
    in_time(async {
        let (client, server, _listener) = pair("any").await;
        let pong = client.ping(address_of(&server)).await.unwrap();
        assert!(pong.rtt < Duration::from_secs(5), "{pong:?}");
        assert!(pong.route.is_direct(), "{pong:?}");
        let paths = client.paths(server.node_id()).await;
        assert!(
            paths
                .iter()
                .any(|path| path.selected && path.route == pong.route),
            "{paths:?}"
        );
    })
    .await;
}

#[tokio::test]
async fn a_ping_that_nobody_answers_ends_at_the_deadline() {
    in_time(async {
        let client = builder()
            .connect_timeout(Duration::from_millis(300))
            .bind()
            .await
            .unwrap();
        let silent = tokio::net::UdpSocket::bind("127.0.0.1:0").await.unwrap();
        let id = SecretKey::from_bytes([3; 32]).node_id();
        let peer = PeerAddr::new(id, [silent.local_addr().unwrap()]);
        assert!(matches!(
            client.ping(peer).await,
            Err(ConnectError::TimedOut { .. })
        ));
    })
    .await;
}
