//! HTTP/2 by hyper, client and server, directly on streams of nodes.

#![expect(
    clippy::unwrap_used,
    reason = "a test that meets what it does not expect has failed"
)]

use std::time::Duration;

use http_body_util::{BodyExt, Full};
use hyper::body::{Bytes, Incoming};
use hyper::client::conn::http2::SendRequest;
use hyper::service::service_fn;
use hyper::{Request, Response, Version};
use hyper_util::rt::{TokioExecutor, TokioIo};
use keyway::{Allow, Listener, Node, PeerAddr, Stream};
use tokio::task::JoinSet;

/// Far above what any of the tests takes, even on a busy machine.
const DEADLINE: Duration = Duration::from_secs(120);

async fn node() -> Node {
    let builder = Node::builder().bind_address("127.0.0.1:0".parse().unwrap());
    builder.bind().await.unwrap()
}

/// Answers with the body of the request.
async fn echo(request: Request<Incoming>) -> Result<Response<Full<Bytes>>, hyper::Error> {
    assert_eq!(request.version(), Version::HTTP_2);
    let body = request.into_body().collect().await?.to_bytes();
    Ok(Response::new(Full::new(body)))
}

async fn serve(stream: Stream) {
    let server = hyper::server::conn::http2::Builder::new(TokioExecutor::new());
    // What breaks a connection shows at the client, which is what the tests look at.
    let _ = server
        .serve_connection(TokioIo::new(stream), service_fn(echo))
        .await;
}

fn serve_all(mut listener: Listener) {
    tokio::spawn(async move {
        while let Ok(stream) = listener.accept().await {
            tokio::spawn(serve(stream));
        }
    });
}

async fn connect(client: &Node, server: &Node) -> SendRequest<Full<Bytes>> {
    let peer = PeerAddr::new(server.node_id(), server.local_addresses());
    let stream = TokioIo::new(client.connect(peer, "http2").await.unwrap());
    let handshake = hyper::client::conn::http2::handshake(TokioExecutor::new(), stream);
    let (requests, connection) = handshake.await.unwrap();
    tokio::spawn(connection);
    requests
}

async fn ask(mut requests: SendRequest<Full<Bytes>>, body: Bytes) {
    requests.ready().await.unwrap();
    let request = Request::post("http://mirror/")
        .body(Full::new(body.clone()))
        .unwrap();
    let response = requests.send_request(request).await.unwrap();
    assert_eq!(response.status(), 200);
    let answer = response.into_body().collect().await.unwrap().to_bytes();
    assert!(answer == body, "{} octets of {}", answer.len(), body.len());
}

/// Octets that differ with their place and with the request.
fn body(request: usize, length: usize) -> Bytes {
    let octets = (0..length).map(|place| (place * 31 + place / 253 + request).to_le_bytes()[0]);
    octets.collect()
}

async fn in_time(test: impl Future<Output = ()>) {
    tokio::time::timeout(DEADLINE, test)
        .await
        .expect("the test hangs");
}

#[tokio::test(flavor = "multi_thread")]
async fn many_requests_share_one_stream() {
    in_time(async {
        let (client, server) = (node().await, node().await);
        serve_all(
            server
                .listen("http2")
                .allow(Allow::only([client.node_id()]))
                .start()
                .unwrap(),
        );
        let requests = connect(&client, &server).await;
        let mut asked = JoinSet::new();
        for request in 0..200 {
            asked.spawn(ask(requests.clone(), body(request, 1 + 500 * request)));
        }
        asked.join_all().await;
    })
    .await;
}

#[tokio::test(flavor = "multi_thread")]
async fn large_bodies_go_both_ways_on_several_streams() {
    in_time(async {
        let (client, server) = (node().await, node().await);
        serve_all(
            server
                .listen("http2")
                .allow(Allow::only([client.node_id()]))
                .start()
                .unwrap(),
        );
        let mut asked = JoinSet::new();
        for request in 0..4 {
            let requests = connect(&client, &server).await;
            asked.spawn(ask(requests, body(request, 20_000_000)));
        }
        asked.join_all().await;
    })
    .await;
}
