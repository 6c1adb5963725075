//! `keyway demo`: a server, two nodes and a web service on this machine; a page and a large file by public key alone, relay
//! first and then direct.

mod story;
mod watch;
mod web;

use std::time::{Duration, Instant};

use bytes::Bytes;
use http_body_util::{BodyExt, Empty};
use hyper_util::rt::TokioIo;
use keyway::{Allow, Node, NodeId, ServerAddr, Stream};

use self::story::Story;
use crate::bridge::target;
use crate::ending::Ending;
use crate::exit::{Exit, Failure};
use crate::service::Socket;

/// Everything stays on this machine.
const LOOPBACK: &str = "127.0.0.1:0";

/// How long any step may take before the demo is called a failure.
const STEP_DEADLINE: Duration = Duration::from_secs(60);

/// The service's name.
const SERVICE: &str = "http";

#[expect(
    clippy::disallowed_methods,
    reason = "the story tells when things happened"
)]
pub(crate) async fn run() -> Result<Exit, Failure> {
    let story = Story::new(Instant::now());
    let (server, address) = start_server(&story).await?;
    let site = web::Site::start().await?;
    story.tell(format_args!(
        "a web service listens on {}, as any program would",
        site.address
    ))?;
    let client = loopback_node(&address).await?;
    let web = loopback_node(&address).await?;
    let ending = Ending::new();
    let listener = web
        .listen(SERVICE)
        .allow(Allow::only([client.node_id()]))
        .start()?;
    tokio::spawn(target::serve(
        listener,
        Socket::Tcp(site.address.to_string()),
        ending.hold(),
    ));
    story.tell(format_args!(
        "node A serves it as `{SERVICE}`, to node B alone: {}",
        web.node_id()
    ))?;
    step(web.registered()).await?;
    story.tell(format_args!(
        "node A is registered at the server; node B is {}",
        client.node_id()
    ))?;

    let watcher = watch::Watcher::start(client.clone(), web.node_id());
    fetch_page(&story, &client, web.node_id()).await?;
    fetch_file(&story, &client, web.node_id(), &watcher, &site).await?;
    if !watcher.saw_direct() {
        return Err(Failure::new(
            "the direct path did not come up; RUST_LOG=keyway=debug keyway demo shows more",
        ));
    }
    for node in [&client, &web, &server] {
        crate::commands::close(node).await;
    }
    story.done(format_args!(
        "no address was given to either node, and no port was opened for them"
    ))?;
    Ok(Exit::Done)
}

async fn start_server(story: &Story) -> Result<(Node, ServerAddr), Failure> {
    let server = builder()?.serve_rendezvous().bind().await?;
    let place = *server
        .local_addresses()
        .first()
        .ok_or_else(|| Failure::new("the server has no address"))?;
    let address = ServerAddr::new(server.node_id(), place);
    story.tell(format_args!(
        "a rendezvous and relay server is ready at {place}"
    ))?;
    Ok((server, address))
}

fn builder() -> Result<keyway::NodeBuilder, Failure> {
    Ok(Node::builder().bind_address(LOOPBACK.parse().map_err(Failure::new)?))
}

async fn loopback_node(server: &ServerAddr) -> Result<Node, Failure> {
    Ok(builder()?.server(server.clone()).bind().await?)
}

async fn step<T, E>(future: impl Future<Output = Result<T, E>>) -> Result<T, Failure>
where
    Failure: From<E>,
{
    match tokio::time::timeout(STEP_DEADLINE, future).await {
        Ok(outcome) => Ok(outcome?),
        Err(_) => Err(Failure::unreachable(format_args!(
            "no progress within {} s",
            STEP_DEADLINE.as_secs()
        ))),
    }
}

/// An HTTP connection over a Keyway stream: hyper takes whatever reads and writes.
async fn http(
    stream: Stream,
) -> Result<hyper::client::conn::http1::SendRequest<Empty<Bytes>>, Failure> {
    let (requests, connection) = hyper::client::conn::http1::handshake(TokioIo::new(stream))
        .await
        .map_err(Failure::new)?;
    tokio::spawn(connection);
    Ok(requests)
}

