//! gRPC by tonic, client and server, directly on streams of nodes.

#![expect(
    clippy::unwrap_used,
    reason = "a test that meets what it does not expect has failed"
)]

mod generated;
mod over_keyway;

use std::time::Duration;

use generated::Image;
use generated::mirror_client::MirrorClient;
use generated::mirror_server::{Mirror, MirrorServer};
use keyway::{Allow, Node, PeerAddr};
use tokio::sync::mpsc;
use tokio_stream::wrappers::ReceiverStream;
use tokio_stream::{Stream, StreamExt};
use tonic::transport::Server;
use tonic::{Code, Request, Response, Status, Streaming};

/// Far above what any of the tests takes, even on a busy machine.
const DEADLINE: Duration = Duration::from_secs(120);

/// Above tonic's default of 4 MiB.
const MESSAGE_MAX: usize = 64 << 20;

/// Gives back what it gets.
struct Glass;

type Images = std::pin::Pin<Box<dyn Stream<Item = Result<Image, Status>> + Send>>;

#[tonic::async_trait]
impl Mirror for Glass {
    async fn once(&self, request: Request<Image>) -> Result<Response<Image>, Status> {
        let image = request.into_inner();
        if image.number == 404 {
            return Err(Status::not_found("nothing looks into the glass"));
        }
        Ok(Response::new(image))
    }

    type AlwaysStream = Streaming<Image>;

    async fn always(
        &self,
        request: Request<Streaming<Image>>,
    ) -> Result<Response<Self::AlwaysStream>, Status> {
        Ok(Response::new(request.into_inner()))
    }

    type ManyStream = Images;

    async fn many(&self, request: Request<Image>) -> Result<Response<Images>, Status> {
        let Image { number, octets } = request.into_inner();
        let images = (0..number).map(move |number| Ok(image(number, octets.len())));
        Ok(Response::new(Box::pin(tokio_stream::iter(images))))
    }
}

/// Octets that differ with their place and with the image.
fn image(number: u64, length: usize) -> Image {
    let first = number.to_le_bytes()[0];
    let octets =
        (0..length).map(|place| (place * 31 + place / 253).to_le_bytes()[0].wrapping_add(first));
    Image {
        number,
        octets: octets.collect(),
    }
}

async fn node() -> Node {
    let builder = Node::builder().bind_address("127.0.0.1:0".parse().unwrap());
    builder.bind().await.unwrap()
}

/// A client of a [`Glass`] at another node. Both nodes live as long as what is returned.
async fn mirror() -> (MirrorClient<tonic::transport::Channel>, [Node; 2]) {
    let (client, server) = (node().await, node().await);
    let allow = Allow::only([client.node_id()]);
    let listener = server.listen("grpc").allow(allow).start().unwrap();
    let service = MirrorServer::new(Glass).max_decoding_message_size(MESSAGE_MAX);
    let serving = Server::builder().add_service(service);
    tokio::spawn(serving.serve_with_incoming(over_keyway::incoming(listener)));
    let peer = PeerAddr::new(server.node_id(), server.local_addresses());
    let channel = over_keyway::channel(&client, peer).await.unwrap();
    let mirror = MirrorClient::new(channel).max_decoding_message_size(MESSAGE_MAX);
    (mirror, [client, server])
}

async fn in_time(test: impl Future<Output = ()>) {
    tokio::time::timeout(DEADLINE, test)
        .await
        .expect("the test hangs");
}

#[tokio::test(flavor = "multi_thread")]
async fn messages_small_and_large_are_answered() {
    in_time(async {
        let (mut mirror, _nodes) = mirror().await;
        for (number, length) in [(1, 0), (2, 1), (3, 100_000), (4, 30_000_000)] {
            let sent = image(number, length);
            let answer = mirror.once(sent.clone()).await.unwrap().into_inner();
            assert!(answer == sent, "message {number}");
        }
    })
    .await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_status_comes_back_and_the_connection_goes_on() {
    in_time(async {
        let (mut mirror, _nodes) = mirror().await;
        let status = mirror.once(image(404, 10)).await.unwrap_err();
        assert_eq!(status.code(), Code::NotFound);
        assert_eq!(status.message(), "nothing looks into the glass");
        mirror.once(image(1, 10)).await.unwrap();
    })
    .await;
}

#[tokio::test(flavor = "multi_thread")]
async fn each_message_of_a_conversation_is_answered_before_the_next_is_said() {
    in_time(async {
        let (mut mirror, _nodes) = mirror().await;
        let (say, said) = mpsc::channel(1);
        let conversation = mirror.always(ReceiverStream::new(said)).await.unwrap();
        let mut answers = conversation.into_inner();
        for number in 0..500 {
            say.send(image(number, 1000)).await.unwrap();
            let answer = answers.next().await.unwrap().unwrap();
            assert_eq!(answer, image(number, 1000));
        }
        drop(say);
        assert!(answers.next().await.is_none(), "the end comes back, too");
    })
    .await;
}

#[tokio::test(flavor = "multi_thread")]
async fn long_streams_of_messages_and_short_calls_go_on_side_by_side() {
    in_time(async {
        let (mirror, _nodes) = mirror().await;
        let (mut long, mut short) = (mirror.clone(), mirror);
        let streaming = tokio::spawn(async move {
            let mut images = long.many(image(300, 100_000)).await.unwrap().into_inner();
            let mut count = 0;
            while let Some(came) = images.next().await {
                assert!(came.unwrap() == image(count, 100_000), "message {count}");
                count += 1;
            }
            count
        });
        for number in 0..200 {
            assert_eq!(
                short.once(image(number, 10)).await.unwrap().into_inner(),
                image(number, 10)
            );
        }
        assert_eq!(streaming.await.unwrap(), 300);
    })
    .await;
}
