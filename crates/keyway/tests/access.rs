//! Who may do what, and what those who may not get to see.

mod support;

use std::io::ErrorKind;
use std::time::Duration;

use keyway::{Allow, ConnectError, ListenError, ReadError};
use support::{address_of, builder, in_time, node, pair};
use tokio::io::{AsyncReadExt, AsyncWriteExt};

// R4.13
#[tokio::test]
async fn a_node_that_is_not_allowed_meets_silence_and_is_told_what_it_may_mean() {
    in_time(async {
        let (_friend, server, mut listener) = pair("private").await;
        let stranger = builder().connect_timeout(Duration::from_millis(700)).bind().await.unwrap();
        let error = stranger.connect(address_of(&server), "private").await.unwrap_err();
        let peer = server.node_id();
        assert!(matches!(&error, ConnectError::TimedOut { peer: silent, .. } if *silent == peer));
        assert_eq!(
            error.to_string(),
            format!(
                "no answer from {peer} within 700 ms: it may be offline, not registered at the server, or not allow this node \
                 (peers that do not allow a node stay silent)"
            )
        );
        let accepted = tokio::time::timeout(Duration::from_millis(1), listener.accept()).await;
        assert!(accepted.is_err(), "the listener heard of a stranger");
    })
    .await;
}

#[tokio::test]
async fn an_allow_list_without_names_serves_nobody() {
    in_time(async {
        let server = node().await;
        let _listener = server
            .listen("empty")
            .allow(Allow::only([]))
            .start()
            .unwrap();
        let client = builder()
            .connect_timeout(Duration::from_millis(500))
            .bind()
            .await
            .unwrap();
        let error = client
            .connect(address_of(&server), "empty")
            .await
            .unwrap_err();
        assert!(matches!(error, ConnectError::TimedOut { .. }), "{error}");
    })
    .await;
}

// R9.4
#[tokio::test]
async fn a_service_that_does_not_exist_is_refused() {
    in_time(async {
        let (client, server, _listener) = pair("known").await;
        let mut stream = client
            .connect(address_of(&server), "unknown")
            .await
            .unwrap();
        let error = stream.read(&mut [0; 1]).await.unwrap_err();
        assert_eq!(error.kind(), ErrorKind::ConnectionRefused);
        assert_eq!(
            error.get_ref().unwrap().downcast_ref(),
            Some(&ReadError::Refused)
        );
        let error = loop {
            match stream.write(b"anybody there?").await {
                Ok(_) => tokio::task::yield_now().await,
                Err(error) => break error,
            }
        };
        assert_eq!(error.kind(), ErrorKind::ConnectionRefused);
    })
    .await;
}

// R9.4
#[tokio::test]
async fn a_service_for_others_looks_like_one_that_does_not_exist() {
    in_time(async {
        let (client, server, _listener) = pair("public").await;
        let other = node().await.node_id();
        let _private = server
            .listen("private")
            .allow(Allow::only([other]))
            .start()
            .unwrap();
        let mut stream = client
            .connect(address_of(&server), "private")
            .await
            .unwrap();
        let error = stream.read(&mut [0; 1]).await.unwrap_err();
        assert_eq!(
            error.get_ref().unwrap().downcast_ref(),
            Some(&ReadError::Refused)
        );
    })
    .await;
}

#[tokio::test]
async fn a_dropped_listener_serves_no_more_and_its_name_is_free_again() {
    in_time(async {
        let (client, server, listener) = pair("brief").await;
        let _other = server.listen("other").allow(Allow::any()).start().unwrap();
        // Waits in line, and nobody will accept it.
        let mut waiting = client.connect(address_of(&server), "brief").await.unwrap();
        drop(listener);
        assert_eq!(
            waiting.read(&mut [0; 1]).await.unwrap_err().kind(),
            ErrorKind::ConnectionRefused
        );
        let mut late = client.connect(address_of(&server), "brief").await.unwrap();
        assert_eq!(
            late.read(&mut [0; 1]).await.unwrap_err().kind(),
            ErrorKind::ConnectionRefused
        );
        let mut again = server.listen("brief").allow(Allow::any()).start().unwrap();
        let _stream = client.connect(address_of(&server), "brief").await.unwrap();
        assert_eq!(again.accept().await.unwrap().peer(), client.node_id());
    })
    .await;
}

#[tokio::test]
async fn a_name_can_be_listened_on_once() {
    in_time(async {
        let (_client, server, _listener) = pair("taken").await;
        let error = server
            .listen("taken")
            .allow(Allow::any())
            .start()
            .unwrap_err();
        assert_eq!(
            error,
            ListenError::InUse {
                service: "taken".into()
            }
        );
        assert_eq!(error.to_string(), "this node already listens on `taken`");
    })
    .await;
}

#[tokio::test]
async fn a_name_that_is_none_is_refused_before_anything_is_sent() {
    in_time(async {
        let node = node().await;
        let error = node
            .listen("No Such Name")
            .allow(Allow::any())
            .start()
            .unwrap_err();
        assert!(matches!(error, ListenError::Service(_)), "{error}");
        let error = node.connect(node.node_id(), "").await.unwrap_err();
        assert!(matches!(error, ConnectError::Service(_)), "{error}");
    })
    .await;
}
