//! Transfers over real sockets while something between the nodes damages packets and changes addresses.
#![expect(
    clippy::unwrap_used,
    reason = "in a test, whatever fails is the finding"
)]

mod support;

use std::net::SocketAddr;
use std::sync::atomic::Ordering;

use keyway::{Node, PeerAddr, Stream};
use support::proxy::{Plan, Proxy};
use support::{expect_pattern, in_time, pair, send_pattern};

/// Octets each way: some 12,000 packets.
const LENGTH: usize = 16 << 20;

/// A pair with a proxy between the two that carries out this plan.
async fn apart(plan: Plan) -> (Node, Node, Proxy, Stream, Stream) {
    let (client, server, mut listener) = pair("transfer").await;
    let at: SocketAddr = server.local_addresses()[0];
    let proxy = Proxy::start(at, plan).await;
    let target = PeerAddr::new(server.node_id(), [proxy.address]);
    let near = client.connect(target, "transfer").await.unwrap();
    let far = listener.accept().await.unwrap();
    (client, server, proxy, near, far)
}

/// Transfers the pattern both ways at once, and compares every octet. All of it has to go through the proxy.
async fn transfer_both_ways(near: Stream, far: Stream, proxy: &Proxy) {
    let ((near_in, near_out), (far_in, far_out)) = (near.into_split(), far.into_split());
    let (up, down, heard_up, heard_down) = tokio::join!(
        send_pattern(near_out, 1, LENGTH),
        send_pattern(far_out, 2, LENGTH),
        expect_pattern(far_in, 1),
        expect_pattern(near_in, 2),
    );
    up.unwrap();
    down.unwrap();
    assert_eq!((heard_up.unwrap(), heard_down.unwrap()), (LENGTH, LENGTH));
    let carried = proxy.done.octets.load(Ordering::Relaxed);
    assert!(carried > 2 * LENGTH as u64, "{carried} went another way");
}

// T1, H2
#[tokio::test]
async fn one_packet_in_a_hundred_may_be_damaged() {
    in_time(async {
        let plan = Plan {
            damage_every: 100,
            ..Plan::default()
        };
        let (_client, _server, proxy, near, far) = apart(plan).await;
        transfer_both_ways(near, far, &proxy).await;
        let damaged = proxy.done.damaged.load(Ordering::Relaxed);
        assert!(damaged >= 200, "{damaged} packets were damaged");
    })
    .await;
}

// M1
#[tokio::test]
async fn the_port_may_change_in_mid_transfer_again_and_again() {
    in_time(async {
        let plan = Plan {
            move_every: 2_000,
            moves_max: 4,
            ..Plan::default()
        };
        let (_client, _server, proxy, near, far) = apart(plan).await;
        transfer_both_ways(near, far, &proxy).await;
        assert_eq!(proxy.done.moves.load(Ordering::Relaxed), 4);
    })
    .await;
}

// T1, M1
#[tokio::test]
async fn the_port_may_change_while_packets_are_damaged() {
    in_time(async {
        let plan = Plan {
            damage_every: 100,
            move_every: 2_500,
            moves_max: 3,
        };
        let (_client, _server, proxy, near, far) = apart(plan).await;
        transfer_both_ways(near, far, &proxy).await;
        assert_eq!(proxy.done.moves.load(Ordering::Relaxed), 3);
        assert!(proxy.done.damaged.load(Ordering::Relaxed) >= 200);
    })
    .await;
}
