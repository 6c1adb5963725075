//! Tests that look inside. Those over the public interface are in the folder `tests`.

use std::net::SocketAddr;
use std::time::Duration;

use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::runtime::Runtime;

use crate::command::Command;
use crate::error::{CloseError, ConnectError, ConnectionError};
use crate::{Allow, Listener, Node, PeerAddr, SecretKey, Stream};

async fn node() -> Node {
    Node::builder()
        .bind_address("127.0.0.1:0".parse().unwrap())
        .bind()
        .await
        .unwrap()
}

async fn connected() -> (Node, Node, Listener, Stream, Stream) {
    let (client, server) = (node().await, node().await);
    let mut listener = server.listen("any").allow(Allow::any()).start().unwrap();
    let peer = PeerAddr::new(server.node_id(), server.local_addresses());
    let here = client.connect(peer, "any").await.unwrap();
    let there = listener.accept().await.unwrap();
    (client, server, listener, here, there)
}

#[tokio::test]
async fn an_idle_node_sleeps() {
    let lonely = node().await;
    let (client, server, _listener, mut here, mut there) = connected().await;
    here.write_all(b"x").await.unwrap();
    there.read_u8().await.unwrap();
    // What follows a handshake takes a while to come to rest: probes of the packet size, candidates, spare ids.
    tokio::time::sleep(Duration::from_secs(4)).await;
    let nodes = [lonely, client, server];
    let before = nodes.each_ref().map(|node| node.shared().rounds());
    tokio::time::sleep(Duration::from_millis(5_200)).await;
    let after = nodes.each_ref().map(|node| node.shared().rounds());
    for (before, after) in before.iter().zip(after) {
        assert!(after - before < 5, "{before} rounds, then {after}");
    }
}

// L11
#[tokio::test]
async fn a_driver_that_panics_fails_everything_and_hangs_nothing() {
    let (client, server, mut listener, here, _there) = connected().await;
    let (mut receive, mut send) = here.into_split();
    let reading = tokio::spawn(async move { receive.read_u8().await });
    let writing = tokio::spawn(async move {
        let piece = vec![7; 64 * 1024];
        loop {
            if let Err(error) = send.write_all(&piece).await {
                break error;
            }
        }
    });
    let accepting = tokio::spawn(async move { listener.accept().await.map(drop) });
    let watching = {
        let client = client.clone();
        tokio::spawn(async move { client.ended().await })
    };
    let closing = {
        let client = client.clone();
        async move { client.close().await }
    };
    tokio::time::sleep(Duration::from_millis(200)).await;
    for node in [&client, &server] {
        node.shared().send(Command::Panic).unwrap();
    }
    let failed = reading.await.unwrap();
    assert_eq!(
        failed.map_or_else(|error| error.to_string(), |_| "octets".into()),
        ConnectionError::NodeFailed.to_string()
    );
    assert_eq!(
        writing.await.unwrap().to_string(),
        ConnectionError::NodeFailed.to_string()
    );
    assert_eq!(accepting.await.unwrap(), Err(ConnectionError::NodeFailed));
    assert_eq!(watching.await.unwrap(), ConnectionError::NodeFailed);
    assert_eq!(
        closing.await,
        Err(CloseError::Lost(ConnectionError::NodeFailed))
    );
    let refused = client.connect(server.node_id(), "any").await;
    assert!(
        matches!(
            refused,
            Err(ConnectError::Lost(ConnectionError::NodeFailed))
        ),
        "{refused:?}"
    );
    assert_eq!(client.registered().await, Err(ConnectionError::NodeFailed));
}

/// A foreign executor's waker that is broken.
struct Broken;

impl std::task::Wake for Broken {
    fn wake(self: std::sync::Arc<Self>) {
        panic!("expected in this test");
    }
}

// L11
#[tokio::test]
async fn a_waker_that_panics_in_the_driver_is_an_error_for_everybody_and_no_hang() {
    let (client, server, _listener, mut here, mut there) = connected().await;
    let other = client.connect(server.node_id(), "any");
    let mut other = other.await.unwrap();
    let waker = std::task::Waker::from(std::sync::Arc::new(Broken));
    let mut buffer = [0];
    {
        let mut reading = std::pin::pin!(here.read(&mut buffer));
        let mut context = std::task::Context::from_waker(&waker);
        assert!(reading.as_mut().poll(&mut context).is_pending());
    }
    there.write_all(b"x").await.unwrap();
    assert_eq!(client.ended().await, ConnectionError::NodeFailed);
    let error = other.read_u8().await.unwrap_err();
    assert_eq!(error.to_string(), ConnectionError::NodeFailed.to_string());
}

#[tokio::test]
async fn a_request_that_is_under_way_fails_with_the_driver() {
    let node = node().await;
    let silent = tokio::net::UdpSocket::bind("127.0.0.1:0").await.unwrap();
    let id = crate::SecretKey::from_bytes([3; 32]).node_id();
    let peer = PeerAddr::new(id, [silent.local_addr().unwrap()]);
    let (dialled, ()) = tokio::join!(node.connect(peer, "any"), async {
        tokio::time::sleep(Duration::from_millis(100)).await;
        node.shared().send(Command::Panic).unwrap();
    });
    assert!(
        matches!(
            dialled,
            Err(ConnectError::Lost(ConnectionError::NodeFailed))
        ),
        "{dialled:?}"
    );
}

