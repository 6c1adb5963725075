//! A real web service: a page, and a large file.

use std::convert::Infallible;
use std::net::SocketAddr;

use bytes::Bytes;
use futures_util::stream;
use http_body_util::combinators::BoxBody;
use http_body_util::{BodyExt, Full, StreamBody};
use hyper::body::{Frame, Incoming};
use hyper::{Request, Response, StatusCode};
use hyper_util::rt::TokioIo;
use tokio::net::TcpListener;

use crate::exit::Failure;

/// Large enough for several seconds of slow network, small enough for a laptop.
pub(super) const FILE_LEN: u64 = 256 * 1024 * 1024;

const BLOCK_LEN: usize = 64 * 1024;

const PAGE: &str = "<!doctype html>\n<title>Keyway</title>\n<p>This page came by public key.</p>\n";

/// SHA-256.
pub(super) struct Digest(aws_lc_rs::digest::Context);

impl Digest {
    pub(super) fn new() -> Self {
        Self(aws_lc_rs::digest::Context::new(&aws_lc_rs::digest::SHA256))
    }

    pub(super) fn update(&mut self, data: &[u8]) {
        self.0.update(data);
    }

    pub(super) fn finish(self) -> Vec<u8> {
        self.0.finish().as_ref().to_vec()
    }
}

/// Octets as text.
pub(super) fn hex(octets: &[u8]) -> String {
    octets.iter().map(|octet| format!("{octet:02x}")).collect()
}

/// The running service.
#[derive(Debug)]
pub(super) struct Site {
    pub(super) address: SocketAddr,
    /// SHA-256 of the file.
    pub(super) digest: Vec<u8>,
}

impl Site {
    pub(super) async fn start() -> Result<Self, Failure> {
        let listener = TcpListener::bind(super::LOOPBACK).await?;
        let address = listener.local_addr()?;
        let digest = tokio::task::spawn_blocking(|| {
            let mut digest = Digest::new();
            (0..FILE_LEN / BLOCK_LEN as u64).for_each(|number| digest.update(&block(number)));
            digest.finish()
        });
        tokio::spawn(async move {
            while let Ok((connection, _)) = listener.accept().await {
                let serving = hyper::server::conn::http1::Builder::new()
                    .serve_connection(TokioIo::new(connection), hyper::service::service_fn(answer));
                tokio::spawn(serving);
            }
        });
        Ok(Self {
            address,
            digest: digest.await.map_err(Failure::new)?,
        })
    }
}

/// One block of the file: every block differs from every other, so that none can be lost, doubled or swapped unseen.
fn block(number: u64) -> Bytes {
    let mut octets = vec![0; BLOCK_LEN];
    let mut state = number.wrapping_add(1).wrapping_mul(0x9e37_79b9_7f4a_7c15);
    for word in octets.chunks_exact_mut(8) {
        // xorshift64 (Marsaglia 2003): fast, and anything but regular.
        state ^= state << 13;
        state ^= state >> 7;
        state ^= state << 17;
        word.copy_from_slice(&state.to_le_bytes());
    }
    octets.into()
}

async fn answer(
    request: Request<Incoming>,
) -> Result<Response<BoxBody<Bytes, Infallible>>, Infallible> {
    let body = match request.uri().path() {
        "/" => Full::new(PAGE.into()).boxed(),
        "/file" => {
            let blocks =
                (0..FILE_LEN / BLOCK_LEN as u64).map(|number| Ok(Frame::data(block(number))));
            StreamBody::new(stream::iter(blocks)).boxed()
        }
        _ => {
            let mut response = Response::new(Full::new("no such page\n".into()).boxed());
            *response.status_mut() = StatusCode::NOT_FOUND;
            return Ok(response);
        }
    };
    Ok(Response::new(body))
}
