//! Peers that vanish without a word.
#![allow(
    clippy::unwrap_used,
    reason = "in a test, whatever fails is the finding"
)]

mod support;

use std::io::ErrorKind;
use std::time::Duration;

use keyway::{Allow, ConnectionError, PeerAddr, ReadError};
use support::{builder, in_time};
use tokio::io::{AsyncReadExt, AsyncWriteExt};

/// A node in a runtime of its own, which can be taken away from under it: the peer of a crashed machine sees the same.
struct Doomed {
    runtime: tokio::runtime::Runtime,
    address: PeerAddr,
}

impl Doomed {
    fn new() -> Self {
        let runtime = tokio::runtime::Builder::new_multi_thread()
            .worker_threads(1)
            .enable_all()
            .build()
            .unwrap();
        let address = runtime.block_on(async {
            let node = builder().bind().await.unwrap();
            let mut listener = node.listen("doomed").allow(Allow::any()).start().unwrap();
            let address = support::address_of(&node);
            tokio::spawn(async move {
                let mut streams = Vec::new();
                while let Ok(stream) = listener.accept().await {
                    streams.push(stream);
                }
            });
            address
        });
        Self { runtime, address }
    }

    fn vanish(self) {
        self.runtime.shutdown_background();
    }
}

#[test]
fn a_stream_ends_when_its_patience_does_and_another_waits_on() {
    let doomed = Doomed::new();
    let runtime = tokio::runtime::Builder::new_current_thread()
        .enable_all()
        .build()
        .unwrap();
    runtime.block_on(in_time(async {
        let client = builder()
            .patience(Duration::from_secs(6))
            .bind()
            .await
            .unwrap();
        let mut hasty = client.connect(&doomed.address, "doomed").await.unwrap();
        let mut patient = client.connect(&doomed.address, "doomed").await.unwrap();
        patient.set_patience(Duration::from_secs(3600));
        client.ping(&doomed.address).await.unwrap();
        doomed.vanish();
        hasty.write_all(b"anybody there?").await.unwrap();
        let error = hasty.read_u8().await.unwrap_err();
        assert_eq!(error.kind(), ErrorKind::TimedOut);
        let lost = ConnectionError::TimedOut {
            patience: Duration::from_secs(6),
        };
        assert_eq!(
            error.get_ref().unwrap().downcast_ref(),
            Some(&ReadError::Lost(lost))
        );
        let waiting = tokio::time::timeout(Duration::from_secs(1), patient.read_u8()).await;
        assert!(waiting.is_err(), "it had an hour: {waiting:?}");
    }));
}

#[test]
fn a_dial_to_a_peer_that_vanished_ends_at_the_deadline_though_it_was_connected_before() {
    let doomed = Doomed::new();
    let runtime = tokio::runtime::Builder::new_current_thread()
        .enable_all()
        .build()
        .unwrap();
    runtime.block_on(in_time(async {
        let client = builder()
            .connect_timeout(Duration::from_secs(2))
            .bind()
            .await
            .unwrap();
        let _patient = client.connect(&doomed.address, "doomed").await.unwrap();
        let mut hasty = client.connect(&doomed.address, "doomed").await.unwrap();
        // Longer than it takes to call a path dead.
        hasty.set_patience(Duration::from_secs(6));
        client.ping(&doomed.address).await.unwrap();
        let address = doomed.address.clone();
        doomed.vanish();
        hasty.write_all(b"anybody there?").await.unwrap();
        hasty.read_u8().await.unwrap_err();
        let error = client.connect(&address, "doomed").await.unwrap_err();
        assert_eq!(std::io::Error::from(error).kind(), ErrorKind::TimedOut);
    }));
}

// M11
#[test]
fn whoever_waits_for_a_peer_that_owes_nothing_is_told_that_it_vanished() {
    let doomed = Doomed::new();
    let runtime = tokio::runtime::Builder::new_current_thread()
        .enable_all()
        .build()
        .unwrap();
    runtime.block_on(in_time(async {
        let client = builder().bind().await.unwrap();
        let mut stream = client.connect(&doomed.address, "doomed").await.unwrap();
        client.ping(&doomed.address).await.unwrap();
        // Said when the stream has long been open.
        stream.set_patience(Duration::from_secs(6));
        doomed.vanish();
        let reading = tokio::time::timeout(Duration::from_secs(9), stream.read_u8());
        let error = reading.await.expect("told in time").unwrap_err();
        assert_eq!(error.kind(), ErrorKind::TimedOut);
    }));
}