#[test]
fn streams_that_outlive_the_runtime_fail() {
    let runtime = || {
        tokio::runtime::Builder::new_current_thread()
            .enable_all()
            .build()
            .unwrap()
    };
    let first = runtime();
    let (_client, _server, _listener, mut here, _there) = first.block_on(connected());
    drop(first);
    let error = runtime().block_on(here.read_u8()).unwrap_err();
    assert_eq!(error.kind(), std::io::ErrorKind::ConnectionAborted);
}

/// 32 octets of which no four in a row are there by chance.
fn key_pattern(first: u8, step: u8) -> [u8; 32] {
    let mut octet = first;
    [(); 32].map(|()| {
        octet = octet.wrapping_add(step);
        octet
    })
}

// K5
#[tokio::test]
async fn nothing_that_can_be_printed_for_debugging_shows_a_key() {
    let seed: [u8; 32] = key_pattern(0xa0, 7);
    let key = || crate::SecretKey::from_bytes(seed);
    let scalar = key().to_x25519();
    let builder = Node::builder()
        .bind_address("127.0.0.1:0".parse().unwrap())
        .secret_key(key());
    let mut shown = format!("{builder:?} {:?}", key());
    let planted = builder.bind().await.unwrap();
    let other = node().await;
    let mut listener = other.listen("any").allow(Allow::any()).start().unwrap();
    let peer = PeerAddr::new(other.node_id(), other.local_addresses());
    let here = planted.connect(peer, "any").await.unwrap();
    let there = listener.accept().await.unwrap();
    shown += &format!("{planted:?} {here:?} {there:?} {listener:?}");
    // What the driver owns.
    let random: [u8; 32] = key_pattern(0x5a, 11);
    let config = keyway_node::Config::default();
    let wall = crate::clock::Clock::wall();
    let inside = keyway_node::Node::new(keyway_wire::Time::ZERO, wall, key(), random, config);
    shown += &format!("{inside:?} {inside:#?}");
    assert!(shown.len() > 1000, "{shown}");
    for secret in [seed, *scalar, random] {
        let list = format!("{:?}", &secret[8..12]);
        let hex: String = secret[8..12]
            .iter()
            .map(|octet| format!("{octet:02x}"))
            .collect();
        assert!(!shown.contains(list.trim_matches(['[', ']'])), "{list}");
        assert!(!shown.to_lowercase().contains(&hex), "{hex}");
    }
}

#[test]
fn handles_can_be_moved_to_and_shared_with_other_threads() {
    const fn check<T: Send + Sync + Unpin + 'static>() {}
    check::<Node>();
    check::<Stream>();
    check::<crate::SendHalf>();
    check::<crate::RecvHalf>();
    check::<crate::DatagramSocket>();
    check::<Listener>();
    check::<crate::NodeBuilder>();
}

/// A node with this key at this address, in a runtime of its own, with which it can be taken away; it says a word to whoever connects.
fn start(key: [u8; 32], address: SocketAddr) -> (Runtime, Node) {
    let runtime = tokio::runtime::Builder::new_multi_thread()
        .worker_threads(1)
        .enable_all()
        .build()
        .unwrap();
    let node = runtime.block_on(async {
        let builder = Node::builder().secret_key(SecretKey::from_bytes(key));
        let node = builder.bind_address(address).bind().await.unwrap();
        let mut listener = node.listen("word").allow(Allow::any()).start().unwrap();
        tokio::spawn(async move {
            while let Ok(mut stream) = listener.accept().await {
                stream.write_all(b"hello").await.unwrap();
            }
        });
        node
    });
    (runtime, node)
}

// M11
#[test]
fn a_stream_to_a_peer_that_restarted_while_nobody_talked_is_opened_at_the_one_that_is() {
    let (old, node) = start([7; 32], "127.0.0.1:0".parse().unwrap());
    let address = node.local_addresses()[0];
    let peer = PeerAddr::new(node.node_id(), [address]);
    drop(node);
    let runtime = tokio::runtime::Builder::new_current_thread()
        .enable_all()
        .build()
        .unwrap();
    let client = runtime.block_on(async {
        let builder = Node::builder().bind_address("127.0.0.1:0".parse().unwrap());
        let builder = builder.silence_max(Duration::from_millis(500));
        let client = builder.bind().await.unwrap();
        assert_eq!(word_of(&client, &peer).await, "hello");
        // What is under way right after a handshake ends, so that nothing goes unanswered.
        tokio::time::sleep(Duration::from_secs(3)).await;
        client
    });
    old.shutdown_timeout(Duration::from_secs(5));
    let (new, _node) = start([7; 32], address);
    runtime.block_on(async {
        tokio::time::sleep(Duration::from_secs(1)).await;
        assert_eq!(word_of(&client, &peer).await, "hello");
    });
    new.shutdown_background();
}

async fn word_of(client: &Node, peer: &PeerAddr) -> String {
    let mut word = String::new();
    let mut stream = client.connect(peer, "word").await.unwrap();
    stream.read_to_string(&mut word).await.unwrap();
    word
}
