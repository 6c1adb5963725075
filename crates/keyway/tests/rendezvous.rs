//! Nodes that know nothing of each other but their ids, and a server where they meet.
#![allow(
    clippy::unwrap_used,
    reason = "in a test, whatever fails is the finding"
)]

mod support;

use std::time::Duration;

use keyway::{
    Allow, ConnectError, LookupError, Node, NodeBuilder, PathInfo, SecretKey, ServerAddr,
};
use support::{builder, expect_pattern, in_time, send_pattern, serve_echo};
use tokio::io::{AsyncReadExt, AsyncWriteExt};

async fn server() -> (Node, ServerAddr) {
    let server = builder().serve_rendezvous().bind().await.unwrap();
    let address = ServerAddr::new(server.node_id(), server.local_addresses()[0]);
    (server, address)
}

fn client_of(server: &ServerAddr) -> NodeBuilder {
    builder().server(server.clone())
}

/// Waits until a path is what `wanted` says.
async fn wait_for_path(node: &Node, peer: &Node, wanted: impl Fn(&PathInfo) -> bool) -> PathInfo {
    loop {
        let paths = node.paths(peer.node_id()).await;
        if let Some(path) = paths.iter().find(|path| wanted(path)) {
            return *path;
        }
        tokio::time::sleep(Duration::from_millis(5)).await;
    }
}

#[tokio::test]
async fn two_nodes_meet_at_a_server_through_the_relay_and_then_directly() {
    in_time(async {
        let (_server, address) = server().await;
        let (alice, bob) = (
            client_of(&address).bind().await.unwrap(),
            client_of(&address).bind().await.unwrap(),
        );
        serve_echo(
            bob.listen("echo")
                .allow(Allow::only([alice.node_id()]))
                .start()
                .unwrap(),
        );
        bob.registered().await.unwrap();
        let mut stream = alice.connect(bob.node_id(), "echo").await.unwrap();
        stream.write_all(b"hello").await.unwrap();
        let mut answer = [0; 5];
        stream.read_exact(&mut answer).await.unwrap();
        assert_eq!(&answer, b"hello");
        let relayed = wait_for_path(&alice, &bob, |path| !path.route.is_direct()).await;
        assert!(
            relayed.received > 0,
            "neither knew where the other was: the first packets went through the relay"
        );
        wait_for_path(&alice, &bob, |path| path.route.is_direct() && path.selected).await;
        wait_for_path(&bob, &alice, |path| path.route.is_direct() && path.selected).await;
    })
    .await;
}

#[tokio::test]
async fn a_transfer_goes_on_unharmed_while_its_path_changes() {
    const LEN: usize = 20_000_000;
    in_time(async {
        let (_server, address) = server().await;
        let (alice, bob) = (
            client_of(&address).bind().await.unwrap(),
            client_of(&address).bind().await.unwrap(),
        );
        let mut listener = bob.listen("bulk").allow(Allow::any()).start().unwrap();
        bob.registered().await.unwrap();
        let dialled = alice.connect(bob.node_id(), "bulk").await.unwrap();
        let accepted = listener.accept().await.unwrap();
        let (receive, send) = accepted.into_split();
        let there = tokio::spawn(async move {
            tokio::try_join!(expect_pattern(receive, 1), send_pattern(send, 2, LEN))
                .unwrap()
                .0
        });
        let (receive, send) = dialled.into_split();
        let here = tokio::try_join!(expect_pattern(receive, 2), send_pattern(send, 1, LEN))
            .unwrap()
            .0;
        assert_eq!((here, there.await.unwrap()), (LEN, LEN));
        wait_for_path(&alice, &bob, |path| path.route.is_direct() && path.selected).await;
    })
    .await;
}

#[tokio::test]
async fn a_record_can_be_looked_up_while_its_owner_serves_something() {
    in_time(async {
        let (server, address) = server().await;
        let (alice, bob) = (
            client_of(&address).bind().await.unwrap(),
            client_of(&address).bind().await.unwrap(),
        );
        bob.online().await.unwrap();
        let missing = alice.lookup(bob.node_id()).await;
        assert_eq!(
            missing,
            Err(LookupError::NotFound {
                peer: bob.node_id()
            }),
            "nobody is served, so nobody need find it"
        );
        let _listener = bob.listen("anything").allow(Allow::any()).start().unwrap();
        bob.registered().await.unwrap();
        let record = alice.lookup(bob.node_id()).await.unwrap();
        assert_eq!(record.node, bob.node_id());
        assert_eq!(record.servers, [server.node_id()]);
        assert!(record.expiry > record.issued);
    })
    .await;
}

#[tokio::test]
async fn a_peer_that_nobody_lists_is_waited_for_until_the_deadline() {
    in_time(async {
        let (_server, address) = server().await;
        let alice = client_of(&address)
            .connect_timeout(Duration::from_secs(1))
            .bind()
            .await
            .unwrap();
        let nobody = SecretKey::from_bytes([77; 32]).node_id();
        let error = alice.connect(nobody, "any").await.unwrap_err();
        assert!(matches!(error, ConnectError::TimedOut { .. }), "{error}");
    })
    .await;
}

#[tokio::test]
async fn a_node_that_comes_up_later_is_found_by_who_waits_for_it() {
    in_time(async {
        let (_server, address) = server().await;
        let alice = client_of(&address).bind().await.unwrap();
        let key = SecretKey::from_bytes([78; 32]);
        let id = key.node_id();
        let dialling = {
            let alice = alice.clone();
            tokio::spawn(async move { alice.connect(id, "late").await.map(|stream| stream.peer()) })
        };
        tokio::time::sleep(Duration::from_millis(500)).await;
        let bob = client_of(&address).secret_key(key).bind().await.unwrap();
        let mut listener = bob
            .listen("late")
            .allow(Allow::only([alice.node_id()]))
            .start()
            .unwrap();
        assert_eq!(listener.accept().await.unwrap().peer(), alice.node_id());
        assert_eq!(dialling.await.unwrap().unwrap(), id);
    })
    .await;
}

#[tokio::test]
async fn a_server_that_is_given_by_name_is_resolved() {
    in_time(async {
        let (server, _) = server().await;
        let port = server.local_addresses()[0].port();
        let address: ServerAddr = format!("{}@localhost:{port}", server.node_id())
            .parse()
            .unwrap();
        let node = client_of(&address).bind().await.unwrap();
        node.online().await.unwrap();
    })
    .await;
}

#[tokio::test]
async fn a_server_that_restarts_is_found_again() {
    in_time(async {
        let key = || SecretKey::from_bytes([79; 32]);
        let first = builder()
            .secret_key(key())
            .serve_rendezvous()
            .bind()
            .await
            .unwrap();
        let place = first.local_addresses()[0];
        let address = ServerAddr::new(first.node_id(), place);
        let (alice, bob) = (
            client_of(&address).bind().await.unwrap(),
            client_of(&address).bind().await.unwrap(),
        );
        let mut listener = bob.listen("again").allow(Allow::any()).start().unwrap();
        bob.registered().await.unwrap();
        first.close().await.unwrap();
        let second = Node::builder()
            .secret_key(key())
            .bind_address(place)
            .serve_rendezvous()
            .bind()
            .await
            .unwrap();
        let _stream = alice.connect(bob.node_id(), "again").await.unwrap();
        assert_eq!(listener.accept().await.unwrap().peer(), alice.node_id());
        drop(second);
    })
    .await;
}