fn get(path: &str) -> Result<hyper::Request<Empty<Bytes>>, Failure> {
    let request = hyper::Request::get(path).header("host", SERVICE);
    request.body(Empty::new()).map_err(Failure::new)
}

#[expect(
    clippy::disallowed_methods,
    reason = "the story tells how long things took"
)]
async fn fetch_page(story: &Story, client: &Node, web: NodeId) -> Result<(), Failure> {
    let start = Instant::now();
    let stream = step(client.connect(web, SERVICE)).await?;
    let connected = start.elapsed();
    story.tell(format_args!(
        "node B dialled node A by its key: connected after {}",
        story::millis(connected)
    ))?;
    tell_of_relay(story, client, web).await?;
    let mut requests = http(stream).await?;
    let response =
        step(async { requests.send_request(get("/")?).await.map_err(Failure::new) }).await?;
    let page = step(async { response.into_body().collect().await.map_err(Failure::new) })
        .await?
        .to_bytes();
    story.tell(format_args!(
        "a page of {} octets came after {}",
        page.len(),
        story::millis(start.elapsed())
    ))?;
    if !page.starts_with(b"<!doctype html>") {
        return Err(Failure::new("the page is not the one that was served"));
    }
    Ok(())
}

/// The first packets go through the relay, however soon a direct path follows.
async fn tell_of_relay(story: &Story, client: &Node, web: NodeId) -> Result<(), Failure> {
    let paths = client.paths(web).await;
    if !paths.iter().any(|path| !path.route.is_direct()) {
        return Err(Failure::new(
            "the relay was not used; it should have been the first way",
        ));
    }
    let by_now = if paths
        .iter()
        .any(|path| path.selected && path.route.is_direct())
    {
        ", and a direct path is there by now"
    } else {
        ", until a direct path is found"
    };
    story.tell(format_args!(
        "its packets go through the relay at first{by_now}"
    ))?;
    Ok(())
}

#[expect(
    clippy::disallowed_methods,
    reason = "the story tells how long things took"
)]
async fn fetch_file(
    story: &Story,
    client: &Node,
    web: NodeId,
    watcher: &watch::Watcher,
    site: &web::Site,
) -> Result<(), Failure> {
    let start = Instant::now();
    let mut requests = http(step(client.connect(web, SERVICE)).await?).await?;
    let response = step(async {
        requests
            .send_request(get("/file")?)
            .await
            .map_err(Failure::new)
    })
    .await?;
    let (len, digest) = receive_file(story, watcher, response.into_body()).await?;
    let took = start.elapsed();
    if let Some(switch) = watcher.wait_for_direct(STEP_DEADLINE).await {
        tell_of_switch(story, &switch)?;
    }
    let rate = len as f64 * 8.0 / took.as_secs_f64() / 1e9;
    let mebibytes = len / (1 << 20);
    story.tell(format_args!(
        "a file of {mebibytes} MiB came in {}, {rate:.2} Gbit/s",
        story::millis(took)
    ))?;
    if digest.finish() != site.digest {
        return Err(Failure::new(
            "the file that arrived is not the one that was served",
        ));
    }
    story.tell(format_args!(
        "its SHA-256 is that of the file served: {}",
        web::hex(&site.digest)
    ))?;
    Ok(())
}

/// Takes the file in, and tells meanwhile how far it is, and of the change of path. Its length, and the digest of what came.
async fn receive_file(
    story: &Story,
    watcher: &watch::Watcher,
    mut body: hyper::body::Incoming,
) -> Result<(u64, web::Digest), Failure> {
    let mut digest = web::Digest::new();
    let bar = story.bar(web::FILE_LEN);
    let mut len = 0;
    while let Some(frame) =
        step(async { body.frame().await.transpose().map_err(Failure::new) }).await?
    {
        if let Some(data) = frame.data_ref() {
            digest.update(data);
            len += data.len() as u64;
            bar.set_position(len);
        }
        if let Some(switch) = watcher.news() {
            bar.suspend(|| tell_of_switch(story, &switch))?;
        }
    }
    bar.finish_and_clear();
    Ok((len, digest))
}

fn tell_of_switch(story: &Story, switch: &watch::Switch) -> Result<(), Failure> {
    story.tell_at(
        switch.at,
        format_args!("the path changed: {}", story::way(&switch.route)),
    )
}
